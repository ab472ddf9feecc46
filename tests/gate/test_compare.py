"""Two methods or two runs: differences, their intervals, and wins."""

import math

import pytest
from made_sides import side

from iqbench.gate.compare import apart, compare

VALUES = [30.0, 31.0, 32.0, 33.0, 34.0, 35.0]


def compared(before, after, metric="psnr", **options):
    key = ("set5", "edsr", metric)
    return compare(side({key: before}), side({key: after}), **options)


def only(found):
    (row,) = found.rows.to_dict("records")
    return row


def test_means_difference_interval_and_test():
    row = only(compared(VALUES, [value + 1 for value in VALUES]))
    assert (row["n"], row["first"], row["second"]) == (6, 32.5, 33.5)
    assert (row["difference"], row["low"], row["high"]) == (1.0, 1.0, 1.0)
    assert row["p_value"] == pytest.approx(2 / 2**6)
    assert row["effect"] == 1.0
    assert (row["wins"], row["losses"], row["ties"]) == (6, 0, 0)


@pytest.mark.parametrize(
    ("metric", "before", "after", "wins", "losses"),
    [
        ("lpips-alex", [0.1, 0.2, 0.3], [0.05, 0.25, 0.35], 1, 2),
        ("tv-ratio", [0.9, 0.9, 0.9], [1.05, 1.2, 1.1], 1, 1),
        ("tv-output", [0.1, 0.2, 0.3], [0.2, 0.1, 0.3], 1, 1),
    ],
)
def test_a_win_is_a_better_image(metric, before, after, wins, losses):
    row = only(compared(before, after, metric))
    assert (row["wins"], row["losses"], row["ties"]) == (wins, losses, 3 - wins - losses)


def test_with_a_target_the_difference_is_plain_and_the_effect_is_of_distances():
    row = only(compared([0.9] * 3, [1.05] * 3, "tv-ratio"))
    assert row["difference"] == pytest.approx(0.15)
    assert row["effect"] == 1.0


def test_p_is_corrected_over_all_rows():
    keys = [("set5", "edsr", "psnr"), ("set14", "edsr", "psnr")]
    after = {keys[0]: [v + 1 for v in VALUES], keys[1]: [v + 2 for v in VALUES]}
    rows = compare(side(dict.fromkeys(keys, VALUES)), side(after)).rows
    assert rows["p_value"].tolist() == pytest.approx([4 / 2**6] * 2)


def test_equal_sides_differ_nowhere():
    found = compared(VALUES, VALUES)
    row = only(found)
    assert (row["p_value"], row["effect"], row["ties"]) == (1.0, 0.0, 6)
    assert apart(found, row, 3).empty


def test_one_image_has_no_interval():
    row = only(compared([30.0], [31.0]))
    assert (row["difference"], row["p_value"]) == (1.0, 1.0)
    assert math.isnan(row["low"])


def test_infinite_on_both_sides_is_equal():
    row = only(compared([math.inf, 30.0, 31.0], [math.inf, 30.5, 32.0]))
    assert (row["first"], row["second"], row["difference"]) == (30.5, 31.25, 0.5)
    assert (row["first_infinite"], row["second_infinite"]) == (1, 1)
    assert (row["wins"], row["losses"], row["ties"]) == (2, 0, 1)


@pytest.mark.parametrize(("sign", "first", "second"), [(1, 0, 1), (-1, 1, 0)])
def test_one_image_that_becomes_infinite_or_finite_decides_no_mean_and_no_interval(
    sign, first, second
):
    finite, end = [value - 0.8 * sign for value in VALUES], [30.0, math.inf]
    row = only(compared([*VALUES, end[::sign][0]], [*finite, end[::sign][1]]))
    assert row["difference"] == pytest.approx(-0.8 * sign)
    assert (row["low"], row["high"]) == pytest.approx((-0.8 * sign, -0.8 * sign))
    assert (row["first_infinite"], row["second_infinite"]) == (first, second)
    assert (row["infinite_rises"], row["infinite_falls"]) == (second, first)
    assert sorted((row["wins"], row["losses"])) == [1, 6]
    # It has the largest of the seven ranks: 21 against 7 of 28.
    assert row["effect"] == pytest.approx(-sign * (21 - 7) / 28)


def test_where_all_differences_are_infinite_the_difference_is_and_has_no_interval():
    row = only(compared([math.inf] * 3, [40.0] * 3))
    assert (row["difference"], row["first"], row["second"]) == (-math.inf, math.inf, 40.0)
    assert math.isnan(row["low"])
    assert math.isnan(only(compared([math.inf, 30.0], [30.0, math.inf]))["difference"])


def test_two_methods_of_one_table():
    scores = side({("set5", "a", "psnr"): VALUES})
    other = side({("set5", "b", "psnr"): [v - 1 for v in VALUES]})
    row = only(compare(scores, other, methods={"a": "b"}))
    assert (row["baseline_method"], row["method"], row["difference"]) == ("a", "b", -1.0)


def test_what_is_missing_or_not_comparable_is_counted_and_left_out():
    row = only(compared(VALUES, [*VALUES[:4], None, "undefined: flat"]))
    assert (row["n"], row["missing"]) == (4, 2)
    key = ("set5", "edsr", "psnr")
    other = side({key: VALUES}, signature="metric={metric}|version=1|view=luma")
    row = only(compare(side({key: VALUES}), other))
    assert (row["n"], row["not_comparable"], row["why"]) == (0, 6, "view")
    assert math.isnan(row["p_value"])


def test_images_that_differ_most_either_way():
    found = compared(VALUES, [30.0, 34.0, 30.0, 33.5, 34.0, 35.0])
    assert apart(found, only(found), 2).to_dict("list") == {
        "image": ["image01", "image02"],
        "baseline": [31.0, 32.0],
        "candidate": [34.0, 30.0],
        "difference": [3.0, -2.0],
    }
