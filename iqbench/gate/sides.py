"""Read the two sides of a comparison from results folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from iqbench.errors import IqbenchError, unknown_name
from iqbench.gate.matching import Scored
from iqbench.results.columns import Columns
from iqbench.results.read import load_columns, load_images, load_scores
from iqbench.results.selector import Selector

__all__ = ["Sides", "read_methods", "read_sides"]


@dataclass(frozen=True)
class Sides:
    """Two sides, and which methods have two names.

    Parameters
    ----------
    baseline, candidate
        The sides.
    methods
        The candidate's name for methods of the baseline.
    """

    baseline: Scored
    candidate: Scored
    methods: Mapping[str, str]

    @property
    def columns(self) -> Columns:
        """How the metrics of both are read; the candidate has the last word."""
        return self.baseline.columns.united(self.candidate.columns)


def read_sides(
    baseline: Path,
    candidate: Path,
    filters: Mapping[str, tuple[str, ...]],
    renamed: Sequence[str] = (),
) -> Sides:
    """Read two results folders.

    Parameters
    ----------
    baseline, candidate
        The folders.
    filters
        As `load_scores` takes them. They choose values of the baseline; what the candidate lacks
        of these is missing, and what it has under another protocol or precision is not comparable.
        A method may be named as either side does.
    renamed
        ``OLD=NEW``, each: a method of the baseline, and what the candidate calls it.

    Returns
    -------
    Sides
        Ready to be matched.

    Raises
    ------
    IqbenchError
        Where a folder cannot be read, a filter names nothing of the baseline, or a renaming
        names a method that is not there or one twice.
    """
    asked = dict(filters)
    methods = asked.pop("method", ())
    old, now = load_scores(baseline, filters=asked), load_scores(candidate)
    names = _parse_renamed(renamed, _names(old["method"]), _names(now["method"]))
    for key in ("dataset", "metric"):
        if key in asked:
            # Of a metric, whatever its signature: another one is not comparable, and is named.
            names_asked = [
                Selector.of(text).metric if key == "metric" else text for text in asked[key]
            ]
            now = now[now[key].isin(names_asked)]
    if methods:
        known = _names(old["method"]) | _names(now["method"])
        for name in methods:
            if name not in known:
                raise unknown_name("method", name, known)
        # Named as either side does.
        wanted = {name for name in known if {name, names.get(name, name)} & set(methods)}
        old = old[old["method"].isin(wanted)]
        now = now[now["method"].isin({names.get(name, name) for name in wanted})]
    return Sides(
        Scored(old, load_images(baseline), load_columns(baseline)),
        Scored(now, load_images(candidate), load_columns(candidate)),
        names,
    )


def read_methods(
    results: Path, first: str, second: str, filters: Mapping[str, tuple[str, ...]]
) -> Sides:
    """Read two methods of one results folder.

    Parameters
    ----------
    results
        The folder.
    first, second
        Names of the methods.
    filters
        As `load_scores` takes them, but for ``method``.

    Returns
    -------
    Sides
        Ready to be matched.

    Raises
    ------
    IqbenchError
        Where the folder cannot be read, or a method is not in it, or both are the same.
    """
    if first == second:
        raise IqbenchError(f"{first} is compared with itself", hint="Name two methods")
    scores = load_scores(results, filters={**filters, "method": (first, second)})
    images, columns = load_images(results), load_columns(results)
    sides = [Scored(scores[scores["method"] == name], images, columns) for name in (first, second)]
    return Sides(sides[0], sides[1], {first: second})


def _names(column: pd.Series) -> set[str]:
    return {str(name) for name in column.unique()}


def _parse_renamed(texts: Sequence[str], old: set[str], new: set[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for text in texts:
        before, equals, after = text.partition("=")
        if not equals:
            raise IqbenchError(f"--map {text} names one method", hint="Write it as OLD=NEW")
        if before not in old:
            raise unknown_name("method of the baseline", before, old)
        if after not in new:
            raise unknown_name("method", after, new)
        if before in names:
            raise IqbenchError(f"--map names {before} of the baseline twice")
        names[before] = after
    return names
