"""Write the progress of a run into the results folder, for `iqbench status`."""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from iqbench.engine.ledger import Summary
from iqbench.engine.plan import RunPlan
from iqbench.engine.reporter import Reporter
from iqbench.results.run_records import FOLDER, Planned, RunRecord, sweep_run_records

__all__ = ["RunProgress"]

_EVERY_SECONDS = 5.0
_RECENT_SECONDS = 60.0


@dataclass
class RunProgress:
    """Notes how far a run is, and tells its reporter; a context manager around the run.

    Attributes
    ----------
    root
        The results folder.
    plan
        What is to be scored.
    summary
        Counts what was scored.
    command
        The command line.
    reporter
        Is told too.
    """

    root: Path
    plan: RunPlan
    summary: Summary
    command: str
    reporter: Reporter
    _begun: float = field(default_factory=time.time, init=False)
    _written: float = field(default=0.0, init=False)
    _past: deque[tuple[float, int]] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self._file = self.root / FOLDER / f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
        self._expected = list(_expected(self.plan))

    def __enter__(self) -> RunProgress:
        sweep_run_records(self.root)
        self._note("running")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:  # the tables say the rest
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
        else:
            self._note(f"stopped: {kind.__name__}")

    def begin(self, what: str, total: int) -> None:
        """Say that a stretch of work begins."""
        self.reporter.begin(what, total)

    def advance(self, done: int) -> None:
        """Say that so many more are done."""
        self.reporter.advance(done)
        if time.time() - self._written > _EVERY_SECONDS:
            self._note("running")

    def _note(self, state: str) -> None:
        now = self._written = time.time()
        plan = tuple(
            Planned(
                dataset,
                method,
                expected,
                self.summary.done[dataset, method],
                self.summary.failed[dataset, method],
            )
            for dataset, method, expected in self._expected
        )
        count = sum(one.done + one.failed for one in plan)
        self._past.append((now, count))
        while len(self._past) > 2 and now - self._past[1][0] >= _RECENT_SECONDS:
            self._past.popleft()
        then, before = self._past[0]
        RunRecord(
            command=self.command,
            shard="" if self.plan.shard.whole else str(self.plan.shard),
            host=platform.node(),
            process=os.getpid(),
            begun=self._begun,
            updated=now,
            state=state,
            plan=plan,
            recent=(now - then, count - before),
        ).write(self._file)


def _expected(plan: RunPlan) -> Iterable[tuple[str, str, int]]:
    """Count the outputs of each dataset and method that the run is to score."""
    for item in plan.datasets:
        for method, number in item.sizes.items():
            yield item.dataset.name, method, number
