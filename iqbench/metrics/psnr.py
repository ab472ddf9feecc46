"""Peak signal-to-noise ratio."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from iqbench.metrics._base import Column, Maps, Metric, Tap
from iqbench.metrics._tensors import score_tensors

__all__ = ["Psnr", "decibels", "psnr"]

TAP = Tap()


class Psnr(Metric):
    """PSNR = -10 log10(MSE) dB with peak 1; the MSE is over all channels and positions."""

    name: ClassVar[str] = "psnr"
    summary: ClassVar[str] = "Peak signal-to-noise ratio, dB, of each image"
    citation: ClassVar[str] = "ITU-T J.247 (2008); -10 log10(MSE), peak 1"
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``psnr``."""
        return (Column("psnr", "higher", self.summary, (TAP,), decimals=2, headline=True),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the squared error."""
        return {"squared_error": (reference[0] - output).square()}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return -10 log10 of the mean; +inf for equal images."""
        return decibels(means["squared_error"])


def decibels(error: Tensor) -> Tensor:
    """Return -10 log10 of an error; +inf at 0, with gradient 0, which spares the batch NaN."""
    if not torch.is_grad_enabled():
        return -10 * torch.log10(error)
    none = error == 0
    return torch.where(none, torch.inf, -10 * torch.log10(torch.where(none, 1.0, error)))


def psnr(reference: Tensor, output: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3.

    Returns
    -------
    Tensor
        (N,) in dB; +inf for equal images, where the gradient is 0.

    Raises
    ------
    IqbenchError
        If the tensors are no pair of images.

    Notes
    -----
    PSNR = -10 log10(mean((reference - output)^2)), the mean over channels and positions. Over a
    data set, average these values; pooling the MSE first gives another number.
    """
    return score_tensors(Psnr(), "psnr", reference, output)
