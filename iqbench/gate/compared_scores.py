"""Read the two sides of a comparison from results folders, or from baselines in text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from iqbench.errors import IqbenchError, unknown_name
from iqbench.gate.matching import Scored
from iqbench.results.columns import Columns
from iqbench.results.read import load_columns, load_images, load_values
from iqbench.results.selector import Selector
from iqbench.results.text_baseline import results_folder

__all__ = ["ComparedScores", "read_compared_scores", "read_methods", "read_scored"]


@dataclass(frozen=True)
class ComparedScores:
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


def read_compared_scores(
    baseline: Path,
    candidate: Path,
    filters: Mapping[str, tuple[str, ...]],
    renamed: Sequence[str] = (),
) -> ComparedScores:
    """Read two results folders.

    Parameters
    ----------
    baseline, candidate
        The folders; either may be a baseline in text instead.
    filters
        As `load_scores` takes them. They choose values of the baseline; what the candidate lacks
        of these is missing, and what it has under another protocol or precision is not comparable.
        A method may be named as either side does.
    renamed
        ``OLD=NEW``, each: a method of the baseline, and what the candidate calls it.

    Returns
    -------
    ComparedScores
        Ready to be matched.

    Raises
    ------
    IqbenchError
        Where a folder cannot be read, a filter names nothing of the baseline, or a renaming
        names a method that is not there or one twice.
    """
    asked = dict(filters)
    methods = asked.pop("method", ())
    old, now = _Values.read(baseline, asked), _Values.read(candidate)
    names = _parse_renamed(renamed, old.methods, now.methods)
    for key in ("dataset", "metric"):
        if key in asked:
            # Of a metric, whatever its signature: another one is not comparable, and is named.
            names_asked = [
                Selector.of(text).metric if key == "metric" else text for text in asked[key]
            ]
            now = now.where(key, names_asked)
    if methods:
        known = old.methods | now.methods
        for name in methods:
            if name not in known:
                raise unknown_name("method", name, known)
        # Named as either side does.
        wanted = {name for name in known if {name, names.get(name, name)} & set(methods)}
        old = old.where("method", wanted)
        now = now.where("method", {names.get(name, name) for name in wanted})
    metrics = asked.get("metric", ())
    return ComparedScores(old.scored(metrics), now.scored(metrics), names)


def read_scored(path: Path) -> Scored:
    """Read all of one side: a results folder, or a baseline in text."""
    return _Values.read(path).scored()


def read_methods(
    results: Path, first: str, second: str, filters: Mapping[str, tuple[str, ...]]
) -> ComparedScores:
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
    ComparedScores
        Ready to be matched.

    Raises
    ------
    IqbenchError
        Where the folder cannot be read, or a method is not in it, or both are the same.
    """
    if first == second:
        raise IqbenchError(f"{first} is compared with itself", hint="Name two methods")
    values = _Values.read(results, {**filters, "method": (first, second)})
    metrics = filters.get("metric", ())
    sides = [values.where("method", [name]).scored(metrics) for name in (first, second)]
    return ComparedScores(sides[0], sides[1], {first: second})


@dataclass(frozen=True)
class _Values:
    """Values of images and of whole sets, the images of the tables, and how metrics are read."""

    scores: pd.DataFrame
    sets: pd.DataFrame
    images: pd.DataFrame
    columns: Columns

    @classmethod
    def read(cls, path: Path, filters: Mapping[str, tuple[str, ...]] | None = None) -> _Values:
        with results_folder(path) as folder:
            both = load_values(folder, filters=filters)
            return cls(*both, load_images(folder), load_columns(folder))

    @property
    def methods(self) -> set[str]:
        """Names of the methods of either."""
        return {str(name) for one in (self.scores, self.sets) for name in one["method"].unique()}

    def where(self, key: str, names: Collection[str]) -> _Values:
        """Keep the values that have one of some names."""
        kept = [one[one[key].isin(list(names))] for one in (self.scores, self.sets)]
        return _Values(kept[0], kept[1], self.images, self.columns)

    def scored(self, metrics: Sequence[str] = ()) -> Scored:
        """Make a side of them; metrics that were asked for stand in that order."""
        return Scored(self.scores, self.images, self.columns.leading(metrics), self.sets)


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
