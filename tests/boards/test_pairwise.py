"""Wins, losses and tests for each pair of methods."""

from __future__ import annotations

import math

import pytest
from made_scores import UNDEFINED, dataset_boards_of

from iqbench.boards.pairwise import pairs_of
from iqbench.stats.paired import holm

PSNR = {
    ("set5", "a", "psnr"): [30.0, 31.0, 32.0, math.inf, 28.0],
    ("set5", "b", "psnr"): [29.0, 30.0, 32.0, math.inf, 29.0],
    ("set5", "c", "psnr"): [20.0, 20.0, 20.0, 20.0, 20.0],
}


def pairs(values, **choice):
    return pairs_of(dataset_boards_of(values, **choice))


def test_each_pair_is_listed_once_with_the_better_method_first():
    found = pairs(PSNR | {("set14", "c", "psnr"): [1.0]})
    assert list(zip(found["method"], found["other"], strict=True)) == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert set(found["dataset"]) == {"set5"}


def test_wins_losses_and_draws_are_counted_by_image():
    row = pairs(PSNR).iloc[0]
    assert row[["n", "wins", "losses", "draws"]].tolist() == [5, 2, 1, 2]
    assert row["gain"] == pytest.approx(1 / 4)  # what is infinite for both is in no mean
    assert row["effect"] == pytest.approx((4 + 4 - 4) / 15)


def test_an_infinite_gain_is_a_win_and_counted_and_in_no_mean():
    row = pairs(PSNR).iloc[1]
    assert row[["wins", "infinite_gains", "infinite_losses"]].tolist() == [5, 1, 0]
    assert row["gain"] == pytest.approx((10 + 11 + 12 + 8) / 4)


def test_p_is_corrected_for_the_pairs_of_the_dataset():
    found = pairs(PSNR)
    assert found["p_holm"].tolist() == pytest.approx(holm(found["p_value"]).tolist())
    assert not found["significant"].any()
    many = {("d", "a", "psnr"): [2.0 + n for n in range(12)], ("d", "b", "psnr"): [1.0] * 12}
    assert pairs(many)["significant"].tolist() == [True]


def test_the_better_is_the_lower_where_lower_is_better():
    values = {("d", "a", "lpips-alex"): [0.1, 0.2], ("d", "b", "lpips-alex"): [0.3, 0.3]}
    row = pairs(values).iloc[0]
    assert row[["method", "wins", "losses"]].tolist() == ["a", 2, 0]
    assert row["gain"] == pytest.approx(0.15)


def test_an_image_without_a_value_of_both_is_left_out():
    values = {
        ("d", "a", "tv-ratio"): [0.9, UNDEFINED, 1.0],
        ("d", "b", "tv-ratio"): [0.5, UNDEFINED, 1.2],
    }
    assert pairs(values).iloc[0][["n", "wins", "losses"]].tolist() == [2, 2, 0]


def test_incomplete_methods_are_in_no_pair():
    values = {("d", "a", "psnr"): [30.0, "gone"], ("d", "b", "psnr"): [29.0, 29.0]}
    assert pairs(values).empty
    assert "p_holm" in pairs(values).columns
