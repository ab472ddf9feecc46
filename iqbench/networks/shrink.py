"""The layer that makes an image's short side 256 pixels long, as DISTS' authors do."""

from __future__ import annotations

import torch
from torch import Tensor

from iqbench.images.resize import pillow_bilinear_weights
from iqbench.networks.layer import NetworkLayer, Size
from iqbench.networks.stream import Stream

__all__ = ["ShrinkShortSide"]

LEVELS = 255


class ShrinkShortSide(NetworkLayer):
    """Shrink images whose short side is longer, by Pillow's bilinear filter on 8 bits.

    Along the rows first, rounded to 8 bits after each direction: bit by bit what torchvision's
    ``resize(image, side)`` gives of a Pillow image with Pillow 10. Later versions of Pillow take
    the columns of tall images first, and differ by a level there. Images that are small enough
    stay as they are.

    Parameters
    ----------
    side
        What the short side shall have at most, in pixels.
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
        """Shrink along the rows, of an image of a height; (N, C, h, W) to (N, C, h, w)."""
        size = (height, x.shape[3])
        return x if self.target(*size) == size else _resample(x, 3, self.target(*size)[1])

    def shrink_columns(self, x: Tensor, width: int) -> Tensor:
        """Shrink along the columns, of an image of a width; (N, C, H, w) to (N, C, h, w)."""
        size = (x.shape[2], width)
        return x if self.target(*size) == size else _resample(x, 2, self.target(*size)[0])

    def stream_of(self, height: int) -> Stream:
        """Begin a pass in bands."""
        return _ShrinkingStream(self, height)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return size[0], *self.target(*size[1:])


class _ShrinkingStream:
    """One pass of one batch: rows are shrunk as they come, columns when all rows are there."""

    def __init__(self, layer: ShrinkShortSide, height: int) -> None:
        self._layer = layer
        self._height = height
        self._width = 0
        self._rows: list[Tensor] = []

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Shrink new rows and keep them; give the image when it is complete."""
        if rows is not None and rows.shape[2]:
            self._width = rows.shape[3]
            self._rows.append(self._layer.shrink_rows(rows, self._height).clone())
        if not last or not self._rows:
            return None
        image = torch.cat(self._rows, dim=2)
        self._rows.clear()
        return self._layer.shrink_columns(image, self._width)


def _resample(x: Tensor, axis: int, length: int) -> Tensor:
    """Resample along an axis in whole numbers, which float64 holds exactly."""
    if x.shape[axis] == length:
        return x
    indices, weights, unit = pillow_bilinear_weights(x.shape[axis], length)
    where = torch.from_numpy(indices.copy()).to(x.device)
    share = torch.from_numpy(weights.copy()).to(device=x.device, dtype=torch.float64)
    if axis == 2:
        share = share[..., None]
    # Rounding has no gradient; that of the filter is kept.
    levels = _rounded(x.double() * LEVELS)
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for tap in range(where.shape[1]):
        total = total + levels.index_select(axis, where[:, tap]) * share[:, tap]
    return (_rounded(total / unit).clamp(0, LEVELS) / LEVELS).to(x.dtype)


def _rounded(x: Tensor) -> Tensor:
    """Round halves up, and let gradients pass."""
    return x + (torch.floor(x + 0.5) - x).detach()
