"""Complete and incomplete installations."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from iqbench.doctor import doctor
from iqbench.networks.weights import WEIGHTS_VARIABLE
from iqbench.networks.weights.store import CACHE_VARIABLE


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose weights were never fetched; the folder where they would lie."""
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="session")
def whole() -> pd.DataFrame:
    """Everything at once."""
    return doctor("cpu")
