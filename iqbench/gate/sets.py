"""Match the values of whole sets of two sides, with their differences and intervals.

A set value is one number, so there is no test over images. If both sides have the same images, the
interval of the difference comes from a jackknife: each group of images in turn is left out on both
sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from iqbench.gate.matching import COMPARED, COMPARISON, MISSING, NOT_COMPARABLE, Scored
from iqbench.results.signature import differing_fields, parse_signature

__all__ = ["IMAGE_SCOPE", "SET_SCOPE", "set_pairs", "sets_table"]

IMAGE_SCOPE, SET_SCOPE = "image", "set"
"""Scopes of a row: values of images, or one value of a set."""

_NORMAL = 1.959963984540054
"""Half of a 95 % interval, in standard errors."""

_Key = tuple[Any, Any, Any, Any]
"""Dataset, method, metric and signature."""

_FOUND = [
    *("baseline", "candidate", "n", "state", "reason"),
    *("difference", "low", "high", "uncertain"),
]


def sets_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table from the rows of `set_pairs`.

    Returns
    -------
    pandas.DataFrame
        The columns of `COMPARISON`, baseline, candidate, n (images), state and reason as in
        `iqbench.gate.matching.Matched`, difference (candidate minus baseline), low and high (of its
        95 % interval), and uncertain: the reason if there is no interval.
    """
    return pd.DataFrame(list(rows), columns=[*COMPARISON, *_FOUND])


def set_pairs(
    baseline: Scored, candidate: Scored, methods: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Match each set value of the baseline with the comparable one of the candidate.

    Parameters
    ----------
    baseline, candidate
        The two sides.
    methods
        The candidate's names of methods that have another name in the baseline.
    """
    now = {
        (row["dataset"], row["method"], row["metric"], row["signature"]): row
        for row in _rows(candidate.sets)
    }
    for row in _rows(baseline.sets):
        if np.isnan(row["value"]):
            continue
        old, new = row["method"], (methods or {}).get(row["method"], row["method"])
        other = now.get((row["dataset"], new, row["metric"], row["signature"]))
        before = _images(baseline.images, row["dataset"], old)
        after = _images(candidate.images, row["dataset"], new)
        state, reason = _state(row, other, _versions(row, new, now), (before, after))
        key = (row["dataset"], old, new, row["metric"], row["signature"])
        yield {
            **dict(zip(COMPARISON, key, strict=True)),
            "baseline": row["value"],
            "candidate": other["value"] if other and state == COMPARED else np.nan,
            "n": int(row["n"]) if state == COMPARED else 0,
            "state": state,
            "reason": reason,
            **(_change(row, other, before, after) if other and state == COMPARED else {}),
        }


def _rows(sets: pd.DataFrame) -> Iterator[dict[Any, Any]]:
    yield from sets.to_dict("index").values()


def _images(images: pd.DataFrame, dataset: str, method: str) -> pd.DataFrame:
    """Return the images of a method that have an output, by their ids."""
    mine = images[(images["dataset"] == dataset) & (images["method"] == method)]
    mine = mine[mine["output_digest"].notna()]
    return mine.assign(image=mine["image"].astype(str)).set_index("image").sort_index()


def _versions(
    row: Mapping[Any, Any], method: str, now: Mapping[_Key, Mapping[Any, Any]]
) -> list[str]:
    """Return the other signatures with which the candidate has a value of the same metric."""
    same = (row["dataset"], method, row["metric"])
    return [
        key[3] for key, other in now.items() if key[:3] == same and not np.isnan(other["value"])
    ]


def _state(
    row: Mapping[Any, Any],
    other: Mapping[Any, Any] | None,
    versions: list[str],
    images: tuple[pd.DataFrame, pd.DataFrame],
) -> tuple[str, str | None]:
    """Return whether two values are comparable, and the reason if not."""
    if other is None and versions:
        fields = [", ".join(differing_fields((row["signature"], text))) for text in versions]
        return NOT_COMPARABLE, min(fields, key=len) or "order of the fields"
    if other is None:
        return MISSING, "not scored"
    if np.isnan(other["value"]):
        return MISSING, str(other["error"])
    if other["n"] < row["n"]:
        return MISSING, f"its value covers {other['n']} images, the baseline's {row['n']}"
    apart = _other_images(row, other, images)
    return (NOT_COMPARABLE, apart) if apart else (COMPARED, None)


def _other_images(
    row: Mapping[Any, Any],
    other: Mapping[Any, Any],
    images: tuple[pd.DataFrame, pd.DataFrame],
) -> str | None:
    """Describe how the images of two values differ; None if they are the same or not known."""
    before, after = images
    if other["n"] > row["n"]:
        return f"{other['n']} images instead of {row['n']}"
    if set(before.index) != set(after.index):
        return "other images"
    if parse_signature(row["signature"]).get("set") == "references":
        old, new = before["reference_digest"], after["reference_digest"]
        if (old.astype(object) != new.reindex(old.index).astype(object)).any():
            return "another reference file"
    return None


def _change(
    row: Mapping[Any, Any],
    other: Mapping[Any, Any],
    before: pd.DataFrame,
    after: pd.DataFrame,
) -> dict[str, Any]:
    """Return the change of a value with its interval, or the reason why there is none."""
    difference = other["value"] - row["value"]
    unknown = {"difference": difference, "low": np.nan, "high": np.nan}
    sides = [_replicates(one) for one in (row, other)]
    if any(len(side) < 2 for side in sides) or len(sides[0]) != len(sides[1]):
        return {**unknown, "uncertain": "the tables have no uncertainty of the values"}
    if not len(before) == len(after) == row["n"]:
        return {**unknown, "uncertain": "some images of the set have no value"}
    parts = sides[1] - sides[0]
    groups = len(parts)
    error = np.sqrt((groups - 1) / groups * ((parts - parts.mean()) ** 2).sum())
    half = _NORMAL * float(error)
    return {
        "difference": difference,
        "low": difference - half,
        "high": difference + half,
        "uncertain": "",
    }


def _replicates(row: Mapping[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    found = row["replicates"]
    return np.array([] if found is None else found, dtype=np.float64)
