"""Which means rank methods, and over which images, with infinite and missing values and targets."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_leaderboards import best_cells, board_of, ranks
from made_scores import UNDEFINED, dataset_boards_of
from scipy import stats

from iqbench.boards.order import (
    averaged,
    competition_ranks,
    lexicographic_ranks,
    order_methods,
    resampled_ranks,
)
from iqbench.boards.overall import overall_of
from iqbench.boards.pairwise import pairs_of
from iqbench.results.schema import ColumnInfo
from iqbench.stats.bootstrap import bootstrap_indices, bootstrap_means, percentile_interval

INF = math.inf
METRICS = {"psnr": "higher", "lpips-alex": "lower", "tv-ratio": "target:1"}

numbers = st.sampled_from([0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, INF, -INF, math.nan])
mostly_finite = st.one_of(st.sampled_from([0.5, 1.0, 1.25, 1.5, 3.0]), numbers)


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    """Draw values of some images and methods."""
    images, methods = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    some = draw(st.sampled_from([numbers, mostly_finite]))
    rows = draw(
        st.lists(
            st.lists(some, min_size=methods, max_size=methods), min_size=images, max_size=images
        )
    )
    return np.array(rows)


def ranked_by_the_rule(columns: dict[int, list[float]], direction: str) -> dict[int, int]:
    """Rank methods as the documentation says, in exact numbers and nothing else in common."""

    def shortfall(value: float) -> float | Fraction:
        if math.isinf(value):
            return (
                INF
                if direction.startswith("target")
                else -value
                if direction == "higher"
                else value
            )
        exact = Fraction(value)
        if direction.startswith("target"):
            return abs(exact - 1)
        return -exact if direction == "higher" else exact

    far = {
        method: [math.nan if math.isnan(value) else shortfall(value) for value in values]
        for method, values in columns.items()
    }

    def finite(value: float | Fraction) -> bool:
        return isinstance(value, Fraction)

    def places(methods: list[int]) -> list[list[int]]:
        """Give groups of equal methods, the best first."""
        count = len(far[methods[0]])
        common = [at for at in range(count) if all(finite(far[one][at]) for one in methods)]
        infinite = {one: far[one].count(INF) - far[one].count(-INF) for one in methods}
        keys = {
            one: (sum(far[one][at] for at in common), infinite[one])
            if common
            else (0, infinite[one])
            for one in methods
        }
        groups = [
            [one for one in methods if keys[one] == key] for key in sorted(set(keys.values()))
        ]
        if common:
            return groups
        whole = [one for one in methods if any(finite(value) for value in far[one])]
        if whole and len(whole) < len(methods):
            apart = [[one for one in group if one not in whole] for group in groups]
            apart = [group for group in apart if group]
            first = [group for group in apart if infinite[group[0]] < 0]
            return first + places(whole) + [group for group in apart if group not in first]
        if len(groups) == 1:
            return groups
        return [inner for group in groups for inner in places(group)]

    with_values = [one for one in columns if not all(math.isnan(v) for v in columns[one])]
    found: dict[int, int] = {}
    for group in places(with_values) if with_values else []:
        found |= dict.fromkeys(group, len(found) + 1)
    return found


@settings(max_examples=300)
@given(tables(), st.sampled_from(sorted(METRICS.values())))
def test_the_order_is_that_of_the_rule(values: np.ndarray, direction: str) -> None:
    every = np.ones(values.shape[1], dtype=bool)
    order = order_methods(values, ColumnInfo(direction), every)
    found = {at: int(rank) for at, rank in enumerate(order.ranks) if not np.isnan(rank)}
    columns = {at: values[:, at].tolist() for at in range(values.shape[1])}
    assert found == ranked_by_the_rule(columns, direction)


@settings(max_examples=40)
@given(tables(), st.sampled_from(sorted(METRICS)))
def test_rank_star_front_pairs_and_average_tell_one_story(values: np.ndarray, metric: str) -> None:
    scores = {
        ("d", f"m{at}", metric): [UNDEFINED if math.isnan(v) else v for v in values[:, at]]
        for at in range(values.shape[1])
    }
    board = board_of(scores, front=(metric, metric), intervals=False).set_index("method")
    place = board["rank"].dropna()
    expected = ranked_by_the_rule(
        {at: list(values[:, at]) for at in range(values.shape[1])}, METRICS[metric]
    )
    assert place.to_dict() == {f"m{at}": rank for at, rank in expected.items()}
    assert board[f"{metric}_rank"].dropna().to_dict() == place.to_dict()
    stars = best_cells(board.reset_index())[metric].to_numpy()
    first = (board["rank"] == 1).fillna(False).to_numpy(dtype=bool)
    assert (stars == (first & (place.nunique() > 1))).all()
    assert board["front"].dropna().to_dict() == {name: rank == 1 for name, rank in place.items()}

    pairs = pairs_of(dataset_boards_of(scores, intervals=False))
    for row in pairs.to_dict("records"):
        ahead = place[row["other"]] - place[row["method"]]
        assert ahead >= 0
        assert math.isnan(row["gain"]) or row["gain"] >= 0
        assert not (row["gain"] > 0 and ahead == 0)
        assert not row["significant"] or (ahead > 0 and row["effect"] > 0)

    twice = scores | {("e", method, metric): of for (_, method, metric), of in scores.items()}
    both = overall_of(dataset_boards_of(twice, intervals=False)).set_index("method")
    if len(both):
        averages = both["average_rank"].dropna()
        kept = place[averages.index]
        assert averages.to_dict() == dict(zip(kept.index, stats.rankdata(kept), strict=True))


@settings(max_examples=40)
@given(tables(), st.sampled_from(sorted(METRICS.values())))
def test_resamples_are_ranked_as_their_images_would_be(values: np.ndarray, direction: str) -> None:
    info, every = ColumnInfo(direction), np.ones(values.shape[1], dtype=bool)
    order = order_methods(values, info, every)
    means = bootstrap_means(
        np.where(order.images, averaged(values, info), np.nan), resamples=25, seed=7
    )
    found = resampled_ranks(values, info, order, means, 7)
    drawn = bootstrap_indices(len(values), 25, 7)
    for one, images in zip(found, drawn, strict=True):
        # A method without a value in a resample is still ranked there: it has nothing infinite.
        here = order_methods(values[images], info, every).ranks
        if not np.isnan(here[order.ranked]).any():
            np.testing.assert_array_equal(one, np.where(order.ranked, here, np.nan))
        assert np.array_equal(np.isnan(one), ~order.ranked)


def test_one_lucky_image_does_not_lead() -> None:
    board = board_of(
        {
            ("d", "lucky", "psnr"): [20.0, 21.0, INF],
            ("d", "best", "psnr"): [30.0, 31.0, 29.0],
        }
    )
    assert ranks(board) == {"best": 1, "lucky": 2}


def test_images_that_all_methods_reproduce_do_not_decide() -> None:
    board = board_of({("d", m, "psnr"): [INF, v, v + 1] for m, v in (("a", 20.0), ("b", 30.0))})
    assert ranks(board) == {"b": 1, "a": 2}
    assert board["psnr"].tolist() == [30.5, 20.5]
    assert board["psnr_infinite"].tolist() == [1, 1]
    assert "psnr_compared" not in board  # the means shown are those that decide


def test_equal_means_are_ordered_by_the_infinite_values() -> None:
    one = {("d", "a", "psnr"): [30.0, 29.0], ("d", "b", "psnr"): [30.0, INF]}
    assert ranks(board_of(one)) == {"b": 1, "a": 2}
    other = {("d", "a", "lpips-alex"): [0.1, 0.2], ("d", "b", "lpips-alex"): [0.1, INF]}
    assert ranks(board_of(other)) == {"a": 1, "b": 2}
    third = {("d", "a", "tv-ratio"): [0.9, 0.5], ("d", "b", "tv-ratio"): [1.1, -INF]}
    assert ranks(board_of(third)) == {"a": 1, "b": 2}


def test_a_perfect_method_leaves_the_order_of_the_others_as_it_is() -> None:
    board = board_of(
        {
            ("d", "reference", "psnr"): [INF, INF],
            ("d", "good", "psnr"): [40.0, 41.0],
            ("d", "poor", "psnr"): [30.0, 31.0],
        }
    )
    assert ranks(board) == {"reference": 1, "good": 2, "poor": 3}
    assert board["psnr"].tolist() == [INF, 40.5, 30.5]
    assert board["psnr_rank"].tolist() == [1, 2, 3]
    assert "psnr_compared" not in board


def test_a_perfect_method_does_not_let_a_lucky_one_lead_the_others() -> None:
    board = board_of(
        {
            ("d", "reference", "psnr"): [INF, INF, INF],
            ("d", "lucky", "psnr"): [20.0, 21.0, INF],
            ("d", "best", "psnr"): [30.0, 31.0, 29.0],
        }
    )
    assert ranks(board) == {"reference": 1, "best": 2, "lucky": 3}
    assert board["psnr_compared"].tolist()[1:] == [30.5, 20.5]
    lower = board_of(
        {
            ("d", "broken", "lpips-alex"): [INF, INF, INF],
            ("d", "a", "lpips-alex"): [0.1, 0.1, INF],
            ("d", "b", "lpips-alex"): [0.2, 0.2, 0.2],
        }
    )
    assert ranks(lower) == {"a": 1, "b": 2, "broken": 3}


def test_beside_a_perfect_method_one_keeps_its_mean() -> None:
    board = board_of({("d", "reference", "psnr"): [INF, INF], ("d", "a", "psnr"): [30.0, 31.0]})
    assert ranks(board) == {"reference": 1, "a": 2}
    assert "psnr_compared" not in board


def test_without_a_common_image_the_counts_decide() -> None:
    board = board_of(
        {
            ("d", "twice", "psnr"): [INF, INF, 10.0, 10.0],
            ("d", "once", "psnr"): [40.0, 41.0, INF, 50.0],
            ("d", "again", "psnr"): [42.0, 41.0, 50.0, INF],
        }
    )
    # Of two with as many, the images that both have decide.
    assert ranks(board) == {"twice": 1, "again": 2, "once": 3}
    rows = board.set_index("method")
    assert rows["psnr_compared"].dropna().to_dict() == {"again": 41.5, "once": 40.5}
    assert rows["psnr_compared_n"].to_dict() == {"twice": 0, "again": 2, "once": 2}


def test_values_on_both_sides_of_a_target_do_not_cancel_out() -> None:
    board = board_of(
        {
            ("d", "wild", "tv-ratio"): [0.55, 1.45],
            ("d", "good", "tv-ratio"): [0.93, 0.93],
        }
    )
    assert ranks(board) == {"good": 1, "wild": 2}
    assert board["tv-ratio"].tolist() == [0.93, 1.0]
    assert board["tv-ratio_distance"].tolist() == pytest.approx([0.07, 0.45])
    assert board["tv-ratio_distance_low"].tolist() == pytest.approx([0.07, 0.45])
    assert board["tv-ratio_low"].tolist() == [0.93, 0.55]


def test_an_undefined_image_is_compared_for_no_method() -> None:
    board = board_of(
        {
            ("d", "a", "tv-ratio"): [1.0, 0.5, 0.9],
            ("d", "b", "tv-ratio"): [0.9, UNDEFINED, 0.8],
        }
    )
    assert ranks(board) == {"a": 1, "b": 2}
    assert board["tv-ratio_compared"].tolist() == pytest.approx([0.05, 0.15])
    assert board["tv-ratio_compared_n"].tolist() == [2, 2]


def test_incomplete_methods_do_not_choose_the_images() -> None:
    board = board_of(
        {
            ("d", "a", "psnr"): [30.0, 10.0],
            ("d", "b", "psnr"): [29.0, 40.0],
            ("d", "part", "psnr"): ["no file", INF],
        }
    )
    assert ranks(board) == {"b": 1, "a": 2, "part": None}
    assert board.set_index("method")["psnr_rank"].isna().to_dict() == {
        "b": False,
        "a": False,
        "part": True,
    }


def test_averages_over_datasets_leave_infinite_means_out_for_all() -> None:
    values = {
        ("x", "a", "psnr"): [INF, INF],
        ("x", "b", "psnr"): [50.0, 60.0],
        ("y", "a", "psnr"): [30.0, 30.0],
        ("y", "b", "psnr"): [31.0, 31.0],
    }
    rows = overall_of(dataset_boards_of(values)).set_index("method")
    assert rows["psnr"].to_dict() == {"a": 30.0, "b": 43.0}
    assert rows["psnr_infinite"].to_dict() == {"a": 2, "b": 0}
    assert rows["psnr_compared"].to_dict() == {"a": 30.0, "b": 31.0}
    assert rows["psnr_compared_n"].to_dict() == {"a": 1, "b": 1}
    assert rows["psnr_rank"].to_dict() == {"a": 2, "b": 1}
    assert rows["average_rank"].to_dict() == {"a": 1.5, "b": 1.5}


def test_averages_are_ordered_without_a_method_that_is_perfect_everywhere() -> None:
    values = {
        (dataset, method, "psnr"): several
        for dataset in "xy"
        for method, several in {
            "reference": [INF, INF, INF],
            "lucky": [20.0, 21.0, INF],
            "best": [30.0, 31.0, 29.0],
        }.items()
    }
    rows = overall_of(dataset_boards_of(values)).set_index("method")
    assert rows["psnr_rank"].to_dict() == {"reference": 1, "best": 2, "lucky": 3}
    assert rows["average_rank"].to_dict() == {"reference": 1.0, "best": 2.0, "lucky": 3.0}
    assert rows["psnr"].to_dict() == {"reference": INF, "best": 30.0, "lucky": 20.5}
    assert rows["psnr_compared"].dropna().to_dict() == {"best": 30.5, "lucky": 20.5}


def test_averages_of_distances_stand_beside_averages_of_means() -> None:
    values = {
        (dataset, method, "tv-ratio"): several
        for dataset in "xy"
        for method, several in {"wild": [0.5, 1.5], "good": [0.9, 0.9]}.items()
    }
    rows = overall_of(dataset_boards_of(values)).set_index("method")
    assert rows["tv-ratio"].to_dict() == {"good": pytest.approx(0.9), "wild": 1.0}
    assert rows["tv-ratio_distance"].to_dict() == {"good": pytest.approx(0.1), "wild": 0.5}
    assert rows["tv-ratio_rank"].to_dict() == {"good": 1, "wild": 2}


def test_minus_infinity_has_a_count_of_its_own() -> None:
    board = board_of({("d", "a", "psnr"): [-INF, 30.0, INF], ("d", "b", "psnr"): [1.0, 2.0, 3.0]})
    row = board.set_index("method").loc["a"]
    assert (row["psnr"], row["psnr_infinite"], row["psnr_minus_infinite"]) == (30.0, 1, 1)
    assert "psnr_minus_infinite" not in board_of({("d", "a", "psnr"): [1.0, INF]})


def test_ranks_are_scipys_with_ties_sharing_the_best() -> None:
    distance = np.random.default_rng(1).integers(0, 5, (50, 7)).astype(float)
    expected = stats.rankdata(distance, method="min", axis=1)
    np.testing.assert_array_equal(competition_ranks(distance), expected)


def test_equal_first_keys_are_ranked_by_the_second() -> None:
    first, second = np.array([1.0, 1.0, 0.0, np.nan]), np.array([2.0, 1.0, 9.0, 0.0])
    np.testing.assert_array_equal(lexicographic_ranks(first, second), [3, 2, 1, np.nan])


def test_methods_without_a_value_have_no_rank() -> None:
    distances = competition_ranks(np.array([np.nan, 2.0, 1.0, np.inf]))
    np.testing.assert_array_equal(distances, [np.nan, 2, 1, 3])


def test_a_rank_interval_holds_the_true_rank_at_least_as_often_as_it_says() -> None:
    generator = np.random.default_rng(12)
    true, info = np.array([31.0, 30.6, 30.3, 29.0]), ColumnInfo("higher")
    held = []
    for _ in range(200):
        values = generator.normal(0, 3, (60, 1)) + generator.normal(true, 1, (60, 4))
        order = order_methods(values, info, np.ones(4, dtype=bool))
        means = bootstrap_means(values, resamples=400)
        low, high = percentile_interval(resampled_ranks(values, info, order, means, 0))
        held.append((low <= [1, 2, 3, 4]) & (high >= [1, 2, 3, 4]))
    assert (np.mean(held, axis=0) > 0.93).all()
