"""Figures of leaderboards: the critical-difference diagram of average ranks."""

from __future__ import annotations

import io

from iqbench.boards.critical import CriticalDifference
from iqbench.document.text import printable

__all__ = ["critical_difference_svg"]


def critical_difference_svg(found: CriticalDifference, datasets: int, caption: str) -> str:
    """Draw average ranks on a line, the best at the left; bars join what does not differ.

    Parameters
    ----------
    found
        What is drawn.
    datasets
        Over how many.
    caption
        What the ranks are of.

    Returns
    -------
    str
        An SVG file: the same for the same ranks.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from scikit_posthocs import critical_difference_diagram

    names = {name: printable(str(name)).replace("$", r"\$") for name in found.average.index}
    rows = (len(names) + 1) // 2
    # Text stays text, and identifiers do not change from one drawing to the next.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "iqbench"}):
        figure = Figure(figsize=(8, 1.4 + 0.32 * rows), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        critical_difference_diagram(
            found.average.rename(names),
            found.p_values.rename(index=names, columns=names),
            ax=axes,
            label_fmt_left="{label}  {rank:.2f}",
            label_fmt_right="{rank:.2f}  {label}",
            color_palette=["#333333"] * len(names),
        )
        friedman = f"Friedman p = {found.p_value:.2g}"
        axes.set_title(
            f"{printable(caption)}, average rank over {datasets} datasets\n"
            f"{friedman}; critical difference {found.difference:.2f} (Nemenyi, 5 %)",
            fontsize=10,
            loc="left",
        )
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
