"""Threads after a fork.

A forked process has none of the threads that its parent computed with, but OpenMP, in which torch
and the compiled loops compute, does not know that: it would wait for them without end. So a forked
process computes in one thread, as the workers of torch's DataLoader do. Processes that
multiprocessing starts by "spawn" have threads of their own.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

__all__ = ["use_own_threads"]

_FORKED_WITHOUT_EXEC = 0x40
"""PF_FORKNOEXEC of Linux's sched.h, among the flags in /proc/self/stat."""

_FLAGS = 6
"""Where the flags stand in that line, counted from the end of the program's name."""


def _was_forked() -> bool:
    """Tell whether this process may have been forked from one that computed already."""
    try:
        line = Path("/proc/self/stat").read_text()
    except OSError:  # not Linux
        return False
    flags = int(line.rpartition(")")[2].split()[_FLAGS])
    return bool(flags & _FORKED_WITHOUT_EXEC)


_PROCESS = None if _was_forked() else os.getpid()
"""The process whose threads OpenMP knows; None where it may be another one."""


def use_own_threads() -> None:
    """Compute in one thread from now on, if this process was forked."""
    if torch.compiler.is_compiling() or os.getpid() == _PROCESS:
        return
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
