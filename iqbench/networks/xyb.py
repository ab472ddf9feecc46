"""XYB of an image at six scales: a network without weights (SSIMULACRA 2 reads it).

Layers: ``linear1``, linear light of sRGB; ``linear2`` to ``linear6``, the mean over 2x2 of the
scale before, with an odd last row or column repeated; ``xyb1`` to ``xyb6``, JPEG XL's X, Y and
B - Y of each, scaled to about [0, 1] and padded with zeros as wide as the blur.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.images.colour import linear_light
from iqbench.native import library, loops
from iqbench.networks.backbone import Backbone
from iqbench.networks.layer import Layer, NetworkLayer, Size
from iqbench.networks.pyramid import Halve
from iqbench.networks.stream import PointwiseStream, Stream

__all__ = ["BORDER", "NAMES", "SCALES", "build"]

NAMES = ("xyb",)

SCALES = 6
BORDER = 4
"""Rows and columns of zeros on each side."""

BIAS = 0.0037930732552754493
OPSIN = (
    (0.30, 1 - 0.078 - 0.30, 0.078),
    (0.23, 1 - 0.078 - 0.23, 0.078),
    (
        0.24342268924547819,
        0.20476744424496821,
        1 - 0.24342268924547819 - 0.20476744424496821,
    ),
)
"""Absorbance of the three kinds of cones, for linear sRGB."""
CONSTANTS = (*(weight for row in OPSIN for weight in row), BIAS, BIAS ** (1 / 3))
"""The constants in the order that the compiled loop expects."""


def build(name: str) -> Backbone:
    """Build six scales of linear light, and a branch from each."""
    scales: list[tuple[str, NetworkLayer]] = [("linear1", Linear())]
    scales += [(f"linear{scale}", Halve("repeat")) for scale in range(2, SCALES + 1)]
    branches = {
        f"linear{scale}": [(f"xyb{scale}", SurroundedXyb())] for scale in range(1, SCALES + 1)
    }
    return Backbone(name, {}, scales, branches)


class Linear(Layer):
    """Linear light of sRGB; gray counts as three equal channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Convert a whole image."""
        return linear_light(x).expand(-1, 3, -1, -1)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return 3, size[1], size[2]


class SurroundedXyb(Layer):
    """X, Y and B - Y of linear light, each in about [0, 1], padded with `BORDER` zeros."""

    def forward(self, x: Tensor) -> Tensor:
        """Convert a whole image."""
        return F.pad(self.convert(x), (0, 0, BORDER, BORDER))

    def convert(self, x: Tensor) -> Tensor:
        """Convert rows, and pad them with zeros on the left and right."""
        if library.suits(x):
            return torch.stack(
                [loops.xyb_planes(image, CONSTANTS, BORDER) for image in x.contiguous()]
            )
        red, green, blue = x.unbind(1)
        long, middle, short = (
            (r * red + g * green + b * blue + BIAS).clamp_min(0) ** (1 / 3) - BIAS ** (1 / 3)
            for r, g, b in OPSIN
        )
        luma = (long + middle) / 2
        opponent = 14 * (long - middle) / 2 + 0.42
        planes = torch.stack([opponent, luma + 0.01, short - luma + 0.55], dim=1)
        return F.pad(planes, (BORDER, BORDER))

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return _SurroundingStream(self)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return size[0], size[1] + 2 * BORDER, size[2] + 2 * BORDER


class _SurroundingStream:
    """One pass of one batch: adds zeros above the first rows and below the last."""

    def __init__(self, layer: SurroundedXyb) -> None:
        self._layer = layer
        self._above = BORDER
        self._zeros: Tensor | None = None

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Convert the rows."""
        pieces = []
        if rows is not None and rows.shape[2]:
            converted = self._layer.convert(rows)
            self._zeros = converted.new_zeros((*converted.shape[:2], BORDER, converted.shape[3]))
            pieces = [self._zeros[:, :, : self._above], converted]
            self._above = 0
        if last and self._zeros is not None:
            pieces.append(self._zeros)
        return torch.cat(pieces, dim=2) if pieces else None
