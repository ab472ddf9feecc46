"""Stored pixels to tensors in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from iqbench.images.picture import Pixels

__all__ = ["pinned", "to_tensor", "to_tensors"]


def to_tensor(pixels: Pixels, device: torch.device, peak: int | None = None) -> Tensor:
    """Turn stored pixels into a float32 tensor, divided by the sample value of white.

    Parameters
    ----------
    pixels
        (H, W, C) uint8 or uint16; or float32, whose peak must be given.
    device
        Where the tensor shall be.
    peak
        The sample value that becomes 1; by default the largest of the pixels' type.

    Returns
    -------
    Tensor
        (1, C, H, W) float32 in [0, 1], channels last in memory.
    """
    return to_tensors([pixels], device, peak)


def to_tensors(images: Sequence[Pixels], device: torch.device, peak: int | None = None) -> Tensor:
    """Turn images of one size, depth and peak into one tensor; see `to_tensor`.

    Integers travel to a GPU, the division happens there; from memory that a GPU reads by itself
    (see `pinned`) they travel while others are still computed.

    Parameters
    ----------
    images
        (H, W, C) each, all of one type; see `to_tensor`.
    device
        Where the tensor shall be.
    peak
        The sample value that becomes 1; by default the largest of the images' type.

    Returns
    -------
    Tensor
        (N, C, H, W) float32 in [0, 1], channels last in memory.
    """
    largest = float(peak or (1 << 8 * images[0].dtype.itemsize) - 1)
    raw = [_integers(pixels) for pixels in images]
    if device.type == "cuda":
        there = torch.empty((len(raw), *raw[0].shape), dtype=raw[0].dtype, device=device)
        for target, pixels in zip(there, raw, strict=True):
            target.copy_(pixels, non_blocking=True)
    else:
        there = raw[0].unsqueeze(0) if len(raw) == 1 else torch.stack(raw)
    # Always copy: floating point would otherwise be divided in place.
    return there.permute(0, 3, 1, 2).to(torch.float32, copy=True).div_(largest)


def _integers(pixels: Pixels) -> Tensor:
    # torch computes little with uint16
    integers = pixels.astype(np.int32) if pixels.dtype == np.uint16 else pixels
    # In order and writable, copied only if need be: torch warns of read-only arrays.
    return torch.from_numpy(np.require(integers, requirements=("C", "W")))


def pinned(pixels: Pixels) -> Pixels:
    """Copy pixels to memory that a GPU reads by itself: for threads that read ahead.

    The array must be kept until the GPU has read it.
    """
    shape, kind = pixels.shape, torch.from_numpy(pixels[:0].copy()).dtype
    copy: Pixels = torch.empty(shape, dtype=kind, device="cpu", pin_memory=True).numpy()
    copy[...] = pixels
    return copy
