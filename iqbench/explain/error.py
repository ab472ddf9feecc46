"""PSNR and PSNR-B under the conventions in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from iqbench.explain.convention import DATA_RANGES, OWN, Convention
from iqbench.explain.family import Family, MeanFamily
from iqbench.explain.pair import Extremes, Pair
from iqbench.metrics.psnr import TAP, Psnr
from iqbench.metrics.psnr_b import PsnrB

__all__ = ["PsnrBFamily", "PsnrFamily"]

WITH_EPSILON = "psnr, 1e-8 added to the MSE"
EPSILON = 1e-8
LUMA = ("luma-studio", "luma-studio-rounded", "luma-full", "luma-full-rounded")


@dataclass(frozen=True)
class Errors:
    """Mean squared errors of one image's channels, and what else its PSNR depends on."""

    means: Tensor
    count: int
    extremes: Extremes


class PsnrFamily(Family[Errors]):
    """PSNR: one map of squared errors serves every crop, peak and way to average."""

    metric = "psnr"
    forms = (WITH_EPSILON,)

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
                "luma-full-bgr",
                "red",
                "green",
                "blue",
            ),
            "quantise": ("stored", "uint8", "truncated"),
            "brightness": ("own", "reference"),
            "range": (
                OWN,
                *DATA_RANGES,
                "0..1-peak-2",
                "-1..1-peak-1",
                "peak-219",
                "0..255-peak-1",
                "0..1-peak-255",
            ),
            "pool": ("images", "pooled"),
            "metric": ("psnr", WITH_EPSILON),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Leave out what nobody does: a mean of channels' PSNRs has no pooled error."""
        return not (convention.pool == "pooled" and convention.colour == "rgb-channels")

    def measure(self, pair: Pair, convention: Convention) -> Errors:
        """Return the errors in a part of the image."""
        base = convention.colour if convention.colour != "rgb-channels" else "rgb"
        seen = base, convention.quantise, convention.brightness

        from_data = convention.range in DATA_RANGES

        def squares() -> Tensor:
            reference, output = pair.seen(convention)
            return Psnr().maps(TAP, (reference,), output, {})["squared_error"].double()

        def errors() -> Errors:
            rows, columns = pair.rows_and_columns(convention)
            extremes = pair.extremes(convention) if from_data else Extremes.full()
            part = pair.once(("squares", *seen), squares)[0, :, rows, columns]
            return Errors(part.mean((1, 2)), part[0].numel(), extremes)

        window = convention.modcrop, convention.crop
        return pair.once(("errors", *seen, *window, from_data), errors, large=False)

    def close(self, found: Sequence[Errors], convention: Convention) -> float:
        """Return the mean of the images' PSNRs, or the PSNR of the pooled error."""
        if convention.pool == "images":
            return sum(_psnr(errors, convention) for errors in found) / len(found)
        count = sum(errors.count for errors in found)
        means = sum((errors.means.mean() * errors.count for errors in found), torch.zeros(()))
        extremes = reduce(Extremes.united, (errors.extremes for errors in found))
        return _psnr(Errors(means[None] / count, count, extremes), convention)


def _psnr(errors: Errors, convention: Convention) -> float:
    scale, _ = errors.extremes.scale(convention.range)
    means = errors.means if convention.colour == "rgb-channels" else errors.means.mean()[None]
    means = means * scale**2
    if convention.metric == WITH_EPSILON:
        means = means + EPSILON
    return float(Psnr().close("psnr", {"squared_error": means}).mean())


class PsnrBFamily(MeanFamily):
    """PSNR-B, whose grid begins at the corner of what is left."""

    metric = "psnr-b"

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return colours and quantisations."""
        return {"colour": ("rgb", *LUMA), "quantise": ("stored", "uint8", "truncated")}

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Leave crops to the presets."""
        return convention.crop in (0, scale) and convention.modcrop in (1, scale)

    def measure(self, pair: Pair, convention: Convention) -> float:
        """Score a part of the image."""
        return float(PsnrB().values(*pair.part(convention))["psnr-b"])
