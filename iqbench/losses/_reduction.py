"""Reduction of one value per image to the value of a loss."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from iqbench.errors import unknown_name

__all__ = ["Reduction", "check_reduction", "reduce"]

Reduction = Literal["mean", "sum", "none"]


def check_reduction(reduction: str) -> None:
    """Raise an error for a reduction that is not ``mean``, ``sum`` or ``none``."""
    if reduction not in ("mean", "sum", "none"):
        raise unknown_name("reduction", reduction, ("mean", "sum", "none"))


def reduce(values: Tensor, reduction: Reduction, *, left_out: Tensor | None = None) -> Tensor:
    """Reduce (N,) to a scalar, or return it unchanged for ``none``.

    Parameters
    ----------
    values
        One value per image.
    reduction
        The reduction.
    left_out
        (N,) bool: images to leave out of mean and sum. Without any other image, both are 0, as
        they are for an empty batch.
    """
    if reduction == "none":
        return values
    if left_out is None:
        return values.mean() if reduction == "mean" and len(values) else values.sum()
    total = torch.where(left_out, 0, values).sum()
    return total / (~left_out).sum().clamp_min(1) if reduction == "mean" else total
