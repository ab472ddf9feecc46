"""Render a document in every format: terminal, Markdown, CSV, JSON, LaTeX, HTML, Word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from iqbench.document.latex import latex_tables
from iqbench.document.model import Document, Section
from iqbench.document.records import FORMATS, render_records
from iqbench.document.terminal import Window, write_line
from iqbench.document.text import escape_markdown, markdown_line, printable
from iqbench.document.word import word_page
from iqbench.document.words import markdown_section, shown_extras, terminal_section, write_folded
from iqbench.errors import unknown_name

__all__ = ["DOCUMENT_FORMATS", "explained", "render"]

DOCUMENT_FORMATS = (*FORMATS, "latex", "html", "word")


def render(
    document: Document,
    format: str,
    *,
    intervals: bool | None = None,
    window: Window | None = None,
    figures: Mapping[str, str] | None = None,
) -> str:
    """Render a document.

    Parameters
    ----------
    document
        The document. Names are escaped as the format needs.
    format
        One of `DOCUMENT_FORMATS`. CSV and JSON have unrounded numbers.
    intervals
        Whether tables show intervals; by default a terminal does if they fit, HTML does, and
        Markdown, LaTeX and Word do not.
    window
        The window of a terminal; by default without limit and colours.
    figures
        In Markdown, the files of figures by their names; by default none.

    Returns
    -------
    str
        Ends with a newline.

    Raises
    ------
    IqbenchError
        If the format is unknown.
    """
    if format in ("csv", "spreadsheet", "json"):
        return render_records(document.frame(), format)
    sections = document.sections
    if format == "latex":
        above = [document.title, document.facts, *document.points]
        title = document.title or document.page
        return latex_tables(
            sections, spread=bool(intervals), above=above, below=document.notes, title=title
        )
    if format == "word":
        chosen = {"tie", "front", *({"spread", "range"} if intervals else ())}
        notes = [*explained(sections, chosen), *document.notes]
        return word_page(replace(document, notes=notes), intervals=bool(intervals))
    if format == "html":
        from iqbench.document.html import document_page  # slow to import

        spread = intervals is not False
        every = {"tie", "front", *(("range", "spread") if spread else ())}
        notes = [*explained(sections, every), *document.notes]
        shown = sections if spread else [one.without_intervals() for one in sections]
        return document_page(replace(document, sections=shown, notes=notes))
    if format not in ("table", "markdown"):
        raise unknown_name("format", format, DOCUMENT_FORMATS)
    if format == "table":
        document = replace(document, sections=[one for one in sections if not one.more])
    return _in_words(document, format, intervals, window or Window(), figures or {})


def _in_words(
    document: Document,
    format: str,
    intervals: bool | None,
    window: Window,
    figures: Mapping[str, str],
) -> str:
    """Render for a terminal or in Markdown."""
    sections = document.sections
    choices = [shown_extras(section, format, intervals, window) for section in sections]
    extras = set.intersection(*choices) if choices else set()  # the same for all tables
    parts = []
    if format == "markdown":
        title = escape_markdown(document.title)
        parts += [f"{'#' * document.level} {title}\n"] if title else []
        parts += [f"{markdown_line(document.facts)}\n"] if document.facts else []
        parts += ["".join(f"- {markdown_line(text)}\n" for text in document.points)]
        parts += [markdown_section(section, extras, figures) for section in sections]
    else:
        head = Text(printable(document.title), "bold")
        parts += [write_line(head, window) + "\n"] if document.title else []
        parts += [write_folded([document.facts], window)] if document.facts else []
        parts += [write_folded([f"- {text}" for text in document.points], window)]
        parts += [terminal_section(section, extras, window) for section in sections]
    starred = format == "table" and not window.color
    below = [*explained(sections, extras, starred=starred), *document.notes]
    if below and format == "markdown":
        parts.append("".join(f"{markdown_line(note)}  \n" for note in below))
    elif below:
        lines = (write_line(Text(printable(note), "dim"), window) for note in below)
        parts.append("".join(f"{line}\n" for line in lines))
    return "\n".join(part for part in parts if part)


def explained(sections: Sequence[Section], extras: set[str], *, starred: bool = False) -> list[str]:
    """Explain the marks that are shown, and which methods are not ranked."""
    found: list[str] = []
    if starred:
        found += dict.fromkeys(f"* {one.bold}" for one in sections if one.has_place(1))
        found += dict.fromkeys(
            f"+ {one.second}" for one in sections if one.second and one.has_place(2)
        )
    if "tie" in extras and any(one.has("tie") for one in sections):
        found.append("tie: not significantly worse than the best method with that letter")
    fronts = dict.fromkeys(one.front for one in sections if one.has("front"))
    if "front" in extras and fronts:
        found.append(
            f"front: no method is better in both {' or '.join(fronts).replace(', ', ' and ')}"
        )
    if "spread" in extras and any(column.spread for one in sections for column in one.columns):
        found.append("±: half of the mean's 95 % bootstrap interval over images")
    if "range" in extras and any(one.has("range") for one in sections):
        found.append("ranks: those in 95 % of the resamples of the images")
    found += dict.fromkeys(
        f"Not ranked: {one.unranked}" for one in sections if not all(one.complete)
    )
    return found
