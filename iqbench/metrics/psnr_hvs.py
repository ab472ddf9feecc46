"""PSNR-HVS and PSNR-HVS-M: PSNR of 8x8 DCT coefficients, weighted by visibility."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import Column, Maps, Metric, Options, Place, Statistics, Tap
from iqbench.metrics._statistics import Mean
from iqbench.metrics._tensors import score_tensors
from iqbench.metrics.psnr import DECIBELS, TOLERANCE, decibels
from iqbench.native import library, loops
from iqbench.networks.blocks import SIDE, Luma, network_of
from iqbench.specs import validate

__all__ = ["PsnrHvs", "psnr_hvs", "psnr_hvsm"]

# fmt: off
SENSITIVITY = (
    1.608443, 2.339554, 2.573509, 1.608443, 1.072295, 0.643377, 0.504610, 0.421887,
    2.144591, 2.144591, 1.838221, 1.354478, 0.989811, 0.443708, 0.428918, 0.467911,
    1.838221, 1.979622, 1.608443, 1.072295, 0.643377, 0.451493, 0.372972, 0.459555,
    1.838221, 1.513829, 1.169777, 0.887417, 0.504610, 0.295806, 0.321689, 0.415082,
    1.429727, 1.169777, 0.695543, 0.459555, 0.378457, 0.236102, 0.249855, 0.334222,
    1.072295, 0.735288, 0.467911, 0.402111, 0.317717, 0.247453, 0.227744, 0.279729,
    0.525206, 0.402111, 0.329937, 0.295806, 0.249855, 0.212687, 0.214459, 0.254803,
    0.357432, 0.279729, 0.270896, 0.262603, 0.229778, 0.257351, 0.249855, 0.259950,
)
"""The contrast sensitivity for each coefficient, row by row."""
MASKING = (
    0.390625, 0.826446, 1.000000, 0.390625, 0.173611, 0.062500, 0.038447, 0.026874,
    0.694444, 0.694444, 0.510204, 0.277008, 0.147929, 0.029727, 0.027778, 0.033058,
    0.510204, 0.591716, 0.390625, 0.173611, 0.062500, 0.030779, 0.021004, 0.031888,
    0.510204, 0.346021, 0.206612, 0.118906, 0.038447, 0.013212, 0.015625, 0.026015,
    0.308642, 0.206612, 0.073046, 0.031888, 0.021626, 0.008417, 0.009426, 0.016866,
    0.173611, 0.081633, 0.033058, 0.024414, 0.015242, 0.009246, 0.007831, 0.011815,
    0.041649, 0.024414, 0.016437, 0.013212, 0.009426, 0.006830, 0.006944, 0.009803,
    0.019290, 0.011815, 0.011080, 0.010412, 0.007972, 0.010000, 0.009426, 0.010203,
)
"""The strength with which each coefficient masks others, and is masked."""
# fmt: on
PIXELS = SIDE**2
QUARTER = PIXELS // 4
COLUMNS = {
    "psnr-hvs": "PSNR of 8x8 DCT coefficients, weighted by contrast sensitivity, dB",
    "psnr-hvsm": "PSNR-HVS of errors that the block's own contrast does not mask, dB",
}


class PsnrHvs(Metric):
    """PSNR-HVS and PSNR-HVS-M: -10 log10 of the mean squared error of 8x8 DCT coefficients.

    Each coefficient is weighted by the contrast sensitivity of the eye. For PSNR-HVS-M, the error
    of every coefficient except the first is first reduced by the masking of the block. It is the
    square root of the block's weighted energy, and smaller if the block contains an edge (the
    variance within its quarters is small compared with its own); the larger value of both images
    is used. Blocks are adjacent and start at the upper left corner; incomplete ones are left out.
    It uses luma; gray is not changed.

    Options: `luma`, ``studio``: MATLAB's rgb2ycbcr, from 16 to 235 for a peak of 255; ``full``:
    0.299 R + 0.587 G + 0.114 B; `rounded`, whether luma is rounded to 8 bits, as in the authors'
    files. Values with studio range are 1.3 dB higher than those with full range.
    """

    name: ClassVar[str] = "psnr-hvs"
    summary: ClassVar[str] = COLUMNS["psnr-hvs"]
    citation: ClassVar[str] = (
        "Egiazarian et al. 2006, VPQM; Ponomarenko et al. 2007, VPQM; ponomarenko.info/psnrhvsm.htm"
    )
    version: ClassVar[int] = 2
    symmetric: ClassVar[bool] = True

    luma: Luma = "studio"
    rounded: bool = True

    def columns(self) -> tuple[Column, ...]:
        """Return ``psnr-hvs`` and ``psnr-hvsm``, with every option that is not the default."""
        options: Options = (("luma", self.luma), ("rounded", str(self.rounded).lower()))
        chosen = "".join(
            f"-{key}={value}"
            for (key, value), default in zip(options, ("studio", "true"), strict=True)
            if value != default
        )
        network = network_of(self.luma, rounded=self.rounded)
        tap = Tap(network, "blocks", normalise=False)
        return tuple(
            Column(
                f"{name}{chosen}",
                "higher",
                summary,
                (tap,),
                options,
                decimals=2,
                headline=True,
                margin=DECIBELS,
                tolerance=TOLERANCE,
            )
            for name, summary in COLUMNS.items()
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference's coefficients, (N, h, w, 64), and the masking of each block.

        For the compiled loop, which reads both images at once, return the reference itself.
        """
        if library.suits(reference):
            return (reference,)
        coefficients = _transform(reference)
        return coefficients, _masking(coefficients)

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the mean squared error of the coefficients, and of their unmasked part."""
        compiled = len(reference) == 1
        sums = _compiled_sums(reference[0], output) if compiled else _sums(reference, output)
        count = output[0].numel()
        return {name: Mean(total, count) for name, total in zip(COLUMNS, sums, strict=True)}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return -10 log10 of the mean; +inf if there is no visible error."""
        return decibels(means["psnr-hvsm" if column.startswith("psnr-hvsm") else "psnr-hvs"])


def _sums(reference: tuple[Tensor, ...], output: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums of the weighted squared errors, and of their unmasked parts, (N,)."""
    first, masked = reference
    second = _transform(output)
    constants = _constants(output.device, output.dtype)
    error = (first - second).abs()
    hidden = torch.maximum(masked, _masking(second)).unsqueeze(-1)
    seen = torch.addcmul(error, hidden, constants.threshold, value=-1).clamp_min(0)
    every, left = (
        (values.square() @ constants.sensitivity).sum((1, 2)) for values in (error, seen)
    )
    return every, left


def _compiled_sums(reference: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the same as `_sums` block by block; there may be one reference for all outputs."""
    constants = _loop_constants()
    references, outputs = (one.permute(0, 2, 3, 1).contiguous() for one in (reference, output))
    sums = torch.stack(
        [
            loops.block_errors(first, second, constants)
            for first, second in zip(
                references.expand(len(outputs), -1, -1, -1), outputs, strict=True
            )
        ]
    )
    return sums[:, 0], sums[:, 1]


def _transform(blocks: Tensor) -> Tensor:
    """Return the DCT coefficients of blocks, (N, 64, h, w) to (N, h, w, 64)."""
    return blocks.permute(0, 2, 3, 1) @ _constants(blocks.device, blocks.dtype).cosines


def _masking(coefficients: Tensor) -> Tensor:
    """Return the masking of blocks, (N, h, w): 1/32 sqrt(energy quarters' variance / variance).

    All coefficients except the first describe the difference from the mean. The sum of their
    squares is that of the pixels. Minus the squares of the quarters' means, it is the sum of
    squares within the quarters.
    """
    constants = _constants(coefficients.device, coefficients.dtype)
    energy, whole = (coefficients.square() @ constants.energies).unbind(-1)
    between = (coefficients @ constants.quarters).square().sum(-1) * QUARTER
    inner = (whole - between).clamp_min(0) * (QUARTER / (QUARTER - 1))
    flat = whole == 0
    over = torch.where(flat, 1.0, whole) * (PIXELS / (PIXELS - 1))
    return safe_sqrt(torch.where(flat, 0.0, energy * inner / over)) / 32


class _Constants(NamedTuple):
    """The matrices and factors for blocks."""

    cosines: Tensor
    """(64, 64): the DCT of a block of 64 pixels."""
    sensitivity: Tensor
    """(64,), squared."""
    energies: Tensor
    """(64, 2): the masking factor and 1 for every coefficient; 0 for the first."""
    quarters: Tensor
    """(64, 4): the means of the block's quarters minus its own."""
    threshold: Tensor
    """(64,): the inverse of the masking factor; 0 for the first, which is never masked."""


@lru_cache(maxsize=1)
def _loop_constants() -> Tensor:
    """Return the constants for the compiled loop, (4, 64) float32."""
    constants = _constants(torch.device("cpu"), torch.float64)
    with torch.inference_mode(False):  # calls with gradients use the cached constants too
        rows = [_cosines().flatten(), constants.sensitivity]
        rows += [constants.energies[:, 0], constants.threshold]
        return torch.stack(rows).float()


def _cosines() -> Tensor:
    """Return the DCT of eight values, (8, 8) float64, one coefficient per row."""
    order = torch.arange(SIDE, dtype=torch.float64, device="cpu")
    line = torch.cos(math.pi / SIDE * order[:, None] * (order + 0.5)) * math.sqrt(2 / SIDE)
    line[0] = math.sqrt(1 / SIDE)
    return line


@lru_cache(maxsize=4)
def _constants(device: torch.device, dtype: torch.dtype) -> _Constants:
    """Return the constants of a device and type."""
    with torch.inference_mode(False):  # calls with gradients use the cached constants too
        line = _cosines()
        cosines = torch.kron(line, line).T.contiguous()
        sensitivity, masking = (
            torch.tensor(values, dtype=torch.float64, device="cpu")
            for values in (SENSITIVITY, MASKING)
        )
        energies = torch.stack([masking, torch.ones_like(masking)], dim=1)
        halves = torch.eye(2, dtype=torch.float64, device="cpu").repeat_interleave(SIDE // 2, 0)
        quarters = cosines.T @ torch.kron(halves, halves) / QUARTER
        threshold = 1 / masking
        energies[0] = quarters[0] = threshold[0] = 0
        found = cosines, sensitivity.square(), energies, quarters, threshold
        return _Constants(*(one.to(device=device, dtype=dtype) for one in found))


def psnr_hvs(
    reference: Tensor, output: Tensor, *, luma: Luma = "studio", rounded: bool = True
) -> Tensor:
    """PSNR-HVS of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 8x8. Gray is not changed.
    luma
        ``studio``: MATLAB's rgb2ycbcr; ``full``: 0.299 R + 0.587 G + 0.114 B.
    rounded
        Whether to round luma to 8 bits first; the rounding has the gradient of the identity.

    Returns
    -------
    Tensor
        (N,), dB; +inf, with gradient 0, for equal images.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Egiazarian et al. 2006, as in the authors' ``psnrhvsm.m``, without its limit of 100 dB.
    """
    return _score("psnr-hvs", reference, output, luma, rounded=rounded)


def psnr_hvsm(
    reference: Tensor, output: Tensor, *, luma: Luma = "studio", rounded: bool = True
) -> Tensor:
    """PSNR-HVS-M of each image of a batch: PSNR-HVS of the unmasked errors.

    Parameters
    ----------
    reference, output, luma, rounded
        As for `psnr_hvs`.

    Returns
    -------
    Tensor
        (N,), dB; +inf, with gradient 0, if all differences are masked.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Ponomarenko et al. 2007, as in the authors' ``psnrhvsm.m``.
    """
    return _score("psnr-hvsm", reference, output, luma, rounded=rounded)


def _score(name: str, reference: Tensor, output: Tensor, luma: str, *, rounded: bool) -> Tensor:
    metric = validate(PsnrHvs, {"luma": luma, "rounded": rounded}, where="PSNR-HVS")
    wanted = [column.name for column in metric.columns()][list(COLUMNS).index(name)]
    return score_tensors(metric, wanted, reference, output)
