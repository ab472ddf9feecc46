"""Visual saliency-induced index."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.images.colour import linear_light
from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._similarity import (
    Features,
    WeightedSimilarity,
    averaged_planes,
    mixed,
    scharr,
)
from iqbench.metrics._statistics import Mean
from iqbench.metrics._tensors import score_tensors
from iqbench.native import library, loops
from iqbench.protocols.presets import Role

__all__ = ["Vsi", "vsi"]

LMN = ((0.06, 0.63, 0.27), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))
XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.9642, 1.0, 0.8251)
"""D50, as in the authors' script, although the white of sRGB is D65."""
OVER_WHITE = tuple(
    (r / white, g / white, b / white) for (r, g, b), white in zip(XYZ, WHITE, strict=True)
)
SIDE = 256
"""Saliency is computed on an image resized to this side, independent of the original shape."""
OMEGA, SIGMA_F, SIGMA_D, SIGMA_C = 0.021, 1.34, 145.0, 0.001
SIMILARITY = WeightedSimilarity(
    weights=1.27, slopes=386.0, colours=130.0, slope_exponent=0.4, colour_exponent=0.02
)
ROUNDING = 2.0**14
"""Largest difference of colours of a flat image after resizing, in units in the last place."""
TAP = Tap(whole=True)


class Vsi(Metric):
    """VSI: the similarity of saliency, gradients and colours, weighted by saliency.

    Saliency (SDSP) is computed on an image resized to 256x256 pixels in CIELAB (white D50), as the
    product of a log-Gabor band-pass of L, a and b, closeness to the centre, and warmth of colour.
    It is resized back and scaled to [0, 1]. The similarity of saliency is multiplied by that of
    Scharr's gradients of L (0.06 R + 0.63 G + 0.27 B; zero padding) to the power 0.4, and by the
    product of those of M and N (0.3 R + 0.04 G - 0.35 B, 0.34 R - 0.6 G + 0.17 B) to the power
    0.02. Larger images are first averaged to a short side of about 256 pixels. Gray counts as three
    equal channels.

    The image is resized bilinearly with aligned corners, which gives the published value for
    i01_01_5 of TID2013 (0.96405). The kernel of MATLAB's imresize, which is widened for shrinking,
    changes it by 1e-4.
    """

    name: ClassVar[str] = "vsi"
    summary: ClassVar[str] = "Visual saliency-induced index"
    citation: ClassVar[str] = "Zhang et al. 2014, doi:10.1109/TIP.2014.2346028"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``vsi``; saliency needs the whole image."""
        return (
            Column(
                "vsi",
                "higher",
                self.summary,
                (TAP,),
                headline=True,
                undefined="neither image has a salient region",
                margin=THIRD_DIGIT,
            ),
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> Features:
        """Return saliency, gradient and colours of the reference."""
        return _features(reference)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the weighted similarity, and the weights."""
        salient, slope, colours = reference
        weights, _, alike = SIMILARITY.maps((salient, slope, colours), _features(output))
        return {"vsi": alike, "weights": weights}

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the means of the maps."""
        salient, slope, colours = reference
        weights, _, alike = SIMILARITY.sums((salient, slope, colours), _features(output))
        count = slope[0].numel()
        return {"vsi": Mean(alike, count), "weights": Mean(weights, count)}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Divide by the mean weight."""
        return means["vsi"] / means["weights"]


def _features(image: Tensor) -> Features:
    """Return saliency, gradient of L, and M and N, after downsampling."""
    channels = averaged_planes(image, LMN, 255)
    salient = averaged_planes(saliency(image).unsqueeze(1), ((1.0, 0.0, 0.0),))[:, 0]
    return salient, scharr(channels[:, :1]), channels[:, 1:]


def saliency(image: Tensor) -> Tensor:
    """Return the saliency of each position, by simple priors (SDSP).

    Parameters
    ----------
    image
        (N, C, H, W) sRGB in [0, 1], C 1 or 3; gray counts as three equal channels.

    Returns
    -------
    Tensor
        (N, H, W), from 0 to 1; 0 everywhere for a flat image.
    """
    lab = _lab(_resized(image, (SIDE, SIDE)).expand(-1, 3, -1, -1))
    band_pass, centre = _priors(image.device, image.dtype)
    answers = torch.fft.irfft2(torch.fft.rfft2(lab) * band_pass, s=(SIDE, SIDE))
    found = _salient(answers, lab, centre)
    large = _resized(found.unsqueeze(1), (image.shape[2], image.shape[3]))
    lowest, scales = _stretch(large, least=0.0)
    return ((large - lowest) * scales)[:, 0]


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize bilinearly with aligned corners."""
    if library.suits(image):
        return loops.resize_bilinear(image.permute(0, 2, 3, 1).contiguous(), size)
    # Contiguous planes are read three times as fast as channels-last pixels.
    return F.interpolate(image.contiguous(), size, mode="bilinear", align_corners=True)


def _salient(answers: Tensor, lab: Tensor, centre: Tensor) -> Tensor:
    """Return (N, h, w): the length of the filter responses, times centre and warmth priors."""
    lowest, scales = _stretch(lab[:, 1:], least=ROUNDING * torch.finfo(lab.dtype).eps)
    if library.suits(lab):
        scales = scales / SIGMA_C
        images = zip(answers, lab, lowest.flatten(1), scales.flatten(1), strict=True)
        return torch.stack(
            [
                loops.salient_places(answer, planes, centre, low, scale)
                for answer, planes, low, scale in images
            ]
        )
    warmth = ((lab[:, 1:] - lowest) * scales).square().sum(1)
    strength = safe_sqrt(answers.square().sum(1))
    return strength * centre * -torch.expm1(-warmth / SIGMA_C**2)


def _stretch(planes: Tensor, *, least: float) -> tuple[Tensor, Tensor]:
    """Return the offset and the factor of each plane, so that its values fill [0, 1].

    A plane with a range of at most `least` becomes 0.
    """
    low, high = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    span = high - low
    flat = span <= least
    return low, torch.where(flat, 0.0, 1 / torch.where(flat, 1.0, span))


def _lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIELAB, as in the authors' script."""
    linear = linear_light(rgb.contiguous())
    if library.suits(linear):
        weights = [weight for row in OVER_WHITE for weight in row]
        return torch.stack([loops.lab_planes(planes, weights, 903.3 / 116) for planes in linear])
    xyz = mixed(linear, OVER_WHITE)
    # The root of 0 has no gradient, so the unselected branch takes the root of 1.
    above = xyz > 0.008856
    root = torch.where(above, xyz, 1.0) ** (1 / 3)
    x, y, z = torch.where(above, root, (903.3 * xyz + 16) / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


@lru_cache(maxsize=2)
def _priors(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the band-pass for a half spectrum, (256, 129), and the centre prior."""
    with torch.inference_mode(False):  # calls with gradients use the cached tensors too
        rows = torch.fft.fftfreq(SIDE, dtype=torch.float64, device="cpu")
        columns = torch.fft.rfftfreq(SIDE, dtype=torch.float64, device="cpu")
        radius = torch.hypot(rows[:, None], columns)
        inside = (radius > 0) & (radius <= 0.5)
        ratio = torch.log(torch.where(inside, radius, 1.0) / OMEGA)
        band = torch.where(inside, torch.exp(-ratio.square() / (2 * SIGMA_F**2)), 0.0)
        places = torch.arange(1, SIDE + 1, dtype=torch.float64, device="cpu") - SIDE / 2
        squares = places.square()
        centre = torch.exp(-(squares[:, None] + squares) / SIGMA_D**2)
        return band.to(device, dtype), centre.to(device, dtype)


def vsi(reference: Tensor, output: Tensor) -> Tensor:
    """Visual saliency-induced index of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) sRGB in [0, 1], C 1 or 3; gray counts as three equal channels.

    Returns
    -------
    Tensor
        (N,), 1 for equal images; NaN if neither image has a salient region, as for flat ones.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images.

    Notes
    -----
    Zhang et al. 2014, doi:10.1109/TIP.2014.2346028, as in the authors' script, except for the
    resizing (see `Vsi`). ``piq`` averages with a shift of one pixel, repeats edges and resizes
    differently, so that values differ by about 1e-4.
    """
    return score_tensors(Vsi(), "vsi", reference, output)
