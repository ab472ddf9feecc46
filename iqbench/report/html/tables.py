"""Leaderboards as blocks that a page filters by dataset, task, protocol and metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from iqbench.analysis.columns import SUFFIXES, metric_columns
from iqbench.document.model import Section
from iqbench.report.board_sections import dataset_sections, overall_sections
from iqbench.report.overview import Overview
from iqbench.results.schema import ColumnInfo

__all__ = ["PageTable", "dataset_blocks", "overall_blocks", "with_metrics"]


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


def with_metrics(board: pd.DataFrame, more: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Add to a board the metrics that only a longer one has, so that they can be shown too.

    Parameters
    ----------
    board
        Its ranks, ties and completeness stay: they are judged by its own metrics.
    more
        A board of the same rows with more metrics.
    by
        Columns that name a row.
    """
    extra = [name for name in metric_columns(more) if name not in board.columns]
    names = [f"{name}{suffix}" for name in extra for suffix in SUFFIXES]
    names = [name for name in names if name in more]
    return board.merge(more[[*by, *names]], on=list(by), how="left") if names else board


def dataset_blocks(
    board: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    protocols: Mapping[str, Mapping[str, str]],
) -> Iterator[PageTable]:
    """Make one block a dataset.

    Parameters
    ----------
    board
        As `iqbench.analysis.leaderboard.leaderboard` gives it.
    columns
        Directions and decimals.
    protocols
        By dataset and heading.
    """
    tasks = dict(zip(board["dataset"].astype(str), board["task"].astype(str), strict=True))
    for section in dataset_sections(board, columns):
        name, task = section.title, tasks[section.title]
        facts = [task, *section.facts] if task else section.facts
        yield PageTable(name, task, replace(section, facts=facts), protocols[name])


def overall_blocks(found: Overview, more: Overview) -> Iterator[PageTable]:
    """Make a block of the averages over datasets, those that say something new.

    Parameters
    ----------
    found
        By whose metrics methods are judged.
    more
        The same with all metrics.
    """
    overall = with_metrics(found.overall, more.overall, ["scope", "task", "method"])
    for (_, task), rows in overall.groupby(["scope", "task"], sort=False):
        title = f"All datasets of {task}" if task else "All datasets"
        for section in overall_sections(rows, found.columns, among=overall):
            yield PageTable("", str(task), replace(section, title=title), {})
