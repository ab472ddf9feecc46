"""The pages of a site as documents: the index, one per dataset, and the history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from iqbench.boards.sections import section_kinds
from iqbench.document.model import Document, Entry, Section, TableColumn, numbers, texts
from iqbench.document.text import NOTHING, plural
from iqbench.page.contents import Contents
from iqbench.page.definitions import Definition
from iqbench.page.protocols import ProtocolNote, protocol_notes
from iqbench.page.summary import cards_of
from iqbench.page.tables import PageTable, dataset_blocks, overall_blocks
from iqbench.site.method_facts import MethodFacts
from iqbench.site.page_names import anchor_of
from iqbench.site.record import Version

__all__ = [
    "HISTORY",
    "INDEX",
    "SitePage",
    "dataset_pages",
    "gone_page",
    "history_page",
    "index_page",
]

INDEX = "index.html"
HISTORY = "history.html"
_READING = (
    "Means of the finite values over images; ± is half of the 95 % bootstrap interval. The "
    "stronger the shade of a cell, the better its rank in the column. A method that lacks any "
    "value is incomplete and not ranked. Choose a heading to sort by it, or ? for its definition."
)
_EXTRAS = ("tie", "front", "range")
"""Columns beside the metrics that a reader of a page may hide."""


@dataclass(frozen=True)
class SitePage:
    """One page.

    Attributes
    ----------
    path
        Below the site's folder.
    document
        What it says.
    downloads
        Files with its numbers, by their format.
    definitions
        Of the metrics in its tables, by heading.
    protocols
        How its values were computed.
    hidden
        Metrics that are not shown at first.
    """

    path: str
    document: Document
    downloads: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    protocols: Sequence[ProtocolNote] = ()
    hidden: Sequence[str] = ()

    @property
    def root(self) -> str:
        """The way from the page to the site's folder: empty or ``../``."""
        return "../" * self.path.count("/")

    @property
    def choices(self) -> list[tuple[str, bool]]:
        """Name what a reader shows and hides, and say whether it is shown at first."""
        columns = [column for section in self.document.sections for column in section.columns]
        names = dict.fromkeys(
            name for column in columns if (name := column.metric or column.choice)
        )
        return [(name, name not in self.hidden) for name in names]


def dataset_pages(
    contents: Contents, facts: Mapping[str, MethodFacts], pages: Mapping[str, str]
) -> Iterator[SitePage]:
    """Make a page of each dataset.

    Parameters
    ----------
    contents
        What the tables say.
    facts
        What is known of methods.
    pages
        By dataset, the name of its files.
    """
    kinds = list(section_kinds().values())
    more = {kind.title: list(kind.make(contents.found)) for kind in kinds}
    for table in dataset_blocks(contents.table, contents.protocols):
        sections = [_leaderboard(table, facts)]
        for title, made in more.items():
            own = [section for section in made if section.title == table.key]
            sections += [replace(section, title=title) for section in own]
        signatures = contents.dataset(table.key).signatures
        shown = set(contents.found.table.metrics)
        yield SitePage(
            f"datasets/{pages[table.key]}.html",
            Document(
                sections, title=table.key, facts=", ".join(table.section.facts), points=[_READING]
            ),
            downloads=downloads_of(f"dataset-{pages[table.key]}"),
            definitions={
                name: one for name, one in contents.definitions.items() if name in signatures
            },
            protocols=protocol_notes(text for _, text in signatures.values()),
            hidden=[name for name in signatures if name not in shown],
        )


def downloads_of(name: str) -> dict[str, str]:
    """Name the files of a table's numbers, by their format."""
    kinds = {"CSV": "csv", "Parquet": "parquet", "JSON": "json"}
    return {kind: f"downloads/{name}.{suffix}" for kind, suffix in kinds.items()}


def _leaderboard(table: PageTable, facts: Mapping[str, MethodFacts]) -> Section:
    """Show a dataset's methods, each at a place of its own, with what is known of them."""
    columns = []
    for column in table.section.columns:
        if column.key == "method":
            entries = [replace(one, anchor=anchor_of(one.text)) for one in column.entries]
            columns.append(replace(column, entries=entries))
        else:
            choice = column.heading if column.key in _EXTRAS else ""
            columns.append(replace(column, choice=choice))
    names = [one.text for one in table.section.columns[1].entries]
    columns += facts_columns(names, facts)
    return replace(table.section, title="Leaderboard", facts=[], columns=columns)


def facts_columns(
    methods: Sequence[str], facts: Mapping[str, MethodFacts]
) -> Iterator[TableColumn]:
    """Show what is known of methods: a column of each thing that is known of any."""
    known = [facts.get(method, MethodFacts()) for method in methods]
    for kind in ("paper", "code"):
        links = [str(getattr(one, kind)) for one in known]
        if any(links):
            entries = [Entry(kind if link else "", link=link) for link in links]
            yield TableColumn("text", kind, entries, choice=kind)
    if any(one.date for one in known):
        dates = [Entry(one.date.isoformat() if one.date else "") for one in known]
        told = "When it was published"
        yield TableColumn("text", "date", dates, told, order="descending", choice="date")


def index_page(
    contents: Contents, facts: Mapping[str, MethodFacts], pages: Mapping[str, str], title: str
) -> SitePage:
    """Make the index: datasets, methods over all of them, and methods one by one."""
    shown = set(contents.found.table.metrics)
    averages = [
        replace(table.section, title=table.section.title, columns=_chosen(table.section.columns))
        for table in overall_blocks(contents.found, contents.every)
    ]
    used = {column.metric for section in averages for column in section.columns if column.metric}
    sections = [_datasets(contents, pages), *averages, _methods(contents, facts, pages)]
    return SitePage(
        INDEX,
        Document(sections, title=title, facts=", ".join(contents.facts())),
        downloads=downloads_of("leaderboard"),
        definitions={name: one for name, one in contents.definitions.items() if name in used},
        hidden=[name for name in contents.headings if name not in shown],
    )


def _chosen(columns: Iterable[TableColumn]) -> list[TableColumn]:
    return [
        replace(column, choice=column.heading if column.key in _EXTRAS else "")
        for column in columns
    ]


def _datasets(contents: Contents, pages: Mapping[str, str]) -> Section:
    cards = list(cards_of(contents.table))
    frame = contents.table.frame
    groups = frame.groupby("dataset", sort=False)
    images, methods = groups["expected"].max(), groups["method"].nunique()
    names = [card.dataset for card in cards]
    links = [f"datasets/{pages[name]}.html" for name in names]
    leaders = [
        Entry(
            card.leader or NOTHING,
            link=f"{link}#{anchor_of(card.leaders[0])}" if card.leaders else "",
        )
        for card, link in zip(cards, links, strict=True)
    ]
    columns = [
        TableColumn(
            "method",
            "dataset",
            [Entry(name, link=link) for name, link in zip(names, links, strict=True)],
        ),
        texts("task", (card.task for card in cards)),
        numbers("images", (images[name] for name in names), 0),
        numbers("methods", (methods[name] for name in names), 0),
        TableColumn("text", "best method", leaders),
        texts("its mean", (card.value for card in cards)),
    ]
    kept = [one for one in columns if any(entry.text for entry in one.entries)]
    return Section("Datasets", columns=kept)


def _methods(
    contents: Contents, facts: Mapping[str, MethodFacts], pages: Mapping[str, str]
) -> Section:
    """List the methods, the best first: by how often they are first, and by their best rank."""
    rows = contents.table.frame[["dataset", "method", "rank"]]
    found = []
    for method, own in rows.groupby("method", sort=False):
        ranked = own.dropna(subset=["rank"])
        places = ranked["rank"].to_numpy(np.int64)
        best = ranked.iloc[int(places.argmin())] if len(ranked) else None
        found.append(
            (
                str(method),
                len(own),
                int((places == 1).sum()),
                math.nan if best is None else int(best["rank"]),
                "" if best is None else str(best["dataset"]),
            )
        )
    found.sort(key=lambda row: (-row[2], math.inf if math.isnan(row[3]) else row[3], row[0]))
    names, datasets, firsts, bests, homes = map(list, zip(*found, strict=True))
    where = [
        Entry(place, link=f"datasets/{pages[place]}.html#{anchor_of(name)}" if place else "")
        for name, place in zip(names, homes, strict=True)
    ]
    columns = [
        TableColumn("method", "method", [Entry(name) for name in names]),
        replace(numbers("datasets", datasets, 0), order="descending"),
        replace(numbers("first places", firsts, 0), order="descending"),
        numbers("best rank", bests, 0),
        TableColumn("text", "best on", where),
        *facts_columns(names, facts),
    ]
    return Section("Methods", columns=columns)


def history_page(versions: Sequence[Version]) -> SitePage:
    """Make the page of the versions, the newest first."""
    newest = list(reversed(versions))
    tables = [Entry("CSV" if one.table else "", link=one.table) for one in newest]
    section = Section(
        "Versions",
        columns=[
            TableColumn(
                "method",
                "version",
                [Entry(str(one.number), value=one.number) for one in newest],
                order="descending",
            ),
            texts("date", (one.time[:16].replace("T", " ") for one in newest)),
            TableColumn(
                "note",
                "what has changed",
                [Entry("; ".join(filter(None, (one.note, *one.changes)))) for one in newest],
            ),
            numbers("datasets", (one.datasets for one in newest), 0),
            numbers("methods", (one.methods for one in newest), 0),
            texts("iqbench", (one.iqbench for one in newest)),
            TableColumn("text", "leaderboard", tables),
        ],
        remarks=["A date is the time of the build, in UTC."],
    )
    return SitePage(
        HISTORY,
        Document([section], title="History", facts=plural(len(versions), "version")),
    )


def gone_page(dataset: str, name: str) -> SitePage:
    """Make the page of a dataset that is no longer part of the leaderboard: its address stays."""
    told = "This dataset is no longer part of the leaderboard. The history has its earlier tables."
    return SitePage(f"datasets/{name}.html", Document([], title=dataset, points=[told]))
