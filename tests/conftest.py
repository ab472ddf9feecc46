"""Every test runs offline, with weights that were fetched before, or skips and says so."""

from __future__ import annotations

import pytest

from iqbench.networks import weights


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
