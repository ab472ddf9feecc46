"""Metrics for tests of executors: one that kills its process, and one of sets without weights."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import Tensor

from iqbench.metrics._base import Column, Maps, Metric, Needs, Options, Tap
from iqbench.metrics._sets import Distance, Features, FeatureSet, Moments, SetMetric
from iqbench.networks.weights import Weights
from iqbench.protocols.presets import Role

__all__ = ["MADE"]


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


MADE = {"deadly": Deadly, "palette": Palette}
