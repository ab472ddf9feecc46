"""Multi-scale structural similarity."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from iqbench.metrics._base import Column, Maps, Metric, Tap
from iqbench.metrics._tensors import score_tensors
from iqbench.metrics.ssim import SIZES, filter_valid, ssim_terms

__all__ = ["MsSsim", "ms_ssim"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = SIZES["gaussian"]
LAST = len(WEIGHTS)
TAPS = (
    Tap(window=WINDOW),
    *(Tap("pyramid", f"scale{scale}", WINDOW, normalise=False) for scale in range(2, LAST + 1)),
)


class MsSsim(Metric):
    """MS-SSIM over five scales, and in dB as compression reports it: -10 log10(1 - MS-SSIM).

    SSIM's Gaussian 11x11 on valid positions; contrast and structure of scales 1 to 4 and SSIM of
    scale 5, each averaged over positions, to the powers .0448 .2856 .3001 .2363 .1333 and
    multiplied; the mean over channels. Between scales the mean over 2x2; an odd last row or column
    is left out. Negative means count as 0. The short side must have 176 pixels.
    """

    name: ClassVar[str] = "ms-ssim"
    summary: ClassVar[str] = "Multi-scale structural similarity, five scales, channel mean"
    citation: ClassVar[str] = "Wang, Simoncelli, Bovik 2003, doi:10.1109/ACSSC.2003.1292216"
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return ``ms-ssim`` and ``ms-ssim-db``."""
        return (
            Column("ms-ssim", "higher", self.summary, TAPS, headline=True),
            Column("ms-ssim-db", "higher", "-10 log10(1 - MS-SSIM), dB", TAPS, decimals=2),
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference, its local mean and variance, in float64."""
        image = reference.double()
        mean = _filter(image)
        return image, mean, _filter(image.square()) - mean.square()

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return, of each channel, contrast times structure, or SSIM at the last scale."""
        image, mean, variance = reference
        other = output.double()
        other_mean = _filter(other)
        other_variance = _filter(other.square()) - other_mean.square()
        covariance = _filter(image * other) - mean * other_mean
        luminance, structure = ssim_terms((mean, other_mean, variance, other_variance, covariance))
        values = luminance * structure if self.whole_at(tap) else structure
        names = self.map_names(tap, values.shape[1])
        return {name: values[:, channel] for channel, name in enumerate(names)}

    @staticmethod
    def whole_at(tap: Tap) -> bool:
        """Tell whether luminance counts at a tap: at the last scale only."""
        return TAPS.index(tap) + 1 == LAST

    @staticmethod
    def map_names(tap: Tap, channels: int) -> tuple[str, ...]:
        """Name a tap's maps, one a channel."""
        return tuple(f"{TAPS.index(tap) + 1}.{channel}" for channel in range(channels))

    def close(self, column: str, means: Maps) -> Tensor:
        """Multiply the scales of each channel, average the channels."""
        channels = sorted({name.partition(".")[2] for name in means})
        products = []
        for channel in channels:
            scales = [means[f"{scale}.{channel}"].clamp_min(0) for scale in range(1, LAST + 1)]
            powers = [mean**weight for mean, weight in zip(scales, WEIGHTS, strict=True)]
            products.append(torch.stack(powers).prod(0))
        value = torch.stack(products).mean(0)
        return value if column == "ms-ssim" else -10 * torch.log10(1 - value)


def _filter(image: Tensor) -> Tensor:
    return filter_valid(image, "gaussian", (2, 3))


def ms_ssim(reference: Tensor, output: Tensor) -> Tensor:
    """Multi-scale structural similarity of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 176x176.

    Returns
    -------
    Tensor
        (N,) float64, at most 1.

    Raises
    ------
    IqbenchError
        If the tensors are no pair of images or are too small.

    Notes
    -----
    Wang, Simoncelli, Bovik 2003, doi:10.1109/ACSSC.2003.1292216; details as in `MsSsim`.
    """
    return score_tensors(MsSsim(), "ms-ssim", reference, output)
