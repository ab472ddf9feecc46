"""Types of arrays, and a helper for sorting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts", "Flags", "Floats", "Indices", "smallest"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.intp]
Indices = NDArray[np.intp]


def smallest(keys: Floats, count: int) -> list[int]:
    """Return the positions of the smallest keys, in a stable order, without NaN."""
    order = np.argsort(keys, kind="stable")
    return [int(at) for at in order[:count] if not np.isnan(keys[at])]
