"""How often a check fires: on a loss that is there, and on noise alone.

The scores are those of the committed baseline, see benchmarks/check_power.py, whose figures are in
docs/ci.md.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from iqbench.gate.verdicts import ALPHA
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
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rates(power: Any) -> Any:
    """Rates on half of the methods: 36 comparisons a check."""
    tables, columns = power.score_tables()[::2], load_columns(power.BASELINE)

    def measured(*, planted: Any = None, runs: int = RUNS, **options: Any) -> Any:
        planted = planted or power.Planted()
        return power.rates(tables, columns, runs=runs, planted=planted, **options)

    return measured


def test_noise_alone_is_called_worse_at_most_as_often_as_alpha_says(rates: Any) -> None:
    """Noise so large that every margin is passed: the test alone holds the rate of means."""
    found = rates(images=20, noise=20.0)
    assert found.any_by_mean <= ALPHA + 2 * (ALPHA * (1 - ALPHA) / RUNS) ** 0.5


@pytest.mark.parametrize("noise", [0.05, 1.0])
def test_noise_of_the_margins_size_is_never_called_worse(rates: Any, noise: float) -> None:
    found = rates(images=50, noise=noise)
    assert (found.any_by_mean, found.any_by_image) == (0.0, 0.0)


def test_noise_of_the_image_margins_size_raises_alarms_of_images(rates: Any) -> None:
    """An image margin is not a test: noise has to stay below it."""
    assert rates(images=20, noise=20.0).by_image > 0.5


def test_without_image_margins_there_are_no_alarms_of_images(rates: Any, power: Any) -> None:
    none = dict.fromkeys(power.METRICS)
    assert rates(images=20, noise=20.0, image_margins=none).any_by_image == 0


@pytest.mark.parametrize("images", [5, 20])
def test_a_loss_of_twice_the_margin_is_found(rates: Any, power: Any, images: int) -> None:
    assert rates(images=images, noise=1.0, planted=power.Planted(loss=2.0)).power >= 0.9


@pytest.mark.parametrize("images", [5, 20])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_without_noise_a_loss_of_the_margin_is_always_found(
    rates: Any, power: Any, images: int, noise: float
) -> None:
    """With noise of a hundredth, one that is a little larger."""
    planted = power.Planted(loss=1.0 if noise == 0 else 1.1)
    found = rates(images=images, noise=noise, planted=planted)
    assert (found.power, found.any_by_mean, found.any_by_image) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("noise", [0.012, 2.0])
@pytest.mark.parametrize(
    "name", ["1 loses 16.6 dB", "3 lose 15 dB", "all lose 0.2 dB, 1 becomes inf"]
)
def test_broken_and_lucky_images_do_not_hide(
    rates: Any, power: Any, name: str, noise: float
) -> None:
    """Noise of 0.012 margins is that of another processor: 0.0006 dB."""
    assert rates(images=38, noise=noise, planted=power.IMAGES[name], runs=8).power == 1.0
