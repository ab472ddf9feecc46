r"""Sections of a leaderboard as LaTeX tables: booktabs, best in bold, second best underlined."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from iqbench.document.model import Entry, Section, TableColumn
from iqbench.document.text import escape_latex

__all__ = ["latex_tables"]

_PLACES = {1: "\\textbf", 2: "\\underline"}
_PAGE = 45  # lines of a table that fit on a page with a caption
_WAITING = 16  # tables that LaTeX keeps until there is a page for them; older releases keep 18


def latex_tables(
    sections: Sequence[Section],
    *,
    spread: bool = False,
    above: Sequence[str] = (),
    below: Sequence[str] = (),
    title: str = "",
) -> str:
    r"""Write tables that can be included in a paper with ``\usepackage{booktabs}``.

    Parameters
    ----------
    sections
        Leaderboards with equal columns are joined in one table, as many as fit on a page. A table
        that is longer than a page is split.
    spread
        Whether to show the intervals of means.
    above, below
        Lines of comments above and below the tables; text without a table becomes comments too.
    title
        The title of tables without one.

    Returns
    -------
    str
        Table environments, each with caption, label, and remarks below the table.
    """
    words = [text for one in sections if not one.columns for text in one.remarks]
    groups: list[list[Section]] = []
    for section in _paged(_titled(sections, title)):
        alike = groups and section.has("rank") and _headings(groups[-1][0]) == _headings(section)
        if alike and sum(map(_lines, (*groups[-1], section))) <= _PAGE:
            groups[-1].append(section)
        else:
            groups.append([section])
    labels = _labels(groups)
    tables = [
        "\n".join(_table(group, label, spread)) + "\n"
        for group, label in zip(groups, labels, strict=True)
    ]
    for at in range(_WAITING - 1, len(tables) - 1, _WAITING):
        tables[at] += "\\clearpage\n"
    first, last = (
        [f"% {escape_latex(text, most=2000)}" for text in texts if text]
        for texts in (above, [*words, *below])
    )
    end = ["\n".join(last) + "\n"] if last else []
    return "\n".join([*first, "% needs \\usepackage{booktabs}", *tables, *end])


def _titled(sections: Sequence[Section], title: str) -> Iterator[Section]:
    """Give each table its title; text without a table is left out."""
    for section in sections:
        title = section.title or title
        if section.columns:
            yield replace(section, title=title)


def _paged(sections: Iterable[Section]) -> Iterator[Section]:
    """Split the rows of tables that are longer than a page; remarks are below the last part."""
    for section in sections:
        starts = range(0, max(section.rows, 1), _PAGE)
        for number, start in enumerate(starts, 1):
            rows = slice(start, start + _PAGE)
            more = " (continued)" if number > 1 else ""
            yield replace(
                section,
                title=section.title + more,
                caption=section.caption and section.caption + more,
                label=section.label and section.label + (f"-{number}" if more else ""),
                columns=[replace(one, entries=one.entries[rows]) for one in section.columns],
                complete=section.complete[rows],
                remarks=section.remarks if start == starts[-1] else [],
            )


def _table(group: Sequence[Section], label: str, spread: bool) -> Iterator[str]:
    first, columns = group[0], _shown(group[0])
    one = len(group) == 1
    environment = "table*" if first.wide else "table"
    yield f"\\begin{{{environment}}}[t]"
    yield "  \\centering"
    yield f"  \\caption{{{_caption(group, spread)}}}"
    yield f"  \\label{{{first.label or f'tab:{label}'}}}"
    yield from [f"  \\{first.size}"] if first.size else []
    yield f"  \\begin{{tabular}}{{{''.join('r' if column.numeric else 'l' for column in columns)}}}"
    yield "    \\toprule"
    for spans in replace(first, columns=columns).group_rows:
        yield from _groups(spans)
    yield f"    {_row(escape_latex(column.heading) for column in columns)}"
    for section in group:
        yield "    \\midrule"
        if not one:
            yield f"    \\multicolumn{{{len(columns)}}}{{l}}{{\\textit{{{_title(section)}}}}} \\\\"
        for number, rows in enumerate(section.parts):
            yield from ["    \\addlinespace"] if number else []
            for row in rows:
                cells = (
                    _cell(column.entries[row], spread, column.numeric) for column in _shown(section)
                )
                yield f"    {_row(cells)}"
    yield "    \\bottomrule"
    yield "  \\end{tabular}"
    for section in group:
        of = f"\\textit{{{escape_latex(section.title)}}}: " if len(group) > 1 else ""
        for remark in section.remarks:
            text = of + escape_latex(remark, most=2000)
            yield f"  \\par\\smallskip{{\\footnotesize {text}\\par}}"
    yield f"\\end{{{environment}}}"


def _caption(group: Sequence[Section], spread: bool) -> str:
    """Write the caption of a table, or else title, facts and an explanation of marks."""
    first = group[0]
    if first.caption:
        return escape_latex(first.caption, most=4000)
    parts = [_title(first)] if len(group) == 1 else ["Means by dataset"]
    if any(section.has_place(1) for section in group):
        parts.append(f"\\textbf{{Bold}}: {escape_latex(first.bold)}")
    if any(section.has_place(2) for section in group):
        parts.append("\\underline{Underlined}: second best")
    parts += ["$\\pm$: half of the 95\\,\\% bootstrap interval"] if spread else []
    return ". ".join(parts) + "."


def _groups(spans: Sequence[tuple[str, int]]) -> Iterator[str]:
    """Write a row of headings that span columns, with rules below them."""
    cells = [
        f"\\multicolumn{{{count}}}{{c}}{{{escape_latex(text)}}}" if text else " & " * (count - 1)
        for text, count in spans
    ]
    yield f"    {_row(iter(cells))}"
    rules, at = [], 1
    for text, count in spans:
        rules += [f"\\cmidrule(lr){{{at}-{at + count - 1}}}"] if text else []
        at += count
    yield f"    {' '.join(rules)}"


def _lines(section: Section) -> int:
    return 1 + sum(len(rows) for rows in section.parts) + len(section.remarks)


def _shown(section: Section) -> list[TableColumn]:
    """Leave out rank and extra columns, which the order of rows and the caption replace."""
    return [
        column
        for column in section.columns
        if column.key in ("method", "value", "text", "verdict", "note")
    ]


def _headings(section: Section) -> list[str]:
    return [column.heading for column in _shown(section)]


def _title(section: Section) -> str:
    facts = ", ".join(section.facts)
    return escape_latex(section.title) + (f" ({escape_latex(facts)})" if facts else "")


def _row(cells: Iterator[str]) -> str:
    return " & ".join(cells) + " \\\\"


def _cell(entry: Entry, spread: bool, numeric: bool) -> str:
    text = escape_latex(entry.text)
    text += f"~\\cite{{{entry.cite}}}" if entry.cite else ""
    if numeric:
        text = _minuses(_infinities(text))
        if entry.place == 1 and "$" in text:
            text = f"\\boldmath{text}"  # \textbf does not change formulas
    if entry.place in _PLACES:
        text = f"{_PLACES[entry.place]}{{{text}}}"
    reach = f" $\\pm$ {entry.spread.removeprefix('±')}" if spread and entry.spread else ""
    note = escape_latex(entry.note)
    note = _minuses(_infinities(note)) if numeric else note
    return text + (f" ({note})" if note else "") + reach


def _minuses(text: str) -> str:
    """Write the signs of numbers as formulas."""
    return re.sub(r"(?<![\w$.)\]-])-(?=[0-9])", "$-$", text)


def _infinities(text: str) -> str:
    """Write infinities as formulas."""
    return re.sub(r"(-?)\binf\b", r"$\1\\infty$", text)


def _labels(groups: Sequence[Sequence[Section]]) -> list[str]:
    """Make labels from the titles of the tables; equal ones are numbered."""
    labels: dict[str, None] = {}
    for group in groups:
        titles = "-".join(section.title for section in group).casefold()
        label = re.sub(r"[^a-z0-9]+", "-", titles).strip("-") or "scores"
        names = itertools.chain([label], (f"{label}-{n}" for n in itertools.count(2)))
        labels[next(name for name in names if name not in labels)] = None
    return list(labels)
