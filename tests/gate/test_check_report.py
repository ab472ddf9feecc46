"""The result of a check for people and programs: terminal, Markdown, JSON, JUnit."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from made_sides import joined, side

from iqbench.document.terminal import Window
from iqbench.gate.check import Check, check
from iqbench.gate.check_document import render_check
from iqbench.gate.junit import render_junit

VALUES = [30.0, 31.0, 32.0, 33.0, 34.0]
EVIL = 'a|b<script>&"]]>\x1b[31m\x00'


def found(**options: Any) -> Check:
    """Make one row of every verdict."""
    before = {
        ("set5", "edsr", "psnr"): VALUES,
        ("set5", "edsr", "lpips-alex"): [0.2] * 5,
        ("set5", "edsr", "tv-output"): [0.2] * 5,
        ("set5", "gone", "psnr"): VALUES,
        ("set14", "edsr", "psnr"): VALUES,
        ("set14", "edsr", "tv-ratio"): [0.9] * 5,
    }
    after = {
        ("set5", "edsr", "psnr"): [27.0, 28.5, 29.0, 30.0, 31.0],
        ("set5", "edsr", "lpips-alex"): [0.1] * 5,
        ("set5", "edsr", "tv-output"): [0.3] * 5,
        ("set14", "edsr", "psnr"): [*VALUES[:4], None],
        ("set14", "edsr", "tv-ratio"): [0.9] * 5,
        ("set14", "new", "psnr"): [30.0] * 7,
    }
    return check(side(before), side(after), **options)


def shown(check: Check, format: str = "table", **options: Any) -> str:
    return render_check(check, format, **options)


def junit(check: Check) -> ElementTree.Element:
    return ElementTree.fromstring(render_junit(check).encode())


def test_a_check_in_a_terminal() -> None:
    assert shown(found(), window=Window(90)).splitlines() == [
        "Regression check failed: 1 worse, 2 missing, 1 changed, 1 better, 1 same",
        "",
        "set14",
        "",
        "verdict  method  metric                baseline                now    gain  margin  p  n",
        "────────────────────────────────────────────────────────────────────────────────────────",
        "missing  edsr    psnr ↑                   31.50              31.50   0.000    0.05  -  4",
        "same     edsr    tv-ratio →1  0.900 (0.100 off)  0.900 (0.100 off)  0.0000    0.01  -  5",
        "",
        "verdict  method  metric  reason",
        "────────────────────────────────────────────────────────────",
        "missing  edsr    psnr    missing: 1 of 5 images (not scored)",
        "",
        "set5",
        "",
        "verdict  method  metric        baseline     now      gain  margin             p  n",
        "──────────────────────────────────────────────────────────────────────────────────",
        "worse    edsr    psnr ↑           32.00   29.10    -2.900    0.05  margin alone  5",
        "changed  edsr    tv-output       0.2000  0.3000  +0.10000       -             -  5",
        "better   edsr    lpips-alex ↓    0.2000  0.1000  +0.10000   0.002  margin alone  5",
        "",
        "verdict  method  metric  reason",
        "────────────────────────────────────────────────────────────────────────────────────────",
        "worse    edsr    psnr    image: 5 of 5 images lost the image margin (1) or more, and the",
        "                         mean is worse too",
        "missing  gone    psnr    missing: 5 of 5 images (not scored)",
        "",
        "worst",
        "images   method  metric  baseline    now    gain",
        "────────────────────────────────────────────────",
        "image00  edsr    psnr ↑     30.00  27.00  -3.000",
        "image02  edsr    psnr ↑     32.00  29.00  -3.000",
        "image03  edsr    psnr ↑     33.00  30.00  -3.000",
        "",
        "gain: how much better the mean got, in the metric's unit, negative is worse; p: of the",
        "one-sided Wilcoxon test, corrected by Holm, significant up to 0.05",
        "off: mean distance to the target (→), by which such a metric is judged",
        "margin alone: in 2 of 6 comparisons too few images changed for any to be significant, so",
        "that the margin alone decides",
        "New, not in the baseline: set14 new: image00, image01, image02, image03, image04 and 2",
        "more",
    ]


def test_worst_images_are_as_many_as_asked_for() -> None:
    assert "image00  edsr    psnr" not in shown(found(), worst=0)
    assert shown(found(), worst=9).count("psnr ↑     3") == 5


def test_of_many_rows_those_that_are_the_same_are_counted() -> None:
    many = {("set5", f"method{number:02}", "psnr"): VALUES for number in range(30)}
    one = {**many, ("set5", "method07", "psnr"): [value - 1 for value in VALUES]}
    result = check(side(many), side(one))
    assert "method07" in shown(result)
    assert "method08" not in shown(result)
    assert "Not shown: 29 that are the same (--rows all)" in shown(result)
    assert "method08" in shown(result, every=True)


def test_a_loss_that_is_not_significant_is_pointed_out() -> None:
    before = {("set5", "edsr", "psnr"): [30.0] * 30}
    after = {("set5", "edsr", "psnr"): [*[29.5] * 5, *[30.01] * 25]}
    text = shown(check(side(before), side(after)))
    assert "Lost more than the margin, but not significantly: set5 edsr psnr -0.075" in text


def collapsed() -> Check:
    """One of 30 images collapses while the others jitter; of another, one becomes equal."""
    before = [30 + 0.1 * number for number in range(30)]
    jittering = [value + 0.02 * (-1) ** place for place, value in enumerate(before)]
    values = {("set5", "edsr", "psnr"): before, ("set5", "swin", "psnr"): before}
    now = {
        ("set5", "edsr", "psnr"): [*jittering[:-1], 14.0],
        ("set5", "swin", "psnr"): [math.inf, *(value - 0.8 for value in before[1:])],
    }
    return check(side(values), side(now))


REASON = "image: 1 of 30 images lost the image margin (1) or more"


@pytest.mark.parametrize("format", ["table", "markdown"])
def test_people_are_told_which_rule_decided(format: str) -> None:
    text = shown(collapsed(), format, window=Window(120))
    assert "Regression check failed: 2 worse" in text
    assert REASON in " ".join(text.split())
    assert re.search(r"image29.*32\.90.*14\.00.*-18\.900", text)


@pytest.mark.parametrize("format", ["table", "markdown"])
def test_infinite_values_are_counted_beside_the_mean(format: str) -> None:
    text = shown(collapsed(), format, window=Window(120))
    assert re.search(r"worse.*swin.*31\.45.*30\.70 \(\+1 inf\).*-0\.800 \(1 \+inf\)", text)
    assert "inf: infinite values are counted and are in no mean" in text


def test_programs_are_told_which_rule_decided() -> None:
    rows = {row["method"]: row for row in parsed(collapsed())}
    edsr, swin = rows["edsr"], rows["swin"]
    assert (edsr["verdict"], edsr["reason"], edsr["images_beyond"]) == ("worse", "image", 1)
    assert (edsr["image_margin"], edsr["note"]) == ("1", REASON)
    assert (swin["verdict"], swin["reason"], swin["images_beyond"]) == ("worse", "mean", 0)
    assert (swin["baseline_infinite"], swin["candidate_infinite"]) == (0, 1)
    assert (swin["infinite_gains"], swin["infinite_losses"]) == (1, 0)
    assert swin["gain"] == pytest.approx(-0.8)


def test_junit_says_which_rule_decided() -> None:
    failures = junit(collapsed()).findall(".//failure")
    assert [failure.get("type") for failure in failures] == ["worse", "worse"]
    edsr, swin = (failure.get("message", "") for failure in failures)
    assert edsr.endswith(f"; {REASON}")
    assert (failures[0].text or "").startswith("worst images: image29 (-18.900), ")
    assert "mean 31.45 to 30.7 (+1 inf); gain -0.8 (1 +inf)" in swin


def test_markdown_escapes_names() -> None:
    key = ("set5", EVIL, "psnr")
    result = check(side({key: VALUES}), side({key: [1.0] * 5}))
    text = shown(result, "markdown")
    assert text.startswith("### Regression check failed: 1 worse\n")
    assert "| worse | a\\|b&lt;script&gt;&amp;" in text
    assert "<script>" not in text
    assert "\x1b" not in text + shown(result)


def test_json_holds_every_row_and_its_worst_images() -> None:
    rows = {(row["dataset"], row["method"], row["metric"]): row for row in parsed(found())}
    assert len(rows) == 6
    worse = rows["set5", "edsr", "psnr"]
    assert (worse["verdict"], worse["failed"], worse["n"]) == ("worse", True, 5)
    assert worse["worst_images"] == "image00 (-3.000), image02 (-3.000), image03 (-3.000)"
    gone = rows["set5", "gone", "psnr"]
    assert (gone["verdict"], gone["n"], gone["gain"], gone["missing"]) == ("missing", 0, None, 5)
    assert rows["set5", "edsr", "tv-output"]["margin"] is None


def parsed(check: Check) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(shown(check, "json"))
    return rows


def test_csv_holds_every_row() -> None:
    assert len(shown(found(), "csv").splitlines()) == 7


def test_junit_has_a_case_a_row_and_a_failure_where_the_check_fails() -> None:
    root = junit(found())
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("6", "3", "0")
    assert [suite.get("name") for suite in root] == ["set14", "set5"]
    case = root.find(".//testcase[@classname='set5.edsr'][@name='psnr']")
    assert case is not None
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "worse"
    assert re.match(
        r"worse; mean 32 to 29\.1; gain -2\.9, margin 0\.05", failure.get("message", "")
    )
    assert failure.text == "worst images: image00 (-3.000), image02 (-3.000), image03 (-3.000)"


def test_junit_skips_what_is_allowed_to_be_missing() -> None:
    root = junit(found(allow=["missing"]))
    assert (root.get("failures"), root.get("skipped")) == ("1", "1")
    assert root.find(".//testcase[@classname='set5.gone']/skipped") is not None


def test_junit_is_valid_whatever_the_names() -> None:
    key = (EVIL, EVIL, "psnr")
    result = check(side({key: VALUES}), side({key: [1.0] * 5}))
    (suite,) = junit(result)
    assert suite.get("name") == EVIL.replace("\x1b", "\\x1b").replace("\x00", "\\x00")


@pytest.mark.parametrize("before", [{}, {("set14", "edsr", "psnr"): VALUES}])
def test_nothing_compared_is_a_failure_everywhere(before: Any) -> None:
    result = check(side(before), side({("set5", "edsr", "psnr"): VALUES}))
    for format in ("table", "markdown"):
        assert "Regression check failed: nothing could be compared" in shown(result, format)
    assert junit(result).find(".//failure[@type='nothing compared']") is not None


def test_two_signatures_are_shown_separately() -> None:
    both = joined(
        *(
            side({("set5", "edsr", "psnr"): VALUES}, signature=f"metric={{metric}}|view={view}")
            for view in ("rgb", "luma")
        )
    )
    text = shown(check(both, both))
    assert "psnr [view=luma] ↑" in text
    assert "psnr [view=rgb] ↑" in text
