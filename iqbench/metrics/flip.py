"""FLIP for images of low dynamic range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Annotated, ClassVar, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor

from iqbench.columns import ColumnMap
from iqbench.images.colour import linear_light
from iqbench.images.filters import filter_axis
from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Tap
from iqbench.metrics._similarity import mixed
from iqbench.metrics._tensors import score_tensors
from iqbench.protocols.presets import Role
from iqbench.specs import format_value, validate

__all__ = ["Flip", "flip"]

XYZ = (
    (10135552 / 24577794, 8788810 / 24577794, 4435075 / 24577794),
    (2613072 / 12288897, 8788810 / 12288897, 887015 / 12288897),
    (1425312 / 73733382, 8788810 / 73733382, 70074185 / 73733382),
)
"""Matrix from linear sRGB to XYZ, white D65."""
LINEAR = (
    (3.241003275, -1.537398934, -0.498615861),
    (-0.969224334, 1.875930071, 0.041554224),
    (0.055639423, -0.204011202, 1.057148933),
)
"""The inverse matrix, as rounded by the authors."""
WHITE = (0.950428545, 1.0, 1.088900371)
OVER_WHITE = (1.052156925, 1.0, 0.918357670)

BLUR = {"y": ((1.0, 0.0047),), "cx": ((1.0, 0.0053),), "cz": ((34.1, 0.04), (13.5, 0.025))}
"""Spatial contrast sensitivity: amplitude and width of each Gaussian."""
FEATURE = 0.082
"""Visual angle in degrees between the peak and the trough of the edge detector."""
Q_COLOUR, P_COLOUR, P_TARGET = 0.7, 0.4, 0.95
NOTHING = 1e-9
"""Weights below this share of the largest weight are left out."""
DISTANCE, WIDTH, PIXELS_ACROSS = 0.7, 0.7, 3840

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Flip(Metric):
    """FLIP: the difference that people see when they alternate between two images.

    Colour: both images are filtered with the contrast sensitivity of the eye in YCxCz, for a given
    number of pixels per degree. They are clamped to the range of linear RGB, and compared in CIELAB
    (D65) with Hunt's adjustment by the distance HyAB. The difference to the power 0.7 is mapped to
    [0, 1]. Features: the square root of the larger difference in edges and points of luminance
    reduces the exponent of the colour difference. Images are padded by repeating their outermost
    pixels. The value is the mean of the map. Gray counts as three equal channels.

    Options: `ppd`, the pixels per degree of visual angle; or the values that determine it:
    `distance` to a monitor in metres, and the monitor's `width` in metres and in `pixels`. The
    default is a distance of 0.7 m to a monitor of 0.7 m and 3840 pixels: 67.02 pixels per degree.
    """

    name: ClassVar[str] = "flip"
    summary: ClassVar[str] = "FLIP, mean error of low dynamic range"
    citation: ClassVar[str] = "Andersson et al. 2020, doi:10.1145/3406183"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    ppd: Annotated[float, Field(ge=1, le=1000)] | None = None
    distance: Positive = DISTANCE
    width: Positive = WIDTH
    pixels: Annotated[int, Field(gt=0)] = PIXELS_ACROSS

    @model_validator(mode="after")
    def _check_resolution(self) -> Flip:
        """Check that options do not contradict each other, and that the result is in range."""
        if self.ppd is not None and len(self._chosen()) > 1:
            raise ValueError("give either ppd, or distance, width and pixels")
        if not 1 <= self.pixels_per_degree <= 1000:
            raise ValueError(
                f"{self.pixels_per_degree:.4g} pixels per degree are not between 1 and 1000"
            )
        return self

    @property
    def pixels_per_degree(self) -> float:
        """The pixels per degree of visual angle."""
        if self.ppd is not None:
            return self.ppd
        return self.distance * self.pixels / self.width * math.pi / 180

    def _chosen(self) -> list[tuple[str, str]]:
        """Return the options that are not the default."""
        fields = type(self).model_fields
        return [(key, format_value(value)) for key, value in self if value != fields[key].default]

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``flip``, with every option that is not the default."""
        radius = _filters(self.pixels_per_degree).radius
        return (
            Column(
                "".join([self.name, *(f"-{key}={value}" for key, value in self._chosen())]),
                "lower",
                self.summary,
                (Tap(window=2 * radius + 1, border=radius),),
                (("ppd", format_value(self.pixels_per_degree)),),
                headline=True,
                margin=THIRD_DIGIT,
                map=ColumnMap("centre"),
            ),
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return filtered colours, edges and points of the reference."""
        return _seen(reference, _filters(self.pixels_per_degree))

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the error at every position."""
        lab, edges, points = reference
        other_lab, other_edges, other_points = _seen(output, _filters(self.pixels_per_degree))
        colour = _spread_out(_power(_hyab(lab, other_lab), Q_COLOUR))
        feature = torch.maximum((edges - other_edges).abs(), (points - other_points).abs())
        feature = safe_sqrt(feature / math.sqrt(2))  # the exponent is 0.5
        return {"error": _power(colour, 1 - feature).unsqueeze(1)}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the mean."""
        return means["error"]


def _seen(image: Tensor, filters: _Filters) -> tuple[Tensor, Tensor, Tensor]:
    """Return Hunt-adjusted CIELAB, (N, 3, h, w), and edges and points, (N, h, w).

    Parameters
    ----------
    image
        (N, C, h, w) sRGB, with a border as wide as the filters reach.
    filters
        The filters for the pixels per degree.
    """
    # Contiguous planes are read three times as fast as channels-last pixels.
    planes = image.expand(-1, 3, -1, -1).contiguous()
    x, y, z = mixed(linear_light(planes), _scaled(XYZ, OVER_WHITE)).unbind(1)
    blurred = [
        sum((_filtered(plane, line, line, filters.radius) for line in lines), start=y.new_zeros(()))
        for plane, lines in ((y, filters.y), (x - y, filters.cx), (y - z, filters.cz))
    ]
    return _lab(*blurred), *_features(y, filters)


def _lab(y: Tensor, cx: Tensor, cz: Tensor) -> Tensor:
    """Return Hunt-adjusted CIELAB of Y, X - Y and Y - Z, clamped to the range of linear RGB."""
    xyz = torch.stack([y + cx, y, y - cz], dim=1)
    columns = [[value * w for value, w in zip(row, WHITE, strict=True)] for row in LINEAR]
    linear = mixed(xyz, [(a, b, c) for a, b, c in columns]).clamp(0, 1)
    return _hunt(mixed(linear, _scaled(XYZ, OVER_WHITE)))


def _hunt(xyz: Tensor) -> Tensor:
    """Return Hunt-adjusted CIELAB of XYZ, relative to white."""
    delta = 6 / 29
    # The root of 0 has no gradient, so the unselected branch takes the root of 1.
    above = xyz > delta**3
    root = torch.where(above, xyz, 1.0) ** (1 / 3)
    x, y, z = torch.where(above, root, xyz / (3 * delta**2) + 4 / 29).unbind(1)
    light = 116 * y - 16
    return torch.stack([light, 5 * light * (x - y), 2 * light * (y - z)], dim=1)


def _features(y: Tensor, filters: _Filters) -> tuple[Tensor, Tensor]:
    """Return the lengths of the first and of the second derivatives of a plane."""
    gauss, first, second = filters.feature
    radius = filters.radius
    lengths = [
        safe_sqrt(
            _filtered(y, gauss, line, radius).square() + _filtered(y, line, gauss, radius).square()
        )
        for line in (first, second)
    ]
    return lengths[0], lengths[1]


def _filtered(plane: Tensor, down: Sequence[float], across: Sequence[float], radius: int) -> Tensor:
    """Filter along both axes, (N, h, w), at the positions where the widest of all filters fits."""
    for axis, line in ((1, down), (2, across)):
        spare = radius - len(line) // 2
        plane = filter_axis(plane.narrow(axis, spare, plane.shape[axis] - 2 * spare), line, axis)
    return plane


def _hyab(first: Tensor, second: Tensor) -> Tensor:
    """Return the HyAB distance: |L - L'| plus the length of the difference of a and b."""
    light, a, b = (first - second).unbind(1)
    return light.abs() + safe_sqrt(a.square() + b.square())


def _power(base: Tensor, exponent: float | Tensor) -> Tensor:
    """Return a power whose gradient is 0 at 0; NaN stays NaN."""
    none = base <= 0
    return torch.where(none, 0.0, torch.where(none, 1.0, base) ** exponent)


def _spread_out(difference: Tensor) -> Tensor:
    """Map differences to [0, 1]: those up to 0.4 of the largest one fill [0, 0.95]."""
    largest = _largest()
    knee = P_COLOUR * largest
    above = P_TARGET + (difference - knee) * ((1 - P_TARGET) / (largest - knee))
    return torch.where(difference < knee, difference * (P_TARGET / knee), above)


@cache
def _largest() -> float:
    """Return the largest difference, between green and blue, to the power 0.7."""
    with torch.inference_mode(False):
        green, blue = torch.tensor(
            [[row[1] * w, row[2] * w] for row, w in zip(XYZ, OVER_WHITE, strict=True)],
            dtype=torch.float64,
            device="cpu",
        ).T
        pair = [_hunt(one.view(1, 3, 1, 1)) for one in (green, blue)]
        return math.pow(_hyab(pair[0], pair[1]).item(), Q_COLOUR)


def _scaled(
    rows: Sequence[tuple[float, float, float]], factors: Sequence[float]
) -> list[tuple[float, float, float]]:
    """Multiply each row of a matrix by a factor."""
    return [(a * w, b * w, c * w) for (a, b, c), w in zip(rows, factors, strict=True)]


class _Filters(NamedTuple):
    """The filters, as weights along one axis.

    A two-dimensional filter is a sum of outer products of two rows of weights.
    """

    radius: int
    """The radius of the widest filter."""
    y: tuple[tuple[float, ...], ...]
    cx: tuple[tuple[float, ...], ...]
    cz: tuple[tuple[float, ...], ...]
    feature: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
    """A Gaussian, and its first and second derivative."""


@cache
def _filters(ppd: float) -> _Filters:
    """Return the filters for a number of pixels per degree."""
    broadest = max(breadth for parts in BLUR.values() for _, breadth in parts)
    radius = math.ceil(3 * math.sqrt(broadest / (2 * math.pi**2)) * ppd)
    blurs = {name: _blur(parts, radius, ppd) for name, parts in BLUR.items()}
    deviation = 0.5 * FEATURE * ppd
    reach = math.ceil(3 * deviation)
    places = range(-reach, reach + 1)
    gauss = [math.exp(-(place**2) / (2 * deviation**2)) for place in places]
    lines = (
        gauss,
        [-place * weight for place, weight in zip(places, gauss, strict=True)],
        [(p**2 / deviation**2 - 1) * weight for p, weight in zip(places, gauss, strict=True)],
    )
    first, second, third = (_balanced(line) for line in lines)
    return _Filters(
        max(radius, reach), blurs["y"], blurs["cx"], blurs["cz"], (first, second, third)
    )


def _blur(
    parts: Sequence[tuple[float, float]], radius: int, ppd: float
) -> tuple[tuple[float, ...], ...]:
    """Return the weights of a sum of Gaussians; their sum is 1 in two dimensions."""
    lines = [
        [
            math.sqrt(amplitude * math.sqrt(math.pi / breadth))
            * math.exp(-((math.pi * place / ppd) ** 2) / breadth)
            for place in range(-radius, radius + 1)
        ]
        for amplitude, breadth in parts
    ]
    total = math.sqrt(sum(math.fsum(line) ** 2 for line in lines))
    return tuple(_trimmed([weight / total for weight in line]) for line in lines)


def _trimmed(line: Sequence[float]) -> tuple[float, ...]:
    """Remove negligible weights at both ends."""
    middle = len(line) // 2
    reach = max(at for at in range(middle + 1) if line[middle + at] > NOTHING * line[middle])
    return tuple(line[middle - reach : middle + reach + 1])


def _balanced(line: Sequence[float]) -> tuple[float, ...]:
    """Scale positive weights to a sum of 1, and negative ones to -1."""
    above, below = (math.fsum(w for w in line if sign * w > 0) for sign in (1, -1))
    return tuple(weight / above if weight > 0 else weight / -below for weight in line)


def flip(
    reference: Tensor,
    output: Tensor,
    *,
    ppd: float | None = None,
    distance: float = DISTANCE,
    width: float = WIDTH,
    pixels: int = PIXELS_ACROSS,
) -> Tensor:
    """FLIP of each image of a batch, in low dynamic range.

    Parameters
    ----------
    reference, output
        (N, C, H, W) sRGB in [0, 1], C 1 or 3; gray counts as three equal channels.
    ppd
        Pixels per degree of visual angle, from 1 to 1000.
    distance, width, pixels
        If `ppd` is not given: distance to the monitor in metres, its width in metres and in pixels.

    Returns
    -------
    Tensor
        (N,), from 0 for equal images to 1.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or options contradict each other or are out of
        range.

    Notes
    -----
    Andersson et al. 2020, doi:10.1145/3406183. It equals within 1e-5 the mean error of the
    authors' ``flip_evaluator.evaluate`` with "LDR".
    """
    options = {"ppd": ppd, "distance": distance, "width": width, "pixels": pixels}
    metric = validate(Flip, options, where="FLIP")
    return score_tensors(metric, metric.columns()[0].name, reference, output)
