"""SSIMULACRA 2."""

from __future__ import annotations

import math
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqbench.columns import Margin
from iqbench.images.filters import filter_axis
from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._statistics import Mean
from iqbench.metrics._tensors import score_tensors
from iqbench.native import library, loops
from iqbench.networks.xyb import BORDER, SCALES
from iqbench.protocols.presets import Role

__all__ = ["Ssimulacra2", "ssimulacra2"]

C2 = 0.0009
SIGMA = 1.5
SMALLEST = 8
WINDOW = 2 * BORDER + 1
TAPS = tuple(Tap("xyb", f"xyb{scale}", WINDOW, normalise=False) for scale in range(1, SCALES + 1))
# fmt: off
WEIGHTS = (
    0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0,
    0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
    0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0,
    0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0,
    0.0007289346991508072, 0.9677937080626833, 0,
    0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053,
    0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0,
    0, 0, 0, 7.466890328078848, 0, 17.445833984131262,
    0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
    225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
    176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
    0, 0, 0, 34.77906344483772, 44.835625328877896, 0,
    0, 0, 0, 0, 0, 0,
    0, 0.0008680556573291698, 0, 0, 0, 0,
    0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0,
    0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0,
    0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0,
    95.1080498811086, 0.9863978034400682, 0.9834382792465353,
    0.0012286405048278493, 171.2667255897307, 0.9807858872435379,
    0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537,
)
# fmt: on
"""Weights of version 2.1: for X, Y, B - Y, and for each scale, those of structure, ringing and
blurring in the 1-norm, and in the 4-norm."""


class Ssimulacra2(Metric):
    """SSIMULACRA 2, version 2.1: a weighted combination of 108 errors in XYB.

    There are three errors at each of six scales (halved in linear light) for X, Y and B - Y:
    1 - SSIM without the denominator of luminance, edges of the output that the reference lacks
    (ringing), and edges that the output lacks (blurring). Each gives its mean, and the fourth root
    of its mean fourth power. The blur consists of libjxl's truncated cosines of sigma 1.5, with
    zero padding. 100 means equal images; 90 is visually lossless, 70 high, 50 medium and 30 low
    quality; very bad images are below 0. A scale is left out if the one before has a side below 8
    pixels. Gray counts as three equal channels.
    """

    name: ClassVar[str] = "ssimulacra2"
    summary: ClassVar[str] = "SSIMULACRA 2.1"
    citation: ClassVar[str] = "Sneyers 2023, github.com/cloudinary/ssimulacra2, version 2.1"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "perception"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``ssimulacra2``."""
        return (
            Column(
                "ssimulacra2",
                "higher",
                self.summary,
                TAPS,
                decimals=2,
                headline=True,
                smallest=SMALLEST,
                margin=Margin(
                    0.5,
                    reason="from medium to high quality it is 20 points",
                ),
            ),
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference, its blur, and what its edges are compared with.

        Of the compiled loop, which reads both images at once, the reference alone.
        """
        if library.suits(reference):
            return (reference.contiguous(),)
        mean = _blurred(reference)
        return reference, mean, 1 + (_inner(reference) - mean).abs()

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the means of six maps of each channel, and the short side of the scale."""
        height, width = (side - 2 * BORDER for side in output.shape[2:])
        sums = (
            _compiled_sums(reference[0], output)
            if len(reference) == 1
            else _sums(reference, output)
        )
        short = min(place.height - 2 * BORDER, width)
        return {
            tap.layer: Mean(sums, height * width),
            f"{tap.layer}.short": Mean(sums.new_full((len(sums),), short), 1),
        }

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Weigh the norms."""
        shorts = torch.stack([means[f"{tap.layer}.short"] for tap in TAPS[:-1]], dim=1)
        left_out = (shorts < SMALLEST).sum(1)
        norms = torch.stack([means[tap.layer] for tap in TAPS], dim=2)
        fourth = safe_sqrt(safe_sqrt(norms[..., 3:]))
        norms = torch.cat([norms[..., :3], fourth], dim=-1)
        # As a tensor, since the number of scales cannot be read while `torch.vmap` maps this.
        weights = norms.new_tensor(_weights_by_scales()).index_select(0, left_out)
        error = (norms * weights).sum((1, 2, 3)) * 0.9562382616834844
        error = (6.248496625763138e-05 * error - 0.020884521182843837) * error * error + (
            2.326765642916932 * error
        )
        seen = ~(error <= 0)  # an undefined error stays undefined
        return torch.where(
            seen, 100 - 10 * torch.where(seen, error, 1.0) ** 0.6276336467831387, 100
        )


def _sums(reference: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Return the sums of three maps and of their fourth powers, (N, C, 6)."""
    first, mean, edges = reference
    other = _blurred(output)
    # With the moments of the difference nothing cancels where the images are alike.
    apart = (mean - other).square()
    spread = _blurred(first.square() + output.square()) - mean.square() - other.square() + C2
    differing = _blurred((first - output).square()) - apart
    structure = (1 - (1 - apart) * (1 - differing / spread)).clamp_min(0)
    changed = (1 + (_inner(output) - other).abs()) / edges - 1
    maps = torch.stack([structure, changed.clamp_min(0), (-changed).clamp_min(0)], dim=2)
    # Fourth powers as products: powers are slow.
    return torch.cat([powers.sum((3, 4)) for powers in (maps, maps.square().square())], dim=2)


def _compiled_sums(reference: Tensor, output: Tensor) -> Tensor:
    """Compute the same as `_sums` in one pass; there may be one reference for all outputs."""
    references = reference.expand(len(output), -1, -1, -1)
    return torch.stack(
        [
            loops.xyb_sums(first, second, _cosines(), C2)
            for first, second in zip(references, output.contiguous(), strict=True)
        ]
    )


def _inner(image: Tensor) -> Tensor:
    """Remove the border that the blur needs."""
    return image[:, :, BORDER:-BORDER, BORDER:-BORDER]


def _blurred(image: Tensor) -> Tensor:
    return filter_axis(filter_axis(image, _cosines(), 2), _cosines(), 3)


@cache
def _weights_by_scales() -> NDArray[np.float64]:
    """Return the weights of all channels, scales and norms, (6, 3, 6, 6), by scales left out.

    Where scales are left out, the weights of the others move up, as in the authors' code; those of
    the scales that are left out are 0.
    """
    weights = np.zeros((len(TAPS), 3, len(TAPS), 6))
    for left_out, table in enumerate(weights):
        count = len(TAPS) - left_out
        table[:, :count] = np.reshape(WEIGHTS[: 3 * count * 6], (3, count, 6))
    return weights


@cache
def _cosines() -> tuple[float, ...]:
    """Return the weights of libjxl's recursive Gaussian along an axis, as a finite filter.

    Charalampidis 2016, doi:10.1109/TSP.2016.2549985: three cosines that end at the radius. They are
    0 there, so the window has one pixel less on each side.
    """
    radius = round(3.2795 * SIGMA + 0.2546)
    omega = [order * math.pi / (2 * radius) for order in (1, 3, 5)]
    signs = (1, -1, 1)
    p = [sign / math.tan(w / 2) for sign, w in zip(signs, omega, strict=True)]
    r = [sign * a * a / math.sin(w) for sign, a, w in zip(signs, p, omega, strict=True)]
    rho = [math.exp(-((SIGMA * w) ** 2) / 2) / radius for w in omega]
    first = (p[1] * r[2] - r[1] * p[2]) / (p[0] * r[1] - r[0] * p[1])
    second = (p[2] * r[0] - r[2] * p[0]) / (p[0] * r[1] - r[0] * p[1])
    rows = torch.tensor([p, r, [first, second, 1.0]], dtype=torch.float64, device="cpu")
    sums = [1.0, radius**2 - SIGMA**2, first * rho[0] + second * rho[1] + rho[2]]
    beta = torch.linalg.solve(rows, torch.tensor(sums, dtype=torch.float64, device="cpu")).tolist()
    return tuple(
        sum(b * math.cos(w * place) for b, w in zip(beta, omega, strict=True))
        for place in range(-BORDER, BORDER + 1)
    )


def ssimulacra2(reference: Tensor, output: Tensor) -> Tensor:
    """SSIMULACRA 2 of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) sRGB in [0, 1], C 1 or 3, at least 8x8.

    Returns
    -------
    Tensor
        (N,), 100 for equal images.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Sneyers 2023, github.com/cloudinary/ssimulacra2, version 2.1. float32 tensors are computed in
    float32, as in the authors' program; float64 changes values by about 1e-5.
    """
    return score_tensors(Ssimulacra2(), "ssimulacra2", reference, output)
