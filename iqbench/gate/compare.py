"""Compare two methods or two runs: differences with their uncertainty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from iqbench.document.in_notebook import ShownInNotebooks
from iqbench.forks import cached_property
from iqbench.gate.matching import (
    COMPARED,
    COMPARISON,
    MISSING,
    NOT_COMPARABLE,
    Matched,
    PairsByRow,
    Scored,
    match,
    united,
)
from iqbench.gate.sets import IMAGE_SCOPE, SET_SCOPE, set_pairs, sets_table
from iqbench.results.columns import Columns
from iqbench.results.names import combinations_of
from iqbench.results.schema import ColumnInfo
from iqbench.stats.bootstrap import mean_interval
from iqbench.stats.gains import finite_mean, gains, infinite_counts, mean_distance
from iqbench.stats.paired import holm, paired_test

__all__ = ["Comparison", "apart", "compare", "compare_parts"]

_NUMBERS = ["n", "first", "second", "difference", "low", "high", "p_value", "effect"]
_DISTANCES = ["first_distance", "second_distance"]
_INFINITE = ["first_infinite", "second_infinite", "infinite_rises", "infinite_falls"]
_FOUND = [*_INFINITE, "wins", "losses", "ties"]
_COUNTS = [*_FOUND, "missing", "not_comparable"]
_ROW = [*COMPARISON, *_NUMBERS, *_DISTANCES, *_COUNTS, "why", "scope"]


@dataclass(frozen=True)
class Comparison(
    ShownInNotebooks, arranged_by="iqbench.gate.compare_document:comparison_in_notebook"
):
    """The result of a comparison.

    Parameters
    ----------
    rows
        One row per dataset, pair of methods, metric and signature, see `compare`.
    pairs
        One row per value that both have: the columns of `COMPARISON`, image, baseline and candidate
        (the first and the second), difference and gain.
    new
        Images for which only the second side has values.
    columns
        Descriptions of the metrics' columns.
    """

    rows: pd.DataFrame
    pairs: pd.DataFrame
    new: pd.DataFrame
    columns: Columns = field(default_factory=Columns)

    @cached_property
    def by_row(self) -> PairsByRow:
        """The pairs of each row."""
        return PairsByRow(self.pairs)

    def info(self, metric: str) -> ColumnInfo:
        """Return the description of a metric's column."""
        return self.columns.info(metric)


def compare(
    first: Scored,
    second: Scored,
    *,
    methods: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare the second scores with the first, over the images that both have.

    Parameters
    ----------
    first, second
        The scores to compare, of one results folder or of two.
    methods
        The second side's names of methods that have another name on the first.

    Returns
    -------
    Comparison
        Its rows have dataset, baseline_method and method (of the first and the second side),
        metric, signature, n (number of compared images), first and second (means of the finite
        values of these), difference (mean of the finite differences, second minus first), low and
        high (of its 95 % bootstrap interval), p_value (Wilcoxon's signed-rank test, two-sided,
        corrected by Holm over all rows), effect (rank-biserial correlation, from -1 to 1: positive
        if the second is better), first_distance and second_distance (for a metric with a target:
        the mean distance to it), first_infinite and second_infinite (numbers of infinite values),
        infinite_rises and infinite_falls (numbers of images with a difference of +inf or -inf),
        wins, losses and ties (numbers of images on which the second is better, worse or equal;
        without direction, greater, smaller or equal), missing and not_comparable (numbers of
        images), why (the reasons, such as the fields that differ), and scope. A row of scope
        ``set`` has the two values of a whole set, such as FID: their difference has an interval if
        both sides have the same images; there is no test, and there are no wins. For a metric with
        a target, p_value, effect and wins are about the distances to it. A change between a finite
        and an infinite value is the largest in the test; two equal infinite values are a tie.
    """
    return compare_parts([(first, second)], methods=methods)


def compare_parts(
    parts: Iterable[tuple[Scored, Scored]],
    *,
    methods: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare two sides, with one part in memory at a time.

    Parameters
    ----------
    parts
        First and second side of each dataset, at least one.
    methods
        As for `compare`.

    Returns
    -------
    Comparison
        As from `compare`.
    """
    numbers: list[pd.DataFrame] = []
    compared: list[Matched] = []
    sets: list[dict[str, Any]] = []
    for first, second in parts:
        matched = match(first, second, methods)
        sets += set_pairs(first, second, methods)
        del first, second  # free the memory while the next dataset is read
        both = matched.pairs[matched.pairs["state"] == COMPARED].drop(columns=["state", "reason"])
        both = _differences(both, matched.columns)
        numbers.append(_lacking(matched.pairs).join(_numbers(both, matched.columns)))
        compared.append(Matched(both, matched.new, matched.columns))
        del matched, both
    together = united(compared)
    rows = pd.concat(numbers) if len(numbers) > 1 else numbers[0]
    rows["n"] = rows["n"].fillna(0).astype("int64")
    tested = rows["p_value"].notna()
    rows.loc[tested, "p_value"] = holm(rows.loc[tested, "p_value"].to_numpy())
    for name in _COUNTS:
        rows[name] = rows[name].fillna(0).astype("int64")
    rows = rows.reset_index().assign(why=lambda frame: frame["why"].fillna("").astype(object))
    rows = rows.assign(scope=IMAGE_SCOPE)[_ROW]
    of_sets = _of_sets(sets_table(sets))
    if len(of_sets):
        rows = pd.concat([rows, of_sets], ignore_index=True) if len(rows) else of_sets
    rows = together.ordered(rows, COMPARISON)
    return Comparison(rows, together.pairs, together.new, together.columns)


def apart(found: Comparison, row: Mapping[Any, Any], limit: int) -> pd.DataFrame:
    """Return the images with the largest differences of one row.

    Parameters
    ----------
    found
        The comparison.
    row
        One of its rows.
    limit
        The largest number of images.

    Returns
    -------
    pandas.DataFrame
        image, baseline, candidate, difference, the largest difference first.
    """
    pairs = found.by_row.of(row)
    pairs = pairs[pairs["difference"] != 0].assign(size=lambda frame: frame["difference"].abs())
    largest = pairs.sort_values(["size", "image"], ascending=[False, True]).head(limit)
    largest = largest[["image", "baseline", "candidate", "difference"]].reset_index(drop=True)
    return largest.astype({"image": object})


def _differences(pairs: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    pairs = pairs.assign(difference=np.nan, gain=np.nan)
    for metric, part in pairs.groupby("metric", observed=True):
        info = columns.info(str(metric))
        plain = gains(part["baseline"], part["candidate"], ColumnInfo("none"))
        pairs.loc[part.index, "difference"] = plain
        pairs.loc[part.index, "gain"] = gains(part["baseline"], part["candidate"], info)
    return pairs


def _lacking(pairs: pd.DataFrame) -> pd.DataFrame:
    number, keys = combinations_of(pairs, COMPARISON)
    apart = (pairs["state"] == NOT_COMPARABLE).to_numpy()
    reasons = pd.Series(pairs["reason"].to_numpy(dtype=object)[apart], number[apart])
    counts = pd.DataFrame(
        {
            "missing": np.bincount(number[pairs["state"] == MISSING], minlength=len(keys)),
            "not_comparable": np.bincount(number[apart], minlength=len(keys)),
            "why": reasons.groupby(level=0).first().reindex(range(len(keys))),
        }
    )
    return counts.set_axis(pd.MultiIndex.from_frame(keys)).sort_index()


def _numbers(compared: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    intervals = _intervals(compared)
    rows = {}
    for key, pairs in compared.groupby(COMPARISON, observed=True):
        info = columns.info(str(key[COMPARISON.index("metric")]))
        gain = pairs["gain"].to_numpy()
        test = paired_test(gain)
        rises, falls = infinite_counts(pairs["difference"])
        rows[key] = {
            "n": len(pairs),
            "first": finite_mean(pairs["baseline"]),
            "second": finite_mean(pairs["candidate"]),
            "first_distance": mean_distance(pairs["baseline"], info),
            "second_distance": mean_distance(pairs["candidate"], info),
            "difference": finite_mean(pairs["difference"]),
            "low": intervals[key][0],
            "high": intervals[key][1],
            "p_value": test.p_value,
            "effect": test.effect,
            "first_infinite": int(np.isinf(pairs["baseline"]).sum()),
            "second_infinite": int(np.isinf(pairs["candidate"]).sum()),
            "infinite_rises": rises,
            "infinite_falls": falls,
            "wins": int((gain > 0).sum()),
            "losses": int((gain < 0).sum()),
            "ties": int((gain == 0).sum()),
        }
    index = pd.MultiIndex.from_arrays(
        [[key[place] for key in rows] for place in range(len(COMPARISON))], names=COMPARISON
    )
    names = [*_NUMBERS, *_DISTANCES, *_FOUND]
    return pd.DataFrame(list(rows.values()), index=index, columns=names).astype("float64")


def _intervals(compared: pd.DataFrame) -> dict[Any, tuple[float, float]]:
    """Bootstrap all metrics of two methods on the same resamples of images.

    Infinite differences are left out, as in the mean.
    """
    found: dict[Any, tuple[float, float]] = {}
    finite = compared["difference"].where(np.isfinite(compared["difference"]))
    for place, rows in compared.assign(finite=finite).groupby(COMPARISON[:3], observed=True):
        pairs = rows.astype(dict.fromkeys(("image", "metric", "signature"), object))
        table = pairs.pivot(index="image", columns=["metric", "signature"], values="finite")
        low, high = mean_interval(table.to_numpy())
        for column, bounds in zip(table.columns, zip(low, high, strict=True), strict=True):
            found[(*place, *column)] = (float(bounds[0]), float(bounds[1]))
    return found


def _of_sets(found: pd.DataFrame) -> pd.DataFrame:
    """Give set values the form of the other rows, without tests, wins and infinite counts."""
    rows = found[[*COMPARISON, "n", "difference", "low", "high"]].assign(
        first=found["baseline"].where(found["state"] == COMPARED),
        second=found["candidate"],
        missing=(found["state"] == MISSING).astype("int64"),
        not_comparable=(found["state"] == NOT_COMPARABLE).astype("int64"),
        why=found["reason"].fillna("").astype(object),
        scope=SET_SCOPE,
        **dict.fromkeys(("p_value", "effect", *_DISTANCES), np.nan),
        **dict.fromkeys(_FOUND, 0),
    )
    return rows[_ROW]
