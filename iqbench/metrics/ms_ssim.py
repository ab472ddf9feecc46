"""Multi-scale structural similarity."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from iqbench.metrics._base import PIXELS, THIRD_DIGIT, Column, Maps, Metric, Tap
from iqbench.metrics._fast_paths import SimilarityMean
from iqbench.metrics._tensors import score_tensors
from iqbench.metrics.psnr import DECIBELS
from iqbench.metrics.psnr import TOLERANCE as DECIBEL_TOLERANCE
from iqbench.metrics.ssim import SIZES, TOLERANCE, Ssim, filter_valid, ssim_terms, window_weights
from iqbench.networks.pyramid import Halving, network_of
from iqbench.specs import validate

__all__ = ["WEIGHTS", "MsSsim", "ms_ssim"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = SIZES["gaussian"]
LAST = len(WEIGHTS)
SMALLEST = WINDOW * 2 ** (LAST - 1)
"""The smallest side, as in the authors' script, also if halving would allow smaller images."""


class MsSsim(Metric):
    """MS-SSIM over five scales, and in dB as usual for compression: -10 log10(1 - MS-SSIM).

    It uses SSIM's 11x11 Gaussian window on valid positions. Contrast and structure of scales 1 to 4
    and SSIM of scale 5 are averaged over positions, raised to the powers 0.0448, 0.2856, 0.3001,
    0.2363 and 0.1333, and multiplied; the value is the mean over channels. Negative means count as
    0. Each scale is the mean over 2x2 of the one before. Option `odd`, the treatment of odd sides:
    repeat, the last row or column is repeated, as in the authors' script and TensorFlow (short side
    at least 176 pixels); zero, a row or column of zeros is added before the first, as in
    pytorch-msssim, CompressAI and pyiqa (161); crop, the last row or column is left out, as in
    torchmetrics (176); repeat-first, the first row and column are repeated if either side is odd,
    as in piq (161). For even sides, all treatments give the same value.
    """

    name: ClassVar[str] = "ms-ssim"
    summary: ClassVar[str] = "Multi-scale structural similarity, five scales, channel mean"
    citation: ClassVar[str] = (
        "Wang, Simoncelli, Bovik 2003, doi:10.1109/ACSSC.2003.1292216; the authors' msssim.m"
    )
    version: ClassVar[int] = 2
    symmetric: ClassVar[bool] = True

    odd: Halving = "repeat"

    def columns(self) -> tuple[Column, ...]:
        """Return ``ms-ssim`` and ``ms-ssim-db``, with the option if it is not the default."""
        default = self.odd == "repeat"
        suffix = "" if default else f"-odd={self.odd}"
        also = "" if default else f"; odd sides: {self.odd}"
        taps = self.taps()
        smallest = SMALLEST if default else 1
        options = (("odd", self.odd),)
        return (
            Column(
                f"ms-ssim{suffix}",
                "higher",
                f"{self.summary}{also}",
                taps,
                options,
                headline=True,
                smallest=smallest,
                margin=THIRD_DIGIT,
                tolerance=TOLERANCE,
            ),
            Column(
                f"ms-ssim-db{suffix}",
                "higher",
                f"-10 log10(1 - MS-SSIM), dB{also}",
                taps,
                options,
                decimals=2,
                smallest=smallest,
                margin=DECIBELS,
                tolerance=DECIBEL_TOLERANCE,
            ),
        )

    def taps(self) -> tuple[Tap, ...]:
        """Return the taps of the five scales: the pixels, then the pyramid's layers."""
        network = network_of(self.odd)
        layers = (f"scale{scale}" for scale in range(2, LAST + 1))
        pyramid = (Tap(network, layer, WINDOW, normalise=False) for layer in layers)
        return (Tap(window=WINDOW), *pyramid)

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference, its local mean and variance, in float64."""
        image = reference.double()
        mean = _filter(image)
        return image, mean, _filter(image.square()) - mean.square()

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return, for each channel, contrast times structure, or SSIM at the last scale."""
        image, mean, variance = reference
        other = output.double()
        other_mean = _filter(other)
        other_variance = _filter(other.square()) - other_mean.square()
        covariance = _filter(image * other) - mean * other_mean
        luminance, structure = ssim_terms((mean, other_mean, variance, other_variance, covariance))
        values = luminance * structure if self._whole_at(tap) else structure
        scale = _scale(tap)
        return {f"{scale}.{channel}": values[:, channel] for channel in range(values.shape[1])}

    def fast_path(self, tap: Tap) -> SimilarityMean:
        """Declare SSIM at the last scale, else its contrast and structure."""
        return SimilarityMean(
            str(_scale(tap)),
            window_weights("gaussian"),
            Ssim().constants,
            "whole" if self._whole_at(tap) else "structure",
            by_channel=True,
        )

    @staticmethod
    def _whole_at(tap: Tap) -> bool:
        """Return whether a tap uses luminance, which is only so at the last scale."""
        return _scale(tap) == LAST

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Multiply the scales of each channel, and average the channels."""
        channels = sorted({name.partition(".")[2] for name in means})
        products = []
        for channel in channels:
            scales = [means[f"{scale}.{channel}"].clamp_min(0) for scale in range(1, LAST + 1)]
            powers = [mean**weight for mean, weight in zip(scales, WEIGHTS, strict=True)]
            products.append(torch.stack(powers).prod(0))
        value = torch.stack(products).mean(0)
        return 0 - 10 * torch.log10(1 - value) if column.startswith("ms-ssim-db") else value


def _scale(tap: Tap) -> int:
    """Return the scale that a tap reads, from 1 to 5."""
    return 1 if tap.network == PIXELS else int(tap.layer.removeprefix("scale"))


def _filter(image: Tensor) -> Tensor:
    return filter_valid(image, "gaussian", (2, 3))


def ms_ssim(reference: Tensor, output: Tensor, *, odd: Halving = "repeat") -> Tensor:
    """Multi-scale structural similarity of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 176x176.
    odd
        The treatment of odd sides between scales: ``repeat``, as in the authors' script; ``zero``,
        as in pytorch-msssim; ``crop``, as in torchmetrics; ``repeat-first``, as in piq. See
        `MsSsim`.

    Returns
    -------
    Tensor
        (N,) float64, at most 1.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Wang, Simoncelli, Bovik 2003, doi:10.1109/ACSSC.2003.1292216; details as in `MsSsim`.
    """
    metric = validate(MsSsim, {"odd": odd}, where="MS-SSIM")
    return score_tensors(metric, metric.columns()[0].name, reference, output)
