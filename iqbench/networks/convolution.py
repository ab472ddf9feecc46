"""Convolution by the fastest algorithm that the settings allow."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqbench.networks import onednn
from iqbench.networks.layer import Layer, Size
from iqbench.networks.stream import Stream, Stretch, WindowStream, window_count
from iqbench.networks.winograd.choose import pays, rows_at_once, transformed
from iqbench.networks.winograd.minimal import Minimal

__all__ = ["Convolution"]

_LARGE, _POSITIONS = 1 << 20, 1 << 10
"""A CPU should convolve at least `_POSITIONS` positions at once if the kernel has `_LARGE` values,
because oneDNN rearranges the kernel at each call (measured)."""


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
        """Leave out the transformed kernel, which is four times as large and can be recomputed."""
        return {**self.__dict__, "_transformed": None}

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a whole image."""
        return self._convolve(Stretch((x,), self._border, self._border))

    def _convolve(self, rows: Stretch) -> Tensor:
        if self._minimal(rows):
            return self._fast()(rows, self._border)
        return self._directly(*self._padded(rows))

    def _directly(self, x: Tensor, padding: tuple[int, int]) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, padding)

    def _rectified(self, rows: Stretch) -> Tensor:
        """Convolve and rectify, in one step if that saves reading the features twice."""
        if self._minimal(rows):
            return self._fast()(rows, self._border, rectify=True)
        x, padding = self._padded(rows)
        y = self._in_one_step(x, padding) if torch.is_inference_mode_enabled() else None
        if y is not None:
            return y
        y = self._directly(x, padding)
        return F.relu(y) if torch.is_grad_enabled() else y.relu_()

    def _padded(self, rows: Stretch) -> tuple[Tensor, tuple[int, int]]:
        """Return the rows as one tensor, and the padding that torch must still add."""
        whole = rows.whole(self._border)
        if whole is not None:
            return whole, (self._border, self._border)
        return rows.joined(0.0), (0, self._border)

    def _in_one_step(self, x: Tensor, padding: tuple[int, int]) -> Tensor | None:
        """Convolve and rectify in one call of the library; None if it cannot."""
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
        except RuntimeError:
            return None  # no algorithm for this GPU and shape: two steps raise the right error

    def _minimal(self, rows: Stretch) -> bool:
        """Return whether to use Winograd's algorithm."""
        return self._step == 1 and not self.weight.is_inference() and pays(rows, self.weight)

    def _fast(self) -> Minimal:
        """Transform the kernel once, and again when it has changed."""
        weight = self.weight
        state = weight.data_ptr(), weight._version
        if self._transformed is None or self._transformed_of != state:
            self._transformed, self._transformed_of = transformed(weight, self.bias), state
        return self._transformed

    def _rows(self, width: int) -> int:
        """Return the number of rows of which a stream should convolve multiples."""
        tiles = rows_at_once(self.weight, width) if self._step == 1 else None
        if tiles is not None:
            return tiles
        large = self.weight.device.type == "cpu" and self.weight.numel() >= _LARGE
        return -(-_POSITIONS // width) if large else 1

    def stream(self, *, rectify: bool = False) -> Stream:
        """Start a pass in bands.

        Parameters
        ----------
        rectify
            Also set negative values to zero, so that the layer includes the `Relu` after it.
        """
        apply = self._rectified if rectify else self._convolve
        return WindowStream(
            kernel=self._kernel,
            stride=self._step,
            padding=self._border,
            apply=apply,
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
