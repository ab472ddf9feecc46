"""Every test runs offline with weights that were fetched before, or is skipped with a reason."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Protocol

import pytest
import torch
from hypothesis import HealthCheck, settings
from made_metrics import LEVELS

from iqbench.engine.compute import resolve_compute
from iqbench.engine.resources import Resources, networks_of
from iqbench.engine.scorer import Scorer
from iqbench.metrics import _registry
from iqbench.metrics._registry import resolve_metrics
from iqbench.native import library
from iqbench.networks import weights
from iqbench.networks.backbone import Backbone
from iqbench.networks.registry import architecture, assemble, place_backbone
from iqbench.protocols.presets import resolve_protocol

# Tests compute little at a time: threads that wait for each other would only slow them down,
# fivefold where the machine is busy with something else.
torch.set_num_threads(1)

# Kernels for GPUs are interpreted where there is none; Triton must know before it is imported.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# A shell that starts the tests in the background has them ignore Ctrl-C, and `nohup` has them
# ignore that the terminal is closed. Some tests send these signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes depends on what else the machine does.
settings.register_profile(
    "iqbench", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("iqbench")


@pytest.fixture(scope="session", autouse=True)
def _without_fsync() -> Iterator[None]:
    """Do not wait for the disk, sixteen times in a small run: no power cut is tried here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: None)
        yield


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched while tests run: what a test needs is there or it skips."""
    monkeypatch.setenv(weights.OFFLINE_VARIABLE, "1")


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output goes to a pipe of no width, also where tests run in several processes."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Random tensors are the same in every run."""
    torch.manual_seed(0)


@pytest.fixture
def level_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the metrics ``mean-level`` and ``other-level``, which need no reference."""
    known = _registry.metric_classes() | LEVELS
    monkeypatch.setattr(_registry, "metric_classes", lambda: known)


@pytest.fixture(scope="session")
def compiled_loops() -> None:
    """Skip where the loops of iqbench/native were not compiled; in CI that fails."""
    try:
        library.find_library()
    except library.NotCompiledError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"there are no compiled loops here: {error}")


@pytest.fixture
def pretrained_networks() -> None:
    """Skip where the weights of the default metrics were not fetched."""
    missing = [name for name in weights.DEFAULT_NETWORKS if weights.locate(name) is None]
    if missing:
        pytest.skip(f"weights of {', '.join(missing)} are not there: run `iqbench weights fetch`")


@pytest.fixture(scope="session")
def random_network() -> Callable[[str], Backbone]:
    """Networks by name with seeded random weights; activations neither die nor explode.

    Only the last few are kept: there are fourteen, of some 70 MB each.
    """

    @lru_cache(maxsize=6)
    @torch.inference_mode(mode=False)  # whichever test is the first to ask
    def build(name: str) -> Backbone:
        generator = torch.Generator().manual_seed(len(name) * 1000 + sum(map(ord, name)))
        tensors: dict[str, torch.Tensor] = {}
        for key, like in architecture(name).state_dict().items():
            if like.ndim == 4:
                scale = (2 / like[0].numel()) ** 0.5  # He's: keeps the variance through a ReLU
                tensors[key] = torch.randn(like.shape, generator=generator) * scale
            elif key.endswith("num_batches_tracked"):
                continue
            elif key.endswith("running_var") or (key.endswith("weight") and like.ndim == 1):
                tensors[key] = torch.rand(like.shape, generator=generator) + 0.5
            else:
                tensors[key] = (torch.rand(like.shape, generator=generator) - 0.5) / 5
        return assemble(name, tensors)

    return build


class MakeScorer(Protocol):
    """Makes a scorer of some metrics over networks with random weights."""

    def __call__(
        self,
        specs: Sequence[str],
        *,
        protocol: str = "rgb",
        memory: int = 2**30,
        device: str = "cpu",
        precision: str = "exact",
    ) -> Scorer: ...


@pytest.fixture(scope="session")
def make_scorer(random_network: Callable[[str], Backbone]) -> MakeScorer:
    """The engine's scorer, with networks that need no fetched weights."""

    def make(
        specs: Sequence[str],
        *,
        protocol: str = "rgb",
        memory: int = 2**30,
        device: str = "cpu",
        precision: str = "exact",
    ) -> Scorer:
        compute = resolve_compute(device, precision, memory)
        requests = resolve_metrics(specs)
        backbones = {name: random_network(name) for name in networks_of(requests)}
        if device != "cpu" or precision != "exact":
            backbones = {
                name: place_backbone(deepcopy(backbone), compute.device, compute.dtype)
                for name, backbone in backbones.items()
            }
        parameters = {}
        for request in requests:
            found = request.metric.parameters(None)
            trained = found.tensors if found else {}
            parameters[request.metric] = {
                name: tensor.to(compute.device) for name, tensor in trained.items()
            }
        resources = Resources(backbones, parameters, {})
        return Scorer(requests, resolve_protocol(protocol), resources, compute)

    return make
