"""PSNR under the conventions in use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iqbench.explain.brightness import BRIGHTNESS, SCALINGS
from iqbench.explain.convention import (
    DATA_RANGES,
    DEEP_RANGES,
    OF_EQUAL,
    OWN,
    QUANTISED,
    RARE_RANGES,
    SCALES,
    Convention,
)
from iqbench.explain.family import Family
from iqbench.explain.gray import INTEGER
from iqbench.explain.pair import Extremes, Pair
from iqbench.explain.prepared import AS_STORED, SHIFTS, WHOLE_SIZE
from iqbench.explain.windows import Windows
from iqbench.metrics.psnr import TAP, Psnr

__all__ = ["PsnrFamily"]

WITH_EPSILON = "psnr-epsilon=1e-08"
EPSILON = 1e-8
WRAPPED = "psnr, uint8 differences wrapped around"
COMBINED = ("rgb", "luma-studio", "luma-full", "luma-full-rounded", "luma-709")
DATA_RANGE = next(iter(DATA_RANGES))
POOLED = ("pooled", "mean-mse")
RARE = (
    "luma-studio-srcnn",
    "luma-2989",
    "luma-2989-truncated",
    "gray-14-bit-bgr",
    "gray-numpy",
    "gray-pillow-ycbcr",
)
"""Colours that are combined with crops alone."""

CAP = 100.0
"""What many scripts print for an infinite PSNR."""

LUMA = ("luma-studio", "luma-studio-rounded", "luma-full", "luma-full-rounded")
FULL = Extremes.full()


class Errors(NamedTuple):
    """Mean squared errors of one image's channels, and what else its PSNR depends on."""

    means: tuple[float, ...]
    pixels: int
    extremes: Extremes

    @property
    def mean(self) -> float:
        """Over the channels."""
        return sum(self.means) / len(self.means)


class PsnrFamily(Family[Errors]):
    """PSNR: one map of squared errors serves every crop, peak and way to average."""

    metric = "psnr"
    forms = (WITH_EPSILON, WRAPPED)
    mistakes = (WRAPPED,)

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return all colours, quantisations, peaks and means."""
        return {
            "colour": (
                "rgb",
                "rgb-channels",
                *LUMA,
                "luma-studio-truncated",
                "luma-full-truncated",
                "luma-studio-bgr",
                "luma-studio-bgr-rounded",
                "luma-full-bgr",
                "luma-709",
                "luma-709-truncated",
                "gray-opencv",
                "gray-opencv-bgr",
                "gray-14-bit",
                "gray-matlab",
                "gray-pillow",
                "mean-of-channels",
                "red",
                "green",
                "blue",
                *RARE,
            ),
            "quantise": QUANTISED,
            "brightness": (*BRIGHTNESS, *SCALINGS),
            "range": (
                OWN,
                *DATA_RANGES,
                "0..1-peak-2",
                "-1..1-peak-1",
                "peak-219",
                "peak-256",
                *DEEP_RANGES,
                "0..255-peak-1",
                "0..1-peak-255",
            ),
            "prepared": WHOLE_SIZE,
            "pool": ("images", "pooled", "mean-mse", *OF_EQUAL),
            "metric": ("psnr", WITH_EPSILON, WRAPPED),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Leave out combinations that cannot be.

        A mean of channels' PSNRs has no pooled error, only integers wrap around, and a brightness
        that is made equal is rare: it is combined with the usual colours.
        """
        usual = convention.metric == self.metric and convention.range == OWN
        if not _can_be_combined(convention, scale):
            return False
        if convention.prepared != AS_STORED:
            # Each needs a conversion of its own. Shifts come from resampling, which low light does
            # not need.
            usual &= convention.prepared not in SHIFTS or convention.brightness == "own"
            return usual and convention.colour in ("rgb", *LUMA) and convention.pool == "images"
        if convention.brightness != "own" and (
            convention.colour not in COMBINED or convention.metric == WRAPPED
        ):
            return False
        if convention.metric == WRAPPED and convention.colour not in {"rgb", *INTEGER}:
            return False
        return convention.pool == "images" or convention.colour != "rgb-channels"

    def sample(self, convention: Convention) -> Convention:
        """Return what has the same errors, whatever the peak and the mean."""
        return convention._replace(
            metric=WRAPPED if convention.metric == WRAPPED else self.metric,
            colour="rgb" if convention.colour == "rgb-channels" else convention.colour,
            range=DATA_RANGE if convention.range in DATA_RANGES else OWN,
            pool="images",
        )

    def measure(self, pair: Pair, convention: Convention) -> Errors:
        """Return the errors in a part of the image."""
        seen = convention.seen
        from_data = convention.range in DATA_RANGES
        wrapped = convention.metric == WRAPPED

        def squares() -> Windows:
            reference, output = pair.seen(convention)
            if wrapped:
                planes = _wrapped_squares(reference, output)
            else:
                planes = Psnr().maps(TAP, (reference,), output, {})["squared_error"].double()
            return Windows(planes[0].numpy(), np.add)

        rows, columns = pair.rows_and_columns(convention)
        extremes = pair.extremes(convention) if from_data else FULL
        sums = pair.once(("squares", *seen, wrapped), squares)
        count = (rows.stop - rows.start) * (columns.stop - columns.start)
        means = (sums.within(rows, columns) / count).tolist()
        return Errors(tuple(means), count, extremes)

    def close(self, found: Sequence[Errors], convention: Convention) -> float:
        """Return the mean of the images' PSNRs, or the PSNR of a mean error."""
        if convention.pool not in POOLED:
            values = self.each(found, convention)
            if convention.pool == "finite":
                values = [value for value in values if math.isfinite(value)]
            return fmean(values) if values else math.nan
        weights = [errors.pixels if convention.pool == "pooled" else 1 for errors in found]
        mean = fmean([errors.mean for errors in found], weights)
        extremes = FULL
        if convention.range in DATA_RANGES:
            extremes = reduce(Extremes.united, (errors.extremes for errors in found))
        return _psnr(Errors((mean,), sum(weights), extremes), convention)

    def each(self, found: Sequence[Errors], convention: Convention) -> list[float]:
        """Return the PSNR of each image."""
        values = [_psnr(errors, convention) for errors in found]
        if convention.pool == "capped":
            return [CAP if value == math.inf else value for value in values]
        return values


def _can_be_combined(convention: Convention, scale: int | None) -> bool:
    """Tell whether what few scripts do is combined with crops of super-resolution at most."""
    rare = {
        "colour": convention.colour in RARE,
        "brightness": convention.brightness in SCALINGS,
        "range": convention.range in RARE_RANGES,
        "pool": convention.pool in OF_EQUAL,
    }
    found = [name for name, value in rare.items() if value]
    if not found:
        return True
    free: tuple[str, ...] = (
        () if found == ["brightness"] else ("crop", "modcrop", "gray", "quantise")
    )
    if found in (["range"], ["pool"]):
        free += ("colour",)
    usual = set(convention.departures(Convention(PsnrFamily.metric)))
    return (
        usual <= {*found[:1], *free}
        and convention.colour in (*COMBINED, *LUMA, *RARE)
        and convention.crop in (0, scale, *SCALES)
        and convention.modcrop in (1, convention.crop)
    )


def _wrapped_squares(reference: Tensor, output: Tensor) -> Tensor:
    """Return what NumPy makes of ``(a - b) ** 2`` of uint8 arrays: it keeps the last 8 bits."""
    first, second = (torch.round(image * 255).to(torch.uint8) for image in (reference, output))
    difference = first - second
    return (difference * difference).double() / 255**2


def _psnr(errors: Errors, convention: Convention) -> float:
    """Return the PSNR of an image; infinite where nothing differs and nothing is added."""
    factor = errors.extremes.scale(convention.range)[0] ** 2
    # A gray image among colour ones has one channel.
    means = errors.means if convention.colour == "rgb-channels" else (errors.mean,)
    added = EPSILON if convention.metric == WITH_EPSILON else 0.0
    return fmean([_decibels(mean * factor + added) for mean in means])


def _decibels(error: float) -> float:
    return math.inf if error == 0 else -10 * math.log10(error)
