"""Images on which methods differ most, or on which metrics disagree."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from iqbench.boards.board import Board
from iqbench.boards.dataset_board import BoardOptions
from iqbench.boards.disputes import METHODS_APART, METRICS_APART, concordance
from iqbench.results.columns import Columns
from iqbench.results.schema import ColumnInfo

COLUMNS = Columns(
    {
        "psnr": ColumnInfo("higher", 2),
        "tv-ratio": ColumnInfo("target:1", 3),
        "lpips-alex": ColumnInfo("lower", 4),
        "tv-output": ColumnInfo("none", 4),
    }
)


def disputes(values: dict[tuple[str, str], list[float]], top: int = 3) -> pd.DataFrame:
    """Ask about {(method, metric): values of images}."""
    rows = [
        {"dataset": "set5", "method": method, "image": f"image{number}", "metric": metric}
        | {"value": value, "error": None, "signature": f"metric={metric}", "protocol": "rgb"}
        for (method, metric), several in values.items()
        for number, value in enumerate(several)
        if not math.isnan(value)
    ]
    names = ["dataset", "method", "image", "metric", "signature"]
    scores = pd.DataFrame(rows).astype(dict.fromkeys(names, "category"))
    images = scores[names[:3]].drop_duplicates()
    return Board.of(scores, images, COLUMNS, BoardOptions(intervals=False)).disputes(top)


def test_concordance_is_that_of_the_books():
    """Three judges of six items: Siegel, Nonparametric Statistics, 1956: W = .16."""
    ranks = np.array([[1, 6, 3, 2, 5, 4], [1, 5, 6, 4, 2, 3], [6, 3, 2, 5, 4, 1]], dtype=float)
    sums = ranks.sum(axis=0)
    spread = ((sums - sums.mean()) ** 2).sum()
    expected = 12 * spread / (3**2 * (6**3 - 6))
    assert concordance(ranks.T[np.newaxis]) == pytest.approx([expected])
    assert expected == pytest.approx(0.1619, abs=1e-4)


def test_concordance_is_one_where_all_agree_with_ties_too_and_zero_where_rankings_cancel():
    same = np.repeat(np.array([[[1.0], [2.0], [2.0], [5.0]]]), 3, axis=2)
    opposed = np.array([[[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]])
    flat = np.ones((1, 3, 2))
    assert concordance(same) == pytest.approx([1])
    assert concordance(opposed) == pytest.approx([0])
    assert np.isnan(concordance(flat)).all()


def test_methods_are_furthest_apart_in_the_ranking_column():
    found = disputes(
        {
            ("a", "psnr"): [30.0, 31.0, 35.0],
            ("b", "psnr"): [30.0, 28.0, 34.0],
        }
    )
    apart = found[found["what"] == METHODS_APART]
    # Equal values are no dispute.
    assert apart[["image", "value", "best", "worst", "metrics"]].to_numpy().tolist() == [
        ["image1", pytest.approx(3.0), "a", "b", "psnr"],
        ["image2", pytest.approx(1.0), "a", "b", "psnr"],
    ]


def test_infinite_values_are_no_distance():
    found = disputes({("a", "psnr"): [math.inf, 31.0], ("b", "psnr"): [30.0, 28.0]})
    assert found["image"].tolist() == ["image1"]


def test_a_target_is_missed_on_either_side():
    found = disputes({("a", "tv-ratio"): [0.9, 0.5], ("b", "tv-ratio"): [1.1, 1.1]})
    assert found[["image", "best", "worst"]].to_numpy().tolist() == [["image1", "b", "a"]]
    assert found["value"].tolist() == [pytest.approx(0.4)]


def test_metrics_disagree_most_where_their_rankings_are_opposed():
    found = disputes(
        {
            ("a", "psnr"): [30.0, 30.0],
            ("b", "psnr"): [29.0, 29.0],
            ("c", "psnr"): [28.0, 28.0],
            ("a", "lpips-alex"): [0.1, 0.3],
            ("b", "lpips-alex"): [0.2, 0.2],
            ("c", "lpips-alex"): [0.3, 0.1],
            # Has no direction: says nothing about who is better.
            ("a", "tv-output"): [5.0, 5.0],
        }
    )
    apart = found[found["what"] == METRICS_APART]
    assert apart["image"].tolist() == ["image1", "image0"]
    assert apart["value"].tolist() == [pytest.approx(0), pytest.approx(1)]
    assert set(apart["metrics"]) == {"2"}


def test_methods_without_all_values_of_an_image_are_left_out_of_it():
    nan = math.nan
    found = disputes(
        {
            **{(name, "psnr"): [30.0 - place, 30.0 - place] for place, name in enumerate("abcd")},
            **{
                (name, "lpips-alex"): [0.1 * place, 0.1 * place] for place, name in enumerate("abc")
            },
            ("d", "lpips-alex"): [nan, -1.0],
        }
    )
    apart = found[found["what"] == METRICS_APART].set_index("image")["value"]
    assert apart["image0"] == pytest.approx(1)
    assert apart["image1"] < 0.5


def test_two_methods_are_too_few_to_rank_metrics_by():
    found = disputes({(name, m): [1.0, 2.0] for name in "ab" for m in ("psnr", "lpips-alex")})
    assert found.empty
    assert disputes({("a", "tv-output"): [1.0]}).empty
