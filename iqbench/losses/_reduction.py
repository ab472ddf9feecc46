"""From one value per image to what training needs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from iqbench.errors import unknown_name

__all__ = ["Reduction", "check_reduction", "reduce"]

Reduction = Literal["mean", "sum", "none"]


def check_reduction(reduction: str) -> None:
    """Refuse a reduction that is not ``mean``, ``sum`` or ``none``."""
    if reduction not in ("mean", "sum", "none"):
        raise unknown_name("reduction", reduction, ("mean", "sum", "none"))


def reduce(values: Tensor, reduction: Reduction, *, left_out: Tensor | None = None) -> Tensor:
    """Reduce (N,) to a scalar, or leave it.

    Parameters
    ----------
    values
        One per image.
    reduction
        How.
    left_out
        (N,) bool: images that neither a mean nor a sum counts; of no image both are 0.
    """
    if reduction == "none":
        return values
    if left_out is None:
        return values.mean() if reduction == "mean" else values.sum()
    total = torch.where(left_out, 0, values).sum()
    return total / (~left_out).sum().clamp_min(1) if reduction == "mean" else total
