"""Compute the maps of two decoded images in the engine's bands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from iqbench.columns import DifferenceKind
from iqbench.engine.bands import plan_bands
from iqbench.engine.grouping import Group, group_requests
from iqbench.engine.pairs import PairScorer
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.maps.collect import Band, collect
from iqbench.maps.kinds import MapKind
from iqbench.maps.model import DifferenceMap
from iqbench.protocols.gray import arrange
from iqbench.protocols.view import Region, View

__all__ = ["maps_of_pair"]

# Per cent of the values within the limits, so that a few extreme pixels do not darken all others. A
# change of variation is large only along a few edges.
WITHIN: dict[DifferenceKind, float] = {"difference": 99.5, "change": 95}
# If all differences are below this, they are rounding errors and shown as no difference.
FAINT = 1e-3


def maps_of_pair(
    reference: Picture, output: Picture, kinds: Sequence[MapKind], scorer: PairScorer
) -> list[DifferenceMap]:
    """Compute maps of a pair; each network runs once per view.

    Parameters
    ----------
    reference, output
        Images of matching sizes.
    kinds
        The kinds of maps.
    scorer
        The scorer of their columns, with the protocol, the networks and the device.

    Raises
    ------
    IqbenchError
        If an image is too small for one of the maps.
    """
    found: dict[str, DifferenceMap] = {}
    for group in group_requests([kind.request for kind in kinds], scorer.protocol):
        mine = [kind for kind in kinds if kind.request in group.requests]
        found |= {made.name: made for made in _maps_of_view(reference, output, group, mine, scorer)}
    return [found[kind.name] for kind in kinds]


def _maps_of_view(
    reference: Picture, output: Picture, group: Group, kinds: Sequence[MapKind], scorer: PairScorer
) -> Iterator[DifferenceMap]:
    """Compute the maps of one view."""
    window = group.view.window(reference.height, reference.width)
    resources, compute = scorer.resources, scorer.compute
    small = group.too_small(resources.backbones, window.height, window.width)
    for name, reason in small.items():
        raise IqbenchError(
            f"there is no map {name} of {reference.name}: {reason}",
            hint="Name only maps that are possible",
        )
    (first,), (second,) = arrange(group.view, [reference], [output])
    size = window.height, window.width
    with compute.active():
        collected = collect(
            group,
            _bands(group, window, first, second, scorer),
            backbones=resources.backbones,
            parameters=resources.parameters,
            dtype=compute.dtype,
            size=size,
        )
        for kind in kinds:
            placed = kind.assemble(collected[kind.request.metric], size)[0, 0]
            values: NDArray[np.float32] = placed.float().cpu().numpy()
            low, high = _limits(values, kind.kind)
            summary = _summary(kind, group.view, window, reference)
            yield DifferenceMap(
                kind.name, values, low, high, summary, kind.kind, window.top, window.left
            )


def _bands(
    group: Group, window: Region, reference: Picture, output: Picture, scorer: PairScorer
) -> Iterator[Band]:
    """Cut both images into bands, as the engine does."""
    view, device = group.view, scorer.compute.device
    plan = plan_bands(
        group,
        scorer.resources.backbones,
        scorer.compute,
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
    """Choose the values of the first and of the last colour."""
    if kind == "similarity":
        return 0.0, 1.0
    sizes = np.abs(values[np.isfinite(values)])
    bright = float(np.percentile(sizes, WITHIN[kind]))
    # Otherwise a change in a few pixels would be invisible.
    high = max(bright if bright > FAINT else float(sizes.max()), FAINT)
    return (-high if kind == "change" else 0.0), high


def _summary(kind: MapKind, view: View, window: Region, reference: Picture) -> str:
    """Describe the values and their positions."""
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
