"""Difference maps for a page. torch is imported when the first map is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.images.peaks import settle_peak, settle_peaks
from iqbench.images.picture import Picture
from iqbench.maps.model import DEFAULT_MAPS, DifferenceMap
from iqbench.maps.palettes import legend, ramp, render
from iqbench.page.thumbnails import Crop

__all__ = ["DEFAULT_MAPS", "MapMaker", "Painted", "as_scored", "paint"]

_STEPS = 40
"""Number of colours of a map: the eye cannot tell more apart, and files are half as large."""


@dataclass(frozen=True)
class Painted:
    """A difference map as a picture.

    Attributes
    ----------
    name, legend, summary
        What the map is, and what its colours mean.
    low, high
        The values of the first and of the last colour.
    colours
        CSS colours, from low to high.
    pixels
        (H, W, 3) uint8, aligned with the part of the image that is shown.
    """

    name: str
    legend: str
    summary: str
    low: float
    high: float
    colours: list[str]
    pixels: NDArray[np.uint8]


class MapMaker:
    """Makes the maps of one pair after another. Networks are loaded once.

    Parameters
    ----------
    names
        Names of maps. Maps whose networks are not on this machine are left out.
    device
        The device to compute on.

    Attributes
    ----------
    left_out
        The maps whose weights are missing.
    problems
        The reasons why outputs have no maps, without repetition.
    """

    def __init__(self, names: Sequence[str], device: str = "auto") -> None:
        from iqbench.engine.compute import resolve_compute
        from iqbench.engine.resources import load_resources, networks_of
        from iqbench.maps.kinds import resolve_maps
        from iqbench.networks import weights

        kinds = resolve_maps(names)
        missing = {
            kind.name: lacking
            for kind in kinds
            if (lacking := [n for n in networks_of([kind.request]) if weights.locate(n) is None])
        }
        self.left_out = list(missing)
        self.problems: dict[str, None] = {}
        self._kinds: list[Any] = [kind for kind in kinds if kind.name not in missing]
        self._compute = resolve_compute(device, "exact", None)
        self._resources = load_resources([kind.request for kind in self._kinds], self._compute)

    def maps(
        self,
        reference: Picture,
        output: Picture,
        protocol: str,
        *,
        peak: int,
        gray_output: str,
    ) -> list[DifferenceMap]:
        """Make the maps of an output, except those that are not defined for such an image."""
        from iqbench.engine.fitting import check_fit
        from iqbench.engine.pairs import PairScorer
        from iqbench.maps.pair import maps_of_pair
        from iqbench.protocols.presets import resolve_protocol

        def made(kinds: Sequence[Any]) -> list[DifferenceMap]:
            return maps_of_pair(first, second, kinds, scorer)

        try:  # tables may come from a machine with other protocols
            chosen = resolve_protocol(protocol).with_gray_output(gray_output)
            first, second = as_scored(reference, output, peak)
            requests = [kind.request for kind in self._kinds]
            scorer = PairScorer(requests, chosen, self._compute, resources=self._resources)
            check_fit(first, second, scorer.views)
        except IqbenchError as error:
            self.problems[error.message] = None
            return []
        try:
            return made(self._kinds)
        except IqbenchError:  # the image is too small for one of the maps
            found = []
            for kind in self._kinds:
                with suppress(IqbenchError):
                    found += made([kind])
            return found


def as_scored(reference: Picture | None, output: Picture, peak: int) -> tuple[Picture, Picture]:
    """Give both pictures the peak that scored them, or that of their files if this is not possible.

    Without a reference, the output takes the place of the reference too.
    """
    if reference is None:
        try:
            alone, _ = settle_peak(output, peak)
        except IqbenchError:
            alone, _ = settle_peak(output)
        return alone, alone
    try:
        first, second, _ = settle_peaks(reference, output, peak)
    except IqbenchError:
        first, second, _ = settle_peaks(reference, output)
    return first, second


def paint(maps: Sequence[DifferenceMap], crop: Crop) -> list[Painted]:
    """Paint the same map of several outputs in the same colours.

    Parameters
    ----------
    maps
        Maps of one name and kind.
    crop
        The part of the image that is shown.

    Returns
    -------
    list of Painted
        One per map. Their common limits are the medians of the limits of the single maps.
    """
    # Not the extremes: one bad output would make the maps of the others uniform.
    low, high = (
        float(np.median(ends)) for ends in zip(*((m.low, m.high) for m in maps), strict=True)
    )
    return [
        Painted(
            one.name,
            legend(one, low=low, high=high),
            one.summary,
            low,
            high,
            ramp(one.kind),
            render(_fewer_colours(_aligned(one, crop), low, high), low=low, high=high),
        )
        for one in maps
    ]


def _aligned(one: DifferenceMap, crop: Crop) -> DifferenceMap:
    """Align a map with the shown part of the stored image; it is empty beyond the map's edges."""
    values = np.full((crop.height, crop.width), np.nan, dtype=np.float32)
    top, left = one.top - crop.top, one.left - crop.left
    bottom, right = top + one.values.shape[0], left + one.values.shape[1]
    rows = slice(max(top, 0), max(min(bottom, crop.height), 0))
    columns = slice(max(left, 0), max(min(right, crop.width), 0))
    values[rows, columns] = one.values[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return replace(one, values=values)


def _fewer_colours(one: DifferenceMap, low: float, high: float) -> DifferenceMap:
    share = np.clip((one.values - low) / (high - low), 0, 1)
    steps = np.round(share * (_STEPS - 1)) / (_STEPS - 1)
    return replace(one, values=(low + steps * (high - low)).astype(np.float32))
