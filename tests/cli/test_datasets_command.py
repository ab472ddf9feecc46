from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from iqbench.api import evaluate
from iqbench.cli.datasets import datasets
from iqbench.datasets import digests
from iqbench.datasets.fetching import verify
from iqbench.datasets.load import PACKAGED_FILE, load_datasets
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png


@pytest.fixture(autouse=True)
def _no_data_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("IQBENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(datasets, arguments, catch_exceptions=False)
    assert result.exit_code == code
    return result.stdout


@pytest.fixture
def mini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of three images with checksums, in a local datasets file; returns its folder."""
    folder = tmp_path / "data" / "mini" / "HR"
    rows = []
    for seed, name in enumerate(("img_1", "img_2", "img_3")):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
        write_png(folder / f"{name}.png", pixels)
        digest = hashlib.sha256((folder / f"{name}.png").read_bytes()).hexdigest()
        rows.append(f"{digest}  mini/HR/{name}.png\n")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "mini.txt").write_text("".join(rows))
    monkeypatch.setattr(digests, "FOLDER", tmp_path / "lists")
    write_datasets_file(tmp_path)
    return folder


def write_datasets_file(folder: Path, **keys: object) -> None:
    block = {
        "images": 3,
        "licence": "CC0",
        "checksums": "mini",
        "data": {"layout": "folder", "references": "mini/HR"},
        **keys,
    }
    content = {"root": "data", "datasets": {"Mini": block}}
    (folder / "datasets.yaml").write_text(json.dumps(content))  # JSON is YAML


def test_list_tells_which_data_is_there() -> None:
    rows = {row["dataset"]: row for row in json.loads(run("list", "--format", "json"))}
    assert list(rows["Set5-x4"]) == ["dataset", "task", "scale", "images", "protocol", "data"]
    assert rows["demo-jpeg"]["data"] == "complete"
    assert rows["demo-jpeg"]["images"] == 8
    assert rows["Set5-x4"]["data"] == "missing"
    assert rows["Set5-x4"]["scale"] == 4


def test_list_can_be_narrowed_to_a_task_and_to_what_is_here(mini: Path, tmp_path: Path) -> None:
    def names(*arguments: str) -> list[str]:
        rows = json.loads(run("list", "--format", "json", *arguments))
        return [row["dataset"] for row in rows]

    packaged = ("--datasets-file", str(PACKAGED_FILE))
    assert names("--task", "deraining", *packaged) == ["Rain100L", "Rain100H"]
    assert names("--task", "jpeg artefact removal", "--here", *packaged) == ["demo-jpeg"]
    assert names("--task", "deraining", "--here", *packaged) == []
    with pytest.raises(IqbenchError, match=r"unknown task 'derain'\. Did you mean 'deraining'"):
        run("list", "--task", "derain", *packaged)
    assert names("--here") == ["Mini"]
    (mini / "img_2.png").unlink()
    assert names("--here") == ["Mini"]  # incomplete, but here
    mini.rename(tmp_path / "away")
    assert names("--here") == []
    result = CliRunner().invoke(datasets, ["list", "--here"], catch_exceptions=False)
    assert (result.stdout, result.exit_code) == ("", 0)
    assert "set IQBENCH_DATA to the folder that holds it" in result.stderr


def test_the_table_has_a_line_a_dataset_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("list", "--datasets-file", str(PACKAGED_FILE)).splitlines()
    specs = load_datasets(PACKAGED_FILE)
    assert len(lines) == len(specs) + 2
    assert max(map(len, lines)) <= 80
    for line, spec in zip(lines[2:], specs.values(), strict=True):
        assert line.startswith(f"{spec.name} ")
        for part in (f" {spec.task} ", spec.protocol):
            assert part in line


def test_listing_opens_no_file_of_what_is_missing(tmp_path: Path, monkeypatch) -> None:
    """So that it takes no time: there are dozens of datasets, and most are never here."""
    monkeypatch.setenv("IQBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(verify, "read_checksums", None)
    rows = json.loads(run("list", "--format", "json", "--datasets-file", str(PACKAGED_FILE)))
    assert {row["data"] for row in rows if not row["dataset"].startswith("demo")} == {"missing"}


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


def test_show_names_what_is_missing_and_how_to_get_it(mini: Path) -> None:
    (mini / "img_2.png").unlink()
    (row,) = json.loads(run("show", "Mini", "--format", "json"))
    assert row["data"] == "wrong"
    assert row["missing"] == ["mini/HR/img_2.png"]
    assert "by its number img_2 is missing" in row["problem"]
    assert "put it so that mini/HR lies in data" in row["get"]
    assert "mini/HR/img_2.png" in run("show", "Mini")


def test_verify_says_that_all_is_as_published(mini: Path) -> None:
    assert mini.is_dir()
    assert "as published  Mini: 3 references; 3 files read\n" in run("verify", "Mini")
    (row,) = json.loads(run("verify", "Mini", "--decode", "--format", "json"))
    assert (row["verdict"], row["decoded"], row["problems"]) == ("as published", True, [])


def test_verify_names_problems_and_exits_with_1(mini: Path) -> None:
    (mini / "img_2.png").unlink()
    (mini / "img_3.png").write_bytes(b"no image")
    text = run("verify", code=1)
    assert "wrong  Mini: 2 references; 2 files read" in text
    assert "missing: mini/HR/img_2.png: the file is not there" in text
    assert "damaged: data/mini/HR/img_3.png" in text
    assert "changed: data/mini/HR/img_3.png" in text
    (row,) = json.loads(run("verify", "--format", "json", code=1))
    assert [problem["kind"] for problem in row["problems"]] == [
        *("wrong", "missing", "damaged", "changed")
    ]


def test_verify_shows_the_first_of_many_problems(mini: Path) -> None:
    for number in range(4, 40):
        (mini / f"img_{number}.png").write_bytes(b"no image")
    text = run("verify", "Mini", code=1)
    assert text.count("\n") < 30
    assert "more: --format json has them all" in text


def test_verify_of_data_that_is_not_there(mini: Path, tmp_path: Path) -> None:
    mini.parent.rename(tmp_path / "elsewhere")
    assert "missing  Mini" in run("verify", "Mini", code=1)
    assert run("verify") == ""
    assert json.loads(run("verify", "--format", "json")) == []
    said = CliRunner().invoke(datasets, ["verify"]).stderr
    assert said == "No dataset's data was found: set IQBENCH_DATA to the folder that holds it.\n"


def test_an_incomplete_dataset_is_never_scored(mini: Path, tmp_path: Path) -> None:
    for name in ("img_1", "img_2", "img_3"):
        write_png(tmp_path / "out" / f"{name}.png", np.zeros((8, 9, 3), np.uint8))
    options = {"methods": ["out"], "metrics": ["psnr"], "device": "cpu"}
    (mini / "img_2.png").unlink()
    with pytest.raises(IqbenchError, match="by its number img_2 is missing"):
        evaluate(datasets=["Mini"], **options)
    (tmp_path / "pairs.csv").write_text(
        "reference,output\ndata/mini/HR/img_1.png,out/img_1.png\n"
        "data/mini/HR/img_2.png,out/img_2.png\n"
    )
    with pytest.raises(IqbenchError, match=r"do not exist: data/mini/HR/img_2\.png \(line 3\)"):
        evaluate(pairs="pairs.csv", metrics=["psnr"], device="cpu")
    assert not (tmp_path / "results").exists()


def test_the_embedded_photographs_are_always_there() -> None:
    text = run("verify", "demo-jpeg", "--decode", "--datasets-file", str(PACKAGED_FILE))
    assert "complete, contents not known  demo-jpeg: 8 references; 8 files read and decoded" in text


@pytest.fixture
def served(mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The dataset is not here, but a server on this machine has it."""
    monkeypatch.delenv("IQBENCH_OFFLINE")
    mini.parent.rename(tmp_path / "remote")

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = partial(Silent, directory=str(tmp_path / "remote"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/HR/{{id}}.png"
    write_datasets_file(tmp_path, fetch=[{"to": "mini/HR/{id}.png", "url": url}])
    yield tmp_path / "data" / "mini"
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetch_tells_the_licence_and_what_it_did(served: Path) -> None:
    (row,) = json.loads(run("show", "Mini", "--format", "json"))
    assert (row["data"], row["get"]) == ("missing", "iqbench datasets fetch Mini")
    result = CliRunner().invoke(datasets, ["fetch", "Mini"], catch_exceptions=False)
    assert result.stdout == "Mini: 3 files fetched\n"
    assert "Mini: licence: CC0" in result.stderr
    assert sorted(path.name for path in (served / "HR").iterdir()) == [
        *("img_1.png", "img_2.png", "img_3.png")
    ]
    assert run("fetch", "Mini") == "Mini: 0 files fetched, 3 already there\n"
    assert "as published" in run("verify", "Mini")


def test_what_cannot_be_fetched_is_explained() -> None:
    with pytest.raises(
        IqbenchError, match=r"'GoPro' cannot be fetched\. Get it from https://seung"
    ):
        run("fetch", "GoPro", "--datasets-file", str(PACKAGED_FILE))
