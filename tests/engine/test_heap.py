"""Freed memory stays for the next band, and is returned at the end."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest
import torch

from iqbench.engine.compute import Compute
from iqbench.engine.freed_memory import keep_freed_memory

GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
MIB = 1 << 20
BLOCKS, BLOCK = 24, 8 * MIB


def cpu(memory):
    return Compute(torch.device("cpu"), "exact", memory)


def resident():
    """Return the bytes of this process that are in memory and belong to no file."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def use_and_free():
    blocks = [torch.ones(BLOCK // 4) for _ in range(BLOCKS)]
    blocks.clear()


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_freed_memory_is_kept_within_and_returned_after():
    ctypes.CDLL(None).malloc_trim(0)
    before = resident()
    with keep_freed_memory(cpu(1 << 30)):
        use_and_free()
        assert resident() - before > BLOCKS * BLOCK * 0.9
    assert resident() - before < BLOCKS * BLOCK * 0.5


def test_errors_pass_through():
    with pytest.raises(ValueError, match="mine"), keep_freed_memory(cpu(1 << 30)):
        raise ValueError("mine")
