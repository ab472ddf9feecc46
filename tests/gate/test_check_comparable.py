"""What a check finds missing, not comparable, allowed, new or renamed."""

from __future__ import annotations

from typing import Any

import pytest
from made_checks import PSNR, SMALL, checked, only, shifted
from made_sides import joined, side

from iqbench.gate.check import check

# -- what is not there, and what may not be compared -----------------------------------------------


@pytest.mark.parametrize(
    "after",
    [
        {PSNR: [*SMALL[:3], None, None]},
        {("set5", "other", "psnr"): SMALL, PSNR: [None] * 5},
        {("set5", "edsr", "sharpness"): SMALL},
        {("set14", "edsr", "psnr"): SMALL},
    ],
    ids=["images", "method", "metric", "dataset"],
)
def test_what_the_baseline_has_and_the_candidate_lacks_is_missing(after: Any) -> None:
    found = checked(side({PSNR: SMALL}), side(after))
    assert only(found)["verdict"] == "missing"
    assert not found.passed


def test_an_image_that_could_not_be_scored_says_why() -> None:
    after = side({PSNR: [None] * 5}, errors={f"image{n:02}": "no output" for n in range(5)})
    row = only(checked(side({PSNR: SMALL}), after))
    assert row["lacking"] == "missing: 5 of 5 images (no output)"


def test_another_signature_is_not_comparable_and_the_field_is_named() -> None:
    after = side({PSNR: SMALL}, signature="metric={metric}|version=2|view=luma")
    row = only(checked(side({PSNR: SMALL}), after))
    assert (row["verdict"], row["n"], row["not_comparable"]) == ("not comparable", 0, 5)
    assert row["lacking"] == "not comparable: 5 of 5 images (version, view)"


def test_the_nearest_of_several_other_signatures_is_named() -> None:
    several = [
        side({PSNR: SMALL}, signature=f"metric={{metric}}|version={version}|view={view}")
        for version, view in (("2", "luma"), ("1", "gray"), ("3", "luma"))
    ]
    row = only(checked(side({PSNR: SMALL}), joined(*several)))
    assert row["lacking"] == "not comparable: 5 of 5 images (view)"


def test_of_two_signatures_each_is_compared_with_its_own() -> None:
    luma = "metric={metric}|version=1|view=luma"
    both = joined(side({PSNR: SMALL}), side({PSNR: shifted(SMALL, 1)}, signature=luma))
    found = checked(both, both)
    assert found.rows["verdict"].tolist() == ["same", "same"]
    half = checked(both, side({PSNR: SMALL}))
    assert sorted(half.rows["verdict"]) == ["missing", "same"]  # rgb is no other version of luma
    assert checked(side({PSNR: SMALL}), both).passed


def test_another_reference_file_is_not_comparable() -> None:
    found = checked(side({PSNR: SMALL}), side({PSNR: SMALL}, reference="other"))
    assert only(found)["lacking"] == "not comparable: 5 of 5 images (another reference file)"
    luma = side({PSNR: SMALL}, reference="other", signature="metric={metric}|version=1|view=y")
    assert "(another reference file, view)" in only(checked(side({PSNR: SMALL}), luma))["lacking"]


def test_what_is_allowed_does_not_fail_and_the_rest_is_judged() -> None:
    less = side({PSNR: [*SMALL[:4], None]})
    found = checked(side({PSNR: SMALL}), less, allow=["missing"])
    assert (only(found)["verdict"], only(found)["failed"], found.passed) == ("same", False, True)
    assert only(found)["lacking"].startswith("missing: 1 of 5")
    lower = side({PSNR: [*shifted(SMALL[:4], -3), None]})
    assert only(checked(side({PSNR: SMALL}), lower, allow=["missing"]))["verdict"] == "worse"
    assert not checked(side({PSNR: SMALL}), less, allow=["not comparable"]).passed


def test_a_method_that_is_allowed_to_be_missing_is_still_called_so() -> None:
    gone = ("set5", "gone", "psnr")
    found = checked(
        side({PSNR: SMALL, gone: SMALL}), side({PSNR: SMALL}), allow=["missing", "not comparable"]
    )
    rows = found.rows.set_index("method")
    assert rows["verdict"].to_dict() == {"edsr": "same", "gone": "missing"}
    assert found.passed


def test_worse_outweighs_missing() -> None:
    row = only(checked(side({PSNR: SMALL}), side({PSNR: [27.0, 28.0, 29.0, 30.0, None]})))
    assert (row["verdict"], row["missing"]) == ("worse", 1)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({PSNR: SMALL}, {("set14", "edsr", "psnr"): SMALL}, "nothing could be compared"),
        ({}, {PSNR: SMALL}, "nothing could be compared"),
        (
            {("set5", "edsr", "tv-output"): SMALL},
            {("set5", "edsr", "tv-output"): SMALL},
            "no metric that was compared has a direction",
        ),
    ],
)
def test_without_a_comparison_nothing_passes(before: Any, after: Any, why: str) -> None:
    found = checked(side(before), side(after), allow=["missing", "not comparable"])
    assert not found.passed
    assert why in found.why()


def test_new_images_methods_and_metrics_are_listed_and_fail_nothing() -> None:
    more = {
        PSNR: [*SMALL, 35.0],
        ("set5", "edsr", "lpips-alex"): [0.1] * 6,
        ("set5", "new", "psnr"): SMALL,
    }
    found = checked(side({PSNR: SMALL}), side(more))
    assert found.passed
    listed = found.new.groupby("method")["metrics"].agg(list).to_dict()
    assert listed == {"edsr": [1, 1, 1, 1, 1, 2], "new": [1] * 5}


def test_a_renamed_method_is_compared_with_its_old_name() -> None:
    old, new = ("set5", "v1", "psnr"), ("set5", "v2", "psnr")
    found = checked(side({old: SMALL}), side({new: shifted(SMALL, -3)}), methods={"v1": "v2"})
    row = only(found)
    assert (row["baseline_method"], row["method"], row["verdict"]) == ("v1", "v2", "worse")
    assert found.new.empty


def test_a_method_may_stand_in_for_several() -> None:
    old = {("set5", name, "psnr"): SMALL for name in ("v1", "v2")}
    found = checked(side(old), side({("set5", "v2", "psnr"): SMALL}), methods={"v1": "v2"})
    assert found.rows["baseline_method"].tolist() == ["v1", "v2"]
    assert found.passed


def test_an_unknown_metric_has_no_direction() -> None:
    key = ("set5", "edsr", "mystery")
    found = check(side({key: SMALL}), side({key: shifted(SMALL, -9)}))
    assert only(found)["verdict"] == "changed"
