"""A document as one page of HTML that needs nothing else; its tables can be sorted."""

from __future__ import annotations

from iqbench import __version__
from iqbench.document.figure import for_plotly
from iqbench.document.model import Document
from iqbench.document.page import embedded_json, packed_plotly, render_page

__all__ = ["document_page"]

_SCRIPTS = ("core.js", "tables.js")
_PLOTTING = ("plotly.js", "figures.js")


def document_page(document: Document) -> str:
    """Write a page; a heading says what its column is when the pointer rests on it."""
    figures = [
        {"name": section.figure.name, **for_plotly(section.figure)}
        for section in document.sections
        if section.figure is not None
    ]
    return render_page(
        "document.html",
        (*_SCRIPTS, *(_PLOTTING if figures else ())),
        document=document,
        title=document.title or document.page,
        figures=embedded_json(figures),
        plotly=packed_plotly() if figures else "",
        scenes=[],
        webgl=False,
        version=__version__,
    )
