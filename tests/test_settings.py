"""Torch's defaults in the calling program change no value and corrupt no memory."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqbench.networks import weights

PACKAGE = Path(__file__).parents[1] / "iqbench"

PROGRAM = """
import json, sys
import torch

dtype, device, threads, metrics = json.loads(sys.argv[1])
torch.set_num_threads(threads)
if dtype is not None:
    torch.set_default_dtype(getattr(torch, dtype))
if device is not None:
    torch.set_default_device(device)

import iqbench
from iqbench import functional, losses

frame = iqbench.measure("reference.png", "output.png", metrics=metrics, device="cpu")
assert frame["error"].isna().all(), frame["error"].tolist()
rows = iqbench.evaluate(
    methods=["mine"], reference="hr", metrics=metrics, results=sys.argv[2], device="cpu"
)
assert rows["error"].isna().all(), rows["error"].tolist()

generator = torch.Generator("cpu").manual_seed(0)
reference, output = torch.rand(
    2, 1, 3, 200, 200, generator=generator, dtype=torch.float32, device="cpu"
)
names = ["psnr", "psnr_b", "ssim", "ms_ssim", "tv_ratio", "tv_residual", "gmsd", "ssim_map"]
found = {name: getattr(functional, name)(reference, output).nanmean().item() for name in names}
if any("lpips" in name for name in metrics):
    for name in ("lpips", "lpips_map", "perceptual"):
        found[name] = getattr(functional, name)(reference, output).mean().item()
    for loss in (losses.LPIPSLoss("alex"), losses.PerceptualLoss("vgg16", ("relu2_2",))):
        for kind in (torch.float32, torch.float64, torch.bfloat16, torch.get_default_dtype()):
            image = output[..., :64, :64].to(kind, copy=True).requires_grad_()
            value = loss(image, reference[..., :64, :64])
            value.backward()
            assert image.grad.isfinite().all() and image.grad.abs().sum() > 0
            if kind == torch.float32:
                found[type(loss).__name__] = value.item()
found["TVLoss"] = losses.TVLoss()(output).item()
values = [dict(zip(one["metric"].tolist(), one["value"].tolist())) for one in (frame, rows)]
print(json.dumps([*values, found]))
"""

PIXELS = ["psnr", "psnr-b", "ssim", "ssim:padding=zero", "ssim:downsample=pool", "ms-ssim", "tv"]
PIXELS += ["gmsd"]
NETWORKED = ["lpips-alex", "lpips-vgg", "perceptual:layers=relu1_2+relu4_3"]
OF_NETWORKS = ("lpips", "perceptual", "LPIPSLoss", "PerceptualLoss")
"""How the names of what reads a network begin."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pictures, and the same in folders."""
    folder = tmp_path_factory.mktemp("settings")
    generator = np.random.default_rng(0)
    reference = generator.integers(0, 256, (203, 181, 3), dtype=np.uint8)
    output = (reference * 0.9).astype(np.uint8)
    for name, pixels in (("reference", reference), ("output", output)):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    for name, pixels in (("hr", reference), ("mine", output)):
        (folder / name).mkdir()
        Image.fromarray(pixels).save(folder / name / "a.png")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """Run the program under some settings, once each, with networks where their weights are."""
    there = all(weights.locate(name) for name in weights.DEFAULT_NETWORKS)
    metrics = [*PIXELS, *(NETWORKED if there else ())]
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])

    @cache
    def run(dtype, device, threads):
        settings = json.dumps([dtype, device, threads, metrics])
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, settings, f"results-{dtype}-{device}-{threads}"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path, "MALLOC_CHECK_": "3"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def part(values, networks):
    """Return the values that read a network, or the others."""
    return {
        name: value for name, value in values.items() if name.startswith(OF_NETWORKS) == networks
    }


SETTINGS = [
    ("bfloat16", None, 1),
    ("float16", None, 2),
    ("float64", None, 2),
    (None, "meta", 1),
    ("bfloat16", "meta", 3),
]


@pytest.mark.parametrize(("dtype", "device", "threads"), SETTINGS)
@pytest.mark.parametrize("networks", [False, True], ids=["pixels", "networks"])
def test_values_are_the_same_under_all_defaults(run, request, networks, dtype, device, threads):
    if networks:
        request.getfixturevalue("pretrained_networks")
    usual = [part(values, networks) for values in run(None, None, 1)]
    found = [part(values, networks) for values in run(dtype, device, threads)]
    assert all(usual)
    assert found[0] == pytest.approx(usual[0], rel=1e-6)
    assert found[1] == pytest.approx(usual[1], rel=1e-6)
    assert found[2] == pytest.approx(usual[2], rel=1e-5)


FACTORIES = {
    *("arange", "as_tensor", "empty", "empty_strided", "eye", "full", "linspace", "logspace"),
    *("normal", "ones", "rand", "randint", "randn", "randperm", "scalar_tensor", "tensor", "zeros"),
}
"""Functions of torch that take its default type or device where none is named."""


def unnamed(source):
    """Yield the lines of calls that name no type or no device."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called, *rest = [node.func, *node.args]
        if ast.unparse(called) == "partial" and rest:
            called = rest[0]
        name = ast.unparse(called)
        module, _, function = name.rpartition(".")
        if module == "torch" and function in FACTORIES:
            keywords = {keyword.arg for keyword in node.keywords}
            if not {"dtype", "device"} <= keywords:
                yield node.lineno


def test_a_call_without_type_or_device_is_found():
    source = "torch.empty(3)\ntorch.zeros(2, dtype=d)\npartial(torch.rand, device=d)\n"
    assert list(unnamed(source)) == [1, 2, 3]
    assert list(unnamed("torch.empty(3, dtype=d, device=e)\nnp.empty(3)\nx.new_empty(2)")) == []


def test_every_new_tensor_names_its_type_and_device():
    found = [
        f"{file.relative_to(PACKAGE)}:{line}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line in unnamed(file.read_text(encoding="utf-8"))
    ]
    assert found == []
