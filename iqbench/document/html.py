"""A document as one page of HTML that needs nothing else; its tables can be sorted."""

from __future__ import annotations

from collections.abc import Sequence

from iqbench import __version__
from iqbench.document.model import Section
from iqbench.document.page import render_page

__all__ = ["document_page"]

_SCRIPTS = ("core.js", "tables.js")


def document_page(sections: Sequence[Section], notes: Sequence[str], *, title: str = "") -> str:
    """Write a page.

    Parameters
    ----------
    sections
        A table each. What its columns are shows when the pointer rests on a heading.
    notes
        Lines at the end.
    title
        Of the page.
    """
    return render_page(
        "document.html",
        _SCRIPTS,
        title=title or "iqbench leaderboard",
        sections=sections,
        notes=notes,
        scenes=[],
        webgl=False,
        version=__version__,
    )
