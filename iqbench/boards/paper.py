"""The table of a paper: one row per method, columns grouped by dataset and scale.

Each column ranks the shown rows, whether their values were scored by iqbench, imported from
another tool, or published. A value that does not cover all images, or has another protocol than
the column, is shown with the reason and not ranked.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from iqbench.boards.board import Board
from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.means import Infinite, finite_means
from iqbench.boards.order import (
    averaged,
    averaged_info,
    infinite_first,
    order_methods,
    ranks_with_means,
)
from iqbench.boards.published import PUBLISHED
from iqbench.boards.table_layout import TableLayout
from iqbench.document.model import Document, Entry, Section, TableColumn, direction_arrow
from iqbench.document.text import number
from iqbench.errors import IqbenchError, IqbenchWarning, unknown_name
from iqbench.results.names import natural
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys, Selector, most_telling
from iqbench.results.signature import FILE, headings, parse_signature, without_file
from iqbench.stats.arrays import Floats
from iqbench.stats.gains import shortfall

__all__ = ["paper_document"]

_SCALED = re.compile(r"(?P<base>.*[^-_ ])[-_ ]?[xX\u00d7](?P<scale>[0-9]+)")
_OTHER = "†"
"""Marks a value whose protocol differs from that of its column, or is not known."""


@dataclass(frozen=True)
class _Value:
    """The value of a method in a column.

    Attributes
    ----------
    value
        The mean.
    note
        Why it is not compared with the others, and what the mean leaves out.
    half
        Half the width of its interval; NaN without an interval.
    behind
        Distance of the deciding mean from the best possible value; smaller is better.
    bad
        Number of bad infinite values minus that of the good ones.
    rank
        Rank among the compared values; NaN if it is not compared.
    """

    value: float
    note: str = ""
    half: float = math.nan
    behind: float = math.nan
    bad: float = 0.0
    rank: float = math.nan


@dataclass(frozen=True, eq=False)
class _Column:
    """One metric on one dataset.

    Attributes
    ----------
    dataset, scale
        The dataset and the scale; the scale is empty if there is none.
    keys
        Metric and signature, without the name of the file that values were imported from.
    info
        The description of the metric.
    values
        The value of each method.
    """

    dataset: str
    scale: str
    keys: Keys
    info: ColumnInfo
    values: Mapping[str, _Value]


def paper_document(
    board: Board, layout: TableLayout | None = None, *, intervals: bool = False
) -> Document:
    """Arrange a board as the table of a paper.

    Parameters
    ----------
    board
        The board; its order of columns is that of each group.
    layout
        Names, order, caption and the like.
    intervals
        Whether to show the intervals of values, if the board has them.

    Returns
    -------
    Document
        One table. CSV and JSON contain one row per method, with unrounded numbers.

    Raises
    ------
    IqbenchError
        If the layout names something that does not exist, or two columns or two rows would have
        the same name.
    """
    layout = layout or TableLayout()
    boards = _chosen_datasets(board, layout)
    found = [
        column
        for one in boards
        for column in _columns_of(one, board, layout.any_protocol, intervals)
    ]
    methods = _rows_of(found, layout)
    found = [column for column in found if any(name in column.values for name in methods)]
    if not found:
        raise IqbenchError(
            "there is no value to show in a table",
            hint="See iqbench leaderboard, and iqbench evaluate for what is not scored yet",
        )
    headed = _headed(found, layout)
    names = [layout.names.get(name, name) for name in methods]
    _refuse_doubles(names, "rows")
    _refuse_doubles([one.plain for one in headed], "columns")
    entries = [
        Entry(name, cite=layout.cite.get(method, ""))
        for method, name in zip(methods, names, strict=True)
    ]
    datasets = dict.fromkeys(" ".join(one.groups).strip() for one in headed)
    title = f"Mean scores on {', '.join(name for name in datasets if name)}"
    section = Section(
        "" if layout.caption else title,
        columns=[
            TableColumn("method", "Method", entries),
            *(_table_column(one, methods) for one in headed),
        ],
        remarks=_remarks(headed, methods, board, layout),
        bold="best of the column",
        second="second best",
        caption=layout.caption,
        label=layout.label,
        wide=layout.wide,
        size=layout.size,
    )
    return Document([section], records=_records(headed, methods, names))


def _chosen_datasets(board: Board, layout: TableLayout) -> list[DatasetBoard]:
    """Return the datasets of the table in their order."""
    known = {one.dataset: one for one in board.datasets}
    for name in layout.datasets:
        if name not in known:
            raise unknown_name("dataset of the table", name, known)
    return [known[name] for name in layout.datasets or sorted(known, key=natural)]


def _rows_of(found: Sequence[_Column], layout: TableLayout) -> list[str]:
    """Return the methods of the table in their order."""
    known = list(dict.fromkeys(name for column in found for name in column.values))
    for name in (*layout.methods, *layout.order):
        if name not in known:
            raise unknown_name("method of the table", name, known)
    if layout.methods:
        return list(dict.fromkeys(layout.methods))

    def place(name: str) -> tuple[float, str]:
        ranks = [column.values[name].rank if name in column.values else np.nan for column in found]
        return float(np.mean([len(known) if np.isnan(rank) else rank for rank in ranks])), (
            natural(name)
        )

    others = sorted((name for name in known if name not in layout.order), key=place)
    return [*dict.fromkeys(layout.order), *others]


def _refuse_doubles(names: Sequence[str], what: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise IqbenchError(
            f"two {what} of the table would be called {twice!r}", hint="Give them other names"
        )


def _scale_of(signature: str) -> str:
    """Return the scale in the protocol of a signature; empty if it has none."""
    found = re.search(r"[:,]scale=([0-9]+)", parse_signature(signature).get("protocol", ""))
    return found[1] if found else ""


def _columns_of(
    one: DatasetBoard, board: Board, any_protocol: bool, intervals: bool
) -> Iterator[_Column]:
    """Return the columns of one dataset, by scale and then in the order of the board."""
    frame = board.table.frame
    rows = frame[frame["dataset"] == one.dataset]
    published = rows[rows[PUBLISHED].ne("")] if PUBLISHED in rows else rows[:0]
    joined = _joined(one, any_protocol)
    scales = {head: _scale_of(one.signatures[head][1]) for head in joined}
    if len(known := {scale for scale in scales.values() if scale}) == 1:
        scales = dict.fromkeys(joined, *known)  # columns without a scale, such as costs, join it
    for head in sorted(joined, key=lambda head: int(scales[head] or 0)):
        metric, signature = one.signatures[head]
        values, by_infinite = _scored(one, head, joined[head], intervals)
        for name in filter(published.columns.__contains__, joined[head]):
            rows = published[published[name].notna()]
            values = _with_published(
                values, rows, name, one.info(head), any_protocol, by_infinite=by_infinite
            )
        if values:
            keys = metric, without_file(signature)
            yield _Column(one.dataset, scales[head], keys, one.info(head), values)


def _joined(one: DatasetBoard, any_protocol: bool) -> dict[str, dict[str, bool]]:
    """Join the columns of one metric that differ in the source of their values.

    Returns
    -------
    dict
        By the heading of a column, the headings that are joined in it, each with whether its
        values are compared with the others: they are if their protocol is the same.
    """
    imported = {head: keys for head, keys in one.signatures.items() if "source=imported" in keys[1]}
    found = {head: {head: True} for head in one.signatures if head not in imported}
    for head, (metric, signature) in imported.items():
        protocol = parse_signature(signature).get("protocol", "")
        own = [name for name in found if one.signatures[name][0] == metric]
        selector = Selector(metric, f"protocol={protocol}")
        same = [name for name in own if protocol and selector.fits(*one.signatures[name])]
        # A column without a protocol joins the metric's column if there is only one.
        loose = own if len(own) == 1 and (any_protocol or not protocol) else []
        home = next(iter(same or loose), None)
        if home is not None and not _overlapping(one, [*found[home], head]):
            found[home][head] = bool(same) or any_protocol
        else:
            found[head] = {head: True}
    return found


def _overlapping(one: DatasetBoard, heads: Sequence[str]) -> bool:
    """Return whether a method has values under several headings."""
    there = np.array([~np.isnan(one.means[head].mean.values) for head in heads])
    return bool((there.sum(axis=0) > 1).any())


def _scored(
    one: DatasetBoard, head: str, heads: Mapping[str, bool], intervals: bool
) -> tuple[dict[str, _Value], bool]:
    """Return the means of the methods with values in the results, and rank them.

    Also return whether infinite values order the methods, see
    `iqbench.boards.order.infinite_first`.
    """
    methods, info = one.scores.methods, one.info(head)
    count = len(methods)
    shape = (len(one.scores.images) if set(heads) & set(one.scores.headings) else 1, count)
    values, means, halves = np.full(shape, np.nan), np.full(count, np.nan), np.full(count, np.nan)
    compared, notes = np.zeros(count, dtype=bool), [""] * count
    for name, same in heads.items():
        mean = one.means[name]
        for at in np.flatnonzero(~np.isnan(mean.mean.values)):
            values[:, at] = _values(one, name)[:, at]
            means[at] = mean.mean.values[at]
            lacking = _lacking(one, name, int(at))
            signs = (("inf", mean.infinite.above[at]), ("-inf", mean.infinite.below[at]))
            left = [f"+{n} {sign}" for sign, n in signs if n and np.isfinite(means[at])]
            notes[at] = ", ".join([*([lacking] if lacking else []), *left])
            notes[at] += "" if same else _OTHER
            compared[at] = same and not lacking
        ends = mean.mean.ends() if intervals else None
        if ends is not None:
            reach = (ends[1] - ends[0]) / 2
            halves = np.where(np.isfinite(reach), reach, halves)
    # A cost is not a quality: the smallest is not marked as the best.
    order = order_methods(values, info, compared & (info.role != "cost"))
    shown = finite_means(averaged(values, info))
    # If only infinite values decide, there is no such mean.
    deciding = np.where(np.isnan(order.means), shown, order.means)
    behind, bad = shortfall(deciding, averaged_info(info)), Infinite.of(values).bad(info)
    numbers = np.stack([means, halves, behind, bad, order.ranks], axis=1).tolist()
    found = {
        method: _Value(numbers[at][0], notes[at], *numbers[at][1:])
        for at, method in enumerate(methods)
        if not np.isnan(means[at])
    }
    return found, infinite_first(order.groups, order.means, shown, order.ranked)


def _values(one: DatasetBoard, head: str) -> Floats:
    """Return the values of a column, (images, methods), or (1, methods) for set values."""
    if head in one.scores.headings:
        return one.scores.column(head)
    return one.means[head].mean.values[np.newaxis]


def _lacking(one: DatasetBoard, head: str, at: int) -> str:
    """Describe how many images a method's value covers; empty if it covers all."""
    expected, n = int(one.rows["expected"].iloc[0]), 0
    if head in one.scores.headings:
        place = one.scores.headings.index(head)
        there = ~np.isnan(one.scores.values[:, at, place]) | one.scores.undefined[:, at, place]
        n = int(there.sum())
    else:
        counted = f"{head}_n" in one.set_facts
        given = one.set_facts[f"{head}_n"].iloc[at] if counted else pd.NA
        n = expected if pd.isna(given) else int(given)
    return "" if n >= expected else f"{n}/{expected}"


def _with_published(
    values: dict[str, _Value],
    published: pd.DataFrame,
    head: str,
    info: ColumnInfo,
    any_protocol: bool,
    *,
    by_infinite: bool,
) -> dict[str, _Value]:
    """Add published means, and rank those that are compared among the other values."""
    every, compared = dict(values), []
    for row in published.to_dict("records"):
        method, value = str(row["method"]), float(row[head])
        same = any_protocol or not pd.isna(row.get(f"{head}_rank", pd.NA))
        behind = float(shortfall(np.float64(value), info))
        every[method] = _Value(value, "" if same else _OTHER, behind=behind)
        if same and info.direction != "none" and info.role != "cost":
            compared.append(method)
    rows = [(value.rank, value.behind, value.bad) for value in values.values()]
    facts = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    added = np.array([every[name].behind for name in compared])
    ranked = ranks_with_means(facts[0], facts[1], facts[2], added, by_infinite=by_infinite)
    for name, rank in zip((*values, *compared), np.concatenate(ranked), strict=True):
        every[name] = replace(every[name], rank=float(rank))
    return every


@dataclass(frozen=True)
class _Headed:
    """A column as the table shows it.

    Attributes
    ----------
    column
        The contents.
    groups
        Headings above it, the outermost first.
    name
        Its own heading, without an arrow.
    arrow
        The arrow beside its heading.
    decimals
        Digits after the decimal point.
    """

    column: _Column
    groups: tuple[str, ...]
    name: str
    arrow: str
    decimals: int

    @property
    def plain(self) -> str:
        """The name of the column in a table without groups."""
        return " ".join(text for text in (*self.groups, self.name) if text)


def _headed(found: Sequence[_Column], layout: TableLayout) -> list[_Headed]:
    """Add headings to the columns; columns of one dataset are adjacent."""
    known = list(dict.fromkeys(column.dataset for column in found))
    methods = list(dict.fromkeys(name for column in found for name in column.values))
    found = _costs_once(found)
    labels = {column: _label(column, layout) for column in found}
    first = list(dict.fromkeys(label for label, _, _ in labels.values()))
    found = sorted(found, key=lambda one: (first.index(labels[one][0]), int(labels[one][1] or 0)))
    pairs = {labels[one][:2] for one in found}
    deep = len(pairs) > len({label for label, _ in pairs})
    names: dict[_Column, str] = {}
    for group in {labels[one][:2]: None for one in found}:
        own = [one for one in found if labels[one][:2] == group]
        heads = headings(one.keys for one in own)
        names |= {one: heads[one.keys] for one in own}
    _warn_of_unused(names, known, layout, methods)
    return [_head(one, names[one], _groups(*labels[one], deep=deep), layout) for one in found]


def _costs_once(found: Sequence[_Column]) -> list[_Column]:
    """Move costs that are the same on all datasets to one column before the datasets."""
    datasets = {column.dataset for column in found}
    costs: dict[str, list[_Column]] = {}
    for column in found:
        if column.info.role == "cost":
            costs.setdefault(column.keys[0], []).append(column)
    once: list[_Column] = []
    for several in costs.values():
        values = [{name: one.value for name, one in column.values.items()} for column in several]
        if len(several) == len(datasets) > 1 and all(one == values[0] for one in values):
            once.append(replace(several[0], dataset="", scale=""))
            found = [column for column in found if column not in several]
    return [*once, *found]


def _label(column: _Column, layout: TableLayout) -> tuple[str, str, bool]:
    """Return a dataset's name without scale, the scale, and whether the user named both."""
    named = column.dataset in layout.names
    base, scale = column.dataset, column.scale
    split = _SCALED.fullmatch(column.dataset)
    if split and scale in ("", split["scale"]):
        base, scale = split["base"], split["scale"]
    return layout.names.get(column.dataset, layout.names.get(base, base)), scale, named


def _groups(label: str, scale: str, named: bool, *, deep: bool) -> tuple[str, ...]:
    """Return the headings of a group; with several scales, dataset and scale have one row each."""
    times = f"\u00d7{scale}" if scale else ""
    if deep:
        return label, times
    return (label if named else f"{label} {times}".strip(),)


def _head(column: _Column, heading: str, groups: tuple[str, ...], layout: TableLayout) -> _Headed:
    """Return a column with its name and decimals, from the layout."""
    text = most_telling(layout.names, column.keys, heading)
    name = heading if text is None else layout.names[text]
    if text == column.keys[0]:  # a name for all columns of a metric: keep the distinguishing part
        name += heading.removeprefix(text)
    decimals = layout.decimals
    if isinstance(decimals, dict):
        told = most_telling(decimals, column.keys, heading)
        decimals = decimals[told] if told is not None else None
    return _Headed(
        column,
        groups,
        name,
        direction_arrow(column.info) if layout.arrows else "",
        column.info.decimals if decimals is None else decimals,
    )


def _warn_of_unused(
    names: Mapping[_Column, str],
    datasets: Sequence[str],
    layout: TableLayout,
    methods: Sequence[str],
) -> None:
    """Warn about names, citations and decimals for entries that the table does not have.

    This is not an error, because one file may describe several tables.
    """
    bases = [split["base"] for name in datasets if (split := _SCALED.fullmatch(name))]
    decimals = layout.decimals if isinstance(layout.decimals, dict) else {}
    kinds: tuple[tuple[str, Iterable[str], Sequence[str], Mapping[_Column, str]], ...] = (
        ("name", layout.names, [*methods, *datasets, *bases], names),
        ("citation", layout.cite, methods, {}),
        ("number of decimals", decimals, [], names),
    )
    for what, given, exact, columns in kinds:
        for text in given:
            if text not in exact and not any(
                most_telling([text], one.keys, heading) for one, heading in columns.items()
            ):
                known = dict.fromkeys([*exact, *columns.values()])
                near = unknown_name("", text, known).hint or f"There is {', '.join(known)}"
                warnings.warn(
                    f"the {what} of {text!r} is not used: the table has no such row, group or "
                    f"column. {near}",
                    IqbenchWarning,
                    stacklevel=2,
                )


def _table_column(one: _Headed, methods: Sequence[str]) -> TableColumn:
    """Show the values of one column, and mark the best two."""
    info = one.column.info
    values = [one.column.values.get(name, _Value(math.nan)) for name in methods]
    ranks = np.array([value.rank for value in values])
    ends = np.unique(ranks[~np.isnan(ranks)])[:2]
    entries = [
        Entry(
            number(value.value, one.decimals),
            # If all are equal, none is the best.
            place=int(np.searchsorted(ends, value.rank)) + 1
            if len(ends) == 2 and value.rank in ends
            else 0,
            spread="" if math.isnan(value.half) else f"±{number(value.half, one.decimals)}",
            note=value.note,
            value=value.value,
        )
        for value in values
    ]
    order = "descending" if info.direction in ("higher", "none") else "ascending"
    heading = f"{one.name} {one.arrow}".rstrip()
    return TableColumn("value", heading, entries, info.summary, order=order, groups=one.groups)


def _remarks(
    headed: Sequence[_Headed], methods: Sequence[str], board: Board, layout: TableLayout
) -> list[str]:
    """Explain the marks in cells, and name the rows that were not scored by iqbench."""
    shown = [
        value
        for one in headed
        for name in methods
        if (value := one.column.values.get(name)) is not None
    ]
    remarks = []
    if any(_OTHER in value.note for value in shown):
        remarks.append(
            f"{_OTHER}: published or imported, and its protocol is another or not stated; not "
            "compared"
        )
    if any("/" in value.note for value in shown):
        remarks.append("n/m: a mean over n of m images; not compared")
    if any("inf" in value.note for value in shown):
        remarks.append("inf: infinite values, which the mean leaves out")
    if layout.any_protocol:
        remarks.append("published and imported values are compared whatever protocol they state")
    return [*remarks, *_sources(methods, board)]


def _sources(methods: Sequence[str], board: Board) -> Iterator[str]:
    """Return the sources of values that were not scored by iqbench."""
    frame = board.table.frame
    if PUBLISHED in frame:
        rows = frame[frame["method"].isin(list(methods)) & frame[PUBLISHED].ne("")]
        texts = [
            f"{', '.join(dict.fromkeys(same['method'].astype(str)))} ({source})"
            for source, same in rows.groupby(PUBLISHED, sort=False)
        ]
        if texts:
            yield f"published, not scored here: {'; '.join(texts)}"
    files: dict[str, dict[str, dict[str, None]]] = {}
    for one in board.datasets:
        for head, (metric, signature) in one.signatures.items():
            file = parse_signature(signature).get(FILE, "").rpartition(":")[0]
            if file and head in one.means:
                there = ~np.isnan(one.means[head].mean.values)
                own = [name for name, has in zip(one.scores.methods, there, strict=True) if has]
                shown = dict.fromkeys(name for name in own if name in methods)
                files.setdefault(file, {}).setdefault(metric, {}).update(shown)
    for file, metrics in files.items():
        told = [f"{metric} of {', '.join(names)}" for metric, names in metrics.items() if names]
        if told:
            yield f"imported from {file}: {'; '.join(told)}"


def _records(
    headed: Sequence[_Headed], methods: Sequence[str], names: Sequence[str]
) -> pd.DataFrame:
    """Return one row per method, with unrounded numbers and their notes."""
    values = {
        one.plain: [one.column.values.get(name, _Value(math.nan)) for name in methods]
        for one in headed
    }
    frame = pd.DataFrame(
        {"method": list(names)}
        | {plain: [one.value for one in column] for plain, column in values.items()}
    )
    notes = [
        "; ".join(
            f"{plain}: {column[row].note}" for plain, column in values.items() if column[row].note
        )
        for row in range(len(methods))
    ]
    return frame.assign(note=notes) if any(notes) else frame
