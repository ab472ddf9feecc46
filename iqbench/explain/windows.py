"""Sums and extremes over many windows of one image; its middle is reduced once."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Windows"]

Planes: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

MARGIN = 32
"""How many rows and columns at each edge are kept; windows rarely start or end further in."""


class Windows:
    """The sum, minimum or maximum of any window of an image.

    Conventions differ in the few rows and columns that they cut off at the edges. The middle
    becomes one row and one column, so that a window costs a few thousand values, not all of them.

    Parameters
    ----------
    planes
        (C, H, W).
    ufunc
        `numpy.add`, `numpy.minimum` or `numpy.maximum`.
    """

    def __init__(self, planes: Planes, ufunc: np.ufunc) -> None:
        self._planes = planes
        self._ufunc = ufunc
        height, width = planes.shape[1:]
        self._rows, self._columns = _starts(height), _starts(width)
        self._small = _without_middle(_without_middle(planes, ufunc, axis=1), ufunc, axis=2)

    def within(self, rows: slice, columns: slice) -> Planes:
        """Return the value over a window, of each channel.

        Parameters
        ----------
        rows, columns
            With start and stop, not empty.

        Returns
        -------
        ndarray
            (C,).
        """
        height, width = self._planes.shape[1:]
        down = _position(self._rows, rows, height)
        along = _position(self._columns, columns, width)
        if down is None or along is None:
            part = self._planes[:, rows, columns]
        else:
            part = self._small[:, down, along]
        values: Planes = self._ufunc.reduce(part, axis=(1, 2))
        return values


def _without_middle(planes: Planes, ufunc: np.ufunc, axis: int) -> Planes:
    """Make one row, or one column, of all in the middle."""
    side = planes.shape[axis]
    if side <= 2 * MARGIN + 1:
        return planes
    first, middle, last = np.split(planes, [MARGIN, side - MARGIN], axis)
    return np.concatenate([first, ufunc.reduce(middle, axis, keepdims=True), last], axis)


def _starts(side: int) -> NDArray[np.intp]:
    """Return where each row of the small image starts: the middle is one row."""
    if side <= 2 * MARGIN + 1:
        return np.arange(side)
    return np.concatenate([np.arange(MARGIN + 1), np.arange(side - MARGIN, side)])


def _position(starts: NDArray[np.intp], part: slice, side: int) -> slice | None:
    """Return the rows of the small image that cover exactly these, if there are any."""
    ends = np.searchsorted(starts, [part.start, part.stop])
    exact = starts[ends[0]] == part.start and (
        part.stop == side or (ends[1] < len(starts) and starts[ends[1]] == part.stop)
    )
    return slice(int(ends[0]), int(ends[1])) if exact else None
