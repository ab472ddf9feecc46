"""Which methods are complete, which is the best, and which share a rank."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from made_leaderboards import best_cells, board_of, leaderboard, ranks
from made_scores import COLUMNS, UNDEFINED, Value, frames

from iqbench.boards.headings import metric_columns
from iqbench.errors import IqbenchError
from iqbench.results.columns import Columns
from iqbench.results.schema import ColumnInfo


def best(board: pd.DataFrame, metric: str) -> set[str]:
    return set(board.loc[best_cells(board)[metric], "method"])


def test_means_of_images_rank_methods() -> None:
    board = board_of(
        {
            ("set5", "bicubic", "psnr"): [28.0, 30.0],
            ("set5", "edsr", "psnr"): [32.0, 34.0],
        }
    )
    plain = board.drop(columns=["p_vs_best", "effect_vs_best"])
    assert plain.astype(object).where(plain.notna(), None).to_dict("records") == [
        {
            "dataset": "set5",
            "task": "",
            "protocol": "rgb",
            "ranked_by": "psnr",
            "rank": rank,
            "rank_low": rank,
            "rank_high": rank,
            "tie": "a",
            "front": None,
            "front_by": "",
            "method": method,
            "n": 2,
            "expected": 2,
            "complete": True,
            "psnr": mean,
            "psnr_low": mean - 1,
            "psnr_high": mean + 1,
            "psnr_infinite": 0,
            "psnr_rank": rank,
            "missing": "",
            "undefined": "",
            "other_reference": 0,
        }
        for rank, method, mean in [(1, "edsr", 33.0), (2, "bicubic", 29.0)]
    ]


def test_each_metric_is_best_by_its_own_direction() -> None:
    board = board_of(
        {
            ("set5", method, metric): [value]
            for metric, of_method in {
                "psnr": {"a": 30.0, "b": 31.0},
                "lpips-alex": {"a": 0.1, "b": 0.2},
                "tv-ratio": {"a": 0.7, "b": 1.2},
                "tv-output": {"a": 1.0, "b": 2.0},
            }.items()
            for method, value in of_method.items()
        }
    )
    assert [*metric_columns(board)] == ["psnr", "lpips-alex", "tv-output", "tv-ratio"]
    assert best(board, "psnr") == {"b"}
    assert best(board, "lpips-alex") == {"a"}
    assert best(board, "tv-ratio") == {"b"}
    assert best(board, "tv-output") == set()


def test_ties_share_a_rank_and_the_mark() -> None:
    board = board_of(
        {
            ("set5", "a", "psnr"): [0.1, 0.2, 0.3],
            ("set5", "b", "psnr"): [0.3, 0.2, 0.1],  # another sum in the last digit
            ("set5", "c", "psnr"): [0.1, 0.1, 0.1],
        }
    )
    assert ranks(board) == {"a": 1, "b": 1, "c": 3}
    assert best(board, "psnr") == {"a", "b"}


def test_where_all_are_equal_none_is_best() -> None:
    board = board_of({("set5", "a", "psnr"): [1.0], ("set5", "b", "psnr"): [1.0]})
    assert ranks(board) == {"a": 1, "b": 1}
    assert best(board, "psnr") == set()


def test_one_infinite_value_does_not_decide_a_mean_or_a_rank() -> None:
    board = board_of({("set5", "a", "psnr"): [30.0, math.inf], ("set5", "b", "psnr"): [40.0, 41.0]})
    assert ranks(board) == {"b": 1, "a": 2}
    assert board["psnr"].tolist() == [40.5, 30.0]
    assert board["psnr_infinite"].tolist() == [0, 1]
    assert board["psnr_compared"].tolist() == [40.0, 30.0]
    assert board["psnr_compared_n"].tolist() == [1, 1]
    assert best(board, "psnr") == {"b"}


def test_a_method_with_failed_images_is_incomplete_and_not_ranked() -> None:
    board = board_of(
        {
            ("set5", "great", "psnr"): [50.0, "output is missing"],
            ("set5", "plain", "psnr"): [30.0, 30.0],
            ("set5", "poor", "psnr"): [20.0, 20.0],
        }
    )
    assert ranks(board) == {"plain": 1, "poor": 2, "great": None}
    assert best(board, "psnr") == {"plain"}
    last = board.iloc[-1]
    assert (last["n"], last["expected"], last["complete"]) == (1, 2, False)
    assert last["missing"] == "psnr 1"
    assert last["psnr"] == 50.0


def test_every_shown_metric_has_to_be_complete() -> None:
    board = board_of(
        {
            ("set5", "a", "psnr"): [30.0, 30.0],
            ("set5", "a", "lpips-alex"): [0.1, 0.1],
            ("set5", "b", "psnr"): [31.0, 31.0],
            ("set5", "b", "lpips-alex"): [0.1, "out of memory"],
            ("set5", "c", "psnr"): [32.0, 32.0],
        }
    )
    assert ranks(board) == {"a": 1, "b": None, "c": None}
    assert board.set_index("method")["missing"].to_dict() == {
        "a": "",
        "b": "lpips-alex 1",
        "c": "lpips-alex 2",
    }


WITH_COSTS = COLUMNS.united(Columns({"time": ColumnInfo("lower", 1, role="cost")}))


def test_a_cost_that_is_not_known_makes_no_method_incomplete() -> None:
    values: dict[tuple[str, str, str], list[Value]] = {
        ("set5", "a", "psnr"): [30.0, 30.0],
        ("set5", "a", "time"): [5.0, 5.0],
        ("set5", "b", "psnr"): [32.0, 32.0],
        ("set5", "c", "psnr"): [31.0, "out of memory"],
        ("set5", "c", "time"): [1.0, 1.0],
        ("set5", "d", "psnr"): [29.0, 29.0],
        ("set5", "d", "time"): [3.0, "no time"],
    }
    board = leaderboard(*frames(values), WITH_COSTS)
    assert ranks(board) == {"b": 1, "a": 2, "d": 3, "c": None}
    assert board.set_index("method")["missing"].to_dict() == {
        "a": "",
        "b": "time 2",
        "c": "psnr 1",
        "d": "time 1",
    }
    assert ranks(leaderboard(*frames(values), WITH_COSTS, sort="time")) == {
        "d": 1,  # on the image whose time is known of both
        "a": 2,
        "b": None,
        "c": None,
    }


def test_where_costs_alone_are_shown_they_have_to_be_complete() -> None:
    values: dict[tuple[str, str, str], list[Value]] = {
        ("set5", "a", "time"): [5.0, 5.0],
        ("set5", "b", "time"): [1.0, "no time"],
    }
    board = leaderboard(*frames(values), WITH_COSTS)
    assert board.set_index("method")["complete"].to_dict() == {"a": True, "b": False}


def test_the_images_of_a_dataset_are_those_of_all_methods() -> None:
    values = {("set5", "a", "psnr"): [30.0, 30.0], ("set5", "b", "psnr"): [31.0]}
    assert ranks(board_of(values)) == {"a": 1, "b": None}
    assert ranks(board_of(values, methods=["b"])) == {"b": None}


def test_an_undefined_value_is_left_out_counted_and_no_failure() -> None:
    board = board_of(
        {
            ("set5", "a", "tv-ratio"): [0.8, UNDEFINED, 1.0],
            ("set5", "b", "tv-ratio"): [0.5, UNDEFINED, 0.5],
        }
    )
    assert ranks(board) == {"a": 1, "b": 2}
    assert board["tv-ratio"].tolist() == [pytest.approx(0.9), 0.5]
    assert board["undefined"].tolist() == ["tv-ratio 1", "tv-ratio 1"]


def test_a_method_whose_values_are_all_undefined_is_complete_without_rank() -> None:
    board = board_of({("d", "a", "tv-ratio"): [UNDEFINED], ("d", "b", "tv-ratio"): [1.0]})
    assert board.set_index("method")["complete"].to_dict() == {"a": True, "b": True}
    assert ranks(board) == {"b": 1, "a": None}


def test_a_run_that_died_at_once_shows_as_incomplete() -> None:
    scores, images = frames({("set5", "a", "psnr"): [30.0, 30.0]})
    board = leaderboard(scores[:0].astype({"value": float}), images, COLUMNS)
    assert board[["n", "expected", "complete"]].to_dict("records") == [
        {"n": 0, "expected": 2, "complete": False}
    ]


def test_a_metric_that_failed_everywhere_keeps_its_column() -> None:
    board = board_of({("d", "a", "psnr"): [30.0], ("d", "a", "lpips-alex"): ["no weights"]})
    assert board["lpips-alex"].isna().tolist() == [True]
    assert ranks(board) == {"a": None}


def test_several_signatures_of_a_dataset_have_a_column_each() -> None:
    scores, images = frames({("set5", "a", "psnr"): [30.0], ("set14", "a", "psnr"): [20.0]})
    luma, _ = frames({("set14", "a", "psnr"): [("luma", 22.0)]})
    board = leaderboard(pd.concat([scores, luma]), images, COLUMNS)
    assert metric_columns(board) == ["psnr", "psnr [view=luma]", "psnr [view=rgb]"]
    assert board["psnr"].tolist()[0] == 30.0
    assert board.loc[1, ["psnr [view=luma]", "psnr [view=rgb]"]].tolist() == [22.0, 20.0]
    assert board["protocol"].tolist() == ["rgb", "luma + rgb"]
    assert COLUMNS.info("psnr [view=luma]") == COLUMNS["psnr"]
    with pytest.raises(IqbenchError, match="psnr has several columns on dataset set14"):
        leaderboard(pd.concat([scores, luma]), images, COLUMNS, sort="psnr")


def test_two_signatures_are_never_averaged_into_one() -> None:
    scores, images = frames({("d", "a", "psnr"): [30.0, 30.0]})
    luma, _ = frames({("d", "a", "psnr"): [("luma", 40.0), ("luma", 40.0)]})
    board = leaderboard(pd.concat([scores, luma]), images, COLUMNS)
    assert board.loc[0, ["psnr [view=luma]", "psnr [view=rgb]"]].tolist() == [40.0, 30.0]


def test_sorting_by_another_metric() -> None:
    values = {
        ("set5", "a", "psnr"): [30.0],
        ("set5", "a", "lpips-alex"): [0.2],
        ("set5", "b", "psnr"): [29.0],
        ("set5", "b", "lpips-alex"): [0.1],
    }
    assert ranks(board_of(values)) == {"a": 1, "b": 2}
    assert ranks(board_of(values, sort="lpips-alex")) == {"b": 1, "a": 2}


def test_a_dataset_without_the_metric_to_sort_by_is_not_ranked() -> None:
    values = {("x", "a", "psnr"): [30.0], ("y", "b", "lpips-alex"): [0.1]}
    assert ranks(board_of(values, sort="psnr")) == {"a": 1, "b": None}


@pytest.mark.parametrize(
    ("sort", "message"),
    [
        ("pnsr", r"unknown metric to sort by 'pnsr'. Did you mean 'psnr'"),
        ("tv-output", "tv-output has no direction"),
    ],
)
def test_what_cannot_be_sorted_by_is_refused(sort: str, message: str) -> None:
    with pytest.raises(IqbenchError, match=message):
        board_of({("d", "a", "psnr"): [30.0], ("d", "a", "tv-output"): [1.0]}, sort=sort)


def test_datasets_and_methods_stand_in_natural_order() -> None:
    values = {(d, m, "psnr"): [1.0] for d in ("Set14", "Set5") for m in ("m10", "M2")}
    board = board_of(values)
    assert list(zip(board["dataset"], board["method"], strict=True)) == [
        ("Set5", "M2"),
        ("Set5", "m10"),
        ("Set14", "M2"),
        ("Set14", "m10"),
    ]


def test_names_may_be_categories_or_text() -> None:
    scores, images = frames({("d", "001", "psnr"): [30.0], ("d", "b", "psnr"): [29.0]})
    names = ["dataset", "method", "image"]
    plain = leaderboard(scores, images, COLUMNS)
    named = leaderboard(
        scores.astype(dict.fromkeys([*names, "metric", "signature", "protocol"], "category")),
        images.astype(dict.fromkeys(names, "category")),
        COLUMNS,
    )
    pd.testing.assert_frame_equal(plain, named)


def test_the_task_stands_beside_its_dataset() -> None:
    values = {("x", "a", "psnr"): [30.0], ("y", "a", "psnr"): [30.0]}
    assert board_of(values, tasks={"x": "denoising"})["task"].tolist() == ["denoising", ""]


def test_a_dataset_without_the_methods_that_are_shown_is_left_out() -> None:
    values = {("x", "a", "psnr"): [30.0], ("y", "b", "psnr"): [30.0]}
    assert board_of(values, methods=["b"])["dataset"].tolist() == ["y"]
