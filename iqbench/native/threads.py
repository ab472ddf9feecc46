"""The number of threads after a fork.

A forked process does not have the threads of its parent. OpenMP, which torch and the compiled loops
use, does not know this, and would wait for them forever. So a forked process uses one thread, like
the workers of torch's DataLoader. Processes that multiprocessing starts by "spawn" have their own
threads.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

__all__ = ["use_own_threads"]

_FORKED_WITHOUT_EXEC = 0x40
"""PF_FORKNOEXEC of Linux's sched.h, among the flags in /proc/self/stat."""

_FLAGS = 6
"""Position of the flags in that line, after the name of the program."""


def _was_forked() -> bool:
    """Return whether this process may be a fork of a process that already used threads."""
    try:
        line = Path("/proc/self/stat").read_text()
    except OSError:  # not Linux
        return False
    flags = int(line.rpartition(")")[2].split()[_FLAGS])
    return bool(flags & _FORKED_WITHOUT_EXEC)


_PROCESS = None if _was_forked() else os.getpid()
"""The process whose threads OpenMP knows; None if it may be another one."""


def use_own_threads() -> None:
    """Use one thread from now on if this process was forked."""
    if torch.compiler.is_compiling() or os.getpid() == _PROCESS:
        return
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
