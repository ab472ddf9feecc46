"""An executor with workers on a Ray cluster: one actor per GPU, or per few cores."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from iqbench.engine.batching import UnitKey
from iqbench.engine.compute import Compute, device_name, resolve_compute
from iqbench.engine.executors.dispatch import (
    Event,
    UnitDone,
    WorkerDied,
    WorkerReady,
    dispatch,
    lost,
)
from iqbench.engine.executors.spec import RayOptions
from iqbench.engine.executors.worker import (
    CloseDataset,
    Digests,
    Inbox,
    UnitWorker,
    WorkerSettings,
    default_readers,
    packed,
    unpacked,
)
from iqbench.engine.unit_scorer import DatasetContext, ScoredPart
from iqbench.engine.units import WorkUnit
from iqbench.errors import IqbenchError, exits_as_errors
from iqbench.forks import ForkLock
from iqbench.packages import missing_package

__all__ = [
    "RayExecutor",
    "RayWorker",
    "complete",
    "compute_of_cluster",
    "connected",
    "fitting",
]

MOST_A_NODE = 8
"""Workers that share the cores of a node, unless the user says how many cores each has."""

FAILED_STARTS = 3
"""Number of workers that may die at their start, one after the other, before the run ends."""

PATIENCE = 900.0
"""Seconds after which a run ends to which the cluster gave no worker."""

_SECOND = 1.0

_CONNECT = 20.0
"""Seconds within which the address of a cluster must answer."""


def imported_ray() -> ModuleType:
    """Import Ray.

    Raises
    ------
    IqbenchError
        If it is not installed.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise missing_package(error) from error
    return ray


@contextmanager
def connected(address: str) -> Iterator[ModuleType]:
    """Connect with a cluster, or start one on this machine, and leave it as it was.

    Parameters
    ----------
    address
        As `ray.init` takes it; empty for the cluster that Ray finds by itself, or a new one.

    Raises
    ------
    IqbenchError
        If Ray is not installed, or there is no cluster at the address.
    """
    ray = imported_ray()
    if ray.is_initialized():  # the caller's
        yield ray
        return
    _check_reachable(address or os.environ.get("RAY_ADDRESS", ""))
    with _own_signals():
        try:
            ray.init(address=address or None, log_to_driver=False, logging_level="ERROR")
        except (ray.exceptions.RayError, ValueError, RuntimeError, OSError) as error:
            raise _no_cluster(address, error) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Refuse an address where nothing listens: Ray itself would try for many minutes."""
    host, colon, port = address.rpartition("://")[2].partition("/")[0].rpartition(":")
    if not (colon and port.isdigit()):  # auto, local, or none
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT):
            pass
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> IqbenchError:
    first_line = str(error).strip().partition("\n")[0]
    where = f"at {address!r}" if address else "on this machine"
    return IqbenchError(
        f"there is no Ray cluster {where} that can be used: {first_line}",
        hint="See `ray status`. A cluster that asks for a token needs RAY_AUTH_MODE=token and "
        "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH here too",
    )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Take back the handlers of signals that Ray sets: whoever set them knows what is to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def fitting(resources: Mapping[str, float], options: RayOptions) -> int:
    """Return how many workers fit into a node of these resources."""
    fits = [
        int(resources.get(name, 0) / wanted + 1e-6)
        for name, wanted in (("CPU", options.cpus), ("GPU", options.gpus))
        if wanted
    ]
    return min(fits, default=0)


class Surroundings(NamedTuple):
    """What a worker takes over from the process that started the run.

    Attributes
    ----------
    path
        Where Python looks for modules.
    folder
        The working folder, to which paths may be relative.
    environment
        The settings of iqbench.
    """

    path: list[str]
    folder: str
    environment: dict[str, str]

    @classmethod
    def here(cls) -> Surroundings:
        """Return those of this process."""
        mine = {name: value for name, value in os.environ.items() if name.startswith("IQBENCH_")}
        folder = ""
        with suppress(OSError):  # it was deleted
            folder = str(Path.cwd())
        return cls(list(sys.path), folder, mine)

    def enter(self) -> None:
        """Take them over in this process."""
        os.environ.update(self.environment)
        sys.path.extend(place for place in self.path if place not in sys.path)
        with suppress(OSError):  # paths may be absolute, or of an object store
            os.chdir(self.folder)


class WorkerStarted(NamedTuple):
    """What a worker tells when it has loaded its networks."""

    digests: Digests
    device: str


class RayWorker:
    """The actor: a worker whose messages come as calls.

    What travels is pickled here and not by Ray: it can be read only once the worker looks for
    modules where the starting process does.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        surroundings.enter()
        self._inbox = Inbox()
        self._lock = ForkLock()
        self._results: dict[UnitKey, Future[list[ScoredPart]]] = {}
        self._opened: set[str] = set()
        self._error: Exception | None = None

    def start(self, settings: bytes, options: RayOptions) -> WorkerStarted:
        """Load networks, and begin to wait for units."""
        given: WorkerSettings = unpacked(settings)
        worker = UnitWorker(_share(given, options))
        threading.Thread(target=self._run, args=(worker,), daemon=True).start()
        return WorkerStarted(worker.digests, device_name(worker.compute))

    def score(self, unit: bytes, dataset: str, context: Sequence[Any]) -> list[ScoredPart]:
        """Score a unit; `context` holds the reference of what its dataset is scored by."""
        result: Future[list[ScoredPart]] = Future()
        with self._lock:
            if dataset not in self._opened:
                found: DatasetContext = unpacked(imported_ray().get(context[0]))
                self._inbox.put(found)
                self._opened.add(dataset)
            if self._error is not None:
                raise self._error
            work: WorkUnit = unpacked(unit)
            self._results[work.key] = result
            self._inbox.put(work)
        return result.result()

    def close(self, dataset: str) -> None:
        """Forget a dataset."""
        with self._lock:
            self._opened.discard(dataset)
            self._inbox.put(CloseDataset(dataset))

    def _run(self, worker: UnitWorker) -> None:
        try:
            with exits_as_errors():
                worker.run(
                    self._inbox, lambda unit, parts: self._results.pop(unit.key).set_result(parts)
                )
        except Exception as error:  # it ends the run, wherever it is raised
            with self._lock:
                self._error = error
                for result in self._results.values():
                    result.set_exception(error)


def _share(settings: WorkerSettings, options: RayOptions) -> WorkerSettings:
    """Take this worker's share of its node."""
    ray = imported_ray()
    me = ray.get_runtime_context().get_node_id()
    node = next(one for one in ray.nodes() if one["NodeID"] == me)
    workers = max(1, fitting(node["Resources"], options))
    cores = os.cpu_count() or 1
    on_gpu = settings.device != "cpu"
    return replace(
        settings,
        memory=None if settings.memory is None else settings.memory // workers,
        parts=max(1, int(1 / (options.gpus or 1) + 1e-6)) if on_gpu else workers,
        threads=max(1, cores // workers if on_gpu else int(options.cpus or 1)),
        readers=max(1, (settings.readers or cores) // workers),
    )


@dataclass
class _Actor:
    """An actor, and what is under way in it.

    Attributes
    ----------
    handle
        Of the actor.
    starting
        The reference of what it tells when it has started; None afterwards.
    units
        By the references of their results.
    """

    handle: Any
    starting: Any
    units: dict[Any, WorkUnit] = field(default_factory=dict)


class RayExecutor:
    """Scores by the workers of a Ray cluster; use it as a context manager, which ends them.

    Workers are started as nodes come, and Ray is asked for no more than fit, unless `options` say
    how many: then a cluster that grows by itself grows for them.

    Parameters
    ----------
    ray
        The connected module.
    compute
        Precision and memory.
    settings
        Of a worker; memory and readers are those of a whole node.
    options
        What a worker asks of its node.
    """

    def __init__(
        self, ray: ModuleType, compute: Compute, settings: WorkerSettings, options: RayOptions
    ) -> None:
        self.compute = compute
        self.readers = settings.readers or default_readers(compute)
        self.device = ""
        self.digests: Digests = {}
        self._ray = ray
        self._options = options
        self._settings = packed(settings)
        self._surroundings = Surroundings.here()
        self._actors: dict[int, _Actor] = {}
        self._made = 0
        self._failed_starts = 0
        self._counted = float("-inf")
        self._wanted = 1
        self._alone_since = time.monotonic()
        self._contexts: dict[str, tuple[DatasetContext, Any]] = {}
        self._class = ray.remote(
            num_cpus=options.cpus,
            num_gpus=options.gpus,
            max_concurrency=8,
            max_restarts=0,
            max_task_retries=0,
        )(RayWorker)

    def __enter__(self) -> RayExecutor:
        self._grow()
        return self

    def __exit__(self, *error: object) -> None:
        """End all workers; they hold nothing that is not here."""
        for actor in self._actors.values():
            self._ray.kill(actor.handle)

    @property
    def workers(self) -> int:
        """How many workers there are to be, as far as is known now."""
        return self._wanted

    def expect(self, digests: Digests) -> None:
        """Say which weights workers must have, and wait for the first of them."""
        self.digests = digests
        while not self.ready():
            self.wait()

    def open(self, context: DatasetContext) -> None:
        """Put what the units of a dataset are scored by where all nodes find it."""
        content = self._ray.put(packed(context))
        self._contexts[context.name] = context, content

    def close(self, dataset: str) -> None:
        """Let workers forget a dataset."""
        self._contexts.pop(dataset, None)
        for actor in self._actors.values():
            actor.handle.close.remote(dataset)

    def score(self, units: Iterable[WorkUnit]) -> Generator[ScoredPart, None, None]:
        """Score units, in the order in which they are done."""
        return dispatch(self, units, self._give_up)

    def _give_up(self, unit: WorkUnit, why: str) -> ScoredPart:
        context, _ = self._contexts[unit.key[0]]
        return lost(unit, context.extraction.columns, why)

    def ready(self) -> Collection[int]:
        """Return the workers that have loaded their networks."""
        return [number for number, actor in self._actors.items() if actor.starting is None]

    def send(self, worker: int, unit: WorkUnit) -> None:
        """Give a worker per unit."""
        actor = self._actors[worker]
        _, context = self._contexts[unit.key[0]]
        content = packed(unit)
        actor.units[actor.handle.score.remote(content, unit.key[0], [context])] = unit

    def wait(self) -> Event:
        """Wait for a worker to tell something, or to die; start others where they fit.

        Raises
        ------
        IqbenchError
            If a worker cannot load what it needs, workers die as soon as they are started, or
            there is none for a quarter of an hour.
        RuntimeError
            If the program failed in a worker.
        """
        while True:
            self._grow()
            references = {
                reference: number
                for number, actor in self._actors.items()
                for reference in (*actor.units, *([actor.starting] if actor.starting else ()))
            }
            done, _ = self._ray.wait(list(references), num_returns=1, timeout=_SECOND)
            if done:
                return self._told(references[done[0]], done[0])
            if self.ready():
                self._alone_since = time.monotonic()
            elif time.monotonic() - self._alone_since > PATIENCE:
                raise IqbenchError(
                    f"the Ray cluster started no worker within {PATIENCE / 60:.0f} minutes: it has "
                    f"{_spelt(self._ray.cluster_resources())}, and a worker asks for "
                    f"CPU {self._options.cpus}, GPU {self._options.gpus}",
                    hint="Wait until other jobs are done, or ask for less: "
                    "--executor ray:cpus=1,gpus=0.5",
                )

    def _told(self, number: int, reference: Any) -> Event:
        """Turn what became of a call into an event."""
        actor = self._actors[number]
        exceptions = self._ray.exceptions
        try:
            found = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, IqbenchError):
                raise cause from None
            raise RuntimeError(f"a worker failed:\n{error}") from error
        except exceptions.RayError as error:
            return self._died(number, actor, error)
        if isinstance(found, WorkerStarted):
            if self.digests and found.digests != self.digests:
                raise IqbenchError(
                    "a node of the Ray cluster has other weights than the machine that started "
                    "the run",
                    hint="Give all of them the same: iqbench weights list",
                )
            actor.starting = None
            self.device = self.device or f"{found.device} by Ray"
            self._failed_starts = 0
            return WorkerReady(number)
        return UnitDone(number, actor.units.pop(reference), found)

    def _died(self, number: int, actor: _Actor, error: Exception) -> WorkerDied:
        """Forget a worker that died, or whose node did."""
        reason = f"{type(error).__name__} of Ray"
        del self._actors[number]
        with suppress(Exception):  # it may only have been out of reach
            self._ray.kill(actor.handle)
        if actor.starting is not None:
            self._failed_starts += 1
            # A node that is lost takes all its workers along, so each of them may fail this often.
            most = FAILED_STARTS * max(1, self._wanted)
            if self._failed_starts >= most and not self.ready():
                first_line = str(error).strip().partition("\n")[0]
                raise IqbenchError(
                    f"workers of the Ray cluster die as soon as they are started: {first_line}",
                    hint="iqbench must be installed on each node, with the memory that networks "
                    "take; see the logs of Ray",
                )
        self._counted = float("-inf")
        return WorkerDied(number, reason)

    def _grow(self) -> None:
        """Start as many workers as fit, once a second: nodes come and go."""
        if time.monotonic() - self._counted > _SECOND:
            self._counted = time.monotonic()
            nodes = [one["Resources"] for one in self._ray.nodes() if one["Alive"]]
            room = sum(fitting(resources, self._options) for resources in nodes)
            self._wanted = self._options.workers or max(1, room)
        while len(self._actors) < self._wanted:
            handle = self._class.remote(self._surroundings)
            starting = handle.start.remote(self._settings, self._options)
            self._actors[self._made] = _Actor(handle, starting)
            self._made += 1


def _spelt(resources: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {resources.get(name, 0):g}" for name in ("CPU", "GPU"))


def compute_of_cluster(
    ray: ModuleType, device: str, precision: str, memory: int | None
) -> tuple[Compute, str]:
    """Return what this process computes with, which is little, and the device of the workers.

    Raises
    ------
    IqbenchError
        If the device names one GPU of several, or does not know the precision.
    """
    if device == "auto":
        device = "cuda" if ray.cluster_resources().get("GPU", 0) else "cpu"
    if device not in ("cpu", "cuda"):
        raise IqbenchError(
            f"executor ray: Ray chooses the GPU of each worker, so the device cannot be {device!r}",
            hint="Use --device cuda or --device cpu",
        )
    if device == "cuda" and precision == "tf32":  # which this process need not know
        return replace(resolve_compute("cpu", "exact", memory), precision="tf32"), device
    return resolve_compute("cpu", precision, memory), device


def complete(options: RayOptions, ray: ModuleType, device: str) -> RayOptions:
    """Fill in what a worker asks of its node, where the user did not say it."""
    cores = [
        one["Resources"]["CPU"]
        for one in ray.nodes()
        if one["Alive"] and one["Resources"].get("CPU")
    ]
    share = max(1, int(min(cores, default=1)) // MOST_A_NODE)
    on_gpu = device == "cuda"
    return replace(
        options,
        cpus=options.cpus or (1 if on_gpu else share),
        gpus=options.gpus or (1 if on_gpu else 0),
    )
