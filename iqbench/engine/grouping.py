"""Group the requests of metrics: one group per view of the pixels, one pass per network."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace

from iqbench.errors import IqbenchError
from iqbench.metrics._base import PIXELS, Column, Metric, Tap, too_few_pixels
from iqbench.metrics._registry import Request
from iqbench.networks.backbone import Backbone
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import View

__all__ = [
    "Group",
    "NetworkKey",
    "Outcome",
    "group_requests",
    "reads_alone",
    "refuse_without_references",
    "taps_by_pass",
    "views_of",
]

NetworkKey = tuple[str, bool]
"""Name of a network, and whether it sees normalised pixels: one pass each."""


@dataclass(frozen=True)
class Outcome:
    """A value, or why there is none (then `value` is None)."""

    value: float | None
    error: str | None = None


@dataclass(frozen=True)
class Group:
    """Everything that is read from one view of the pixels.

    Attributes
    ----------
    view
        Of the pixels.
    requests
        The columns to close.
    readers
        Tap to the metrics that turn its rows into statistics.
    whole
        Whether all rows are read at once.
    alone
        Whether the outputs are read alone, without their references.
    """

    view: View
    requests: tuple[Request, ...]
    readers: dict[Tap, tuple[Metric, ...]]
    whole: bool = False
    alone: bool = False

    @property
    def pixel_taps(self) -> tuple[Tap, ...]:
        """Taps that read pixels."""
        return tuple(tap for tap in self.readers if tap.network == PIXELS)

    @property
    def layer_taps(self) -> dict[NetworkKey, dict[str, list[Tap]]]:
        """Taps that read networks: for each pass, layer to taps."""
        return taps_by_pass(self.readers)

    def too_small(self, backbones: dict[str, Backbone], height: int, width: int) -> dict[str, str]:
        """Say for which columns an image is too small, and how large it must be."""
        least: dict[Tap, int] = {}
        for tap in self.pixel_taps:
            if min(height, width) < tap.smallest:
                least[tap] = tap.smallest
        for (network, _), layers in self.layer_taps.items():
            sizes = backbones[network].sizes(layers, height, width)
            for layer, taps in layers.items():
                for tap in taps:
                    if min(sizes[layer][1:]) < tap.smallest:
                        least[tap] = backbones[network].least_side(layer, tap.smallest)
        reasons: dict[str, str] = {}
        for column in (request.column for request in self.requests):
            needed = max((least.get(tap, 0) for tap in column.taps), default=0)
            needed = max(needed, column.smallest)
            if min(height, width) < needed:
                reasons[column.name] = too_few_pixels(column.name, height, width, needed)
        return reasons

    def without(self, columns: Container[str]) -> Group:
        """Return the group without some columns."""
        return self.of(item for item in self.requests if item.column.name not in columns)

    def of(self, requests: Iterable[Request]) -> Group:
        """Return the group with some of its columns only."""
        kept = tuple(requests)
        return Group(self.view, kept, _readers(kept), self.whole, self.alone)


def _readers(requests: Iterable[Request]) -> dict[Tap, tuple[Metric, ...]]:
    """Return which metrics read a tap, each once."""
    readers: dict[Tap, dict[Metric, None]] = {}
    for request in requests:
        for tap in request.column.taps:
            readers.setdefault(tap, {})[request.metric] = None
    return {tap: tuple(metrics) for tap, metrics in readers.items()}


def group_requests(requests: Iterable[Request], protocol: Protocol) -> tuple[Group, ...]:
    """Sort columns by the view that the protocol gives their metric.

    Columns that read all rows at once have groups of their own, and so have those that need the
    output alone; what reads bitstreams, and what has one value per set, is in none.
    """
    found: dict[tuple[View, bool, bool], list[Request]] = {}
    for request in requests:
        if request.metric.needs != "bitstream" and request.metric.scope == "image":
            view = protocol.view(request.metric.role, request.metric.name)
            key = view, request.needs_whole_images, reads_alone(request, protocol)
            found.setdefault(key, []).append(request)
    return tuple(
        Group(view, tuple(items), _readers(items), whole, alone)
        for (view, whole, alone), items in found.items()
    )


def reads_alone(request: Request, protocol: Protocol) -> bool:
    """Tell whether a column sees outputs without their references.

    A metric that needs the output alone may have a view that needs the reference, such as one at
    the mean brightness of the reference.
    """
    view = protocol.view(request.metric.role, request.metric.name)
    return request.metric.needs == "output" and not view.needs_reference


def refuse_without_references(
    needing: Sequence[str], gray_output: str, *, why: str, hint: str
) -> None:
    """Refuse, where there are no references, what makes sense with references only.

    Parameters
    ----------
    needing
        Names of the columns that need a reference.
    gray_output
        How gray outputs of colour references are read; ``error`` where nobody says it.
    why
        Goes on after "psnr needs a reference, and".
    hint
        What to give instead of these columns.

    Raises
    ------
    IqbenchError
        If there is such a column, or `gray_output` is given.
    """
    if needing:
        verb = "need references" if len(needing) > 1 else "needs a reference"
        raise IqbenchError(f"{', '.join(needing)} {verb}, and {why}", hint=hint)
    if gray_output != "error":
        raise IqbenchError(
            f"--gray-output says how gray outputs of colour references are read, and {why}",
            hint="Leave --gray-output out",
        )


def views_of(requests: Iterable[Request], protocol: Protocol) -> tuple[View, ...]:
    """Return the views under which columns compare pairs, each once.

    Where no column compares any, it is the view of fidelity that reads gray in every way: sizes
    are still to fit.
    """
    views = dict.fromkeys(
        protocol.view(item.metric.role, item.metric.name)
        for item in requests
        if item.metric.needs != "bitstream"
        and item.metric.scope == "image"
        and not reads_alone(item, protocol)
    )
    return tuple(views) or (replace(protocol.fidelity, colour="rgb", gray_output="expand"),)


def taps_by_pass(taps: Iterable[Tap]) -> dict[NetworkKey, dict[str, list[Tap]]]:
    """Sort the taps that read networks: for each pass, layer to taps."""
    passes: dict[NetworkKey, dict[str, list[Tap]]] = {}
    for tap in taps:
        if tap.network != PIXELS:
            layers = passes.setdefault((tap.network, tap.normalise), {})
            layers.setdefault(tap.layer, []).append(tap)
    return passes


def undefined(column: Column) -> Outcome:
    """Return what a table says of a value that the closing formula could not give."""
    reason = column.undefined
    return Outcome(None, f"undefined: {reason}" if reason else "the value is not a number")
