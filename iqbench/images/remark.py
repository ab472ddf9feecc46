"""What decoded images say of themselves that a user should know."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Remark"]


@dataclass(frozen=True)
class Remark:
    """Something that is true of a file or of a pair of files, and is not an error.

    Attributes
    ----------
    text
        A sentence without its full stop, the same for all files of which it is true: they are
        counted.
    name
        The file.
    """

    text: str
    name: str

    def __str__(self) -> str:
        """Name the file, then say what is true of it."""
        return f"{self.name}: {self.text}"
