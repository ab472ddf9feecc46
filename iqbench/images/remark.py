"""Remarks about decoded images for the user."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Remark"]


@dataclass(frozen=True)
class Remark:
    """A remark about a file or a pair of files, which is not an error.

    Attributes
    ----------
    text
        A sentence without a full stop. Remarks with the same text are counted.
    name
        The file.
    """

    text: str
    name: str

    def __str__(self) -> str:
        """Return the name of the file and the text."""
        return f"{self.name}: {self.text}"
