"""The worked examples of CONTRIBUTING.md work as they are written there."""

import os
import re
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest
from click.testing import CliRunner
from documents import blocks

import iqbench.datasets.layouts
import iqbench.metrics
from iqbench.api import measure
from iqbench.cli.datasets import datasets
from iqbench.cli.evaluate import evaluate
from iqbench.datasets.layout import layouts
from iqbench.datasets.load import load_datasets
from iqbench.images.write import write_png
from iqbench.metrics._registry import metric_classes
from iqbench.results.read import load_scores


def example(name):
    """The block that holds a class."""
    (block,) = (code for code in blocks("CONTRIBUTING.md", "python") if f"class {name}" in code)
    return block


@pytest.fixture
def drop_in(tmp_path, monkeypatch):
    """Put a new file into a folder of iqbench's, without touching the folder itself."""
    found_by = {iqbench.metrics: metric_classes, iqbench.datasets.layouts: layouts}
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
    drop_in(iqbench.metrics, "mae.py", example("Mae"))
    frame = measure(*pair, metrics=["mae", "psnr"])
    assert frame["metric"].tolist() == ["mae", "psnr"]
    assert frame["value"].tolist() == pytest.approx([0.2, 20 * np.log10(5)], abs=1e-6)
    assert frame["direction"][0] == "lower"
    assert frame["signature"][0] == "metric=mae|version=1|protocol=rgb/1|view=rgb"


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
    (site / f"{value.partition(':')[0]}.py").write_text(example("Mae"), encoding="utf-8")
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
    drop_in(iqbench.datasets.layouts, "scenes.py", example("ScenesLayout"))
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
