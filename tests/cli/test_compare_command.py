"""`iqbench compare`: two methods of one folder, or two folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_check_command import VALUES, write


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders results and newer: bicubic is 1 dB lower than edsr; the newer edsr 2 dB higher."""
    monkeypatch.chdir(tmp_path)
    write(Path("results"), "edsr", VALUES)
    write(Path("results"), "bicubic", [value - 1 for value in VALUES])
    write(Path("newer"), "edsr", [value + 2 for value in VALUES])


def rows(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)
    return found


@pytest.mark.usefixtures("stores")
def test_two_methods_of_a_store(iqbench: Any) -> None:
    for more in ([], ["--results", "results"]):
        ran = iqbench("compare", "bicubic", "edsr", *more, "--format", "json")
        (row,) = rows(ran.out)
        assert (row["baseline_method"], row["method"]) == ("bicubic", "edsr")
        assert (row["difference"], row["low"], row["high"]) == (1.0, 1.0, 1.0)
        assert (row["wins"], row["losses"], row["ties"], row["effect"]) == (5, 0, 0, 1.0)
        assert row["p_value"] == 2 / 2**5
        assert (ran.code, ran.err) == (0, "")


@pytest.mark.usefixtures("stores")
def test_two_stores_method_by_method(iqbench: Any) -> None:
    ran = iqbench("compare", "results", "newer/")
    assert ran.code == 0
    assert "set5: edsr" in ran.out
    assert "+2.000" in ran.out
    assert "set5 bicubic psnr: 5 images have no value of newer/" in ran.out
    ran = iqbench("compare", "results", "newer", "--map", "bicubic=edsr", "--format", "json")
    assert [(row["baseline_method"], row["difference"]) for row in rows(ran.out)] == [
        *(("bicubic", 3.0), ("edsr", 2.0)),
    ]


@pytest.mark.usefixtures("stores")
def test_a_loss_is_no_exit_code(iqbench: Any) -> None:
    assert iqbench("compare", "edsr", "bicubic").code == 0


@pytest.mark.usefixtures("stores")
def test_the_table_names_both_and_the_images_that_differ_most(iqbench: Any) -> None:
    text = iqbench("compare", "bicubic", "edsr", "--images", "2").out
    assert text.startswith("set5: bicubic and edsr\n")
    heading = next(line for line in text.splitlines() if line.startswith("metric"))
    assert heading.split()[:4] == ["metric", "bicubic", "edsr", "difference"]
    assert text.count("\na ") == text.count("\nb ") == 1
    assert "\nc " not in text
    assert "differ\nmost" in text


@pytest.mark.usefixtures("stores")
def test_filters_choose_what_is_compared(iqbench: Any) -> None:
    write(Path("results"), "edsr", VALUES, dataset="set14")
    write(Path("results"), "bicubic", VALUES, dataset="set14")
    ran = iqbench("compare", "bicubic", "edsr", "--dataset", "set14", "--format", "json")
    assert [row["dataset"] for row in rows(ran.out)] == ["set14"]


@pytest.mark.usefixtures("stores")
def test_a_file_is_written_as_its_suffix_says(iqbench: Any) -> None:
    ran = iqbench("compare", "bicubic", "edsr", "-o", "both.md")
    assert (ran.out, ran.err) == ("", "wrote both.md\n")
    assert Path("both.md").read_text(encoding="utf-8").startswith("### set5: bicubic and edsr\n")


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bicubic", "esdr"], "unknown method 'esdr'. Did you mean 'edsr'"),
        (["edsr", "edsr"], "edsr is compared with itself"),
        (["edsr", "newer"], "unknown method 'newer'"),
        (["bicubic", "edsr", "--map", "a=b"], "--map and --method are for two runs"),
        (["bicubic", "edsr", "--method", "edsr"], "--map and --method are for two runs"),
        (["bicubic", "edsr", "--results", "nowhere"], "no results folder"),
        (["bicubic"], "Missing argument 'B'"),
    ],
)
def test_wrong_input_exits_with_2(iqbench: Any, arguments: list[str], message: str) -> None:
    ran = iqbench("compare", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_the_help_defines_its_numbers(iqbench: Any) -> None:
    text = iqbench("compare", "--help").out
    for word in ("rank-biserial", "bootstrap", "Holm", "wins", "Examples:"):
        assert word in text
