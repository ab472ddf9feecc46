"""Match the values of two tables: comparable, missing, and not comparable ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.results.columns import Columns
from iqbench.results.names import coded, combinations_of
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
    "united",
]

COMPARISON = ["dataset", "baseline_method", "method", "metric", "signature"]
"""The columns that identify a comparison; its pairs are the images."""

COMPARED = "compared"
MISSING = "missing"
NOT_COMPARABLE = "not comparable"

_REFERENCE = "another reference file"
_NONE = np.empty(0, dtype=np.intp)
_STATES = (COMPARED, MISSING, NOT_COMPARABLE)

_Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """One side of a comparison.

    Parameters
    ----------
    scores
        Long form, from `iqbench.load_scores`.
    images
        From `iqbench.results.read.load_images`: digests of the references, and the reasons why
        images have no scores.
    columns
        Descriptions of the metrics.
    sets
        Values of whole sets, from `iqbench.results.read.load_values`.
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
    """The matched values of two sides.

    Parameters
    ----------
    pairs
        One row for each value of the baseline: the columns of `COMPARISON`, image, baseline,
        candidate (NaN if there is nothing to compare), state (`COMPARED`, `MISSING` or
        `NOT_COMPARABLE`) and reason: why there is no value, or the fields that differ. Texts are
        categories, because there are millions of rows and few texts.
    new
        One row for each image with values of the candidate that the baseline lacks: dataset,
        method, image, and the number of metrics.
    columns
        Descriptions of the metrics of both sides; those of the candidate have priority.
    """

    pairs: pd.DataFrame
    new: pd.DataFrame
    columns: Columns

    def ordered(self, rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
        """Sort rows by columns; metrics are sorted in their own order, not by name."""
        pairs = list(zip(rows["metric"].astype(str), rows["signature"].astype(str), strict=True))
        keys = {f"{metric} [{signature}]": (metric, signature) for metric, signature in pairs}
        order = {keys[name]: at for at, name in enumerate(self.columns.ordered(keys))}
        places = [order[pair] for pair in pairs]
        by = [name for key in by for name in (["place", key] if key == "metric" else [key])]
        return rows.assign(place=places).sort_values(by, ignore_index=True).drop(columns="place")


class PairsByRow:
    """The pairs of each comparison.

    They are grouped once: with hundreds of rows, searching all pairs for each row would take
    minutes.

    Parameters
    ----------
    pairs
        A table with the columns of `COMPARISON`.
    """

    def __init__(self, pairs: pd.DataFrame) -> None:
        self._pairs = pairs
        number, keys = combinations_of(pairs, COMPARISON)
        order = np.argsort(number, kind="stable")
        ends = np.cumsum(np.bincount(number, minlength=len(keys)))
        self._places = dict(
            zip(keys.itertuples(index=False, name=None), np.split(order, ends[:-1]), strict=True)
            if len(keys)
            else ()
        )

    def of(self, row: Mapping[Any, Any]) -> pd.DataFrame:
        """Return the pairs of one row of a table of comparisons, in their order."""
        key = tuple(row[name] for name in COMPARISON)
        return self._pairs.iloc[self._places.get(key, _NONE)]


def match(baseline: Scored, candidate: Scored, methods: Mapping[str, str] | None = None) -> Matched:
    """Find the comparable value of the candidate for each value of a baseline.

    It is the value of the same dataset, image, metric and signature whose reference has the same
    digest, and whose method has the same name, or the name that ``methods`` gives.

    Parameters
    ----------
    baseline, candidate
        The two sides.
    methods
        The candidate's names of methods that have another name in the baseline.

    Returns
    -------
    Matched
        Pairs in the order of the baseline's rows. Rows without a value are left out.
    """
    return _Matcher(baseline, candidate, methods or {}).matched()


def united(parts: Sequence[Matched]) -> Matched:
    """Concatenate the matches of several datasets, in their order.

    Parameters
    ----------
    parts
        At least one.
    """
    if len(parts) == 1:
        return parts[0]
    pairs = [part.pairs for part in parts]
    for name in pairs[0].columns:
        if name != "state" and isinstance(pairs[0][name].dtype, pd.CategoricalDtype):
            names = {text for frame in pairs for text in frame[name].cat.categories}
            words = pd.Index(sorted(names), dtype=object)
            for frame in pairs:
                frame[name] = frame[name].cat.set_categories(words)
    new = [part.new for part in parts if len(part.new)]
    return Matched(
        pd.concat(pairs, ignore_index=True),
        pd.concat(new, ignore_index=True) if new else parts[0].new,
        parts[0].columns,
    )


class _Texts:
    """Integer codes of the texts of both sides; they sort like the texts."""

    def __init__(self, *columns: pd.Series, renamed: Mapping[str, str] | None = None) -> None:
        several = [coded(column) for column in columns]
        # The first column has the baseline's names, which may differ from the candidate's.
        changed = [
            [(renamed or {}).get(name, name) for name in names] if place == 0 else names
            for place, (_, names) in enumerate(several)
        ]
        self.names = sorted({name for names in changed for name in names})
        place_of = {name: place for place, name in enumerate(self.names)}
        self.numbers: list[NDArray[np.int32]] = [
            np.array([*(place_of[name] for name in names), -1], dtype=np.int32)[numbers]
            for (numbers, _), names in zip(several, changed, strict=True)
        ]

    def category(self, column: int) -> pd.Categorical:
        """Return a column as a categorical with the categories of all columns."""
        names = pd.Index(self.names, dtype=object)
        return pd.Categorical.from_codes(self.numbers[column], categories=names)


def _joined(*columns: tuple[_Texts, int]) -> _Numbers:
    """Combine the codes of several columns into one number per row.

    Raises
    ------
    IqbenchError
        If there are too many combinations.
    """
    if math.prod(max(len(texts.names), 1) for texts, _ in columns) > np.iinfo(np.int64).max:
        raise IqbenchError(
            "there are too many names to be matched at once",
            hint="Compare one dataset at a time: --dataset NAME",
        )
    found: _Numbers = np.zeros(len(columns[0][0].numbers[columns[0][1]]), dtype=np.int64)
    for texts, column in columns:
        found *= max(len(texts.names), 1)
        found += texts.numbers[column]
    return found


def _place_in(wanted: _Numbers, there: _Numbers) -> _Numbers:
    """Return the position of each wanted number among others; -1 if it is missing."""
    if not len(there):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(there, kind="stable")
    sorted_ = there[order]
    place = np.minimum(np.searchsorted(sorted_, wanted), len(there) - 1)
    found: _Numbers = np.where(sorted_[place] == wanted, order[place], -1)
    return found


class _Matcher:
    """Matches two sides by integer codes instead of names."""

    def __init__(self, baseline: Scored, candidate: Scored, methods: Mapping[str, str]) -> None:
        self._sides = baseline, candidate
        old, now = baseline.scores, candidate.scores
        old = old[old["value"].notna().to_numpy()]
        self._value = tuple(one["value"].to_numpy(dtype=np.float64) for one in (old, now))
        self._error = now["error"]
        self._before = _Texts(old["method"], baseline.images["method"])
        columns = (old, now, baseline.images, candidate.images)
        self._dataset = _Texts(*(one["dataset"] for one in columns))
        self._image = _Texts(*(one["image"] for one in columns))
        self._method = _Texts(
            old["method"], now["method"], candidate.images["method"], renamed=methods
        )
        self._metric = _Texts(old["metric"], now["metric"])
        self._signature = _Texts(old["signature"], now["signature"])

    def matched(self) -> Matched:
        old, now = (self._values(side) for side in (0, 1))
        place = _place_in(old, now)
        there = place >= 0
        candidate = np.where(there, self._value[1][place] if len(now) else np.nan, np.nan)
        reasons = _Reasons(len(old))
        self._other_signatures(np.flatnonzero(~there), reasons)
        apart = reasons.given
        moved = (there | apart) & self._other_reference()
        reasons.precede(moved, _REFERENCE)
        apart = reasons.given
        lost = np.isnan(candidate) & ~apart
        self._why_lost(np.flatnonzero(lost), place, reasons)
        candidate[apart] = np.nan
        state = np.select([apart, lost], [2, 1], 0)
        pairs = pd.DataFrame(
            {
                "dataset": self._dataset.category(0),
                "baseline_method": self._before.category(0),
                "method": self._method.category(0),
                "metric": self._metric.category(0),
                "signature": self._signature.category(0),
                "image": self._image.category(0),
                "baseline": self._value[0],
                "candidate": candidate,
                "state": pd.Categorical.from_codes(state, categories=pd.Index(_STATES)),
                "reason": reasons.category(),
            }
        )
        columns = self._sides[0].columns.united(self._sides[1].columns)
        return Matched(pairs, self._new(), columns)

    def _metrics(self, side: int) -> _Numbers:
        """Return one number per dataset, method, image and metric."""
        columns = (self._dataset, self._method, self._image, self._metric)
        return _joined(*((texts, side) for texts in columns))

    def _values(self, side: int) -> _Numbers:
        """Return one number per value of a side."""
        columns = (self._dataset, self._method, self._image, self._metric, self._signature)
        return _joined(*((texts, side) for texts in columns))

    def _versions(self, side: int) -> _Numbers:
        """Return one number per dataset, method, metric and signature."""
        columns = (self._dataset, self._method, self._metric, self._signature)
        return _joined(*((texts, side) for texts in columns))

    def _other_signatures(self, lost: NDArray[np.intp], reasons: _Reasons) -> None:
        """Name the fields in which unmatched values differ from the most similar signature.

        A signature that the baseline also has, for the same metric of the same method, matches its
        own values there, and is not considered.
        """
        if not len(lost):
            return
        known = np.isin(self._versions(1), np.unique(self._versions(0)))
        strange = np.flatnonzero(~known & ~np.isnan(self._value[1]))
        found = pd.DataFrame(
            {
                "place": lost,
                "of": self._metrics(0)[lost],
                "mine": self._signature.numbers[0][lost],
            }
        ).merge(
            pd.DataFrame(
                {"of": self._metrics(1)[strange], "other": self._signature.numbers[1][strange]}
            ),
            on="of",
        )
        names = self._signature.names
        versions = found[["mine", "other"]].drop_duplicates()
        # Without a differing field, signatures differ only in the order of their fields.
        fields = [
            differing_fields((names[mine], names[other])) or ["order of the fields"]
            for mine, other in versions.itertuples(index=False)
        ]
        texts = [", ".join(one) for one in fields]
        versions = versions.assign(
            count=np.array([len(one) for one in fields], dtype=np.int64),
            text=pd.Series(texts, index=versions.index, dtype=object),
        ).sort_values(["count", "text"])
        versions = versions.assign(nearness=np.arange(len(versions)))
        found = found.merge(versions, on=["mine", "other"]).sort_values(["place", "nearness"])
        nearest = found.drop_duplicates("place")
        for text, part in nearest.groupby("text", sort=False)["place"]:
            reasons.give(part.to_numpy(), str(text))

    def _other_reference(self) -> NDArray[np.bool_]:
        """Return which values were scored against another reference file than the baseline's."""
        old, now = (side.images["reference_digest"] for side in self._sides)
        digest = _Texts(old, now)
        before = self._of_image(digest.numbers[0], self._before, 1, 2)
        after = self._of_image(digest.numbers[1], self._method, 2, 3)
        other: NDArray[np.bool_] = (before != after) & (before >= 0) & (after >= 0)
        return other

    def _of_image(
        self, found: NDArray[np.int32], method: _Texts, of_methods: int, of_images: int
    ) -> NDArray[np.int32]:
        """Return the codes of a table of images for the image of each pair; -1 if it is missing."""
        place = self._image_of(method, of_methods, of_images)
        return np.append(found, np.int32(-1))[place]

    def _image_of(self, method: _Texts, of_methods: int, of_images: int) -> _Numbers:
        """Return the row of each pair's image in a table of images."""
        return _place_in(
            _joined((self._dataset, 0), (method, 0), (self._image, 0)),
            _joined((self._dataset, of_images), (method, of_methods), (self._image, of_images)),
        )

    def _why_lost(self, lost: NDArray[np.intp], place: _Numbers, reasons: _Reasons) -> None:
        """Give the reason for a missing value: its own error, its image's, or ``not scored``."""
        if not len(lost):
            return
        own = np.full(len(lost), None, dtype=object)
        there = place[lost] >= 0
        own[there] = self._error.to_numpy(dtype=object)[place[lost][there]]
        images = self._sides[1].images["error"].to_numpy(dtype=object)
        at = self._image_of(self._method, 2, 3)[lost]
        errors = np.full(len(lost), None, dtype=object)
        errors[at >= 0] = images[at[at >= 0]]
        texts = pd.Series(own, dtype=object)
        texts = texts.where(texts.notna(), pd.Series(errors, dtype=object)).fillna("not scored")
        numbers, names = pd.factorize(texts)
        for number, text in enumerate(names):
            reasons.give(lost[numbers == number], str(text))

    def _new(self) -> pd.DataFrame:
        """Count, for each image, the metrics for which only the candidate has values."""
        fresh = ~np.isin(self._metrics(1), self._metrics(0)) & ~np.isnan(self._value[1])
        at = np.flatnonzero(fresh)
        _, first = np.unique(self._metrics(1)[at], return_index=True)
        at = at[np.sort(first)]
        keys = {"dataset": self._dataset, "method": self._method, "image": self._image}
        rows = pd.DataFrame(
            {
                name: np.array(texts.names, dtype=object)[texts.numbers[1][at]]
                for name, texts in keys.items()
            },
            dtype=object,
        )
        return rows.groupby(list(keys)).size().rename("metrics").reset_index()


class _Reasons:
    """The reasons why pairs cannot be compared: a text for some of the rows."""

    def __init__(self, rows: int) -> None:
        self._texts: dict[str, int] = {}
        self._numbers = np.full(rows, -1, dtype=np.int32)

    @property
    def given(self) -> NDArray[np.bool_]:
        """Which rows have a reason."""
        return self._numbers >= 0

    def give(self, rows: NDArray[np.intp], text: str) -> None:
        """Set the text of some rows."""
        self._numbers[rows] = self._texts.setdefault(text, len(self._texts))

    def precede(self, rows: NDArray[np.bool_], text: str) -> None:
        """Prepend a text to those of some rows; rows without a text get it alone."""
        before = self._numbers.copy()
        self.give(np.flatnonzero(rows & (before < 0)), text)
        for known, number in list(self._texts.items()):
            self.give(np.flatnonzero(rows & (before == number)), f"{text}, {known}")

    def category(self) -> pd.Categorical:
        """Return the reasons as a column."""
        used = sorted(self._texts)
        place = np.array([*(used.index(text) for text in self._texts), -1], dtype=np.int32)
        return pd.Categorical.from_codes(
            place[self._numbers], categories=pd.Index(used, dtype=object)
        )
