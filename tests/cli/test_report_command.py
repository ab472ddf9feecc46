"""`iqbench report`: from a results folder to a page, and what it says on the way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from iqbench.cli.pictures import picture_folders
from iqbench.results.schema import Manifest
from iqbench.results.store import Store

NOTHING_SAID = {
    "outputs": (),
    "outputs_in": None,
    "references": (),
    "output_name": None,
    "datasets_file": None,
    "no_pictures": False,
}


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch):
    monkeypatch.setattr("iqbench.report.html.report.packed_plotly", lambda: "")


@pytest.fixture
def scored(made):
    """Two methods, scored by a command that the tables remember."""
    made.references()
    made.method("mine")
    made.method("yours", amount=20)
    made.evaluate(metrics=("psnr", "ssim"))
    return made


def remember(results: Path, command: str) -> None:
    """Add a run to the tables, as if this command had written a row."""
    from iqbench.results.schema import ImageRow

    run = Manifest(
        iqbench="0.1.0",
        python="3.10",
        torch="2.4",
        platform="Linux",
        device="cpu",
        precision="exact",
        command=command,
        time="2026-01-02T03:04:05+00:00",
    )
    with Store(results).writer(run, {}) as writer:
        writer.add_image(ImageRow("hr", "mine", "extra", error="not scored yet"))


def scenes(page: Path) -> list[dict]:
    html = page.read_text(encoding="utf-8")
    return [json.loads(text) for text in re.findall(r'id="scene-\d+">(.*?)</script>', html)]


def test_it_writes_a_page_with_the_pictures_that_options_name(scored, iqbench):
    ran = iqbench(
        *("report", "-o", "report.html", "--outputs-in", "out", "--reference", "hr"),
        *("--images", 2, "--maps", "absolute-error", "--device", "cpu"),
    )
    assert ran.code == 0
    assert ran.out == ""
    assert re.fullmatch(r"wrote report.html: 0\.\d MB, 2 images\n", ran.err)
    shown = scenes(Path("report.html"))
    assert [len(scene["pictures"]) for scene in shown] == [3, 3]
    assert shown[0]["pictures"][1]["maps"][0]["name"] == "absolute-error"


def test_it_looks_where_the_tables_say_that_files_were(scored, iqbench):
    remember(scored.results, "iqbench evaluate --methods-in out --reference hr --metric psnr")
    ran = iqbench("report", "-o", "report.html", "--maps", "none")
    assert "2 pictures" not in ran.err
    assert len(scenes(Path("report.html"))) == 3


def test_it_looks_beside_the_tables(scored, iqbench):
    Path("out").rename("results/outputs")
    ran = iqbench("report", "-o", "report.html", "--maps", "none", "--reference", "hr=hr")
    assert ran.code == 0
    assert len(scenes(Path("report.html"))) == 3


@pytest.mark.parametrize("folder", ["//server/share", r"\\server\share", "NAME=//server/share"])
def test_tables_of_others_make_this_machine_ask_no_server(scored, folder):
    remember(scored.results, f"iqbench evaluate --method '{folder}' --reference hr")
    (only,) = picture_folders([scored.results], dict(NOTHING_SAID))
    assert only.outputs == ()


@pytest.mark.parametrize("command", ["python -c pass", "iqbench evaluate '", "iqbench", ""])
def test_other_commands_say_nothing_of_folders(scored, command):
    remember(scored.results, command)
    assert len(picture_folders([scored.results], dict(NOTHING_SAID))) == 1


def test_without_pictures_torch_is_not_needed(scored):
    code = (
        "import sys; from iqbench.cli.main import main\n"
        "try: main(['report', '-o', 'report.html', '--no-pictures', '-q'])\n"
        "except SystemExit as leaving: assert leaving.code == 0, leaving.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path.cwd())
    page = Path("report.html").read_text(encoding="utf-8")
    assert 'class="thumb"' not in page
    assert len(page) > 1_500_000  # plotly.js is in it


def test_it_says_what_it_left_out(scored, iqbench):
    ran = iqbench("report", "-o", "r.html", "--outputs-in", "out", "--max-size", "120k")
    if ran.code == 0:
        assert "left out: " in ran.err
        assert Path("r.html").stat().st_size <= 120_000
    else:
        assert "more than the report may" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--outputs-in", "nowhere"], "folder of methods nowhere does not exist"),
        (["--reference", "hr=nowhere"], "reference folder nowhere does not exist"),
        (["--max-size", "large"], "'large' is no size"),
        (["--front", "psnr"], "two metrics are needed"),
        (["--maps", "lpis-alex"], "lpips-alex"),
        (["--sort", "psrn"], "psnr"),
        (["--dataset", "hrr"], "hr"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(scored, iqbench, arguments, told):
    arguments = ["--outputs-in", "out", "--reference", "hr", *arguments]
    ran = iqbench("report", "-o", "report.html", *arguments)
    assert ran.code == 2
    assert told in ran.err
    assert not Path("report.html").exists()


def test_pictures_of_a_check_take_a_page(scored, iqbench):
    ran = iqbench("check", "--baseline", "results", "--outputs-in", "out")
    assert ran.code == 2
    assert "pictures are shown by --html FILE" in ran.err


def test_a_check_writes_its_page_too(scored, iqbench, made):
    Path("results").rename("old")
    made.method("mine", amount=40)
    made.evaluate(metrics=("psnr", "ssim"))
    ran = iqbench(
        *("check", "--baseline", "old", "--html", "check.html", "--outputs-in", "out"),
        *("--reference", "hr"),
    )
    assert ran.code == 1
    html = Path("check.html").read_text(encoding="utf-8")
    assert "✗ Failed" in html
    # Its outputs were overwritten: of the baseline there is no picture any more.
    names = {one["name"] for scene in scenes(Path("check.html")) for one in scene["pictures"]}
    assert names == {"reference", "now"}
