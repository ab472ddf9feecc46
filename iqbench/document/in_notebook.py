"""Show results in Jupyter as the documents that commands print, in HTML."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any, ClassVar

from iqbench.document.model import Document, Section
from iqbench.document.page import render_template
from iqbench.document.render import explained

__all__ = ["ShownInNotebooks", "notebook_html"]

_MOST_ROWS = 200
"""The largest number of rows that are shown, because they enlarge the notebook's file."""


class ShownInNotebooks:
    """A result that a notebook shows as the tables of its document.

    A subclass names the function that makes the document by ``arranged_by``, as
    ``module:function``. It is imported on first use, because it imports the class.
    """

    _arranged_by: ClassVar[str] = ""

    def __init_subclass__(cls, *, arranged_by: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if arranged_by:
            cls._arranged_by = arranged_by

    def _repr_html_(self) -> str:
        """Return the HTML for Jupyter."""
        module, _, function = self._arranged_by.partition(":")
        return notebook_html(getattr(import_module(module), function)(self))


def notebook_html(document: Document) -> str:
    """Render a document as HTML without scripts, for the output of a cell.

    Parameters
    ----------
    document
        Its figures are left out. Long tables show their first rows, and the number of all rows.
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
