"""The examples of CONTRIBUTING.md work as written."""

import hashlib
import json
import os
import re
import sys
from importlib.metadata import entry_points

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from documents import blocks
from safetensors.numpy import save

import iqbench.boards.sections
import iqbench.datasets.layouts
import iqbench.metrics
from iqbench.api import measure
from iqbench.boards.sections import section_kinds
from iqbench.cli.datasets import datasets
from iqbench.cli.evaluate import evaluate
from iqbench.cli.leaderboard import leaderboard
from iqbench.cli.report import report
from iqbench.datasets.layout import layouts
from iqbench.datasets.load import load_datasets
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.metrics._registry import metric_classes
from iqbench.results.read import load_scores
from iqbench.results.schema import ColumnInfo, ImageRow, Manifest, ScoreRow
from iqbench.results.store import Store


def example(name):
    """The block that holds a class or function."""
    (block,) = (code for code in blocks("CONTRIBUTING.md", "python") if name in code)
    return block


@pytest.fixture
def drop_in(tmp_path, monkeypatch):
    """Put a new file into a folder of iqbench's, without touching the folder itself."""
    found_by = {
        iqbench.metrics: metric_classes,
        iqbench.datasets.layouts: layouts,
        iqbench.boards.sections: section_kinds,
    }
    added = []

    def add(package, file, code):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / file).write_text(code, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, os.fspath(folder)])
        added.append(f"{package.__name__}.{file.removesuffix('.py')}")
        found_by[package].cache_clear()

    yield add
    for name in added:
        sys.modules.pop(name, None)
    monkeypatch.undo()
    for cache in found_by.values():
        cache.cache_clear()


@pytest.fixture
def pair(tmp_path):
    """Reference and output, of which every value is 51 of 255 apart."""
    reference = np.random.default_rng(0).integers(0, 200, (20, 30, 3), dtype=np.uint8)
    write_png(tmp_path / "reference.png", reference)
    write_png(tmp_path / "output.png", reference + 51)
    return tmp_path / "reference.png", tmp_path / "output.png"


def test_a_metric_is_one_new_file(drop_in, pair):
    drop_in(iqbench.metrics, "mae.py", example("class Mae"))
    frame = measure(*pair, metrics=["mae", "psnr"])
    assert frame["metric"].tolist() == ["mae", "psnr"]
    assert frame["value"].tolist() == pytest.approx([0.2, 20 * np.log10(5)], abs=1e-6)
    assert frame["direction"][0] == "lower"
    assert frame["signature"][0] == "metric=mae|version=1|protocol=rgb/1|view=rgb"


TRAILING = {"img0": 20.0, "img1": 21.0}  # of all methods, below the median


@pytest.fixture
def results(tmp_path):
    """Two methods and four images, of which two have no output that reaches the median."""
    columns = {"psnr": ColumnInfo("higher", 2)}
    run = {"iqbench": "1", "python": "3", "torch": "2", "platform": "Linux", "device": "cpu"}
    manifest = Manifest(**run, precision="exact", command="iqbench", time="2026-01-01T00:00:00Z")
    with Store(tmp_path / "results").writer(manifest, columns) as writer:
        for method, gain in (("first", 0.5), ("second", 0.0)):
            for image, value in {**TRAILING, "img2": 30.0, "img3": 31.0}.items():
                row = ImageRow("Set5", method, image, "reference", f"{method} {image}")
                writer.add_image(row)
                keys = ("Set5", method, image, "psnr", value + gain, None, "metric=psnr", "rgb")
                writer.add_scores([ScoreRow(*keys, row.pair)])
    return tmp_path / "results"


def test_a_section_is_one_new_file_in_every_format(drop_in, results, tmp_path, monkeypatch):
    drop_in(iqbench.boards.sections, "no_good_output.py", example("def sections"))
    monkeypatch.setattr("iqbench.page.report.packed_plotly", lambda: "")
    title, heading = "Images without a single good output", "psnr ↑"

    def told(format):
        arguments = [str(results), "--section", "no-good-output", "--format", format]
        return CliRunner().invoke(leaderboard, arguments, catch_exceptions=False).stdout

    rows = [("img0", "first", 20.5), ("img1", "first", 21.5)]
    assert told("table").splitlines()[:3] == [title, "", "Set5  2 of 4 images"]
    for image, method, value in rows:
        assert re.search(rf"^{image} +{method} +{value:.2f}$", told("table"), re.MULTILINE)
        assert f"| {image} | {method} | {value:.2f} |" in told("markdown")
        assert f"    {image} & {method} & {value:.2f} \\\\" in told("latex")
        assert re.search(rf'data-value="{value}">{value:.2f}</td>', told("html"))
    assert told("csv") == (
        f"section,image,best method,{heading}\n"
        + "".join(f"Set5,{image},{method},{value}\n" for image, method, value in rows)
    )
    assert json.loads(told("json")) == [
        {"section": "Set5", "image": image, "best method": method, heading: value}
        for image, method, value in rows
    ]
    page = tmp_path / "report.html"
    arguments = [str(results), "-o", str(page), "--no-pictures"]
    assert CliRunner().invoke(report, arguments, catch_exceptions=False).exit_code == 0
    shown = page.read_text(encoding="utf-8").partition('<section id="no-good-output">')[2]
    assert f"<h2>{title}</h2>" in shown.partition("</section>")[0]
    assert 'data-value="20.5">20.50</td>' in shown.partition("</section>")[0]


def test_an_unknown_section_is_refused(results):
    with pytest.raises(IqbenchError, match=r"unknown section 'second-a'.*'second-ahead'"):
        CliRunner().invoke(
            leaderboard, [str(results), "--section", "second-a"], catch_exceptions=False
        )


def test_a_metric_may_read_the_output_alone(drop_in, pair):
    drop_in(iqbench.metrics, "clipped.py", example("Clipped"))
    output = cv2.imread(str(pair[1]))
    output[:5] = 255
    output[5:7, :3] = 0
    write_png(pair[1], output)
    frame = measure(*pair, metrics=["clipped"])
    assert frame["value"].tolist() == pytest.approx([(5 * 30 + 2 * 3) / (20 * 30)], abs=1e-6)
    assert frame["signature"][0] == "metric=clipped|version=1|protocol=rgb/1|view=rgb"


def test_a_metric_may_give_values_of_whole_images(drop_in, pair):
    drop_in(iqbench.metrics, "worst.py", example("class Worst"))
    output = cv2.imread(str(pair[1]))
    output[5, 7] = 255
    write_png(pair[1], output)
    reference = cv2.imread(str(pair[0])).astype(int)
    frame = measure(*pair, metrics=["worst"])
    expected = np.abs(reference - output).max() / 255
    assert frame["value"].tolist() == pytest.approx([expected], abs=1e-6)


def test_a_metric_may_read_whole_images_with_trained_weights(drop_in, pair, tmp_path):
    drop_in(iqbench.metrics, "spectrum.py", example("Spectrum"))
    weights = np.array([1, 0.5, 0.25, 0.125], dtype=np.float32)
    content = save({"bands": weights})
    (tmp_path / "iqbench.metrics" / "spectrum.safetensors").write_bytes(content)
    output = cv2.imread(str(pair[1]))
    output[5:9, :7] = 255
    write_png(pair[1], output)
    frame = measure(*pair, metrics=["spectrum"])
    reference, output = (
        np.log1p(np.abs(np.fft.rfft2(cv2.imread(str(file)) / 255, axes=(0, 1)))) for file in pair
    )
    radius = np.hypot(np.fft.fftfreq(20)[:, None], np.fft.rfftfreq(30)) * 4 / np.sqrt(0.5)
    weighted = weights[np.minimum(radius.astype(int), 3)][..., None] * np.abs(reference - output)
    assert frame["value"].tolist() == pytest.approx([weighted.mean()], rel=1e-5)
    assert hashlib.sha256(content).hexdigest()[:8] in frame["signature"][0]


def test_a_metric_may_have_one_value_a_set(drop_in, tmp_path, monkeypatch):
    drop_in(iqbench.metrics, "palette.py", example("class Palette"))
    monkeypatch.chdir(tmp_path)
    levels = {"hr": [(10, 60, 200), (30, 20, 100)], "mine": [(20, 80, 210), (50, 20, 90)]}
    for folder, colours in levels.items():
        for number, colour in enumerate(colours):
            write_png(tmp_path / folder / f"{number}.png", np.full((8, 9, 3), colour, np.uint8))
    arguments = ["--method", "mine", "--metric", "palette", "--device", "cpu"]
    for compared in ("--reference", "--reference-set"):
        ended = CliRunner().invoke(evaluate, [*arguments, compared, "hr", "--results", compared])
        assert ended.exit_code == 0, ended.output
        (row,) = load_scores(compared, scope="set").to_dict("records")
        assert row["value"] == pytest.approx(np.linalg.norm([15, 10, 0]) / 255, rel=1e-6)
        assert row["signature"].startswith("metric=palette|version=1|features=mean-colour|")
        assert row["n"] == row["reference_n"] == 2


def test_another_package_adds_its_metric_by_entry_point(tmp_path, monkeypatch, pair):
    (block,) = blocks("CONTRIBUTING.md", "toml")
    group, name, value = re.fullmatch(
        r'\[project\.entry-points\."([\w.]+)"\]\n(\w+) = "([\w:]+)"\n', block
    ).groups()
    site = tmp_path / "site"
    information = site / "iqbench_mae-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: iqbench-mae\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    (site / f"{value.partition(':')[0]}.py").write_text(example("class Mae"), encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    metric_classes.cache_clear()
    try:
        assert [point.name for point in entry_points(group=group)] == ["mae"]
        assert measure(*pair, metrics=["mae"])["value"].tolist() == pytest.approx([0.2], abs=1e-6)
    finally:
        monkeypatch.undo()
        sys.modules.pop("iqbench_mae", None)
        metric_classes.cache_clear()


def test_a_layout_is_one_new_file_with_a_miniature_and_a_dataset_one_block(
    drop_in, tmp_path, monkeypatch
):
    drop_in(iqbench.datasets.layouts, "scenes.py", example("class ScenesLayout"))
    (miniature,) = (code for code in blocks("CONTRIBUTING.md", "python") if "LAYOUT =" in code)
    tests = {}
    exec(compile(miniature, "CONTRIBUTING.md", "exec"), tests)
    for name in ("test_every_folder_is_an_image", "test_a_missing_folder_is_named"):
        (tmp_path / name).mkdir()
        tests[name](tmp_path / name)
    (block,) = blocks("CONTRIBUTING.md", "yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets.yaml").write_text(block, encoding="utf-8")
    monkeypatch.setenv("IQBENCH_DATA", str(tmp_path))
    assert list(load_datasets()) == ["MyScenes"]
    missing = CliRunner().invoke(datasets, ["list"])
    assert "missing" in missing.output
    generator = np.random.default_rng(0)
    for scene in ("bridge", "alley"):
        reference = generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        write_png(tmp_path / "my-scenes" / scene / "gt.png", reference)
        write_png(tmp_path / "outputs" / f"{scene}.png", 255 - reference)
    result = CliRunner().invoke(
        evaluate,
        ["--dataset", "MyScenes", "--method", "outputs", "--metric", "psnr"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    assert load_scores("results")["image"].tolist() == ["alley", "bridge"]
