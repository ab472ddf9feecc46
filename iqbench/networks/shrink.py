"""The layer that shrinks an image to a short side of 256 pixels, as in the code of DISTS."""

from __future__ import annotations

import torch
from torch import Tensor

from iqbench.images.resize import pillow_bilinear_weights
from iqbench.networks.layer import NetworkLayer, Size
from iqbench.networks.stream import Stream

__all__ = ["ShrinkShortSide"]

LEVELS = 255


class ShrinkShortSide(NetworkLayer):
    """Shrink images whose short side is longer than `side`, by Pillow's bilinear filter on 8 bits.

    Rows are resampled first, with rounding to 8 bits after each direction. The result equals that
    of torchvision's ``resize(image, side)`` on a Pillow image with Pillow 10, bit by bit. Later
    versions of Pillow resample the columns of tall images first, which changes values there by one
    level. Images that are small enough are not changed.

    Parameters
    ----------
    side
        The largest short side of the output, in pixels.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the output."""
        short = min(height, width)
        if short <= self._side:
            return height, width
        lengths = (int(self._side * length / short) for length in (height, width))
        return next(lengths), next(lengths)

    def forward(self, x: Tensor) -> Tensor:
        """Shrink a whole image."""
        return self.shrink_columns(self.shrink_rows(x, x.shape[2]), x.shape[3])

    def shrink_rows(self, x: Tensor, height: int) -> Tensor:
        """Shrink along the rows of an image of this height; (N, C, h, W) to (N, C, h, w)."""
        size = (height, x.shape[3])
        return x if self.target(*size) == size else _resample(x, 3, self.target(*size)[1])

    def shrink_columns(self, x: Tensor, width: int) -> Tensor:
        """Shrink along the columns of an image of this width; (N, C, H, w) to (N, C, h, w)."""
        size = (x.shape[2], width)
        return x if self.target(*size) == size else _resample(x, 2, self.target(*size)[0])

    def stream_of(self, height: int) -> Stream:
        """Start a pass in bands."""
        return _ShrinkingStream(self, height)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return size[0], *self.target(*size[1:])


class _ShrinkingStream:
    """One pass of one batch: rows are shrunk when they arrive, columns after the last row."""

    def __init__(self, layer: ShrinkShortSide, height: int) -> None:
        self._layer = layer
        self._height = height
        self._width = 0
        self._rows: list[Tensor] = []

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Shrink new rows and keep them; return the image when it is complete."""
        if rows is not None and rows.shape[2]:
            self._width = rows.shape[3]
            self._rows.append(self._layer.shrink_rows(rows, self._height).clone())
        if not last or not self._rows:
            return None
        image = torch.cat(self._rows, dim=2)
        self._rows.clear()
        return self._layer.shrink_columns(image, self._width)


def _resample(x: Tensor, axis: int, length: int) -> Tensor:
    """Resample along an axis with integers, which float64 represents exactly."""
    if x.shape[axis] == length:
        return x
    indices, weights, unit = pillow_bilinear_weights(x.shape[axis], length)
    where = torch.from_numpy(indices.copy()).to(x.device)
    share = torch.from_numpy(weights.copy()).to(device=x.device, dtype=torch.float64)
    if axis == 2:
        share = share[..., None]
    # Rounding has the gradient of the identity, so that the gradient is that of the filter.
    levels = _rounded(x.double() * LEVELS)
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for tap in range(where.shape[1]):
        total = total + levels.index_select(axis, where[:, tap]) * share[:, tap]
    return (_rounded(total / unit).clamp(0, LEVELS) / LEVELS).to(x.dtype)


def _rounded(x: Tensor) -> Tensor:
    """Round halves up, with the gradient of the identity."""
    return x + (torch.floor(x + 0.5) - x).detach()
