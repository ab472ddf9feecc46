"""The correlation report as a folder: Parquet, Markdown and figures."""

from __future__ import annotations

from pathlib import Path

from iqbench.correlation.correlations import Correlations
from iqbench.correlation.document import correlation_document
from iqbench.document.drawing import FigureStyle, draw
from iqbench.document.files import export_frame, write_bytes, write_text
from iqbench.document.render import render
from iqbench.errors import IqbenchError

__all__ = ["write_correlations"]


def write_correlations(
    found: Correlations,
    folder: Path,
    *,
    figures: str = "svg",
    style: FigureStyle | None = None,
) -> list[Path]:
    """Write a folder: ``correlation.parquet``, ``report.md`` and ``figures/``.

    Parameters
    ----------
    found
        The correlations.
    folder
        The folder; it is created if it does not exist.
    figures
        The format of figures: one of `iqbench.document.drawing.FIGURE_FORMATS`.
    style
        Size and font of the figures.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    IqbenchError
        If a file cannot be written.
    """
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
    document = correlation_document(found)
    written = [folder / "correlation.parquet"]
    export_frame(found.rows(), written[0])
    links: dict[str, str] = {}
    for section in document.sections:
        if section.figure is not None:
            links[section.figure.name] = f"figures/{section.figure.name}.{figures}"
            written.append(folder / links[section.figure.name])
            write_bytes(written[-1], draw(section.figure, figures, style))
    written.append(folder / "report.md")
    write_text(written[-1], render(document, "markdown", figures=links))
    return written
