"""Luma in blocks of 8x8 pixels: networks without weights (PSNR-HVS and PSNR-HVS-M read them).

Layers: ``luma``, in one of the forms that papers use; ``blocks``, the 64 pixels of each block, row
by row, as channels. Blocks start at the upper left corner; incomplete blocks are left out.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from iqbench.images.colour import luma_full, luma_studio
from iqbench.networks.backbone import Backbone
from iqbench.networks.layer import Layer, Size
from iqbench.networks.stream import PointwiseStream, Stream, Stretch, WindowStream

__all__ = ["NAMES", "SIDE", "Luma", "build", "network_of"]

Luma = Literal["studio", "full"]
"""MATLAB's rgb2ycbcr, or 0.299 R + 0.587 G + 0.114 B."""

SIDE = 8


def network_of(luma: Luma, *, rounded: bool) -> str:
    """Return the name of the network that computes this form of luma."""
    return f"blocks-{luma}-rounded" if rounded else f"blocks-{luma}"


_FORMS: dict[str, tuple[Luma, bool]] = {
    network_of("studio", rounded=True): ("studio", True),
    network_of("studio", rounded=False): ("studio", False),
    network_of("full", rounded=True): ("full", True),
    network_of("full", rounded=False): ("full", False),
}
NAMES = tuple(_FORMS)


def build(name: str) -> Backbone:
    """Build the two layers."""
    luma, rounded = _FORMS[name]
    return Backbone(name, {}, [("luma", ToLuma(luma, rounded=rounded)), ("blocks", Blocks())])


class ToLuma(Layer):
    """Luma of RGB; gray is not changed. Rounding to 8 bits has the gradient of the identity."""

    def __init__(self, luma: Luma, *, rounded: bool) -> None:
        super().__init__()
        self._convert = luma_studio if luma == "studio" else luma_full
        self._rounded = rounded

    def forward(self, x: Tensor) -> Tensor:
        """Convert a whole image."""
        if not (self._rounded and x.requires_grad):
            return self._convert(x, rounded=self._rounded)
        exact = self._convert(x)
        return exact + (self._convert(x.detach(), rounded=True) - exact.detach())

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return 1, size[1], size[2]


class Blocks(Layer):
    """The pixels of 8x8 blocks as channels, (N, 1, H, W) to (N, 64, H // 8, W // 8)."""

    def forward(self, x: Tensor) -> Tensor:
        """Cut a whole image into blocks."""
        return self._cut(Stretch((x,)))

    def _cut(self, rows: Stretch) -> Tensor:
        x = rows.joined(0.0)
        down, across = x.shape[2] // SIDE, x.shape[3] // SIDE
        x = x[:, 0, : down * SIDE, : across * SIDE]
        x = x.reshape(-1, down, SIDE, across, SIDE).permute(0, 1, 3, 2, 4)
        # The result is channels-last: the pixels of a block are contiguous in memory.
        return x.reshape(-1, down, across, SIDE * SIDE).permute(0, 3, 1, 2)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return WindowStream(kernel=SIDE, stride=SIDE, padding=0, apply=self._cut)

    def size(self, size: Size) -> Size:
        """Return the size of the output."""
        return SIDE * SIDE, size[1] // SIDE, size[2] // SIDE
