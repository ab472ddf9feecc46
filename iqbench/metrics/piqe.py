"""PIQE: perception-based image quality evaluator, without a reference."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.columns import Margin
from iqbench.images.colour import luma_full
from iqbench.images.filters import filter_axis, gaussian_weights
from iqbench.images.rounding import round_half_away
from iqbench.metrics._base import Column, Maps, Metric, Needs, Tap
from iqbench.metrics._images import accept_image
from iqbench.metrics._tensors import score_as_they_are
from iqbench.networks.border import surrounded
from iqbench.protocols.presets import Role

__all__ = ["Piqe", "piqe"]

BLOCK, SEGMENT = 16, 6
WINDOW, SIGMA = 7, 7 / 6
ACTIVE = IMPAIRED = 0.1
ROUNDING = 1e-9
TAP = Tap(whole=True)


class Piqe(Metric):
    """PIQE: the distortion of an image's active blocks, from 0 (best) to 100.

    Luma (0.299 R + 0.587 G + 0.114 B) is rounded to 8 bits, scaled to a maximum of 255, and locally
    normalised: its difference to the local mean is divided by the local deviation plus 1. It is cut
    into blocks of 16x16; the image is mirrored to complete the last ones. A block with a variance v
    above 0.1 is active. It adds 1 - v if a segment of six pixels on its edge has a deviation below
    0.1 (an artefact), and v if its centre deviates like noise. The value is this sum plus 1,
    divided by the number of active blocks plus 1, in per cent.
    """

    name: ClassVar[str] = "piqe"
    summary: ClassVar[str] = "Perception-based image quality evaluator; no reference is read"
    citation: ClassVar[str] = "Venkatanath et al. 2015, doi:10.1109/NCC.2015.7084843"
    role: ClassVar[Role] = "naturalness"
    needs: ClassVar[Needs] = "output"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``piqe``; its maximum needs the whole image."""
        return (
            Column(
                "piqe",
                "lower",
                self.summary,
                (TAP,),
                decimals=2,
                headline=True,
                margin=Margin(0.5, reason="papers print one or two decimals of a range of 100"),
            ),
        )

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the value itself."""
        # Values exactly between two integers must be rounded up in spite of rounding errors.
        plane = round_half_away(luma_full(output.double()) * 255 + ROUNDING)
        peak = plane.amax((1, 2, 3), keepdim=True)
        # A black plane is not changed.
        plane = round_half_away(plane * 255 / torch.where(peak > 0, peak, 255.0))
        return {"piqe": _score(_blocks(_normalised(_completed(plane)))).unsqueeze(1)}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the value."""
        return means["piqe"]


def _completed(plane: Tensor) -> Tensor:
    """Mirror the last rows and columns, (N, 1, H, W), until all blocks are complete."""
    for axis in (2, 3):
        size = plane.shape[axis]
        places = torch.arange(-(-size // BLOCK) * BLOCK, dtype=torch.int64, device=plane.device) % (
            2 * size
        )
        plane = plane.index_select(axis, torch.minimum(places, 2 * size - 1 - places))
    return plane


def _normalised(plane: Tensor) -> Tensor:
    """Subtract the local mean, and divide by the local deviation plus 1."""
    line = gaussian_weights(WINDOW, SIGMA)
    padded = surrounded(plane, WINDOW // 2)
    mean, square = (
        filter_axis(filter_axis(image, line, 2), line, 3) for image in (padded, padded.square())
    )
    return (plane - mean) / ((square - mean.square()).abs().sqrt() + 1)


def _blocks(plane: Tensor) -> Tensor:
    """Cut into adjacent blocks, (N, n, 16, 16)."""
    columns = F.unfold(plane, BLOCK, stride=BLOCK)
    return columns.mT.reshape(len(plane), -1, BLOCK, BLOCK)


def _score(blocks: Tensor) -> Tensor:
    """Return the value, (N,), of blocks, (N, n, 16, 16)."""
    variance = blocks.flatten(2).var(2)
    idle = variance <= ACTIVE  # False for NaN, so that it is not hidden
    edges = [blocks[:, :, 0], blocks[:, :, -1], blocks[..., 0], blocks[..., -1]]
    segments = torch.stack(edges, dim=2).unfold(3, SEGMENT, 1)
    artefact = (segments.std(4) < IMPAIRED).flatten(2).any(2)
    distorted = artefact * (1 - variance) + _noisy(blocks, variance.sqrt()) * variance
    found = torch.where(idle, 0.0, distorted).sum(1)
    return (found + 1) / ((~idle).sum(1) + 1) * 100


def _noisy(blocks: Tensor, deviation: Tensor) -> Tensor:
    """Return the blocks whose two middle columns deviate like the others."""
    middle = BLOCK // 2
    centre = blocks[..., middle - 1 : middle + 1].flatten(2).std(2)
    # MATLAB's script removes the eighth column, and then the ninth of the remaining ones.
    kept = [column for column in range(BLOCK) if column not in (middle - 1, middle + 1)]
    around = blocks[..., kept].flatten(2).std(2)
    ratio = torch.where(around > 0, centre / torch.where(around > 0, around, 1.0), 0.0)
    largest = torch.maximum(deviation, ratio)
    apart = (deviation - ratio).abs() / torch.where(largest > 0, largest, 1.0)
    return deviation > 2 * apart


def piqe(image: Tensor) -> Tensor:
    """PIQE of each image of a batch; it has no gradient.

    Parameters
    ----------
    image
        (N, C, H, W) in [0, 1], C 1 or 3.

    Returns
    -------
    Tensor
        (N,) float64, from 0 to 100, lower is better; 100 for flat images.

    Raises
    ------
    IqbenchError
        If the tensor is not a batch of images.

    Notes
    -----
    Venkatanath et al. 2015, doi:10.1109/NCC.2015.7084843, as MATLAB's ``piqe``.
    """
    with torch.no_grad():
        image = accept_image(image)
        return score_as_they_are(Piqe(), "piqe", image, image)
