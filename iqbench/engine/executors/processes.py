"""An executor with several processes on this machine: one per GPU, or some that share the CPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

import torch

import iqbench
from iqbench.engine.compute import Compute
from iqbench.engine.executors.child import Loaded, Result, WorkerFailure
from iqbench.engine.executors.dispatch import (
    Event,
    UnitDone,
    WorkerDied,
    WorkerReady,
    dispatch,
    lost,
)
from iqbench.engine.executors.worker import (
    CloseDataset,
    Digests,
    Message,
    WorkerSettings,
    packed,
)
from iqbench.engine.unit_scorer import DatasetContext, ScoredPart
from iqbench.engine.units import WorkUnit
from iqbench.errors import IqbenchError

__all__ = ["ProcessExecutor", "shares"]

MOST_BY_DEFAULT = 8
"""Processes that share the processor, unless the user says how many."""

MOST_A_CORE = 32
"""Processes that the user may ask for, to a core; each takes some 300 MB from its start."""

FAILED_STARTS = 3
"""Number of failed starts in a row after which the run ends."""

_PROGRAM = "from iqbench.engine.executors.child import main; main()"

_Arrived: TypeAlias = "Loaded | Result | WorkerFailure | None"


def shares(
    settings: WorkerSettings, compute: Compute, device: str, count: int | None
) -> list[WorkerSettings]:
    """Divide a machine among workers.

    Parameters
    ----------
    settings
        What is to be divided: memory, threads and readers.
    compute
        The device that was found.
    device
        What the user said of it.
    count
        Number of workers; by default one per GPU, or one per core up to `MOST_BY_DEFAULT`.

    Raises
    ------
    IqbenchError
        If there would be more than `MOST_A_CORE` to a core.
    """
    cores = os.cpu_count() or 1
    if count is not None and count > MOST_A_CORE * cores:
        raise IqbenchError(
            f"executor processes:{count}: at most {MOST_A_CORE * cores:,} processes are started on "
            f"this machine, {MOST_A_CORE} a core",
            hint="Write processes, which chooses a number that fits",
        )
    if compute.device.type == "cuda":
        one = compute.device.index is not None and device not in ("auto", "cuda")
        places = (
            [str(compute.device)]
            if one
            else [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        )
        workers = count or len(places)
    else:
        places = [str(compute.device)]
        workers = count or min(MOST_BY_DEFAULT, settings.threads)
    chosen = [places[number % len(places)] for number in range(workers)]
    return [
        replace(
            settings,
            device=place,
            memory=None if settings.memory is None else settings.memory // workers,
            parts=chosen.count(place),
            threads=max(1, settings.threads // workers),
            readers=max(1, settings.readers // workers),
        )
        for place in chosen
    ]


@dataclass
class _Process:
    """A worker process.

    Attributes
    ----------
    settings
        Of the worker.
    child
        The process.
    connection
        To it.
    ready
        Whether it takes units.
    held
        Units that it has.
    """

    settings: WorkerSettings
    child: subprocess.Popen[bytes]
    connection: Connection
    ready: bool = False
    held: list[WorkUnit] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """Send a message; if the process has gone, an event tells."""
        content = packed(message)
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(content)


class ProcessExecutor:
    """Scores in processes of this machine; use it as a context manager, which ends them.

    Parameters
    ----------
    compute
        The precision, and the machine's memory.
    device
        For manifests.
    settings
        One per process.
    readers
        Threads that read ahead in this process.

    Raises
    ------
    IqbenchError
        If the system is none where processes can be started so.
    """

    def __init__(
        self, compute: Compute, device: str, settings: list[WorkerSettings], readers: int
    ) -> None:
        if os.name != "posix":
            raise IqbenchError(
                "executor processes runs on Linux and macOS only", hint="Use --executor inline"
            )
        self.compute = compute
        self.device = device
        self.workers = len(settings)
        self.readers = readers
        self.digests: Digests = {}
        self._contexts: dict[str, DatasetContext] = {}
        self._arrived: SimpleQueue[tuple[int, _Arrived]] = SimpleQueue()
        self._processes: dict[int, _Process] = {}
        self._started = 0
        self._failed_starts = 0
        self._settings = settings

    def __enter__(self) -> ProcessExecutor:
        """Start the processes: all of them, or none."""
        try:
            for one in self._settings:
                self._start(one)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """End all processes; they hold nothing that is not here."""
        for process in self._processes.values():
            process.child.kill()
        for process in self._processes.values():
            process.child.wait()

    def expect(self, digests: Digests) -> None:
        """Say which weights workers must have."""
        self.digests = digests

    def open(self, context: DatasetContext) -> None:
        """Send all workers what the units of a dataset are scored by."""
        self._contexts[context.name] = context
        for process in self._processes.values():
            process.send(context)

    def close(self, dataset: str) -> None:
        """Let workers forget a dataset."""
        self._contexts.pop(dataset, None)
        for process in self._processes.values():
            process.send(CloseDataset(dataset))

    def score(self, units: Iterable[WorkUnit]) -> Generator[ScoredPart, None, None]:
        """Score units, in the order in which they are done."""
        return dispatch(self, units, self._give_up)

    def _give_up(self, unit: WorkUnit, why: str) -> ScoredPart:
        return lost(unit, self._contexts[unit.key[0]].extraction.columns, why)

    def ready(self) -> Collection[int]:
        """Return the processes that have loaded their networks."""
        return [number for number, process in self._processes.items() if process.ready]

    def send(self, worker: int, unit: WorkUnit) -> None:
        """Send a unit to a process."""
        process = self._processes[worker]
        process.held.append(unit)
        process.send(unit)

    def wait(self) -> Event:
        """Wait for a process to tell something, or to die; start another in place of a dead one.

        Raises
        ------
        IqbenchError
            If a worker cannot load what it needs, or processes die as soon as they are started.
        RuntimeError
            If the program failed in a worker.
        """
        while True:
            number, arrived = self._arrived.get()
            process = self._processes[number]
            if isinstance(arrived, Loaded):
                if self.digests and arrived.digests != self.digests:
                    raise IqbenchError(
                        "a worker found other weights than the run began with",
                        hint="Weights were changed while it went on: run the command again",
                    )
                self._failed_starts = 0
                process.ready = True
                return WorkerReady(number)
            if isinstance(arrived, Result):
                unit = next(one for one in process.held if one.key == arrived.unit)
                process.held.remove(unit)
                return UnitDone(number, unit, arrived.parts)
            if isinstance(arrived, WorkerFailure):
                if isinstance(arrived.error, IqbenchError):
                    raise arrived.error
                raise RuntimeError(f"a worker failed:\n{arrived.text}") from arrived.error
            return self._died(number, process)

    def _died(self, number: int, process: _Process) -> WorkerDied:
        """Start another process in place of one that died."""
        code = process.child.wait()
        reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        del self._processes[number]
        if not process.ready:
            self._failed_starts += 1
            if self._failed_starts >= FAILED_STARTS:
                raise IqbenchError(
                    f"worker processes die as soon as they are started ({reason})",
                    hint="Give --executor processes:N with fewer, or --executor inline: each "
                    "process holds networks of its own",
                )
        self._start(process.settings)
        return WorkerDied(number, reason)

    def _start(self, settings: WorkerSettings) -> None:
        """Start a process, and a thread that hears what it says."""
        messages = [packed(one) for one in (settings, *self._contexts.values())]
        mine, theirs = Pipe()
        number = self._started
        self._started += 1
        package = str(Path(iqbench.__file__).parents[1])
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", ""))))
        try:
            with _interrupts_blocked():
                child = subprocess.Popen(
                    [sys.executable, "-c", _PROGRAM, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=os.environ | {"PYTHONPATH": path},
                )
        except OSError as error:
            raise IqbenchError(
                f"a worker process cannot be started: {error.strerror or error}",
                hint="Give --executor processes:N with fewer, or --executor inline",
            ) from error
        theirs.close()
        self._processes[number] = _Process(settings, child, mine)
        with suppress(BrokenPipeError, ConnectionResetError):
            mine.send(sys.path)
            for message in messages:
                mine.send_bytes(message)
        threading.Thread(
            target=_listen, args=(number, mine, self._arrived), name="iqbench-listen", daemon=True
        ).start()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, from their first moment on.

    A terminal sends it to every process of the command; whoever started a worker ends it. A new
    process inherits which signals are blocked.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _listen(
    number: int, connection: Connection, arrived: SimpleQueue[tuple[int, _Arrived]]
) -> None:
    """Pass on what a process says; None when it says no more."""
    with suppress(EOFError, OSError):
        while True:
            arrived.put((number, connection.recv()))
    arrived.put((number, None))
