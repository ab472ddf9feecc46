"""How the methods stand on one dataset: who is complete, means, intervals, ranks, ties, front."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.boards.composites import Composite, composite_ties, with_composites
from iqbench.boards.headings import COUNTED
from iqbench.boards.means import ColumnMeans, Infinite, MethodMeans, differs, finite_means
from iqbench.boards.order import (
    Order,
    averaged,
    competition_ranks,
    order_methods,
    resampled_ranks,
)
from iqbench.boards.pareto import front_columns, pareto_front
from iqbench.boards.ranking import Ties, sort_column, ties
from iqbench.boards.score_array import ScoreArray, score_array_of
from iqbench.boards.set_values import SetValues, set_values
from iqbench.results.columns import Columns
from iqbench.results.names import natural, used_names
from iqbench.results.published import PublishedMean
from iqbench.results.read import DatasetTables
from iqbench.results.references import Stale, stale_rows
from iqbench.results.schema import ColumnInfo
from iqbench.stats.arrays import Floats
from iqbench.stats.bootstrap import bootstrap_means, percentile_interval
from iqbench.stats.gains import shortfall

__all__ = ["BoardOptions", "DatasetBoard", "dataset_board"]


@dataclass(frozen=True)
class BoardOptions:
    """What a leaderboard is asked for.

    Attributes
    ----------
    sort
        Selector of the column to rank by, see `iqbench.results.selector`; by default each
        dataset's first one that has a direction.
    methods
        Which methods to show; all by default.
    front
        Selectors of the two columns that span the Pareto front; by default PSNR or else SSIM, and
        LPIPS.
    intervals
        Whether means and ranks get their bootstrap intervals.
    composites
        Scores that are computed of the means of other columns.
    """

    sort: str | None = None
    methods: Collection[str] | None = None
    front: tuple[str, str] | None = None
    intervals: bool = True
    composites: tuple[Composite, ...] = ()


@dataclass(frozen=True)
class DatasetBoard:
    """One dataset's part of a leaderboard, and what averages over datasets need of it.

    Attributes
    ----------
    dataset, task
        Whose, and what the methods restore.
    cube
        The scores.
    rows
        One per method, the complete ones first and by rank; the columns of a leaderboard, without
        those of metrics.
    means
        By heading, over the methods of the cube.
    orders
        By heading, how the methods are ordered.
    rank_samples
        Ranks on resamples of the images in the column that ranks, shape (resamples, methods), or
        None.
    ranked_by
        Heading by which methods are ranked, or None.
    columns
        How metrics are read.
    sets
        Heading of a column with one value per method (of a whole set, or composite) to its metric
        and signature.
    set_facts
        By method, of which images values of whole sets are.
    published
        Means of the dataset that papers print, which take no part in any of this.
    composites
        The composite scores that were asked for.
    """

    dataset: str
    task: str
    cube: ScoreArray
    rows: pd.DataFrame
    means: dict[str, ColumnMeans]
    orders: dict[str, Order]
    rank_samples: Floats | None
    ranked_by: str | None
    columns: Columns = field(default_factory=Columns)
    sets: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    set_facts: pd.DataFrame = field(default_factory=pd.DataFrame)
    published: tuple[PublishedMean, ...] = ()
    composites: tuple[Composite, ...] = ()

    @property
    def signatures(self) -> dict[str, tuple[str, str]]:
        """Heading to metric and signature: columns of images, then of whole sets."""
        return {**self.cube.signatures, **self.sets}

    @property
    def ranked_by_images(self) -> str | None:
        """Heading by which methods are ranked if it has values of images, or None."""
        return self.ranked_by if self.ranked_by in self.cube.headings else None

    @property
    def compared_by_images(self) -> str | None:
        """Heading whose values of images are compared, pair by pair, or None.

        The one that ranks, or, where one value per method ranks, the first with values of images.
        """
        if self.ranked_by is None or self.ranked_by_images is not None:
            return self.ranked_by
        ranking = (name for name in self.cube.headings if self.columns.ranks(name))
        return next((name for name in ranking if self.orders[name].ranked.any()), None)

    def info(self, heading: str) -> ColumnInfo:
        """Say how the column under a heading is read."""
        return self.columns.info(heading)

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
        """Give the columns of every metric.

        Returns
        -------
        pandas.DataFrame
            Aligned with the rows: ``psnr``, ``psnr_low``, ``psnr_high``, ...; and of which images
            values of sets are: ``fid_n``, ``fid_reference_set``, ``fid_reference_n``.
        """
        table = dict(pair for heading, means in self.means.items() for pair in means.named(heading))
        index = pd.Index(self.cube.methods, dtype=object)
        frame = pd.DataFrame(table, index=index, dtype=np.float64)
        frame = frame.reindex(self.rows["method"]).set_axis(self.rows.index)
        frame = frame.astype({name: "Int64" for name in table if name.endswith(COUNTED)})
        facts = self.set_facts.reindex(self.rows["method"]).set_axis(self.rows.index)
        return pd.concat([frame, facts], axis=1)


def dataset_board(tables: DatasetTables, choice: BoardOptions) -> DatasetBoard:
    """Compare the methods of one dataset.

    Parameters
    ----------
    tables
        Its scores and values of whole sets, of the columns that are shown, and its images of all
        methods.
    choice
        What is asked for.

    Raises
    ------
    IqbenchError
        Where ``sort`` names several columns.

    Warns
    -----
    IqbenchWarning
        Of images that were scored against another reference than the newest one.
    """
    dataset, columns = tables.dataset, tables.columns
    own = {one.name: one for one in choice.composites}
    columns = columns.united(Columns({name: one.info for name, one in own.items()}))
    tables = tables.of_methods(choice.methods)
    stale = stale_rows(tables.images, choice.methods)
    stale.warn()
    tables = replace(tables, scores=stale.without(tables.scores))
    cube = score_array_of(tables)
    if not tables.sets.empty:
        cube = cube.with_methods(used_names(tables.sets["method"]))
    wholes = set_values(tables, cube.methods)
    filled = {
        heading: keys
        for heading, keys in cube.signatures.items()
        if not np.isnan(cube.column(heading)).all()
    }
    filled |= {
        heading: keys
        for heading, keys in wholes.signatures.items()
        if not np.isnan(wholes.values[heading]).all()
    }
    rows = _counts(cube, wholes, tables, choice.methods, stale)
    complete = np.isin(cube.methods, rows.loc[rows["complete"], "method"].to_numpy(dtype=object))
    orders = {
        name: order_methods(cube.column(name), columns.info(name), complete)
        for name in cube.headings
    }
    # A seed of its own: datasets of equal size would else draw the same places.
    seed = zlib.crc32(dataset.encode())
    means = _means(cube, orders, columns, seed if choice.intervals else None)
    means |= wholes.means(complete, intervals=choice.intervals)
    made = with_composites(
        choice.composites,
        dataset=dataset,
        signatures={**cube.signatures, **wholes.signatures},
        means=means,
        columns=columns,
        complete=complete,
    )
    means |= made
    sets = {**wholes.signatures, **{name: own[name].keys for name in made}}
    filled |= {name: own[name].keys for name in made if not np.isnan(made[name].mean.values).all()}
    ranked_by = sort_column(dataset, filled, columns, choice.sort)
    rows = rows.assign(dataset=dataset, task=tables.task, ranked_by=ranked_by or "")
    rank_samples = None
    if ranked_by in made and (drawn := made[ranked_by].mean.samples) is not None:
        distance = shortfall(drawn, columns.info(ranked_by))
        rank_samples = competition_ranks(np.where(complete, distance, np.nan))
    elif ranked_by in orders and choice.intervals:
        samples = means[ranked_by].deciding.samples
        assert samples is not None
        values, info = cube.column(ranked_by), columns.info(ranked_by)
        rank_samples = resampled_ranks(values, info, orders[ranked_by], samples, seed)
    found = DatasetBoard(
        *(dataset, tables.task, cube, rows, means, orders, rank_samples, ranked_by, columns),
        sets=sets,
        set_facts=wholes.facts(),
        published=tables.published,
        composites=choice.composites,
    )
    span = front_columns({**cube.signatures, **sets}, columns, choice.front, f"dataset {dataset}")
    rows = rows.assign(
        **_ranks(found, choice.intervals),
        front=_front(found, span),
        front_by=", ".join(span or ()),
    )
    # Within a rank, and among those without one, methods stay in natural order.
    rows = rows.sort_values(["complete", "rank"], ascending=[False, True], kind="stable")
    found = replace(found, rows=rows.reset_index(drop=True))
    return replace(found, rows=found.rows.assign(**_ties(found)))


def _means(
    cube: ScoreArray,
    orders: Mapping[str, Order],
    columns: Columns,
    seed: int | None,
) -> dict[str, ColumnMeans]:
    """Average every column; with a seed, over resamples of the images too."""
    tables: dict[tuple[str, str], Floats] = {}
    for name, order in orders.items():
        values, info = cube.column(name), columns.info(name)
        taken = averaged(values, info)
        tables[name, "mean"] = values
        if info.target is not None:
            tables[name, "distance"] = taken
        if differs(order, taken):
            tables[name, "compared"] = np.where(order.images, taken, np.nan)
    samples = _samples(list(tables.values()), seed)
    made = {
        key: MethodMeans(finite_means(table), drawn, np.isfinite(table).sum(axis=0) >= 2)
        for (key, table), drawn in zip(tables.items(), samples, strict=True)
    }
    return {
        name: ColumnMeans(
            made[name, "mean"],
            made.get((name, "distance")),
            made.get((name, "compared")),
            order.images.sum(axis=0),
            Infinite.of(cube.column(name)),
            order.groups,
            order.ranks,
        )
        for name, order in orders.items()
    }


def _samples(tables: list[Floats], seed: int | None) -> list[Floats] | list[None]:
    """Average the finite values over resamples of the images, the same for all tables."""
    if seed is None or not tables:
        return [None] * len(tables)
    return np.split(bootstrap_means(np.concatenate(tables, axis=1), seed=seed), len(tables), axis=1)


def _counts(
    cube: ScoreArray,
    wholes: SetValues,
    tables: DatasetTables,
    wanted: Collection[str] | None,
    stale: Stale,
) -> pd.DataFrame:
    """Count what each method has of what the dataset has; methods in natural order."""
    listed = {str(name) for name in tables.images["method"].unique()} | set(cube.methods)
    if wanted is not None:
        listed &= set(wanted)
    expected = int(tables.images["image"].nunique())
    there = ~np.isnan(cube.values)
    having = there.any(axis=2).sum(axis=0)
    lacking = expected - (there | cube.undefined).sum(axis=0)
    if wholes.headings:
        of_sets = np.stack(list(wholes.missing.values()), axis=1)
        lacking = np.concatenate([lacking, of_sets], axis=1)
        # Without scores of images, a set value says of how many images it is.
        having = np.maximum(having, expected - of_sets.min(axis=1))
    headings = [*cube.headings, *wholes.headings]
    undefined = cube.undefined.sum(axis=0)
    nothing = np.full(len(headings), expected)
    # What an output costs tells nothing of how good it is, and is often known of few methods.
    needed = np.array([tables.columns.info(name).role != "cost" for name in headings], dtype=bool)
    if not needed.any():
        needed[:] = True
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
                "complete": bool(headings and not missing[needed].any()),
                "missing": _listed(headings, missing),
                "undefined": "" if at is None else _listed(cube.headings, undefined[at]),
                "other_reference": stale.counts.get(method, 0),
            }
        )
    names = [
        *("protocol", "method", "n", "expected", "complete", "missing", "undefined"),
        "other_reference",
    ]
    return pd.DataFrame(rows, columns=names).astype({"complete": bool, "other_reference": int})


def _listed(headings: list[str], counts: NDArray[np.int64]) -> str:
    """Write counts as text: ``psnr 2, ssim 1``."""
    return ", ".join(f"{name} {n}" for name, n in zip(headings, counts, strict=True) if n > 0)


def _ranks(found: DatasetBoard, intervals: bool) -> dict[str, pd.Series]:
    """Give ranks in the column that ranks, with their intervals."""
    names = ["rank", "rank_low", "rank_high"] if intervals else ["rank"]
    values = [np.full(len(found.cube.methods), np.nan)] * len(names)
    if found.ranked_by is not None:
        values[0] = found.means[found.ranked_by].ranks
    if found.rank_samples is not None and found.enough:
        values[1:] = percentile_interval(found.rank_samples)
    table = pd.DataFrame(
        dict(zip(names, values, strict=True)), index=pd.Index(found.cube.methods, dtype=object)
    )
    table = table.reindex(found.rows["method"]).set_axis(found.rows.index).astype("Int64")
    return {name: table[name] for name in names}


def _ties(found: DatasetBoard) -> dict[str, pd.Series]:
    """Test the ranked methods, which come first, against the best of each group.

    Composite scores are tested by their resamples. A value of a whole set has no values of images
    to test.
    """
    methods = found.ranked() if found.ranked_by_images is not None else []
    outcome = Ties([], np.empty(0), np.empty(0))
    if found.ranked_by is not None and found.ranked_by_images is None and found.enough:
        samples = found.means[found.ranked_by].mean.samples
        if samples is not None:
            methods = found.ranked()
            info = found.info(found.ranked_by)
            outcome = composite_ties(samples[:, found.at(methods)], info)
    if found.ranked_by_images is not None and methods:
        values = found.cube.column(found.ranked_by_images)[:, found.at(methods)]
        outcome = ties(values, found.info(found.ranked_by_images))
    index = found.rows.index
    first = index[: len(methods)]
    return {
        "tie": pd.Series(outcome.letters, first, dtype=object).reindex(index, fill_value=""),
        "p_vs_best": pd.Series(outcome.p_values, first).reindex(index),
        "effect_vs_best": pd.Series(outcome.effects, first).reindex(index),
    }


def _front(found: DatasetBoard, span: tuple[str, str] | None) -> pd.Series:
    """Mark the complete methods that no other one beats in fidelity and in perception."""
    marks = pd.array([pd.NA] * len(found.cube.methods), dtype="boolean")
    if span is not None:
        # Ranks say which of two methods is better, by the means that decide.
        ranks = np.stack([found.means[name].ranks for name in span], axis=1)
        there = np.flatnonzero(~np.isnan(ranks).any(axis=1))
        marks[there] = pareto_front(ranks)[there]
    on_front = pd.Series(marks, index=pd.Index(found.cube.methods, dtype=object))
    return on_front.reindex(found.rows["method"]).set_axis(found.rows.index)
