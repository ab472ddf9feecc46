"""Compare methods on one dataset: completeness, means, intervals, ranks, ties, Pareto front."""

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
    """The options of a leaderboard.

    Attributes
    ----------
    sort
        Selector of the column to rank by, see `iqbench.results.selector`; by default the first
        column of each dataset that has a direction.
    methods
        The methods to show; all by default.
    front
        Selectors of the two columns that span the Pareto front; by default the first column of
        fidelity and the first of perception, headline columns before others.
    intervals
        Whether to compute bootstrap intervals of means and ranks.
    composites
        Composite scores, computed from the means of other columns.
    """

    sort: str | None = None
    methods: Collection[str] | None = None
    front: tuple[str, str] | None = None
    intervals: bool = True
    composites: tuple[Composite, ...] = ()


@dataclass(frozen=True)
class DatasetBoard:
    """One dataset of a leaderboard, with what averages over datasets need.

    Attributes
    ----------
    dataset, task
        Names of the dataset and of its task.
    scores
        The scores of all images.
    rows
        One row per method, complete methods first and sorted by rank; the columns of a
        leaderboard, without those of metrics.
    means
        By heading, the means of the methods in ``scores``.
    orders
        By heading, the order of the methods.
    rank_samples
        Ranks on resamples of the images in the column that ranks, shape (resamples, methods), or
        None.
    ranked_by
        Heading by which methods are ranked, or None.
    columns
        The descriptions of the metrics.
    sets
        By heading, metric and signature of the columns with one value per method (values of whole
        sets, and composite scores).
    set_facts
        By method, the images that the values of whole sets belong to.
    published
        Published means of the dataset. They do not influence the other attributes.
    composites
        The composite scores to show.
    """

    dataset: str
    task: str
    scores: ScoreArray
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
        """Metric and signature by heading: columns of images, then of whole sets."""
        return {**self.scores.signatures, **self.sets}

    @property
    def ranked_by_images(self) -> str | None:
        """The heading that ranks methods if its column has values of images, else None."""
        return self.ranked_by if self.ranked_by in self.scores.headings else None

    @property
    def compared_by_images(self) -> str | None:
        """The heading whose values of images are used to compare pairs of methods, or None.

        It is the heading that ranks; if that has one value per method, the first heading with
        values of images.
        """
        if self.ranked_by is None or self.ranked_by_images is not None:
            return self.ranked_by
        ranking = (name for name in self.scores.headings if self.columns.ranks(name))
        return next((name for name in ranking if self.orders[name].ranked.any()), None)

    def info(self, heading: str) -> ColumnInfo:
        """Return the description of the column under a heading."""
        return self.columns.info(heading)

    def ranked(self) -> list[str]:
        """Return the names of the methods that have a rank, best first."""
        return [str(name) for name in self.rows.loc[self.rows["rank"].notna(), "method"]]

    def at(self, methods: Collection[str]) -> list[int]:
        """Return the positions of methods in the arrays."""
        return [self.scores.methods.index(method) for method in methods]

    @property
    def enough(self) -> bool:
        """Whether there are enough images for a bootstrap, which are at least two."""
        return len(self.scores.images) > 1

    def mean_columns(self) -> pd.DataFrame:
        """Return the columns of all metrics.

        Returns
        -------
        pandas.DataFrame
            Aligned with the rows: ``psnr``, ``psnr_low``, ``psnr_high``, ...; and the images that
            values of sets belong to: ``fid_n``, ``fid_reference_set``, ``fid_reference_n``.
        """
        table = dict(pair for heading, means in self.means.items() for pair in means.named(heading))
        index = pd.Index(self.scores.methods, dtype=object)
        frame = pd.DataFrame(table, index=index, dtype=np.float64)
        frame = frame.reindex(self.rows["method"]).set_axis(self.rows.index)
        frame = frame.astype({name: "Int64" for name in table if name.endswith(COUNTED)})
        facts = self.set_facts.reindex(self.rows["method"]).set_axis(self.rows.index)
        return pd.concat([frame, facts], axis=1)


def dataset_board(tables: DatasetTables, options: BoardOptions) -> DatasetBoard:
    """Compare the methods of one dataset.

    Parameters
    ----------
    tables
        The scores and the values of whole sets, for the shown columns; and the images of all
        methods.
    options
        How to compare the methods.

    Raises
    ------
    IqbenchError
        If ``sort`` names several columns.

    Warns
    -----
    IqbenchWarning
        About images that were scored against another reference than the newest one.
    """
    dataset, columns = tables.dataset, tables.columns
    own = {one.name: one for one in options.composites}
    columns = columns.united(Columns({name: one.info for name, one in own.items()}))
    tables = tables.of_methods(options.methods)
    stale = stale_rows(tables.images, options.methods)
    stale.warn()
    tables = replace(tables, scores=stale.without(tables.scores))
    scores = score_array_of(tables)
    if not tables.sets.empty:
        scores = scores.with_methods(used_names(tables.sets["method"]))
    wholes = set_values(tables, scores.methods)
    filled = {
        heading: keys
        for heading, keys in scores.signatures.items()
        if not np.isnan(scores.column(heading)).all()
    }
    filled |= {
        heading: keys
        for heading, keys in wholes.signatures.items()
        if not np.isnan(wholes.values[heading]).all()
    }
    rows = _counts(scores, wholes, tables, options.methods, stale)
    complete = np.isin(scores.methods, rows.loc[rows["complete"], "method"].to_numpy(dtype=object))
    orders = {
        name: order_methods(scores.column(name), columns.info(name), complete)
        for name in scores.headings
    }
    # Each dataset has its own seed. With one seed, datasets of equal size would get equal draws.
    seed = zlib.crc32(dataset.encode())
    means = _means(scores, orders, columns, seed if options.intervals else None)
    means |= wholes.means(complete, intervals=options.intervals)
    made = with_composites(
        options.composites,
        dataset=dataset,
        signatures={**scores.signatures, **wholes.signatures},
        means=means,
        columns=columns,
        complete=complete,
    )
    means |= made
    sets = {**wholes.signatures, **{name: own[name].keys for name in made}}
    filled |= {name: own[name].keys for name in made if not np.isnan(made[name].mean.values).all()}
    ranked_by = sort_column(dataset, filled, columns, options.sort)
    rows = rows.assign(dataset=dataset, task=tables.task, ranked_by=ranked_by or "")
    rank_samples = None
    if ranked_by in made and (drawn := made[ranked_by].mean.samples) is not None:
        distance = shortfall(drawn, columns.info(ranked_by))
        rank_samples = competition_ranks(np.where(complete, distance, np.nan))
    elif ranked_by in orders and options.intervals:
        samples = means[ranked_by].deciding.samples
        assert samples is not None
        values, info = scores.column(ranked_by), columns.info(ranked_by)
        rank_samples = resampled_ranks(values, info, orders[ranked_by], samples, seed)
    found = DatasetBoard(
        *(dataset, tables.task, scores, rows, means, orders, rank_samples, ranked_by, columns),
        sets=sets,
        set_facts=wholes.facts(),
        published=tables.published,
        composites=options.composites,
    )
    span = front_columns(
        {**scores.signatures, **sets}, columns, options.front, f"dataset {dataset}"
    )
    rows = rows.assign(
        **_ranks(found, options.intervals),
        front=_front(found, span),
        front_by=", ".join(span or ()),
    )
    # Methods of equal rank, and methods without one, stay in natural order.
    rows = rows.sort_values(["complete", "rank"], ascending=[False, True], kind="stable")
    found = replace(found, rows=rows.reset_index(drop=True))
    return replace(found, rows=found.rows.assign(**_ties(found)))


def _means(
    scores: ScoreArray,
    orders: Mapping[str, Order],
    columns: Columns,
    seed: int | None,
) -> dict[str, ColumnMeans]:
    """Average every column; with a seed, also over resamples of the images."""
    tables: dict[tuple[str, str], Floats] = {}
    for name, order in orders.items():
        values, info = scores.column(name), columns.info(name)
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
            Infinite.of(scores.column(name)),
            order.groups,
            order.ranks,
        )
        for name, order in orders.items()
    }


def _samples(tables: list[Floats], seed: int | None) -> list[Floats] | list[None]:
    """Average the finite values over resamples of the images. All tables share the resamples."""
    if seed is None or not tables:
        return [None] * len(tables)
    return np.split(bootstrap_means(np.concatenate(tables, axis=1), seed=seed), len(tables), axis=1)


def _counts(
    scores: ScoreArray,
    wholes: SetValues,
    tables: DatasetTables,
    wanted: Collection[str] | None,
    stale: Stale,
) -> pd.DataFrame:
    """Count values and images of each method, and what is missing; methods in natural order."""
    listed = {str(name) for name in tables.images["method"].unique()} | set(scores.methods)
    if wanted is not None:
        listed &= set(wanted)
    expected = int(tables.images["image"].nunique())
    there = ~np.isnan(scores.values)
    having = there.any(axis=2).sum(axis=0)
    lacking = expected - (there | scores.undefined).sum(axis=0)
    if wholes.headings:
        of_sets = np.stack(list(wholes.missing.values()), axis=1)
        lacking = np.concatenate([lacking, of_sets], axis=1)
        # Without scores of images, the set value gives the number of images.
        having = np.maximum(having, expected - of_sets.min(axis=1))
    headings = [*scores.headings, *wholes.headings]
    undefined = scores.undefined.sum(axis=0)
    nothing = np.full(len(headings), expected)
    # A cost is not a quality, and often only few methods have it: it is not required.
    needed = np.array([tables.columns.info(name).role != "cost" for name in headings], dtype=bool)
    if not needed.any():
        needed[:] = True
    rows = []
    for method in sorted(listed, key=natural):
        at = scores.methods.index(method) if method in scores.methods else None
        missing = nothing if at is None else lacking[at]
        rows.append(
            {
                "protocol": scores.protocols.get(method, ""),
                "method": method,
                "n": 0 if at is None else int(having[at]),
                "expected": expected,
                # Without any column no method is complete: the run stopped before the first value.
                "complete": bool(headings and not missing[needed].any()),
                "missing": _listed(headings, missing),
                "undefined": "" if at is None else _listed(scores.headings, undefined[at]),
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
    """Return the ranks in the column that ranks, with their intervals."""
    names = ["rank", "rank_low", "rank_high"] if intervals else ["rank"]
    values = [np.full(len(found.scores.methods), np.nan)] * len(names)
    if found.ranked_by is not None:
        values[0] = found.means[found.ranked_by].ranks
    if found.rank_samples is not None and found.enough:
        values[1:] = percentile_interval(found.rank_samples)
    table = pd.DataFrame(
        dict(zip(names, values, strict=True)), index=pd.Index(found.scores.methods, dtype=object)
    )
    table = table.reindex(found.rows["method"]).set_axis(found.rows.index).astype("Int64")
    return {name: table[name] for name in names}


def _ties(found: DatasetBoard) -> dict[str, pd.Series]:
    """Test the ranked methods, which are the first ones, against the best of each group.

    Composite scores are tested on resamples. A value of a whole set is not tested, because it has
    no values of images.
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
        values = found.scores.column(found.ranked_by_images)[:, found.at(methods)]
        outcome = ties(values, found.info(found.ranked_by_images))
    index = found.rows.index
    first = index[: len(methods)]
    return {
        "tie": pd.Series(outcome.letters, first, dtype=object).reindex(index, fill_value=""),
        "p_vs_best": pd.Series(outcome.p_values, first).reindex(index),
        "effect_vs_best": pd.Series(outcome.effects, first).reindex(index),
    }


def _front(found: DatasetBoard, span: tuple[str, str] | None) -> pd.Series:
    """Mark the complete methods on the Pareto front of fidelity and perception."""
    marks = pd.array([pd.NA] * len(found.scores.methods), dtype="boolean")
    if span is not None:
        # Ranks, not shown means, decide which of two methods is better.
        ranks = np.stack([found.means[name].ranks for name in span], axis=1)
        there = np.flatnonzero(~np.isnan(ranks).any(axis=1))
        marks[there] = pareto_front(ranks)[there]
    on_front = pd.Series(marks, index=pd.Index(found.scores.methods, dtype=object))
    return on_front.reindex(found.rows["method"]).set_axis(found.rows.index)
