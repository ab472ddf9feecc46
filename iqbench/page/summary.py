"""The summary of a page: the best method on each dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from iqbench.boards.headings import MEANS
from iqbench.boards.means_table import MeansTable
from iqbench.boards.published import PUBLISHED
from iqbench.boards.tables import few_images
from iqbench.document.model import direction_arrow
from iqbench.document.text import number
from iqbench.results.schema import ColumnInfo

__all__ = ["Card", "cards_of"]


@dataclass(frozen=True)
class Card:
    """The summary of one dataset.

    Attributes
    ----------
    dataset, task
        Names of the dataset and of its task.
    leaders
        The best method, or several that share the first rank; empty if no method is ranked.
    value
        The mean of the best method with the name of the metric; and the mean that decides the
        rank, if it is another one.
    tied
        Methods that do not differ significantly from the best one.
    few
        The reason if no test can show a difference: ``6 images are too few for a test``.
    front
        Methods on the Pareto front of fidelity and perception.
    incomplete
        How many methods are not ranked, of how many.
    """

    dataset: str
    task: str
    leaders: list[str]
    value: str
    tied: list[str]
    few: str
    front: list[str]
    incomplete: str

    @property
    def leader(self) -> str:
        """The names of the best methods."""
        return ", ".join(self.leaders)


def cards_of(table: MeansTable) -> Iterator[Card]:
    """Make a card for each dataset of a leaderboard."""
    for dataset, rows in table.frame.groupby("dataset", sort=False):
        first = rows[rows["rank"] == 1]
        metric = str(rows["ranked_by"].iloc[0])
        info = table.info(metric)
        value, tied = "", []
        few = few_images(rows)
        if len(first):
            value = _value(first.iloc[0], metric, info)
            letter = first["tie"].iloc[0]
            if letter and not few:
                same = rows[(rows["tie"] == letter) & (rows["rank"] != 1)]
                tied = [str(name) for name in same["method"]]
        scored = rows[rows[PUBLISHED] == ""] if PUBLISHED in rows else rows
        left = int((~scored["complete"]).sum())
        yield Card(
            dataset=str(dataset),
            task=str(rows["task"].iloc[0]),
            leaders=[str(name) for name in first["method"]],
            value=value,
            tied=tied,
            few=f"{few} too few for a test" if few else "",
            front=[str(name) for name in rows.loc[rows["front"].eq(True).fillna(False), "method"]],
            incomplete=f"{left} of {len(scored)}" if left else "",
        )


def _value(row: pd.Series, metric: str, info: ColumnInfo) -> str:
    """Write a mean, and the mean that decides the rank if it is another one."""
    value = f"{metric} {number(float(row[metric]), info.decimals)} {direction_arrow(info)}".rstrip()
    distance, compared = (row.get(f"{metric}{kind}", np.nan) for kind in MEANS[1:])
    if not pd.isna(distance):
        value += f", on average {number(float(distance), info.decimals)} from it"
    if not pd.isna(compared):
        count = int(row[f"{metric}_compared_n"])
        value += f"; {number(float(compared), info.decimals)} on the {count} images compared"
    return value
