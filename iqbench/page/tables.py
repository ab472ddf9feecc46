"""Leaderboards as blocks that a page filters by dataset, task, protocol and metric."""

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
    """A section of a dataset, of a task, or of all datasets.

    Attributes
    ----------
    key
        The dataset; empty for averages.
    task
        What the methods restore.
    section
        What is shown.
    protocols
        By heading, how its values were computed.
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
        By dataset and heading.
    """
    tasks = dict(table.frame[["dataset", "task"]].astype(str).itertuples(index=False, name=None))
    for section in dataset_sections(table):
        name, task = section.title, tasks[section.title]
        facts = [task, *section.facts] if task else section.facts
        yield PageTable(name, task, replace(section, facts=facts), protocols[name])


def overall_blocks(found: Board, more: Board) -> Iterator[PageTable]:
    """Make a block of the averages over datasets, those that say something new.

    Parameters
    ----------
    found
        By whose metrics methods are judged.
    more
        The same with all metrics.
    """
    ranks = rank_figure(found)
    overall = found.overall.with_metrics_of(more.overall, ["scope", "task", "method"])
    for (_, task), rows in overall.frame.groupby(["scope", "task"], sort=False):
        title = f"All datasets of {task}" if task else "All datasets"
        for section in overall_sections(overall.part(rows), among=overall, ranks=ranks):
            yield PageTable("", str(task), replace(section, title=title), {})
