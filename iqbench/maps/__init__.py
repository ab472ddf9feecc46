"""Difference maps of two images."""

from iqbench.maps.figure import maps_figure
from iqbench.maps.files import difference_maps
from iqbench.maps.model import DEFAULT_MAPS, DifferenceMap
from iqbench.maps.palettes import legend, render
from iqbench.maps.write import write_maps

__all__ = [
    "DEFAULT_MAPS",
    "DifferenceMap",
    "difference_maps",
    "legend",
    "maps_figure",
    "render",
    "write_maps",
]
