from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from iqbench.cli.datasets import datasets
from iqbench.datasets.load import PACKAGED_FILE
from iqbench.errors import IqbenchError


@pytest.fixture(autouse=True)
def _no_data_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("IQBENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(datasets, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_tells_which_data_is_there() -> None:
    rows = {row["dataset"]: row for row in json.loads(run("list", "--format", "json"))}
    assert list(rows["Set5-x4"]) == ["dataset", "task", "scale", "images", "protocol", "data"]
    assert rows["demo-jpeg"]["data"] == "complete"
    assert rows["demo-jpeg"]["images"] == 8
    assert rows["Set5-x4"]["data"] == "missing"
    assert rows["Set5-x4"]["scale"] == 4


def test_incomplete_data_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Set5" / "HR_x4").mkdir(parents=True)
    (tmp_path / "Set5" / "HR_x4" / "img_001.png").touch()
    monkeypatch.setenv("IQBENCH_DATA", str(tmp_path))
    (row,) = json.loads(run("show", "Set5-x4", "--format", "json"))
    assert row["data"] == "wrong"
    assert "has 5 reference images, but 1 were found" in row["problem"]


def test_tables_have_the_same_for_people() -> None:
    text = run("list")
    assert "demo-denoise" in text
    assert "missing" in text
    text = run("show", "Set5-x2")
    for part in ("sr-y:scale=2", "Bevilacqua", "IQBENCH_DATA", "references: Set5/HR_x2"):
        assert part in text


def test_another_file_is_read_and_its_text_is_not_taken_for_markup(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("datasets: {Mine: {task: '[red]x', data: {layout: embedded}}}\n")
    assert "[red]x" in run("list", "--datasets-file", str(file))
    file.write_text("datasets: {}\n")
    assert json.loads(run("list", "--datasets-file", str(file), "--format", "json")) == []
    assert "Set5" not in run("list", "--datasets-file", str(file))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(IqbenchError, match="Did you mean 'Set14-x4'"):
        run("show", "Set14x4", "--datasets-file", str(PACKAGED_FILE))
