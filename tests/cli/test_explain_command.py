"""`iqbench explain`: which conventions give a reported value."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from skimage import data

import iqbench
from iqbench.cli.main import cli
from iqbench.errors import IqbenchError
from iqbench.images import degrade
from iqbench.images.write import write_png


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    reference = data.chelsea()[60:124, 100:180].copy()
    write_png(folder / "hr" / "a.png", reference)
    write_png(folder / "sr" / "a.png", degrade.gaussian_noise(reference, 8, seed=7))
    return folder / "hr" / "a.png", folder / "sr" / "a.png"


@pytest.fixture(scope="module")
def value(pair: tuple[Path, Path]) -> str:
    scores = iqbench.measure(*pair, metrics="psnr", protocol="sr-y:scale=4")
    return f"{scores['value'].item():.3f}"


def run(*arguments: str | Path) -> Result:
    told = [str(argument) for argument in arguments]
    return CliRunner().invoke(cli, ["explain", *told], catch_exceptions=False)


def test_names_the_protocol_and_says_what_changes_do(pair: tuple[Path, Path], value: str) -> None:
    options = ("--metric", "psnr", "--value", value, "--scale", "4", "--top", "3")
    done = run(*pair, *options, "--changes")
    assert done.exit_code == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"psnr {value}: psnr on MATLAB's Y")
    assert "protocol sr-y:scale=4" in lines[0]
    assert f"With `--metric psnr --protocol sr-y:scale=4` iqbench gives {value[:-1]}" in lines[0]
    assert any(line.startswith(f"psnr {value} is reproduced by") for line in lines)
    first = next(line for line in lines if line.startswith("psnr  "))
    assert "sr-y:scale=4" in first
    assert "BasicSR calculate_psnr" in first
    assert any(line.startswith("What one change does to psnr under sr-y:scale=4") for line in lines)
    assert any(line.startswith("MATLAB's Y rounded") for line in lines)


def test_the_long_table_of_changes_is_shown_on_request(pair: tuple[Path, Path], value: str) -> None:
    done = run(*pair, "--metric", "psnr", "--value", value, "--scale", "4")
    assert "What one change does" not in done.stdout


def test_json_is_a_list_of_rows(pair: tuple[Path, Path], value: str) -> None:
    done = run(*pair, "--metric", "psnr", "--value", value, "--format", "json", "--top", "2")
    rows = json.loads(done.stdout)
    settings = [row for row in rows if row["table"] == "settings"]
    assert len(settings) == 2
    assert settings[0]["protocol"].startswith("sr-y:scale=4")
    assert settings[0]["reproduces"] is True
    assert settings[0]["crop"] == 4
    effects = [row for row in rows if row["table"] == "changes"]
    assert any(row["of"].startswith("psnr under sr-y:scale=4") for row in effects)
    sizes = [abs(row["effect"]) for row in effects if row["of"] == effects[0]["of"]]
    assert sizes == sorted(sizes, reverse=True)
    assert rows[0]["table"] == "answer"
    assert rows[0]["verdict"] == "explained"
    assert settings[0]["coincidence"] is False
    assert 0 < settings[0]["chance"] < 0.1


def test_markdown_has_both_tables(pair: tuple[Path, Path], value: str) -> None:
    options = ("--metric", "psnr", "--value", value, "--format", "markdown", "--changes")
    text = run(*pair, *options).stdout
    assert text.startswith(f"psnr {value}: ")
    assert "\n### psnr" in text
    assert "| metric | protocol |" in text
    assert "### What one change does to psnr under sr-y:scale=4" in text


def test_that_nothing_fits_is_printed_on_both_streams(pair: tuple[Path, Path]) -> None:
    done = run(*pair, "--metric", "psnr", "--value", "5.1234", "--quiet")
    assert done.exit_code == 0
    assert done.stdout.startswith("psnr 5.1234: nothing I know fits")
    assert "None of " in done.stdout
    assert "another pair of images" in done.stderr
    assert "--scale" in done.stderr


def test_folders_are_paired_by_name(pair: tuple[Path, Path], value: str) -> None:
    folders = (path.parent for path in pair)
    done = run(*folders, "--metric", "psnr", "--value", value, "--scale", "4")
    assert "sr-y:scale=4" in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == "explain, reading pairs: 1 steps"
    assert re.fullmatch(r"psnr, \d+ conventions on one pair: \d+ steps", lines[1])


def test_wrong_input_is_refused(pair: tuple[Path, Path]) -> None:
    with pytest.raises(IqbenchError, match="no number"):
        run(*pair, "--metric", "psnr", "--value", "high")
    with pytest.raises(IqbenchError, match="unknown metric"):
        run(*pair, "--metric", "psnrr", "--value", "30")
    with pytest.raises(IqbenchError, match="no value of psnr is given"):
        run(*pair, "--metric", "psnr")
    with pytest.raises(IqbenchError, match="2 metrics and 1 values"):
        run(*pair, "--metric", "psnr", "--metric", "ssim", "--value", "30")
    assert run(*pair, "--metric", "psnr", "--value", "3", "--scale", "0").exit_code == 2


def test_the_help_has_examples() -> None:
    assert "--metric psnr --value 28.42 --scale 4" in run("--help").stdout
