"""How the methods stand on one dataset: who is complete, means, intervals, ranks, ties, front."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.analysis.bootstrap import bootstrap_means, percentile_interval
from iqbench.analysis.columns import column_info, natural, shortfall
from iqbench.analysis.cube import Cube, cube_of
from iqbench.analysis.pareto import front_columns, pareto_front
from iqbench.analysis.ranking import Ties, competition_ranks, rank_interval, sort_column, ties
from iqbench.results.schema import ColumnInfo

__all__ = ["Choice", "Standing", "standing"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """What a leaderboard is asked for.

    Attributes
    ----------
    sort
        Metric, or column of the result, to rank by; by default each dataset's first one that has
        a direction.
    methods
        Which methods to show; all by default.
    front
        Two metrics that span the Pareto front; by default PSNR or else SSIM, and LPIPS.
    intervals
        Whether means and ranks get their bootstrap intervals.
    """

    sort: str | None = None
    methods: Collection[str] | None = None
    front: tuple[str, str] | None = None
    intervals: bool = True


@dataclass(frozen=True)
class Standing:
    """One dataset's part of a leaderboard, and what averages over datasets need of it.

    Attributes
    ----------
    dataset, task
        Whose, and what the methods restore.
    cube
        The scores.
    rows
        One a method, the complete ones first and by rank; the columns of a leaderboard, without
        those of metrics.
    means
        Shape (methods of the cube, headings).
    samples
        Means of resamples of the images, shape (resamples, methods, headings), or None.
    ranked_by
        Heading by which methods are ranked, or None.
    """

    dataset: str
    task: str
    cube: Cube
    rows: pd.DataFrame
    means: Floats
    samples: Floats | None
    ranked_by: str | None

    def ranked(self) -> list[str]:
        """Name the methods that have a rank, best first."""
        return [str(name) for name in self.rows.loc[self.rows["rank"].notna(), "method"]]

    def at(self, methods: Collection[str]) -> list[int]:
        """Say where methods are in the arrays."""
        return [self.cube.methods.index(method) for method in methods]

    @property
    def enough(self) -> bool:
        """Say whether there are images to draw from: one says nothing about others."""
        return len(self.cube.images) > 1

    def mean_columns(self) -> pd.DataFrame:
        """Give the mean of every column, with the ends of its interval if there are any.

        Returns
        -------
        pandas.DataFrame
            Aligned with the rows: ``psnr``, ``psnr_low``, ``psnr_high``, ...
        """
        names, index = self.cube.headings, pd.Index(self.cube.methods, dtype=object)
        parts = {"": self.means}
        if self.samples is not None:
            low, high = percentile_interval(self.samples)
            enough = (~np.isnan(self.cube.values)).sum(axis=0) >= 2
            parts["_low"] = np.where(enough, low, np.nan)
            parts["_high"] = np.where(enough, high, np.nan)
        table = {
            f"{name}{end}": values[:, place]
            for place, name in enumerate(names)
            for end, values in parts.items()
        }
        frame = pd.DataFrame(table, index=index, dtype=np.float64)
        return frame.reindex(self.rows["method"]).set_axis(self.rows.index)


def standing(
    dataset: str,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    columns: Mapping[str, ColumnInfo],
    choice: Choice,
    task: str = "",
) -> Standing:
    """Compare the methods of one dataset.

    Parameters
    ----------
    dataset
        Its name.
    tables
        Its scores in the long form, and its images, of all methods.
    columns
        Directions, and the order of metrics.
    choice
        What is asked for.
    task
        What the methods restore.

    Raises
    ------
    IqbenchError
        Where ``sort`` names several columns.
    """
    scores, images = tables
    if choice.methods is not None:
        scores = scores[scores["method"].isin(list(choice.methods))]
    cube = cube_of(scores, columns)
    means = cube.means()
    filled = [cube.headings[at] for at in np.flatnonzero(~np.isnan(means).all(axis=0))]
    ranked_by = sort_column(dataset, filled, columns, choice.sort)
    rows = _counts(cube, images, choice.methods).assign(
        dataset=dataset, task=task, ranked_by=ranked_by or ""
    )
    samples = _samples(dataset, cube) if choice.intervals else None
    found = Standing(dataset, task, cube, rows, means, samples, ranked_by)
    span = front_columns(cube.headings, choice.front)
    rows = rows.assign(
        **_ranks(found, columns),
        front=_front(found, columns, span),
        front_by=", ".join(span or ()),
    )
    # Within a rank, and among those without one, methods stay in natural order.
    rows = rows.sort_values(["complete", "rank"], ascending=[False, True], kind="stable")
    found = replace(found, rows=rows.reset_index(drop=True))
    return replace(found, rows=found.rows.assign(**_ties(found, columns)))


def _samples(dataset: str, cube: Cube) -> Floats:
    """Average over resamples of the images, shape (resamples, methods, headings)."""
    count, *shape = cube.values.shape
    flat = cube.values.reshape(count, int(np.prod(shape)))
    # A seed of its own: datasets of equal size would else draw the same places.
    drawn = bootstrap_means(flat, seed=zlib.crc32(dataset.encode()))
    return drawn.reshape(len(drawn), *shape)


def _counts(cube: Cube, images: pd.DataFrame, wanted: Collection[str] | None) -> pd.DataFrame:
    """Count what each method has of what the dataset has; methods in natural order."""
    listed = {str(name) for name in images["method"].unique()} | set(cube.methods)
    if wanted is not None:
        listed &= set(wanted)
    expected = int(images["image"].nunique())
    there = ~np.isnan(cube.values)
    having = there.any(axis=2).sum(axis=0)
    lacking = expected - (there | cube.undefined).sum(axis=0)
    undefined = cube.undefined.sum(axis=0)
    nothing = np.full(len(cube.headings), expected)
    rows = []
    for method in sorted(listed, key=natural):
        at = cube.methods.index(method) if method in cube.methods else None
        missing = nothing if at is None else lacking[at]
        rows.append(
            {
                "protocol": cube.protocols.get(method, ""),
                "method": method,
                "n": 0 if at is None else int(having[at]),
                "expected": expected,
                # Without any column there is nothing to be complete in: a run that died at once.
                "complete": bool(len(cube.headings) and not missing.any()),
                "missing": _listed(cube.headings, missing),
                "undefined": "" if at is None else _listed(cube.headings, undefined[at]),
            }
        )
    names = ["protocol", "method", "n", "expected", "complete", "missing", "undefined"]
    return pd.DataFrame(rows, columns=names).astype({"complete": bool})


def _listed(headings: list[str], counts: NDArray[np.int64]) -> str:
    """Write counts as text: ``psnr 2, ssim 1``."""
    return ", ".join(f"{name} {n}" for name, n in zip(headings, counts, strict=True) if n > 0)


def _ranks(found: Standing, columns: Mapping[str, ColumnInfo]) -> dict[str, pd.Series]:
    """Rank the complete methods, with the interval of each rank."""
    rows, heading = found.rows, found.ranked_by
    names = ["rank", "rank_low", "rank_high"] if found.samples is not None else ["rank"]
    chosen = rows.index[rows["complete"]]
    values = [np.full(len(chosen), np.nan)] * len(names)
    if heading is not None and len(chosen):
        info, place = column_info(heading, columns), found.cube.headings.index(heading)
        at = found.at(rows.loc[chosen, "method"])
        values = [competition_ranks(shortfall(found.means[at, place], info))]
        if found.samples is not None:
            low, high = rank_interval(found.samples[:, at, place], info)
            values += [low, high] if found.enough else [values[0] * np.nan] * 2
    # A method without any value has no rank, and so none between which it stays.
    known = ~np.isnan(values[0])
    return {
        name: pd.Series(of[known], chosen[known]).astype("Int64").reindex(rows.index)
        for name, of in zip(names, values, strict=True)
    }


def _ties(found: Standing, columns: Mapping[str, ColumnInfo]) -> dict[str, pd.Series]:
    """Test the ranked methods, which come first, against the best of each group."""
    methods = found.ranked()
    outcome = Ties([], np.empty(0), np.empty(0))
    if found.ranked_by is not None and methods:
        values = found.cube.column(found.ranked_by)[:, found.at(methods)]
        outcome = ties(values, column_info(found.ranked_by, columns))
    index = found.rows.index
    first = index[: len(methods)]
    return {
        "tie": pd.Series(outcome.letters, first, dtype=object).reindex(index, fill_value=""),
        "p_vs_best": pd.Series(outcome.p_values, first).reindex(index),
        "effect_vs_best": pd.Series(outcome.effects, first).reindex(index),
    }


def _front(
    found: Standing, columns: Mapping[str, ColumnInfo], span: tuple[str, str] | None
) -> pd.Series:
    """Mark the complete methods that no other one beats in fidelity and in perception."""
    rows = found.rows
    chosen = rows.index[rows["complete"]]
    marks = np.empty(0, dtype=bool)
    if span is None or chosen.empty:
        chosen = chosen[:0]
    else:
        at = found.at(rows.loc[chosen, "method"])
        distances = [
            shortfall(found.means[at, found.cube.headings.index(name)], column_info(name, columns))
            for name in span
        ]
        marks = pareto_front(np.stack(distances, axis=1))
    return pd.Series(marks, chosen, dtype="boolean").reindex(rows.index)
