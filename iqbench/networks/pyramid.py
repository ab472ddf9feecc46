"""Pixels at halved scales: a network without weights (MS-SSIM reads it).

Layers: ``scale2`` ... ``scale5``, each the mean over 2x2 of the scale before. Implementations treat
odd sides differently; there is one network for each treatment.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from iqbench.images.filters import block_mean
from iqbench.networks.backbone import Backbone
from iqbench.networks.layer import NetworkLayer, Size
from iqbench.networks.stream import Stream

__all__ = ["NAMES", "Halving", "build", "network_of"]

Halving = Literal["repeat", "zero", "crop", "repeat-first"]
"""The treatment of odd sides before the mean over 2x2.

``repeat``: the last row or column is repeated. ``zero``: a row or column of zeros is added before
the first, and counts in the mean. ``crop``: the last row or column is left out.
``repeat-first``: if either side is odd, the first row and the first column are repeated.
"""

SCALES = 5


def network_of(halving: Halving) -> str:
    """Return the name of the network with this treatment of odd sides."""
    return f"pyramid-{halving}"


_HALVINGS: dict[str, Halving] = {
    network_of("repeat"): "repeat",
    network_of("zero"): "zero",
    network_of("crop"): "crop",
    network_of("repeat-first"): "repeat-first",
}
NAMES = tuple(_HALVINGS)


def build(name: str) -> Backbone:
    """Build a pyramid of five scales; the first is the image."""
    nodes: list[tuple[str, NetworkLayer]] = [
        (f"scale{scale}", Halve(_HALVINGS[name])) for scale in range(2, SCALES + 1)
    ]
    return Backbone(name, {}, nodes)


class Halve(NetworkLayer):
    """Mean over adjacent blocks of 2x2 pixels.

    Parameters
    ----------
    halving
        The treatment of odd sides.
    """

    def __init__(self, halving: Halving) -> None:
        super().__init__()
        self._halving = halving

    def border(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the padding in columns and rows: left, right, top, bottom."""
        rows, columns = height % 2, width % 2
        return {
            "repeat": (0, columns, 0, rows),
            "zero": (columns, 0, rows, 0),
            "crop": (0, 0, 0, 0),
            "repeat-first": (max(rows, columns), 0, max(rows, columns), 0),
        }[self._halving]

    def forward(self, x: Tensor) -> Tensor:
        """Halve a whole image."""
        left, right, top, bottom = self.border(*x.shape[2:])
        rows = self.lengthen(x, top, bottom, axis=2)
        return self.average(rows, left, right)

    def lengthen(self, x: Tensor, before: int, after: int, *, axis: int) -> Tensor:
        """Add at most one row (axis 2) or column (axis 3) before and after an image."""
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
        if self._halving == "zero":
            first, last = torch.zeros_like(first), torch.zeros_like(last)
        pieces = [first] * before + [x] + [last] * after
        return torch.cat(pieces, dim=axis) if len(pieces) > 1 else x

    def average(self, rows: Tensor, left: int, right: int) -> Tensor:
        """Average over 2x2; an unpaired last row or column is left out."""
        return block_mean(self.lengthen(rows, left, right, axis=3), 2)

    def stream_of(self, height: int) -> Stream:
        """Start a pass in bands; the height decides how rows are paired."""
        return _HalvingStream(self, height)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        channels, height, width = size
        left, right, top, bottom = self.border(height, width)
        return channels, (height + top + bottom) // 2, (width + left + right) // 2


class _HalvingStream:
    """One pass of one batch through a `Halve` layer; an unpaired row is kept for the next band."""

    def __init__(self, layer: Halve, height: int) -> None:
        self._layer = layer
        self._height = height
        self._waiting: Tensor | None = None
        self._begun = False

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Average the complete pairs of rows."""
        pieces = [piece for piece in (self._waiting, rows) if piece is not None and piece.shape[2]]
        if not pieces:
            return None
        held = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)
        left, right, top, bottom = self._layer.border(self._height, held.shape[3])
        held = self._layer.lengthen(held, 0 if self._begun else top, bottom if last else 0, axis=2)
        self._begun = True
        pairs = held.shape[2] // 2 * 2
        # Copy: a view would keep the whole band in memory.
        self._waiting = held[:, :, pairs:].clone()
        return self._layer.average(held[:, :, :pairs], left, right) if pairs else None
