"""Averages over datasets: only of equal signatures, and only of methods that have all datasets."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_scores import COLUMNS, dataset_boards_of, frames

from iqbench.boards.board import Board
from iqbench.boards.overall import overall_of, rank_table


def overall(values, tasks=None, **choice):
    return overall_of(dataset_boards_of(values, tasks, **choice))


def of(frame, scope, task=""):
    rows = frame[(frame["scope"] == scope) & (frame["task"] == task)]
    return rows.set_index("method")


TWO = {
    ("x", "a", "psnr"): [30.0, 32.0],
    ("x", "b", "psnr"): [29.0, 29.0],
    ("x", "c", "psnr"): [20.0, 20.0],
    ("y", "a", "psnr"): [20.0],
    ("y", "b", "psnr"): [22.0],
}


def test_ranks_are_averaged_among_methods_that_are_complete_everywhere():
    rows = of(overall(TWO), "overall")
    assert rows["average_rank"].dropna().to_dict() == {"a": 1.5, "b": 1.5}
    assert rows.loc[["a", "b"], "rank"].tolist() == [1, 1]
    assert rows.loc["c", ["n", "expected", "complete"]].tolist() == [1, 2, False]
    assert rows.loc["c", ["rank", "psnr"]].isna().all()
    assert rank_table(dataset_boards_of(TWO)).to_dict("index") == {
        "x": {"a": 1.0, "b": 2.0},
        "y": {"a": 2.0, "b": 1.0},
    }


def test_each_dataset_counts_alike_in_a_mean():
    rows = of(overall(TWO), "overall")
    assert rows["psnr"].dropna().to_dict() == {"a": (31 + 20) / 2, "b": (29 + 22) / 2}


def test_means_of_another_signature_are_not_averaged():
    values = (
        TWO
        | {("x", m, "lpips-alex"): [("rgb", 0.1), ("rgb", 0.1)] for m in "abc"}
        | {("y", m, "lpips-alex"): [("luma", 0.1)] for m in "ab"}
    )
    assert "lpips-alex" not in overall(values).columns
    assert "psnr" in overall(values).columns


def test_one_signature_is_averaged_under_whatever_heading():
    values = {
        ("x", "a", "psnr"): [30.0],
        ("x", "a", "ssim"): [0.9],
        ("y", "a", "psnr"): [20.0],
    }
    scores, images = frames(values)
    luma, _ = frames({("x", "a", "psnr"): [("luma", 50.0)]})
    found = Board.of(pd.concat([scores, luma]), images, COLUMNS).datasets
    assert [name for name in found[0].scores.headings if "psnr" in name] == [
        "psnr [view=luma]",
        "psnr [view=rgb]",
    ]
    assert of(overall_of(found), "overall")["psnr"].to_dict() == {"a": 25.0}


def test_each_task_has_its_rows_and_all_together():
    frame = overall(TWO | {("z", "a", "psnr"): [25.0]}, {"x": "sr", "y": "sr", "z": "blur"})
    assert frame[["scope", "task", "datasets"]].drop_duplicates().to_dict("split")["data"] == [
        ["task", "blur", 1],
        ["task", "sr", 2],
        ["overall", "", 3],
    ]
    assert of(frame, "task", "sr")["average_rank"].dropna().to_dict() == {"a": 1.5, "b": 1.5}
    assert of(frame, "overall")["average_rank"].dropna().to_dict() == {"a": 1.0}


def test_tied_methods_have_their_mean_rank():
    values = {(d, m, "psnr"): [30.0] for d in "xy" for m in "abc"}
    rows = of(overall(values), "overall")
    assert rows["average_rank"].tolist() == [2.0, 2.0, 2.0]
    assert rows["rank"].tolist() == [1, 1, 1]


def test_intervals_draw_the_images_of_each_dataset():
    generator = np.random.default_rng(2)
    values = {
        (d, m, "psnr"): generator.normal(30 + shift, 1, 25)
        for d in ("x", "y")
        for m, shift in (("a", 0.1), ("b", 0.0), ("far", -9))
    }
    rows = of(overall(values), "overall")
    assert rows.loc["far", ["average_rank_low", "average_rank_high"]].tolist() == [3, 3]
    assert rows.loc["a", ["average_rank_low", "average_rank_high"]].tolist() == [1, 2]
    for method in "ab":
        low, mean, high = rows.loc[method, ["psnr_low", "psnr", "psnr_high"]]
        assert low < mean < high
        # Of two datasets of 25: narrower than of one by the square root of two.
        assert high - low == pytest.approx(2 * 1.96 / math.sqrt(50), rel=0.25)
    plain = of(overall(values, intervals=False), "overall")
    assert not [name for name in plain.columns if name.endswith(("_low", "_high"))]


def test_a_dataset_of_one_image_leaves_no_interval():
    rows = of(overall(TWO), "overall")
    ends = ["average_rank_low", "average_rank_high", "psnr_low", "psnr_high"]
    assert rows[ends].isna().all(axis=None)


def test_from_five_datasets_on_ties_are_nemenyis():
    def values(datasets):
        return {
            (f"d{d}", m, "psnr"): [30.0 - place, 31.0 - place]
            for d in range(datasets)
            for place, m in enumerate("abcdef")
        }

    assert set(of(overall(values(4)), "overall")["tie"]) == {""}
    rows = of(overall(values(5)), "overall")
    # The critical difference of six methods on five datasets is 3.37.
    assert rows["tie"].to_dict() == dict.fromkeys("abcd", "a") | dict.fromkeys("ef", "b")


def test_one_dataset_without_a_task_has_no_average():
    frame = overall({("x", "a", "psnr"): [30.0]})
    assert frame.empty
    assert {"scope", "method", "average_rank"} <= set(frame.columns)


def test_datasets_that_rank_nothing_are_left_out():
    values = TWO | {("z", m, "tv-output"): [1.0] for m in "ab"}
    assert set(overall(values)["datasets"]) == {2}


def test_no_method_is_everywhere():
    rows = overall({("x", "a", "psnr"): [30.0, 31.0], ("y", "b", "psnr"): [30.0, 31.0]})
    assert rows["rank"].isna().all()
    assert not rows["complete"].any()
    assert isinstance(rows, pd.DataFrame)
