"""Figures of the correlation report. matplotlib is imported when one is drawn, and not before.

Colours are told apart with every common colour blindness: orange to purple for signed values
(ColorBrewer's PuOr), and Okabe and Ito's palette for points and curves. Figures are drawn with
matplotlib's objects, without pyplot, so that nothing global is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.analysis.logistic import fit_logistic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_gaps", "draw_matrix", "draw_scatter", "svg"]

_POINTS, _CURVE, _GRAY = "#0072B2", "#D55E00", "#666666"
_COLUMNS = 3
_MOST_POINTS = 3000  # a figure with more takes seconds to open
_STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "iqbench",  # names inside the file: the same figure gives the same bytes
    "svg.fonttype": "none",  # text stays text: it can be searched, and is small
}


def svg(draw: Callable[[], Figure]) -> str:
    """Draw a figure and give it as SVG, the same text for the same figure."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with rc_context(_STYLE):
        figure = draw()
        FigureCanvasSVG(figure)
        stream = BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return stream.getvalue().decode("utf-8")


def draw_matrix(square: pd.DataFrame, title: str) -> Figure:
    """Draw a matrix of correlations as a heat map with its numbers.

    Parameters
    ----------
    square
        Symmetric; NaN cells are hatched. Only the part below the diagonal is drawn.
    title
        Above it.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows, columns = square.index[1:], square.columns[:-1]
    values = square.to_numpy()[1:, :-1]
    size = max(len(rows), 3)
    figure = Figure(figsize=(2.6 + 0.42 * size, 2.4 + 0.36 * size))
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
        axes.text(column, row, _short(value), ha="center", va="center", color=color, size=6.5)
    axes.set_xticks(range(len(columns)), _plain(columns), rotation=90)
    axes.set_yticks(range(len(rows)), _plain(rows))
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(_escape(title), loc="left", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.6, aspect=25, pad=0.02)
    return figure


def draw_scatter(table: pd.DataFrame, metrics: Sequence[str], title: str) -> Figure:
    """Draw opinion over every metric, with the logistic of 5 parameters.

    Parameters
    ----------
    table
        Rows of one dataset: mos and a column for each metric.
    metrics
        Columns; infinite and missing values are not drawn. Of more than 3,000 rows, 3,000 drawn
        at random are shown; the curve is that of all.
    title
        Above all.
    """
    from matplotlib.figure import Figure

    rows = -(-len(metrics) // _COLUMNS)
    columns = min(len(metrics), _COLUMNS)
    figure = Figure(figsize=(2.7 * columns + 0.3, 2.3 * rows + 0.4), layout="constrained")
    all_axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, metric in zip(all_axes.flat, metrics, strict=False):
        known = np.isfinite(table[[metric, "mos"]].to_numpy(np.float64)).all(axis=1)
        x, y = (table.loc[known, name].to_numpy(np.float64) for name in (metric, "mos"))
        shown: slice | NDArray[np.int64] = slice(None)
        if len(x) > _MOST_POINTS:
            shown = np.random.default_rng(0).choice(len(x), _MOST_POINTS, replace=False)
        axes.plot(
            *(x[shown], y[shown], "o"),
            **{"color": _POINTS, "markersize": 2.2, "alpha": 0.35, "markeredgewidth": 0},
            rasterized=True,
        )
        fit = fit_logistic(x, y, 5)
        if fit is not None:
            order = np.argsort(x, kind="stable")
            thin = order[np.linspace(0, len(order) - 1, min(len(order), 300)).astype(int)]
            axes.plot(x[thin], fit.fitted[thin], color=_CURVE, linewidth=1.5)
            fitted = np.corrcoef(fit.fitted, y)[0, 1]
            axes.set_title(f"PLCC {np.corrcoef(x, y)[0, 1]:.3f}, fitted {fitted:.3f}", fontsize=8)
        axes.set_xlabel(_escape(metric))
    for axes in all_axes[:, 0]:
        axes.set_ylabel("opinion")
    for axes in list(all_axes.flat)[len(metrics) :]:
        axes.set_visible(False)
    figure.suptitle(_escape(title), x=0.01, ha="left", fontsize=9)
    return figure


def draw_gaps(rows: pd.DataFrame, title: str) -> Figure:
    """Draw where methods or distortions stand by total variation and by perceptual distance.

    Parameters
    ----------
    rows
        Of `iqbench.analysis.parting.parting`, of one variation and one perceptual column.
    title
        Above it.
    """
    from matplotlib.figure import Figure

    rows = rows.sort_values("value", kind="stable").reset_index(drop=True)
    several = rows["dataset"].nunique() > 1
    figure = Figure(figsize=(6.0, 1.2 + 0.2 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(len(rows))
    ends = {name: rows[f"{name}_place"].to_numpy() for name in ("variation", "perceptual")}
    axes.hlines(at, ends["variation"], ends["perceptual"], color=_GRAY, linewidth=1)
    marks: dict[str, tuple[str, str, str]] = {
        "variation": (_CURVE, "s", f"total variation ({rows['variation'].iloc[0]})"),
        "perceptual": (_POINTS, "o", "perceptual distance"),
    }
    for name, (color, marker, label) in marks.items():
        axes.plot(ends[name], at, marker, color=color, markersize=5, label=_escape(label))
    names = [
        f"{row['group']} ({row['dataset']})" if several else str(row["group"])
        for _, row in rows.iterrows()
    ]
    axes.set_yticks(at, _plain(names))
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("place on average: 0 nearest to the reference, 1 farthest")
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    figure.suptitle(_escape(title), x=0.01, ha="left", fontsize=9)
    return figure


def _short(value: float) -> str:
    """.83 and -.05: the zero would only take room."""
    text = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"
    return text.replace("-.00", ".00")


def _plain(names: Any) -> list[str]:
    return [_escape(str(name)) for name in names]


def _escape(text: str) -> str:
    """Keep dollars in a name from being read as mathematics, and control characters out."""
    from iqbench.document.text import printable

    return printable(text).replace("$", r"\$")
