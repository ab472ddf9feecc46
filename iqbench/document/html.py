"""A document as a self-contained HTML page with sortable tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iqbench import __version__
from iqbench.document.model import Document, Section
from iqbench.document.page import packed_plotly, render_page
from iqbench.document.plotly_traces import for_plotly

__all__ = ["document_page", "figures_of"]

_SCRIPTS = ("core.js", "tables.js")
_PLOTTING = ("plotly.js", "labels.js", "figures.js", "points.js")


def figures_of(sections: Iterable[Section]) -> list[dict[str, Any]]:
    """Describe the figures of sections for the plotting script."""
    return [
        {"name": section.figure.name, **for_plotly(section.figure)}
        for section in sections
        if section.figure is not None
    ]


def document_page(document: Document) -> str:
    """Write a page. Headings have tooltips that describe their columns."""
    figures = figures_of(document.sections)
    return render_page(
        "document.html",
        (*_SCRIPTS, *(_PLOTTING if figures else ())),
        document=document,
        title=document.title or document.page,
        figures=figures,
        plotly=packed_plotly() if figures else "",
        scenes=[],
        webgl=False,
        version=__version__,
    )
