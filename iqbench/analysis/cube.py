"""One dataset's scores as an array: images by methods by columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.analysis.columns import natural, ordered
from iqbench.results.read import with_headings
from iqbench.results.schema import UNDEFINED, ColumnInfo

__all__ = ["Cube", "cube_of"]


@dataclass(frozen=True)
class Cube:
    """The scores of one dataset.

    Attributes
    ----------
    images
        Those that have any row, sorted.
    methods
        In natural order.
    headings
        One a metric and signature, in the order of tables.
    signatures
        Of each heading: its metric and its signature.
    values
        Shape (images, methods, headings); NaN where there is no value.
    undefined
        Of that shape: where there is none because none exists.
    protocols
        Of each method, joined where it has several.
    """

    images: list[str]
    methods: list[str]
    headings: list[str]
    signatures: dict[str, tuple[str, str]]
    values: NDArray[np.float64]
    undefined: NDArray[np.bool_]
    protocols: dict[str, str]

    def column(self, heading: str) -> NDArray[np.float64]:
        """Give the values of one column, shape (images, methods)."""
        column: NDArray[np.float64] = self.values[:, :, self.headings.index(heading)]
        return column

    def means(self) -> NDArray[np.float64]:
        """Average over the images that have a value, shape (methods, headings).

        One infinite value makes the mean infinite. NaN where there is no value at all, or
        infinities of both signs.
        """
        there = ~np.isnan(self.values)
        with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
            sums = np.where(there, self.values, 0.0).sum(axis=0)
        count = there.sum(axis=0)
        means: NDArray[np.float64] = np.full(sums.shape, np.nan)
        np.divide(sums, count, out=means, where=count > 0)
        return means


def cube_of(scores: pd.DataFrame, columns: Mapping[str, ColumnInfo]) -> Cube:
    """Arrange the scores of one dataset.

    Parameters
    ----------
    scores
        Long form, of one dataset.
    columns
        The order of metrics.

    Returns
    -------
    Cube
        Methods that have no row are not in it.
    """
    image, images = _coded(scores["image"])
    method, methods = _coded(scores["method"])
    head, headings = _coded(with_headings(scores))
    images_order, methods_order = sorted(images), sorted(methods, key=natural)
    headings_order = ordered(headings, columns)
    place = (
        _places(images, images_order)[image],
        _places(methods, methods_order)[method],
        _places(headings, headings_order)[head],
    )
    shape = (len(images), len(methods), len(headings))
    values, undefined = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    values[place] = scores["value"].to_numpy(dtype=np.float64)
    error = scores["error"]
    if error.notna().any():  # rarely: looking at text takes longer than all the rest
        text = error.astype("string").str.startswith(UNDEFINED)
        undefined[place] = text.fillna(False).to_numpy(dtype=bool)
    codes, rows = np.unique(head, return_index=True)
    first = scores.iloc[rows][["metric", "signature"]].astype(str).itertuples(index=False)
    signatures = {headings[code]: tuple(pair) for code, pair in zip(codes, first, strict=True)}
    return Cube(
        images_order,
        methods_order,
        headings_order,
        {heading: signatures[heading] for heading in headings_order},
        values,
        undefined,
        _protocols(scores),
    )


def _coded(column: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    """Give the number of each row's name, and the names that are in use."""
    codes, names = pd.factorize(column)
    return codes, [str(name) for name in names]


def _places(names: list[str], order: list[str]) -> NDArray[np.intp]:
    place = {name: number for number, name in enumerate(order)}
    return np.array([place[name] for name in names], dtype=np.intp)


def _protocols(scores: pd.DataFrame) -> dict[str, str]:
    used = scores[["method", "protocol"]].drop_duplicates().astype(str).sort_values("protocol")
    return {str(method): " + ".join(rows["protocol"]) for method, rows in used.groupby("method")}
