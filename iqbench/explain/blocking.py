"""PSNR-B under the conventions in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.explain.convention import QUANTISED, Convention
from iqbench.explain.error import LUMA
from iqbench.explain.family import MeanFamily
from iqbench.explain.pair import Pair
from iqbench.explain.prepared import EXCHANGED, WHOLE_SIZE
from iqbench.metrics.psnr import decibels
from iqbench.metrics.psnr_b import BLOCK, blocking_effect, differences, psnr_b

__all__ = ["PsnrBFamily"]

WHOLE_BLOCKS = "psnr-b, edges between whole blocks counted, channel mean"
PAPER_COUNTS = "psnr-b, edges counted as in the paper"


class PsnrBFamily(MeanFamily):
    """PSNR-B, whose grid of blocks starts at the corner of the cropped image."""

    metric = "psnr-b"
    forms = (WHOLE_BLOCKS, PAPER_COUNTS)

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return colours, quantisations and ways to count."""
        return {
            "colour": ("rgb", *LUMA),
            "quantise": QUANTISED,
            "prepared": (*WHOLE_SIZE, EXCHANGED),
            "metric": (self.metric, *self.forms),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Leave crops to the presets."""
        return convention.crop in (0, scale) and convention.modcrop in (1, scale)

    def measure(self, pair: Pair, convention: Convention) -> float:
        """Score a part of the image."""
        reference, output = pair.part(convention)
        if convention.metric == self.metric:
            return float(psnr_b(reference, output))
        if convention.metric == PAPER_COUNTS and reference.shape[1] > 1:
            raise IqbenchError("counted so of gray images only")
        channels = [slice(channel, channel + 1) for channel in range(reference.shape[1])]
        values = [
            _value(reference[:, channel].double(), output[:, channel].double(), convention.metric)
            for channel in channels
        ]
        return sum(values) / len(values)


def _value(reference: Tensor, output: Tensor, form: str) -> float:
    """Return PSNR-B of a plane whose squared steps are divided by another count.

    Implementations count steps by formulas. These give a wrong count if a side is no multiple of 8,
    and the paper's formula always does.
    """
    height, width = output.shape[2:]
    if min(height, width) < 2 * BLOCK:
        raise IqbenchError("the image has no two blocks")
    across, elsewhere = differences(output)
    steps = height * (width - 1) + width * (height - 1)
    there = height * len(range(BLOCK - 1, width - 1, BLOCK))
    there += width * len(range(BLOCK - 1, height - 1, BLOCK))
    counted: float = height * (width // BLOCK - 1) + width * (height // BLOCK - 1)
    if form == PAPER_COUNTS:
        counted = 2 * height * width / BLOCK - 2
    across = across * (there / counted)
    elsewhere = elsewhere * ((steps - there) / (steps - counted))
    effect = blocking_effect(across, elsewhere, height, width)
    return float(decibels((reference - output).square().mean() + effect))
