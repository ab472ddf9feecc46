"""Open the executor that a spec names, with its resources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from iqbench.engine.compute import Compute, device_name, resolve_compute
from iqbench.engine.executors.executor import Executor, InlineExecutor
from iqbench.engine.executors.processes import ProcessExecutor, shares
from iqbench.engine.executors.spec import ExecutorSpec, RayOptions
from iqbench.engine.executors.worker import Digests, WorkerSettings, default_readers
from iqbench.engine.freed_memory import keep_freed_memory
from iqbench.engine.resources import load_resources
from iqbench.metrics._registry import Request

__all__ = ["open_executor"]


@contextmanager
def open_executor(
    spec: ExecutorSpec,
    requests: tuple[Request, ...],
    *,
    device: str,
    precision: str,
    memory: int | None,
    readers: int | None,
    weights: Path | None = None,
    own_process: bool = False,
) -> Iterator[Executor]:
    """Load what metrics need, and start workers; end them when the run ends, whatever the reason.

    Parameters
    ----------
    spec
        Which executor.
    requests
        The columns of the run.
    device, precision, memory
        As for `iqbench.engine.compute.resolve_compute`; of the whole machine.
    readers
        Threads that read ahead, on the whole machine; by default one per core, up to what keeps
        the device busy; 0 to read in the caller's thread.
    weights
        A folder where weights are looked for first.
    own_process
        Whether this process serves this run alone.

    Raises
    ------
    IqbenchError
        If the device is not there, or weights are missing.
    """
    settings = WorkerSettings(
        requests,
        weights,
        device=device,
        precision=precision,
        memory=memory,
        parts=1,
        threads=torch.get_num_threads(),
        readers=readers or 0,
    )
    if spec.kind == "ray":
        with _ray_executor(spec.ray, settings) as executor:
            yield executor
        return
    compute = resolve_compute(device, precision, memory)
    if readers is None:
        readers = default_readers(compute)
    if spec.kind == "processes":
        divided = shares(replace(settings, readers=readers), compute, device, spec.count)
        # They start while the weights are read here: of these only the digests are needed.
        with ProcessExecutor(compute, device_name(compute), divided, readers) as executor:
            executor.expect(_digests(requests, compute, weights))
            yield executor
        return
    with keep_freed_memory(compute) if own_process else nullcontext():
        yield InlineExecutor(compute, load_resources(requests, compute, folder=weights), readers)


@contextmanager
def _ray_executor(options: RayOptions, settings: WorkerSettings) -> Iterator[Executor]:
    """Connect with Ray, and wait for the first worker."""
    from iqbench.engine.executors.ray_workers import (
        RayExecutor,
        complete,
        compute_of_cluster,
        connected,
    )

    with connected(options.address) as ray:
        compute, device = compute_of_cluster(
            ray, settings.device, settings.precision, settings.memory
        )
        chosen = complete(options, ray, device)
        settings = replace(settings, device=device)
        with RayExecutor(ray, compute, settings, chosen) as executor:
            executor.expect(_digests(settings.requests, compute, settings.weights))
            yield executor


def _digests(requests: tuple[Request, ...], compute: Compute, weights: Path | None) -> Digests:
    """Load on the processor what metrics need, and keep the digests."""
    here = replace(compute, device=torch.device("cpu"))
    return load_resources(requests, here, folder=weights).digests
