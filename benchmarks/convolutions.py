"""VGG16's 3x3 convolutions by Winograd's way and by the direct sum, layer by layer, in bands.

``python benchmarks/convolutions.py [--workload W1 W2] [--keep]``; with
``ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`` before it, as on a processor without AVX-512.

Both cut off below zero and lie channels last; each time is the fastest of a second's repeats, so
that both find their kernels and rows in the caches, as they do in a run.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

import torch
from floor import fastest, measure_rates
from machine import describe_machine, keep
from workloads import WORKLOADS

from iqbench.engine.compute import resolve_compute
from iqbench.engine.freed_memory import keep_freed_memory
from iqbench.networks import onednn
from iqbench.networks.stream import Stretch
from iqbench.networks.winograd.blocks import WinogradBlocks
from iqbench.networks.winograd.choose import rows_at_once

LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
"""What makes torch, and the library it convolves with, leave wider vectors alone."""

BAND = 1 << 16
"""Pixels of a band, as in a run."""

LAYERS = {
    "conv1_2": (1, 64, 64),
    "conv2_1": (2, 64, 128),
    "conv2_2": (2, 128, 128),
    "conv3_1": (4, 128, 256),
    "conv3_2, conv3_3": (4, 256, 256),
    "conv4_1": (8, 256, 512),
    "conv4_2, conv4_3": (8, 512, 512),
    "conv5_1 to conv5_3": (16, 512, 512),
}
"""How much smaller than the image, channels in, channels out."""


def line(name: str, height: int, width: int, workload: str) -> str:
    """Time a layer both ways and write its row."""
    part, inputs, outputs = LAYERS[name]
    weight_shape = (outputs, inputs, 3, 3)
    # What a stream convolves at once in a run: bands of equal height, whole tiles of them.
    band = -(-height // -(-height // (BAND // width)))
    rows, at_once = band // part, rows_at_once(torch.empty(weight_shape), width // part) or 1
    rows = min(max(at_once, rows // at_once * at_once), height // part)
    size = (1, inputs, rows, width // part)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(size, generator=generator).relu()
    x = x.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(weight_shape, generator=generator) * (2 / (9 * inputs)) ** 0.5
    bias = torch.randn(outputs, generator=generator)
    kernel = weight.contiguous(memory_format=torch.channels_last)
    plain = partial(onednn.convolve_and_rectify, x, kernel, bias, (1, 1), (1, 1))
    rows = Stretch((x,), 1, 1)
    winograd = partial(WinogradBlocks(weight, bias), rows, 1, rectify=True)
    expected = plain()
    error = float((winograd() - expected).abs().max() / expected.abs().max())
    slow, fast = fastest(plain), fastest(winograd)
    work = 18e-9 * inputs * outputs * size[2] * size[3]
    cells = (
        workload,
        name,
        f"{size[2]}x{size[3]}",
        f"{inputs} to {outputs}",
        f"{1e3 * slow:.1f}",
        f"{work / slow:.0f}",
        f"{1e3 * fast:.1f}",
        f"{slow / fast:.2f}",
        f"{error:.0e}",
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", nargs="*", choices=list(WORKLOADS), default=["W1", "W2"])
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    options = parser.parse_args()
    if not onednn.AVAILABLE:
        sys.exit("this torch, or this processor, lacks the parts of oneDNN that are used")
    limits = [f"{name}={os.environ[name]}" for name in LIMITS if name in os.environ]
    command = " ".join([*limits, "python benchmarks/convolutions.py", *sys.argv[1:]])
    capability = torch.backends.cpu.get_cpu_capability()
    parts = [describe_machine("Convolutions", command), f"torch computes with {capability}."]
    rows = [
        "| workload | layer | size | channels | direct, ms | GFLOP/s | Winograd, ms | ratio "
        "| largest difference, of the largest output |",
        "| --- " * 9 + "|",
    ]
    with keep_freed_memory(resolve_compute("cpu")), torch.inference_mode():
        for workload in options.workload:
            size = WORKLOADS[workload]
            for name in LAYERS:
                print(workload, name, file=sys.stderr, flush=True)
                rows.append(line(name, size.height, size.width, workload))
    rates = measure_rates()
    floor = (
        f"The machine: {rates['gemm']:.0f} GFLOP/s in a matrix product, {rates['pointwise']:.0f} "
        "in a 1x1 convolution."
    )
    page = "\n\n".join([*parts, "\n".join(rows), floor]) + "\n"
    keep(page, f"convolutions-{capability.lower()}", options.keep)


if __name__ == "__main__":
    main()
