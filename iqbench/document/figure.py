"""What figures show, in one description.

`iqbench.document.drawing` draws it into files, `iqbench.document.plotly_traces` into pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Axis",
    "BoxPanel",
    "Boxes",
    "Dumbbells",
    "Figure",
    "Front",
    "FrontPanel",
    "Heatmap",
    "Panel",
    "PicturePanel",
    "Pictures",
    "Ranks",
    "Scatter",
    "Spot",
]

_Array = NDArray[np.float64]

POINTS, CURVE, LINK = "#0072B2", "#D55E00", "#666666"
"""Okabe and Ito's colours, told apart with every common colour blindness."""

COLUMNS = 3
"""Number of panels side by side."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8A8A8A", "#000000")
"""Of groups of points."""

_MARKS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")


def group_mark(place: int) -> tuple[str, str]:
    """Give colour and mark of a group of points; no two of the first 56 are alike."""
    return COLORS[place % len(COLORS)], _MARKS[place % len(_MARKS)]


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes
    ----------
    label
        Beside it.
    column
        Heading of the column whose values it shows; empty where it shows none.
    decimals
        Digits after the point of its values; None for four significant ones.
    lower
        Whether less is better: then it runs to the left, or down.
    """

    label: str
    column: str = ""
    decimals: int | None = None
    lower: bool = False


@dataclass(frozen=True)
class Heatmap:
    """Numbers from -1 to 1 by rows and columns.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    rows, columns
        Names.
    values
        Shape (rows, columns); NaN where there is no number, and above the diagonal nothing is.
    sources
        Of a name that heads no column of values, the column it is computed from.
    """

    name: str
    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: _Array
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """Points, and a curve through them.

    Attributes
    ----------
    across, up
        The axes.
    x, y
        The points.
    curve
        Its points in order, x and y; None for no curve.
    caption
        Above the panel.
    groups
        To which group each point belongs, which colours tell; none where there is one group.
    """

    across: Axis
    up: Axis
    x: _Array
    y: _Array
    curve: tuple[_Array, _Array] | None = None
    caption: str = ""
    groups: Sequence[str] = ()


@dataclass(frozen=True)
class Scatter:
    """Panels of points, side by side.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    panels
        From left to right, some in a row.
    groups
        Names of the groups of all panels, in their order; none where there is one group.
    shared
        Whether the panels share their vertical axis.
    """

    name: str
    title: str
    panels: Sequence[Panel]
    groups: Sequence[str] = ()
    shared: bool = False

    def of_group(self, panel: Panel) -> Iterator[tuple[str, int, _Array, _Array]]:
        """Give the points of each group in a panel: the group's name, its place, and the points."""
        if not self.groups:
            yield "", 0, panel.x, panel.y
            return
        names = np.array(panel.groups, dtype=object)
        for place, name in enumerate(self.groups):
            own = names == name
            yield name, place, panel.x[own], panel.y[own]


Triple = tuple[float, float, float]
"""A mean, and the ends of its interval, NaN where there is none."""


@dataclass(frozen=True)
class Spot:
    """A method on two axes.

    Attributes
    ----------
    name
        Of the method.
    at
        Across and up.
    front
        Whether no other method is better on both.
    complete
        Whether it has all values.
    """

    name: str
    at: tuple[Triple, Triple]
    front: bool
    complete: bool


@dataclass(frozen=True)
class FrontPanel:
    """Methods on two axes, of one dataset.

    Attributes
    ----------
    title
        The dataset.
    axes
        Across and up.
    spots
        The methods.
    """

    title: str
    axes: tuple[Axis, Axis]
    spots: Sequence[Spot]


@dataclass(frozen=True)
class Front:
    """Methods by fidelity and perception, one panel per dataset; a line joins the Pareto front."""

    name: str
    title: str
    panels: Sequence[FrontPanel]


@dataclass(frozen=True)
class BoxPanel:
    """Distributions, of one dataset.

    Attributes
    ----------
    title
        The dataset.
    axis
        The horizontal one.
    rows
        Names, from above.
    values
        Finite values of each; none where a row has none.
    """

    title: str
    axis: Axis
    rows: Sequence[str]
    values: Sequence[_Array]


@dataclass(frozen=True)
class Boxes:
    """Quartiles and what lies beyond them, one panel per dataset.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    panels
        From left to right, some in a row.
    every
        Whether each value is a point, not only those beyond the whiskers.
    """

    name: str
    title: str
    panels: Sequence[BoxPanel]
    every: bool = False


@dataclass(frozen=True)
class Dumbbells:
    """Two marks per row, and a line between them.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    rows
        Names, from below.
    ends
        By label, where the marks are, from 0 to 1.
    label
        Of the horizontal axis.
    """

    name: str
    title: str
    rows: Sequence[str]
    ends: dict[str, _Array]
    label: str


@dataclass(frozen=True)
class Label:
    """A text beside a point; ``side`` is where it ends: ``left`` or ``right`` of the point."""

    x: float
    y: float
    text: str
    side: str


@dataclass(frozen=True)
class Ranks:
    """Average ranks on a line, the best at the left; bars join what does not differ.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    methods
        Names, the best first.
    ranks
        Their average ranks.
    joined
        First and last of the methods that a bar joins.
    """

    name: str
    title: str
    methods: Sequence[str]
    ranks: _Array
    joined: Sequence[tuple[int, int]]

    @property
    def ends(self) -> tuple[int, int]:
        """The whole ranks between which the line goes."""
        return int(np.floor(self.ranks.min())), max(int(np.ceil(self.ranks.max())), 2)

    @property
    def bars(self) -> list[tuple[float, float, float]]:
        """Left, right and height of each bar, in ranks and in lines of text below the line."""
        return [
            (float(self.ranks[first]), float(self.ranks[last]), -0.5 * (place + 1))
            for place, (first, last) in enumerate(self.joined)
        ]

    @property
    def labels(self) -> list[Label]:
        """Where names stand: the better half at the left, the best at the top; then the others."""
        (low, high), count = self.ends, len(self.methods)
        half, below = (count + 1) // 2, 0.5 * len(self.joined)
        found = []
        for place, (name, rank) in enumerate(zip(self.methods, self.ranks, strict=True)):
            left = place < half
            height = -(below + 1 + (place if left else count - 1 - place))
            text = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
            found.append(Label(low if left else high, height, text, "left" if left else "right"))
        return found

    @property
    def height(self) -> float:
        """How many lines of text there are below the line."""
        return 0.5 * len(self.joined) + (len(self.methods) + 1) // 2 + 0.5


Colours = NDArray[np.uint8]
"""Shape (256, 3): a palette, from low to high."""


@dataclass(frozen=True, eq=False)
class PicturePanel:
    """A picture, or values that are painted.

    Attributes
    ----------
    title
        Above the picture.
    pixels
        (H, W, 3) RGB.
    low, high, palette
        Of values: what the first and the last colour stand for, and the colours; no palette where
        it is a picture.
    """

    title: str
    pixels: Colours
    low: float = 0.0
    high: float = 1.0
    palette: Colours | None = None


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures side by side, those of values with a bar of their colours."""

    name: str
    title: str
    panels: Sequence[PicturePanel]


Figure = Heatmap | Scatter | Dumbbells | Ranks | Front | Boxes | Pictures
