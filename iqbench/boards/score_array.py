"""One dataset's scores as an array: images by methods by columns."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.results.names import coded, combinations_of, natural, used_names
from iqbench.results.read import DatasetTables, keys_of, with_headings
from iqbench.results.schema import UNDEFINED

__all__ = ["SEVERAL", "ScoreArray", "score_array_of"]

SEVERAL = " + "
"""Stands between the protocols of one method."""


@dataclass(frozen=True)
class ScoreArray:
    """The scores of one dataset.

    Attributes
    ----------
    images
        The images that have a row, sorted.
    methods
        The methods in natural order.
    headings
        One per metric and signature, in the order of tables.
    signatures
        Metric and signature of each heading.
    values
        Shape (images, methods, headings); NaN where there is no value.
    undefined
        The same shape: True where the metric is undefined for the image.
    protocols
        The protocol of each method, joined by `SEVERAL` if it has several.
    """

    images: list[str]
    methods: list[str]
    headings: list[str]
    signatures: dict[str, tuple[str, str]]
    values: NDArray[np.float64]
    undefined: NDArray[np.bool_]
    protocols: dict[str, str]

    def column(self, heading: str) -> NDArray[np.float64]:
        """Return the values of one column, shape (images, methods)."""
        column: NDArray[np.float64] = self.values[:, :, self.headings.index(heading)]
        return column

    def with_methods(self, methods: Collection[str]) -> ScoreArray:
        """Return the array with more methods, which have no values of images."""
        every = sorted({*self.methods, *methods}, key=natural)
        if every == self.methods:
            return self
        shape = (len(self.images), len(every), len(self.headings))
        values, undefined = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
        at = [every.index(method) for method in self.methods]
        values[:, at], undefined[:, at] = self.values, self.undefined
        return replace(self, methods=every, values=values, undefined=undefined)


def score_array_of(tables: DatasetTables) -> ScoreArray:
    """Arrange the scores of one dataset as an array; methods without a row are left out."""
    scores = tables.scores
    heads = with_headings(scores)
    images = sorted(used_names(scores["image"]))
    methods = sorted(used_names(scores["method"]), key=natural)
    keys = keys_of(scores, heads)
    headings = tables.columns.ordered(keys)
    shape = (len(images), len(methods), len(headings))
    place = _places(scores["image"], images)
    for column, order in ((scores["method"], methods), (heads, headings)):
        place *= len(order)
        place += _places(column, order)
    values, undefined = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    values.reshape(-1)[place] = scores["value"].to_numpy(dtype=np.float64)
    error = scores["error"]
    if error.notna().any():  # seldom true, and comparing text would take most of the time
        text = error.astype("string").str.startswith(UNDEFINED)
        undefined.reshape(-1)[place] = text.fillna(False).to_numpy(dtype=bool)
    return ScoreArray(
        images,
        methods,
        headings,
        {heading: keys[heading] for heading in headings},
        values,
        undefined,
        _protocols(scores),
    )


def _places(column: pd.Series, order: list[str]) -> NDArray[np.intp]:
    """Return the position of each row's name in ``order``."""
    numbers, names = coded(column)
    place = {name: number for number, name in enumerate(order)}
    found: NDArray[np.intp] = np.array([place.get(name, 0) for name in names], np.intp)[numbers]
    return found


def _protocols(scores: pd.DataFrame) -> dict[str, str]:
    used = combinations_of(scores, ["method", "protocol"])[1].sort_values("protocol")
    used = used[used["protocol"].astype(str) != ""]  # imported values may have no protocol
    return {str(method): SEVERAL.join(rows["protocol"]) for method, rows in used.groupby("method")}
