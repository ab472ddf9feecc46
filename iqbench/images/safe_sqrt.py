"""Square roots with a finite gradient everywhere."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["safe_sqrt"]


def safe_sqrt(values: Tensor) -> Tensor:
    """Take the square root; its gradient at 0 is 0 instead of infinity."""
    if not torch.is_grad_enabled():
        return values.sqrt()
    none = values <= 0
    return torch.where(none, 0.0, torch.where(none, 1.0, values).sqrt())
