"""Where on the image the values of a map lie. All of it is linear, and keeps the mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Placement", "centre", "forward", "stretch"]

Placement = Callable[[Tensor, tuple[int, int]], Tensor]
"""(N, h, w) and the height and width of an image to (N, height, width)."""


def centre(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Lay each value where the middle of its window was; around them there is none, NaN.

    Parameters
    ----------
    values
        (N, h, w): one a position where a window of odd size fits.
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
    """Lay each forward difference on the first of its two pixels.

    Parameters
    ----------
    values
        (N, H, W - 1) or (N, H - 1, W), differences along one axis: the pixels without a next one
        get 0, and all are scaled by W / (W - 1) or H / (H - 1), so that the mean stays;
        (N, H - 1, W - 1), of both axes at once: pixels that lack one get NaN.
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
    """Stretch a layer's map over the image it was made from.

    Between the middles of its cells the map is interpolated linearly, beyond the outermost it is
    constant, and a pixel gets the mean over its own area. Where that area holds no bend, as where
    a side is an even multiple of the layer's, this is bilinear interpolation without aligned
    corners; elsewhere that only samples the pixel's middle, and changes the mean. A side that
    needs no stretching stays as it is.

    Parameters
    ----------
    values
        (N, h, w).
    size
        Height and width of the image, each at least the map's.

    Returns
    -------
    Tensor
        (N, height, width), of the same mean.
    """
    for axis, side in enumerate(size, start=1):
        if values.shape[axis] < side:
            values = _stretch_axis(values, axis, side)
    return values


def _stretch_axis(values: Tensor, axis: int, side: int) -> Tensor:
    """Sum the shares of the three cells that a pixel, no larger than a cell, can meet."""
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
