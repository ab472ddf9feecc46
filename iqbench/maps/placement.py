"""Place the values of a map on the image, by linear operations that preserve the mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Placement", "centre", "forward", "stretch"]

Placement = Callable[[Tensor, tuple[int, int]], Tensor]
"""Converts (N, h, w), given the height and width of an image, to (N, height, width)."""


def centre(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Place each value at the middle of its window; the border without values is NaN.

    Parameters
    ----------
    values
        (N, h, w): one value per valid position of a window of odd size.
    size
        Height and width of the image.

    Returns
    -------
    Tensor
        (N, height, width).
    """
    rows, columns = ((side - had) // 2 for side, had in zip(size, values.shape[1:], strict=True))
    return F.pad(values, (columns, columns, rows, rows), value=torch.nan)


def forward(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Place each forward difference at the first of its two pixels.

    Parameters
    ----------
    values
        (N, H, W - 1) or (N, H - 1, W), differences along one axis: pixels without a next one get 0,
        and all values are scaled by W / (W - 1) or H / (H - 1), which preserves the mean.
        (N, H - 1, W - 1), differences along both axes: pixels without one of them get NaN.
    size
        Height and width of the image.

    Returns
    -------
    Tensor
        (N, H, W).
    """
    height, width = values.shape[1:]
    padding = (0, size[1] - width, 0, size[0] - height)
    if height < size[0] and width < size[1]:
        return F.pad(values, padding, value=torch.nan)
    return F.pad(values, padding) * (size[0] * size[1] / (height * width))


def stretch(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Stretch the map of a layer to the size of the image.

    The map is interpolated linearly between the middles of its cells and constant beyond the
    outermost ones. Each pixel gets the mean of this function over its own area. If a side is an
    even multiple of the layer's, this equals bilinear interpolation without aligned corners. For
    other sides, bilinear interpolation only samples the middle of a pixel, which changes the mean.

    Parameters
    ----------
    values
        (N, h, w).
    size
        Height and width of the image, each at least the map's.

    Returns
    -------
    Tensor
        (N, height, width), with the same mean.
    """
    for axis, side in enumerate(size, start=1):
        if values.shape[axis] < side:
            values = _stretch_axis(values, axis, side)
    return values


def _stretch_axis(values: Tensor, axis: int, side: int) -> Tensor:
    """Sum the shares of the at most three cells that overlap a pixel."""
    cells = values.shape[axis]
    edges = torch.arange(side + 1, dtype=torch.float64, device=values.device) * (cells / side)
    begin, end = edges[:-1], edges[1:]
    first = torch.floor(begin - 0.5)
    stretched: Tensor | None = None
    for shift in range(3):
        cell = first + shift
        middle = cell + 0.5
        share = (_hat_integral(end - middle) - _hat_integral(begin - middle)) * (side / cells)
        weight = share.to(values.dtype).unsqueeze(-1) if axis == 1 else share.to(values.dtype)
        part = values.index_select(axis, cell.clamp(0, cells - 1).long()) * weight
        stretched = part if stretched is None else stretched + part
    assert stretched is not None
    return stretched


def _hat_integral(end: Tensor) -> Tensor:
    """Integrate max(0, 1 - |t|) from minus infinity to `end`."""
    end = end.clamp(-1, 1)
    return 0.5 + end - end.abs() * end / 2
