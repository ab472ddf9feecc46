"""What the peers share: a loop over files, a table at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from workloads import Job

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["DEVICE", "RELUS", "Score", "decode", "score_all", "tensor", "vgg16_layers"]

# Last activation of each block of VGG16: torchvision's index, and the column.
RELUS = {
    str(index): f"perceptual-vgg16-{layer}-l1"
    for index, layer in (
        (3, "relu1_2"),
        (8, "relu2_2"),
        (15, "relu3_3"),
        (22, "relu4_3"),
        (29, "relu5_3"),
    )
}

DEVICE = os.environ.get("BENCH_DEVICE", "cpu")
_AHEAD = 8
_waiting: dict[Path, Future[NDArray[np.uint8]]] = {}
_pool = ThreadPoolExecutor(os.cpu_count())

Score = Callable[[Path, Sequence[Path]], list[Mapping[str, float]]]
"""Reference and outputs to one row of values an output."""


def score_all(
    score: Score, jobs: Sequence[Job], table: Path, advance: Callable[[int], None]
) -> None:
    """Score every job and write the rows as Parquet; beside a GPU, files are decoded ahead."""
    rows = []
    ahead = _AHEAD if DEVICE != "cpu" else 0
    for number, job in enumerate(jobs):
        for later in jobs[number : number + ahead]:
            for path in (later.reference, *later.outputs.values()):
                _waiting.setdefault(path, _pool.submit(decode, path))
        values = score(job.reference, list(job.outputs.values()))
        advance(len(values))
        rows += [
            {"image": job.image, "method": method, **columns}
            for method, columns in zip(job.outputs, values, strict=True)
        ]
    pd.DataFrame(rows).to_parquet(table)


def decode(path: Path) -> NDArray[np.uint8]:
    """Read a file, (H, W, 3) uint8 RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None, path
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def tensor(path: Path) -> Tensor:
    """Read a file, (1, 3, H, W) float32 in [0, 1], channels last in memory, on `DEVICE`."""
    import torch

    image = _waiting.pop(path).result() if path in _waiting else decode(path)
    return torch.from_numpy(image).to(DEVICE).permute(2, 0, 1).unsqueeze(0).float().div_(255)


def vgg16_layers() -> nn.Module:
    """Return torchvision's VGG16 that gives the activations of `RELUS` by column."""
    from torchvision.models import VGG16_Weights, vgg16
    from torchvision.models.feature_extraction import create_feature_extractor

    features = vgg16(weights=VGG16_Weights.DEFAULT).features.eval().to(DEVICE)
    return create_feature_extractor(features, return_nodes=RELUS)
