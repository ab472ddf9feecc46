"""piq at its best: one pass for the five perceptual layers, one for LPIPS.

LPIPS on AlexNet, which piq does not have, is the package lpips'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lpips
import piq
import torch
from torch import Tensor
from workloads import Job

from tools.peer import DEVICE, RELUS, Score, score_all, tensor

__all__ = ["evaluate", "setup"]


def setup() -> Score:
    """Build the networks once."""
    layers = [column.split("-")[2] for column in RELUS.values()]
    content = piq.ContentLoss("vgg16", layers=layers, weights=[1.0] * len(layers), distance="mae")
    content.model.to(DEVICE)
    lpips_vgg = piq.LPIPS(reduction="none").to(DEVICE)
    lpips_alex = lpips.LPIPS(net="alex", verbose=False).to(DEVICE)

    def one(reference: Tensor, features: list[Tensor], output: Tensor) -> Mapping[str, float]:
        # The features of the reference serve all methods: ContentLoss has public parts for that.
        distances = content.compute_distance(features, content.get_features(output))
        return {
            "psnr": float(piq.psnr(output, reference, data_range=1.0)),
            "ssim": float(piq.ssim(output, reference, data_range=1.0, downsample=False)),
            "tv": float(piq.total_variation(output, norm_type="l1")),
            **{
                column: float(distance.mean())
                for column, distance in zip(RELUS.values(), distances, strict=True)
            },
            "lpips-vgg": float(lpips_vgg(output, reference)),
            "lpips-alex": float(lpips_alex(output, reference, normalize=True)),
        }

    @torch.inference_mode()
    def score(reference: Path, outputs: Sequence[Path]) -> list[Mapping[str, float]]:
        first = tensor(reference)
        features = content.get_features(first)
        return [one(first, features, tensor(path)) for path in outputs]

    return score


def evaluate(
    images: Path, jobs: Sequence[Job], table: Path, advance: Callable[[int], None]
) -> None:
    """Score the jobs; `table` is a Parquet file."""
    score_all(setup(), jobs, table, advance)
