"""The progress of scoring into a results folder, by dataset and method, and by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from iqbench.errors import IqbenchError
from iqbench.results.current import Stored, groups, scored_images
from iqbench.results.filters import Filters
from iqbench.results.run_records import RunRecord, read_run_records
from iqbench.results.schema import NOT_SCORED_YET

__all__ = ["MethodProgress", "ResultsProgress", "read_progress"]


@dataclass(frozen=True)
class MethodProgress:
    """How far a method is on a dataset.

    Attributes
    ----------
    dataset, method
        Whose.
    expected
        How many images it should have.
    done, failed, remaining
        How many were scored, could not be scored, and are still to come.
    rate
        Outputs of it that the runs which go on score in a second.
    """

    dataset: str
    method: str
    expected: int
    done: int
    failed: int
    remaining: int
    rate: float = 0.0


@dataclass(frozen=True)
class ResultsProgress:
    """How far everything is.

    Attributes
    ----------
    methods
        By dataset and method.
    runs
        The runs that go on, and those that stopped in the last day; the oldest first.
    """

    methods: Sequence[MethodProgress]
    runs: Sequence[RunRecord]

    @property
    def rate(self) -> float:
        """Outputs a second of all runs that go on."""
        return sum(run.rate for run in self.runs if run.alive)

    @property
    def remaining(self) -> int:
        """How many images are still to come."""
        return sum(one.remaining for one in self.methods)


def read_progress(
    root: Path, filters: Mapping[str, str | Sequence[str]] | None = None
) -> ResultsProgress:
    """Read how far the scoring of a results folder is, while runs write into it.

    Tables say what was scored, what failed and what was announced; runs note more often how far
    they are, and also what they score again.

    Parameters
    ----------
    root
        The results folder.
    filters
        Wanted ``dataset`` or ``method``, as for `iqbench.results.read.load_scores`.

    Raises
    ------
    IqbenchError
        Where there are neither results nor runs, a file is damaged, or a filter names what is not
        there.
    """
    wanted = Filters.of(filters)
    runs = read_run_records(root)
    try:
        found = groups(root)
    except IqbenchError:
        if not runs:
            raise
        found = []  # a run has only begun
    tables = {(group.dataset, group.method): _of_tables(group) for group in found}
    keys = [*tables, *((one.dataset, one.method) for run in runs for one in run.plan)]
    methods = [
        _method(key, tables.get(key), [run for run in runs if run.alive])
        for key in dict.fromkeys(keys)
        if wanted.admit("dataset", key[0]) and wanted.admit("method", key[1])
    ]
    wanted.refuse_unknown()
    return ResultsProgress(sorted(methods, key=lambda one: (one.dataset, one.method)), runs)


@dataclass(frozen=True)
class _Counts:
    expected: int
    done: int
    failed: int
    remaining: int


def _of_tables(group: Stored) -> _Counts:
    images, scored = scored_images(group)
    waiting = pc.fill_null(pc.equal(images.column("error"), NOT_SCORED_YET), False)
    done, remaining = (pc.sum(one).as_py() or 0 for one in (scored, waiting))
    return _Counts(images.num_rows, done, images.num_rows - done - remaining, remaining)


def _method(
    key: tuple[str, str], known: _Counts | None, alive: Sequence[RunRecord]
) -> MethodProgress:
    """Join what the tables say with what the runs note that go on."""
    plans = [(run, one) for run in alive for one in run.plan if (one.dataset, one.method) == key]
    now = sum(one.remaining for _, one in plans)
    planned = sum(one.expected for _, one in plans)
    rate = sum(
        run.rate * one.remaining / run.remaining for run, one in plans if run.remaining and now
    )
    if known is None:
        done, failed = (sum(getattr(one, name) for _, one in plans) for name in ("done", "failed"))
        return MethodProgress(*key, planned, done, failed, now, rate)
    # A run of all images knows best what is to come, also what it scores again. Of shards that no
    # run is at, only the tables know.
    whole = any(not run.shard for run, _ in plans)
    remaining = min(now if whole else max(now, known.remaining), known.expected)
    failed = min(known.failed, known.expected - remaining)
    return MethodProgress(
        *key, known.expected, known.expected - remaining - failed, failed, remaining, rate
    )
