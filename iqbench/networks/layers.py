"""Layers that work on whole images and in bands.

Each is a torch module whose parameters have torchvision's names, so that torchvision's weights
load without changes. Each can start a stream (see ``stream.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqbench.native import library, loops
from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer, Size
from iqbench.networks.stream import (
    ChainStream,
    ParallelStream,
    PointwiseStream,
    Stream,
    Stretch,
    WindowStream,
    window_count,
)

__all__ = [
    "BatchNorm",
    "Chain",
    "Fire",
    "L2Pool",
    "MaxPool",
    "Relu",
    "Residual",
]


class MaxPool(Layer):
    """Max pooling with a square window; padding is minus infinity, as in torch."""

    def __init__(
        self, kernel: int, stride: int, *, padding: int = 0, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self._kernel, self._stride, self._padding = kernel, stride, padding
        self._ceil = ceil_mode

    def _pool(self, rows: Stretch) -> Tensor:
        whole = rows.whole(self._padding)
        if whole is not None:
            return self.forward(whole)
        options = (0, self._padding)
        x = rows.joined(float("-inf"))
        return F.max_pool2d(x, self._kernel, self._stride, options, ceil_mode=self._ceil)

    def forward(self, x: Tensor) -> Tensor:
        """Pool a whole image."""
        return F.max_pool2d(x, self._kernel, self._stride, self._padding, ceil_mode=self._ceil)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return WindowStream(
            kernel=self._kernel,
            stride=self._stride,
            padding=self._padding,
            apply=self._pool,
            ceil=self._ceil,
        )

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        height, width = (
            window_count(
                side + 2 * self._padding,
                self._kernel,
                self._stride,
                ceil=self._ceil,
                below=self._padding,
            )
            for side in size[1:]
        )
        return size[0], height, width


class L2Pool(Layer):
    """Blurred L2 pooling: the square root of squares that are filtered with a Hanning window.

    The window is [1 2 1]/4 along both axes with stride 2, the padding is one pixel of zeros, and
    1e-12 is added under the root (Ding et al. 2020, arXiv:2004.07728).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool a whole image."""
        return self._pool(Stretch((x,), 1, 1))

    def _pool(self, rows: Stretch) -> Tensor:
        if library.suits(rows.pieces[0]):
            return self._at_once(rows)
        squares = rows.joined(0.0).square()
        for axis in (2, 3):
            if axis == 3:
                squares = F.pad(squares, (1, 1))
            count = (squares.shape[axis] - 3) // 2 + 1
            before, centre, after = (_every_second(squares, axis, at, count) for at in range(3))
            squares = before.add(after).add_(centre, alpha=2)
        return squares.mul_(1 / 16).add_(1e-12).sqrt_()

    @staticmethod
    def _at_once(rows: Stretch) -> Tensor:
        """Square, filter and take the root in one compiled loop, without joining the pieces."""
        pieces = rows.pieces if len(rows.pieces) <= 2 else (rows.unpadded(),)
        images, channels, _, width = pieces[0].shape
        inner = rows.above + rows.height + rows.below
        reach = inner if rows.reach is None else min(inner, rows.reach)
        out = pieces[0].new_empty(images, (reach - 3) // 2 + 1, (width + 1) // 2, channels)
        loops.l2_pool(
            [piece.permute(0, 2, 3, 1).contiguous() for piece in pieces], out, above=rows.above
        )
        return out.permute(0, 3, 1, 2)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return WindowStream(kernel=3, stride=2, padding=1, apply=self._pool)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return size[0], (size[1] + 1) // 2, (size[2] + 1) // 2


def _every_second(x: Tensor, axis: int, start: int, count: int) -> Tensor:
    index = [slice(None)] * 4
    index[axis] = slice(start, start + 2 * count - 1, 2)
    return x[tuple(index)]


class BatchNorm(nn.BatchNorm2d, Layer):
    """Batch normalisation that always uses its running statistics, also in training mode."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise with the stored statistics."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size, unchanged."""
        return size


class Relu(Layer):
    """Rectifier. It does not work in place, because a user may want the layer before it."""

    def forward(self, x: Tensor) -> Tensor:
        """Set negative values to zero."""
        return F.relu(x)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size, unchanged."""
        return size


class Chain(Layer):
    """A sequence of named layers; the names are those of the parameters."""

    def __init__(self, layers: Sequence[tuple[str, Layer]]) -> None:
        super().__init__()
        for name, layer in layers:
            self.add_module(name, layer)
        self._layers = [layer for _, layer in layers]

    def forward(self, x: Tensor) -> Tensor:
        """Apply all layers."""
        for layer in self._layers:
            x = layer(x)
        return x

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return ChainStream([layer.stream() for layer in self._layers])

    def size(self, size: Size) -> Size:
        """Return the size of the last layer's output."""
        for layer in self._layers:
            size = layer.size(size)
        return size


class Residual(Layer):
    """A residual block: relu(main(x) + shortcut(x)).

    Parameters
    ----------
    main
        The layers of the block by torchvision's names.
    shortcut
        The ``downsample`` layers, empty for an identity.
    """

    def __init__(
        self,
        main: Sequence[tuple[str, Layer]],
        shortcut: Sequence[tuple[str, Layer]],
    ) -> None:
        super().__init__()
        for name, layer in main:
            self.add_module(name, layer)
        self._main = [layer for _, layer in main]
        self.downsample = Chain(shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a whole image."""
        y = x
        for layer in self._main:
            y = layer(y)
        return F.relu(y + self.downsample(x))

    def stream(self) -> Stream:
        """Start a pass in bands: two streams and a queue."""
        main = ChainStream([layer.stream() for layer in self._main])
        return ParallelStream(
            [main, self.downsample.stream()], lambda rows: F.relu(rows[0] + rows[1])
        )

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        for layer in self._main:
            size = layer.size(size)
        return size


class Fire(Layer):
    """SqueezeNet's block: a 1x1 squeeze, then concatenated 1x1 and 3x3 expansions."""

    def __init__(self, channels_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = Convolution(channels_in, squeeze, 1)
        self.expand1x1 = Convolution(squeeze, expand, 1)
        self.expand3x3 = Convolution(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a whole image."""
        y = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(y), self.expand3x3(y)], dim=1))

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return ChainStream(
            [
                self.squeeze.stream(rectify=True),
                ParallelStream(
                    [self.expand1x1.stream(), self.expand3x3.stream()],
                    lambda rows: F.relu(torch.cat(list(rows), dim=1)),
                ),
            ]
        )

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        _, height, width = size
        return 2 * self.expand1x1.out_channels, height, width
