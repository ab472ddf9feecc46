"""Descriptions of figures, without any format.

`iqbench.document.drawing` draws them as files, `iqbench.document.plotly_traces` on pages.
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
"""Okabe and Ito's colours, which suit all common kinds of colour blindness."""

COLUMNS = 3
"""The number of panels in a row."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8A8A8A", "#000000")
"""Colours of groups of points."""

_MARKS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")


def group_mark(place: int) -> tuple[str, str]:
    """Return colour and marker of a group of points; the first 56 groups differ."""
    return COLORS[place % len(COLORS)], _MARKS[place % len(_MARKS)]


@dataclass(frozen=True)
class Axis:
    """The description of an axis.

    Attributes
    ----------
    label
        Its label.
    column
        Heading of the column with its values; may be empty.
    decimals
        Digits after the decimal point of its values; None for four significant ones.
    lower
        Whether lower is better, so that the axis is reversed.
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
        The name of its file, and its title.
    rows, columns
        Names of the rows and columns.
    values
        Shape (rows, columns); NaN for missing numbers, and above the diagonal.
    sources
        For a name without a column of values, the column it is computed from.
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
        Text above the panel.
    groups
        The group of each point, shown by colours; empty for one group.
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
        The name of its file, and its title.
    panels
        From left to right, several per row.
    groups
        Names of the groups of all panels, in their order; empty for one group.
    shared
        Whether the panels share their vertical axis.
    """

    name: str
    title: str
    panels: Sequence[Panel]
    groups: Sequence[str] = ()
    shared: bool = False

    def of_group(self, panel: Panel) -> Iterator[tuple[str, int, _Array, _Array]]:
        """Yield the points of each group in a panel: name, index, and points."""
        if not self.groups:
            yield "", 0, panel.x, panel.y
            return
        names = np.array(panel.groups, dtype=object)
        for place, name in enumerate(self.groups):
            own = names == name
            yield name, place, panel.x[own], panel.y[own]


Triple = tuple[float, float, float]
"""A mean, and the ends of its interval, NaN without one."""


@dataclass(frozen=True)
class Spot:
    """A method on two axes.

    Attributes
    ----------
    name
        The name of the method.
    at
        Its means on the horizontal and on the vertical axis.
    front
        Whether it is on the Pareto front.
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
        The horizontal and the vertical axis.
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
        The horizontal axis.
    rows
        Names, from top to bottom.
    values
        Finite values of each row; may be empty.
    """

    title: str
    axis: Axis
    rows: Sequence[str]
    values: Sequence[_Array]


@dataclass(frozen=True)
class Boxes:
    """Box plots, one panel per dataset.

    Attributes
    ----------
    name, title
        The name of its file, and its title.
    panels
        From left to right, several per row.
    every
        Whether each value is shown as a point, not only those beyond the whiskers.
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
        The name of its file, and its title.
    rows
        Names, from bottom to top.
    ends
        Positions of the marks, from 0 to 1, by label.
    label
        Label of the horizontal axis.
    """

    name: str
    title: str
    rows: Sequence[str]
    ends: dict[str, _Array]
    label: str


@dataclass(frozen=True)
class Label:
    """A text beside a point; ``side`` is its position: ``left`` or ``right`` of the point."""

    x: float
    y: float
    text: str
    side: str


@dataclass(frozen=True)
class Ranks:
    """Average ranks on a line, the best at the left; bars connect methods that do not differ.

    Attributes
    ----------
    name, title
        The name of its file, and its title.
    methods
        Names, the best first.
    ranks
        Their average ranks.
    joined
        The first and the last method of each bar.
    """

    name: str
    title: str
    methods: Sequence[str]
    ranks: _Array
    joined: Sequence[tuple[int, int]]

    @property
    def ends(self) -> tuple[int, int]:
        """The integer ranks at the ends of the line."""
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
        """The positions of names: the better half at the left from top to bottom, then the rest."""
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
        """The number of lines of text below the line."""
        return 0.5 * len(self.joined) + (len(self.methods) + 1) // 2 + 0.5


Colours = NDArray[np.uint8]
"""Shape (256, 3): a palette, from low to high."""


@dataclass(frozen=True, eq=False)
class PicturePanel:
    """A picture, or values that are shown as colours.

    Attributes
    ----------
    title
        Above the picture.
    pixels
        (H, W, 3) RGB.
    low, high, palette
        For values: those of the first and the last colour, and the colours; None as palette for a
        picture.
    """

    title: str
    pixels: Colours
    low: float = 0.0
    high: float = 1.0
    palette: Colours | None = None


@dataclass(frozen=True, eq=False)
class Pictures:
    """Adjacent pictures, with colour bars for values."""

    name: str
    title: str
    panels: Sequence[PicturePanel]


Figure = Heatmap | Scatter | Dumbbells | Ranks | Front | Boxes | Pictures
