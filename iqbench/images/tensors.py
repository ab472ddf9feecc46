"""Stored pixels to tensors in [0, 1]."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["to_tensor"]


def to_tensor(pixels: NDArray[np.uint8] | NDArray[np.uint16], device: torch.device) -> Tensor:
    """Turn stored pixels into a float32 tensor, each depth divided by its own maximum.

    Integers travel to the device, the division happens there.

    Parameters
    ----------
    pixels
        (H, W, C) uint8 or uint16.
    device
        Where the tensor shall be.

    Returns
    -------
    Tensor
        (1, C, H, W) float32 in [0, 1], channels last in memory.
    """
    peak = float(np.iinfo(pixels.dtype).max)
    # torch computes little with uint16
    integers = pixels.astype(np.int32) if pixels.dtype == np.uint16 else pixels
    # In order and writable, copied only if need be: torch warns of read-only arrays.
    raw = torch.from_numpy(np.require(integers, requirements=("C", "W")))
    if device.type == "cuda":
        raw = raw.pin_memory().to(device, non_blocking=True)
    return raw.permute(2, 0, 1).unsqueeze(0).to(torch.float32).div_(peak)
