"""Maps of two image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from iqbench.errors import IqbenchError, unknown_name
from iqbench.maps.model import DifferenceMap

if TYPE_CHECKING:
    from iqbench.engine.compute import Compute
    from iqbench.images.probe import ImageHeader
    from iqbench.images.source import Alpha
    from iqbench.protocols.view import GrayOutput

__all__ = ["difference_maps"]

# At the peak, for each map: its layers' values, itself, and what joining them needs.
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
    """Show where the difference between two image files lies.

    Images are seen as the protocol says, and pass the networks in bands of rows: memory grows with
    the maps, four bytes a pixel each, and not with the depth of a network.

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
        In the order asked for, none twice.

    Raises
    ------
    IqbenchError
        On an unknown map, if a file cannot be read, the two do not fit, an image is too small for
        a map or the maps do not fit into `memory`.
    """
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.grouping import views_of
    from iqbench.engine.reading import fit_pair
    from iqbench.engine.resources import load_resources
    from iqbench.images.source import Alpha, FileSource
    from iqbench.maps.kinds import resolve_maps
    from iqbench.maps.pair import MappedPair
    from iqbench.protocols.presets import resolve_protocol

    if alpha not in get_args(Alpha):
        raise unknown_name("way to treat alpha", alpha, get_args(Alpha))
    kinds = resolve_maps([maps] if isinstance(maps, str) else maps)
    chosen = resolve_protocol(protocol).with_peak(peak).with_gray_output(gray_output)
    compute = resolve_compute(device, "exact", memory)
    contents = [FileSource(Path(path)).read() for path in (reference, output)]
    for content in contents:
        _check_memory(content.name, content.probe(), len(kinds), compute)
    first, second = (content.decode(alpha=alpha) for content in contents)
    views = views_of([kind.request for kind in kinds], chosen)
    pair = fit_pair(first, second, chosen, views)
    resources = load_resources(
        [kind.request for kind in kinds],
        compute,
        folder=None if weights is None else Path(weights),
    )
    return MappedPair(pair.reference, pair.output, resources, compute).maps(kinds, chosen)


def _check_memory(name: str, facts: ImageHeader, maps: int, compute: Compute) -> None:
    """Refuse maps that would not fit, before anything is decoded."""
    needed = facts.height * facts.width * maps * BYTES_A_PIXEL
    if needed > compute.memory:
        raise IqbenchError(
            f"{maps} maps of {name}, {facts.width}x{facts.height} pixels, take {needed >> 20} MiB "
            f"of memory; {compute.memory >> 20} are allowed",
            hint="Ask for fewer maps, or allow more memory",
        )
