"""Gradient magnitude of luma: a network without weights (GMSD and MS-GMSD read it).

Layers: ``luma``, 0.299 R + 0.587 G + 0.114 B; ``half``, ``quarter`` and ``eighth``, the mean over
2x2 of the one before; ``magnitude``, the length of the Prewitt gradient of ``half``;
``magnitude1``, ``magnitude3`` and ``magnitude4``, that of the others. Outside the image there are
zeros, as in MATLAB's ``conv2``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.images.colour import FULL
from iqbench.images.filters import block_mean
from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.networks.backbone import Backbone
from iqbench.networks.layer import Layer, Size
from iqbench.networks.stream import PointwiseStream, Stream, Stretch, WindowStream

__all__ = ["NAMES", "build"]

NAMES = ("gradient",)


def build(name: str) -> Backbone:
    """Build the three layers."""
    nodes: list[tuple[str, Layer]] = [
        ("luma", Luma()),
        ("half", HalfMean()),
        ("magnitude", PrewittMagnitude()),
    ]
    branches: dict[str, list[tuple[str, Layer]]] = {
        "luma": [("magnitude1", PrewittMagnitude())],
        "half": [
            ("quarter", HalfMean()),
            ("eighth", HalfMean()),
            ("magnitude4", PrewittMagnitude()),
        ],
        "quarter": [("magnitude3", PrewittMagnitude())],
    }
    return Backbone(name, {}, nodes, branches)


class Luma(Layer):
    """Full-range luma of RGB; gray stays as it is."""

    def forward(self, x: Tensor) -> Tensor:
        """Convert a whole image."""
        if x.shape[1] == 1:
            return x
        red, green, blue = x.unbind(1)
        luma = red * FULL[0]
        return luma.add_(green, alpha=FULL[1]).add_(blue, alpha=FULL[2]).unsqueeze(1)

    def stream(self) -> Stream:
        """Begin a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return 1, size[1], size[2]


class HalfMean(Layer):
    """Mean over adjacent 2x2 blocks; an incomplete block at the edge is filled with zeros."""

    def forward(self, x: Tensor) -> Tensor:
        """Halve a whole image."""
        return self._halve(Stretch((x,)))

    def _halve(self, rows: Stretch) -> Tensor:
        x = rows.joined(0.0)
        down, across = x.shape[2] % 2, x.shape[3] % 2
        return block_mean(F.pad(x, (0, across, 0, down)) if down or across else x, 2)

    def stream(self) -> Stream:
        """Begin a pass in bands."""
        return WindowStream(kernel=2, stride=2, padding=0, apply=self._halve, ceil=True)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return size[0], (size[1] + 1) // 2, (size[2] + 1) // 2


class PrewittMagnitude(Layer):
    """Length of the gradient by Prewitt's 3x3 filters, divided by 3; zeros outside the image."""

    def forward(self, x: Tensor) -> Tensor:
        """Filter a whole image."""
        return self._filter(Stretch((x,), 1, 1))

    def _filter(self, rows: Stretch) -> Tensor:
        x = F.pad(rows.joined(0.0), (1, 1))
        squares = None
        for along, other in ((2, 3), (3, 2)):
            first, middle, last = (x.narrow(along, at, x.shape[along] - 2) for at in range(3))
            total = torch.add(first, middle).add_(last)
            length = total.shape[other] - 2
            slope = total.narrow(other, 0, length) - total.narrow(other, 2, length)
            squares = slope.square() if squares is None else squares.addcmul_(slope, slope)
        assert squares is not None
        return safe_sqrt(squares.mul_(1 / 9))

    def stream(self) -> Stream:
        """Begin a pass in bands."""
        return WindowStream(kernel=3, stride=1, padding=1, apply=self._filter)

    def size(self, size: Size) -> Size:
        """Return the size of the output, unchanged."""
        return size
