"""`iqbench check` with a baseline in text: it is written, compared and updated."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_check_command import VALUES, write

import iqbench as library
from iqbench.results.read import load_scores

MAIN = "from iqbench.cli.main import main; main()"
BETTER = [value + 0.5 for value in VALUES]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two methods on two datasets, and a baseline in text of them."""
    monkeypatch.chdir(tmp_path)
    for dataset in ("set5", "set14"):
        write(tmp_path / "results", "edsr", VALUES, dataset=dataset)
    return write(tmp_path / "results", "bicubic", [value - 3 for value in VALUES])


@pytest.fixture
def baseline(results: Path, iqbench: Any) -> Path:
    ran = iqbench("check", results, "--baseline", "baseline.jsonl", "--update")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "wrote the new baseline baseline.jsonl: 15 values\n"
    return Path("baseline.jsonl")


def rows(path: Path) -> dict[tuple[str, str, str], dict[str, float]]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {
        (line["dataset"], line["method"], line["image"]): line["values"]
        for line in lines
        if "image" in line
    }


def test_a_text_is_compared_with_as_a_folder_is(iqbench: Any, baseline: Path) -> None:
    write(Path("new"), "edsr", [value - 3 for value in VALUES])
    of_text, of_folder = (
        iqbench("check", "new", "--baseline", side, "--dataset", "set5", "--format", "json")
        for side in (baseline, "results")
    )
    assert of_text == of_folder
    assert of_text.code == 1
    assert iqbench("check", baseline, "--baseline", baseline).code == 0
    assert not library.check("new", baseline=baseline).passed
    assert library.check(baseline, baseline="results").passed
    ran = iqbench("compare", baseline, "new", "--dataset", "set5", "--method", "edsr")
    assert ran.code == 0
    assert "-3.00" in ran.out


def test_an_update_prints_what_changed_and_changes_no_other_line(
    iqbench: Any, baseline: Path
) -> None:
    before = baseline.read_text("utf-8").splitlines()
    write(Path("results"), "edsr", [*VALUES[:-1], VALUES[-1] - 4])
    ran = iqbench("check", "--baseline", baseline, "--update")
    assert ran.code == 0  # worse, and meant
    assert "worse" in ran.out
    assert "e  " in ran.out  # the image
    assert ran.err.endswith("updated baseline.jsonl: 1 changed, 0 added, 0 dropped, 14 same\n")
    after = baseline.read_text("utf-8").splitlines()
    changed = [
        place for place, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1
    ]
    assert [json.loads(after[place])["image"] for place in changed] == ["e"]
    assert iqbench("check", "--baseline", baseline).code == 0


def test_an_update_by_the_same_values_leaves_every_byte(iqbench: Any, baseline: Path) -> None:
    before = baseline.read_bytes()
    assert iqbench("check", "--baseline", baseline, "--update").code == 0
    assert baseline.read_bytes() == before


def test_values_equal_to_9_digits_keep_their_digits(iqbench: Any, baseline: Path) -> None:
    before = rows(baseline)
    nearly = [value * (1 + 1e-11) for value in VALUES]
    write(Path("results"), "edsr", nearly)
    ran = iqbench("check", "--baseline", baseline, "--update")
    assert ran.err.endswith("0 changed, 0 added, 0 dropped, 15 same\n")
    assert rows(baseline) == before


def test_methods_that_are_not_chosen_stay(iqbench: Any, baseline: Path) -> None:
    before = rows(baseline)
    for method in ("edsr", "bicubic"):
        write(Path("new"), method, BETTER)
    ran = iqbench(
        "check", "new", "--baseline", baseline, "--update", "--method", "edsr", "--dataset", "set5"
    )
    assert ran.code == 0
    after = rows(baseline)
    assert {key for key in after if after[key] != before[key]} == {
        ("set5", "edsr", image) for image in "abcde"
    }


def test_new_methods_are_added_and_renamed_ones_replaced(iqbench: Any, baseline: Path) -> None:
    write(Path("new"), "edsr-v2", BETTER)
    write(Path("new"), "swinir", BETTER)
    ran = iqbench(
        *("check", "new", "--baseline", baseline, "--update", "--map", "edsr=edsr-v2"),
        *("--dataset", "set5", "--method", "edsr", "--method", "swinir"),
    )
    assert ran.err.endswith("0 changed, 10 added, 5 dropped, 0 same\n")
    assert {key[:2] for key in rows(baseline)} == {
        *(("set14", "edsr"), ("set5", "bicubic"), ("set5", "edsr-v2"), ("set5", "swinir"))
    }


def test_what_is_missing_stops_an_update_unless_it_is_allowed(iqbench: Any, baseline: Path) -> None:
    before = baseline.read_bytes()
    write(Path("new"), "edsr", VALUES)
    ran = iqbench("check", "new", "--baseline", baseline, "--update")
    assert ran.code == 2
    assert "baseline.jsonl was not updated: it has 10 values that new lacks" in ran.err
    assert "--allow missing" in ran.err
    assert baseline.read_bytes() == before
    ran = iqbench("check", "new", "--baseline", baseline, "--update", "--allow", "missing")
    assert ran.code == 0
    assert {key[:2] for key in rows(baseline)} == {("set5", "edsr")}


def test_another_version_takes_the_place_of_the_old_one(iqbench: Any, baseline: Path) -> None:
    write(Path("new"), "edsr", VALUES, version=2)
    chosen = ("--method", "edsr", "--dataset", "set5")
    assert iqbench("check", "new", "--baseline", baseline, *chosen).code == 1
    assert iqbench("check", "new", "--baseline", baseline, *chosen, "--update").code == 0
    assert iqbench("check", "new", "--baseline", baseline, *chosen).code == 0


def test_a_folder_is_updated_too(iqbench: Any, results: Path) -> None:
    ran = iqbench("check", results, "--baseline", "kept", "--update")
    assert ran.err == "wrote the new baseline kept: 15 values\n"
    Path("kept/README").write_text("ours")
    write(Path("results"), "edsr", BETTER)
    ran = iqbench("check", "--baseline", "kept", "--update", "--method", "edsr")
    assert ran.code == 0
    assert ran.err.endswith("5 changed, 0 added, 0 dropped, 5 same\n")
    pd.testing.assert_frame_equal(load_scores("kept"), load_scores("results"))
    assert Path("kept/README").read_text() == "ours"
    write(Path("new"), "edsr", VALUES)
    ran = iqbench("check", "new", "--baseline", "kept", "--update", "--allow", "missing")
    assert ran.code == 0
    pd.testing.assert_frame_equal(load_scores("kept"), load_scores("new"))


@pytest.mark.parametrize("option", ["--metric", "--protocol", "--precision"])
def test_an_update_takes_all_values_of_a_method(iqbench: Any, baseline: Path, option: str) -> None:
    ran = iqbench("check", "--baseline", baseline, "--update", option, "psnr")
    assert ran.code == 2
    assert f"leave {option} out" in ran.err


def test_a_new_baseline_has_everything(iqbench: Any, results: Path) -> None:
    ran = iqbench("check", "--baseline", "new.jsonl", "--update", "--method", "edsr")
    assert ran.code == 2
    assert "there is no new.jsonl yet" in ran.err
    assert not Path("new.jsonl").exists()


def test_github_gets_annotations_and_a_summary(
    iqbench: Any, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = Path("summary.md")
    summary.write_text("what another step said\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(Path.cwd()))
    write(Path("results"), "edsr", [*VALUES[:-1], VALUES[-1] - 4])
    ran = iqbench("check", "--baseline", baseline.absolute(), "--format", "github")
    assert ran.code == 1
    line = (
        baseline.read_text("utf-8")
        .splitlines()
        .index(
            next(
                one
                for one in baseline.read_text("utf-8").splitlines()
                if '"edsr", "image": "e"' in one and "set5" in one
            )
        )
    )
    assert (
        f"::error file=baseline.jsonl,line={line + 1},title=worse%3A psnr of edsr on set5::"
        in ran.out
    )
    assert ran.err == ""
    text = summary.read_text("utf-8")
    assert text.startswith("what another step said\n### Regression check failed: 1 worse, 2 same")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "no/such/folder.md")
    ran = iqbench("check", "--baseline", baseline, "--format", "github")
    assert ran.code == 2
    assert "GITHUB_STEP_SUMMARY" in ran.err


@pytest.fixture
def worse(results: Path) -> Path:
    return write(Path("new"), "edsr", [value - 3 for value in VALUES])


CHECK = [
    *(sys.executable, "-c", MAIN, "check", "new", "--baseline", "results"),
    *("--dataset", "set5", "--method", "edsr"),
]
VERDICT = "check failed: 1 worse\n  set5 edsr psnr: worse; mean 31 to 28; gain -3"


@pytest.mark.usefixtures("worse")
@pytest.mark.parametrize("format", ["table", "json"])
def test_the_verdict_is_on_stderr_where_the_output_is_a_file(format: str) -> None:
    with Path("out").open("wb") as file:
        ran = subprocess.run(
            [*CHECK, "--format", format], stdout=file, stderr=subprocess.PIPE, check=False
        )
    assert ran.returncode == 1
    assert VERDICT in ran.stderr.decode()
    assert "worst images: a (-3.000), b (-3.000), c (-3.000)" in ran.stderr.decode()
    assert Path("out").stat().st_size


@pytest.mark.usefixtures("worse")
def test_the_verdict_is_printed_once_if_both_streams_are_the_same() -> None:
    ran = subprocess.run(CHECK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = ran.stdout.decode()
    assert text.startswith("Regression check failed: 1 worse")
    assert text.count("check failed: 1 worse") == 1


def test_a_new_baseline_says_what_it_lacks_and_is_never_empty(iqbench: Any, tmp_path: Path) -> None:
    lost = float("nan")
    write(tmp_path / "some", "edsr", [*VALUES[:-1], lost])
    ran = iqbench("check", tmp_path / "some", "--baseline", tmp_path / "b.jsonl", "--update")
    assert ran.code == 0
    assert re.search(r"^warning: \S*some lacks 1 value: undefined, or", ran.err, re.MULTILINE)
    write(tmp_path / "none", "edsr", [lost] * 2)
    for name in ("empty.jsonl", "empty"):
        ran = iqbench("check", tmp_path / "none", "--baseline", tmp_path / name, "--update")
        assert ran.code == 2
        assert "none lacks 2 values: undefined, or" in ran.err
        assert "none holds no values for a baseline" in ran.err
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("option", ["-o", "--junit", "--html"])
def test_no_report_is_written_over_the_baseline(
    baseline: Path, results: Path, iqbench: Any, option: str
) -> None:
    before = baseline.read_bytes()
    ran = iqbench("check", results, "--baseline", baseline, option, baseline)
    assert ran.code == 2
    assert "baseline.jsonl is given as --baseline too, and would be written over" in ran.err
    assert baseline.read_bytes() == before
