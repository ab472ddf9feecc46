"""The interface of executors, and the executor that scores in this process."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from typing import Protocol

from iqbench.engine.compute import Compute, device_name
from iqbench.engine.resources import Resources
from iqbench.engine.unit_scorer import DatasetContext, ScoredPart, UnitScorer
from iqbench.engine.units import MOST_OUTPUTS, WorkUnit
from iqbench.loader import Arrival
from iqbench.metrics._base import Metric

__all__ = ["Executor", "InlineExecutor", "outputs_at_once"]

_UNITS_A_WORKER = 32
"""A worker gets at least so many units of a dataset, so that all of them end at about one time."""


class Executor(Protocol):
    """Scores units somewhere.

    What it returns depends on the units only. It writes nothing: the run enters what comes back.
    """

    @property
    def compute(self) -> Compute:
        """The precision, and the device and memory of this machine's part."""
        ...

    @property
    def digests(self) -> Mapping[str | Metric, str]:
        """Digests of weights, by network and by metric, for signatures."""
        ...

    @property
    def device(self) -> str:
        """Where scores are computed, for manifests."""
        ...

    @property
    def readers(self) -> int:
        """Threads that read ahead in this process."""
        ...

    @property
    def workers(self) -> int:
        """How many units are scored at the same time."""
        ...

    def open(self, context: DatasetContext) -> None:
        """Take what the units of a dataset are scored by, before the first of them."""
        ...

    def close(self, dataset: str) -> None:
        """Forget a dataset, all of whose units are scored."""
        ...

    def score(self, units: Iterable[WorkUnit]) -> Generator[ScoredPart, None, None]:
        """Score units; parts of them come back in any order, each output in one part."""
        ...


class InlineExecutor:
    """Scores in this process.

    Parameters
    ----------
    compute
        Device, precision and memory budget.
    resources
        Networks and parameters.
    readers
        Threads that read ahead; 0 to read in the caller's thread.
    """

    workers = 1

    def __init__(self, compute: Compute, resources: Resources, readers: int) -> None:
        self.compute = compute
        self.device = device_name(compute)
        self.digests = resources.digests
        self.readers = readers
        self._scorer = UnitScorer(compute, resources, readers)

    def open(self, context: DatasetContext) -> None:
        """Take what the units of a dataset are scored by."""
        self._scorer.open(context)

    def close(self, dataset: str) -> None:
        """Forget a dataset."""
        self._scorer.close(dataset)

    def score(self, units: Iterable[WorkUnit]) -> Generator[ScoredPart, None, None]:
        """Score units in their order."""
        with closing(self._scorer.score(units)) as results:
            for scored in results:
                assert not isinstance(scored, Arrival)
                yield scored


def outputs_at_once(outputs: int, workers: int) -> int:
    """Return how many outputs a unit should have, so that all workers get their share."""
    return max(1, min(MOST_OUTPUTS, outputs // (workers * _UNITS_A_WORKER)))
