"""Regression checks: find values that are worse than a baseline, significantly and by a margin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from iqbench.columns import Margin
from iqbench.document.in_notebook import ShownInNotebooks
from iqbench.forks import cached_property
from iqbench.gate.margins import image_margin_of, margin_of, refuse_unused
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
from iqbench.gate.verdicts import ALPHA, IMAGE, MEAN, Judgement, judge, reaches
from iqbench.results.columns import Columns
from iqbench.results.names import coded, combinations_of
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys
from iqbench.stats.arrays import Floats
from iqbench.stats.gains import finite_mean, gains, mean_distance

__all__ = [
    "ALLOWABLE",
    "ALPHA",
    "DOUBTFUL",
    "VERDICTS",
    "Check",
    "check",
    "check_parts",
    "worst_images",
]

VERDICTS = ("worse", "missing", "not comparable", "changed", "better", "same")
"""All verdicts, the most severe first."""

ALLOWABLE = (MISSING, NOT_COMPARABLE)
"""Verdicts that fail a check unless they are allowed. ``worse`` always fails it."""

DOUBTFUL = "not significant"
"""Note of a comparison whose mean moved by more than the margin, but not significantly."""


@dataclass(frozen=True)
class Check(ShownInNotebooks, arranged_by="iqbench.gate.check_document:check_document"):
    """The result of a check.

    Parameters
    ----------
    rows
        One row per dataset, method, metric and signature, see `check`.
    pairs
        One row per value of the baseline, as `Matched.pairs`, with ``gain``, its improvement.
    new
        Images with values that the baseline lacks: dataset, method, image, metrics.
    alpha
        The significance level.
    columns
        Descriptions of the metrics' columns.
    """

    rows: pd.DataFrame
    pairs: pd.DataFrame
    new: pd.DataFrame
    alpha: float = ALPHA
    columns: Columns = field(default_factory=Columns)

    @cached_property
    def by_row(self) -> PairsByRow:
        """The pairs of each row."""
        return PairsByRow(self.pairs)

    def info(self, metric: str) -> ColumnInfo:
        """Return the description of a metric's column."""
        return self.columns.info(metric)

    @property
    def gated(self) -> int:
        """The number of comparisons that can fail: with pairs, of a metric with a direction."""
        return int(self.rows["margin"].notna().sum())

    @property
    def passed(self) -> bool:
        """Whether the check passed. A check without any comparison does not pass."""
        return self.gated > 0 and not self.rows["failed"].any()

    def counts(self) -> dict[str, int]:
        """Count the rows of each verdict, the most severe verdict first."""
        found = self.rows["verdict"].value_counts()
        return {verdict: int(found[verdict]) for verdict in VERDICTS if verdict in found.index}

    def why(self) -> str:
        """Summarise the verdicts in a few words: ``2 worse, 430 same``."""
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
    *,
    methods: Mapping[str, str] | None = None,
    margins: Mapping[str, Margin] | None = None,
    image_margins: Mapping[str, Margin | None] | None = None,
    alpha: float = ALPHA,
    allow: Collection[str] = (),
) -> Check:
    """Compare a candidate with a baseline.

    Each comparison has one dataset, method, metric and signature, and the images that both have.
    All comparisons are judged together, see `iqbench.gate.verdicts.judge`.

    Parameters
    ----------
    baseline, candidate
        The scores to compare.
    methods
        The candidate's names of methods that have another name in the baseline.
    margins
        Margins that override those of the metrics, see `iqbench.gate.margins.margin_of`.
    image_margins
        The largest allowed loss of a single image, likewise, see
        `iqbench.gate.margins.image_margin_of`.
    alpha
        The largest probability that the rule on means calls noise worse, in a check without small
        comparisons.
    allow
        Verdicts of `ALLOWABLE` that do not fail the check. The remaining values still decide.

    Returns
    -------
    Check
        Its rows have dataset, method, baseline_method, metric, signature, verdict, reason (of
        ``worse``: ``image`` if any image lost its margin or more, else ``mean``), failed, n
        (number of compared images), baseline and candidate (means of the finite values of these),
        baseline_infinite and candidate_infinite (numbers of infinite values), baseline_distance
        and candidate_distance (for a metric with a target: the mean distance to it), gain (the
        improvement of the mean, in the metric's unit; for a target, the decrease of the distance;
        over the pairs with a finite gain), infinite_gains and infinite_losses (numbers of other
        pairs), margin, p_value (corrected, of the test for losses or gains that the verdict is
        about), margin_alone (too few images changed for significance), image_margin (as text:
        ``1``, ``20 %`` of the image's value, ``none``), images_beyond (number of images that lost
        that or more), changed, missing and not_comparable (numbers of images), lacking (the
        reasons), a note, scope, and gain_low and gain_high. Metrics without direction are
        ``changed`` or ``same`` and have no margins. A row of scope ``set`` has one value of a whole
        set, such as FID, and is not tested. It is worse or better if the value changed by the
        margin and the 95 % interval of its gain, gain_low to gain_high, excludes 0; without an
        interval, the margin alone decides.
    """
    return check_parts(
        [(baseline, candidate)],
        methods=methods,
        margins=margins,
        image_margins=image_margins,
        alpha=alpha,
        allow=allow,
    )


def check_parts(
    parts: Iterable[tuple[Scored, Scored]],
    *,
    methods: Mapping[str, str] | None = None,
    margins: Mapping[str, Margin] | None = None,
    image_margins: Mapping[str, Margin | None] | None = None,
    alpha: float = ALPHA,
    allow: Collection[str] = (),
) -> Check:
    """Compare a candidate with a baseline, with one part in memory at a time.

    The pairs of all parts are kept, because the correction of the tests needs all comparisons.

    Parameters
    ----------
    parts
        Baseline and candidate of each dataset, at least one.
    methods, margins, image_margins, alpha, allow
        As for `check`.

    Returns
    -------
    Check
        As from `check`.
    """
    of_parts: list[Matched] = []
    of_sets: list[dict[str, Any]] = []
    for baseline, candidate in parts:
        of_parts.append(match(baseline, candidate, methods))
        of_sets += set_pairs(baseline, candidate, methods)
        del baseline, candidate  # free the memory while the next dataset is read
    matched, sets = united(of_parts), sets_table(of_sets)
    del of_parts
    pairs = matched.pairs.assign(gain=_gains(matched))
    known = {
        keys
        for one in (pairs, sets)
        for keys in combinations_of(one, ["metric", "signature"])[1].itertuples(
            index=False, name=None
        )
    }
    refuse_unused([*(margins or {}), *(image_margins or {})], known)
    described = _describe(matched, pairs, margins or {}, image_margins or {})
    compared = pairs["gain"].notna().to_numpy()
    gain = pairs["gain"].to_numpy()
    judged = judge(
        [gain[places[compared[places]]] for places in described["places"]],
        described["margin"].tolist(),
        described["limits"].tolist(),
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
    rows = rows.assign(scope=IMAGE_SCOPE, gain_low=np.nan, gain_high=np.nan)
    judged_sets = [
        _judged_set(row, matched.columns.info(row["metric"]), margins or {}, allow)
        for row in sets.to_dict("index").values()
    ]
    if judged_sets:
        added = pd.DataFrame(judged_sets, columns=_ROW)
        rows = pd.concat([rows[_ROW], added], ignore_index=True) if len(rows) else added
    rows = matched.ordered(rows, ["dataset", "method", "baseline_method", "metric", "signature"])
    return Check(rows[_ROW], pairs, matched.new, alpha, matched.columns)


def worst_images(found: Check, row: Mapping[Any, Any], limit: int) -> pd.DataFrame:
    """Return the images with the largest losses in one comparison.

    Parameters
    ----------
    found
        The check.
    row
        One of its rows.
    limit
        The largest number of images.

    Returns
    -------
    pandas.DataFrame
        image, baseline, candidate, gain, the worst first; only images with a loss.
    """
    pairs = found.by_row.of(row)
    lost = pairs[pairs["gain"] < 0].sort_values(["gain", "image"]).head(limit)
    lost = lost[["image", "baseline", "candidate", "gain"]].reset_index(drop=True)
    return lost.astype({"image": object})


_DESCRIBED = [
    *("n", "baseline", "candidate", "baseline_infinite", "candidate_infinite"),
    *("baseline_distance", "candidate_distance"),
    *("margin", "image_margin", "limits", "missing", "not_comparable", "reasons", "places"),
]
_JUDGED = [field.name for field in fields(Judgement)]
_ROW = [
    *("dataset", "method", "baseline_method", "metric", "signature"),
    *("verdict", "reason", "failed", "n"),
    *("baseline", "baseline_infinite", "baseline_distance"),
    *("candidate", "candidate_infinite", "candidate_distance"),
    *("gain", "infinite_gains", "infinite_losses", "margin", "p_value", "margin_alone"),
    *("image_margin", "images_beyond", "changed", "missing", "not_comparable", "lacking", "note"),
    *("scope", "gain_low", "gain_high"),
]


def _gains(matched: Matched) -> pd.Series:
    found = np.full(len(matched.pairs), np.nan)
    compared = (matched.pairs["state"] == COMPARED).to_numpy()
    numbers, metrics = coded(matched.pairs["metric"])
    before, after = (matched.pairs[side].to_numpy() for side in ("baseline", "candidate"))
    for number, metric in enumerate(metrics):
        rows = np.flatnonzero(compared & (numbers == number))
        found[rows] = gains(before[rows], after[rows], matched.columns.info(metric))
    return pd.Series(found, index=matched.pairs.index)


def _describe(
    matched: Matched,
    pairs: pd.DataFrame,
    margins: Mapping[str, Margin],
    image_margins: Mapping[str, Margin | None],
) -> pd.DataFrame:
    """Describe each comparison, before it is judged.

    ``places`` are the positions of its rows in pairs, ``limits`` the image margins of its pairs
    (NaN for none), and ``reasons`` explains missing values by state.
    """
    group, keys = combinations_of(pairs, COMPARISON)
    order = np.argsort(group, kind="stable")
    places = np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []
    before, after = (pairs[side].to_numpy(dtype=np.float64) for side in ("baseline", "candidate"))
    numbers, names = coded(pairs["state"])
    rows = []
    for rows_of_group, key in zip(places, keys.to_dict("records"), strict=True):
        states = numbers[rows_of_group]
        counts = dict(zip(names, np.bincount(states, minlength=len(names)).tolist(), strict=True))
        both = rows_of_group[states == names.index(COMPARED)]
        old, new, metric = before[both], after[both], key["metric"]
        info = matched.columns.info(metric)
        rows.append(
            {
                "n": len(both),
                "baseline": finite_mean(old),
                "candidate": finite_mean(new),
                "baseline_infinite": int(np.isinf(old).sum()),
                "candidate_infinite": int(np.isinf(new).sum()),
                "baseline_distance": mean_distance(old, info),
                "candidate_distance": mean_distance(new, info),
                **_margins((metric, key["signature"]), info, old, margins, image_margins),
                "missing": counts[MISSING],
                "not_comparable": counts[NOT_COMPARABLE],
                "reasons": _reasons(pairs.iloc[rows_of_group]) if len(both) < len(states) else {},
                "places": rows_of_group,
            }
        )
    return pd.concat([keys, pd.DataFrame(rows, columns=_DESCRIBED)], axis=1)


def _margins(
    column: Keys,
    info: ColumnInfo,
    old: Floats,
    margins: Mapping[str, Margin],
    image_margins: Mapping[str, Margin | None],
) -> dict[str, Any]:
    """Return the margin of the mean, and the image margin as text and for each image."""
    if info.direction == "none" or not old.size:
        return {"margin": np.nan, "image_margin": "", "limits": np.full(old.shape, np.nan)}
    mean = finite_mean(old[np.isfinite(old)]) if np.isfinite(old).any() else 0.0
    metric, signature = column
    margin = margin_of(metric, info, margins, signature=signature).of(mean)
    limit = image_margin_of(metric, info, image_margins, margins, signature=signature)
    if limit is None:
        return {"margin": margin, "image_margin": "none", "limits": np.full(old.shape, np.nan)}
    return {
        "margin": margin,
        "image_margin": str(limit),
        "limits": limit.of_each(old, mean, margin),
    }


def _reasons(group: pd.DataFrame) -> dict[str, str]:
    """Return the most frequent reason of each state except `COMPARED`."""
    lacking = group[group["state"] != COMPARED].astype({"state": object, "reason": object})
    by_state = lacking.groupby("state")["reason"]
    return {str(state): str(reasons.mode().iloc[0]) for state, reasons in by_state}


def _final(row: Mapping[Any, Any], allow: Collection[str]) -> dict[str, Any]:
    """Complete a row: the final verdict with missing values, the reasons and the note."""
    lacking = {MISSING: row["missing"], NOT_COMPARABLE: row["not_comparable"]}
    forbidden = [state for state, number in lacking.items() if number and state not in allow]
    verdict = row["verdict"]
    if verdict != "worse" and (forbidden or not row["n"]):
        verdict = max(forbidden or lacking, key=lambda state: lacking[state])
    lacks = "; ".join(
        f"{state}: {number} of {row['n'] + sum(lacking.values())} images ({row['reasons'][state]})"
        for state, number in lacking.items()
        if number
    )
    failed = verdict == "worse" or bool(forbidden)
    return {"verdict": verdict, "failed": failed, "lacking": lacks, "note": _note(row)}


def _note(row: Mapping[Any, Any]) -> str:
    """Explain the verdict, if the numbers of the row do not."""
    if row["reason"] == IMAGE:
        also = ", and the mean is worse too" if row["mean_is_worse"] else ""
        return (
            f"image: {row['images_beyond']} of {row['n']} images lost the image margin"
            f" ({row['image_margin']}) or more{also}"
        )
    if row["doubtful"]:
        return f"beyond the margin, but {DOUBTFUL}"
    if row["margin_alone"]:
        return "too few images changed for significance: the margin alone decides"
    return ""


def _judged_set(
    row: Mapping[Any, Any], info: ColumnInfo, margins: Mapping[str, Margin], allow: Collection[str]
) -> dict[str, Any]:
    """Judge one value of a set by its margin and, if there is one, the interval of its gain."""
    found = {
        **{key: row[key] for key in ("n", "baseline", "candidate", *COMPARISON)},
        **dict.fromkeys(("baseline_distance", "candidate_distance", "p_value"), np.nan),
        **dict.fromkeys(("baseline_infinite", "candidate_infinite"), 0),
        **dict.fromkeys(("infinite_gains", "infinite_losses", "images_beyond", "changed"), 0),
        **dict.fromkeys(("gain", "margin", "gain_low", "gain_high"), np.nan),
        **dict.fromkeys(("reason", "lacking", "note"), ""),
        "margin_alone": False,
        "image_margin": "none",
        "missing": int(row["state"] == MISSING),
        "not_comparable": int(row["state"] == NOT_COMPARABLE),
        "scope": SET_SCOPE,
    }
    if row["state"] != COMPARED:
        found["baseline"] = np.nan
        found["lacking"] = f"{row['state']}: the value of the set ({row['reason']})"
        return {**found, "verdict": row["state"], "failed": row["state"] not in allow}
    found["gain"] = gain = float(gains([row["baseline"]], [row["candidate"]], info)[0]) + 0.0
    if info.direction == "none":
        return {**found, "verdict": "changed" if gain else "same", "failed": False}
    chosen = margin_of(row["metric"], info, margins, signature=row["signature"])
    found["margin"] = margin = chosen.of(row["baseline"])
    found["gain_low"], found["gain_high"] = low, high = _gain_interval(row, info)
    unsure = bool(np.isnan(low))
    beyond = gain != 0 and reaches(abs(gain), margin)
    excludes_zero = high < 0 if gain < 0 else low > 0
    decided = beyond and (unsure or excludes_zero)
    verdict = ("worse" if gain < 0 else "better") if decided else "same"
    notes = [f"beyond the margin, but {DOUBTFUL}"] if beyond and not decided else []
    if gain and unsure:
        notes.append(f"the margin alone decides: {row['uncertain'] or 'it is of a distance'}")
    elif gain:
        notes.append(f"95 % interval of the gain: {low:.4g} to {high:.4g}")
    found["note"] = "; ".join(notes)
    found["reason"] = MEAN if verdict == "worse" else ""
    return {**found, "verdict": verdict, "failed": verdict == "worse"}


def _gain_interval(row: Mapping[Any, Any], info: ColumnInfo) -> tuple[float, float]:
    """Convert the interval of the difference to that of the gain; NaN without an interval."""
    low, high = float(row["low"]), float(row["high"])
    if info.target is not None:
        return np.nan, np.nan
    return (-high, -low) if info.direction == "lower" else (low, high)
