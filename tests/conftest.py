"""Every test runs offline, with weights that were fetched before, or skips and says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest
import torch

from iqbench.networks import weights
from iqbench.networks.backbone import Backbone
from iqbench.networks.registry import architecture, assemble

# Tests compute little at a time: threads that wait for each other would only slow them down,
# fivefold where the machine is busy with something else.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched while tests run: what a test needs is there or it skips."""
    monkeypatch.setenv(weights.OFFLINE_VARIABLE, "1")


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
