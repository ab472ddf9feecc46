"""Values of whole sets, side by side: what is comparable, by how much it changed, how surely.

A value of a set is one number, so that images are not tested. Where both sides are of the same
images, each group of them is left out on both sides in turn, and the difference of the two values
has a jackknife.
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
"""What the values of a row are of."""

_NORMAL = 1.959963984540054
"""Half of a 95 % interval, in standard errors."""

_Key = tuple[Any, Any, Any, Any]
"""Dataset, method, metric and signature."""

_FOUND = [
    *("baseline", "candidate", "n", "state", "reason"),
    *("difference", "low", "high", "uncertain"),
]


def sets_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table of the rows of `set_pairs`.

    Returns
    -------
    pandas.DataFrame
        The columns of `COMPARISON`, baseline, candidate, n (images), state and reason as in
        `iqbench.gate.matching.Matched`, difference (candidate minus baseline), low and high (of its
        95 % interval), and uncertain: why there is no interval.
    """
    return pd.DataFrame(list(rows), columns=[*COMPARISON, *_FOUND])


def set_pairs(
    baseline: Scored, candidate: Scored, methods: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Pair each value of a set of the baseline with the one that it may be compared with.

    Parameters
    ----------
    baseline, candidate
        The two sides.
    methods
        What the candidate calls methods that have another name in the baseline.
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
    """Return under which other signatures the candidate has a value of the same metric."""
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
    """Say whether two values may be compared, or why not."""
    if other is None and versions:
        fields = [", ".join(differing_fields((row["signature"], text))) for text in versions]
        return NOT_COMPARABLE, min(fields, key=len) or "order of the fields"
    if other is None:
        return MISSING, "not scored"
    if np.isnan(other["value"]):
        return MISSING, str(other["error"])
    if other["n"] < row["n"]:
        return MISSING, f"its value is of {other['n']} images, the baseline's of {row['n']}"
    apart = _other_images(row, other, images)
    return (NOT_COMPARABLE, apart) if apart else (COMPARED, None)


def _other_images(
    row: Mapping[Any, Any],
    other: Mapping[Any, Any],
    images: tuple[pd.DataFrame, pd.DataFrame],
) -> str | None:
    """Say how the images of two values differ; None if they are the same, as far as is known."""
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
    """Say by how much a value changed, and how sure that is."""
    difference = other["value"] - row["value"]
    unknown = {"difference": difference, "low": np.nan, "high": np.nan}
    sides = [_replicates(one) for one in (row, other)]
    if any(len(side) < 2 for side in sides) or len(sides[0]) != len(sides[1]):
        return {**unknown, "uncertain": "the tables do not say how sure the values are"}
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
