"""Structural similarity, weighted by information content."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from iqbench.images.colour import luma_full
from iqbench.images.filters import filter_axis, gaussian_weights
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._statistics import Total
from iqbench.metrics._tensors import score_tensors
from iqbench.metrics.ms_ssim import WEIGHTS
from iqbench.networks.border import extend

__all__ = ["IwSsim", "iw_ssim"]

LEVELS = len(WEIGHTS)
WINDOW, BLOCK = 11, 3
GAUSSIAN = gaussian_weights(WINDOW, 1.5)
BINOMIAL = tuple(weight * math.sqrt(2) / 16 for weight in (1, 4, 6, 4, 1))
REACH = len(BINOMIAL) // 2
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
NOISE = 0.4
"""Variance of the visual noise, for a peak of 255."""
SMALLEST = (WINDOW - 1) * 2 ** (LEVELS - 1) + 1
INNER = (WINDOW - BLOCK) // 2
"""Difference of the radii of SSIM's window and of the window of the information weight."""
TAP = Tap(whole=True)

TOGETHER = 16384
"""The number of positions that are read together."""


class IwSsim(Metric):
    """IW-SSIM: MS-SSIM of a Laplacian pyramid, with positions weighted by information content.

    From luma (0.299 R + 0.587 G + 0.114 B) in [0, 255], it computes a pyramid of five scales. On
    the four differences between scales it uses contrast and structure of SSIM's Gaussian windows of
    11x11, on the smallest scale the full SSIM. Their weighted means over positions are raised to
    the powers of MS-SSIM and multiplied. The weight is the mutual information between the images
    and their perceived versions. The reference is modelled as a Gaussian scale mixture of 3x3
    neighbours and of the position at the next scale, the output as the reference times a gain plus
    noise, and the eye by noise of variance 0.4.
    """

    name: ClassVar[str] = "iw-ssim"
    summary: ClassVar[str] = "Information content weighted structural similarity"
    citation: ClassVar[str] = "Wang and Li 2011, doi:10.1109/TIP.2010.2092435"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``iw-ssim``; the model of the reference needs whole images."""
        return (
            Column(
                "iw-ssim",
                "higher",
                self.summary,
                (TAP,),
                headline=True,
                smallest=SMALLEST,
                undefined="neither image contains any information",
                margin=THIRD_DIGIT,
            ),
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return bands, moments and model of the reference for every scale."""
        bands = list(_pyramid(reference))
        parents: list[Tensor | None] = [*bands[1 : LEVELS - 2 + 1], None]
        models = [
            _model(band, parent)
            for band, parent in zip(bands[:-1], parents[: LEVELS - 1], strict=True)
        ]
        models.append((bands[-1][:, :0, :0], bands[-1][:, 0, :0]))
        prepared: list[Tensor] = []
        for band, (energy, eigenvalues) in zip(bands, models, strict=True):
            mean = _blurred(band)
            variance = (_blurred(band.square()) - mean.square()).clamp_min(0)
            prepared += [band, mean, variance, *_moments(band), energy, eigenvalues]
        return tuple(prepared)

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the weighted sum of the similarity at every scale, and the weights."""
        each = len(_Prepared._fields)
        found: dict[str, Total] = {}
        for level, other in enumerate(_pyramid(output)):
            known = _Prepared(*reference[level * each : (level + 1) * each])
            last = level == LEVELS - 1
            similarity = _similarity(known, other, with_means=last)
            weights = torch.ones_like(similarity) if last else _information(known, other)
            found[f"similarity{level}"] = Total((similarity * weights).double().sum((1, 2)))
            found[f"weight{level}"] = Total(weights.double().sum((1, 2)))
        return found

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Multiply the powers of the weighted means."""
        pooled = torch.stack(
            [means[f"similarity{level}"] / means[f"weight{level}"] for level in range(LEVELS)],
            dim=1,
        )
        powers = pooled.new_tensor(WEIGHTS) / sum(WEIGHTS)
        # The gradient of a power at 0 is not finite.
        return (pooled.abs().clamp_min(torch.finfo(pooled.dtype).tiny) ** powers).prod(1)


class _Prepared(NamedTuple):
    """Statistics of the reference at a scale, (N, h, w) each."""

    band: Tensor
    mean: Tensor
    variance: Tensor
    """Variance in SSIM's windows."""
    block_mean: Tensor
    block_variance: Tensor
    """Variance in windows of 3x3."""
    energy: Tensor
    """Energy of the neighbourhood, with each direction divided by its own variance."""
    eigenvalues: Tensor
    """(N, n): variances of the neighbourhood along its directions."""


def _pyramid(image: Tensor) -> Iterator[Tensor]:
    """Yield four differences between scales, and the fifth scale, (N, h, w) each."""
    plane = luma_full(image)[:, 0] * 255
    for _ in range(LEVELS - 1):
        small = _halved(_halved(plane, 2), 1)
        yield plane - _doubled(_doubled(small, 2, plane.shape[2]), 1, plane.shape[1])
        plane = small
    yield plane


def _rounding(dtype: torch.dtype) -> float:
    """Return the variance below which a band counts as flat, because of rounding errors."""
    return float(max(1e-15, (4 * 255 * torch.finfo(dtype).eps) ** 2))


def _halved(plane: Tensor, axis: int) -> Tensor:
    """Filter along an axis with reflected ends, at every second position."""
    padded = extend(plane, REACH, REACH, "reflect", axis=axis)
    return filter_axis(padded, BINOMIAL, axis, stride=2)


def _doubled(plane: Tensor, axis: int, length: int) -> Tensor:
    """Insert zeros between the positions, and filter with reflected ends."""
    # The enlarged image is reflected around its last value, or around the zero after it.
    count = plane.shape[axis]
    first, last = plane.narrow(axis, 1, 1), plane.narrow(axis, count - 1 - length % 2, 1)
    padded = torch.cat([first, plane, last], dim=axis)
    before, here, after = (padded.narrow(axis, place, count) for place in range(3))
    even = (before + after) * BINOMIAL[0] + here * BINOMIAL[2]
    odd = (here + after) * BINOMIAL[1]
    both = torch.stack([even, odd], dim=axis + 1).flatten(axis, axis + 1)
    return both.narrow(axis, 0, length)


def _blurred(plane: Tensor) -> Tensor:
    """Filter with SSIM's Gaussian on valid positions."""
    return filter_axis(filter_axis(plane, GAUSSIAN, 1), GAUSSIAN, 2)


def _block_mean(plane: Tensor) -> Tensor:
    """Return the mean over 3x3 on valid positions."""
    thirds = (1 / BLOCK,) * BLOCK
    return filter_axis(filter_axis(plane, thirds, 1), thirds, 2)


def _moments(band: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance in windows of 3x3."""
    mean = _block_mean(band)
    return mean, (_block_mean(band.square()) - mean.square()).clamp_min(0)


def _similarity(known: _Prepared, other: Tensor, *, with_means: bool) -> Tensor:
    """Return contrast and structure, or SSIM, on valid positions."""
    mean = _blurred(other)
    variance = (_blurred(other.square()) - mean.square()).clamp_min(0)
    covariance = _blurred(known.band * other) - known.mean * mean
    found = (2 * covariance + C2) / (known.variance + variance + C2)
    if not with_means:
        return found
    squares = known.mean.square() + mean.square()
    return found * ((2 * known.mean * mean + C1) / (squares + C1))


def _model(band: Tensor, parent: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return energy, (N, h - 2, w - 2), and eigenvalues, (N, n), of a neighbourhood's model.

    Parameters
    ----------
    band
        (N, h, w), a band of the reference.
    parent
        The band of the next scale, which gives one more neighbour.
    """
    height, width = (side - BLOCK + 1 for side in band.shape[1:])
    windows = band.unfold(1, BLOCK, 1).unfold(2, BLOCK, 1)  # (N, h - 2, w - 2, 3, 3)
    around = windows.permute(0, 3, 4, 1, 2).flatten(3).flatten(1, 2)
    if parent is not None:
        large = _enlarged(_enlarged(parent, 1, band.shape[1]), 2, band.shape[2])
        inner = large[:, 1 : 1 + height, 1 : 1 + width].flatten(1)
        around = torch.cat([around, inner[:, None]], dim=1)
    # Use parts of the positions that fit into the caches.
    neighbours: Sequence[Tensor] = around.chunk(
        -(-around.shape[2] // TOGETHER), dim=2
    )  # (N, n, positions) each
    # Neighbours are similar, so that their covariance is nearly singular and needs float64.
    products = (part @ part.mT for part in (each.double() for each in neighbours))
    covariance: Tensor = reduce(torch.add, products) / around.shape[2]
    # eigh refuses NaN; the energy below is NaN for such an image, and so is its value.
    usable = covariance.isfinite().all(2, keepdim=True).all(1, keepdim=True)
    values, vectors = torch.linalg.eigh(torch.where(usable, covariance, 0.0))
    rounding = _rounding(band.dtype)
    least = values[:, -1:] * (values.shape[1] * torch.finfo(values.dtype).eps)
    there = values > least.clamp_min(rounding)
    whitening = torch.where(there, 1 / torch.where(there, values, 1.0).sqrt(), 0.0)
    directions = (vectors * whitening.unsqueeze(1)).mT.to(band.dtype)
    energy = torch.cat([(directions @ part).square().mean(1) for part in neighbours], dim=1)
    kept = torch.where(there, values, 0.0)
    total = kept.sum(1, keepdim=True)
    scale = torch.where(
        total > 0, values.sum(1, keepdim=True) / torch.where(total > 0, total, 1), 0
    )
    return energy.view(-1, height, width), kept * scale


def _enlarged(plane: Tensor, axis: int, length: int) -> Tensor:
    """Double an axis as in the authors' imenlarge2, and crop it to a length.

    This is bilinear interpolation to four times the size minus three, at every second position,
    with constant extrapolation at the ends.
    """
    count = plane.shape[axis]
    places = torch.arange(length, dtype=torch.float64, device=plane.device)
    source = ((2 * places - 0.5) * count / (4 * count - 3) - 0.5).clamp(0, count - 1)
    below = source.floor().clamp_max(count - 2).long()
    share = (source - below).to(plane.dtype)
    if axis == 1:
        share = share.unsqueeze(1)
    first, second = (plane.index_select(axis, place) for place in (below, below + 1))
    return first + (second - first) * share


def _information(known: _Prepared, other: Tensor) -> Tensor:
    """Return the information content in bits, on valid positions of SSIM's window."""
    mean, spread = _moments(other)
    covariance = _block_mean(known.band * other) - known.block_mean * mean
    small = _rounding(other.dtype)
    gain = covariance / (known.block_variance + small)
    rest = (spread - gain * covariance).clamp_min(0)
    # If the reference is flat, the whole output is noise; if the output is flat, it has no noise.
    flat, silent = known.block_variance < small, spread < small
    gain = torch.where(flat | silent, 0.0, gain)
    rest = torch.where(silent, 0.0, torch.where(flat, spread, rest))
    cut = (slice(None), slice(INNER, -INNER), slice(INNER, -INNER))
    gain, rest, energy = gain[cut].double(), rest[cut].double(), known.energy[cut].double()
    level = 1 + rest / NOISE
    slope = (rest + (1 + gain.square()) * NOISE) * energy / NOISE**2
    # Take one logarithm of the product, which float64 can represent.
    product = torch.ones_like(level)
    for eigenvalue in known.eigenvalues.unbind(1):
        product = product * (level + slope * eigenvalue[:, None, None])
    return torch.log2(product)


def iw_ssim(reference: Tensor, output: Tensor) -> Tensor:
    """Information content weighted structural similarity of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 161x161.

    Returns
    -------
    Tensor
        (N,) float64, 1 for equal images; NaN if neither contains any information.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Wang and Li 2011, doi:10.1109/TIP.2010.2092435, as in the authors' script. ``piq`` differs at
    the last row and column of enlarged images with odd sides.
    """
    return score_tensors(IwSsim(), "iw-ssim", reference, output)
