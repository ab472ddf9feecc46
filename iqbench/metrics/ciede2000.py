"""CIEDE2000: the mean colour difference."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from iqbench.columns import ColumnMap, Margin
from iqbench.images.colour import linear_light
from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import Column, Maps, Metric, Tap
from iqbench.metrics._tensors import score_tensors
from iqbench.native import library, loops
from iqbench.protocols.presets import Role

__all__ = ["Ciede2000", "ciede2000"]

XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
"""Matrix from linear sRGB to XYZ, white D65 (ITU-R BT.709), as in scikit-image and OpenCV."""
WHITE = (0.95047, 1.0, 1.08883)
MATRIX = tuple(tuple(value / white for value in row) for row, white in zip(XYZ, WHITE, strict=True))
"""Matrix from linear sRGB to X, Y and Z, divided by those of white."""
TURN = 2 * math.pi


class Ciede2000(Metric):
    """CIEDE2000: the mean over positions of the colour difference Delta E 2000.

    sRGB is linearised and converted to CIELAB (D65, 2 degrees); kL = kC = kH = 1. The smallest
    visible difference between two patches is about 1. Gray counts as three equal channels.
    """

    name: ClassVar[str] = "ciede2000"
    summary: ClassVar[str] = "Mean colour difference CIEDE2000 of sRGB"
    citation: ClassVar[str] = "Sharma et al. 2005, doi:10.1002/col.20070"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``ciede2000``."""
        return (
            Column(
                "ciede2000",
                "lower",
                self.summary,
                (Tap(),),
                decimals=3,
                headline=True,
                margin=Margin(0.02, reason="a fiftieth of the smallest visible difference"),
                map=ColumnMap("centre"),
            ),
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference in CIELAB."""
        return (lab(reference),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the difference at every position."""
        return {"difference": difference(reference[0], lab(output)).unsqueeze(1)}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the mean."""
        return means["difference"]


def lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIELAB.

    Parameters
    ----------
    rgb
        (N, 1 or 3, h, w) in [0, 1].

    Returns
    -------
    Tensor
        (N, 3, h, w): L from 0 to 100, a, b.
    """
    if library.suits(rgb):
        weights = [weight for row in MATRIX for weight in row]
        light = linear_light(rgb).expand(-1, 3, -1, -1).contiguous()
        return torch.stack([loops.lab_planes(image, weights) for image in light])
    # Contiguous planes are read three times as fast as channels-last pixels.
    planes = rgb.expand(-1, 3, -1, -1).movedim(1, 0).contiguous()
    linear = linear_light(planes)
    xyz = (linear.new_tensor(MATRIX) @ linear.flatten(1)).reshape(linear.shape)
    # The root of 0 has no gradient, so the unselected branch takes the root of 1.
    above = xyz > 0.008856
    root = torch.where(above, xyz, 1.0) ** (1 / 3)
    x, y, z = torch.where(above, root, 7.787 * xyz + 16 / 116)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def difference(first: Tensor, second: Tensor) -> Tensor:
    """Return Delta E 2000 of two images in CIELAB, from `lab`.

    Parameters
    ----------
    first, second
        (N, 3, h, w); there may be one first image for all second ones.

    Returns
    -------
    Tensor
        (N, h, w).
    """
    (light, a, b), (other_light, other_a, other_b) = first.unbind(1), second.unbind(1)
    mean_chroma = (_length(a, b) + _length(other_a, other_b)) / 2
    gain = 1.5 - 0.5 * _saturation(mean_chroma)
    a, other_a = a * gain, other_a * gain
    chroma, other_chroma = _length(a, b), _length(other_a, other_b)
    hue, other_hue = _angle(a, b), _angle(other_a, other_b)
    # The smaller angle between both hues; gray has no hue.
    coloured = chroma * other_chroma > 0
    turn = other_hue - hue
    turn = torch.where(turn > math.pi, turn - TURN, torch.where(turn < -math.pi, turn + TURN, turn))
    turn = torch.where(coloured, turn, 0.0)
    total = hue + other_hue
    wide = (hue - other_hue).abs() > math.pi
    around = torch.where(total < TURN, total + TURN, total - TURN)
    mean_hue = torch.where(wide & coloured, around, total)
    mean_hue = torch.where(coloured, mean_hue / 2, total)
    mean_light = ((light + other_light) / 2 - 50).square()
    mean_chroma = (chroma + other_chroma) / 2
    by_hue = (
        1
        - 0.17 * torch.cos(mean_hue - math.radians(30))
        + 0.24 * torch.cos(2 * mean_hue)
        + 0.32 * torch.cos(3 * mean_hue + math.radians(6))
        - 0.20 * torch.cos(4 * mean_hue - math.radians(63))
    )
    of_light = (other_light - light) / (1 + 0.015 * mean_light / safe_sqrt(20 + mean_light))
    of_chroma = (other_chroma - chroma) / (1 + 0.045 * mean_chroma)
    of_hue = 2 * safe_sqrt(chroma * other_chroma) * torch.sin(turn / 2)
    of_hue = of_hue / (1 + 0.015 * mean_chroma * by_hue)
    blue = torch.exp(-((mean_hue - math.radians(275)) / math.radians(25)).square())
    rotation = -2 * _saturation(mean_chroma) * torch.sin(math.radians(60) * blue)
    squares = of_light.square() + of_chroma.square() + of_hue.square()
    # Only rounding gives a value below 0.
    return safe_sqrt((squares + rotation * of_chroma * of_hue).clamp_min(0))


def _saturation(chroma: Tensor) -> Tensor:
    """Return sqrt(c^7 / (c^7 + 25^7))."""
    square = chroma.square()
    seventh = square * square * square * chroma  # faster than a power
    return safe_sqrt(seventh / (seventh + 25.0**7))


def _length(a: Tensor, b: Tensor) -> Tensor:
    return safe_sqrt(a.square() + b.square())


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """Return the hue from 0 to 2 pi; 0 for gray, without a gradient."""
    angle = torch.atan2(b, torch.where((a == 0) & (b == 0), 1.0, a))
    return torch.where(angle < 0, angle + TURN, angle)


def ciede2000(reference: Tensor, output: Tensor) -> Tensor:
    """Mean colour difference CIEDE2000 of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) sRGB in [0, 1], C 1 or 3; gray counts as three equal channels.

    Returns
    -------
    Tensor
        (N,), 0 for equal images.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images.

    Notes
    -----
    Sharma et al. 2005, doi:10.1002/col.20070. Equal to the mean of scikit-image's
    ``deltaE_ciede2000(rgb2lab(reference), rgb2lab(output))``.
    """
    return score_tensors(Ciede2000(), "ciede2000", reference, output)
