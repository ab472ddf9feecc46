"""Types of arrays, and helpers for sorting and for sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts", "Flags", "Floats", "Indices", "headroom", "smallest"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.intp]
Indices = NDArray[np.intp]


_LARGE = 1e290  # sums of billions of smaller values do not overflow


def headroom(values: Floats) -> float:
    """Return the factor for values whose sums would overflow, a power of two; mostly 1.

    Programs that cannot write infinity write the largest number, 1.8e308, instead.
    """
    largest = np.max(np.abs(values), where=np.isfinite(values), initial=0.0)
    return 2.0**-64 if largest > _LARGE else 1.0


def smallest(keys: Floats, count: int) -> list[int]:
    """Return the positions of the smallest keys, in a stable order, without NaN."""
    order = np.argsort(keys, kind="stable")
    return [int(at) for at in order[:count] if not np.isnan(keys[at])]
