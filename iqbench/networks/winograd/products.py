"""Winograd's F(3x3, 3x3) for GPUs, by matrix products only.

A tile of 3x3 outputs is computed from 5x5 inputs in 25 multiplications per pair of channels instead
of 81: Y = A' [(G g G') * (B' d B)] A, where * multiplies element by element and the sum over
channels becomes 25 matrix products.
Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR 2016,
doi:10.1109/CVPR.2016.435. The interpolation points are 0, 1, -1, 1/2 and infinity, which have
small errors (Barabasz, Anderson, Soodhalter and Gregg, ACM TOMS 46, 2020, doi:10.1145/3412380).

It computes in full float32, for which libraries use the direct sum if images are channels-last. The
transforms are matrix products too, so that nothing needs to be compiled.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.networks.stream import Stretch
from iqbench.networks.winograd.minimal import Minimal

__all__ = ["INPUT", "KERNEL", "OUTPUT", "Products"]

_TILE = 3  # outputs along a side
_SIDE = 5  # inputs along a side

_BYTES = 256 << 20
"""Bytes of transformed tiles at once: enough for large products, but small beside the features."""

_HALF, _SIXTH, _THIRD = Fraction(1, 2), Fraction(1, 6), Fraction(1, 3)

INPUT = (
    (_HALF, -1, -_HALF, 1, 0),
    (0, -_HALF, _HALF, 1, 0),
    (0, _HALF, -3 * _HALF, 1, 0),
    (0, -1, 0, 1, 0),
    (0, _HALF, -1, -_HALF, 1),
)
"""B': the transform of five inputs."""

KERNEL = (
    (2, 0, 0),
    (1, 1, 1),
    (-_THIRD, _THIRD, -_THIRD),
    (-8 * _THIRD, -4 * _THIRD, -2 * _THIRD),
    (0, 0, 1),
)
"""G: the transform of three weights."""

OUTPUT = (
    (1, 1, 1, 1, 0),
    (0, 1, -1, _HALF, 0),
    (0, 1, 1, _HALF * _HALF, 1),
)
"""A': the transform of five products to three outputs."""


class Products(Minimal):
    """The convolution on a GPU. Its error is below 1e-5, relative to the largest output."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        kernel = weight.detach().permute(2, 3, 1, 0).reshape(9, -1)
        # Compute in float64, and round once.
        transformed = torch.mm(_both_ways(KERNEL).to(kernel.device), kernel.double()).float()
        self._kernel = transformed.view(_SIDE * _SIDE, self._inputs, self._outputs)
        self._bias = weight.new_zeros(self._outputs) if bias is None else bias.detach()
        self._before = _both_ways(INPUT).float().to(weight.device)
        self._after = _both_ways(OUTPUT).float().to(weight.device)

    def _fill(self, out: Tensor, rows: Stretch, beside: int, *, rectify: bool) -> None:
        """Convolve a few rows of tiles at a time."""
        height, width = out.shape[1:3]
        down, across = -(-height // _TILE), -(-width // _TILE)
        below, right = down * _TILE - height, across * _TILE - width
        sides = (beside, beside + right, rows.above, rows.below + below)
        padded = F.pad(rows.unpadded(), sides).permute(0, 2, 3, 1)
        together, chunk = self._chunks(down, across)
        for images, seen in zip(
            torch.split(out, together), torch.split(padded, together), strict=True
        ):
            tiles = seen.unfold(1, _SIDE, _TILE).unfold(2, _SIDE, _TILE).permute(4, 5, 0, 1, 2, 3)
            for start in range(0, down, chunk):
                found = self._tiles(tiles[:, :, :, start : start + chunk])
                target = images[:, start * _TILE : (start + chunk) * _TILE]
                torch.add(found[:, : target.shape[1], :width], self._bias, out=target)
                if rectify:
                    target.relu_()

    def _tiles(self, tiles: Tensor) -> Tensor:
        """Convolve rows of tiles, (5, 5, N, rows, across, C) to (N, 3 rows, 3 across, C')."""
        _, _, images, rows, across, inputs = tiles.shape
        seen = torch.mm(self._before, tiles.reshape(_SIDE * _SIDE, -1))
        products = torch.bmm(seen.view(_SIDE * _SIDE, -1, inputs), self._kernel)
        found = torch.mm(self._after, products.view(_SIDE * _SIDE, -1))
        spread = found.view(_TILE, _TILE, images, rows, across, -1).permute(2, 3, 0, 4, 1, 5)
        return spread.reshape(images, rows * _TILE, across * _TILE, -1)

    def _chunks(self, down: int, across: int) -> tuple[int, int]:
        """Return the number of images, and of their rows of tiles, to convolve at once."""
        row = across * _SIDE * _SIDE * max(self._inputs, self._outputs) * 4
        return max(1, _BYTES // (row * down)), max(1, _BYTES // row)


def _both_ways(rows: tuple[tuple[Fraction | int, ...], ...]) -> Tensor:
    """Return one matrix for a transform along both axes, float64."""
    matrix = np.array([[float(value) for value in row] for row in rows])
    return torch.from_numpy(np.kron(matrix, matrix))
