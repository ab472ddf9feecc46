"""Leaderboards as tables that a page filters by dataset, task, protocol and metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from iqbench.boards.board import Board
from iqbench.boards.diagram import rank_figure
from iqbench.boards.means_table import MeansTable
from iqbench.boards.tables import dataset_sections, overall_sections
from iqbench.document.model import Section

__all__ = ["PageTable", "dataset_blocks", "overall_blocks"]


@dataclass(frozen=True)
class PageTable:
    """The table of a dataset, of a task, or of all datasets.

    Attributes
    ----------
    key
        The dataset; empty for averages.
    task
        The task of the methods.
    section
        The section that is shown.
    protocols
        By heading, the protocol that computed its values.
    """

    key: str
    task: str
    section: Section
    protocols: Mapping[str, str]


def dataset_blocks(
    table: MeansTable, protocols: Mapping[str, Mapping[str, str]]
) -> Iterator[PageTable]:
    """Make one block per dataset.

    Parameters
    ----------
    table
        The leaderboard.
    protocols
        The protocol of each dataset and heading.
    """
    tasks = dict(table.frame[["dataset", "task"]].astype(str).itertuples(index=False, name=None))
    for section in dataset_sections(table):
        name, task = section.title, tasks[section.title]
        facts = [task, *section.facts] if task else section.facts
        yield PageTable(name, task, replace(section, facts=facts), protocols[name])


def overall_blocks(found: Board, more: Board) -> Iterator[PageTable]:
    """Make blocks of averages over datasets, without those that only repeat a dataset.

    Parameters
    ----------
    found
        The board whose metrics rank the methods and decide whether they are complete.
    more
        The same board with all metrics.
    """
    ranks = rank_figure(found)
    overall = found.overall.with_metrics_of(more.overall, ["scope", "task", "method"])
    for (_, task), rows in overall.frame.groupby(["scope", "task"], sort=False):
        title = f"All datasets of {task}" if task else "All datasets"
        for section in overall_sections(overall.part(rows), among=overall, ranks=ranks):
            yield PageTable("", str(task), replace(section, title=title), {})
