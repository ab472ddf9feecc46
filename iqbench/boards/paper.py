"""The table of a paper: methods below each other, datasets and scales side by side.

Every column is ranked among the rows that are shown, whether their values were scored here,
imported from another tool, or published. A value that is not of all images, or of another protocol
than the column, is shown with the reason and takes no part.
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
from iqbench.boards.order import averaged_info, competition_ranks, order_methods
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
"""Marks a value whose protocol is not known to be that of its column."""


@dataclass(frozen=True)
class _Value:
    """What a method has in a column.

    Attributes
    ----------
    value
        Its mean.
    note
        Why it is not compared with the others, and what the mean leaves out.
    half
        Of its interval, NaN where there is none.
    behind
        How far from the best there could be, of the mean that decides; less is better.
    rank
        Among the values that are compared; NaN where it is not.
    """

    value: float
    note: str = ""
    half: float = math.nan
    behind: float = math.nan
    rank: float = math.nan


@dataclass(frozen=True, eq=False)
class _Column:
    """One metric on one dataset.

    Attributes
    ----------
    dataset, scale
        Which; the scale is empty where there is none.
    keys
        Metric and signature, the latter without the file that values were imported from.
    info
        How it is read.
    values
        By method.
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
        What is shown; its columns stand in each group in their order.
    layout
        Names, order, caption and the like.
    intervals
        Whether values have their intervals, if the board has any.

    Returns
    -------
    Document
        One table. CSV and JSON hold one row per method, numbers in full.

    Raises
    ------
    IqbenchError
        Where the layout names what is not there, or two columns or rows would have one name.
    """
    layout = layout or TableLayout()
    standings = _chosen_datasets(board, layout)
    found = [
        column
        for one in standings
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
    """Give the datasets of the table in their order."""
    known = {one.dataset: one for one in board.standings}
    for name in layout.datasets:
        if name not in known:
            raise unknown_name("dataset of the table", name, known)
    return [known[name] for name in layout.datasets or sorted(known, key=natural)]


def _rows_of(found: Sequence[_Column], layout: TableLayout) -> list[str]:
    """Give the methods of the table in their order."""
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
    """Read the scale in the protocol of a signature, where it has one."""
    found = re.search(r"[:,]scale=([0-9]+)", parse_signature(signature).get("protocol", ""))
    return found[1] if found else ""


def _columns_of(
    one: DatasetBoard, board: Board, any_protocol: bool, intervals: bool
) -> Iterator[_Column]:
    """Give the columns of one dataset, by scale and then in the order of the board."""
    frame = board.table.frame
    rows = frame[frame["dataset"] == one.dataset]
    published = rows[rows[PUBLISHED].ne("")] if PUBLISHED in rows else rows[:0]
    joined = _joined(one, any_protocol)
    scales = {head: _scale_of(one.signatures[head][1]) for head in joined}
    if len(known := {scale for scale in scales.values() if scale}) == 1:
        scales = dict.fromkeys(joined, *known)  # what has none, such as costs, stands beside them
    for head in sorted(joined, key=lambda head: int(scales[head] or 0)):
        metric, signature = one.signatures[head]
        values = _scored(one, head, joined[head], intervals)
        for name in filter(published.columns.__contains__, joined[head]):
            rows = published[published[name].notna()]
            values = _with_published(values, rows, name, one.info(head), any_protocol)
        if values:
            keys = metric, without_file(signature)
            yield _Column(one.dataset, scales[head], keys, one.info(head), values)


def _joined(one: DatasetBoard, any_protocol: bool) -> dict[str, dict[str, bool]]:
    """Join columns of one metric that differ in where their values come from.

    Returns
    -------
    dict
        By the heading of a column, the headings that it is made of, and whether the values of each
        are compared with the others: those that state the same protocol.
    """
    imported = {head: keys for head, keys in one.signatures.items() if "source=imported" in keys[1]}
    found = {head: {head: True} for head in one.signatures if head not in imported}
    for head, (metric, signature) in imported.items():
        protocol = parse_signature(signature).get("protocol", "")
        own = [name for name in found if one.signatures[name][0] == metric]
        selector = Selector(metric, f"protocol={protocol}")
        same = [name for name in own if protocol and selector.fits(*one.signatures[name])]
        # One that states no protocol belongs to the metric's only column, and to none of several.
        loose = own if len(own) == 1 and (any_protocol or not protocol) else []
        home = next(iter(same or loose), None)
        if home is not None and not _overlapping(one, [*found[home], head]):
            found[home][head] = bool(same) or any_protocol
        else:
            found[head] = {head: True}
    return found


def _overlapping(one: DatasetBoard, heads: Sequence[str]) -> bool:
    """Say whether a method has values under several headings."""
    there = np.array([~np.isnan(one.means[head].mean.values) for head in heads])
    return bool((there.sum(axis=0) > 1).any())


def _scored(
    one: DatasetBoard, head: str, heads: Mapping[str, bool], intervals: bool
) -> dict[str, _Value]:
    """Give the means of the methods whose values lie in the tables, and rank them."""
    methods, info = one.cube.methods, one.info(head)
    count = len(methods)
    shape = (len(one.cube.images) if set(heads) & set(one.cube.headings) else 1, count)
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
    # A cost tells nothing of quality: the smallest is not marked as the best.
    order = order_methods(values, info, compared & (info.role != "cost"))
    # Where infinite values decide alone there is no such mean.
    behind = shortfall(order.means, averaged_info(info))
    behind = np.where(np.isnan(behind), shortfall(means, info), behind)
    numbers = np.stack([means, halves, behind, order.ranks], axis=1).tolist()
    return {
        method: _Value(mean, notes[at], half, away, rank)
        for at, (method, (mean, half, away, rank)) in enumerate(zip(methods, numbers, strict=True))
        if not np.isnan(mean)
    }


def _values(one: DatasetBoard, head: str) -> Floats:
    """Give the values of a column, (images, methods); of one value per method, (1, methods)."""
    if head in one.cube.headings:
        return one.cube.column(head)
    return one.means[head].mean.values[np.newaxis]


def _lacking(one: DatasetBoard, head: str, at: int) -> str:
    """Say of how many images the value of a method is, where that is not all; else nothing."""
    expected, n = int(one.rows["expected"].iloc[0]), 0
    if head in one.cube.headings:
        place = one.cube.headings.index(head)
        there = ~np.isnan(one.cube.values[:, at, place]) | one.cube.undefined[:, at, place]
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
) -> dict[str, _Value]:
    """Add the means that papers print, and rank all again where one is compared."""
    every = dict(values)
    compared = [name for name, value in values.items() if not np.isnan(value.rank)]
    for row in published.to_dict("records"):
        method, value = str(row["method"]), float(row[head])
        same = any_protocol or not pd.isna(row.get(f"{head}_rank", pd.NA))
        behind = float(shortfall(np.float64(value), info))
        every[method] = _Value(value, "" if same else _OTHER, behind=behind)
        if same and info.direction != "none" and info.role != "cost":
            compared.append(method)
    if len(compared) == sum(not math.isnan(value.rank) for value in values.values()):
        return every
    ranks = competition_ranks(np.array([every[name].behind for name in compared]))
    for name, rank in zip(compared, ranks, strict=True):
        every[name] = replace(every[name], rank=float(rank))
    return every


@dataclass(frozen=True)
class _Headed:
    """A column as the table shows it.

    Attributes
    ----------
    column
        What is in it.
    groups
        Headings above it, the outermost first.
    name
        Its own heading, without an arrow.
    arrow
        Beside its heading.
    decimals
        Digits after the point.
    """

    column: _Column
    groups: tuple[str, ...]
    name: str
    arrow: str
    decimals: int

    @property
    def plain(self) -> str:
        """Name the column in a table without groups."""
        return " ".join(text for text in (*self.groups, self.name) if text)


def _headed(found: Sequence[_Column], layout: TableLayout) -> list[_Headed]:
    """Head the columns, those of one dataset side by side."""
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
    """Show costs that are the same on all datasets once, before the datasets."""
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
    """Give a dataset's name without its scale, the scale, and whether the user named both."""
    named = column.dataset in layout.names
    base, scale = column.dataset, column.scale
    split = _SCALED.fullmatch(column.dataset)
    if split and scale in ("", split["scale"]):
        base, scale = split["base"], split["scale"]
    return layout.names.get(column.dataset, layout.names.get(base, base)), scale, named


def _groups(label: str, scale: str, named: bool, *, deep: bool) -> tuple[str, ...]:
    """Head a group: dataset and scale above each other where some dataset has several scales."""
    times = f"\u00d7{scale}" if scale else ""
    if deep:
        return label, times
    return (label if named else f"{label} {times}".strip(),)


def _head(column: _Column, heading: str, groups: tuple[str, ...], layout: TableLayout) -> _Headed:
    """Name a column and choose its decimals, as the layout says."""
    text = most_telling(layout.names, column.keys, heading)
    name = heading if text is None else layout.names[text]
    if text == column.keys[0]:  # of all columns of a metric: what tells this one apart stays
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
    """Warn of names, citations and decimals of what the table does not have.

    One file may describe several tables, so that this is not an error.
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
            # Where all are equal none is best.
            place=int(np.searchsorted(ends, value.rank)) + 1
            if len(ends) == 2 and value.rank in ends
            else 0,
            spread="" if math.isnan(value.half) else f"±{value.half:.{one.decimals}f}",
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
    """Say what marks in cells mean, and which rows were not scored here."""
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
    """Say which values were not scored here, and where they are from."""
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
    for one in board.standings:
        for head, (metric, signature) in one.signatures.items():
            file = parse_signature(signature).get(FILE, "").rpartition(":")[0]
            if file and head in one.means:
                there = ~np.isnan(one.means[head].mean.values)
                own = [name for name, has in zip(one.cube.methods, there, strict=True) if has]
                shown = dict.fromkeys(name for name in own if name in methods)
                files.setdefault(file, {}).setdefault(metric, {}).update(shown)
    for file, metrics in files.items():
        told = [f"{metric} of {', '.join(names)}" for metric, names in metrics.items() if names]
        if told:
            yield f"imported from {file}: {'; '.join(told)}"


def _records(
    headed: Sequence[_Headed], methods: Sequence[str], names: Sequence[str]
) -> pd.DataFrame:
    """Give one row per method, numbers in full, and what notes say of them."""
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
