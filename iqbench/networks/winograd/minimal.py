"""The base class of all forms of Winograd's convolution."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from iqbench.networks.stream import Stretch

__all__ = ["Minimal"]


class Minimal(ABC):
    """A convolution of stride 1 with a transformed 3x3 kernel.

    Parameters
    ----------
    weight
        (C', C, 3, 3) float32.
    bias
        (C',), or None.
    """

    @abstractmethod
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._outputs, self._inputs = weight.shape[:2]

    def __call__(self, rows: Stretch, beside: int, *, rectify: bool = False) -> Tensor:
        """Convolve.

        Parameters
        ----------
        rows
            (N, C, H, W) in pieces, with rows of zeros above and below.
        beside
            Columns of zeros on the left and on the right.
        rectify
            Whether to set negative values to zero.

        Returns
        -------
        Tensor
            (N, C', H', W'), channels-last in memory. Each subclass states its largest error.
        """
        first = rows.pieces[0]
        images, _, _, width = first.shape
        height = rows.above + rows.height + rows.below
        out = first.new_empty(images, height - 2, width + 2 * beside - 2, self._outputs)
        self._fill(out, rows, beside, rectify=rectify)
        return out.permute(0, 3, 1, 2)

    @abstractmethod
    def _fill(self, out: Tensor, rows: Stretch, beside: int, *, rectify: bool) -> None:
        """Convolve into (N, H', W', C')."""
