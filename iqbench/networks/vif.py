"""Luma at four scales: a network without weights (VIF reads it).

Layers: ``scale1``, 0.299 R + 0.587 G + 0.114 B; ``scale2`` to ``scale4``, every second row and
column of the scale before after filtering with a Gaussian of 9, 5 and 3 pixels (sigma is a fifth of
that), without padding.
"""

from __future__ import annotations

from torch import Tensor

from iqbench.images.filters import filter_axis, gaussian_weights
from iqbench.networks.backbone import Backbone
from iqbench.networks.gradient import Luma
from iqbench.networks.layer import Layer, Size
from iqbench.networks.stream import Stream, Stretch, WindowStream

__all__ = ["NAMES", "WINDOWS", "build"]

NAMES = ("vif",)

WINDOWS = (17, 9, 5, 3)
"""Pixels of the Gaussian of each scale: for its moments, and for its computation."""


def build(name: str) -> Backbone:
    """Build the four scales."""
    scales: list[tuple[str, Layer]] = [("scale1", Luma())]
    for scale, window in enumerate(WINDOWS[1:], start=2):
        scales.append((f"scale{scale}", GaussianHalf(window)))
    return Backbone(name, {}, scales)


class GaussianHalf(Layer):
    """A Gaussian filter with sigma a fifth of its window, at every second position, unpadded."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self._window = window

    def forward(self, x: Tensor) -> Tensor:
        """Halve a whole image."""
        return self._halve(Stretch((x,)))

    def _halve(self, rows: Stretch) -> Tensor:
        weights = gaussian_weights(self._window, self._window / 5)
        x = rows.joined(0.0)
        return filter_axis(filter_axis(x, weights, 2, stride=2), weights, 3, stride=2)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return WindowStream(kernel=self._window, stride=2, padding=0, apply=self._halve)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        height, width = (max(0, (side - self._window) // 2 + 1) for side in size[1:])
        return size[0], height, width
