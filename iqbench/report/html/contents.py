"""What a page about a results folder says, before its pictures and plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from iqbench.analysis.columns import metric_columns, ordered
from iqbench.analysis.references import stale_rows
from iqbench.report.html.definitions import definitions_of
from iqbench.report.html.protocols import protocol_notes
from iqbench.report.html.summary import cards_of
from iqbench.report.html.tables import dataset_blocks, overall_blocks, with_metrics
from iqbench.report.html.values import Matrix, matrices_of
from iqbench.report.overview import Overview, read_overviews
from iqbench.report.sections import section_kinds
from iqbench.results.read import DatasetTables, load_runs
from iqbench.results.schema import ColumnInfo
from iqbench.results.signature import parse_signature

__all__ = ["Contents", "read_contents"]


@dataclass(frozen=True)
class Contents:
    """What the tables say.

    Attributes
    ----------
    results
        The folder.
    found
        By whose metrics methods are judged and ranked.
    every
        The same with all metrics.
    matrices
        By dataset, how its metrics correlate.
    """

    results: Path
    found: Overview
    every: Overview
    matrices: Mapping[str, list[Matrix]]

    @cached_property
    def board(self) -> pd.DataFrame:
        """The leaderboard with the means of all metrics."""
        return with_metrics(self.found.board, self.every.board, ["dataset", "method"])

    @cached_property
    def headings(self) -> list[str]:
        """All columns that hold a metric, in their order."""
        heads = {name for one in self.every.standings for name in one.signatures}
        return ordered(heads, self.found.columns)

    @cached_property
    def signatures(self) -> dict[str, list[str]]:
        """Of each heading those that are in use, whatever the dataset."""
        used: dict[str, list[str]] = {name: [] for name in self.headings}
        for one in self.every.standings:
            for heading, (_, text) in one.signatures.items():
                used[heading].append(text)
        return used

    @cached_property
    def protocols(self) -> dict[str, dict[str, str]]:
        """By dataset and heading, how pixels were seen."""
        return {
            one.dataset: {heading: _protocol(text) for heading, (_, text) in one.signatures.items()}
            for one in self.every.standings
        }

    def context(self) -> dict[str, Any]:
        """Give what the template names."""
        board, columns = self.board, self.found.columns
        shown = set(metric_columns(self.found.board))
        tables = list(dataset_blocks(board, columns, self.protocols))
        return {
            "title": self.results.resolve().name,
            "facts": self._facts(),
            "cards": list(cards_of(board, columns)),
            "averages": list(overall_blocks(self.found, self.every)),
            "tables": tables,
            "kinds": {column.key for table in tables for column in table.section.columns},
            "metrics": [(name, name in shown) for name in self.headings],
            "hidden": [name for name in self.headings if name not in shown],
            "sections": [
                (kind, own)
                for kind in section_kinds().values()
                if (own := list(kind.make(self.found)))
            ],
            "definitions": definitions_of(self.signatures, columns),
            "matrices": list(self._matrices()),
            "tasks": sorted({table.task for table in tables if table.task}),
            "protocols": sorted({name for table in tables for name in table.protocols.values()}),
            "protocol_notes": protocol_notes(
                text for texts in self.signatures.values() for text in texts
            ),
            "runs": load_runs(self.results)[::-1],
        }

    def _matrices(self) -> Iterator[tuple[str, list[Matrix]]]:
        """Give the correlations of each dataset's metrics, in natural order."""
        for one in self.board["dataset"].unique():
            if self.matrices.get(str(one)):
                yield str(one), self.matrices[str(one)]

    def _facts(self) -> list[str]:
        board = self.board
        images = board.groupby("dataset", sort=False)["expected"].max().sum()
        return [
            _plural(int(number), what)
            for number, what in (
                (board["dataset"].nunique(), "dataset"),
                (board["method"].nunique(), "method"),
                (images, "image"),
                (len(self.headings), "metric column"),
            )
        ]


def read_contents(
    results: Path,
    filters: Mapping[str, tuple[str, ...]],
    sort: str | None = None,
    front: tuple[str, str] | None = None,
    shown: str | Sequence[str] = "headline",
) -> Contents:
    """Read what a results folder says; its scores are read once.

    Parameters and errors are those of `iqbench.report.overview.read_leaderboard`.
    """
    matrices: dict[str, list[Matrix]] = {}

    def correlate(tables: DatasetTables, columns: Mapping[str, ColumnInfo]) -> None:
        own = stale_rows(tables.images, filters.get("method")).without(tables.scores)
        matrices[tables.dataset] = matrices_of(own, columns)

    found, every = read_overviews(
        results, filters, (shown, "all"), sort=sort, front=front, each=correlate
    )
    return Contents(results, found, every, matrices)


def _protocol(signature: str) -> str:
    """Name the protocol in a signature, without its version."""
    text = parse_signature(signature).get("protocol", "")
    return text.rpartition("/")[0] or text


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
