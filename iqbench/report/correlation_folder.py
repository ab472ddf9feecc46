"""The correlation report as a folder of Parquet, Markdown and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from iqbench.analysis.correlation import POOLED
from iqbench.analysis.parting import ALL_PERCEPTUAL, variation_names
from iqbench.document.records import markdown_table, render_records
from iqbench.document.text import escape_markdown
from iqbench.errors import IqbenchError
from iqbench.report.correlation import Correlations
from iqbench.report.correlation_tables import MATRICES, TEXTS, Matrix, square, square_text, tables
from iqbench.report.correlation_words import sentences
from iqbench.report.files import export_frame, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["facts", "markdown_report", "write_correlations"]

_MORE_MATRICES: tuple[Matrix, ...] = (
    ("within dataset", "pearson", "Pearson within datasets"),
    ("within method", "spearman", "Spearman within methods"),
)
_GAPS = "Total variation against perceptual distance"


def write_correlations(found: Correlations, folder: Path) -> list[Path]:
    """Write a folder: ``correlation.parquet``, ``report.md`` and ``figures/*.svg``.

    Parameters
    ----------
    found
        What is written.
    folder
        Is made where it is not there.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    IqbenchError
        Where it cannot be written.
    """
    from iqbench.report.figures import svg

    if folder.exists() and not folder.is_dir():
        raise IqbenchError(
            f"{folder} is not a folder",
            hint="Name a folder, or give --format markdown, csv or json to write one file",
        )
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IqbenchError(
            f"cannot make {folder / 'figures'}: {error.strerror}", hint="Choose another -o"
        ) from error
    written = [folder / "correlation.parquet"]
    export_frame(found.rows(), written[0])
    figures: dict[str, str] = {}
    for name, title, make in _figures(found):
        path = folder / "figures" / f"{name}.svg"
        write_text(path, svg(make))
        figures[title] = f"figures/{name}.svg"
        written.append(path)
    written.append(folder / "report.md")
    write_text(written[-1], markdown_report(found, figures))
    return written


def facts(found: Correlations) -> str:
    """Say in a line what was correlated."""
    index = found.table.values.index
    if found.table.values.empty:
        return f"{found.opinion['n'].max():.0f} choices"
    datasets, methods = (sorted(set(index.get_level_values(k))) for k in ("dataset", "method"))
    images = len(index.to_frame(index=False)[["dataset", "image"]].drop_duplicates())
    facts = [
        ", ".join(datasets),
        f"{len(methods)} methods" if len(methods) > 1 else "",
        *(
            f"{count} {what}{'s' * (count != 1)}"
            for count, what in (
                (images, "image"),
                (len(index), "row"),
                (len(found.table.names), "metric"),
            )
        ),
    ]
    if found.bootstrap.resamples:
        facts.append(
            f"{found.bootstrap.confidence:.0%} intervals of {found.bootstrap.resamples} resamples"
        )
    return "; ".join(fact for fact in facts if fact)


def markdown_report(found: Correlations, figures: Mapping[str, str]) -> str:
    """Write the report in Markdown.

    Parameters
    ----------
    found
        All of it.
    figures
        Paths of figures by the heading they stand under.
    """
    lines = ["# Correlation of metrics", "", escape_markdown(facts(found)), ""]
    lines += [f"- {escape_markdown(sentence)}" for sentence in sentences(found)]
    shown = (*MATRICES, *_MORE_MATRICES)
    sections = {title: _markdown_rows(frame) for title, frame in tables(found, shown)}
    for place, rows in found.between[found.between["scope"] == POOLED].groupby("dataset"):
        values = square(replace(found, between=rows), POOLED, "spearman")
        sections[f"Spearman, pooled over {place}"] = _markdown_rows(square_text(values))
    if len(found.parting):
        gaps = found.parting[found.parting["perceptual"] == ALL_PERCEPTUAL]
        frame = gaps.drop(columns=["perceptual", "perceptual_mean"])
        text = render_records(frame, "markdown", decimals=dict.fromkeys(frame.columns, 3))
        sections[_GAPS] = text.splitlines()
    if len(found.differences):
        text = render_records(found.differences, "markdown")
        sections["Differences between metrics in their agreement with people"] = text.splitlines()
    for title in dict.fromkeys([*sections, *figures]):
        lines += ["", f"## {escape_markdown(title)}", ""]
        if title in figures:
            lines += [f"![{escape_markdown(title)}]({figures[title]})", ""]
        lines += sections.get(title, [])
    lines += ["", "Every number is defined in `docs/correlation.md` of iqbench.", ""]
    return "\n".join(lines)


def _markdown_rows(frame: pd.DataFrame) -> list[str]:
    rows = [[escape_markdown(text) for text in row] for row in frame.to_numpy()]
    names = [str(name) for name in frame.columns]
    return markdown_table(names, [name not in TEXTS for name in names], rows)


def _figures(found: Correlations) -> list[tuple[str, str, Callable[[], Figure]]]:
    """Name the figures, say under which heading each stands, and how it is drawn."""
    from iqbench.report.figures import draw_gaps, draw_matrix, draw_scatter

    made: list[tuple[str, str, Callable[[], Figure]]] = []
    for scope, coefficient, title in MATRICES:
        values = square(found, scope, coefficient)
        if len(values):
            name = f"{coefficient}-{scope.replace(' ', '-')}"
            made.append((name, title, partial(draw_matrix, values, title)))
    gaps = found.parting[found.parting["perceptual"] == ALL_PERCEPTUAL]
    for variation in variation_names(found.table.names)[:1]:
        rows = gaps[gaps["variation"] == variation]
        if len(rows):
            made.append(("gaps", _GAPS, partial(draw_gaps, rows, _GAPS)))
    if "mos" in found.opinions:
        for number, (dataset, part) in enumerate(found.opinions.groupby("dataset", sort=True)):
            metrics = [name for name in found.table.names if part[name].notna().any()]
            title = f"Agreement with people on {dataset}"
            made.append((f"scatter-{number}", title, partial(draw_scatter, part, metrics, title)))
    return made
