"""Small results folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from results_bench import Bench

# The same examples every time, however busy the machine is.
settings.register_profile("results", derandomize=True)
settings.load_profile("results")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "results")


@pytest.fixture
def new_bench(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Bench]:
    """Make a fresh bench for every example that hypothesis tries."""
    return lambda: Bench(tmp_path_factory.mktemp("results"))
