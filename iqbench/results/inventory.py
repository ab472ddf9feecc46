"""List the contents of a results folder by method and dataset, with their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from iqbench.results.current import Stored, groups, scored_images
from iqbench.results.filters import Filters
from iqbench.results.parts import TableParts

__all__ = ["Holding", "list_holdings"]


@dataclass(frozen=True)
class Holding:
    """What there is of a method on a dataset.

    Attributes
    ----------
    method, dataset
        Whose.
    images, scored
        How many images it should have, and how many of these were scored.
    metrics
        The columns, by name.
    runs
        How many runs left rows.
    last
        When the newest of them began, ISO 8601 in UTC.
    parts, bytes
        How many files of tables there are, and how large they are together.
    """

    method: str
    dataset: str
    images: int
    scored: int
    metrics: tuple[str, ...]
    runs: int
    last: str
    parts: int
    bytes: int


def list_holdings(
    root: Path, filters: Mapping[str, str | Sequence[str]] | None = None
) -> list[Holding]:
    """List what a results folder has, by method and dataset.

    Parameters
    ----------
    root
        The results folder.
    filters
        Wanted ``dataset`` or ``method``, as for `iqbench.results.read.load_scores`.

    Raises
    ------
    IqbenchError
        Where there are no results, a part is damaged, or a filter names what is not there.
    """
    wanted = Filters.of(filters)
    found = []
    for group in groups(root):
        dataset = wanted.admit("dataset", group.dataset)
        if wanted.admit("method", group.method) and dataset:
            found.append(_holding(group))
    wanted.refuse_unknown()
    if not found and wanted.wanted:
        wanted.refuse_none()
    return sorted(found, key=lambda one: (one.method, one.dataset))


def _holding(group: Stored) -> Holding:
    images, done = scored_images(group)
    sizes = [part.stat().st_size for table in group.tables for part in table.paths()]
    runs = {(run.time, run.command, run.iqbench) for one in group.footers() for run in one.runs}
    return Holding(
        method=group.method,
        dataset=group.dataset,
        images=images.num_rows,
        scored=pc.sum(done).as_py() or 0,
        metrics=tuple(sorted({*_metrics(group.scores), *_metrics(group.sets)})),
        runs=len(runs),
        last=max((time for time, _, _ in runs), default=""),
        parts=len(sizes),
        bytes=sum(sizes),
    )


def _metrics(table: TableParts) -> Iterator[str]:
    yield from table.rows(["metric"]).column("metric").unique().to_pylist()
