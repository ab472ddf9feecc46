"""Winograd's F(4x4, 3x3) for CPUs, by compiled loops: see ``iqbench/native/winograd.c``.

A tile of 4x4 outputs is computed from 6x6 inputs in 36 multiplications per pair of channels instead
of 144. A block of tiles is transformed, multiplied and transformed back while it is in the caches.
"""

from __future__ import annotations

from torch import Tensor

from iqbench.native import library, loops
from iqbench.networks.stream import Stretch
from iqbench.networks.winograd.minimal import Minimal

__all__ = ["TILE", "WinogradBlocks", "suits"]

TILE = 4
"""Outputs along a side."""

_INPUTS, _OUTPUTS = 16, 64
"""Numbers of channels must be multiples of these."""


def suits(outputs: int, inputs: int) -> bool:
    """Return whether compiled loops exist and support these numbers of channels."""
    return outputs % _OUTPUTS == 0 and inputs % _INPUTS == 0 and library.available()


class WinogradBlocks(Minimal):
    """The convolution on a CPU. Its error is below 3e-5, relative to the largest output.

    Features in bfloat16 are converted before and rounded after; the sums are float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        weight = weight.detach().float().contiguous()
        self._kernel = loops.winograd_pack(weight)
        zeros = weight.new_zeros(max(self._outputs, self._inputs))
        self._zeros = zeros
        self._bias = zeros if bias is None else bias.detach().float().contiguous()

    def _fill(self, out: Tensor, rows: Stretch, beside: int, *, rectify: bool) -> None:
        """Convolve blocks of tiles, with torch's number of threads."""
        pieces = rows.pieces if len(rows.pieces) <= 2 else (rows.unpadded(),)
        loops.winograd_convolve(
            [piece.permute(0, 2, 3, 1).contiguous() for piece in pieces],
            out,
            self._kernel,
            self._bias,
            self._zeros,
            above=rows.above,
            below=rows.below,
            beside=beside,
            rectify=rectify,
        )
