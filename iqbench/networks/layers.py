"""Layers that work on whole images and in bands.

Each is a torch module whose parameters have torchvision's names, so that torchvision's weights
load as they are; and each can open a stream of itself (see ``stream.py``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqbench.networks import onednn
from iqbench.networks.stream import (
    ChainStream,
    ParallelStream,
    PointwiseStream,
    Stream,
    WindowStream,
    window_count,
)
from iqbench.networks.winograd.choose import Minimal, pays, rows_at_once, transformed

__all__ = [
    "AveragePool",
    "BatchNorm",
    "Chain",
    "Convolution",
    "Fire",
    "Layer",
    "MaxPool",
    "Relu",
    "Residual",
    "Size",
]

Size = tuple[int, int, int]
"""Channels, height, width."""


class Layer(nn.Module, ABC):
    """What the backbones are made of; called, it applies to a whole image, (N, C, H, W)."""

    @abstractmethod
    def stream(self) -> Stream:
        """Begin a pass in bands."""

    @abstractmethod
    def size(self, size: Size) -> Size:
        """Return the size of the output for an input's; 0 where the input is too small."""


class Convolution(nn.Conv2d, Layer):
    """Convolution with square kernel, stride and zero padding."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__(
            channels_in, channels_out, kernel, stride=stride, padding=padding, bias=bias
        )
        self._kernel, self._step, self._border = kernel, stride, padding
        self._transformed: Minimal | None = None
        self._transformed_of = (0, 0)

    def __getstate__(self) -> dict[str, object]:
        """Leave out what can be made again: a packed kernel can be neither copied nor pickled."""
        return {**self.__dict__, "_transformed": None}

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a whole image."""
        return self._convolve(x, self._border)

    def _convolve(self, x: Tensor, above: int) -> Tensor:
        padding = (above, self._border)
        if self._minimal(x):
            return self._fast()(x, padding)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding)

    def _rectified(self, x: Tensor, above: int) -> Tensor:
        """Convolve and cut off below zero, in one step where that spares two readings."""
        padding = (above, self._border)
        if self._minimal(x):
            return self._fast()(x, padding, rectify=True)
        y = self._in_one_step(x, padding) if torch.is_inference_mode_enabled() else None
        if y is not None:
            return y
        y = self._convolve(x, above)
        return F.relu(y) if torch.is_grad_enabled() else y.relu_()

    def _in_one_step(self, x: Tensor, padding: tuple[int, int]) -> Tensor | None:
        """Let the library rectify what it convolves; None where it cannot."""
        if x.device.type == "cpu":
            if not onednn.rectifies(x, self.weight):
                return None
            return onednn.convolve_and_rectify(x, self.weight, self.bias, self.stride, padding)
        known = self.bias is not None and x.dtype in (torch.float32, torch.bfloat16)
        if not known or torch.version.cuda is None or not torch.backends.cudnn.enabled:
            return None
        options = self.stride, padding, self.dilation, self.groups
        try:
            return torch.cudnn_convolution_relu(x, self.weight, self.bias, *options)
        except torch.cuda.OutOfMemoryError:
            raise
        except (
            RuntimeError
        ):  # no engine for this card and shape: the plain way raises what is wrong
            return None

    def _minimal(self, x: Tensor) -> bool:
        """Tell whether Winograd's way is taken."""
        return self._step == 1 and not self.weight.is_inference() and pays(x, self.weight)

    def _fast(self) -> Minimal:
        """Transform the kernel once, and again when it has changed."""
        weight = self.weight
        state = weight.data_ptr(), weight._version
        if self._transformed is None or self._transformed_of != state:
            self._transformed, self._transformed_of = transformed(weight, self.bias), state
        return self._transformed

    def _rows(self, width: int) -> int:
        return rows_at_once(self.weight, width) if self._step == 1 else 1

    def stream(self, *, rectify: bool = False) -> Stream:
        """Begin a pass in bands.

        Parameters
        ----------
        rectify
            Cut off below zero as well: the layer and the `Relu` after it as one.
        """
        apply = self._rectified if rectify else self._convolve
        return WindowStream(
            kernel=self._kernel,
            stride=self._step,
            padding=self._border,
            fill=0.0,
            whole=partial(apply, above=self._border),
            inner=partial(apply, above=0),
            rows=self._rows,
        )

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        height, width = (
            window_count(
                side + 2 * self._border, self._kernel, self._step, ceil=False, below=self._border
            )
            for side in size[1:]
        )
        return self.out_channels, height, width


class MaxPool(Layer):
    """Max pooling with a square window; padding is minus infinity, as torch has it."""

    def __init__(
        self, kernel: int, stride: int, *, padding: int = 0, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self._kernel, self._stride, self._padding = kernel, stride, padding
        self._ceil = ceil_mode

    def _pool(self, x: Tensor, rows: int) -> Tensor:
        return F.max_pool2d(
            x, self._kernel, self._stride, (rows, self._padding), ceil_mode=self._ceil
        )

    def _inner(self, x: Tensor) -> Tensor:
        return self._pool(x, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Pool a whole image."""
        return self._pool(x, self._padding)

    def stream(self) -> Stream:
        """Begin a pass in bands."""
        return WindowStream(
            kernel=self._kernel,
            stride=self._stride,
            padding=self._padding,
            fill=float("-inf"),
            whole=self.forward,
            inner=self._inner,
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


class AveragePool(Layer):
    """Mean over square blocks side by side; a remainder at the end is left out."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self._kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """Average a whole image."""
        return F.avg_pool2d(x, self._kernel)

    def stream(self) -> Stream:
        """Begin a pass in bands."""
        return WindowStream(
            kernel=self._kernel,
            stride=self._kernel,
            padding=0,
            fill=0.0,
            whole=self.forward,
            inner=self.forward,
        )

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return size[0], size[1] // self._kernel, size[2] // self._kernel


class BatchNorm(nn.BatchNorm2d, Layer):
    """Batch normalisation with its running statistics; never in training mode."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise with the stored statistics, whatever the mode of the module around it."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def stream(self) -> Stream:
        """Begin a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size, unchanged."""
        return size


class Relu(Layer):
    """Rectifier. Not in place: a layer before it may be asked for."""

    def forward(self, x: Tensor) -> Tensor:
        """Cut off below zero."""
        return F.relu(x)

    def stream(self) -> Stream:
        """Begin a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size, unchanged."""
        return size


class Chain(Layer):
    """Named layers one after the other; the names are those of the parameters."""

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
        """Begin a pass in bands."""
        return ChainStream([layer.stream() for layer in self._layers])

    def size(self, size: Size) -> Size:
        """Return the size of the last layer's output."""
        for layer in self._layers:
            size = layer.size(size)
        return size


class Residual(Layer):
    """A residual block: relu(main(x) + shortcut(x)); both branches share one set of parameters.

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
        """Begin a pass in bands: two streams and a queue."""
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
    """SqueezeNet's block: a 1x1 squeeze, then 1x1 and 3x3 expansions side by side."""

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
        """Begin a pass in bands."""
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
