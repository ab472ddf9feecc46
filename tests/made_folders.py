"""Small folders of references and outputs, and runs over them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqbench.api import Evaluation, run_evaluation
from iqbench.engine.ledger import Summary
from iqbench.images.tensors import to_tensor
from iqbench.images.write import write_png
from iqbench.results.read import load_images, load_scores

PIXEL_METRICS = ("psnr", "ssim", "tv")
IMAGES = ("a", "b", "c")

Pixels = NDArray[Any]

TV_COLUMNS = [
    *(f"tv-{form}-{side}" for form in ("aniso", "iso", "sq") for side in ("output", "reference")),
    "tv-ratio",
    "tv-residual",
]


def picture(
    seed: int = 0, height: int = 24, width: int = 32, channels: int = 3, dtype: Any = np.uint8
) -> Pixels:
    """A gradient with noise: no flat region, nothing clipped."""
    peak = np.iinfo(dtype).max
    rows, columns, planes = np.mgrid[:height, :width, :channels]
    ramp = (rows / height + columns / width + planes / 3) / 3
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, ramp.shape)
    return ((0.15 + 0.7 * ramp + noise) * peak).astype(dtype)


def noisy(pixels: Pixels, seed: int = 1, amount: int = 9) -> Pixels:
    """What a method might have made of a picture."""
    change = np.random.default_rng(seed).integers(-amount, amount + 1, pixels.shape)
    peak = np.iinfo(pixels.dtype).max
    return np.clip(pixels.astype(np.int64) + change, 0, peak).astype(pixels.dtype)


def tensor(pixels: Pixels) -> Tensor:
    """The pixels as the functions take them."""
    return to_tensor(pixels, torch.device("cpu"))


class Made:
    """References in ``hr``, outputs in ``out/<method>``, results in ``results``, below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "results"

    def references(self, images: Iterable[str] = IMAGES, folder: str = "hr", **form: Any) -> Path:
        """Write references; each image has a picture of its own."""
        for seed, image in enumerate(images):
            write_png(self.root / folder / f"{image}.png", picture(seed, **form))
        return self.root / folder

    def method(
        self,
        name: str = "mine",
        images: Iterable[str] = IMAGES,
        *,
        folder: str | None = None,
        template: str = "{}",
        amount: int = 9,
        **form: Any,
    ) -> Path:
        """Write a method's outputs for references made with the same form."""
        where = self.root / "out" / (folder or name)
        for seed, image in enumerate(images):
            output = noisy(picture(seed, **form), seed + len(name), amount)
            write_png(where / f"{template.format(image)}.png", output)
        return where

    def evaluate(self, *methods: str | Path, **options: Any) -> Summary:
        """Run; by default all methods on the folder ``hr`` with PSNR, on the CPU."""
        if not methods and "methods_in" not in options:
            options["methods_in"] = self.root / "out"
        if "datasets" not in options:
            options.setdefault("reference", self.root / "hr")
        options.setdefault("metrics", ("psnr",))
        options.setdefault("results", self.results)
        reporter = options.pop("reporter", None)
        chosen = Evaluation(
            methods=[str(method) for method in methods], device="cpu", workers=2, **options
        )
        return run_evaluation(chosen, reporter)

    def score_two(self) -> Made:
        """Make references and two methods, ``mine`` and the noisier ``yours``, and score them."""
        self.references()
        self.method("mine")
        self.method("yours", amount=20)
        self.evaluate(metrics=("psnr", "ssim"))
        return self

    def scores(self, **filters: Any) -> pd.DataFrame:
        """The tables' current rows, long."""
        return load_scores(self.results, filters=filters)

    def values(self, metric: str = "psnr", **filters: Any) -> dict[tuple[str, str], float]:
        """(method, image) to the value of a metric; None beside an error."""
        frame = self.scores(metric=metric, **filters)
        return {
            (str(method), str(image)): None if pd.isna(value) else value
            for method, image, value in zip(
                frame["method"], frame["image"], frame["value"], strict=True
            )
        }

    def errors(self) -> dict[tuple[str, str], str]:
        """(method, image) to why the file could not be scored, as the table of images says."""
        frame = load_images(self.results)
        frame = frame[frame["error"].notna()]
        return {
            (str(method), str(image)): error
            for method, image, error in zip(
                frame["method"], frame["image"], frame["error"], strict=True
            )
        }

    def files(self) -> dict[Path, bytes]:
        """Every file of the results, to see whether anything was written."""
        return {path: path.read_bytes() for path in self.results.rglob("*") if path.is_file()}
