"""The kinds of maps: the metric that gives the values, and their positions on the image."""

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

    The closing formula of its metric is a weighted sum of means. So it can be applied at each
    position, and the mean of the result over positions is the metric's value.

    Attributes
    ----------
    request
        The column that is the mean of the map, and its metric.
    place
        Places the metric's maps on the image.
    kind
        The kind of values, which defines the value for no difference.
    gap
        The positions without a value, in words; empty if all have one.
    """

    request: Request
    place: Placement
    kind: DifferenceKind = "difference"
    gap: str = ""

    @property
    def name(self) -> str:
        """The name of the map, which is that of its column."""
        return self.request.column.name

    def assemble(self, maps: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """Combine the metric's maps to one with the size of the image.

        Parameters
        ----------
        maps
            The metric's maps by name, means over channels, (N, h, w) each.
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
        """Return the change of the differences for a tap."""
        # Differences along a row need one row, those to the next row need two; iso has one map.
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
        If the column has no map.
    """
    column = request.column
    if column.map is None:
        raise IqbenchError(
            f"there is no map of {column.name}",
            hint=f"There are maps of {', '.join(_known_names())}",
        )
    return MapKind(request, _PLACES[column.map.place], column.map.kind, _gap(column))


def _gap(column: Column) -> str:
    """Describe the positions without a value."""
    assert column.map is not None
    window = max(tap.window - 2 * tap.border for tap in column.taps)
    if column.map.place == "centre" and window > 1:
        return f"none within {window // 2} pixels of its edge, where the window does not fit"
    # Both differences exist only where there is a next row and a next column.
    if column.map.place == "forward" and len(column.taps) == 1:
        return "none in the last row and column"
    return ""


def resolve_maps(names: Iterable[str]) -> tuple[MapKind, ...]:
    """Convert names to kinds of maps.

    Parameters
    ----------
    names
        Names of maps, or specs of metrics whose columns have a map.

    Returns
    -------
    tuple of MapKind
        In the given order, without duplicates; the default ones if no name is given.

    Raises
    ------
    IqbenchError
        If a name is unknown; with the most similar known one.
    """
    kinds: dict[str, MapKind] = {}
    for name in tuple(names) or DEFAULT_MAPS:
        for request in _resolve(name.strip()):
            kinds.setdefault(request.column.name, kind_of(request))
    return tuple(kinds.values())


def _resolve(name: str) -> tuple[Request, ...]:
    """Return the columns of a name: all columns of a metric that have a map."""
    if name in _OWN:
        return (Request(_OWN[name], _OWN[name].columns()[0]),)
    found: tuple[Request, ...] = ()
    if any(f"{name}-".startswith((f"{metric}-", f"{metric}:")) for metric in metric_classes()):
        found = tuple(item for item in resolve_metrics([name]) if item.column.map is not None)
    if not found:
        raise unknown_name("map", name, _known_names())
    return found


def _known_names() -> list[str]:
    """Return the names of all maps, with the default options of each metric."""
    names = dict.fromkeys(_OWN)
    for metric in metric_classes().values():
        for column in metric().columns():
            if column.map is not None:
                names[column.name] = None
    return list(names)
