"""Choices between two outputs: how often a metric agrees with people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_opinions import NONE

from iqbench.correlation.forced_choice import HUMAN, choice_agreement, choice_differences
from iqbench.stats.influence import Bootstrap


def choices(**columns):
    base = {
        "dataset": "bapps",
        "image": list("abcd"),
        "judge": [1.0, 0.8, 0.4, 0.0],
        "distortion": None,
        "d_0": [0.3, 0.2, 0.1, 0.1],
        "d_1": [0.1, 0.3, 0.1, 0.5],
    }
    return pd.DataFrame({**base, **columns})


def test_a_choice_scores_by_the_people_who_choose_alike():
    found = choice_agreement(choices(), ["d"], {"d": "lower"}, NONE).set_index("metric")["value"]
    assert found["d"] == pytest.approx((1.0 + 0.2 + 0.5 + 1.0) / 4)
    assert found[HUMAN] == pytest.approx((1 + 0.68 + 0.52 + 1) / 4)
    turned = choice_agreement(choices(), ["d"], {"d": "higher"}, NONE).set_index("metric")["value"]
    assert turned["d"] == pytest.approx((0 + 0.8 + 0.5 + 0) / 4)


def test_choices_without_values_or_direction_are_left_out():
    table = choices(d_0=[np.nan, 0.2, 0.1, 0.1])
    found = choice_agreement(table, ["d"], {"d": "lower"}, NONE).set_index("metric")["n"]
    assert (found["d"], found[HUMAN]) == (3, 4)
    assert list(choice_agreement(table, ["d"], {}, NONE)["metric"]) == [HUMAN]


def test_choices_by_distortion_and_differences_between_metrics():
    generator = np.random.default_rng(0)
    n = 200
    judge = generator.uniform(0, 1, n)
    table = pd.DataFrame(
        {
            "dataset": "bapps",
            "image": [f"i{k}" for k in range(n)],
            "judge": judge,
            "distortion": ["cnn", "blur"] * (n // 2),
            **{"good_0": judge, "good_1": 0.5, "poor_0": generator.uniform(0, 1, n), "poor_1": 0.5},
        }
    )
    directions = {"good": "lower", "poor": "lower"}
    found = choice_agreement(table, ["good", "poor"], directions, Bootstrap(resamples=200))
    assert set(found["distortion"]) == {"", "cnn", "blur"}
    assert (found["low"] <= found["value"]).all()
    row = choice_differences(table, ["good", "poor"], directions, Bootstrap(resamples=200)).iloc[0]
    assert row["low"] > 0
    assert row["p_holm"] < 0.05
