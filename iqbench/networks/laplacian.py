"""The normalised Laplacian pyramid of luma: a network without weights (NLPD reads it).

Layers: ``scale1``, 0.299 R + 0.587 G + 0.114 B; ``scale2`` to ``scale6``, every second row and
column of the scale before after filtering with Burt and Adelson's five weights (mirrored at the
edges); ``laplacian1`` to ``laplacian5``, each scale minus the enlarged next one; ``normalised1`` to
``normalised6``, these and the last scale, each divided by a constant plus a weighted sum of the
surrounding magnitudes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.images.filters import filter_axis
from iqbench.networks.backbone import Backbone
from iqbench.networks.border import BorderedStream, extend
from iqbench.networks.gradient import Luma
from iqbench.networks.layer import Layer, NetworkLayer, Size
from iqbench.networks.stream import (
    ChainStream,
    ParallelStream,
    PointwiseStream,
    Stream,
    Stretch,
    WindowStream,
)

__all__ = ["NAMES", "SCALES", "build"]

NAMES = ("laplacian",)

SCALES = 6
WEIGHTS = (0.05, 0.25, 0.4, 0.25, 0.05)
REACH = len(WEIGHTS) // 2

SIGMAS = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782)
Neighbours = Sequence[tuple[int, int, float]]
NEIGHBOURS: Sequence[Neighbours] = (
    ((-1, 0, 0.1011), (0, -1, 0.1493), (0, 1, 0.1460), (0, 2, 0.0072), (1, 0, 0.1015)),
    ((-1, 0, 0.0757), (0, -1, 0.1986), (0, 1, 0.1846), (1, 0, 0.0837)),
    ((-1, 0, 0.0477), (0, -1, 0.2138), (0, 1, 0.2243), (1, 0, 0.0467)),
    ((0, -1, 0.2503), (0, 1, 0.2616)),
    ((0, -1, 0.2598), (0, 1, 0.2552)),
    ((0, -1, 0.2215), (0, 1, 0.0717)),
)
"""At each scale, row and column (relative to the middle) and value of each weight in the authors'
filter. MATLAB's conv2 flips the filter, so a weight belongs to the neighbour on the other side."""
AROUND = 2


def build(name: str) -> Backbone:
    """Build six scales, and the normalised difference between each and the next."""
    scales: list[tuple[str, NetworkLayer]] = [("scale1", Luma())]
    scales += [(f"scale{scale}", Reduce()) for scale in range(2, SCALES + 1)]
    branches: dict[str, list[tuple[str, NetworkLayer]]] = {
        f"scale{scale}": [
            (f"laplacian{scale}", Laplacian()),
            (f"normalised{scale}", DivisiveNormalisation(SIGMAS[scale - 1], NEIGHBOURS[scale - 1])),
        ]
        for scale in range(1, SCALES)
    }
    last = (f"normalised{SCALES}", DivisiveNormalisation(SIGMAS[-1], NEIGHBOURS[-1]))
    return Backbone(name, {}, scales, {**branches, f"scale{SCALES}": [last]})


class Reduce(Layer):
    """Five weights along both axes, mirrored at the edges, at every second position."""

    def forward(self, x: Tensor) -> Tensor:
        """Reduce a whole image."""
        return self._filter(Stretch((extend(x, REACH, REACH, "symmetric", axis=2),)))

    def _filter(self, rows: Stretch) -> Tensor:
        x = filter_axis(rows.joined(0.0), WEIGHTS, 2, stride=2)
        x = extend(x, REACH, REACH, "symmetric", axis=3)
        return filter_axis(x, WEIGHTS, 3, stride=2)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        inner = WindowStream(kernel=len(WEIGHTS), stride=2, padding=0, apply=self._filter)
        return BorderedStream(inner, REACH, "symmetric")

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return size[0], (size[1] + 1) // 2, (size[2] + 1) // 2


class Laplacian(NetworkLayer):
    """A scale minus the next one, which is enlarged to its size."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute the difference of a whole image."""
        small = Reduce().forward(x)
        return x - _enlarge(extend(small, 1, 1, "replicate", axis=2), x.shape[2], x.shape[3])

    def stream_of(self, height: int) -> Stream:
        """Start a pass in bands."""
        through = _EnlargingStream(height)
        inner = WindowStream(kernel=3, stride=1, padding=0, apply=through.enlarge)
        there = ChainStream([Reduce().stream(), BorderedStream(inner, 1, "replicate")])
        here = through.note_width
        return ParallelStream([PointwiseStream(here), there], lambda pair: pair[0] - pair[1])

    def size(self, size: Size) -> Size:
        """Return the size, unchanged."""
        return size


class _EnlargingStream:
    """One pass of one batch; it counts the rows of the enlarged image that are still missing."""

    def __init__(self, height: int) -> None:
        self._left = height
        self._width = 0

    def note_width(self, rows: Tensor) -> Tensor:
        """Record the width of the enlarged image from the rows that arrive."""
        self._width = rows.shape[3]
        return rows

    def enlarge(self, rows: Stretch) -> Tensor:
        """Enlarge rows that have a neighbour above and below."""
        x = rows.joined(0.0)
        height = min(self._left, 2 * (x.shape[2] - 2))
        self._left -= height
        return _enlarge(x, height, self._width)


def _enlarge(rows: Tensor, height: int, width: int) -> Tensor:
    """Double rows and columns by the five weights; `rows` has one more row above and below."""
    tall = _doubled(rows, 2, height)
    return _doubled(extend(tall, 1, 1, "replicate", axis=3), 3, width)


def _doubled(x: Tensor, axis: int, length: int) -> Tensor:
    """Double along an axis: a sample at each position, and one between it and the next."""
    count = x.shape[axis] - 2
    before, here, after = (x.narrow(axis, place, count) for place in range(3))
    even = (before + after) * (2 * WEIGHTS[0]) + here * (2 * WEIGHTS[2])
    odd = (here + after) * (2 * WEIGHTS[1])
    return torch.stack([even, odd], dim=axis + 1).flatten(axis, axis + 1).narrow(axis, 0, length)


class DivisiveNormalisation(Layer):
    """Values divided by a constant plus a weighted sum of the surrounding magnitudes.

    Parameters
    ----------
    sigma
        The constant.
    neighbours
        Row and column (relative to the middle) and value of each weight in the filter. The image
        is padded with zeros.
    """

    def __init__(self, sigma: float, neighbours: Neighbours) -> None:
        super().__init__()
        self._sigma = sigma
        self._neighbours = neighbours

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a whole image."""
        return self._normalise(Stretch((x,), AROUND, AROUND))

    def _normalise(self, rows: Stretch) -> Tensor:
        x = F.pad(rows.joined(0.0), (AROUND, AROUND))
        height, width = (side - 2 * AROUND for side in x.shape[2:])
        magnitudes = x.abs()

        def shifted(image: Tensor, down: int, across: int) -> Tensor:
            return image.narrow(2, AROUND + down, height).narrow(3, AROUND + across, width)

        total: Tensor | None = None
        for down, across, weight in self._neighbours:
            part = shifted(magnitudes, -down, -across)
            total = part * weight if total is None else total.add_(part, alpha=weight)
        assert total is not None
        return shifted(x, 0, 0) / (total + self._sigma)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return WindowStream(kernel=2 * AROUND + 1, stride=1, padding=AROUND, apply=self._normalise)

    def size(self, size: Size) -> Size:
        """Return the size, unchanged."""
        return size
