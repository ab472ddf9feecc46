"""Winograd's F(4x4, 3x3) for processors: transforms as sums, products by oneDNN.

A tile of 4x4 outputs is computed from 6x6 inputs in 36 multiplications a pair of channels instead
of 144: Y = A' [(G g G') * (B' d B)] A, where * multiplies element by element and the sum over
channels becomes 36 matrix products.
Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR 2016,
doi:10.1109/CVPR.2016.435. Points of interpolation: 0, 1, -1, 2, -2 and infinity, as there.

The transforms add whole rows of features, a few rows of tiles at a time, so that all stays in the
caches; the products of many tiles are one grouped 1x1 convolution with a packed kernel, for which
oneDNN takes the widest vectors of any make of processor.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.networks.onednn import add_grouped_products, pack_grouped_kernel
from iqbench.networks.winograd.minimal import Minimal

__all__ = [
    "KERNEL",
    "TILE",
    "Sums",
    "tiles_at_once",
    "transform_inputs",
    "transform_products",
]

TILE = 4  # outputs along a side
_SIDE = 6  # inputs along a side
_POINTS = _SIDE * _SIDE

_TILES = ((72_000, 48), (1 << 14, 96), (0, 192))
"""Tiles whose products are formed at once, for so many pairs of channels and more (measured).

Always as many, since a packed kernel suits one number; and fewer of many channels, since images
have few tiles there."""

KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
"""G: what becomes of three weights."""

_ONE = 1
"""The point at which a constant is transformed to itself: there the bias is added."""

_PART = 1 << 15
"""Pairs of channels whose kernels are transformed at once: they stay in the caches."""

_LINE = 16
"""Values of a line of the caches."""

_room = threading.local()


def transform_inputs(d: Sequence[Tensor], to: Sequence[Tensor], spare: Tensor) -> None:
    """Apply B' along one direction: what becomes of six inputs.

    Parameters
    ----------
    d
        Six tensors of one shape.
    to
        Where the six results go; no memory of `d`.
    spare
        Of the same shape, overwritten.
    """
    add, sub, even = torch.add, torch.sub, to[5]
    add(d[4], d[2], alpha=-4, out=even)
    add(d[3], d[1], alpha=-4, out=spare)
    add(even, spare, out=to[1])
    sub(even, spare, out=to[2])
    sub(d[4], d[2], out=even)
    sub(d[3], d[1], out=spare)
    add(even, spare, alpha=2, out=to[3])
    sub(even, spare, alpha=2, out=to[4])
    sub(d[0], d[2], out=to[0])
    add(even, to[0], alpha=4, out=to[0])
    sub(d[5], d[3], out=to[5])
    sub(to[5], spare, alpha=4, out=to[5])


def transform_products(m: Sequence[Tensor], to: Sequence[Tensor], spare: Sequence[Tensor]) -> None:
    """Apply A' along one direction: how four outputs are made of six products.

    Parameters
    ----------
    m
        Six tensors of one shape.
    to
        Where the four results go; no memory of `m`.
    spare
        Four of the same shape, overwritten.
    """
    add, sub = torch.add, torch.sub
    even, odd, far_even, far_odd = spare
    add(m[1], m[2], out=even)
    sub(m[1], m[2], out=odd)
    add(m[3], m[4], out=far_even)
    sub(m[3], m[4], out=far_odd)
    add(odd, far_odd, alpha=2, out=to[1])
    add(even, far_even, alpha=4, out=to[2])
    add(odd, far_odd, alpha=8, out=odd)
    add(odd, m[5], out=to[3])
    add(even, far_even, out=even)
    add(even, m[0], out=to[0])


def tiles_at_once(outputs: int, inputs: int) -> int:
    """Say for how many tiles the products are formed at once."""
    return next(tiles for pairs, tiles in _TILES if outputs * inputs >= pairs)


class Sums(Minimal):
    """The convolution on a processor; within 3e-5 of the direct sum, of its largest output."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        self._tiles = tiles_at_once(self._outputs, self._inputs)
        kernel = _transform_kernel(weight.detach())
        self._kernel = pack_grouped_kernel(kernel, _POINTS, self._tiles)
        spread = kernel.new_zeros(_SIDE, _SIDE, self._outputs)
        if bias is not None:
            spread[_ONE, _ONE] = bias.detach()
        self._bias = spread.flatten()

    def _fill(self, out: Tensor, x: Tensor, padding: tuple[int, int], *, rectify: bool) -> None:
        """Convolve a block of tiles at a time."""
        above, beside = padding
        high, wide = out.shape[1:3]
        rows, columns = _shape(-(-high // TILE), -(-wide // TILE), self._tiles)
        blocks: dict[tuple[int, int], _Block] = {}
        for seen, found in zip(x.permute(0, 2, 3, 1).contiguous(), out, strict=True):
            for top in range(0, high, rows * TILE):
                for left in range(0, wide, columns * TILE):
                    to = found[top : top + rows * TILE, left : left + columns * TILE]
                    size = -(-to.shape[0] // TILE), -(-to.shape[1] // TILE)
                    if size not in blocks:
                        blocks[size] = _Block(*size, self._inputs, self._outputs, self._tiles)
                    block = blocks[size]
                    block.take(seen, top - above, left - beside)
                    block.multiply(self._kernel, self._bias)
                    block.give(to)
                    if rectify:
                        to.relu_()


def _transform_kernel(weight: Tensor) -> Tensor:
    """Make (36 C', C, 1, 1) of (C', C, 3, 3): in float64, a part at a time, and rounded once."""
    one_way = torch.tensor(KERNEL, dtype=torch.float64)
    both_ways = torch.kron(one_way, one_way)
    kernel = weight.permute(2, 3, 0, 1).reshape(9, -1)
    transformed = kernel.new_empty(_POINTS, kernel.shape[1])
    parts, targets = (torch.split(one, _PART, dim=1) for one in (kernel, transformed))
    for part, to in zip(parts, targets, strict=True):
        to.copy_(torch.mm(both_ways, part.double()))
    return transformed.view(-1, weight.shape[1], 1, 1)


def _shape(down: int, across: int, tiles: int) -> tuple[int, int]:
    """Choose the rows and columns of a block, of so many tiles at most: as few blocks as can be."""

    def blocks(rows: int) -> int:
        return -(-down // rows) * -(-across // min(across, tiles // rows))

    fewest = min(range(1, min(down, tiles) + 1), key=blocks)
    return fewest, min(across, tiles // fewest)


class _Block:
    """Room for a rectangle of tiles; its last row and column may reach beyond the image.

    Parameters
    ----------
    down, across
        How many.
    inputs, outputs
        Channels.
    tiles
        For how many the products are formed, needed or not.
    """

    def __init__(self, down: int, across: int, inputs: int, outputs: int, tiles: int) -> None:
        self._height, self._width = down * TILE, across * TILE
        count = down * across
        self._half, seen, products, found, spare = _carve(
            (_SIDE, down, self._width + 2, inputs),
            (tiles, _SIDE, _SIDE, inputs),
            (tiles, _SIDE, _SIDE, outputs),
            (_SIDE, count, TILE, outputs),
            (max(6 * count * inputs, 24 * count * outputs),),
        )
        self._spare = spare

        # What never changes is said once: it takes as long as the sums themselves.
        stop = self._width - TILE + 1
        self._columns = [self._half[:, :, column : column + stop : TILE] for column in range(_SIDE)]
        placed = seen[:count].view(down, across, _SIDE, _SIDE, inputs)
        self._placed = placed.permute(3, 2, 0, 1, 4).unbind()
        self._seen, self._products = (
            one.view(1, tiles, 1, -1).permute(0, 3, 1, 2) for one in (seen, products)
        )
        self._along = products[:count].permute(2, 1, 0, 3).unbind()
        self._joined = found.permute(2, 0, 1, 3).unbind()
        self._found = found.view(_SIDE, down, self._width, outputs)
        self._spare_columns = self._room(self._columns[0].shape)
        self._spare_along = self._room((TILE, *self._along[0].shape)).unbind()

    def take(self, image: Tensor, top: int, left: int) -> None:
        """Transform the inputs of all tiles from a corner of (H, W, C) on, with zeros around."""
        height, width = self._height + 2, self._width + 2
        before, after = max(-left, 0), max(left + width - image.shape[1], 0)
        inner = image[max(top, 0) : top + height, max(left, 0) : left + width]
        above, below = max(-top, 0), max(top + height - len(image), 0)
        if above or below:
            inner = F.pad(inner, (0, 0, 0, 0, above, below))
        self._half[:, :, :before].zero_()
        self._half[:, :, width - after :].zero_()
        stop = height - _SIDE + 1
        rows = [inner[row : row + stop : TILE] for row in range(_SIDE)]
        to = self._half[:, :, before : width - after]
        transform_inputs(rows, to.unbind(), self._room(rows[0].shape))
        transform_inputs(self._columns, self._placed, self._spare_columns)

    def multiply(self, kernel: Tensor, bias: Tensor) -> None:
        """Form the products and transform them along the rows."""
        self._products.zero_()
        add_grouped_products(self._products, self._seen, kernel, bias, _POINTS)
        transform_products(self._along, self._joined, self._spare_along)

    def give(self, to: Tensor) -> None:
        """Transform the products along the columns too, as far as (h, w, C') reaches."""
        height, width, outputs = to.shape
        whole = to if height == self._height else to.new_empty(self._height, width, outputs)
        rows = whole.view(-1, TILE, width, outputs).unbind(1)
        spare = self._room((TILE, *rows[0].shape))
        transform_products(self._found[:, :, :width].unbind(), rows, spare.unbind())
        if whole is not to:
            to.copy_(whole[:height])

    def _room(self, shape: Sequence[int]) -> Tensor:
        return self._spare[: prod(shape)].view(shape)


def _carve(*shapes: tuple[int, ...]) -> list[Tensor]:
    """Return float32 tensors side by side in one stretch of memory, a stretch for each thread.

    What they hold is finite: products of tiles that nobody needs are formed with it.
    """
    sizes = [-(-prod(shape) // _LINE) * _LINE for shape in shapes]
    if getattr(_room, "floats", torch.empty(0)).numel() < sum(sizes):
        with torch.inference_mode(mode=False):  # it must also serve calls outside
            _room.floats = torch.zeros(sum(sizes))
    parts = torch.split(_room.floats[: sum(sizes)], sizes)
    return [part[: prod(shape)].view(shape) for part, shape in zip(parts, shapes, strict=True)]
