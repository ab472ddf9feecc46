"""Keep freed memory in the process while a CPU scores: the next band needs the same amount.

glibc returns memory at the end of the heap to the system, which must clear every page when it is
requested again. This takes some percent of the time of a run (measured).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from iqbench.engine.compute import Compute

__all__ = ["keep_freed_memory"]

# Of malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

# As far as glibc itself goes in a program that frees large blocks.
_LARGEST_BLOCK = 32 << 20
_KEPT_AFTER = 2 * _LARGEST_BLOCK
_KEPT = 1 << 30


@contextmanager
def keep_freed_memory(compute: Compute) -> Iterator[None]:
    """Let freed memory wait for the next band; at the end the system has it back.

    For a process of one's own: glibc no longer adapts its thresholds once they were set. Does
    nothing on GPUs, and where the C library is not glibc.

    Parameters
    ----------
    compute
        No more waits at the heap's end than its budget.
    """
    library = _glibc() if compute.device.type == "cpu" else None
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
    library.mallopt(_TRIM_THRESHOLD, min(_KEPT, compute.memory))
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, _KEPT_AFTER)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library of this process, if it is glibc."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
