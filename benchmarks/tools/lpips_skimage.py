"""lpips and scikit-image at their best; the perceptual layers are those of lpips' own trunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lpips
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from workloads import Job

from tools.peer import RELUS, Score, decode, score_all

__all__ = ["evaluate", "setup"]


def setup() -> Score:
    """Build the networks once."""
    alex, vgg = (lpips.LPIPS(net=net, verbose=False) for net in ("alex", "vgg"))

    def features(image: Tensor) -> Sequence[Tensor]:
        return vgg.net(vgg.scaling_layer(2 * image - 1))

    def one(
        reference: NDArray[np.uint8],
        first: Tensor,
        known: Sequence[Tensor],
        output: NDArray[np.uint8],
    ) -> Mapping[str, float]:
        second = _tensor(output)
        pixels = output / np.float32(255)
        return {
            "psnr": float(peak_signal_noise_ratio(reference, output)),
            "ssim": float(
                structural_similarity(
                    reference,
                    output,
                    channel_axis=2,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                )
            ),
            "tv": float(sum(np.abs(np.diff(pixels, axis=axis)).sum() for axis in (0, 1))),
            **{
                column: float((one - other).abs().mean())
                for column, one, other in zip(RELUS.values(), known, features(second), strict=True)
            },
            "lpips-vgg": float(vgg(first, second, normalize=True)),
            "lpips-alex": float(alex(first, second, normalize=True)),
        }

    @torch.inference_mode()
    def score(reference: Path, outputs: Sequence[Path]) -> list[Mapping[str, float]]:
        pixels = decode(reference)
        first = _tensor(pixels)
        known = features(first)
        return [one(pixels, first, known, decode(path)) for path in outputs]

    return score


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0).float().div_(255)


def evaluate(
    images: Path, jobs: Sequence[Job], table: Path, advance: Callable[[int], None]
) -> None:
    """Score the jobs; `table` is a Parquet file."""
    score_all(setup(), jobs, table, advance)
