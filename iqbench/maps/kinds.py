"""The maps there are: which metric gives the values, and where on the image they lie."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from iqbench.errors import IqbenchError, unknown_name
from iqbench.maps.model import DEFAULT_MAPS, Kind
from iqbench.maps.places import Place, centre, forward, stretch
from iqbench.metrics._base import Column, Maps, Metric, Tap
from iqbench.metrics._registry import Request, resolve_metrics
from iqbench.metrics.ciede2000 import Ciede2000
from iqbench.metrics.lpips import NETWORKS
from iqbench.metrics.tv import FORMS, Form, variation_maps
from iqbench.protocols.presets import Role

__all__ = ["AbsoluteError", "MapKind", "VariationChange", "kind_of", "resolve_maps"]


@dataclass(frozen=True)
class MapKind:
    """One kind of map.

    The closing formula of its metric is a weighted sum of means, and so it serves position by
    position too: the mean over positions of what it gives is the metric's value.

    Attributes
    ----------
    request
        The column that is the mean of the map, and its metric.
    place
        Lays the metric's maps on the image.
    kind
        Which values mean no difference.
    gap
        Which positions have no value, in words; empty if all have one.
    """

    request: Request
    place: Place
    kind: Kind = "difference"
    gap: str = ""

    @property
    def name(self) -> str:
        """The name of the map: that of its column."""
        return self.request.column.name

    def assemble(self, maps: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """Join the metric's maps to one that is as large as the image.

        Parameters
        ----------
        maps
            Those of the metric by name, means over channels, (N, h, w) each.
        size
            Height and width of the image.

        Returns
        -------
        Tensor
            (N, 1, height, width).
        """
        placed = {name: self.place(values, size) for name, values in maps.items()}
        return self.request.metric.close(self.name, placed, {}).unsqueeze(1)


class AbsoluteError(Metric):
    """Mean over channels of |reference - output|."""

    name: ClassVar[str] = "absolute-error"
    role: ClassVar[Role] = "fidelity"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``absolute-error``."""
        summary = "Mean over channels of |reference - output|, of 1"
        return (Column(self.name, "lower", summary, (Tap(),)),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the absolute error."""
        return {"absolute_error": (reference[0] - output).abs()}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the mean."""
        return means["absolute_error"]


class VariationChange(Metric):
    """Local total variation of the output minus that of the reference."""

    name: ClassVar[str] = "tv-change"
    role: ClassVar[Role] = "perception"

    form: Form = "aniso"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``tv-<form>``: tv-<form>-output minus tv-<form>-reference."""
        following = Tap(window=2)
        taps = (following,) if self.form == "iso" else (Tap(), following)
        summary = (
            f"Total variation of the output minus that of the reference ({FORMS[self.form]}): "
            "below 0 smoother, above 0 rougher"
        )
        return (Column(f"tv-{self.form}", "none", summary, taps),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the change of the differences that the tap allows."""
        # Along a row, which needs one row, and to the next, which needs two; iso has but one map.
        which = -1 if tap.window == 2 else 0
        ours, theirs = (variation_maps(image, self.form)[which] for image in (output, reference[0]))
        return {f"window{tap.window}": ours - theirs}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the sum over both directions."""
        first, *others = means.values()
        return first + others[0] if others else first


_OWN: dict[str, Metric] = {
    "absolute-error": AbsoluteError(),
    **{f"tv-{form}": VariationChange(form=form) for form in FORMS},
}
_METRICS = ("ssim", "lpips", "perceptual", "ciede2000")


def kind_of(request: Request) -> MapKind:
    """Return the map whose mean is a column.

    Raises
    ------
    IqbenchError
        If the column does not say where its values lie.
    """
    metric, column = request.metric, request.column
    if isinstance(metric, VariationChange):
        gap = "none in the last row and column" if metric.form == "iso" else ""
        return MapKind(request, forward, "change", gap)
    if metric.name == "ssim":
        if request.needs_whole_images:
            raise IqbenchError(
                f"there is no map of {column.name}", hint="Use ssim or ssim-window=uniform"
            )
        border = column.taps[0].window // 2
        gap = f"none within {border} pixels of its edge, where the window does not fit"
        return MapKind(request, centre, "similarity", gap)
    return MapKind(request, centre if isinstance(metric, AbsoluteError | Ciede2000) else stretch)


def resolve_maps(names: Iterable[str]) -> tuple[MapKind, ...]:
    """Turn names into kinds of maps.

    Parameters
    ----------
    names
        Names of maps, or specs of the metrics ssim, lpips, perceptual and ciede2000.

    Returns
    -------
    tuple of MapKind
        In the order asked for, none twice; the default ones if no name is given.

    Raises
    ------
    IqbenchError
        On an unknown name, with the nearest known one.
    """
    kinds: dict[str, MapKind] = {}
    for name in tuple(names) or DEFAULT_MAPS:
        for request in _resolve(name.strip()):
            kinds.setdefault(request.column.name, kind_of(request))
    return tuple(kinds.values())


def _resolve(name: str) -> tuple[Request, ...]:
    """Return the columns that a name asks for."""
    if name in _OWN:
        return (Request(_OWN[name], _OWN[name].columns()[0]),)
    if re.split("[-:]", name)[0] in _METRICS:
        return resolve_metrics([name])
    layers = (request.column.name for request in resolve_metrics(["perceptual"]))
    known = (*_OWN, "ssim", "ciede2000", *(f"lpips-{net}" for net in NETWORKS), *layers)
    raise unknown_name("map", name, known)
