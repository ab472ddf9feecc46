"""Convolutions with a 3x3 kernel by Winograd's minimal filtering: fewer multiplications.

A tile of 3x3 outputs is computed from 5x5 inputs in 25 multiplications a pair of channels instead
of 81: Y = A' [(G g G') * (B' d B)] A, where * multiplies element by element and the sum over
channels becomes 25 matrix products.
Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR 2016,
doi:10.1109/CVPR.2016.435. Points of interpolation: 0, 1, -1, 1/2 and infinity, which Barabasz,
Anderson, Soodhalter and Gregg (ACM TOMS 46, 2020, doi:10.1145/3412380) found to lose little.

Only for processors: libraries for GPUs choose such algorithms themselves. The transforms are
matrix products too, so that nothing need be compiled; they pay from about a hundred channels on.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["INPUT", "KERNEL", "OUTPUT", "Winograd", "pays"]

_TILE = 3  # outputs along a side
_SIDE = 5  # inputs along a side
_BYTES = 6 << 20
"""A chunk's transformed tiles, for each thread: they go through the caches (measured)."""

_CHANNELS = 96
"""Fewer channels on either side, and the transforms cost more than they save (measured)."""

_POSITIONS = 256
"""So few positions are too few for the matrix products to gain (measured)."""

_HALF, _SIXTH, _THIRD = Fraction(1, 2), Fraction(1, 6), Fraction(1, 3)

INPUT = (
    (_HALF, -1, -_HALF, 1, 0),
    (0, -_HALF, _HALF, 1, 0),
    (0, _HALF, -3 * _HALF, 1, 0),
    (0, -1, 0, 1, 0),
    (0, _HALF, -1, -_HALF, 1),
)
"""B': what becomes of five inputs."""

KERNEL = (
    (2, 0, 0),
    (1, 1, 1),
    (-_THIRD, _THIRD, -_THIRD),
    (-8 * _THIRD, -4 * _THIRD, -2 * _THIRD),
    (0, 0, 1),
)
"""G: what becomes of three weights."""

OUTPUT = (
    (1, 1, 1, 1, 0),
    (0, 1, -1, _HALF, 0),
    (0, 1, 1, _HALF * _HALF, 1),
)
"""A': how three outputs are made of five products."""


def pays(x: Tensor, weight: Tensor) -> bool:
    """Tell whether this way is the faster one, and may be taken.

    Parameters
    ----------
    x
        What is to be convolved, (N, C, H, W).
    weight
        (C', C, k, k).

    Returns
    -------
    bool
        False outside inference mode, on GPUs, and in other types than float32. A loss takes the
        same way for both of its images, though only one has gradients: equal images differ by 0.
    """
    return (
        weight.shape[2:] == (3, 3)
        and min(weight.shape[:2]) >= _CHANNELS
        and x.shape[2] * x.shape[3] >= _POSITIONS
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and torch.is_inference_mode_enabled()
    )


class Winograd:
    """A convolution of stride 1 with its kernel transformed.

    Parameters
    ----------
    weight
        (C', C, 3, 3).
    bias
        (C',), or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        outputs, inputs = weight.shape[:2]
        kernel = weight.detach().permute(2, 3, 1, 0).reshape(9, -1)
        # In float64, and rounded once.
        transformed = torch.mm(_both_ways(KERNEL), kernel.double()).float()
        self._kernel = transformed.view(_SIDE * _SIDE, inputs, outputs)
        self._bias = weight.new_zeros(outputs) if bias is None else bias.detach()
        self._before = _both_ways(INPUT).float()
        self._after = _both_ways(OUTPUT).float()

    def __call__(self, x: Tensor, padding: tuple[int, int]) -> Tensor:
        """Convolve.

        Parameters
        ----------
        x
            (N, C, H, W) float32.
        padding
            Zeros above and below, left and right.

        Returns
        -------
        Tensor
            (N, C', H', W'), channels last in memory. Equal to the direct sum within 1e-5 of the
            largest output.
        """
        above, beside = padding
        height, width = x.shape[2] + 2 * above - 2, x.shape[3] + 2 * beside - 2
        down, across = -(-height // _TILE), -(-width // _TILE)
        below, right = down * _TILE - height, across * _TILE - width
        padded = F.pad(x, (beside, beside + right, above, above + below))
        channels = self._kernel.shape[2]
        out = torch.empty(x.shape[0], height, width, channels)
        chunk = self._rows(across)
        for image, rows in zip(out, padded.permute(0, 2, 3, 1), strict=True):
            tiles = rows.unfold(0, _SIDE, _TILE).unfold(1, _SIDE, _TILE).permute(3, 4, 0, 1, 2)
            for start in range(0, down, chunk):
                found = self._tiles(tiles[:, :, start : start + chunk])
                target = image[start * _TILE : (start + chunk) * _TILE]
                torch.add(found[: len(target), :width], self._bias, out=target)
        return out.permute(0, 3, 1, 2)

    def _tiles(self, tiles: Tensor) -> Tensor:
        """Convolve rows of tiles, (5, 5, rows, across, C) to (3 rows, 3 across, C')."""
        _, _, rows, across, inputs = tiles.shape
        seen = torch.mm(self._before, tiles.reshape(_SIDE * _SIDE, -1))
        products = torch.bmm(seen.view(_SIDE * _SIDE, -1, inputs), self._kernel)
        found = torch.mm(self._after, products.view(_SIDE * _SIDE, -1))
        spread = found.view(_TILE, _TILE, rows, across, -1).permute(2, 0, 3, 1, 4)
        return spread.reshape(rows * _TILE, across * _TILE, -1)

    def _rows(self, across: int) -> int:
        """Say how many rows of tiles go through at once."""
        channels = max(self._kernel.shape[1:])
        row = across * _SIDE * _SIDE * channels * 4
        return max(1, _BYTES * torch.get_num_threads() // row)


def _both_ways(rows: tuple[tuple[Fraction | int, ...], ...]) -> Tensor:
    """Make one matrix of a transform down and across, float64."""
    matrix = np.array([[float(value) for value in row] for row in rows])
    return torch.from_numpy(np.kron(matrix, matrix))
