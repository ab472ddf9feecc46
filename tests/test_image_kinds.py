"""`measure` and `Evaluator` accept paths, arrays and tensors, in any memory layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_folders import noisy, picture

import iqbench
from iqbench.images.write import write_png

Make = Callable[[np.ndarray, Path], Any]


def tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def read_only(pixels: np.ndarray) -> np.ndarray:
    pixels = pixels.copy()
    pixels.setflags(write=False)
    return pixels


KINDS: dict[str, Make] = {
    "a path": lambda pixels, file: file,
    "a path as text": lambda pixels, file: str(file),
    "an array": lambda pixels, file: pixels,
    "a read-only array": lambda pixels, file: read_only(pixels),
    "an array in Fortran's order": lambda pixels, file: np.asfortranarray(pixels),
    "16 bits": lambda pixels, file: pixels.astype(np.uint16) * 257,
    "16 bits, big-endian": lambda pixels, file: (pixels.astype(np.uint16) * 257).astype(">u2"),
    "float32": lambda pixels, file: pixels.astype(np.float32) / 255,
    "float64": lambda pixels, file: pixels / 255,
    "float16": lambda pixels, file: (pixels / 255).astype(np.float16),
    "a tensor": lambda pixels, file: tensor(pixels),
    "a tensor of floats": lambda pixels, file: tensor(pixels) / 255,
    "a tensor with gradients": lambda pixels, file: (tensor(pixels) / 255).requires_grad_(),
    "a batch of one": lambda pixels, file: tensor(pixels).unsqueeze(0),
}


@pytest.fixture(scope="module")
def evaluator() -> iqbench.Evaluator:
    return iqbench.Evaluator(["psnr"], device="cpu")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_same_value(
    kind: str, channels: int, evaluator: iqbench.Evaluator, tmp_path: Path
) -> None:
    reference = picture(0, channels=channels)
    output = noisy(reference)
    error = np.square(reference.astype(float) - output).mean()
    expected = pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)
    files = tmp_path / "reference.png", tmp_path / "output.png"
    given = []
    for pixels, file in zip((reference, output), files, strict=True):
        write_png(file, pixels)
        given.append(KINDS[kind](pixels, file))
    (measured,) = iqbench.measure(*given, metrics="psnr", device="cpu")["value"]
    assert measured == expected
    assert evaluator(given[1], given[0])["psnr"].tolist() == [measured]
    if not kind.startswith("16 bits"):  # kinds may be mixed, where both have as many bits
        assert evaluator(given[1], [files[0]])["psnr"].tolist() == [measured]


def test_gray_arrays_need_no_channel(evaluator: iqbench.Evaluator) -> None:
    reference = picture(0, channels=1)
    output = noisy(reference)
    whole = evaluator(output, reference)["psnr"]
    assert evaluator(output[..., 0], reference[..., 0])["psnr"].equal(whole)
    (measured,) = iqbench.measure(reference[..., 0], output[..., 0], metrics="psnr")["value"]
    assert measured == whole.item()
