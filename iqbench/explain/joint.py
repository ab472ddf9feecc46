"""Find one cause for the values of several metrics of one table."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from iqbench.explain.convention import FIELDS, split_names
from iqbench.explain.plausibility import KINDS, LIMITS
from iqbench.explain.prepared import AS_STORED

__all__ = ["share_cause"]

TRIED = 100
"""The number of matches of each metric that are combined with those of the others."""


@dataclass(frozen=True)
class _Match:
    """A row that reproduces its metric's values.

    Attributes
    ----------
    index
        The row's index.
    rank
        The index of its plausibility in `KINDS`.
    names
        The protocols and libraries that equal it, or from which it is changed.
    choices
        The changes.
    view
        The convention itself, without the metric.
    """

    index: Hashable
    rank: int
    names: frozenset[str]
    choices: frozenset[tuple[str, object]]
    view: tuple[object, ...]


def share_cause(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the rows of several metrics together, and mark in `best` the ones that belong together.

    Parameters
    ----------
    frames
        The rows of each metric, best first.

    Returns
    -------
    DataFrame
        All rows. Each metric with a match has one best row. Of several metrics, the best rows are
        those that together need the fewest choices. If they share choices, their chances multiply,
        and together they may be no coincidence although each alone is one.
    """
    matches = [_matches(frame) for frame in frames]
    chosen = _combine([found for found in matches if found])
    numbers = iter(chosen)
    picked = [next(numbers) if found else None for found in matches]
    alone = sum(len(match.choices) + 1 for match in chosen)
    shared = len(chosen) > 1 and _cost(chosen)[1] < alone
    parts = [
        frame if match is None else _first(frame, match)
        for frame, match in zip(frames, picked, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True)
    if shared:
        together = float(table.loc[table["best"], "chance"].clip(upper=1.0).to_numpy().prod())
        limit = LIMITS[KINDS[max(match.rank for match in chosen)]]
        table["chance"] = table["chance"].mask(table["best"], together)
        table["coincidence"] = table["coincidence"].mask(table["best"], together > limit)
    return table


def _first(frame: pd.DataFrame, match: _Match) -> pd.DataFrame:
    """Move the chosen row to the front, and mark it."""
    chosen = frame.index == match.index
    marked = frame.assign(best=chosen)
    return pd.concat([marked[chosen], marked[~chosen]])


def _matches(frame: pd.DataFrame) -> list[_Match]:
    found = frame[frame["reproduces"]].head(TRIED)
    return [
        _match(index, row) for index, row in zip(found.index, found.to_dict("records"), strict=True)
    ]


def _match(index: Hashable, row: Mapping[Any, Any]) -> _Match:
    """Read names and choices from a row."""
    protocol, _, changes = str(row["protocol"]).partition(" but ")
    names = {("protocol " + name) for name in protocol.split(", ")}
    libraries = split_names(str(row["library"]))
    names |= {"library " + name.split(" ")[0] for name in libraries}
    choices: set[tuple[str, object]] = set()
    if changes and not libraries:
        choices = {(name, row[name]) for name in FIELDS if name != "metric" and name in row}
        choices = {item for item in choices if item[1] not in _PLAIN.get(item[0], ())}
    view = tuple(row[name] for name in FIELDS if name != "metric")
    rank = KINDS.index(row["plausibility"])
    return _Match(index, rank, frozenset(names), frozenset(choices), view)


_PLAIN: Mapping[str, tuple[object, ...]] = {
    "colour": ("rgb",),
    "quantise": ("stored", "uint8"),
    "modcrop": (1,),
    "crop": (0,),
    "gray": ("keep",),
    "brightness": ("own",),
    "prepared": (AS_STORED,),
    "range": ("own",),
    "pool": ("images",),
}


def _cost(matches: Sequence[_Match]) -> tuple[int, int, int]:
    """Return the worst rank, how many choices are needed, and how often settings differ.

    A choice that several metrics share counts once.
    """
    if not matches:
        return 0, 0, 0
    rank = max(match.rank for match in matches)
    choices = frozenset[tuple[str, object]]().union(*(match.choices for match in matches))
    bases = 1 if frozenset.intersection(*(match.names for match in matches)) else len(matches)
    settings = zip(*(match.view for match in matches), strict=True)
    return rank, len(choices) + bases, sum(len(set(values)) - 1 for values in settings)


def _combine(matches: Sequence[Sequence[_Match]]) -> list[_Match]:
    """Choose a match of each metric so that together they need the fewest choices."""
    if not matches:
        return []
    if len(matches) == 1:
        return [matches[0][0]]
    best: list[_Match] = []
    for lead in matches[0]:
        chosen = [lead]
        for others in matches[1:]:
            chosen.append(min(others, key=lambda match: _cost([*chosen, match])))
        if not best or _cost(chosen) < _cost(best):
            best = chosen
    return best
