"""Changes of a whole results folder: what readers show while a change is in progress.

A change of several files cannot be made at one moment. So it is announced by one file, which
appears at one moment, and readers go by that: while it ends in ``.preparing``, what the change
writes is not shown; once it ends in ``.pending``, what the change removes is not shown. When all is
done it ends in ``.json``, and is the record of the change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from iqbench.errors import IqbenchError

__all__ = ["CHANGES", "Change", "hidden", "read_change", "read_changes", "under_way"]

CHANGES = "changes"
"""Folder of the records."""

_STATES = (".preparing", ".pending")


@dataclass(frozen=True)
class Change:
    """A method that was removed or renamed.

    Attributes
    ----------
    what
        ``remove`` or ``rename``.
    method, new
        Its name, and its new name, which is empty where it was removed.
    datasets
        On which datasets; of the tables or of published means.
    images, scores
        How many rows the tables had of it.
    time
        When, ISO 8601 in UTC.
    iqbench
        The release that did it.
    parts
        The files that go, relative to the results folder; empty once they are gone.
    host, process
        Who is at it.
    """

    what: str
    method: str
    new: str
    datasets: list[str]
    images: int
    scores: int
    time: str
    iqbench: str
    parts: list[str]
    host: str = ""
    process: int = 0

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Dataset and method of what goes."""
        return {(dataset, self.method) for dataset in self.datasets}

    @property
    def new_keys(self) -> set[tuple[str, str]]:
        """Dataset and method of what comes."""
        return {(dataset, self.new) for dataset in self.datasets} if self.new else set()

    @property
    def sentence(self) -> str:
        """Say what was done."""
        done = f"renamed to {self.new!r}" if self.new else "removed"
        where = ", ".join(self.datasets)
        return (
            f"method {self.method!r} was {done} on {where}: {self.images:,} images, "
            f"{self.scores:,} values"
        )

    def finished(self) -> Change:
        """Return the record that stays."""
        return replace(self, parts=[], host="", process=0)


def read_change(file: Path) -> Change:
    """Read one record.

    Raises
    ------
    FileNotFoundError
        Where another process has gone on with it.
    IqbenchError
        Where it is damaged.
    """
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
        change = Change(**{one.name: found[one.name] for one in fields(Change)})
        texts = [*change.datasets, *change.parts, change.method, change.new, change.what]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a name is not text")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise IqbenchError(
            f"cannot read {file}, the record of a change of the results: {error}",
            hint="Put back a copy of it, or delete it if the tables are as they should be",
        ) from error
    return change


def under_way(root: Path) -> Iterator[tuple[Path, Change]]:
    """Give the changes of a results folder that are not finished, oldest first."""
    folder = root / CHANGES
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.suffix in _STATES and not file.name.startswith("."):
            try:
                change = read_change(file)
            except FileNotFoundError:
                continue  # it is finished, or a step further: then nothing of it is half done
            yield file, change


def hidden(root: Path) -> set[tuple[str, str]]:
    """Name dataset and method of what readers do not show, because a change is under way."""
    found: set[tuple[str, str]] = set()
    for file, change in under_way(root):
        found |= change.keys if file.suffix == ".pending" else change.new_keys
    return found


def read_changes(root: Path) -> list[Change]:
    """Read the records of the changes that were made, oldest first; those under way count."""
    files: Iterable[Path] = (root / CHANGES).glob("*.json")
    pending = [change for file, change in under_way(root) if file.suffix == ".pending"]
    return [*map(read_change, sorted(files)), *pending]
