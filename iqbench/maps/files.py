"""Difference maps of two image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iqbench.errors import IqbenchError
from iqbench.maps.model import DifferenceMap
from iqbench.user_files import expand_user

if TYPE_CHECKING:
    from iqbench.engine.compute import Compute
    from iqbench.images.probe import ImageHeader
    from iqbench.images.source import Alpha
    from iqbench.protocols.view import GrayOutput

__all__ = ["difference_maps"]

# Peak memory of each map: the values of its layers, the map, and temporary arrays.
BYTES_A_PIXEL = 24


def difference_maps(
    reference: str | Path,
    output: str | Path,
    *,
    maps: Sequence[str] = (),
    protocol: str = "rgb",
    device: str = "auto",
    memory: int | None = None,
    weights: str | Path | None = None,
    alpha: Alpha = "error",
    peak: int | None = None,
    gray_output: GrayOutput = "error",
) -> list[DifferenceMap]:
    """Compute difference maps of two image files.

    Images are converted as the protocol requires, and pass the networks in bands of rows. So memory
    depends on the maps, four bytes per pixel each, and not on the depth of a network.

    Parameters
    ----------
    reference, output
        Image files.
    maps
        Names, see ``docs/maps.md``: ``absolute-error``, ``tv-aniso|iso|sq``, columns of ssim, lpips
        and perceptual; by default absolute-error, ssim, lpips-alex, perceptual-vgg16-relu2_2-l1
        and tv-aniso.
    protocol
        Spec, e.g. ``sr-y:scale=4``.
    device, memory, weights, alpha, peak, gray_output
        As in `iqbench.measure`; networks compute in float32.

    Returns
    -------
    list of DifferenceMap
        In the given order, without duplicates.

    Raises
    ------
    IqbenchError
        If a map is unknown, a file cannot be read, the images do not fit each other, an image is
        too small for a map, or the maps do not fit into `memory`.
    """
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.pairs import PairScorer
    from iqbench.images.decode import check_alpha
    from iqbench.images.source import FileSource
    from iqbench.maps.kinds import resolve_maps
    from iqbench.maps.pair import maps_of_pair
    from iqbench.protocols.presets import resolve_protocol

    check_alpha(alpha)
    kinds = resolve_maps([maps] if isinstance(maps, str) else maps)
    scorer = PairScorer(
        [kind.request for kind in kinds],
        resolve_protocol(protocol).with_peak(peak).with_gray_output(gray_output),
        resolve_compute(device, "exact", memory),
        weights=None if weights is None else expand_user(weights),
    )
    sources = FileSource(expand_user(reference)), FileSource(expand_user(output))
    for source in sources:
        _check_memory(source.name, source.probe(), len(kinds), scorer.compute)
    pair = scorer.read(*sources, alpha)
    return maps_of_pair(pair.reference, pair.output, kinds, scorer)


def _check_memory(name: str, facts: ImageHeader, maps: int, compute: Compute) -> None:
    """Raise an error for maps that do not fit into memory, before decoding."""
    needed = facts.height * facts.width * maps * BYTES_A_PIXEL
    if needed > compute.memory:
        raise IqbenchError(
            f"{maps} maps of {name}, {facts.width}x{facts.height} pixels, take {needed >> 20} MiB "
            f"of memory; {compute.memory >> 20} are allowed",
            hint="Ask for fewer maps, or allow more memory",
        )
