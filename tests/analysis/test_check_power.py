"""How often a check fires: on a loss that is there, and on noise alone.

The scores are those of the committed baseline, see benchmarks/check_power.py, whose figures are in
docs/ci.md.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from iqbench.analysis.verdicts import ALPHA
from iqbench.results.read import load_columns

ROOT = Path(__file__).parents[2]
RUNS = 60


@pytest.fixture(scope="module")
def power() -> Any:
    path = ROOT / "benchmarks/check_power.py"
    spec = importlib.util.spec_from_file_location("check_power", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rates(power: Any) -> Any:
    """Rates on half of the methods: 36 comparisons a check."""
    tables, columns = power.score_tables()[::2], load_columns(power.BASELINE)
    return lambda **options: power.rates(tables, columns, runs=RUNS, **options)


def test_noise_alone_is_called_worse_at_most_as_often_as_alpha_says(rates: Any) -> None:
    """Noise so large that every margin is passed: the test alone holds the rate."""
    _, _, alarm = rates(images=20, noise=20.0, effect=0.0)
    assert alarm <= ALPHA + 2 * (ALPHA * (1 - ALPHA) / RUNS) ** 0.5


def test_noise_of_the_margins_size_is_never_called_worse(rates: Any) -> None:
    assert rates(images=50, noise=1.0, effect=0.0) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("images", [5, 20])
def test_a_loss_of_twice_the_margin_is_found(rates: Any, images: int) -> None:
    found, *_ = rates(images=images, noise=1.0, effect=2.0)
    assert found >= 0.9


@pytest.mark.parametrize("images", [5, 20])
def test_without_noise_a_loss_of_the_margin_is_always_found(rates: Any, images: int) -> None:
    assert rates(images=images, noise=0.0, effect=1.0) == (1.0, 0.0, 0.0)
