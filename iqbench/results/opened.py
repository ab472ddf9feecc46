"""A results folder that several readers share, so that its footers are read only once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from iqbench.results.current import Stored, groups
from iqbench.results.mirror import local_results

__all__ = ["OpenedResults", "open_results"]


@dataclass(frozen=True)
class OpenedResults(os.PathLike[str]):
    """What a results folder had when it was opened; give it to readers in place of the path.

    Rows are not kept: each reader reads those that are there at that moment.

    Attributes
    ----------
    path
        The folder; of an address, the copy.
    groups
        By dataset and method.
    """

    path: Path
    groups: list[Stored]

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


def open_results(path: str | os.PathLike[str]) -> OpenedResults:
    """Open a results folder; one that is open already is returned as it is.

    Parameters
    ----------
    path
        The results folder, or its address.

    Raises
    ------
    IqbenchError
        Where there are no results, or a part is damaged or written by another version.
    """
    if isinstance(path, OpenedResults):
        return path
    folder = local_results(path)
    return OpenedResults(folder, groups(folder))
