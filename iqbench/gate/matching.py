"""Pair the values of two tables: what can be compared, what is missing, what must not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from iqbench.results.columns import Columns
from iqbench.results.read import of_any_file
from iqbench.results.signature import differing_fields

__all__ = [
    "COMPARED",
    "COMPARISON",
    "MISSING",
    "NOT_COMPARABLE",
    "Matched",
    "PairsByRow",
    "Scored",
    "match",
]

COMPARISON = ["dataset", "baseline_method", "method", "metric", "signature"]
"""What one comparison is about; its pairs are the images."""

COMPARED = "compared"
MISSING = "missing"
NOT_COMPARABLE = "not comparable"

_REFERENCE = "another reference file"
_PICTURE = ["dataset", "method", "image"]
_VALUE = [*_PICTURE, "metric", "signature"]
_NONE = np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Scored:
    """One side of a comparison.

    Parameters
    ----------
    scores
        Long form, as `iqbench.load_scores` gives it.
    images
        As `iqbench.results.read.load_images` gives it: digests of the references, and the reasons
        why images have no scores.
    columns
        How its metrics are read.
    sets
        Values of whole sets, as `iqbench.results.read.load_values` gives them.
    """

    scores: pd.DataFrame
    images: pd.DataFrame
    columns: Columns = field(default_factory=Columns)
    sets: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        for name in ("scores", "sets"):
            object.__setattr__(self, name, of_any_file(getattr(self, name)))


@dataclass(frozen=True)
class Matched:
    """Two sides, joined.

    Parameters
    ----------
    pairs
        One row for each value of the baseline: the columns of `COMPARISON`, image, baseline,
        candidate (NaN where there is nothing to compare), state (`COMPARED`, `MISSING` or
        `NOT_COMPARABLE`) and reason: why there is no value, or the fields that differ.
    new
        One row for each image of which the candidate has values that the baseline lacks: dataset,
        method, image, and metrics, how many.
    columns
        How the metrics of both are read; the candidate has the last word.
    """

    pairs: pd.DataFrame
    new: pd.DataFrame
    columns: Columns

    def ordered(self, rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
        """Sort rows by columns; metrics stand in their order, not in that of their names."""
        places = rows["metric"].map(self.columns.place)
        keys = [name for key in by for name in (["place", key] if key == "metric" else [key])]
        return rows.assign(place=places).sort_values(keys, ignore_index=True).drop(columns="place")


class PairsByRow:
    """Pairs, found by the comparison that they belong to.

    They are grouped once: looking through all of them for each row would take minutes where there
    are hundreds of rows.

    Parameters
    ----------
    pairs
        With the columns of `COMPARISON`.
    """

    def __init__(self, pairs: pd.DataFrame) -> None:
        self._pairs = pairs
        self._places = pairs.groupby(COMPARISON, sort=False).indices

    def of(self, row: Mapping[Any, Any]) -> pd.DataFrame:
        """Give the pairs of one row of a table of comparisons, in their order."""
        key = tuple(row[name] for name in COMPARISON)
        return self._pairs.iloc[self._places.get(key, _NONE)]


def match(baseline: Scored, candidate: Scored, methods: Mapping[str, str] | None = None) -> Matched:
    """Find for each value of a baseline the one that it may be compared with.

    That is the value of the same dataset, image, metric and signature whose reference has the same
    digest, and of the method of the same name or of the name that ``methods`` gives.

    Parameters
    ----------
    baseline, candidate
        The two sides.
    methods
        What the candidate calls methods that have another name in the baseline.

    Returns
    -------
    Matched
        Pairs in the order of the baseline's rows. A row of it without a value asks for nothing.
    """
    old = _plain(baseline.scores, _VALUE, baseline=baseline.scores["value"])
    old = _renamed(old[old["baseline"].notna()], methods or {}).reset_index(drop=True)
    now = _plain(
        candidate.scores,
        _VALUE,
        candidate=candidate.scores["value"],
        error=candidate.scores["error"].astype(object),
    )
    pairs = old.merge(now, on=_VALUE, how="left", validate="many_to_one", indicator="found")
    there = pairs["found"] == "both"
    fields = _other_signature(pairs[~there], now, old).reindex(pairs.index)
    moved = (there | fields.notna()) & _other_reference(pairs, baseline.images, candidate.images)
    fields[moved] = (f"{_REFERENCE}, " + fields[moved]).fillna(_REFERENCE)

    lost = pairs["candidate"].isna() & fields.isna()
    apart = fields.notna()
    pairs["state"] = np.select([apart, lost], [NOT_COMPARABLE, MISSING], COMPARED)
    pairs["reason"] = fields
    pairs.loc[lost, "reason"] = _why_lost(pairs[lost], candidate.images)
    pairs.loc[apart, "candidate"] = np.nan
    return Matched(
        pairs[[*COMPARISON, "image", "baseline", "candidate", "state", "reason"]],
        _new(now, old),
        baseline.columns.united(candidate.columns),
    )


def _plain(frame: pd.DataFrame, names: list[str], **more: pd.Series) -> pd.DataFrame:
    """Take names as objects: the categories of two tables do not join."""
    return pd.DataFrame({**{name: frame[name].astype(object) for name in names}, **more})


def _renamed(frame: pd.DataFrame, methods: Mapping[str, str]) -> pd.DataFrame:
    renamed = frame["method"].map(lambda name: methods.get(name, name)).astype(object)
    return frame.assign(baseline_method=frame["method"], method=renamed)


def _other_signature(lost: pd.DataFrame, now: pd.DataFrame, old: pd.DataFrame) -> pd.Series:
    """Name the fields in which values without a partner differ from the nearest other version.

    A signature that the baseline has too, for the same metric of the same method, has a partner of
    its own there: it is no other version of this one.
    """
    place = ["dataset", "method", "metric", "signature"]
    known = pd.MultiIndex.from_frame(old[place].drop_duplicates())
    strange = now[~pd.MultiIndex.from_frame(now[place]).isin(known) & now["candidate"].notna()]
    identity = [*_PICTURE, "metric"]
    found = (
        lost[[*identity, "signature"]]
        .rename_axis("pair")
        .reset_index()
        .merge(strange[[*identity, "signature"]], on=identity, suffixes=("", "_other"))
    )
    versions = list(zip(found["signature"], found["signature_other"], strict=True))
    # Without a differing field they differ in the order of the same ones.
    fields = {both: differing_fields(both) or ["order of the fields"] for both in set(versions)}
    found["fields"] = pd.Series([", ".join(fields[both]) for both in versions], dtype=object)
    found["count"] = [len(fields[both]) for both in versions]
    nearest = found.sort_values(["pair", "count", "fields"]).drop_duplicates("pair")
    return nearest.set_index("pair")["fields"].astype(object)


def _other_reference(pairs: pd.DataFrame, old: pd.DataFrame, now: pd.DataFrame) -> pd.Series:
    """Say which values were scored against another reference file than the baseline's."""
    before = _of_image(pairs, old, "reference_digest", method="baseline_method")
    after = _of_image(pairs, now, "reference_digest")
    return (before != after) & before.notna() & after.notna()


def _why_lost(lost: pd.DataFrame, images: pd.DataFrame) -> pd.Series:
    """Say why there is no value: its own error, that of its image, or that it was not scored."""
    own, told = lost["error"], _of_image(lost, images, "error")
    return own.where(own.notna(), told).fillna("not scored")


def _of_image(
    pairs: pd.DataFrame, images: pd.DataFrame, column: str, *, method: str = "method"
) -> pd.Series:
    """Look up what a table of images says of the image of each pair."""
    known = _plain(images, _PICTURE, found=images[column].astype(object))
    names = pairs[["dataset", method, "image"]].set_axis(_PICTURE, axis=1)
    found = names.merge(known, on=_PICTURE, how="left", validate="many_to_one")["found"]
    return found.set_axis(pairs.index)


def _new(now: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
    identity = [*_PICTURE, "metric"]
    known = pd.MultiIndex.from_frame(old[identity])
    values = now.loc[now["candidate"].notna(), identity].drop_duplicates()
    fresh = values[~pd.MultiIndex.from_frame(values).isin(known)]
    return fresh.groupby(_PICTURE).size().rename("metrics").reset_index()
