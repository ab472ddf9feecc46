"""How far each precision is from float64: real photographs, real weights.

``python benchmarks/precision.py [--device cpu|cuda] [--keep]``

Photographs from scikit-image with noise, blur and JPEG; every default metric that reads a network.
The standard is the same engine with networks in float64.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from unittest import mock

import cv2
import numpy as np
import torch
from machine import describe_machine, keep
from numpy.typing import NDArray
from workloads import PHOTOGRAPHS, photograph

from iqbench.engine.batch import Batch
from iqbench.engine.compute import Compute, resolve_compute
from iqbench.engine.resources import load_resources
from iqbench.engine.scorer import Scorer
from iqbench.images.picture import Picture
from iqbench.metrics._registry import resolve_metrics
from iqbench.networks import convolution
from iqbench.protocols.presets import resolve_protocol

METRICS = ("perceptual", "lpips-alex", "lpips-vgg")
SIDE = 256


@dataclass(frozen=True)
class Double(Compute):
    """Networks in float64."""

    @property
    def dtype(self) -> torch.dtype:
        """The type that networks compute in."""
        return torch.float64


def outputs(image: NDArray[np.uint8], seed: int) -> list[NDArray[np.uint8]]:
    """Degrade a photograph in four ways, from hardly visible to strong."""
    generator = np.random.default_rng(seed)
    noise = [generator.normal(0, sigma, image.shape) for sigma in (2, 20)]
    blurred = cv2.GaussianBlur(image, (0, 0), 1.2)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])
    compressed = cv2.imdecode(data, cv2.IMREAD_COLOR)
    noisy = [np.clip(np.rint(image + one), 0, 255).astype(np.uint8) for one in noise]
    return [*noisy, np.asarray(blurred), np.asarray(compressed, dtype=np.uint8)]


def score(compute: Compute) -> dict[str, NDArray[np.float64]]:
    """Score every photograph and output; (images, outputs) by column."""
    requests = resolve_metrics(METRICS)
    # In float64 the weights themselves must be; in bfloat16 the engine loads them so.
    loaded = compute if not isinstance(compute, Double) else resolve_compute(str(compute.device))
    resources = load_resources(requests, loaded)
    if isinstance(compute, Double):
        for backbone in resources.backbones.values():
            backbone.double()
    scorer = Scorer(requests, resolve_protocol("rgb"), resources, compute)
    rows = []
    for number, name in enumerate(PHOTOGRAPHS):
        image = np.ascontiguousarray(photograph(name)[:SIDE, :SIDE])
        pictures = [Picture(pixels, "", name, 0) for pixels in (image, *outputs(image, number))]
        found = scorer.score(Batch(pictures[:1], pictures[1:], [0] * 4))
        rows.append([{name: outcome.value for name, outcome in one.items()} for one in found])
    return {
        column: np.array([[one[column] for one in row] for row in rows], dtype=np.float64)
        for column in rows[0][0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    options = parser.parse_args()
    compute = resolve_compute(options.device)
    on_gpu = compute.device.type == "cuda"
    standard = score(Double(compute.device, "exact", compute.memory))
    precisions = ["exact", *(["tf32"] if on_gpu else []), "bf16"]
    head = ["column", *(f"{name}: mean, largest" for name in precisions), "ranks changed"]
    found = {name: score(replace(compute, precision=name)) for name in precisions}
    if not on_gpu:
        head[-1:-1] = ["exact, convolved directly: mean, largest", "exact from that, largest"]
        with mock.patch.object(convolution, "pays", return_value=False):
            direct = score(compute)
    rows = []
    for column, exact in standard.items():
        cells, changed = [], []
        for name in precisions:
            relative = np.abs(found[name][column] / exact - 1)
            cells.append(f"{relative.mean():.1e}, {relative.max():.1e}")
            order = np.argsort(found[name][column], axis=1) != np.argsort(exact, axis=1)
            changed.append(f"{name} {int(order.any(axis=1).sum())}")
        if not on_gpu:
            relative = np.abs(direct[column] / exact - 1)
            cells.append(f"{relative.mean():.1e}, {relative.max():.1e}")
            cells.append(f"{np.abs(found['exact'][column] / direct[column] - 1).max():.1e}")
        rows.append([column, *cells, ", ".join(changed)])
    table = [head, ["---"] * len(head), *rows]
    command = "python benchmarks/precision.py " + " ".join(sys.argv[1:])
    parts = [
        describe_machine(f"Precision on {options.device}", command),
        f"Relative deviations from float64 over {len(PHOTOGRAPHS)} photographs of {SIDE}x{SIDE} "
        "with four outputs each; *ranks changed* counts photographs whose outputs are ranked "
        "otherwise.",
        "\n".join("| " + " | ".join(line) + " |" for line in table),
    ]
    keep("\n\n".join(parts) + "\n", f"precision-{compute.device.type}", options.keep)


if __name__ == "__main__":
    main()
