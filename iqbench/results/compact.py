"""Merge many small parts of a results folder into few parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from iqbench.results.changes import settle_changes
from iqbench.results.current import groups, still_current
from iqbench.results.extractor_files import KINDS, extractor_folders
from iqbench.results.features import FeatureTable
from iqbench.results.parts import list_parts, merge
from iqbench.results.sets import has_stale_values

__all__ = ["Compacted", "compact_results", "has_stale_sets"]


@dataclass(frozen=True)
class Compacted:
    """What became of a results folder.

    Attributes
    ----------
    parts, bytes
        How many files there were, and how large they were together.
    parts_now, bytes_now
        How many there are.
    upgraded
        Whether tables of an earlier format became ones that older releases cannot read.
    """

    parts: int
    bytes: int
    parts_now: int
    bytes_now: int
    upgraded: bool


def compact_results(root: Path) -> Compacted:
    """Merge small parts that are neighbours in age, and leave out rows that are not current.

    What readers show does not change. Other processes may read and write meanwhile.

    Parameters
    ----------
    root
        The results folder.

    Raises
    ------
    IqbenchError
        If there are no results, or a part is damaged or cannot be written.
    """
    settle_changes(root)
    found = groups(root)
    parts, size = _size(root)
    upgraded = False
    for group in found:
        upgraded |= merge(group.images)
        upgraded |= merge(group.scores, partial(still_current, group.images))
        upgraded |= merge(group.sets)
    for _, signature in list(extractor_folders(root, "features")):
        FeatureTable(root, signature).merge()
    parts_now, size_now = _size(root)
    return Compacted(parts, size, parts_now, size_now, upgraded)


def has_stale_sets(root: Path) -> bool:
    """Say whether a value of a set is of other images than those that the tables have now."""
    return any(has_stale_values(group) for group in groups(root))


def _size(root: Path) -> tuple[int, int]:
    sizes = [part.stat().st_size for folder in _folders(root) for part in list_parts(folder)]
    return len(sizes), sum(sizes)


def _folders(root: Path) -> Iterator[Path]:
    for kind in ("images", "scores", "sets"):
        yield from (root / kind).glob("*/*")
    for kind in KINDS:
        yield from (root / kind).glob("*")
