"""Regression checks: is anything worse than in a baseline, by more than chance and by enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from iqbench.analysis.gains import Floats, gains
from iqbench.analysis.margins import Margin, margin_of
from iqbench.analysis.matching import (
    COMPARED,
    COMPARISON,
    MISSING,
    NOT_COMPARABLE,
    Matched,
    PairsByRow,
    Scored,
    match,
)
from iqbench.analysis.verdicts import ALPHA, Judgement, judge
from iqbench.results.schema import ColumnInfo

__all__ = ["ALLOWABLE", "ALPHA", "DOUBTFUL", "VERDICTS", "Check", "check", "worst_images"]

VERDICTS = ("worse", "missing", "not comparable", "changed", "better", "same")
"""Every verdict, the gravest first."""

ALLOWABLE = (MISSING, NOT_COMPARABLE)
"""Verdicts that fail a check unless they are allowed. ``worse`` always fails it."""

DOUBTFUL = "not significant"
"""In the note of a comparison whose mean moved by more than the margin."""


@dataclass(frozen=True)
class Check:
    """What a check found.

    Parameters
    ----------
    rows
        One row a dataset, method, metric and signature, see `check`.
    pairs
        One row a value of the baseline, as `Matched.pairs`, with ``gain``: how much better it is.
    new
        Images with values that the baseline lacks: dataset, method, image, metrics.
    alpha
        Rate of false alarms that was asked for.
    """

    rows: pd.DataFrame
    pairs: pd.DataFrame
    new: pd.DataFrame
    alpha: float = ALPHA

    @cached_property
    def by_row(self) -> PairsByRow:
        """The pairs of each row."""
        return PairsByRow(self.pairs)

    @property
    def gated(self) -> int:
        """Count the comparisons that can say no: with pairs, of a metric with a direction."""
        return int(self.rows["margin"].notna().sum())

    @property
    def passed(self) -> bool:
        """Say whether all is well. Nothing compared is not well."""
        return self.gated > 0 and not self.rows["failed"].any()

    def counts(self) -> dict[str, int]:
        """Count the rows of each verdict that there is, the gravest first."""
        found = self.rows["verdict"].value_counts()
        return {verdict: int(found[verdict]) for verdict in VERDICTS if verdict in found.index}

    def why(self) -> str:
        """Say in a few words what was found: ``2 worse, 430 same``."""
        found = ", ".join(f"{number} {verdict}" for verdict, number in self.counts().items())
        if self.gated:
            return found
        empty = "nothing could be compared: no value of the baseline has one to compare with"
        if (self.rows["n"] > 0).any():
            empty = "nothing could be judged: no metric that was compared has a direction"
        return f"{empty} ({found})" if found else empty


def check(
    baseline: Scored,
    candidate: Scored,
    columns: Mapping[str, ColumnInfo],
    *,
    methods: Mapping[str, str] | None = None,
    margins: Mapping[str, Margin] | None = None,
    alpha: float = ALPHA,
    allow: Collection[str] = (),
) -> Check:
    """Compare a candidate with a baseline.

    A comparison is of one dataset, method, metric and signature, over the images that both have.
    All of them are judged together, see `iqbench.analysis.verdicts.judge`.

    Parameters
    ----------
    baseline, candidate
        The two sides.
    columns
        Directions and the order of metrics.
    methods
        The candidate's names of methods that have another name in the baseline.
    margins
        Margins that come before the default ones, see `iqbench.analysis.margins.margin_of`.
    alpha
        At most this often does a check without small comparisons call noise worse.
    allow
        Of `ALLOWABLE`: what is not to fail the check. Comparisons are then judged by the rest.

    Returns
    -------
    Check
        Its rows have dataset, method, baseline_method, metric, signature, verdict, failed, n
        (images compared), baseline and candidate (means over these), gain (how much better the
        mean got, in the metric's unit; nearer, for a target; see `mean_difference` for infinite
        values), margin, p_value (corrected, of the side that the gain is on), margin_alone (n was
        too small for significance), changed, missing and not_comparable (how many images), lacking
        (why), and a note. Metrics without direction are ``changed`` or ``same`` and have no margin.
    """
    matched = match(baseline, candidate, methods)
    pairs = matched.pairs.assign(gain=_gains(matched, columns))
    described = _describe(pairs, columns, margins or {})
    compared = pairs["gain"].notna().to_numpy()
    gain = pairs["gain"].to_numpy()
    judged = judge(
        [gain[places[compared[places]]] for places in described["places"]],
        described["margin"].tolist(),
        alpha,
    )
    rows = pd.concat(
        [described, pd.DataFrame([asdict(one) for one in judged], columns=_JUDGED)], axis=1
    )
    final = pd.DataFrame(
        [_final(row, allow) for row in rows.to_dict("index").values()],
        columns=["verdict", "failed", "lacking", "note"],
        index=rows.index,
    )
    rows = pd.concat([rows.drop(columns="verdict"), final], axis=1)
    order = {metric: place for place, metric in enumerate(columns)}
    rows["place"] = rows["metric"].map(lambda metric: order.get(metric, len(order)))
    by = ["dataset", "method", "baseline_method", "place", "metric", "signature"]
    return Check(rows.sort_values(by, ignore_index=True)[_ROW], pairs, matched.new, alpha)


def worst_images(found: Check, row: Mapping[Any, Any], limit: int) -> pd.DataFrame:
    """List the images that lost most in one comparison.

    Parameters
    ----------
    found
        The check.
    row
        One of its rows.
    limit
        At most how many.

    Returns
    -------
    pandas.DataFrame
        image, baseline, candidate, gain, the worst first; only images that lost.
    """
    pairs = found.by_row.of(row)
    lost = pairs[pairs["gain"] < 0].sort_values(["gain", "image"]).head(limit)
    return lost[["image", "baseline", "candidate", "gain"]].reset_index(drop=True)


_DESCRIBED = [
    "n",
    "baseline",
    "candidate",
    "margin",
    "missing",
    "not_comparable",
    "reason",
    "places",
]
_JUDGED = [field.name for field in fields(Judgement)]
_ROW = [
    *("dataset", "method", "baseline_method", "metric", "signature", "verdict", "failed"),
    *("n", "baseline", "candidate", "gain", "margin", "p_value", "margin_alone"),
    *("changed", "missing", "not_comparable", "lacking", "note"),
]


def _gains(matched: Matched, columns: Mapping[str, ColumnInfo]) -> pd.Series:
    found = pd.Series(np.nan, index=matched.pairs.index)
    compared = matched.pairs[matched.pairs["state"] == COMPARED]
    for metric, part in compared.groupby("metric"):
        info = columns.get(str(metric), ColumnInfo("none"))
        found.loc[part.index] = gains(part["baseline"], part["candidate"], info)
    return found


def _describe(
    pairs: pd.DataFrame, columns: Mapping[str, ColumnInfo], margins: Mapping[str, Margin]
) -> pd.DataFrame:
    """Describe each comparison, before it is judged; ``places`` are those of its rows in pairs."""
    group = pairs.groupby(COMPARISON, sort=False).ngroup().to_numpy()
    order = np.argsort(group, kind="stable")
    places = np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []
    before, after = pairs["baseline"].to_numpy(), pairs["candidate"].to_numpy()
    metric, state = pairs["metric"].to_numpy(), pairs["state"].to_numpy()
    rows = []
    for rows_of_group in places:
        states = state[rows_of_group]
        both = rows_of_group[states == COMPARED]
        old = before[both]
        directed = columns.get(metric[rows_of_group[0]], ColumnInfo("none")).direction != "none"
        finite = old[np.isfinite(old)]
        margin = margin_of(metric[rows_of_group[0]], margins)
        rows.append(
            {
                "n": len(both),
                "baseline": _mean(old),
                "candidate": _mean(after[both]),
                "margin": margin.of(_mean(finite) if finite.size else 0.0)
                if directed and both.size
                else np.nan,
                "missing": int((states == MISSING).sum()),
                "not_comparable": int((states == NOT_COMPARABLE).sum()),
                "reason": _reasons(pairs.iloc[rows_of_group]) if (states != COMPARED).any() else {},
                "places": rows_of_group,
            }
        )
    keys = pairs[COMPARISON].iloc[[rows_of_group[0] for rows_of_group in places]]
    described = pd.DataFrame(rows, columns=_DESCRIBED)
    return pd.concat([keys.reset_index(drop=True), described], axis=1)


def _mean(values: Floats) -> float:
    with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
        return float(values.mean()) if values.size else np.nan


def _reasons(group: pd.DataFrame) -> dict[str, str]:
    """Give for each state but `COMPARED` its most frequent reason."""
    told = group[group["state"] != COMPARED].groupby("state")["reason"]
    return {str(state): str(reasons.mode().iloc[0]) for state, reasons in told}


def _final(row: Mapping[Any, Any], allow: Collection[str]) -> dict[str, Any]:
    """Add to what the pairs say what is missing, and say what the numbers do not."""
    lacking = {MISSING: row["missing"], NOT_COMPARABLE: row["not_comparable"]}
    forbidden = [state for state, number in lacking.items() if number and state not in allow]
    verdict = row["verdict"]
    if verdict != "worse" and (forbidden or not row["n"]):
        verdict = max(forbidden or lacking, key=lambda state: lacking[state])
    told = "; ".join(
        f"{state}: {number} of {row['n'] + sum(lacking.values())} images ({row['reason'][state]})"
        for state, number in lacking.items()
        if number
    )
    note = f"beyond the margin, but {DOUBTFUL}" if row["doubtful"] else ""
    if row["margin_alone"]:
        note = "too few images for significance: the margin alone decides"
    failed = verdict == "worse" or bool(forbidden)
    return {"verdict": verdict, "failed": failed, "lacking": told, "note": note}
