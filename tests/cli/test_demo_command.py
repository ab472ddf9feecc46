"""`iqbench demo`: from photographs to a leaderboard in one command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iqbench.datasets.layouts import embedded
from iqbench.demo import outputs
from iqbench.demo.tasks import TASKS
from iqbench.metrics import _registry
from iqbench.networks import weights
from iqbench.results.read import load_images, load_scores


@pytest.fixture
def tiny(monkeypatch, made):
    """Two tasks with two of their methods, eight crops of 32 x 32, and metrics on pixels alone."""
    small = tuple(replace(crop, height=32, width=32) for crop in embedded.PHOTOGRAPHS)
    monkeypatch.setattr(embedded, "PHOTOGRAPHS", small)
    tasks = []
    for task in TASKS[:2]:
        names = ["input", next(name for name in task.methods if name != "input")]
        tasks.append(replace(task, methods={name: task.methods[name] for name in names}))
    monkeypatch.setattr(outputs, "TASKS", tuple(tasks))
    monkeypatch.setattr(outputs, "DATASETS", tuple(task.dataset for task in tasks))
    monkeypatch.setattr("iqbench.engine.plan.DEFAULT_METRICS", ("psnr", "ssim", "tv"))
    monkeypatch.setattr(weights, "ensure", lambda networks, folder: {})
    return tasks


def test_it_leaves_tables_and_pictures_and_shows_a_leaderboard(tiny, iqbench):
    ran = iqbench("demo", "--output", "my demo", "--device", "cpu")
    assert ran.code == 0
    scores = load_scores("my demo")
    assert set(scores["dataset"]) == {task.dataset for task in tiny}
    assert set(scores["method"]) == {name for task in tiny for name in task.methods}
    assert load_images("my demo")["error"].isna().all()
    assert len(list(Path("my demo/outputs/input").rglob("*.png"))) == 16

    for task in tiny:
        assert task.dataset in ran.out
    assert "ranked by psnr" in ran.out
    assert "ssim" in ran.out
    assert ran.out.splitlines()[-5:] == [
        "Tables: 'my demo/scores' and 'my demo/images' (Parquet). Pictures: 'my demo/outputs'.",
        "Next: iqbench leaderboard 'my demo' --columns all",
        "      iqbench export 'my demo' --wide -o scores.csv",
        "      iqbench evaluate --method YOUR_OUTPUTS/ --reference YOUR_REFERENCES/",
        "Report, for a browser: 'my demo/report.html'",
    ]
    page = Path("my demo/report.html").read_text(encoding="utf-8")
    assert page.count('class="thumb"') == 2 * len(tiny)
    assert "absolute-error" in page
    assert "Structural similarity, Gaussian 11x11, valid region, channel mean; on" in page
    assert "Restoring photographs: 16 images" in ran.err
    assert "Outputs: 32 scored." in ran.err
    assert "warning" not in ran.err

    again = iqbench("demo", "--output", "my demo", "--device", "cpu")
    assert "Outputs: 0 scored, 32 already in the tables." in again.err
    assert again.out == ran.out

    # What it says to do next works.
    assert iqbench("leaderboard", "my demo", "--columns", "all").code == 0
    assert iqbench("export", "my demo", "--wide", "-o", "scores.csv").code == 0
    heading = Path("scores.csv").read_text().splitlines()[0]
    assert heading.startswith("dataset,method,image,psnr")
    assert "ssim" in heading


def test_a_photograph_that_cannot_be_scored_makes_exit_3(tiny, iqbench, monkeypatch):
    make = outputs.make_outputs

    def spoil(folder, progress):
        make(folder, progress)
        next((folder / "outputs/input").rglob("coins.png")).write_bytes(b"")

    monkeypatch.setattr(outputs, "make_outputs", spoil)
    ran = iqbench("demo", "--output", "d", "--device", "cpu")
    assert ran.code == 3
    assert "coins.png is empty" in ran.err
    assert "Next: " in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--memory", "lots"), "is not a size of at least 1M"),
        (("--device", "tpu"), "unknown device 'tpu'"),
        (("--output", "file"), "is a file"),
    ],
)
def test_wrong_options_are_refused_before_any_work(tiny, iqbench, arguments, message):
    Path("file").write_text("")
    ran = iqbench("demo", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_missing_weights_are_said_before_any_work(made, iqbench, monkeypatch):
    for variable in ("IQBENCH_WEIGHTS", "IQBENCH_CACHE"):
        Path(variable).mkdir()
        monkeypatch.setenv(variable, variable)
    ran = iqbench("demo", "--output", "d")
    assert ran.code == 2
    assert "iqbench weights fetch" in ran.err
    assert not Path("d").exists()


def test_the_metrics_of_the_demo_are_the_default_ones():
    assert _registry.DEFAULT_METRICS[:3] == ("psnr", "ssim", "tv")
