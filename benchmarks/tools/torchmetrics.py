"""torchmetrics at its best; the perceptual layers, which it does not have, are torchvision's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
    total_variation,
)
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
from torchvision.models import VGG16_Weights
from torchvision.transforms.functional import normalize
from workloads import Job

from tools.peer import DEVICE, Score, score_all, tensor, vgg16_layers

__all__ = ["evaluate", "setup"]

SSIM_BORDER = 5  # its map is padded by reflection; the mean here is over where the window fits


def setup() -> Score:
    """Build the networks once."""
    layers = vgg16_layers()
    nets = {
        net: LearnedPerceptualImagePatchSimilarity(net, reduction="none", normalize=True).to(DEVICE)
        for net in ("alex", "vgg")
    }
    transform = VGG16_Weights.DEFAULT.transforms()

    def features(image: Tensor) -> dict[str, Tensor]:
        return layers(normalize(image, transform.mean, transform.std))

    def lpips(net: str, output: Tensor, reference: Tensor) -> float:
        nets[net].update(output, reference)
        value = float(nets[net].compute())
        nets[net].reset()
        return value

    def one(reference: Tensor, known: dict[str, Tensor], output: Tensor) -> Mapping[str, float]:
        _, ssim = structural_similarity_index_measure(
            output, reference, data_range=1.0, return_full_image=True
        )
        inner = slice(SSIM_BORDER, -SSIM_BORDER)
        found = features(output)
        return {
            "psnr": float(peak_signal_noise_ratio(output, reference, data_range=1.0)),
            "ssim": float(ssim[..., inner, inner].mean()),
            "tv": float(total_variation(output)),
            **{column: float((known[column] - found[column]).abs().mean()) for column in found},
            "lpips-vgg": lpips("vgg", output, reference),
            "lpips-alex": lpips("alex", output, reference),
        }

    @torch.inference_mode()
    def score(reference: Path, outputs: Sequence[Path]) -> list[Mapping[str, float]]:
        first = tensor(reference)
        known = features(first)
        return [one(first, known, tensor(path)) for path in outputs]

    return score


def evaluate(
    images: Path, jobs: Sequence[Job], table: Path, advance: Callable[[int], None]
) -> None:
    """Score the jobs; `table` is a Parquet file."""
    score_all(setup(), jobs, table, advance)
