"""Quantisation of tensors, as in image files."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["quantise_uint8", "round_half_away"]


def round_half_away(values: Tensor) -> Tensor:
    """Round non-negative values to integers, halves up, as MATLAB (torch rounds them to even)."""
    return torch.floor(values + 0.5)


def quantise_uint8(image: Tensor) -> Tensor:
    """Clip to [0, 1] and round to the 256 values of an 8-bit file.

    Parameters
    ----------
    image
        Any shape, in [0, 1].

    Returns
    -------
    Tensor
        The same shape and dtype, every value k/255.
    """
    return (round_half_away(image.double().clamp(0, 1) * 255) / 255).to(image.dtype)
