"""Gradient magnitude of luma: a network without weights (GMSD and MS-GMSD read it).

Layers: ``luma``, 0.299 R + 0.587 G + 0.114 B; ``half``, ``quarter`` and ``eighth``, the mean over
2x2 of the one before; ``magnitude``, the length of the Prewitt gradient of ``half``;
``magnitude1``, ``magnitude3`` and ``magnitude4``, the same of the other scales. The image is padded
with zeros, as in MATLAB's ``conv2``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.images.colour import FULL
from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.native import library, loops
from iqbench.networks.backbone import Backbone
from iqbench.networks.layer import Layer, Size
from iqbench.networks.planes import Matrix, block_planes
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
    """Full-range luma of RGB; gray is not changed."""

    def forward(self, x: Tensor) -> Tensor:
        """Convert a whole image."""
        if x.shape[1] == 1:
            return x
        return block_planes(x, (FULL,))

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return 1, size[1], size[2]


class HalfMean(Layer):
    """Mean over adjacent 2x2 blocks; an incomplete block at the edge is filled with zeros.

    Parameters
    ----------
    matrix
        If given, the colours are then mixed: each row has the weights of red, green and blue in a
        channel of the output. Gray is not changed.
    """

    def __init__(self, matrix: Matrix | None = None) -> None:
        super().__init__()
        self._matrix = matrix

    def forward(self, x: Tensor) -> Tensor:
        """Halve a whole image."""
        return self._halve(Stretch((x,)))

    def _halve(self, rows: Stretch) -> Tensor:
        x = rows.joined(0.0)
        return block_planes(x, self._matrix if x.shape[1] == 3 else None, 2)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return WindowStream(kernel=2, stride=2, padding=0, apply=self._halve, ceil=True)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        channels = len(self._matrix) if self._matrix and size[0] == 3 else size[0]
        return channels, (size[1] + 1) // 2, (size[2] + 1) // 2


class PrewittMagnitude(Layer):
    """Length of the gradient by Prewitt's 3x3 filters, divided by 3; zeros outside the image."""

    def forward(self, x: Tensor) -> Tensor:
        """Filter a whole image."""
        return self._filter(Stretch((x,), 1, 1))

    def _filter(self, rows: Stretch) -> Tensor:
        if library.suits(rows.pieces[0]):
            planes = rows.joined(0.0)
            found = loops.gradient_lengths(
                planes.flatten(0, 1).contiguous(), "prewitt", above=0, below=0
            )
            return found.view(*planes.shape[:2], *found.shape[1:])
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
        """Start a pass in bands."""
        return WindowStream(kernel=3, stride=1, padding=1, apply=self._filter)

    def size(self, size: Size) -> Size:
        """Return the size of the output, unchanged."""
        return size
