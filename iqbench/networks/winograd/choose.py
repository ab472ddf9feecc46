"""Decide when Winograd's convolution is faster, and in which form, from measurements."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from iqbench.networks.stream import Stretch
from iqbench.networks.winograd.blocks import TILE, WinogradBlocks, suits
from iqbench.networks.winograd.minimal import Minimal
from iqbench.networks.winograd.products import Products

__all__ = ["pays", "rows_at_once", "transformed"]

_TILES = 84
"""Tiles that a stream convolves at once on a CPU, so that the kernel is read once for all of them
(measured; two are already faster than the direct sum)."""

_PAIRS = 128 * 256
"""Smallest product of input and output channels for which a GPU is faster (measured on an H200)."""

_POSITIONS = 256
"""Fewest positions with which a GPU is faster (measured)."""


def pays(rows: Stretch, weight: Tensor) -> bool:
    """Return whether Winograd's convolution is faster and allowed.

    Parameters
    ----------
    rows
        The input, (N, C, H, W).
    weight
        (C', C, k, k).

    Returns
    -------
    bool
        False outside inference mode, for other types than float32 (and bfloat16 on CPUs), and if
        TF32 is allowed. A loss uses the same algorithm for both of its images, although only one
        has gradients, so that equal images have a distance of 0.
    """
    x = rows.pieces[0]
    return (
        torch.is_inference_mode_enabled()
        and _suits(weight)
        and x.dtype == weight.dtype
        and x.device == weight.device
        and not (x.is_cuda and rows.height * x.shape[3] < _POSITIONS)
    )


def rows_at_once(weight: Tensor, width: int) -> int | None:
    """Return the number of rows of which a stream should convolve multiples for Winograd's way.

    Parameters
    ----------
    weight
        (C', C, k, k).
    width
        The width of the input.

    Returns
    -------
    int or None
        Enough whole tiles. None if Winograd's way is not used, or works with any number.
    """
    if weight.is_cuda or not _suits(weight):
        return None
    across = -(-width // TILE)
    return TILE * -(-_TILES // across)


def transformed(weight: Tensor, bias: Tensor | None) -> Minimal:
    """Transform a kernel, (C', C, 3, 3)."""
    return Products(weight, bias) if weight.is_cuda else WinogradBlocks(weight, bias)


def _suits(weight: Tensor) -> bool:
    """Return whether a kernel is supported and has enough channels to be faster."""
    outputs, inputs, *size = weight.shape
    if size != [3, 3]:
        return False
    if weight.is_cuda:
        many = outputs * inputs >= _PAIRS
        return many and weight.dtype == torch.float32 and not _tf32()
    known = weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16)
    return known and suits(outputs, inputs)


def _tf32() -> bool:
    """Return whether a GPU may convolve with TF32, which is even faster."""
    convolutions: Any = getattr(torch.backends.cudnn, "conv", None)
    if hasattr(convolutions, "fp32_precision"):  # torch 2.9 and newer
        return bool(convolutions.fp32_precision != "ieee")
    return torch.backends.cudnn.allow_tf32
