"""Haar wavelets of an image at half size: a network without weights (HaarPSI reads it).

Layers: ``yiq``, Y, I and Q of the mean over 2x2, or that mean of gray; ``coefficients``, the
absolute Haar wavelet coefficients of Y with 2, 4 and 8 pixels, first vertical and then horizontal
for each size, and the absolute means over 2x2 of I and Q. The image is padded with zeros, as in
MATLAB's ``conv2``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.native import library, loops
from iqbench.networks.backbone import Backbone
from iqbench.networks.gradient import HalfMean
from iqbench.networks.layer import Layer, Size
from iqbench.networks.stream import Stream, Stretch, WindowStream

__all__ = ["NAMES", "YIQ", "build"]

NAMES = ("haar",)

YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
"""The authors' matrix."""
SIZES = (2, 4, 8)
BEFORE, AFTER = SIZES[-1] // 2 - 1, SIZES[-1] // 2
"""Rows and columns that the largest wavelet reaches above and below its position."""


def build(name: str) -> Backbone:
    """Build the two layers."""
    nodes: list[tuple[str, Layer]] = [
        ("yiq", HalfMean(YIQ)),
        ("coefficients", HaarCoefficients()),
    ]
    return Backbone(name, {}, nodes)


class HaarCoefficients(Layer):
    """Six absolute wavelet coefficients of Y, and for colour also two means of I and Q."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform a whole image."""
        return self._transform(Stretch((x,), AFTER, AFTER))

    def _transform(self, rows: Stretch) -> Tensor:
        if library.suits(rows.pieces[0]):
            joined = rows.joined(0.0)[:, :, 1:].contiguous()
            return torch.stack([loops.haar_coefficients(image) for image in joined])
        # The stream pads as many rows above as below, but the largest wavelet needs one less above.
        x = F.pad(rows.joined(0.0)[:, :, 1:], (BEFORE, AFTER))
        height, width = x.shape[2] - SIZES[-1] + 1, x.shape[3] - SIZES[-1] + 1
        squares, found = x[:, 0], []
        for size in SIZES:
            start, half = AFTER - size // 2, size // 2
            quarters = [
                squares.narrow(1, start + down, height).narrow(2, start + across, width)
                for down in (0, half)
                for across in (0, half)
            ]
            first, second, third, fourth = quarters
            found.append((first + second - third - fourth) / size)
            found.append((first + third - second - fourth) / size)
            squares = squares[:, :-half] + squares[:, half:]
            squares = squares[:, :, :-half] + squares[:, :, half:]
        for chroma in x[:, 1:].unbind(1):
            inner = chroma[:, BEFORE:, BEFORE:][:, : height + 1, : width + 1]
            pairs = inner[:, :-1] + inner[:, 1:]
            found.append((pairs[:, :, :-1] + pairs[:, :, 1:]) / 4)
        return torch.stack(found, dim=1).abs()

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return WindowStream(kernel=SIZES[-1] + 1, stride=1, padding=AFTER, apply=self._transform)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return 2 * len(SIZES) + size[0] - 1, size[1], size[2]
