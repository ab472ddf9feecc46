"""The machine's own floor: how fast it multiplies and adds, and how much a score has to.

``python benchmarks/floor.py`` prints the rates; OMP_NUM_THREADS sets the threads, as everywhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial

__all__ = ["fastest", "gigaflops", "gigaflops_by_layer", "measure_rates"]

GEMM_SIZES = (1024, 2048, 4096)
POINTWISE_CHANNELS = (128, 256, 512)
SECONDS_EACH = 1.0

BUNDLE_LAYERS = {"vgg16": "relu5_3", "alexnet": "relu5"}


def measure_rates() -> dict[str, float]:
    """Return GFLOP/s, float32, of the fastest matrix product and the fastest 1x1 convolution.

    And the number of threads that torch computes with.
    """
    import torch
    import torch.nn.functional as F

    gemm = pointwise = 0.0
    with torch.inference_mode():
        for size in GEMM_SIZES:
            left, right = torch.randn(size, size), torch.randn(size, size)
            gemm = max(gemm, 2e-9 * size**3 / fastest(partial(torch.matmul, left, right)))
        for channels in POINTWISE_CHANNELS:
            image = torch.randn(1, channels, 128, 192).to(memory_format=torch.channels_last)
            kernel = torch.randn(channels, channels, 1, 1).to(memory_format=torch.channels_last)
            work = 2e-9 * channels**2 * 128 * 192
            rate = work / fastest(partial(F.conv2d, image, kernel))
            pointwise = max(pointwise, rate)
    return {"gemm": gemm, "pointwise": pointwise, "threads": torch.get_num_threads()}


def fastest(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of many repeats."""
    work()
    best = float("inf")
    end = time.perf_counter() + SECONDS_EACH
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def gigaflops_by_layer(network: str, deepest: str, height: int, width: int) -> dict[str, float]:
    """Count the GFLOP of each convolution for one image: two for a multiply-add, no bias."""
    from iqbench.networks.convolution import Convolution
    from iqbench.networks.registry import architecture

    backbone = architecture(network)
    sizes = backbone.sizes([deepest], height, width)
    return {
        name: 2e-9 * layer.weight.numel() * sizes[name][1] * sizes[name][2]
        for name, layer in backbone.upto([deepest])
        if isinstance(layer, Convolution)
    }


def gigaflops(height: int, width: int, methods: int) -> float:
    """Count the GFLOP an output costs: its passes, and its share of the reference's."""
    one = sum(
        sum(gigaflops_by_layer(network, deepest, height, width).values())
        for network, deepest in BUNDLE_LAYERS.items()
    )
    return one * (1 + methods) / methods


if __name__ == "__main__":
    print(json.dumps(measure_rates()))
