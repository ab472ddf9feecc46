"""The text and the tables of a page about a results folder, without its pictures and plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from iqbench.boards.board import Board, read_boards
from iqbench.boards.composites import Composite
from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.means_table import MeansTable
from iqbench.boards.sections import section_kinds
from iqbench.correlation.correlations import read_agreement
from iqbench.correlation.document import agreement_sections, matrix_sections
from iqbench.document.html import figures_of
from iqbench.document.model import Section
from iqbench.document.text import plural
from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.page.definitions import Definition, definitions_of
from iqbench.page.plot_data import metrics_of
from iqbench.page.protocols import protocol_notes
from iqbench.page.summary import cards_of
from iqbench.page.tables import dataset_blocks, overall_blocks
from iqbench.results.opened import OpenedResults, open_results
from iqbench.results.read import load_runs
from iqbench.results.signature import parse_signature

__all__ = ["Contents", "read_contents"]

_MOST_RUNS = 100
"""Older runs than so many are counted, not listed."""


@dataclass(frozen=True)
class Contents:
    """The contents of the tables.

    Attributes
    ----------
    results
        The folder, opened.
    filters
        The filters that chose the rows.
    found
        The board whose metrics rank the methods and decide whether they are complete.
    every
        The same board with all metrics.
    """

    results: OpenedResults
    filters: Mapping[str, tuple[str, ...]]
    found: Board
    every: Board

    @cached_property
    def table(self) -> MeansTable:
        """The leaderboard with the means of all metrics."""
        return self.found.table.with_metrics_of(self.every.table, ["dataset", "method"])

    @property
    def headings(self) -> list[str]:
        """The headings of all columns that hold a metric, in their order."""
        return self.every.headings

    def dataset(self, dataset: str) -> DatasetBoard:
        """Return the board of one dataset, with all its metrics."""
        (one,) = (one for one in self.every.datasets if one.dataset == dataset)
        return one

    @cached_property
    def signatures(self) -> dict[str, list[str]]:
        """The signatures of each heading, on all datasets."""
        used: dict[str, list[str]] = {name: [] for name in self.headings}
        for one in self.every.datasets:
            for heading, (_, text) in one.signatures.items():
                used[heading].append(text)
        return used

    @cached_property
    def protocols(self) -> dict[str, dict[str, str]]:
        """The protocol of each heading, by dataset."""
        return {
            one.dataset: {heading: _protocol(text) for heading, (_, text) in one.signatures.items()}
            for one in self.every.datasets
        }

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """The definition of the column under each heading."""
        return definitions_of(self.signatures, self.found.columns)

    @cached_property
    def _people(self) -> tuple[list[tuple[str, list[Section]]], list[str]]:
        """Agreement of metrics with human opinion, by dataset, and what could not be computed."""
        try:
            found = read_agreement(self.results, self.filters)
        except IqbenchError as error:
            return [], [f"agreement with people: {error}"]
        return ([], []) if found is None else (list(agreement_sections(found)), list(found.notes))

    @property
    def left_out(self) -> list[str]:
        """One sentence for each thing that is in the tables and is not shown."""
        return self._people[1]

    def context(self) -> dict[str, Any]:
        """Return the variables of the template."""
        shown = set(self.found.table.metrics)
        tables = list(dataset_blocks(self.table, self.protocols))
        averages = list(overall_blocks(self.found, self.every))
        matrices = list(self._matrices())
        sections = [
            (kind, own) for kind in section_kinds().values() if (own := list(kind.make(self.found)))
        ]
        runs = load_runs(self.results)
        return {
            "title": self.results.path.resolve().name,
            "facts": self.facts(),
            "cards": list(cards_of(self.table)),
            "averages": averages,
            "tables": tables,
            "kinds": {column.key for table in tables for column in table.section.columns},
            "metrics": [(name, name in shown) for name in self.headings],
            "hidden": [name for name in self.headings if name not in shown],
            "sections": sections,
            "people": self._people[0],
            "figures": figures_of(
                [
                    *(table.section for table in averages + tables),
                    *(
                        section
                        for _, own in (*sections, *matrices, *self._people[0])
                        for section in own
                    ),
                ]
            ),
            "definitions": self.definitions,
            "matrices": matrices,
            "tasks": sorted({table.task for table in tables if table.task}),
            "protocols": sorted({name for table in tables for name in table.protocols.values()}),
            "protocol_notes": protocol_notes(
                text for texts in self.signatures.values() for text in texts
            ),
            "runs": runs[: -_MOST_RUNS - 1 : -1],
            "more_runs": max(len(runs) - _MOST_RUNS, 0),
        }

    def _matrices(self) -> Iterator[tuple[str, list[Section]]]:
        """Return the correlations between the metrics of each dataset, in natural order."""
        for number, (dataset, _) in enumerate(self.table.parts()):
            found = list(matrix_sections(metrics_of(self.dataset(dataset)), f"-{number}"))
            if found:
                yield dataset, found

    def facts(self) -> list[str]:
        """Count datasets, methods, metric columns, images and runs."""
        board = self.table.frame
        images = board.groupby("dataset", sort=False)["expected"].max().sum()
        return [
            plural(int(number), what)
            for number, what in (
                (board["dataset"].nunique(), "dataset"),
                (board["method"].nunique(), "method"),
                (images, "image"),
                (len(self.headings), "metric column"),
            )
        ]


def read_contents(
    results: str | PathLike[str],
    filters: Mapping[str, tuple[str, ...]],
    *,
    sort: str | None = None,
    front: tuple[str, str] | None = None,
    shown: str | Sequence[str] = "headline",
    composites: Sequence[Composite] = (),
) -> Contents:
    """Read the contents of a results folder. Its scores are read once.

    Parameters and errors are those of `iqbench.boards.board.read_board`.
    """
    opened = open_results(results)
    found, every = read_boards(
        opened, filters, (shown, "all"), sort=sort, front=front, composites=composites
    )
    return Contents(opened, filters, found, every)


def _protocol(signature: str) -> str:
    """Return the name of the protocol in a signature, without its version."""
    text = parse_signature(signature).get("protocol", "")
    return text.rpartition("/")[0] or text
