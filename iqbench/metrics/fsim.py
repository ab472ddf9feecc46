"""Feature similarity index for luma and for colour."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._similarity import Features, WeightedSimilarity, averaged_planes, scharr
from iqbench.metrics._statistics import Mean
from iqbench.metrics._tensors import score_tensors
from iqbench.native import library, loops
from iqbench.networks.haar import YIQ
from iqbench.protocols.presets import Role

__all__ = ["Fsim", "fsim", "fsimc"]

SCALES, ORIENTATIONS = 4, 4
SHORTEST = 6
"""Wavelength of the finest filter in pixels; it doubles with each scale."""
SIGMA_ON_F = 0.55
THETA_SIGMA = math.pi / ORIENTATIONS / 1.2
CUTOFF, ORDER = 0.45, 15
DEVIATIONS = 2.0
SMALL = 1e-4
SIMILARITY = WeightedSimilarity(
    weights=0.85, slopes=160.0, colours=200.0, slope_exponent=1.0, colour_exponent=0.03
)
GRAY = ((1.0, 0.0, 0.0),)
STATISTICS = ("weights", "fsim", "fsimc")
TAP = Tap(whole=True)
SMALLEST = 2


class Fsim(Metric):
    """FSIM: the similarity of phase congruency and gradients, weighted by phase congruency.

    Larger images are first averaged to a short side of about 256 pixels. From Y of YIQ in [0, 255],
    it computes phase congruency by log-Gabor filters at four scales and orientations (Kovesi), and
    Scharr's gradients with zero padding. Their similarities are multiplied, and averaged with the
    larger phase congruency of both images as weight. ``fsimc`` also multiplies the similarity of I
    and Q to the power 0.03; for gray images it equals ``fsim``.
    """

    name: ClassVar[str] = "fsim"
    summary: ClassVar[str] = "Feature similarity index of luma"
    citation: ClassVar[str] = "Zhang et al. 2011, doi:10.1109/TIP.2011.2109730"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return ``fsim`` and ``fsimc``; phase congruency needs the whole image."""
        undefined = "neither image has any structure"
        summaries = {"fsim": self.summary, "fsimc": "Feature similarity index of colour"}
        return tuple(
            Column(
                name,
                "higher",
                summary,
                (TAP,),
                headline=True,
                smallest=SMALLEST,
                undefined=undefined,
                margin=THIRD_DIGIT,
            )
            for name, summary in summaries.items()
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> Features:
        """Return phase congruency, gradient and colours of the reference."""
        return _features(reference)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the weighted similarities, and the weights."""
        congruency, slope, colours = reference
        maps = SIMILARITY.maps((congruency, slope, colours), _features(output))
        return dict(zip(STATISTICS, maps, strict=True))

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the means of the maps."""
        congruency, slope, colours = reference
        sums = SIMILARITY.sums((congruency, slope, colours), _features(output))
        count = slope[0].numel()
        return {name: Mean(total, count) for name, total in zip(STATISTICS, sums, strict=True)}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Divide by the mean weight."""
        return means[column] / means["weights"]


def _features(image: Tensor) -> Features:
    """Return phase congruency and gradient of Y, and I and Q of colour, after downsampling."""
    channels = averaged_planes(image, GRAY if image.shape[1] == 1 else YIQ, 255)
    return phase_congruency(channels[:, 0]), scharr(channels[:, :1]), channels[:, 1:]


def phase_congruency(plane: Tensor) -> Tensor:
    """Return Kovesi's phase congruency, with the authors' noise threshold.

    Parameters
    ----------
    plane
        (N, h, w) in [0, 255].

    Returns
    -------
    Tensor
        (N, h, w), from 0 to 1; 0 where no filter responds.
    """
    filters, noise = _filters(plane.shape[1], plane.shape[2], plane.device, plane.dtype)
    if library.suits(plane):
        return torch.stack([_compiled_congruency(one, filters, noise) for one in plane])
    spectrum = torch.fft.fft2(plane)
    energy, amplitude = torch.zeros_like(plane), torch.zeros_like(plane)
    for orientation in range(ORIENTATIONS):
        found = torch.fft.ifft2(spectrum[:, None] * filters[orientation])
        even, odd = found.real, found.imag
        sizes = safe_sqrt(even.square().addcmul_(odd, odd))
        total = found.sum(1, keepdim=True)
        squares = total.real.square() + total.imag.square()
        length = safe_sqrt(squares) + SMALL
        # Components along the mean direction sum to the length of the sum; others cancel.
        across = even * (total.imag / length)
        across.addcmul_(odd, total.real / length, value=-1)
        along = (squares / length)[:, 0] - across.abs().sum(1)
        threshold = _thresholds(_median(sizes[:, 0].square().flatten(1)), noise[orientation])
        energy = energy + (along - threshold[:, None, None]).clamp_min(0)
        amplitude = amplitude + sizes.sum(1)
    there = amplitude > 0
    return torch.where(there, energy / torch.where(there, amplitude, 1.0), 0.0)


def _compiled_congruency(plane: Tensor, filters: Tensor, noise: Tensor) -> Tensor:
    """Compute the same for one plane, (h, w), with loops that read each response once."""
    spectrum = torch.fft.fft2(plane)
    along, squares = (plane.new_empty(ORIENTATIONS, *plane.shape) for _ in range(2))
    amplitude = torch.empty_like(plane)
    for turn in range(ORIENTATIONS):
        answers = torch.fft.ifft2(loops.filtered_spectra(spectrum, filters[turn]))
        loops.oriented_parts(answers, squares[turn], along[turn], amplitude, first=turn == 0)
    thresholds = _thresholds(loops.medians(squares.flatten(1)), noise)
    return loops.congruencies(along, thresholds, amplitude)


def _thresholds(medians: Tensor, noise: Tensor) -> Tensor:
    """Return the energy of noise, from the medians of the squares at the finest scale."""
    # Noise has a Rayleigh distribution, whose power follows from the median at the finest scale.
    tau = safe_sqrt(-medians / math.log(0.5) * noise)
    return tau * (math.sqrt(math.pi / 2) + DEVIATIONS * math.sqrt(2 - math.pi / 2)) / 1.7


def _median(values: Tensor) -> Tensor:
    """Return the median along the last axis; for an even number, the mean of the middle two."""
    count = values.shape[1]
    lower = values.kthvalue((count + 1) // 2, 1, keepdim=True).values
    if count % 2:
        return lower[:, 0]
    # The next value is equal, or the smallest of those above, so one selection is enough.
    above = torch.where(values > lower, values, torch.inf).amin(1)
    equal = (values <= lower).sum(1) > count // 2
    return (lower[:, 0] + torch.where(equal, lower[:, 0], above)) / 2


@lru_cache(maxsize=2)
def _filters(
    height: int, width: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return log-Gabor filters, (orientations, scales, h, w), and the energy of noise.

    The second, (orientations,), is the squared sum over scales of the spatial filters, divided by
    the power of the finest one: half the expected squared energy of noise of power 1.
    """
    with torch.inference_mode(False):  # calls with gradients use the cached filters too
        y, x = torch.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
        radius, theta = (
            torch.fft.ifftshift(torch.hypot(x, y)),
            torch.fft.ifftshift(torch.atan2(-y, x)),
        )
        low_pass = 1 / (1 + (radius / CUTOFF) ** (2 * ORDER))
        radius[0, 0] = 1
        bands = []
        for scale in range(SCALES):
            ratio = torch.log(radius * SHORTEST * 2**scale)
            band = torch.exp(-ratio.square() / (2 * math.log(SIGMA_ON_F) ** 2)) * low_pass
            band[0, 0] = 0
            bands.append(band)
        turned = []
        for orientation in range(ORIENTATIONS):
            angle = theta - orientation * math.pi / ORIENTATIONS
            distance = torch.atan2(angle.sin(), angle.cos())
            turned.append(torch.exp(-distance.square() / (2 * THETA_SIGMA**2)))
        filters = torch.stack(turned)[:, None] * torch.stack(bands)
        spatial = torch.fft.ifft2(filters).real * math.sqrt(height * width)
        noise = spatial.sum(1).square().sum((1, 2)) / filters[:, 0].square().sum((1, 2))
        return filters.to(device=device, dtype=dtype), noise.to(device=device, dtype=dtype)


def _frequencies(length: int) -> Tensor:
    """Return the frequencies of one axis, zero in the middle; for an odd length the last is 1/2."""
    places = torch.arange(length, dtype=torch.float64, device="cpu") - length // 2
    return places / (length - length % 2)


def fsim(reference: Tensor, output: Tensor) -> Tensor:
    """Feature similarity index of the luma of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 2x2.

    Returns
    -------
    Tensor
        (N,), 1 for equal images; NaN if neither has any structure.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Zhang et al. 2011, doi:10.1109/TIP.2011.2109730, as in the authors' script.
    """
    return score_tensors(Fsim(), "fsim", reference, output)


def fsimc(reference: Tensor, output: Tensor) -> Tensor:
    """Feature similarity index, with colour, of each image of a batch; see `fsim`.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 2x2; for gray images it equals `fsim`.

    Returns
    -------
    Tensor
        (N,), 1 for equal images; NaN if neither has any structure.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.
    """
    return score_tensors(Fsim(), "fsimc", reference, output)
