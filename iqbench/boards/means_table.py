"""Tables of means: one row per method, with descriptions of the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from iqbench.boards.headings import ENDS, MEANS, SUFFIXES, metric_columns
from iqbench.results.columns import Columns
from iqbench.results.schema import ColumnInfo

__all__ = ["MeansTable"]


@dataclass(frozen=True)
class MeansTable:
    """A leaderboard, or averages over datasets.

    Attributes
    ----------
    frame
        One row per dataset and method, or per scope and method; for its columns see
        `iqbench.boards.board.Board`.
    columns
        Descriptions of the metrics.
    """

    frame: pd.DataFrame
    columns: Columns

    @property
    def averages(self) -> bool:
        """Whether these are averages over datasets."""
        return "scope" in self.frame.columns

    @property
    def metrics(self) -> list[str]:
        """Headings of the columns that hold means of metrics."""
        return metric_columns(self.frame)

    def info(self, heading: str) -> ColumnInfo:
        """Return the description of a metric's column."""
        return self.columns.info(heading)

    def part(self, rows: pd.DataFrame) -> MeansTable:
        """Return the table with only these rows."""
        return replace(self, frame=rows)

    def parts(self) -> Iterator[tuple[str, MeansTable]]:
        """Return each dataset with its table."""
        for dataset, rows in self.frame.groupby("dataset", sort=False):
            yield str(dataset), self.part(rows)

    def places(self) -> pd.DataFrame:
        """Return which methods are the best and the second best in each column.

        Rows are compared within a dataset, or, for averages, within a scope and task.

        Returns
        -------
        pandas.DataFrame
            With the index and the metrics' columns of the frame: 1 for the best complete method,
            2 for the second, 0 for the others. If all are equal, none is the best.
        """
        by = ["scope", "task"] if self.averages else ["dataset"]
        marks = pd.DataFrame(0, index=self.frame.index, columns=self.metrics)
        for heading in self.metrics:
            if f"{heading}_rank" in self.frame:
                ranks = self.frame[f"{heading}_rank"].astype(float)
                groups = ranks.groupby([self.frame[name] for name in by], observed=True)
                place = groups.rank(method="dense").where(groups.transform("nunique") > 1)
                marks[heading] = place.where(place <= 2, 0).fillna(0).astype(int)
        return marks

    def without_intervals(self) -> MeansTable:
        """Leave out the ends of intervals."""
        means = [f"{name}{kind}" for name in self.metrics for kind in MEANS]
        ends = [f"{name}{end}" for name in (*means, "rank", "average_rank") for end in ENDS]
        return self.part(self.frame.drop(columns=ends, errors="ignore"))

    def with_metrics_of(self, more: MeansTable, by: Sequence[str]) -> MeansTable:
        """Add the metrics that only another table has, so that a page can show them too.

        Ranks, ties and completeness do not change: the table's own metrics decide them.

        Parameters
        ----------
        more
            A table with the same rows and more metrics.
        by
            Columns that identify a row.
        """
        extra = [name for name in more.metrics if name not in self.frame.columns]
        names = [f"{name}{suffix}" for name in extra for suffix in SUFFIXES]
        names = [name for name in names if name in more.frame]
        if not names:
            return self
        return self.part(self.frame.merge(more.frame[[*by, *names]], on=list(by), how="left"))
