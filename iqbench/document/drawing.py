"""Draw figures as SVG, PDF or PNG. matplotlib is imported when the first one is drawn.

The colours suit all common kinds of colour blindness: orange to purple for signed values
(ColorBrewer's PuOr), and Okabe and Ito's palette for points and curves. Figures use matplotlib's
objects without pyplot, so that no global state changes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from iqbench.document.figure import (
    COLUMNS,
    CURVE,
    LINK,
    POINTS,
    Boxes,
    Dumbbells,
    Figure,
    Front,
    FrontPanel,
    Heatmap,
    Pictures,
    Ranks,
    Scatter,
    group_mark,
)
from iqbench.document.text import printable, shortened
from iqbench.errors import IqbenchError, IqbenchWarning, unknown_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.text import Text

__all__ = ["FIGURE_FORMATS", "FigureStyle", "draw"]

FIGURE_FORMATS = ("svg", "pdf", "png")

_SMALLEST, _LARGEST = 0.5, 60.0
_LETTERS = (3.0, 40.0)
_FALLBACK = "DejaVu Sans"
"""A font that is part of matplotlib and has the arrows that other fonts lack."""

_GENERIC = ("serif", "sans-serif", "monospace")

_SYMBOLS = {
    **{"circle": "o", "square": "s", "triangle-up": "^", "diamond": "D", "triangle-down": "v"},
    **{"cross": "P", "x": "X"},
}
_DATES = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


@dataclass(frozen=True)
class FigureStyle:
    """The size of figures, and their font.

    Attributes
    ----------
    size
        Width and height in inches; None for the size that the figure needs.
    font
        Name of an installed font family; None for matplotlib's default.
    font_size
        Size of the font in points.
    title
        Whether figures have titles, which papers replace by captions.

    Raises
    ------
    IqbenchError
        If a number is out of its range.
    """

    size: tuple[float, float] | None = None
    font: str | None = None
    font_size: float = 8.0
    title: bool = True

    def __post_init__(self) -> None:
        for side in self.size or ():
            if not _SMALLEST <= side <= _LARGEST:
                raise IqbenchError(
                    f"a figure cannot be {side:g} inches wide or high",
                    hint=f"Give {_SMALLEST:g} to {_LARGEST:g} inches",
                )
        if not _LETTERS[0] <= self.font_size <= _LETTERS[1]:
            raise IqbenchError(
                f"the font of figures cannot have {self.font_size:g} points",
                hint=f"Give {_LETTERS[0]:g} to {_LETTERS[1]:g}",
            )

    @property
    def settings(self) -> dict[Any, Any]:
        """The settings of matplotlib.

        Raises
        ------
        IqbenchError
            If the font is not installed.
        """
        families = [_FALLBACK]
        if self.font is not None:
            from matplotlib import get_cachedir
            from matplotlib.font_manager import fontManager

            known = {*fontManager.get_font_names(), *_GENERIC}
            if self.font not in known:
                unknown = unknown_name("font", self.font, known)
                raise IqbenchError(
                    unknown.message,
                    hint=f"{unknown.hint}. A font that was just installed is found when the cache "
                    f"{get_cachedir()} is removed",
                )
            families.insert(0, self.font)
        return {
            "font.family": families,
            "font.size": self.font_size,
            "axes.titlesize": self.font_size,
            "legend.fontsize": self.font_size,
            "figure.titlesize": self.font_size + 1,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.hashsalt": "iqbench",  # constant ids, so that equal figures give equal bytes
            "svg.fonttype": "none",  # text stays text, which is searchable and small
            "pdf.fonttype": 42,  # TrueType, because publishers refuse type 3 fonts
        }


def draw(figure: Figure, format: str = "svg", style: FigureStyle | None = None) -> bytes:
    """Draw a figure. Equal figures give equal bytes.

    Parameters
    ----------
    figure
        The description of the figure.
    format
        One of `FIGURE_FORMATS`.
    style
        Size and font.

    Raises
    ------
    IqbenchError
        If the format is unknown, or the font is not installed.
    """
    if format not in FIGURE_FORMATS:
        raise IqbenchError(
            f"cannot draw a figure as {format or 'a file without suffix'}",
            hint=f"Let the file end in {', '.join(f'.{one}' for one in FIGURE_FORMATS)}",
        )
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    style = style or FigureStyle()
    with rc_context(style.settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # one warning follows below
        canvas = _canvas(figure)
        FigureCanvasAgg(canvas)
        if style.title and figure.title:
            lines = "\n".join(map(_escape, figure.title.split("\n")))
            canvas.suptitle(lines, x=0.01, ha="left", **_above(figure))
        stream = BytesIO()
        more: dict[str, Any] = {"bbox_inches": "tight"}
        if style.size is not None:
            canvas.set_size_inches(*style.size)
            more = {}
            if not isinstance(figure, Ranks):
                canvas.set_layout_engine("constrained")
        lacking = _add_fonts(canvas)
        _fit_texts(canvas)
        if isinstance(figure, Scatter) and figure.groups:
            _add_legend(canvas, grows=style.size is None)
        if isinstance(figure, Front):
            _place_names(canvas)
        canvas.savefig(stream, format=format, metadata=_DATES[format], dpi=200, **more)
    if lacking and format != "svg":  # SVG keeps text, and the reader may have the font
        warnings.warn(
            f"no installed font has the signs {lacking}: figure {figure.name} shows boxes in their "
            "place. Install a font that has them, or draw the figure as SVG",
            IqbenchWarning,
            stacklevel=2,
        )
    return stream.getvalue()


def _above(figure: Figure) -> dict[str, float]:
    """Return the position of the title, above the axes."""
    return {"y": 1.0} if isinstance(figure, Ranks) else {}


def _canvas(figure: Figure) -> Canvas:
    if isinstance(figure, Heatmap):
        return _heatmap(figure)
    if isinstance(figure, Ranks):
        return _ranks(figure)
    if isinstance(figure, Front):
        return _front(figure)
    if isinstance(figure, Boxes):
        return _boxes(figure)
    if isinstance(figure, Pictures):
        return _pictures(figure)
    return _scatter(figure) if isinstance(figure, Scatter) else _dumbbells(figure)


def _heatmap(given: Heatmap) -> Canvas:
    """Draw a matrix of numbers on colours; cells without a value are hatched."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows, columns, values = given.rows, given.columns, given.values
    size = max(len(rows), 3)
    figure = Figure(figsize=(2.6 + 0.42 * size, 2.4 + 0.36 * size), layout="constrained")
    axes = figure.add_subplot()
    below = np.tril(np.ones_like(values, dtype=bool))
    shown = np.ma.masked_where(~below | np.isnan(values), values)
    image = axes.imshow(shown, cmap=colormaps["PuOr"], vmin=-1, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(below), strict=True):
        value = values[row, column]
        if np.isnan(value):
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", ec="#cccccc", lw=0))
            continue
        color = "white" if abs(value) > 0.6 else "black"
        axes.text(column, row, _short(value), ha="center", va="center", color=color, size="small")
    axes.set_xticks(range(len(columns)), _plain(columns), rotation=90)
    axes.set_yticks(range(len(rows)), _plain(rows))
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.6, aspect=25, pad=0.02)
    return figure


def _scatter(given: Scatter) -> Canvas:
    """Draw points, and a curve through them."""
    figure, every = _panels(len(given.panels), share=given.shared)
    for axes, panel in zip(every, given.panels, strict=True):
        for name, place, x, y in given.of_group(panel):
            color, symbol = group_mark(place) if name else (POINTS, "circle")
            axes.plot(
                x,
                y,
                _SYMBOLS[symbol],
                color=color,
                markersize=2.6 if name else 2.2,
                markeredgewidth=0,
                alpha=0.6 if name else 0.35,
                label=_escape(name),
                rasterized=True,
            )
        if panel.curve is not None:
            # Points of groups have the colours of the groups.
            axes.plot(*panel.curve, color="black" if panel.groups else CURVE, linewidth=1.2)
        if panel.caption:
            axes.set_title(_escape(panel.caption))
        axes.set_xlabel(_escape(panel.across.label))
        if not given.shared or axes in every[::COLUMNS]:
            axes.set_ylabel(_escape(panel.up.label))
    return figure


def _panels(count: int, *, share: bool = False, height: float = 2.3) -> tuple[Canvas, list[Axes]]:
    """Make a figure of adjacent panels with this height in inches."""
    from matplotlib.figure import Figure

    rows, columns = -(-count // COLUMNS), min(count, COLUMNS)
    size = (2.7 * columns + 0.3, height * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    every = list(figure.subplots(rows, columns, squeeze=False, sharey=share).flat)
    for axes in every[count:]:
        axes.set_visible(False)
    return figure, every[:count]


def _front(given: Front) -> Canvas:
    """Draw methods on two axes, and a line through those on the Pareto front."""
    figure, every = _panels(len(given.panels))
    for axes, panel in zip(every, given.panels, strict=True):
        _draw_front(axes, panel)
        if len(every) > 1:
            axes.set_title(_escape(panel.title))
    return figure


def _draw_front(axes: Axes, panel: FrontPanel) -> None:
    front = sorted((one for one in panel.spots if one.front), key=lambda one: one.at[0][0])
    if front:
        line = [[one.at[place][0] for one in front] for place in (0, 1)]
        axes.plot(*line, color=CURVE, linewidth=1, linestyle=":")
    for spot in panel.spots:
        (x, left, right), (y, low, high) = spot.at
        color = CURVE if spot.front else LINK
        axes.errorbar(
            x,
            y,
            xerr=np.nan_to_num([[x - left], [right - x]]),
            yerr=np.nan_to_num([[y - low], [high - y]]),
            color=color,
            elinewidth=0.6,
            fmt="D" if spot.front else "o",
            markersize=4.5,
            markerfacecolor=color if spot.complete else "white",
        )
        axes.annotate(
            _escape(spot.name),
            (x, y),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size="small",
        )
    axes.margins(0.2)
    across, up = panel.axes
    axes.set_xlabel(_escape(across.label))
    axes.set_ylabel(_escape(up.label))
    axes.xaxis.set_inverted(across.lower)
    axes.yaxis.set_inverted(up.lower)


_SIDES: tuple[tuple[float, float, str, str], ...] = (
    *((0, 4, "center", "bottom"), (0, -4, "center", "top")),
    *((5, 0, "left", "center"), (-5, 0, "right", "center")),
    *((4, 4, "left", "bottom"), (-4, 4, "right", "bottom")),
    *((4, -4, "left", "top"), (-4, -4, "right", "top")),
)
"""Possible offsets of a name from its point, in points, with the alignments."""


def _place_names(canvas: Canvas) -> None:
    """Move names to positions where they overlap no other name and no point, if possible."""
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

    canvas.draw_without_rendering()  # to know positions in pixels
    reach = 4 * canvas.dpi / 72
    for axes in canvas.axes:
        names = [one for one in axes.texts if isinstance(one, Annotation)]
        points = [axes.transData.transform(one.xy) for one in names]
        taken = [Bbox.from_bounds(x - reach, y - reach, 2 * reach, 2 * reach) for x, y in points]
        for place, name in enumerate(names):
            others = [box for other, box in enumerate(taken) if other != place]
            for x, y, across, up in _SIDES:
                name.set(position=(x, y), horizontalalignment=across, verticalalignment=up)
                box = name.get_window_extent()
                if not any(box.overlaps(other) for other in others):
                    taken.append(box)
                    break
            else:
                x, y, across, up = _SIDES[0]
                name.set(position=(x, y), horizontalalignment=across, verticalalignment=up)


def _add_fonts(canvas: Canvas) -> str:
    """Add further installed fonts for missing characters; return those that no font has."""
    from matplotlib import rcParams
    from matplotlib.font_manager import fontManager, get_font
    from matplotlib.text import Text

    texts = canvas.findobj(Text)
    families = list(rcParams["font.family"])
    lacking = {ord(sign) for text in texts for sign in text.get_text() if sign.isprintable()}
    for family in families:
        lacking -= get_font(fontManager.findfont(family)).get_charmap().keys()
    for entry in sorted(fontManager.ttflist, key=lambda one: one.name) if lacking else ():
        font = get_font(entry.fname)
        had = lacking & font.get_charmap().keys()
        # "Last Resort" fonts only have boxes, and bitmap fonts have only one size.
        if had and font.scalable and not entry.name.startswith("Last Resort"):
            families.append(entry.name)
            lacking -= had
    for text in texts:
        text.set_fontfamily(families)
    return "".join(map(chr, sorted(lacking)))


_NAMES = 0.4
"""The largest share of a panel's width for names beside it."""


def _fit_texts(canvas: Canvas) -> None:
    """Shorten names that would leave no space for the plot, and wrap the title."""
    from matplotlib.ticker import FixedLocator

    for axes in canvas.axes:
        spec = axes.get_subplotspec()
        rows, columns = (1, 1) if spec is None else spec.get_gridspec().get_geometry()
        width, height = canvas.bbox.width / columns, canvas.bbox.height / rows
        for axis, room in ((axes.xaxis, height), (axes.yaxis, width)):
            if isinstance(axis.get_major_locator(), FixedLocator):
                names = _fitting(axis.get_ticklabels(), _NAMES * room, _LONGEST)
                axis.set_ticks(axis.get_ticklocs(), labels=names)
        for texts, room in (
            *(([one], 1.1 * width) for one in (axes.title, axes.xaxis.label)),
            ([axes.yaxis.label], height),
            # Axes with a fixed position have names beside them.
            (axes.texts, _NAMES * width if spec else axes.get_position().x0 * width),
        ):
            for text, name in zip(texts, _fitting(texts, room), strict=True):
                text.set_text(name)


def _add_legend(canvas: Canvas, *, grows: bool) -> None:
    """Add a legend of the groups below the panels, in as many columns as fit.

    A figure with a given size does not grow. If the names would take more than a third of it, the
    legend has the first ones, and the number of the others.
    """
    from matplotlib.lines import Line2D

    handles, names = canvas.axes[0].get_legend_handles_labels()
    place: dict[str, Any] = {"loc": "outside lower center", "frameon": False, "markerscale": 1.6}
    legend = canvas.legend(handles, names, **place)
    texts = legend.get_texts()
    names = _fitting(texts, _NAMES * canvas.bbox.width, _LONGEST)
    for text, name in zip(texts, names, strict=True):
        text.set_text(name)
    letters = texts[0].get_fontproperties().get_size_in_points() * canvas.dpi / 72
    longest = max(text.get_window_extent().width for text in texts) + 5 * letters
    columns = max(1, min(len(names), int(canvas.bbox.width / longest)))
    most = max(1, int(canvas.bbox.height / 3 / (1.6 * letters)))
    if grows:
        rows = -(-len(names) // columns)
        width, height = canvas.get_size_inches()
        canvas.set_size_inches(width, height + max(0, rows - 2) * 1.6 * letters / canvas.dpi)
    elif len(names) > most * columns:
        kept = most * columns - 1
        names = [*names[:kept], f"and {len(names) - kept} more"]
        handles = [*handles[:kept], Line2D([], [], linestyle="")]
    legend.remove()
    canvas.legend(handles, names, ncols=columns, **place)


_LONGEST = 40
"""The largest number of characters of a name."""


def _fitting(texts: Sequence[Text], room: float, most: int = 200) -> list[str]:
    """Shorten texts to a number of pixels and of characters."""
    names = [one.get_text() for one in texts]
    boxes = [one.get_window_extent() for one in texts]
    longest = max((max(box.width, box.height) for box in boxes), default=0.0)
    letters = max(map(len, names), default=0)
    if longest <= room and letters <= most:
        return names
    most = min(most, int(letters * room / max(longest, 1.0)))
    plain = [name.replace(r"\$", "$") for name in names]
    return [_escape(name) for name in shortened(plain, most)]


def _boxes(given: Boxes) -> Canvas:
    """Draw the distribution of each method."""
    most = max(len(panel.rows) for panel in given.panels)
    figure, every = _panels(len(given.panels), height=max(2.3, 0.7 + 0.16 * most))
    for axes, panel in zip(every, given.panels, strict=True):
        at = list(range(len(panel.rows)))
        line: dict[str, Any] = {"color": POINTS, "linewidth": 0.8}
        axes.boxplot(
            list(panel.values),
            positions=at,
            orientation="horizontal",
            widths=0.6,
            boxprops=line,
            whiskerprops=line,
            capprops=line,
            medianprops={"color": CURVE, "linewidth": 1.2},
            flierprops={"marker": "o", "markersize": 2, "markeredgecolor": POINTS},
            showfliers=not given.every,
        )
        for place, values in enumerate(panel.values if given.every else ()):
            beside = np.random.default_rng(0).uniform(-0.2, 0.2, len(values))
            axes.plot(values, place + beside, "o", markersize=2, color=POINTS, alpha=0.5)
        axes.set_yticks(at, _plain(panel.rows))
        axes.set_ylim(len(at) - 0.4, -0.6)
        axes.set_xlabel(_escape(panel.axis.label))
        if len(every) > 1:
            axes.set_title(_escape(panel.title))
    return figure


def _pictures(given: Pictures) -> Canvas:
    """Draw pictures, with colour bars for values."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    figure, every = _panels(len(given.panels))
    for axes, panel in zip(every, given.panels, strict=True):
        axes.imshow(panel.pixels, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_title(_escape(panel.title))
        if panel.palette is not None:
            colours = ListedColormap((panel.palette / 255.0).tolist())
            scale = ScalarMappable(Normalize(panel.low, panel.high), colours)
            figure.colorbar(scale, ax=axes, shrink=0.8, aspect=20, pad=0.02)
    return figure


def _dumbbells(given: Dumbbells) -> Canvas:
    """Draw two marks per row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 1.2 + 0.2 * len(given.rows)), layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(len(given.rows))
    first, second = given.ends.values()
    axes.hlines(at, first, second, color=LINK, linewidth=1)
    marks = ((CURVE, "s"), (POINTS, "o"))
    for (label, values), (color, marker) in zip(given.ends.items(), marks, strict=True):
        axes.plot(values, at, marker, color=color, markersize=5, label=_escape(label))
    axes.set_yticks(at, _plain(given.rows))
    axes.set_ylim(-0.7, len(given.rows) - 0.3)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel(_escape(given.label))
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return figure


def _ranks(given: Ranks) -> Canvas:
    """Draw a critical-difference diagram: average ranks on a line above the names."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 1.0 + 0.26 * given.height))
    axes = figure.add_axes((0.25, 0.02, 0.5, 0.7))
    low, high = given.ends
    for rank, label in zip(given.ranks, given.labels, strict=True):
        axes.plot([rank, rank, label.x], [0, label.y, label.y], color=LINK, linewidth=0.8)
        axes.annotate(
            *(_escape(label.text), (label.x, label.y)),
            xytext=(-4 if label.side == "left" else 4, 0),
            textcoords="offset points",
            ha="right" if label.side == "left" else "left",
            va="center",
        )
    for first, last, height in given.bars:
        axes.plot([first, last], [height, height], color=CURVE, linewidth=3)
    axes.set_xlim(low, high)
    axes.set_ylim(-given.height, 0)
    axes.set_xticks(range(low, high + 1))
    axes.xaxis.tick_top()
    axes.set_yticks([])
    for side in ("left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["top"].set_visible(True)
    return figure


def _short(value: float) -> str:
    """Write a correlation without its leading zero, as .83 and -.05, to save space."""
    text = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"
    return text.replace("-.00", ".00")


def _plain(names: Sequence[str]) -> list[str]:
    return [_escape(str(name)) for name in names]


def _escape(text: str) -> str:
    """Escape dollar signs, which start formulas in matplotlib, and control characters."""
    return printable(text).replace("$", r"\$")
