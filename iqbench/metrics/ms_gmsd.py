"""Gradient magnitude similarity deviation on multiple scales."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._similarity import dissimilarity, images_of
from iqbench.metrics._statistics import Spread, spread
from iqbench.metrics._tensors import score_tensors
from iqbench.metrics.gmsd import C
from iqbench.native import library, loops

__all__ = ["MsGmsd", "ms_gmsd"]

WEIGHTS = (0.096, 0.596, 0.289, 0.019)
MASKING = 0.5
TAPS = tuple(
    Tap("gradient", layer, normalise=False)
    for layer in ("magnitude1", "magnitude", "magnitude3", "magnitude4")
)
"""Luma at full size, and halved once (as for GMSD), twice and three times."""
SMALLEST = 17


class MsGmsd(Metric):
    """MS-GMSD: the deviation of the similarity of gradient magnitudes at four scales.

    Luma (0.299 R + 0.587 G + 0.114 B) is used at full size and halved up to three times (mean over
    2x2). The similarity of Prewitt's gradients (with zero padding) is
    ((2 - a) g1 g2 + c) / (g1^2 + g2^2 - a g1 g2 + c) with a = 0.5 and c = 170 for a peak of 255.
    The value is the root of a weighted sum, over scales, of its population variance. The colour
    part of the paper's MS-GMSDc is left out.
    """

    name: ClassVar[str] = "ms-gmsd"
    summary: ClassVar[str] = "Gradient magnitude similarity deviation on four scales"
    citation: ClassVar[str] = "Zhang et al. 2017, doi:10.1109/ICASSP.2017.7952357"
    version: ClassVar[int] = 2
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``ms-gmsd``."""
        return (
            Column(
                "ms-gmsd",
                "lower",
                self.summary,
                TAPS,
                headline=True,
                smallest=SMALLEST,
                margin=THIRD_DIGIT,
            ),
        )

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return mean and spread of one minus the similarity at a scale."""
        if library.suits(output):
            return {tap.layer: _spread(reference[0], output)}
        apart = dissimilarity(reference[0], output, C, MASKING)
        return {tap.layer: spread(apart, correction=0).double()}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the root of the weighted sum of variances."""
        variances = torch.stack([means[tap.layer][:, 1] for tap in TAPS], dim=1)
        return safe_sqrt((variances * variances.new_tensor(WEIGHTS)).sum(1))


def _spread(reference: Tensor, output: Tensor) -> Spread:
    """Return mean and spread of the dissimilarity, in one pass with float64 sums."""
    constants = torch.tensor([C, MASKING], dtype=torch.float32, device="cpu")
    found = [
        loops.unlike_sums(first, second, constants)
        for first, second in images_of(len(output), reference, output)
    ]
    sums, squares = torch.stack(found, dim=1)
    count = output[0].numel()
    return Spread(count, sums / count, (squares - sums**2 / count).clamp_min(0), correction=0)


def ms_gmsd(reference: Tensor, output: Tensor) -> Tensor:
    """MS-GMSD of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 17x17.

    Returns
    -------
    Tensor
        (N,) float64, 0 for equal images.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Zhang et al. 2017, doi:10.1109/ICASSP.2017.7952357. It equals ``piq.multi_scale_gmsd``.
    """
    return score_tensors(MsGmsd(), "ms-gmsd", reference, output)
