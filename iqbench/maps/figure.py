"""A figure of two images and their difference maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqbench.document.figure import PicturePanel, Pictures
from iqbench.images.picture import Picture
from iqbench.images.source import Alpha, FileSource
from iqbench.maps.model import DifferenceMap
from iqbench.maps.palettes import palette, render

__all__ = ["maps_figure"]


def maps_figure(
    reference: Path,
    output: Path,
    maps: Sequence[DifferenceMap],
    *,
    alpha: Alpha = "error",
    peak: int | None = None,
) -> Pictures:
    """Describe a figure of a reference, an output and their difference maps.

    Parameters
    ----------
    reference, output
        Image files.
    maps
        Their difference maps, each with its own limits.
    alpha, peak
        As in `iqbench.measure`.
    """
    files = (("reference", reference), ("output", output))
    panels = [
        PicturePanel(name, _shown(FileSource(path).read().decode(alpha=alpha), peak))
        for name, path in files
    ]
    panels += [
        PicturePanel(
            f"{map_.name}, mean {map_.mean:.3g}",
            render(map_),
            map_.low,
            map_.high,
            palette(map_.kind),
        )
        for map_ in maps
    ]
    return Pictures("maps", "", panels)


def _shown(picture: Picture, peak: int | None) -> NDArray[np.uint8]:
    """Show a picture in 8 bits and three channels."""
    pixels = picture.pixels.astype(np.float64) * (255 / (peak or picture.peak))
    whole = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return np.broadcast_to(whole, (*whole.shape[:2], 3)).copy()
