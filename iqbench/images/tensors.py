"""Convert stored pixels to tensors in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from iqbench.images.picture import Pixels

__all__ = ["pinned", "to_tensor", "to_tensors"]


def to_tensor(pixels: Pixels, device: torch.device, peak: int | None = None) -> Tensor:
    """Convert stored pixels to a float32 tensor, divided by the sample value of white.

    Parameters
    ----------
    pixels
        (H, W, C) uint8 or uint16; or float32, which needs a peak.
    device
        The device of the tensor.
    peak
        The sample value that becomes 1; by default the largest of the pixels' type.

    Returns
    -------
    Tensor
        (1, C, H, W) float32 in [0, 1], channels-last in memory.
    """
    return to_tensors([pixels], device, peak)


def to_tensors(images: Sequence[Pixels], device: torch.device, peak: int | None = None) -> Tensor:
    """Convert images of one size, depth and peak to one tensor; see `to_tensor`.

    Integers are copied to a GPU, which then divides them. From pinned memory (see `pinned`), the
    copy runs while the GPU computes other images.

    Parameters
    ----------
    images
        Each (H, W, C), all of one type; see `to_tensor`.
    device
        The device of the tensor.
    peak
        The sample value that becomes 1; by default the largest of the images' type.

    Returns
    -------
    Tensor
        (N, C, H, W) float32 in [0, 1], channels-last in memory.
    """
    largest = float(peak or (1 << 8 * images[0].dtype.itemsize) - 1)
    raw = [_integers(pixels) for pixels in images]
    if device.type == "cuda":
        there = torch.empty((len(raw), *raw[0].shape), dtype=raw[0].dtype, device=device)
        for target, pixels in zip(there, raw, strict=True):
            target.copy_(pixels, non_blocking=True)
    else:
        there = raw[0].unsqueeze(0) if len(raw) == 1 else torch.stack(raw)
    # Always copy, because the division of floating point is in place.
    return there.permute(0, 3, 1, 2).to(torch.float32, copy=True).div_(largest)


def _integers(pixels: Pixels) -> Tensor:
    # torch supports few operations on uint16
    integers = pixels.astype(np.int32) if pixels.dtype == np.uint16 else pixels
    # Contiguous and writable, copied only if necessary: torch warns about read-only arrays.
    return torch.from_numpy(np.require(integers, requirements=("C", "W")))


def pinned(pixels: Pixels) -> Pixels:
    """Copy pixels to pinned memory, from which a GPU can copy them asynchronously.

    The array must be kept until the GPU has read it.
    """
    shape, kind = pixels.shape, torch.from_numpy(pixels[:0].copy()).dtype
    copy: Pixels = torch.empty(shape, dtype=kind, device="cpu", pin_memory=True).numpy()
    copy[...] = pixels
    return copy
