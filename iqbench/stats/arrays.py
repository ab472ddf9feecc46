"""Names of the arrays that statistics are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts", "Flags", "Floats", "Indices"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.intp]
Indices = NDArray[np.intp]
