"""MS-SSIM under the conventions in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.explain.brightness import BRIGHTNESS
from iqbench.explain.convention import OWN, QUANTISED, Convention
from iqbench.explain.error import LUMA
from iqbench.explain.family import MeanFamily
from iqbench.explain.pair import Pair
from iqbench.explain.prepared import AS_STORED, WHOLE_SIZE
from iqbench.explain.similarity import FLOAT_ERROR
from iqbench.metrics._registry import Request, resolve_metrics
from iqbench.metrics._tensors import score_as_they_are
from iqbench.metrics.ms_ssim import SMALLEST, WEIGHTS, MsSsim
from iqbench.metrics.ssim import Ssim
from iqbench.networks.pyramid import Halving

__all__ = ["MsSsimFamily"]

ODD: tuple[Halving, ...] = ("zero", "crop", "repeat-first")
MULTI_CLIPPED = "ms-ssim-odd=zero, structure clipped"
TOGETHER = "ms-ssim, channels together, last scale mirrored"


class MsSsimFamily(MeanFamily):
    """MS-SSIM, or the same in dB."""

    departures = 1
    float_error = FLOAT_ERROR

    def __init__(self, column: str) -> None:
        self.metric = column
        if column == "ms-ssim":
            self.limits = (-1.0, 1.0)
        halved = tuple(f"{column}-odd={odd}" for odd in ODD)
        self.forms = (*halved, TOGETHER, MULTI_CLIPPED) if column == "ms-ssim" else halved

    def requests(self) -> list[Request]:
        """Return the one column."""
        return [item for item in resolve_metrics(["ms-ssim"]) if item.column.name == self.metric]

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return colours, quantisations and ranges."""
        return {
            "colour": ("rgb", *LUMA),
            "quantise": QUANTISED,
            "brightness": BRIGHTNESS,
            "prepared": WHOLE_SIZE,
            "range": (OWN, "larger-range", "0..1-peak-2", "0..255-peak-1"),
            "metric": (self.metric, *self.forms),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Leave crops to the presets: every convention is a pyramid of its own."""
        if convention.prepared != AS_STORED and convention.metric != self.metric:
            return False
        return convention.crop in (0, scale) and convention.modcrop in (1, scale)

    def measure(self, pair: Pair, convention: Convention) -> float:
        """Score a part of the image."""
        reference, output = pair.part(convention)
        if convention.metric == TOGETHER and convention.range == "larger-range":
            return _together(reference, output, range_of_scale=True)
        scale, offset = pair.scale(convention)
        reference, output = (image * scale + offset for image in (reference, output))
        if convention.metric == TOGETHER:
            return _together(reference, output)
        if convention.metric == MULTI_CLIPPED:
            return _clipped(reference, output)
        # Where every scale has even sides, all treatments of odd sides give the same value.
        even = not any(side % 2 ** (len(WEIGHTS) - 1) for side in reference.shape[2:])
        column = self.metric if even else convention.metric
        metric = resolve_metrics([column])[0].metric
        key = (column, convention._replace(metric=column))
        return pair.once(
            key, lambda: float(score_as_they_are(metric, column, reference, output)), large=False
        )


def _together(reference: Tensor, output: Tensor, *, range_of_scale: bool = False) -> float:
    """Return torchmetrics' MS-SSIM.

    Channels are averaged at each scale, not after the product; the last scale's SSIM is over
    mirrored edges; where nobody gives the range, it is taken anew from the images of each scale.
    """
    metric, value = MsSsim(odd="crop"), 1.0
    if min(reference.shape[2:]) < SMALLEST:
        raise IqbenchError("the image is too small for five scales")
    taps = metric.taps()
    for tap, weight in zip(taps, WEIGHTS, strict=True):
        first, second = reference, output
        if range_of_scale:
            peak = max(float(image.max() - image.min()) for image in (first, second))
            first, second = first / (peak or 1.0), second / (peak or 1.0)
        if tap is taps[-1]:
            mirrored = Ssim(padding="reflect")
            name = mirrored.columns()[0].name
            mean = score_as_they_are(mirrored, name, first, second).mean()
        else:
            maps = metric.maps(tap, metric.prepare(tap, first, {}), second, {})
            mean = torch.stack([each.mean() for each in maps.values()]).mean()
            reference, output = (F.avg_pool2d(image, 2) for image in (reference, output))
        value *= float(mean.clamp_min(0)) ** weight
    return value


def _clipped(reference: Tensor, output: Tensor) -> float:
    """Return pyiqa's MS-SSIM: a negative product of contrast and structure counts as 0.

    Channels are averaged at each scale; odd sides get zeros, which count.
    """
    if min(reference.shape[2:]) < SMALLEST:
        raise IqbenchError("the image is too small for five scales")
    metric, value = MsSsim(odd="zero"), 1.0
    first, second = reference.double(), output.double()
    for tap, weight in zip(metric.taps(), WEIGHTS, strict=True):
        maps = metric.maps(tap, metric.prepare(tap, first, {}), second, {})
        mean = torch.stack([each.clamp_min(0).mean() for each in maps.values()]).mean()
        value *= float(mean) ** weight
        odd = (first.shape[2] % 2, first.shape[3] % 2)
        first, second = (F.avg_pool2d(image, 2, padding=odd) for image in (first, second))
    return value
