"""Helpers for tests of executors: a metric that kills its process, one of sets, odd files."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from made_folders import Made, picture
from torch import Tensor

from iqbench.images.write import write_png
from iqbench.metrics._base import Column, Maps, Metric, Needs, Options, Tap
from iqbench.metrics._sets import Distance, Features, FeatureSet, Moments, SetMetric
from iqbench.networks.weights import Weights
from iqbench.protocols.presets import Role
from iqbench.results.read import load_images, load_scores

__all__ = ["MADE", "METRICS", "awkward_files", "same"]


METRICS = ("psnr", "ssim", "tv", "palette")


class Deadly(Metric):
    """The mean sample; it kills its process on an image whose first sample is 0."""

    name: ClassVar[str] = "deadly"
    summary: ClassVar[str] = "Mean sample"
    citation: ClassVar[str] = "none"
    needs: ClassVar[Needs] = "output"
    role: ClassVar[Role] = "naturalness"

    folder: str = ""
    times: int = 1000

    def columns(self) -> tuple[Column, ...]:
        return (Column("deadly", "none", self.summary, (Tap(),)),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        for image in output:
            if image[0, 0, 0] == 0 and len(list(Path(self.folder).iterdir())) < self.times:
                (Path(self.folder) / str(os.getpid())).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return {"mean": output}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        return means["mean"]


class Slow(Deadly):
    """The mean sample, after some time; the time is not part of the signature."""

    name: ClassVar[str] = "slow"

    seconds: float = 0.0

    def columns(self) -> tuple[Column, ...]:
        return (Column("slow", "none", self.summary, (Tap(),)),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        time.sleep(self.seconds * len(output))
        return {"mean": output}


class Quitting(Deadly):
    """The mean sample; it calls `sys.exit` on an image whose first sample is 0."""

    name: ClassVar[str] = "quitting"

    def columns(self) -> tuple[Column, ...]:
        return (Column("quitting", "none", self.summary, (Tap(),)),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        if (output[:, 0, 0, 0] == 0).any():
            sys.exit(0)
        return {"mean": output}


@dataclass(frozen=True)
class MeanColour:
    """Extracts the means of an image's colours."""

    @property
    def options(self) -> Options:
        return (("features", "mean-colour"),)

    def weights(self, folder: Path | None) -> None:
        return None

    def extract(self, image: Tensor, weights: Weights | None) -> Features:
        return image.expand(-1, 3, -1, -1).mean((2, 3)).float().cpu().numpy()


class Palette(SetMetric):
    """The distance between the mean colours of two sets."""

    name: ClassVar[str] = "palette"
    summary: ClassVar[str] = "Distance between the mean colours of two sets"
    citation: ClassVar[str] = "none"

    def columns(self) -> tuple[Column, ...]:
        return (Column("palette", "lower", self.summary, (), self.extractor.options),)

    @property
    def extractor(self) -> MeanColour:
        return MeanColour()

    def distance(self, reference: FeatureSet, output: FeatureSet, *, paired: bool) -> Distance:
        means = []
        for features in (reference, output):
            total = sum(rows.sum(axis=0, dtype=np.float64) for _, rows in features.blocks())
            means.append(total / len(features.owners))
        return Distance(float(np.linalg.norm(means[0] - means[1])))

    def distance_of_moments(self, reference: Moments, output: Moments) -> Distance:
        return Distance(float(np.linalg.norm(reference.mean - output.mean)))


MADE = {"deadly": Deadly, "palette": Palette, "quitting": Quitting, "slow": Slow}


def awkward_files(root: Path) -> Made:
    """Make files of many kinds: damaged, missing, copies, gray, another size."""
    made = Made(root)
    images = [f"i{number}" for number in range(9)]
    made.references(images)
    near, far = made.method("near", images), made.method("far", images, amount=30)
    (near / "i0.png").unlink()
    (near / "i1.png").write_bytes((near / "i1.png").read_bytes()[:200])
    (far / "i2.png").write_bytes((root / "hr" / "i2.png").read_bytes())
    write_png(far / "i3.png", picture(3, height=25))
    write_png(far / "i4.png", picture(4, channels=1))
    (root / "hr" / "i5.png").write_bytes(b"no image")
    (near / "notes.txt").write_text("what else is there")
    return made


def tables(results: Path) -> list[pd.DataFrame]:
    """All that a run leaves: values of images and of sets, and what is known of files."""
    return [
        load_scores(results),
        load_scores(results, scope="set"),
        load_images(results).drop(columns="written"),
    ]


def same(first: Path, second: Path) -> None:
    for one, other in zip(tables(first), tables(second), strict=True):
        assert len(one)
        pd.testing.assert_frame_equal(one, other, check_exact=True)
