"""Workers that die at their start: a lost node does not end the run, a broken cluster does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from iqbench.engine.compute import resolve_compute
from iqbench.engine.executors.dispatch import WorkerDied
from iqbench.engine.executors.ray_workers import FAILED_STARTS, RayExecutor
from iqbench.engine.executors.spec import RayOptions
from iqbench.engine.executors.worker import WorkerSettings
from iqbench.errors import IqbenchError


class RayError(Exception):
    """What Ray raises of a worker that died."""


class DyingCluster(SimpleNamespace):
    """Stands in for Ray: a node with so many cores, whose workers all die at once."""

    exceptions = SimpleNamespace(
        RayError=RayError, RayTaskError=type("RayTaskError", (RayError,), {})
    )

    def remote(self, **_: object) -> Any:
        start = SimpleNamespace(remote=lambda *_: object())
        actor = SimpleNamespace(start=start)
        return lambda _: SimpleNamespace(remote=lambda *_: actor)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": self.cores}}]

    def wait(self, references: list[object], **_: object) -> tuple[list[object], list[object]]:
        return references[:1], references[1:]

    def get(self, _: object) -> None:
        raise RayError("the actor died: its node has died")

    def kill(self, _: object) -> None:
        """Do nothing: it is dead."""


@pytest.mark.parametrize("cores", [1, 4])
def test_each_worker_may_fail_to_start_a_few_times(cores: int) -> None:
    settings = WorkerSettings((), None, "cpu", "exact", None, 1, 1, 1)
    executor = RayExecutor(
        DyingCluster(cores=cores),
        resolve_compute("cpu", "exact", None),
        settings,
        RayOptions(cpus=1),
    )
    with executor:
        for _ in range(cores * FAILED_STARTS - 1):
            assert isinstance(executor.wait(), WorkerDied)
        with pytest.raises(IqbenchError, match="die as soon as they are started"):
            executor.wait()
