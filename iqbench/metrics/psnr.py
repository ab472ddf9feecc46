"""Peak signal-to-noise ratio."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from iqbench.columns import Margin, Tolerance
from iqbench.metrics._base import Column, Maps, Metric, Options, Tap
from iqbench.metrics._fast_paths import PixelMean
from iqbench.metrics._tensors import score_tensors
from iqbench.specs import format_value, validate

__all__ = ["DECIBELS", "TOLERANCE", "Psnr", "decibels", "psnr"]

TAP = Tap()
DECIBELS = Margin(
    0.05,
    reason="papers print two decimals, and retraining with another seed changes values by more",
)
TOLERANCE = Tolerance(
    1e-5, unit="dB", reason="pixels are float32 (measured: 8e-7); papers report 1e-2"
)


class Psnr(Metric):
    """PSNR = -10 log10(MSE) dB for a peak of 1; the MSE is over all channels and positions.

    Option: `epsilon` is added to the MSE, so that equal images have a finite value: 80 dB for the
    1e-8 of pyiqa, piq and BasicSR's ``calculate_psnr_pt``.
    """

    name: ClassVar[str] = "psnr"
    summary: ClassVar[str] = "Peak signal-to-noise ratio, dB, of each image"
    citation: ClassVar[str] = "ITU-T J.247 (2008); -10 log10(MSE), peak 1"
    symmetric: ClassVar[bool] = True

    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``psnr``, with `epsilon` if it is not 0."""
        name, summary = self.name, self.summary
        options: Options = ()
        if self.epsilon:
            options = (("epsilon", format_value(self.epsilon)),)
            name += f"-epsilon={format_value(self.epsilon)}"
            summary += f", {format_value(self.epsilon)} added to the MSE"
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
        """Return the squared error."""
        return {"squared_error": (reference[0] - output).square()}

    def fast_path(self, tap: Tap) -> PixelMean:
        """Declare the squared error."""
        return PixelMean("squared_error")

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return -10 log10 of the mean; +inf for equal images without epsilon."""
        return decibels(means["squared_error"] + self.epsilon)


def decibels(error: Tensor) -> Tensor:
    """Return -10 log10 of an error; +inf at 0, with gradient 0 instead of NaN."""
    # The difference from 0 is 0 for an error of 1, where the product with -10 is -0.0.
    if not torch.is_grad_enabled():
        return 0 - 10 * torch.log10(error)
    none = error == 0
    return torch.where(none, torch.inf, 0 - 10 * torch.log10(torch.where(none, 1.0, error)))


def psnr(reference: Tensor, output: Tensor, *, epsilon: float = 0.0) -> Tensor:
    """Peak signal-to-noise ratio of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3.
    epsilon
        A constant that is added to the mean squared error; 1e-8 in pyiqa, piq and BasicSR's
        ``calculate_psnr_pt``.

    Returns
    -------
    Tensor
        (N,) in dB; +inf, with gradient 0, for equal images without epsilon.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images.

    Notes
    -----
    PSNR = -10 log10(mean((reference - output)^2)), with the mean over channels and positions. For a
    dataset, average these values; averaging the MSE first gives another number.
    """
    metric = validate(Psnr, {"epsilon": epsilon}, where="PSNR")
    return score_tensors(metric, metric.columns()[0].name, reference, output)
