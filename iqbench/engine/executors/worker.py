"""The state of a worker: it loads networks once, and scores the units that it receives."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

import torch

from iqbench.engine.batching import UnitKey
from iqbench.engine.compute import Compute, default_memory, resolve_compute
from iqbench.engine.freed_memory import keep_freed_memory
from iqbench.engine.resources import load_resources
from iqbench.engine.unit_scorer import DatasetContext, ScoredPart, UnitScorer
from iqbench.engine.units import WorkUnit
from iqbench.errors import IqbenchError
from iqbench.loader import Arrival
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import Request

__all__ = [
    "CloseDataset",
    "Digests",
    "Inbox",
    "Message",
    "UnitWorker",
    "WorkerSettings",
    "default_readers",
    "packed",
    "unpacked",
]


_MOST_READERS = {"cpu": 8, "cuda": 32}


def default_readers(compute: Compute) -> int:
    """Return how many threads read ahead: one per core, up to what the device keeps busy."""
    return min(_MOST_READERS[compute.device.type], os.cpu_count() or 1)


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker works; memory and threads are its share of the machine.

    Attributes
    ----------
    requests
        The columns of the run.
    weights
        A folder where weights are looked for first.
    device, precision
        As for `resolve_compute`.
    memory
        Bytes; None for what suits the device.
    parts
        Among how many workers what suits the device is divided.
    threads
        That compute.
    readers
        Threads that read ahead; 0 for what suits the machine.
    """

    requests: tuple[Request, ...]
    weights: Path | None
    device: str
    precision: str
    memory: int | None
    parts: int
    threads: int
    readers: int


@dataclass(frozen=True)
class CloseDataset:
    """Tells a worker that no more units of a dataset will come."""

    dataset: str


Digests: TypeAlias = "Mapping[str | Metric, str]"
"""Digests of weights, by network and by metric."""

Message: TypeAlias = "DatasetContext | CloseDataset | WorkUnit | Exception | None"
"""What is sent to a worker; None to end, and an error that ends it."""


def packed(what: object) -> bytes:
    """Write what a worker needs as bytes.

    Raises
    ------
    IqbenchError
        If something of it cannot be sent to another process.
    """
    try:
        return bytes(ForkingPickler.dumps(what))
    except Exception as error:  # of code of other packages
        raise _cannot_be_sent(error) from error


def unpacked(content: bytes) -> Any:
    """Read what `packed` wrote, in a worker.

    Raises
    ------
    IqbenchError
        If this process cannot import what it needs for that.
    """
    try:
        return ForkingPickler.loads(content)
    except Exception as error:  # of code of other packages
        raise _cannot_be_sent(error) from error


def _cannot_be_sent(error: Exception) -> IqbenchError:
    first_line = str(error).partition("\n")[0]
    return IqbenchError(
        "what a worker needs cannot be sent to another process: "
        f"{type(error).__name__}: {first_line}",
        hint="Define metrics and layouts in a module that can be imported, or leave --executor out",
    )


class Inbox:
    """What was sent to a worker and is not done yet; filled by one thread, emptied by another."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message] = SimpleQueue()
        self._next: list[Message] = []

    def put(self, message: Message) -> None:
        """Add a message."""
        self._queue.put(message)

    def wait(self) -> None:
        """Wait until there is a message."""
        if not self._next:
            self._next.append(self._queue.get())

    def messages(self) -> Iterator[DatasetContext | CloseDataset | WorkUnit | Arrival]:
        """Give messages as they come, until the end; never wait."""
        while True:
            try:
                message = self._next.pop() if self._next else self._queue.get_nowait()
            except Empty:
                yield Arrival.NONE_YET
                continue
            if message is None:
                return
            if isinstance(message, Exception):
                raise message
            yield message


@dataclass
class _Collected:
    """The parts of a unit that are scored already."""

    unit: WorkUnit
    left: int
    parts: list[ScoredPart] = field(default_factory=list)


class UnitWorker:
    """Scores units in the thread that calls `run`.

    Parameters
    ----------
    settings
        How.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        warnings.simplefilter("ignore")  # whoever started the run has loaded the same, and warned
        torch.set_num_threads(settings.threads)
        compute = resolve_compute(settings.device, settings.precision, settings.memory)
        if settings.memory is None:
            share = default_memory(compute.device) // settings.parts
            compute = resolve_compute(settings.device, settings.precision, share)
        resources = load_resources(settings.requests, compute, folder=settings.weights)
        self._threads = settings.threads
        self.compute = compute
        self._kept: AbstractContextManager[None] = keep_freed_memory(compute)
        self.digests: Digests = resources.digests
        readers = settings.readers or default_readers(compute)
        self._scorer = UnitScorer(compute, resources, readers)
        self._collected: dict[UnitKey, _Collected] = {}

    def run(self, inbox: Inbox, send: Callable[[WorkUnit, list[ScoredPart]], object]) -> None:
        """Score what comes, until the end comes.

        Parameters
        ----------
        inbox
            Of the worker.
        send
            Takes each unit with its result.
        """
        torch.set_num_threads(self._threads)  # of this thread
        with self._kept:
            for scored in self._scorer.score(self._units(inbox)):
                if isinstance(scored, Arrival):
                    inbox.wait()
                    continue
                collected = self._collected[scored.unit]
                collected.parts.append(scored)
                collected.left -= scored.done
                if collected.left == 0:
                    del self._collected[scored.unit]
                    send(collected.unit, collected.parts)

    def _units(self, inbox: Inbox) -> Iterator[WorkUnit | Arrival]:
        """Take datasets in hand, and give their units."""
        for message in inbox.messages():
            if isinstance(message, DatasetContext):
                self._scorer.open(message)
            elif isinstance(message, CloseDataset):
                self._scorer.close(message.dataset)
            else:
                if not isinstance(message, Arrival):
                    self._collected[message.key] = _Collected(message, message.size)
                yield message
