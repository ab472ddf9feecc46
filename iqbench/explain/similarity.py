"""SSIM under the conventions in use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.explain.brightness import BRIGHTNESS, SCALINGS
from iqbench.explain.convention import (
    DATA_RANGES,
    OWN,
    QUANTISED,
    RARE_RANGES,
    SCALES,
    Convention,
)
from iqbench.explain.error import COMBINED, LUMA
from iqbench.explain.family import MeanFamily
from iqbench.explain.pair import Pair
from iqbench.explain.prepared import AS_STORED, SHIFTS, WHOLE_SIZE
from iqbench.explain.similarity_map import (
    VOLUME_WINDOW,
    LocalMoments,
    Look,
    combine,
    map_in_strips,
    similarity_map,
    size_of,
)
from iqbench.explain.windows import Windows
from iqbench.metrics._registry import resolve_metrics
from iqbench.metrics._tensors import score_as_they_are
from iqbench.metrics.ssim import (
    C1,
    C2,
    SIZES,
    Downsample,
    shrink,
    shrink_factor,
)

__all__ = ["FLOAT_ERROR", "SsimFamily"]

SAMPLE = "ssim, sample covariance"
VOLUME = "ssim-form=3d"
PADDED = ("ssim-padding=zero", "ssim-padding=replicate", "ssim-padding=reflect")
SHRUNK: Mapping[str, tuple[Downsample, bool]] = {
    "ssim-downsample=matlab": ("matlab", False),
    "ssim-downsample=pool": ("pool", False),
    "ssim-downsample=pool-structure=clipped": ("pool", True),
}
"""Forms that downsample first: how, and whether the structure is clipped."""
WHOLE = (VOLUME, *SHRUNK)
CLIPPED = "ssim-structure=clipped"
BOXES = {f"ssim, uniform {size}x{size}": f"uniform {size}x{size}" for size in (3, 5, 9, 11, 51)}
"""scikit-image's SSIM with other windows; of 51x51 in tables of inpainting."""


class Continued(NamedTuple):
    """A Gaussian window, over images that are continued at their edges.

    Attributes
    ----------
    shape
        Of the window.
    mode
        How edges are continued, as in `numpy.pad`: until there is a window around every pixel.
    border
        How many rows and columns of the map are cut off at each edge.
    sample
        What variances and covariances are multiplied by.
    """

    shape: str
    mode: Literal["reflect", "symmetric"]
    border: int = 0
    sample: float = 1.0


CONTINUED: Mapping[str, Continued] = {
    # kornia's with other windows; of 3x3 in tables of radiance fields.
    "ssim, 3x3, edges mirrored": Continued("gaussian 3x3", "reflect"),
    "ssim, 5x5, edges mirrored": Continued("gaussian 5x5", "reflect"),
    # scikit-image's when its Gaussian had 13 values: the border is that of 11.
    "ssim, 13x13": Continued("gaussian 13x13", "symmetric", 5),
    "ssim, 13x13, sample covariance": Continued("gaussian 13x13", "symmetric", 5, 121 / 120),
    "ssim, 13x13, edges repeated": Continued("gaussian 13x13", "symmetric", 0, 25 / 24),
}

ADAPTIVE = "ssim, adaptive means"
COLUMNS = "ssim, single columns"
FREE = ("ssim", "ssim-window=uniform", SAMPLE, CLIPPED)
VALID = (*FREE, *BOXES)
RARE_FORMS: Mapping[str, Sequence[str]] = {
    **{f"ssim, uniform {size}x{size}": ("rgb", "luma-full-rounded") for size in (3, 5, 9)},
    "ssim, uniform 51x51": ("luma-709",),
    **dict.fromkeys([*CONTINUED, ADAPTIVE], ("rgb",)),
    "ssim, 13x13": ("rgb", "luma-full-rounded"),
    COLUMNS: (),
}
"""Forms that are not combined with crops, ranges or brightness, and the colours that are tried."""

RARE_COLOURS = (
    "luma-studio-srcnn",
    "gray-opencv",
    "gray-opencv-bgr",
    "gray-14-bit",
    "gray-numpy",
    "gray-pillow",
    "gray-pillow-ycbcr",
)
"""Colours that are combined with the usual windows alone."""

WINDOWS = {"ssim-window=uniform": "uniform", **BOXES}
COLUMN = SIZES["uniform"]
PLAIN = Convention("ssim")
HALVED = 256
MODES = {"zero": "constant", "replicate": "replicate", "reflect": "reflect"}
FLOAT_ERROR = 1e-4  # piq and torchmetrics take small differences of large moments in float32
BORDER = SIZES["gaussian"] // 2


class SsimFamily(MeanFamily):
    """SSIM: a map of valid positions serves every crop; padding changes only its border."""

    metric = "ssim"
    forms = (*VALID[1:], *PADDED, *WHOLE, *CONTINUED, ADAPTIVE, COLUMNS)
    limits = (-1.0, 1.0)
    float_error = FLOAT_ERROR

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return colours, quantisations, ranges and forms."""
        return {
            "colour": (
                "rgb",
                *LUMA,
                "luma-studio-bgr",
                "luma-full-bgr-rounded",
                "luma-709",
                "luma-709-truncated",
                *RARE_COLOURS,
            ),
            "quantise": QUANTISED,
            "brightness": (*BRIGHTNESS, *SCALINGS),
            "range": (
                OWN,
                *DATA_RANGES,
                "0..1-peak-2",
                "-1..1-peak-2",
                "-1..1-peak-1",
                "0..255-peak-1",
                "0..1-peak-255",
            ),
            "prepared": WHOLE_SIZE,
            "metric": (self.metric, *self.forms),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Combine mistakes in range and brightness, and costly or rare forms, with little else."""
        rare = _rare_fields(convention)
        if rare:
            return len(rare) == 1 and _is_alone(convention, rare[0])
        if convention.prepared != AS_STORED:
            # Shifts come from resampling, which low light does not need.
            common = convention.prepared not in SHIFTS or convention.brightness == "own"
            common &= convention.metric in ("ssim", CLIPPED)
            return common and convention.colour in ("rgb", *LUMA)
        whole_image = convention.crop in (0, scale) and convention.modcrop in (1, scale)
        if convention.range != OWN or convention.brightness != "own":
            if convention.metric not in ("ssim", "ssim-window=uniform", "ssim-padding=reflect"):
                return False
            alone = OWN in (convention.range, convention.brightness)
            return alone and whole_image and convention.colour in COMBINED
        if convention.metric == VOLUME and convention.colour != "rgb":
            return False  # one plane is not a volume
        if convention.metric in PADDED:
            whole_image = convention.crop in (0, scale, *SCALES)
            whole_image &= convention.modcrop in (1, scale, *SCALES)
        return whole_image or convention.metric in FREE

    def measure(self, pair: Pair, convention: Convention) -> float:
        """Score a part of the image."""
        if convention.metric in VALID:
            total, count = self._valid(pair, convention)
            return total / count
        reference, output = pair.part(convention)
        if convention.metric in _OF_PARTS:
            return _OF_PARTS[convention.metric](reference, output)
        padding = convention.metric.removeprefix("ssim-padding=")
        low = min(reference.shape[2:])
        if padding in MODES and SIZES["gaussian"] <= low:
            return self._padded(pair, convention, "gaussian", MODES[padding])
        if convention.range != OWN:
            raise IqbenchError("this form is tried with the files' own range only")
        if convention.metric in SHRUNK:
            return self._shrunk(pair, convention)
        if convention.metric == VOLUME and reference.shape[1] > 1 and SIZES["gaussian"] <= low:
            return self._padded(pair, convention, VOLUME_WINDOW, MODES["replicate"])
        (request,) = resolve_metrics([convention.metric])
        try:
            return float(score_as_they_are(request.metric, request.column.name, reference, output))
        except RuntimeError as error:  # torch cannot mirror more pixels than there are
            raise IqbenchError("the image is smaller than the window") from error

    def _valid(
        self, pair: Pair, convention: Convention, window: str = "gaussian"
    ) -> tuple[float, int]:
        """Return the sum over the positions where the window lies within the part, and how many."""
        shape = WINDOWS.get(convention.metric, window)
        rows, columns = pair.rows_and_columns(convention)
        reach = size_of(shape) - 1
        height, width = rows.stop - rows.start - reach, columns.stop - columns.start - reach
        if min(height, width) < 1:
            raise IqbenchError("the image is smaller than the window")
        scale, offset = pair.scale(convention)
        seen = convention.seen
        sample = shape in WINDOWS.values() or convention.metric == SAMPLE
        clipped = convention.metric == CLIPPED
        look = Look(*seen, shape, scale, offset, sample, clipped)

        def sums() -> Windows:
            return Windows(similarity_map(*pair.seen(convention), look)[None], np.add)

        positions = (
            slice(rows.start, rows.start + height),
            slice(columns.start, columns.start + width),
        )
        total = pair.once(("ssim", look), sums).within(*positions)
        return float(total[0]), height * width * pair.seen(convention)[0].shape[1]

    def _padded(self, pair: Pair, convention: Convention, window: str, mode: str) -> float:
        """Return the mean over all positions of the padded part.

        Inside it is the map of valid positions; only the border is computed.
        """
        total, _ = self._valid(pair, convention, window)
        scale, offset = pair.scale(convention)
        look = Look(*convention.seen, window, scale, offset, False)
        images = pair.part(convention)
        # For each edge: the rows and columns that its windows read, and the padding on the left,
        # right, top and bottom.
        near, far = slice(0, 2 * BORDER), slice(-2 * BORDER, None)
        edges = [
            (near, slice(None), (BORDER, BORDER, BORDER, 0)),
            (far, slice(None), (BORDER, BORDER, 0, BORDER)),
            (slice(None), near, (BORDER, 0, 0, 0)),
            (slice(None), far, (0, BORDER, 0, 0)),
        ]
        for rows, columns, sides in edges:
            first, second = (F.pad(image[:, :, rows, columns], sides, mode) for image in images)
            total += float(similarity_map(first, second, look).sum())
        channels, height, width = images[0].shape[1:]
        return total / (channels * height * width)

    def _shrunk(self, pair: Pair, convention: Convention) -> float:
        """Return the mean over the positions of the downsampled part."""
        how, clipped = SHRUNK[convention.metric]
        plain = CLIPPED if clipped else "ssim"
        images = pair.part(convention)
        if shrink_factor(images[0], how) == 1:
            total, count = self._valid(pair, convention._replace(metric=plain))
            return total / count
        cuts = pair.rows_and_columns(convention)
        edges = [edge for cut in cuts for edge in (cut.start, cut.stop)]
        first, second = pair.once(
            ("shrunk", how, *convention.seen, *edges),
            lambda: tuple(shrink(image, how) for image in images),
        )
        if min(first.shape[2:]) < SIZES["gaussian"]:
            raise IqbenchError("the image is smaller than the window")
        found = similarity_map(
            first, second, Look(*convention.seen, "gaussian", 1.0, 0.0, False, clipped)
        )
        return float(found.mean()) / first.shape[1]


def _rare_fields(convention: Convention) -> list[str]:
    """Return the fields whose values few scripts use."""
    rare = {
        "metric": convention.metric in RARE_FORMS,
        "colour": convention.colour in RARE_COLOURS,
        "brightness": convention.brightness in SCALINGS,
        "range": convention.range in RARE_RANGES,
    }
    return [name for name, found in rare.items() if found]


def _is_alone(convention: Convention, rare: str) -> bool:
    """Tell whether one rare value is combined with little else."""
    colours = {
        "metric": RARE_FORMS.get(convention.metric, ()),
        "colour": RARE_COLOURS,
        "brightness": (),
        "range": ("rgb", "luma-full-rounded"),
    }
    return (
        set(convention.departures(PLAIN)) <= {"metric", rare, "colour", "gray", "quantise"}
        and convention.metric in ("ssim", "ssim-window=uniform", *RARE_FORMS)
        and convention.colour in colours[rare]
    )


def _continued(reference: Tensor, output: Tensor, way: Continued) -> float:
    """Return SSIM of images that are continued at their edges."""
    reach, border = size_of(way.shape) // 2, way.border
    height, width = reference.shape[2:]
    if min(height, width) <= 2 * reach:
        raise IqbenchError("the image is smaller than the window")
    around = ((0, 0), (0, 0), (reach, reach), (reach, reach))
    first, second = (
        torch.from_numpy(np.pad(image.numpy(), around, way.mode)) for image in (reference, output)
    )
    found = map_in_strips(first, second, way.shape, (C1, C2 / way.sample, 0.0, -math.inf))
    inner = found[border : height - border, border : width - border]
    return float(inner.mean()) / reference.shape[1]


def _adaptive(reference: Tensor, output: Tensor) -> float:
    """Return DehazeFormer's SSIM: the shorter side is brought near to 256 by means of the pixels.

    The means overlap where the sides are not multiples of the factor.
    """
    height, width = reference.shape[2:]
    factor = max(1, round(min(height, width) / HALVED))
    size = (height // factor, width // factor)
    if min(size) < size_of("gaussian"):
        raise IqbenchError("the image is smaller than the window")
    first, second = (F.adaptive_avg_pool2d(image, size) for image in (reference, output))
    return _mean(first, second, "gaussian")


def _columns(reference: Tensor, output: Tensor) -> float:
    """Return what older versions of scikit-image make of a gray image with `multichannel=True`.

    Each column counts as a channel, so that the window is a part of a column.
    """
    if reference.shape[2] < COLUMN:
        raise IqbenchError("the image is smaller than the window")
    first, second = (image[0].double().numpy() for image in (reference, output))
    mean, other, mixed, squares = (
        sliding_window_view(planes, COLUMN, axis=1).mean(-1)
        for planes in (first, second, first * second, first * first + second * second)
    )
    product, energy = 2 * mean * other, mean * mean + other * other
    moments = LocalMoments(product, energy, 2 * mixed - product, squares - energy)
    sample = COLUMN / (COLUMN - 1)
    return float(combine(moments, C1, C2 / sample, 0.0, -math.inf).mean()) / len(first)


_OF_PARTS: Mapping[str, Callable[[Tensor, Tensor], float]] = {
    **{name: partial(_continued, way=way) for name, way in CONTINUED.items()},
    ADAPTIVE: _adaptive,
    COLUMNS: _columns,
}
"""How forms are computed that share nothing with others."""


def _mean(reference: Tensor, output: Tensor, shape: str) -> float:
    """Return the mean of the map of a window, over the channels too."""
    look = Look(*Convention("").seen, shape, 1.0, 0.0, False)
    return float(similarity_map(reference, output, look).mean()) / reference.shape[1]
