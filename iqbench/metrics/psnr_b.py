"""PSNR with a penalty for blocking."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from iqbench.metrics._base import Column, Maps, Metric, Options, Tap
from iqbench.metrics._tensors import score_tensors
from iqbench.metrics.psnr import DECIBELS, TOLERANCE, decibels
from iqbench.specs import format_value, validate

__all__ = ["BLOCK", "PsnrB", "blocking_effect", "differences", "psnr_b"]

BLOCK = 8
TAP = Tap(window=BLOCK + 1, whole=True)


def differences(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean squared differences across block edges, and elsewhere, (N,) each."""
    across: list[Tensor] = []
    elsewhere: list[Tensor] = []
    for axis in (2, 3):
        steps = image.diff(dim=axis).square()
        edge = (
            torch.arange(steps.shape[axis], dtype=torch.int64, device=image.device) % BLOCK
            == BLOCK - 1
        )
        for places, found in ((edge, across), (~edge, elsewhere)):
            index = places.nonzero().flatten()
            found.append(steps.index_select(axis, index).flatten(1))
    return torch.cat(across, dim=1).mean(1), torch.cat(elsewhere, dim=1).mean(1)


def blocking_effect(across: Tensor, elsewhere: Tensor, height: int, width: int) -> Tensor:
    """Return BEF from the mean squared differences across block edges, and elsewhere."""
    factor = math.log2(BLOCK) / math.log2(min(height, width))
    return factor * (across - elsewhere).clamp_min(0)


class PsnrB(Metric):
    """PSNR-B = -10 log10(MSE + BEF), with the blocking effect of the output's 8x8 grid.

    BEF = log2(8) / log2(min(H, W)) (D_B - D_C) if D_B > D_C, else 0. D_B is the mean squared
    difference of neighbours across the edges of blocks, D_C that of all other neighbours. The means
    are over all existing pairs of neighbours. It is meant for gray images or luma. Other
    implementations divide the same sums by other counts: the paper's formula (torchmetrics) always,
    SwinIR, QGAC and FBCNN if sides are not multiples of 8; `iqbench explain` recognises both.

    Option: `epsilon` is added to the error, so that equal images without blocking have a finite
    value.
    """

    name: ClassVar[str] = "psnr-b"
    summary: ClassVar[str] = "PSNR with the blocking effect of 8x8 blocks added to the error, dB"
    citation: ClassVar[str] = "Yim and Bovik 2011, doi:10.1109/TIP.2010.2061859"

    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``psnr-b``, with `epsilon`; the grid needs the whole image."""
        name, summary = self.name, self.summary
        options: Options = ()
        if self.epsilon:
            options = (("epsilon", format_value(self.epsilon)),)
            name += f"-epsilon={format_value(self.epsilon)}"
            summary += f", {format_value(self.epsilon)} added to the error"
        return (
            Column(
                name,
                "higher",
                summary,
                (TAP,),
                options,
                decimals=2,
                headline=True,
                margin=DECIBELS,
                tolerance=TOLERANCE,
            ),
        )

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the squared error and, one value per image, the blocking effect."""
        error = (reference[0] - output).double().square()
        effect = blocking_effect(*differences(output.double()), *output.shape[2:])
        return {"squared_error": error, "blocking_effect": effect[:, None]}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return -10 log10 of the error with the blocking effect."""
        return decibels(means["squared_error"] + means["blocking_effect"] + self.epsilon)


def psnr_b(reference: Tensor, output: Tensor, *, epsilon: float = 0.0) -> Tensor:
    """PSNR-B of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], larger than 8x8; the grid starts at the upper left corner.
    epsilon
        A constant that is added to the error.

    Returns
    -------
    Tensor
        (N,) float64, dB; +inf, with gradient 0, for equal images without blocking and epsilon.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Yim and Bovik 2011, doi:10.1109/TIP.2010.2061859; for the terms see `PsnrB`.
    """
    metric = validate(PsnrB, {"epsilon": epsilon}, where="PSNR-B")
    return score_tensors(metric, metric.columns()[0].name, reference, output)
