"""When Winograd's convolution is faster, and in which form, as measured."""

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
"""So many tiles a stream hands on at once, on a processor: the kernel is read for all of them
(measured; with two it is faster than the direct sum already)."""

_PAIRS = 128 * 256
"""Channels in times channels out from which it pays on a GPU (measured on an H200)."""

_POSITIONS = 256
"""Fewest positions with which a GPU is faster (measured)."""


def pays(rows: Stretch, weight: Tensor) -> bool:
    """Tell whether Winograd's convolution is faster, and allowed.

    Parameters
    ----------
    rows
        What is to be convolved, (N, C, H, W).
    weight
        (C', C, k, k).

    Returns
    -------
    bool
        False outside inference mode, in other types than float32 (and on processors bfloat16), and
        where TF32 is allowed. A loss takes the same way for both of its images, though only one has
        gradients: equal images differ by 0.
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
    """Return the numbers of rows in which a stream should convolve to use Winograd's way.

    Parameters
    ----------
    weight
        (C', C, k, k).
    width
        Of what is convolved.

    Returns
    -------
    int or None
        Whole tiles, and enough of them. None where it is not done, or is done with any number.
    """
    if weight.is_cuda or not _suits(weight):
        return None
    across = -(-width // TILE)
    return TILE * -(-_TILES // across)


def transformed(weight: Tensor, bias: Tensor | None) -> Minimal:
    """Transform a kernel, (C', C, 3, 3)."""
    return Products(weight, bias) if weight.is_cuda else WinogradBlocks(weight, bias)


def _suits(weight: Tensor) -> bool:
    """Tell whether a kernel is one for which there is a way, with channels enough to gain."""
    outputs, inputs, *size = weight.shape
    if size != [3, 3]:
        return False
    if weight.is_cuda:
        many = outputs * inputs >= _PAIRS
        return many and weight.dtype == torch.float32 and not _tf32()
    known = weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16)
    return known and suits(outputs, inputs)


def _tf32() -> bool:
    """Tell whether a GPU may convolve with TF32, which is faster still."""
    convolutions: Any = getattr(torch.backends.cudnn, "conv", None)
    if hasattr(convolutions, "fp32_precision"):  # torch 2.9 and newer
        return bool(convolutions.fp32_precision != "ieee")
    return torch.backends.cudnn.allow_tf32
