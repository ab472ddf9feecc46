"""`iqbench report`: from a results folder to a page, and its messages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_manifest import MANIFEST

from iqbench.page import recorded
from iqbench.page.recorded import recorded_places
from iqbench.results.schema import FOOTER_KEY, FilePlace, ImageRow
from iqbench.results.store import Store


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch):
    monkeypatch.setattr("iqbench.page.report.packed_plotly", lambda: "")


def remember(results: Path, *places: FilePlace) -> None:
    """Add a run to the tables that says where files were."""
    run = MANIFEST.model_copy(update={"time": "2030-01-02T03:04:05+00:00", "places": list(places)})
    with Store(results).writer(run, {}) as writer:
        writer.add_image(ImageRow("hr", "mine", "extra", error="not scored yet"))


def forget(results: Path) -> None:
    """Make of the tables such as a stranger has sent: nothing in them is about this machine."""
    for part in results.rglob("*.parquet"):
        table = pq.read_table(part)
        footer = json.loads(pq.read_metadata(part).metadata[FOOTER_KEY])
        footer["runs"] = [{**run, "places": []} for run in footer["runs"]]
        metadata = {FOOTER_KEY: json.dumps(footer).encode()}
        pq.write_table(
            table.replace_schema_metadata(metadata), part.with_name(f"{part.name[:29]}.parquet")
        )
        part.unlink()


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


def test_it_looks_where_the_files_were_scored(scored, iqbench):
    ran = iqbench("report", "-o", "report.html", "--maps", "none")
    assert ran.code == 0
    assert "left out" not in ran.err
    assert len(scenes(Path("report.html"))) == 3
    ran = iqbench("report", "-o", "report.html", "--maps", "none", "--no-recorded-pictures")
    assert "left out: pictures: none lies where it was scored" in ran.err
    assert scenes(Path("report.html")) == []


def test_a_report_may_have_a_title(scored, iqbench):
    assert iqbench("report", "-o", "r.html", "--no-pictures", "--title", "June").code == 0
    assert "<title>iqbench report: June</title>" in Path("r.html").read_text(encoding="utf-8")


def test_it_looks_beside_the_tables(scored, iqbench):
    Path("out").rename("results/outputs")
    ran = iqbench("report", "-o", "report.html", "--maps", "none", "--reference", "hr=hr")
    assert ran.code == 0
    assert len(scenes(Path("report.html"))) == 3


@pytest.mark.parametrize(
    "before",
    [
        *(
            "//server/share/",
            "\\\\server\\share\\",
            "/\\server/",
            "relative/",
            "",
            "~/",
            "x" * 9999,
        ),
        *("/dev/zero?", "/root/", "/proc/self/mem", "/a\0b/", "{fifo}", "/nowhere/" * 300),
    ],
)
def test_absurd_places_cost_their_pictures_alone(scored, iqbench, monkeypatch, before):
    forget(scored.results)
    os.mkfifo("fifo")
    opened = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *more: opened.append(str(path)) or real(path, *more)
    )
    before = before.replace("{fifo}", f"{Path.cwd()}/fifo")
    remember(
        scored.results,
        *(
            FilePlace(dataset="hr", method=method, before=before, after=".png")
            for method in ("", "mine")
        ),
        FilePlace(dataset="hr", method="", before="/dev/zero", after=""),
    )
    ran = iqbench("report", "-o", "report.html", "--maps", "none")
    assert ran.code == 0
    assert "left out: pictures: none lies where it was scored" in ran.err
    assert not any(path.startswith(("//", "\\\\", "/\\", "relative")) for path in opened)


def test_no_folder_is_listed_that_the_tables_name(scored, iqbench, monkeypatch):
    listed = []
    for name in ("scandir", "listdir"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda path=".", real=real: listed.append(os.fspath(path)) or real(path)
        )
    assert iqbench("report", "-o", "report.html", "--maps", "none").code == 0
    assert len(scenes(Path("report.html"))) == 3
    seen = {Path(str(path)).absolute() for path in listed}
    assert not {Path("hr").absolute(), *Path("out").absolute().rglob("")} & seen


def test_a_file_of_another_size_is_not_read(scored, iqbench, monkeypatch):
    Path("out/mine/a.png").write_bytes(Path("out/mine/a.png").read_bytes() + b"x")
    found = recorded_places([scored.results])
    read = []
    monkeypatch.setattr(recorded, "sha256", lambda data: read.append(data) or hashlib.sha256(data))
    assert found.find("hr", "mine", "a", "0" * 64, size=10) is None
    assert read == []


def test_what_is_read_at_recorded_places_is_limited(scored):
    found = recorded_places([scored.results])
    digest = hashlib.sha256(Path("hr/a.png").read_bytes()).hexdigest()
    assert found.find("hr", "", "a", digest) is not None
    assert found.find("hr", "", "a", "0" * 64) is None
    found.bytes_left = 10
    assert found.find("hr", "", "a", digest) is None
    assert found.sentences == ["pictures at recorded places: they are too large together"]
    found.bytes_left, found.seconds_left = 10**9, 0
    assert found.find("hr", "", "a", digest) is None
    assert len(found.sentences) == 2


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
        assert "more than the limit" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--outputs-in", "nowhere"], "folder of methods nowhere does not exist"),
        (["--reference", "hr=nowhere"], "reference folder nowhere does not exist"),
        (["--max-size", "large"], "'large' is not a size"),
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


def test_a_page_lists_the_newest_runs_and_counts_the_others(scored, iqbench, monkeypatch):
    monkeypatch.setattr("iqbench.page.contents._MOST_RUNS", 3)
    for number in range(4):
        one = MANIFEST.model_copy(update={"time": f"2030-01-01T00:0{number}:00+00:00"})
        with Store(scored.results).writer(one, {}) as writer:
            writer.add_image(ImageRow("hr", "mine", "extra", error="not scored yet"))
    assert iqbench("report", "-o", "page.html", "--no-pictures").code == 0
    page = Path("page.html").read_text(encoding="utf-8")
    listed = re.findall(r'<td class="when">([^<]*)</td>', page)
    assert listed == [f"2030-01-01 00:0{number}" for number in (3, 2, 1)]
    assert "Earlier runs that are not listed: 2." in page
