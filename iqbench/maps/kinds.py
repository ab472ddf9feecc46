"""The maps there are: which metric gives the values, and where on the image they lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from iqbench.columns import ColumnMap, DifferenceKind
from iqbench.errors import IqbenchError, unknown_name
from iqbench.maps.model import DEFAULT_MAPS
from iqbench.maps.placement import Placement, centre, forward, stretch
from iqbench.metrics._base import Column, Maps, Metric, Tap
from iqbench.metrics._registry import Request, metric_classes, resolve_metrics
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
    place: Placement
    kind: DifferenceKind = "difference"
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
        return (Column(self.name, "lower", summary, (Tap(),), map=ColumnMap("centre")),)

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
        spread = ColumnMap("forward", "change")
        return (Column(f"tv-{self.form}", "none", summary, taps, map=spread),)

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
_PLACES: dict[str, Placement] = {"centre": centre, "forward": forward, "stretch": stretch}


def kind_of(request: Request) -> MapKind:
    """Return the map whose mean is a column.

    Raises
    ------
    IqbenchError
        If the column does not say where its values lie.
    """
    column = request.column
    if column.map is None:
        raise IqbenchError(
            f"there is no map of {column.name}",
            hint=f"There are maps of {', '.join(_known_names())}",
        )
    return MapKind(request, _PLACES[column.map.place], column.map.kind, _gap(column))


def _gap(column: Column) -> str:
    """Say which positions have no value."""
    assert column.map is not None
    window = max(tap.window - 2 * tap.border for tap in column.taps)
    if column.map.place == "centre" and window > 1:
        return f"none within {window // 2} pixels of its edge, where the window does not fit"
    # Both differences at once exist where there is a next row and a next column.
    if column.map.place == "forward" and len(column.taps) == 1:
        return "none in the last row and column"
    return ""


def resolve_maps(names: Iterable[str]) -> tuple[MapKind, ...]:
    """Turn names into kinds of maps.

    Parameters
    ----------
    names
        Names of maps, or specs of metrics whose columns have a map.

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
    """Return the columns that a name asks for: all of a metric's that have a map."""
    if name in _OWN:
        return (Request(_OWN[name], _OWN[name].columns()[0]),)
    found: tuple[Request, ...] = ()
    if any(f"{name}-".startswith((f"{metric}-", f"{metric}:")) for metric in metric_classes()):
        found = tuple(item for item in resolve_metrics([name]) if item.column.map is not None)
    if not found:
        raise unknown_name("map", name, _known_names())
    return found


def _known_names() -> list[str]:
    """Name the maps there are: our own, and those of every metric under its default options."""
    names = dict.fromkeys(_OWN)
    for metric in metric_classes().values():
        for column in metric().columns():
            if column.map is not None:
                names[column.name] = None
    return list(names)
