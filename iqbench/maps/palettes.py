"""Render maps as pictures, in perceptually uniform palettes for all kinds of colour vision."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from iqbench.columns import DifferenceKind
from iqbench.maps.model import DifferenceMap

__all__ = ["NO_VALUE", "legend", "palette", "ramp", "render"]

# Black means no difference in all palettes, so that bright regions are the important ones.
PALETTES: dict[DifferenceKind, str] = {
    "difference": "inferno",
    "similarity": "inferno_r",
    "change": "berlin",
}
COLOURS: dict[DifferenceKind, tuple[str, str]] = {
    "difference": ("black", "yellow"),
    "similarity": ("yellow", "black"),
    "change": ("blue", "red"),
}
STEPS = 256
NO_VALUE = 128
"""The gray of pixels without a value, which is in no palette."""


@cache
def palette(kind: DifferenceKind) -> NDArray[np.uint8]:
    """Return (256, 3) colours from low to high."""
    from matplotlib import colormaps

    colours: NDArray[np.uint8] = colormaps[PALETTES[kind]](np.arange(STEPS), bytes=True)
    return colours[:, :3]


def _limits(map_: DifferenceMap, low: float | None, high: float | None) -> tuple[float, float]:
    low = map_.low if low is None else low
    high = map_.high if high is None else high
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{map_.name} cannot be shown from {low} to {high}")
    return low, high


def render(
    map_: DifferenceMap, *, low: float | None = None, high: float | None = None
) -> NDArray[np.uint8]:
    """Render a map with one pixel per value.

    Parameters
    ----------
    map_
        The map.
    low, high
        The values of the first and of the last colour; by default the limits of the map. To compare
        maps, use the same limits for all. For a change, -x and x keep black at 0.

    Returns
    -------
    ndarray
        (height, width, 3) uint8 RGB. Values beyond the limits have the colour of the limit; pixels
        without a value are neutral gray, 128.

    Raises
    ------
    ValueError
        If the limits are not two finite numbers in order.

    Notes
    -----
    matplotlib's ``inferno`` for differences, reversed for similarities; ``berlin`` (Crameri 2018,
    doi:10.5281/zenodo.1243862) for changes: blue is negative, red positive.
    """
    low, high = _limits(map_, low, high)
    known = np.isfinite(map_.values)
    steps = np.where(known, map_.values, low)
    steps -= low
    steps *= STEPS / (high - low)
    picture = palette(map_.kind)[np.clip(steps, 0, STEPS - 1).astype(np.uint8)]
    picture[~known] = NO_VALUE
    return picture


def ramp(kind: DifferenceKind) -> list[str]:
    """Return nine colours of a palette at equal distances, from low to high, e.g. ``#000003``."""
    places = np.linspace(0, STEPS - 1, 9).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in palette(kind)[places]]


def legend(map_: DifferenceMap, *, low: float | None = None, high: float | None = None) -> str:
    """Describe the colours of a picture, e.g. ``black 0 to yellow 0.131; gray: no value``.

    Parameters
    ----------
    map_, low, high
        As for `render`.

    Returns
    -------
    str
        Without a full stop.
    """
    low, high = _limits(map_, low, high)
    first, last = COLOURS[map_.kind]
    text = f"{first} {low:.3g} to {last} {high:.3g}"
    if map_.kind == "change":
        text = f"{first} {low:.3g}, black {(low + high) / 2:.3g}, {last} {high:.3g}"
    return text if np.isfinite(map_.values).all() else f"{text}; gray: no value"
