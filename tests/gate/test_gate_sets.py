"""Values of whole sets in checks and comparisons: no tests, an interval from the same images."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from iqbench.columns import Margin
from iqbench.gate.check import check
from iqbench.gate.check_document import render_check
from iqbench.gate.compare import compare
from iqbench.gate.compare_document import render_comparison
from iqbench.gate.junit import render_junit
from iqbench.gate.matching import Scored
from iqbench.results.columns import Columns
from iqbench.results.schema import ColumnInfo

REFERENCES = "metric=fid|version=1|set=references"
PHOTOS = "metric=fid|version=1|set=0123456789ab"
FID = Columns(
    {
        "psnr": ColumnInfo("higher"),
        "fid": ColumnInfo("lower", 3, margin=Margin(0.02, relative=True, reason="its own")),
    }
)
SCORES = ["dataset", "method", "image", "metric", "value", "error", "signature", "protocol"]


def side(
    value=10.0,
    replicates=(9.9, 10.0, 10.1, 10.0),
    *,
    n=8,
    images=8,
    signature=REFERENCES,
    error=None,
    reference="ref",
    psnr=None,
    expected=8,
):
    """One method's value of FID, of images called 0, 1, ..."""
    sets = {
        "dataset": "d",
        "method": "m",
        "metric": "fid",
        "value": np.nan if value is None else value,
        "standard_error": 1.0,
        "error": error,
        "signature": signature,
        "protocol": "rgb",
        "n": n,
        "expected": expected,
        "replicates": None if replicates is None else np.array(replicates),
    }
    table = pd.DataFrame(
        {
            "dataset": "d",
            "method": "m",
            "image": [str(number) for number in range(images)],
            "reference_digest": [f"{reference}{number}" for number in range(images)],
            "output_digest": [f"out{number}" for number in range(images)],
            "error": None,
        }
    )
    scores = [
        ("d", "m", str(number), "psnr", one, None, "metric=psnr", "rgb")
        for number, one in enumerate(psnr or [])
    ]
    return Scored(pd.DataFrame(scores, columns=SCORES), table, FID, pd.DataFrame([sets]))


def verdict(*sides, **options):
    found = check(*sides, **options)
    (row,) = found.rows.to_dict("records")
    return row


class TestCheck:
    @pytest.mark.parametrize(
        ("now", "replicates", "expected"),
        [
            (10.5, (10.4, 10.5, 10.6, 10.5), "worse"),  # moved together: certain
            (10.5, (9.0, 12.0, 9.5, 11.5), "same"),  # beyond the margin, by chance
            (10.1, (10.0, 10.1, 10.2, 10.1), "same"),  # certain, within the margin of 2 %
            (9.5, (9.4, 9.5, 9.6, 9.5), "better"),
            (10.0, (9.9, 10.0, 10.1, 10.0), "same"),
            (10.5, None, "worse"),  # without replicates the margin alone decides
            (10.1, None, "same"),
            (10.5, (10.4, 10.5), "worse"),  # other groups are none
        ],
    )
    def test_worse_is_a_loss_beyond_the_margin_whose_interval_excludes_0(
        self, now, replicates, expected
    ):
        row = verdict(side(), side(now, replicates))
        assert row["verdict"] == expected
        assert row["failed"] == (expected == "worse")
        assert row["margin"] == pytest.approx(0.2)
        assert row["gain"] == pytest.approx(10 - now)
        assert np.isnan(row["p_value"])

    def test_the_interval_is_the_jackknifes_of_the_difference(self):
        row = verdict(side(), side(10.5, (10.3, 10.6, 10.6, 10.4)))
        parts = np.array([0.4, 0.6, 0.5, 0.4])
        error = np.sqrt(3 / 4 * ((parts - parts.mean()) ** 2).sum())
        assert row["gain_low"] == pytest.approx(-0.5 - 1.96 * error, rel=1e-3)
        assert row["gain_high"] == pytest.approx(-0.5 + 1.96 * error, rel=1e-3)

    def test_a_margin_can_be_given(self):
        sides = side(), side(10.5, (10.4, 10.5, 10.6, 10.5))
        margin = {"fid": Margin(1.0, relative=False, reason="given")}
        assert verdict(*sides, margins=margin)["verdict"] == "same"

    @pytest.mark.parametrize(
        ("now", "state", "why"),
        [
            (side(None, error="stale: images changed"), "missing", "stale"),
            (side(n=7), "missing", "covers 7 images"),
            (side(n=9, images=9), "not comparable", "9 images instead of 8"),
            (side(images=9), "not comparable", "other images"),
            (side(reference="new"), "not comparable", "another reference file"),
            (side(signature=PHOTOS), "not comparable", "set"),
        ],
    )
    def test_what_is_of_other_images_is_named_and_fails(self, now, state, why):
        row = verdict(side(), now)
        assert (row["verdict"], row["failed"]) == (state, True)
        assert why in row["lacking"]
        assert not verdict(side(), now, allow=[state])["failed"]

    def test_references_do_not_matter_where_there_is_a_reference_set(self):
        both = side(signature=PHOTOS), side(signature=PHOTOS, reference="new")
        assert verdict(*both)["verdict"] == "same"

    def test_it_is_no_part_of_holms_correction(self):
        psnr = [30.0 + number / 100 for number in range(8)]
        lost = [one - 1 for one in psnr]
        with_set = check(side(psnr=psnr), side(10.5, (10.4, 10.5, 10.6, 10.5), psnr=lost))
        alone = check(
            *(
                Scored(one.scores, one.images, one.columns)
                for one in (side(psnr=psnr), side(psnr=lost))
            )
        )
        first = with_set.rows.set_index("metric").loc["psnr"]
        assert first["p_value"] == alone.rows.set_index("metric").loc["psnr", "p_value"]
        assert set(with_set.rows["verdict"]) == {"worse"}

    def test_a_check_of_sets_alone_can_pass_and_speaks_of_no_test(self):
        found = check(side(), side())
        assert found.passed
        text = render_check(found, "table")
        assert "Wilcoxon" not in text
        assert "-0.0" not in text

    def test_every_form_says_how_sure_it_is(self):
        found = check(side(), side(10.5, (9.0, 12.0, 9.5, 11.5)))
        for form in ("table", "markdown", "html", "latex"):
            text = " ".join(render_check(found, form).split())
            assert "not significant" in text
            assert form == "latex" or "not part of the tests" in text
        (record,) = json.loads(render_check(found, "json"))
        assert record["scope"] == "set"
        assert record["gain_low"] < -0.5 < record["gain_high"]
        assert 'failures="0"' in render_junit(found)


class TestCompare:
    def test_a_value_of_a_set_has_an_interval_and_no_wins(self):
        found = compare(side(), side(10.5, (10.4, 10.5, 10.6, 10.5)))
        (row,) = found.rows.to_dict("records")
        assert (row["first"], row["second"], row["difference"]) == (10.0, 10.5, 0.5)
        assert row["low"] == pytest.approx(0.5)
        assert np.isnan(row["p_value"])
        (line,) = [
            line
            for line in render_comparison(found, "table", names=("A", "B")).splitlines()
            if "fid" in line
        ]
        numbers = "fid ↓ 10.000 10.500 +0.5000 +0.5000 to +0.5000 - - - - - 8"
        assert line.split() == numbers.split()

    def test_it_changes_no_p_value_of_others(self):
        psnr = [30.0 + number / 100 for number in range(8)]
        lost = [one - 1 for one in psnr]
        found = compare(side(psnr=psnr), side(11.0, psnr=lost)).rows.set_index("metric")
        assert found.loc["psnr", "p_value"] == pytest.approx(2 / 2**8)
        assert found.loc["psnr", "losses"] == 8

    def test_values_that_cannot_be_compared_are_named(self):
        found = compare(side(), side(signature=PHOTOS))
        text = render_comparison(found, "table", names=("A", "B"))
        assert "not comparable (set)" in text
