"""How certain a leaderboard is: intervals, ties and effects; and the Pareto front."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pandas as pd
import pytest
from made_leaderboards import board_of, ranks

from iqbench.errors import IqbenchError
from iqbench.stats.bootstrap import mean_interval


def test_means_have_the_bootstrap_interval_of_their_images() -> None:
    values = np.random.default_rng(3).normal(30, 2, 10)
    row = board_of({("set5", "a", "psnr"): values}).iloc[0]
    low, high = mean_interval(values, seed=zlib.crc32(b"set5"))
    assert (row["psnr_low"], row["psnr_high"]) == (pytest.approx(low), pytest.approx(high))


def test_without_intervals_the_rest_is_the_same() -> None:
    values = {("d", m, "psnr"): [30.0 + m_number, 31.0] for m_number, m in enumerate("ab")}
    plain = board_of(values, intervals=False)
    ends = ["rank_low", "rank_high", "psnr_low", "psnr_high"]
    pd.testing.assert_frame_equal(plain, board_of(values).drop(columns=ends))


def test_one_image_has_no_interval_and_shows_no_difference() -> None:
    board = board_of({("d", "a", "psnr"): [30.0], ("d", "b", "psnr"): [31.0]})
    assert ranks(board) == {"b": 1, "a": 2}
    assert board[["rank_low", "rank_high", "psnr_low", "psnr_high"]].isna().all(axis=None)
    assert board["tie"].tolist() == ["a", "a"]


def test_ranks_are_uncertain_where_methods_take_turns() -> None:
    board = board_of(
        {
            ("d", "best", "psnr"): [40.0] * 10,
            ("d", "odd", "psnr"): [31.0, 29.0] * 5,
            ("d", "even", "psnr"): [29.0, 30.9] * 5,
        }
    ).set_index("method")
    assert board.loc["best", ["rank_low", "rank_high"]].tolist() == [1, 1]
    assert board.loc["odd", ["rank_low", "rank_high"]].tolist() == [2, 3]
    assert board.loc["even", ["rank_low", "rank_high"]].tolist() == [2, 3]
    assert board["tie"].to_dict() == {"best": "", "odd": "a", "even": "a"}


def test_p_and_effect_are_of_each_method_against_the_best() -> None:
    board = board_of(
        {
            ("d", "a", "psnr"): [float(30 + n) for n in range(8)],
            ("d", "b", "psnr"): [float(29 + n) for n in range(8)],
            ("d", "c", "psnr"): [29.0, *(float(30.5 + n) for n in range(1, 7)), 33.0],
        }
    ).set_index("method")
    assert math.isnan(board.loc["a", "p_vs_best"])
    assert board.loc["b", "p_vs_best"] == pytest.approx(2 * 2 / 2**8)  # corrected for two tests
    assert board.loc["b", "effect_vs_best"] == -1
    assert board.loc["c", "p_vs_best"] > 0.05
    assert board["tie"].to_dict() == {"a": "a", "c": "a", "b": ""}


def test_ties_everywhere() -> None:
    board = board_of({("d", m, "psnr"): [30.0, 30.0, 30.0] for m in "abc"})
    assert ranks(board) == {"a": 1, "b": 1, "c": 1}
    assert board["tie"].tolist() == ["a", "a", "a"]
    assert board["p_vs_best"].tolist()[1:] == [1.0, 1.0]
    assert board["rank_high"].tolist() == [1, 1, 1]
    assert (board["psnr_low"] == 30.0).all()


def test_intervals_are_those_of_the_finite_values() -> None:
    row = board_of({("d", "a", "psnr"): [30.0, 31.0, math.inf]}).iloc[0]
    assert (row["psnr_low"], row["psnr"], row["psnr_high"]) == (30.0, 30.5, 31.0)


def test_the_front_holds_those_that_none_beats_in_both() -> None:
    values = {"a": (30.0, 0.3), "b": (29.0, 0.2), "c": (28.0, 0.25), "d": (30.0, 0.3)}
    board = board_of(
        {
            ("set5", method, metric): [value, value]
            for method, pair in values.items()
            for metric, value in zip(("psnr", "lpips-alex"), pair, strict=True)
        }
        | {("set5", "part", "psnr"): [40.0, "no file"], ("other", "a", "psnr"): [30.0]}
    ).set_index(["dataset", "method"])
    front = board["front"]
    assert front.loc["set5"].dropna().to_dict() == {"a": True, "b": True, "c": False, "d": True}
    assert front.loc["set5", "part"] is pd.NA
    assert front.loc["other", "a"] is pd.NA
    assert set(board["front_by"]) == {"psnr, lpips-alex", ""}


def test_the_front_of_two_other_metrics() -> None:
    values = {
        ("d", method, metric): [value]
        for method, pair in {"a": (1.0, 0.2), "b": (0.5, 0.1), "c": (0.5, 0.3)}.items()
        for metric, value in zip(("tv-ratio", "lpips-alex"), pair, strict=True)
    }
    board = board_of(values, front=("tv-ratio", "lpips-alex")).set_index("method")
    assert board["front"].to_dict() == {"a": True, "b": True, "c": False}
    with pytest.raises(IqbenchError, match=r"unknown metric of the front 'lpips'"):
        board_of(values, front=("tv-ratio", "lpips"))
    with pytest.raises(IqbenchError, match="tv-output has no direction"):
        board_of({("d", "a", "tv-output"): [1.0]}, front=("tv-output", "tv-output"))
