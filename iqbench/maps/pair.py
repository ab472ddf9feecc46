"""Two decoded images on their way through the engine's bands to maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iqbench.columns import DifferenceKind
from iqbench.engine.bands import plan_bands
from iqbench.engine.compute import Compute
from iqbench.engine.grouping import Group, group_requests
from iqbench.engine.resources import Resources
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.maps.collect import Band, collect
from iqbench.maps.kinds import MapKind
from iqbench.maps.model import DifferenceMap
from iqbench.protocols.gray import arrange
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import Region, View

__all__ = ["MappedPair"]

# This many percent lie within the limits, so that a few wild pixels do not darken all others; a
# change of variation is large along a few edges only.
WITHIN: dict[DifferenceKind, float] = {"difference": 99.5, "change": 95}
# What is less than this everywhere is rounding, and looks like nothing.
FAINT = 1e-3


@dataclass(frozen=True)
class MappedPair:
    """A reference, an output that fits it, and what it takes to compare them."""

    reference: Picture
    output: Picture
    resources: Resources
    compute: Compute

    def maps(self, kinds: Sequence[MapKind], protocol: Protocol) -> list[DifferenceMap]:
        """Make maps under a protocol; what reads one view passes each network once.

        Raises
        ------
        IqbenchError
            If an image is too small for one of them.
        """
        groups = group_requests([kind.request for kind in kinds], protocol)
        found: dict[str, DifferenceMap] = {}
        for group in groups:
            mine = [kind for kind in kinds if kind.request in group.requests]
            found |= {made.name: made for made in self._maps_of(group, mine)}
        return [found[kind.name] for kind in kinds]

    def _maps_of(self, group: Group, kinds: Sequence[MapKind]) -> Iterator[DifferenceMap]:
        """Make the maps of one view."""
        window = group.view.window(self.reference.height, self.reference.width)
        self._check_size(group, kinds, window)
        (reference,), (output,) = arrange(group.view, [self.reference], [self.output])
        with self.compute.active():
            collected = collect(
                group,
                self._bands(group, window, reference, output),
                backbones=self.resources.backbones,
                parameters=self.resources.parameters,
                dtype=self.compute.dtype,
                size=(window.height, window.width),
            )
            for kind in kinds:
                size = window.height, window.width
                placed = kind.assemble(collected[kind.request.metric], size)[0, 0]
                values: NDArray[np.float32] = placed.float().cpu().numpy()
                low, high = _limits(values, kind.kind)
                summary = _summary(kind, group.view, window, self.reference)
                yield DifferenceMap(
                    kind.name, values, low, high, summary, kind.kind, window.top, window.left
                )

    def _check_size(self, group: Group, kinds: Sequence[MapKind], window: Region) -> None:
        small = group.too_small(self.resources.backbones, window.height, window.width)
        for kind in kinds:
            reason = small.get(kind.request.column.name)
            if reason:
                raise IqbenchError(
                    f"there is no map {kind.name} of {self.reference.name}: {reason}",
                    hint="Name the maps that shall be made",
                )

    def _bands(
        self, group: Group, window: Region, reference: Picture, output: Picture
    ) -> Iterator[Band]:
        """Cut both images as the engine does."""
        view, device = group.view, self.compute.device
        plan = plan_bands(
            group,
            self.resources.backbones,
            self.compute,
            size=(view.channels(reference.channels), window.height, window.width),
            references=1,
            outputs=1,
        )
        gain = view.gain(reference, output)
        for rows in plan.bands():
            yield Band(
                view.band(reference, rows, device),
                view.band(output, rows, device, gain),
                rows.stop == plan.height,
            )


def _limits(values: NDArray[np.float32], kind: DifferenceKind) -> tuple[float, float]:
    """Choose what the first and last colour stand for."""
    if kind == "similarity":
        return 0.0, 1.0
    sizes = np.abs(values[np.isfinite(values)])
    bright = float(np.percentile(sizes, WITHIN[kind]))
    # A change in a few pixels only would vanish.
    high = max(bright if bright > FAINT else float(sizes.max()), FAINT)
    return (-high if kind == "change" else 0.0), high


def _summary(kind: MapKind, view: View, window: Region, reference: Picture) -> str:
    """Say what the values are and where they lie."""
    stored = f"{reference.width}x{reference.height} pixels"
    if (window.height, window.width) == (reference.height, reference.width):
        where = f"on the whole image, {stored}"
    else:
        where = (
            f"on {window.width}x{window.height} of {stored}, from column {window.left} and row "
            f"{window.top} on"
        )
    seen = "" if str(view) == "rgb" else f", seen as {view}"
    gap = f"; {kind.gap}" if kind.gap else ""
    return f"{kind.request.column.summary}; {where}{seen}{gap}"
