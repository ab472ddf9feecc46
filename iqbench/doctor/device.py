"""Check the device on which networks compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from iqbench.doctor.finding import INFO, Finding, compared
from iqbench.engine.compute import GIBIBYTE, Compute
from iqbench.native import library

__all__ = ["check_device", "why_no_cuda"]

PART = "device"


def check_device(compute: Compute) -> Iterator[Finding]:
    """Check a computation on the device that has an exact result.

    Parameters
    ----------
    compute
        The device.
    """
    device = compute.device
    numbers = torch.arange(1000, dtype=torch.int64, device=device)
    yield compared(
        PART,
        str(device),
        deviation=abs(int((numbers * numbers).sum()) - 332_833_500),
        tolerance=0,
        note=_describe(device),
        wrong=f"{_describe(device)}: it computes the sum of a thousand squares wrongly",
    )
    yield Finding(PART, "memory", INFO, note=f"{compute.memory / GIBIBYTE:.1f} GiB for bands")
    if device.type == "cpu":
        yield Finding(PART, "compiled loops", INFO, note=_loops())
    if device.type != "cuda":
        yield Finding(PART, "cuda", INFO, note=why_no_cuda())


def _describe(device: torch.device) -> str:
    """Describe the device, and the libraries of torch for it."""
    if device.type == "cuda":
        cudnn: Any = torch.backends.cudnn  # it has no type hints
        facts = torch.cuda.get_device_properties(device)
        versions = f"CUDA {torch.version.cuda}, cuDNN {cudnn.version()}"
        return f"{facts.name}, compute capability {facts.major}.{facts.minor}, {versions}"
    capability = torch.backends.cpu.get_cpu_capability()
    return f"torch {torch.__version__} uses {torch.get_num_threads()} threads and {capability}"


def _loops() -> str:
    """Describe whether there are compiled loops, and if not, why."""
    try:
        library.find_library()
    except library.NotCompiledError as error:
        return f"{error}. Without them, the same values take longer"
    return f"for {torch.backends.cpu.get_cpu_capability()}"


def why_no_cuda() -> str:
    """Explain why a GPU, if there is one, is not used."""
    if torch.version.cuda is None:
        return "this torch is built without CUDA"
    if torch.cuda.is_available():
        return "there is a GPU: --device cuda checks it"
    return f"torch is built for CUDA {torch.version.cuda}, but finds no GPU"
