"""When multiplying less pays, and by which way: measured, and said in one place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from iqbench.networks import onednn
from iqbench.networks.winograd.minimal import Minimal
from iqbench.networks.winograd.products import Products
from iqbench.networks.winograd.sums import TILE, Sums, tiles_at_once

__all__ = ["pays", "rows_at_once", "transformed"]

_PAIRS = 64 * (128 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 64)
"""Channels in times channels out from which it pays on a CPU (measured)."""

_ROW = 1 << 19
"""Values of a row from which it is not done on a CPU: a stream keeps up to five rows of each layer,
and 100 megapixels are to be scored in 2.5 GiB (measured)."""

_PAIRS_GPU = 128 * 256
"""Channels in times channels out from which it pays on a GPU (measured on an H200)."""

_POSITIONS = 256
"""So few positions are too few for a GPU to gain (measured)."""


def pays(x: Tensor, weight: Tensor) -> bool:
    """Tell whether to multiply less is faster, and may be done.

    Parameters
    ----------
    x
        What is to be convolved, (N, C, H, W).
    weight
        (C', C, k, k).

    Returns
    -------
    bool
        False outside inference mode, in other types than float32, and where TF32 is allowed. A
        loss takes the same way for both of its images, though only one has gradients: equal
        images differ by 0.
    """
    return (
        _suits(weight, x.shape[3])
        and x.dtype == torch.float32
        and x.device == weight.device
        and x.shape[2] * x.shape[3] >= _fewest(weight)
        and torch.is_inference_mode_enabled()
    )


def rows_at_once(weight: Tensor, width: int) -> int | None:
    """Say in which numbers of rows a stream should convolve, to multiply less.

    Parameters
    ----------
    weight
        (C', C, k, k).
    width
        Of what is convolved.

    Returns
    -------
    int or None
        As many as fill whole tiles, and as many of them as are multiplied at once. None where it
        is not done, or is done with any number.
    """
    if weight.device.type != "cpu" or not _suits(weight, width):
        return None
    across = -(-width // TILE)
    return TILE * -(-tiles_at_once(*weight.shape[:2]) // across)


def transformed(weight: Tensor, bias: Tensor | None) -> Minimal:
    """Transform a kernel, (C', C, 3, 3)."""
    return Products(weight, bias) if weight.is_cuda else Sums(weight, bias)


def _suits(weight: Tensor, width: int) -> bool:
    """Tell whether a kernel has so many channels that the transforms are worth it."""
    outputs, inputs, *size = weight.shape
    if size != [3, 3] or weight.dtype != torch.float32:
        return False
    if weight.is_cuda:
        return outputs * inputs >= _PAIRS_GPU and not _tf32()
    if weight.device.type != "cpu" or not onednn.AVAILABLE:
        return False
    return outputs * inputs >= _PAIRS and inputs * width <= _ROW


def _fewest(weight: Tensor) -> int:
    """Say how many positions there must be at least."""
    if weight.is_cuda:
        return _POSITIONS
    # Half of what is multiplied at once, needed or not.
    return TILE * TILE * tiles_at_once(*weight.shape[:2]) // 2


def _tf32() -> bool:
    """Tell whether a GPU may convolve with TF32, which is faster still."""
    convolutions: Any = getattr(torch.backends.cudnn, "conv", None)
    if hasattr(convolutions, "fp32_precision"):  # torch 2.9 and newer
        return bool(convolutions.fp32_precision != "ieee")
    return torch.backends.cudnn.allow_tf32
