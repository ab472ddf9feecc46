"""`iqbench check`: compare two results folders, print the verdict and set the exit code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_columns import as_stated
from made_manifest import MANIFEST

from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.store import Store

COLUMNS = as_stated({"psnr": ColumnInfo("higher", 2), "lpips-alex": ColumnInfo("lower", 4)})
VALUES = [28.0, 29.5, 31.0, 32.5, 34.0]


def write(
    root: Path,
    method: str,
    values: Iterable[float],
    *,
    dataset: str = "set5",
    metric: str = "psnr",
    version: int = 1,
    reference: str = "reference",
) -> Path:
    """Add a method's scores to a results folder."""
    with Store(root).writer(MANIFEST, COLUMNS) as writer:
        for image, value in zip("abcdefgh", values, strict=False):
            row = ImageRow(dataset, method, image, reference, f"{method}{value}")
            writer.add_image(row)
            signature = f"metric={metric}|version={version}|view=rgb"
            score = ScoreRow(
                *(dataset, method, image, metric, value, None), signature, "rgb", row.pair
            )
            writer.add_scores([score])
    return root


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The baseline: two methods."""
    write(tmp_path / "old", "edsr", VALUES)
    return write(tmp_path / "old", "bicubic", [value - 3 for value in VALUES])


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """The candidate, equal to the baseline but for edsr, which is 3 dB worse."""
    write(tmp_path / "new", "edsr", [value - 3 for value in VALUES])
    return write(tmp_path / "new", "bicubic", [value - 3 for value in VALUES])


def test_five_images_and_three_decibels_less_exit_with_1(
    iqbench: Any, old: Path, new: Path
) -> None:
    ran = iqbench("check", new, "--baseline", old)
    assert ran.code == 1
    assert ran.out.startswith("Regression check failed: 1 worse, 1 same\n")
    assert ran.err.splitlines()[0] == "check failed: 1 worse, 1 same"


def test_nothing_worse_exits_with_0(iqbench: Any, old: Path, new: Path) -> None:
    assert iqbench("check", new, "--baseline", old, "--method", "bicubic").code == 0
    assert iqbench("check", old, "--baseline", new).code == 0  # better
    # A margin of means scales the margin of single images too.
    assert iqbench("check", new, "--baseline", old, "--margin", "psnr=3.5").code == 0
    assert iqbench("check", new, "--baseline", old, "--margin", "psnr=20%").code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 1),
        (["--image-margin", "psnr=17"], 0),
        (["--image-margin", "psnr=16"], 1),
        (["--image-margin", "psnr=60%"], 0),
        (["--image-margin", "psnr=40%"], 1),
        (["--image-margin", "psnr=none"], 0),
        (["--image-margin", "none"], 0),
        (["--image-margin", "none", "--image-margin", "psnr=1"], 1),
    ],
)
def test_one_image_that_collapses_exits_with_1(
    iqbench: Any, tmp_path: Path, options: list[str], code: int
) -> None:
    jitter = [value + 0.02 * (-1) ** place for place, value in enumerate([*VALUES, 33.0, 32.0])]
    old = write(tmp_path / "old", "edsr", [*VALUES, 33.0, 32.0, 31.5])
    new = write(tmp_path / "new", "edsr", [*jitter, 31.5 - 16.6])
    ran = iqbench("check", new, "--baseline", old, *options)
    assert ran.code == code
    assert ("1 of 8 images lost the image margin" in ran.out) == bool(code)


def test_results_default_to_the_folder_of_that_name(
    iqbench: Any, old: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(new.parent)
    new.rename("results")
    assert iqbench("check", "--baseline", "old").code == 1


def test_a_folder_compared_with_itself_is_warned_of(iqbench: Any, old: Path) -> None:
    ran = iqbench("check", old, "--baseline", old)
    assert ran.code == 0
    assert "is compared with itself" in ran.err
    assert iqbench("--quiet", "check", old, "--baseline", old).err == "check passed: 2 same\n"


def test_missing_methods_fail_unless_they_are_allowed(iqbench: Any, old: Path) -> None:
    less = write(old.parent / "less", "edsr", VALUES)
    assert iqbench("check", less, "--baseline", old).code == 1
    assert iqbench("check", less, "--baseline", old, "--allow", "missing").code == 0
    assert iqbench("check", less, "--baseline", old, "--allow", "not-comparable").code == 1


def test_another_signature_or_reference_is_not_comparable(iqbench: Any, old: Path) -> None:
    other = write(old.parent / "other", "edsr", VALUES, version=2)
    write(other, "bicubic", VALUES, reference="another")
    ran = iqbench("check", other, "--baseline", old)
    assert ran.code == 1
    assert "5 of 5 images (version)" in ran.out
    assert "5 of 5 images (another reference file)" in " ".join(ran.out.split())
    # Allowed or not, nothing is left to compare.
    ran = iqbench("check", other, "--baseline", old, "--allow", "missing,not-comparable")
    assert ran.code == 1
    assert "nothing could be compared" in ran.out


def test_a_metric_that_the_candidate_lacks_is_missing_though_it_is_asked_for(
    iqbench: Any, old: Path, new: Path
) -> None:
    write(old, "edsr", [0.1] * 5, metric="lpips-alex", dataset="set14")
    ran = iqbench("check", new, "--baseline", old, "--metric", "lpips-alex")
    assert ran.code == 1
    assert "missing" in ran.out
    assert "psnr" not in ran.out


def test_filters_choose_what_is_compared(iqbench: Any, old: Path, new: Path) -> None:
    write(old, "edsr", VALUES, dataset="set14")
    write(new, "edsr", VALUES, dataset="set14")
    assert iqbench("check", new, "--baseline", old).code == 1
    ran = iqbench("check", new, "--baseline", old, "--dataset", "set14", "--metric", "psnr")
    assert ran.code == 0
    assert "set5" not in ran.out
    ran = iqbench("check", new, "--baseline", old, "--protocol", "rgb", "--precision", "exact")
    assert ran.code == 1


def test_methods_are_mapped(iqbench: Any, old: Path, new: Path) -> None:
    renamed = write(new.parent / "renamed", "edsr-v2", VALUES)
    arguments = ("check", renamed, "--baseline", old, "--map", "edsr=edsr-v2")
    for name in ("edsr", "edsr-v2"):
        ran = iqbench(*arguments, "--method", name)
        assert ran.code == 0
        assert "edsr → edsr-v2" in ran.out
    assert iqbench(*arguments).code == 1  # bicubic is missing


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--map", "esdr=edsr"], "unknown method of the baseline 'esdr'. Did you mean 'edsr'"),
        (["--map", "edsr=esdr"], "unknown method 'esdr'. Did you mean 'edsr'"),
        (["--map", "edsr"], "--map edsr names one method. Write it as OLD=NEW"),
        (["--map", "edsr=edsr", "--map", "edsr=bicubic"], "names edsr of the baseline twice"),
        (["--margin", "pnsr=1"], "unknown metric of --margin 'pnsr'. Did you mean 'psnr'"),
        (["--margin", "psnr=much"], "--margin psnr=much has no number of at least 0"),
        (["--margin", "psnr=none"], "--margin psnr=none has no number of at least 0"),
        (["--image-margin", "pnsr=1"], "unknown metric of --image-margin 'pnsr'. Did you mean"),
        (["--image-margin", "pnsr=none"], "unknown metric of --image-margin 'pnsr'"),
        (["--image-margin", "psnr=-1"], "--image-margin psnr=-1 has no number of at least 0"),
        (["--image-margin", "psnr=nil"], "psnr=none for no limit"),
        (["--image-margin", "off"], "unknown metric of --image-margin 'off'"),
        (["--method", "esdr"], "unknown method 'esdr'"),
        (["--metric", "pnsr"], "unknown metric 'pnsr'"),
        (["--dataset", "set6"], "unknown dataset 'set6'"),
        (["--allow", "worse"], "'worse' is not one of missing, not-comparable"),
        (["--alpha", "0"], "Invalid value for '--alpha'"),
        (["--baseline", "nowhere"], "no results folder"),
    ],
)
def test_wrong_input_exits_with_2(
    iqbench: Any, old: Path, new: Path, options: list[str], message: str
) -> None:
    ran = iqbench("check", new, "--baseline", old, *options)
    assert ran.code == 2
    assert message in ran.err
    assert ran.out == ""


def test_a_baseline_is_required(iqbench: Any, new: Path) -> None:
    ran = iqbench("check", new)
    assert (ran.code, ran.out) == (2, "")
    assert "Missing option '--baseline'" in ran.err


def test_formats_and_files(iqbench: Any, old: Path, new: Path, tmp_path: Path) -> None:
    ran = iqbench("check", new, "--baseline", old, "--format", "json")
    assert [row["verdict"] for row in json.loads(ran.out)] == ["same", "worse"]
    assert ran.err.splitlines()[0] == "check failed: 1 worse, 1 same"
    assert "worst images: a (-3.000), b (-3.000), c (-3.000)" in ran.err

    ran = iqbench("check", new, "--baseline", old, "-o", tmp_path / "check.md")
    assert (ran.code, ran.out) == (1, "")
    assert (tmp_path / "check.md").read_text(encoding="utf-8").startswith("### Regression check")

    ran = iqbench("check", new, "--baseline", old, "--junit", tmp_path / "check.xml")
    assert ran.code == 1
    root = ElementTree.parse(tmp_path / "check.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")


def test_the_same_input_gives_the_same_output(iqbench: Any, old: Path, new: Path) -> None:
    outputs = {iqbench("check", new, "--baseline", old, "--format", "json").out for _ in range(2)}
    assert len(outputs) == 1


def test_the_help_defines_its_numbers(iqbench: Any) -> None:
    text = iqbench("check", "--help").out
    for word in ("Wilcoxon", "Holm", "0.05 dB", "not comparable", "exit 1", "1 dB", "Examples:"):
        assert word in text


def test_every_format_says_that_one_image_decided(iqbench: Any, tmp_path: Path) -> None:
    """The first image became equal as well: its infinite gain is counted beside the mean."""
    before = [*VALUES, 33.0, 32.0, 31.5]
    old = write(tmp_path / "old", "edsr", before)
    new = write(tmp_path / "new", "edsr", [float("inf"), *before[1:-1], 14.9])
    reason = "image: 1 of 8 images lost the image margin (1) or more, and the mean is worse too"
    for format in ("table", "markdown", "csv", "json"):
        ran = iqbench("check", new, "--baseline", old, "--format", format)
        assert ran.code == 1
        assert reason in " ".join(ran.out.replace("\\", "").split()), format
    page, junit = tmp_path / "check.html", tmp_path / "check.xml"
    assert iqbench("check", new, "--baseline", old, "--html", page, "--junit", junit).code == 1
    text = page.read_text(encoding="utf-8")
    assert reason in text
    assert "29.56 (+1 inf)" in text
    assert "-2.371 (1 +inf)" in text
    assert reason in junit.read_text(encoding="utf-8")
