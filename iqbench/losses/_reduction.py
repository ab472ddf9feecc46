"""From one value an image to what training needs."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from iqbench.errors import unknown_name

__all__ = ["Reduction", "check_reduction", "reduce"]

Reduction = Literal["mean", "sum", "none"]


def check_reduction(reduction: str) -> None:
    """Refuse a reduction that is not ``mean``, ``sum`` or ``none``."""
    if reduction not in ("mean", "sum", "none"):
        raise unknown_name("reduction", reduction, ("mean", "sum", "none"))


def reduce(values: Tensor, reduction: Reduction) -> Tensor:
    """Reduce (N,) to a scalar, or leave it."""
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()
