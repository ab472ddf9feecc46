"""The examples minimise their losses, and iqbench scores the results."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from iqbench.results.read import load_scores

FOLDER = Path(__file__).parents[2] / "examples"

TRAINED = 20.534, 21.003
"""PSNR of the denoiser after 5 and 10 steps, as examples/train_plainly.py prints it."""

pytestmark = pytest.mark.usefixtures("pretrained_networks")


@pytest.fixture
def example(monkeypatch):
    """Load an example as `python examples/NAME.py` would, without running it."""
    monkeypatch.syspath_prepend(FOLDER)
    yield lambda name: runpy.run_path(str(FOLDER / f"{name}.py"))
    for shared in ("pictures", "denoiser"):
        sys.modules.pop(shared, None)


def run(names, output, *options):
    """Run an example; return the first cells of its table's rows."""
    result = CliRunner().invoke(
        names["main"], ["--output", str(output), *options], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if line.startswith("|")]
    assert "LPIPS vgg" in rows[0]
    assert f"From left to right in {output / 'strip.jpg'}" in result.output
    return [row.split("|")[1].strip() for row in rows[2:]]


def test_denoising(example, tmp_path):
    names = example("denoise_tv")
    methods = run(names, tmp_path, "--iterations", "2", "--size", "32")
    assert methods == ["noisy", "tv-weak", "tv", "tv-strong", "squared"]
    scores = load_scores(tmp_path / "results")
    assert set(scores["method"]) == set(methods)
    assert set(scores["image"]) == {"astronaut", "chelsea", "coffee"}
    assert scores["error"].isna().all()
    with Image.open(tmp_path / "strip.jpg") as strip:
        assert strip.size == (6 * 36 - 4, 3 * 36 - 4)


def test_denoising_minimises_its_loss_and_comes_nearer_to_the_clean_image(example):
    names = example("denoise_tv")
    clean = names["photograph"]("chelsea", 60, 90, 32)
    noisy = (clean + names["SIGMA"] * torch.randn_like(clean)).clamp(0, 1)
    image, losses = names["denoise"](noisy, *names["METHODS"]["tv"], 60)
    assert losses[-1] < 0.7 * losses[0]
    assert (image - clean).square().mean() < 0.5 * (noisy - clean).square().mean()
    again, _ = names["denoise"](noisy, *names["METHODS"]["tv"], 60)
    assert torch.equal(image, again)


def test_training(example, tmp_path):
    names = example("reconstruct_perceptual")
    square = {"chelsea": (20, 90, 32)}
    names["TESTED"].clear()
    names["TESTED"].update(square)
    assert run(names, tmp_path, "--iterations", "1") == ["bicubic", "mse", "perceptual"]
    assert set(load_scores(tmp_path / "results")["image"]) == {"chelsea"}


def test_training_begins_with_bicubic_enlargement_and_minimises_its_loss(example):
    names = example("reconstruct_perceptual")
    network = names["Upscaler"](8)
    image = torch.rand(1, 3, 12, 16)
    assert torch.allclose(network(image), names["enlarge"](image), atol=1e-6)
    generator = torch.Generator().manual_seed(1)
    target = names["batch"]([names["photograph"]("coffee", 0, 100, 200)], generator)
    assert target.shape == (names["BATCH"], 3, names["PATCH"], names["PATCH"])
    before, after = [], []
    loss = torch.nn.functional.mse_loss
    for errors in (before, after):
        errors.append(loss(network(names["shrink"](target)), target))
        assert len(names["train"](network, loss, 40, 2e-3)) == 40
    assert after < before


# The photograph itself is one of the rows, to be compared with.
@pytest.mark.filterwarnings("ignore:method 'content'. every output:iqbench.IqbenchWarning")
def test_style_transfer(example, tmp_path):
    names = example("style_transfer")
    methods = run(names, tmp_path, "--iterations", "1", "--size", "64")
    assert methods == ["content", "style", "style+tv"]


def test_style_transfer_comes_nearer_to_the_style(example):
    names = example("style_transfer")
    content, style = (names["photograph"](name, 0, 90, 32) for name in ("astronaut", "coffee"))
    keep = names["PerceptualLoss"]("vgg16", ("relu1_2",), distance="l2")
    imitate = names["StyleLoss"](keep, style)
    assert imitate(style).item() == pytest.approx(0, abs=1e-9)
    image, losses = names["paint"](content, keep, imitate, 0.0, 8)
    assert losses[-1] < losses[0]
    assert imitate(image) < imitate(content)


@pytest.mark.parametrize("loop", ["plainly", "lightning", "accelerate"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_denoiser_is_trained_and_each_epoch_is_a_method(example, tmp_path, loop):
    if loop != "plainly":
        pytest.importorskip(loop, reason=f"{loop} is not installed")
    names = example(f"train_{loop}")
    options = ["--output", str(tmp_path), "--epochs", "2", "--steps", "5"]
    result = CliRunner().invoke(names["main"], options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = [line.split("|") for line in result.output.splitlines() if line.startswith("|")]
    assert [row[1].strip() for row in rows[2:]] == ["noisy", "step-5", "step-10"]
    noisy, first, second = (float(row[2]) for row in rows[2:])
    assert noisy < first < second  # it learns
    # The loops train the same network on the same batches.
    assert (first, second) == pytest.approx(TRAINED, abs=0.005)
    scores = load_scores(tmp_path / "results")
    assert set(scores["image"]) == {"chelsea", "camera", "grass"}
    assert scores["error"].isna().all()
    assert "</svg>" in (tmp_path / "curves.svg").read_text(encoding="utf-8")
    with Image.open(tmp_path / "strip.jpg") as strip:
        assert strip.size == (3 * 116 - 4, 3 * 116 - 4)
    if loop == "lightning":
        assert (tmp_path / "checkpoints" / "step-10.ckpt").exists()


@pytest.mark.slow  # each process imports torch
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch has no torch.distributed")
def test_a_denoiser_is_trained_in_two_processes(tmp_path):
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    script = str(FOLDER / "train_accelerate.py")
    options = ["--output", str(tmp_path), "--epochs", "2", "--steps", "4"]
    paths = os.pathsep.join(filter(None, [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", script, *options],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    scores = load_scores(tmp_path / "results")
    # Three images on two processes: one of them comes twice, and counts once.
    counts = scores.groupby(["method", "metric"], observed=True)["image"].nunique()
    assert set(scores["method"]) == {"noisy", "step-2", "step-4"}
    assert set(counts) == {3}
    assert len(scores) == 3 * 3 * 3
