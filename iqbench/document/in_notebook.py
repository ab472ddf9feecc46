"""What Jupyter shows of a result: the document that commands print, as a piece of HTML."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any, ClassVar

from iqbench.document.model import Document, Section
from iqbench.document.page import render_template
from iqbench.document.render import explained

__all__ = ["ShownInNotebooks", "notebook_html"]

_MOST_ROWS = 200
"""Most rows of a table that are shown: a notebook's file grows with them."""


class ShownInNotebooks:
    """A result that a notebook shows as the tables of its document.

    Subclasses say by ``arranged_by`` which function makes the document of one, as
    ``module:function``: it is imported when one is shown, because it imports the class itself.
    """

    _arranged_by: ClassVar[str] = ""

    def __init_subclass__(cls, *, arranged_by: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if arranged_by:
            cls._arranged_by = arranged_by

    def _repr_html_(self) -> str:
        """Return what Jupyter shows."""
        module, _, function = self._arranged_by.partition(":")
        return notebook_html(getattr(import_module(module), function)(self))


def notebook_html(document: Document) -> str:
    """Render a document as a piece of HTML without scripts, for the output of a cell.

    Parameters
    ----------
    document
        Its figures are left out. Of long tables the first rows are shown, and how many there are.
    """
    sections = [_shortened(one) for one in document.sections]
    extras = {"tie", "front", "range", "spread"}
    notes = [*explained(document.sections, extras), *document.notes]
    return render_template(
        "notebook.html", document=replace(document, sections=sections, notes=notes)
    )


def _shortened(section: Section) -> Section:
    if section.rows <= _MOST_ROWS:
        return section
    columns = [replace(one, entries=one.entries[:_MOST_ROWS]) for one in section.columns]
    told = f"The first {_MOST_ROWS} of {section.rows:,} rows are shown"
    return replace(
        section,
        columns=columns,
        complete=section.complete[:_MOST_ROWS],
        remarks=[told, *section.remarks],
    )
