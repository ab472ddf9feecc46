"""Finds the compiled loops that suit this processor.

They are in C because no library has them; everything that calls them has another, slower way. Their
threads are those of torch: the OpenMP that torch has loaded serves both.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from iqbench.native.threads import use_own_threads

__all__ = ["NotCompiledError", "available", "call", "find_library"]

_FOLDER = Path(__file__).parent


class NotCompiledError(Exception):
    """There are no compiled loops here; the message says why."""


@lru_cache(maxsize=1)
def find_library() -> ctypes.CDLL:
    """Load the library for the instructions that torch uses here.

    Raises
    ------
    NotCompiledError
        Where none was built, or it cannot be loaded.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    file = _FOLDER / f"{capability.lower()}.so"
    if not any(_FOLDER.glob("*.so")):
        raise NotCompiledError(
            "not compiled: they are for Linux on x86-64 and need gcc; "
            "install it, then iqbench again"
        )
    if not file.is_file():
        raise NotCompiledError(f"none are for processors without AVX2 (torch says {capability})")
    try:
        for runtime in (Path(torch.__file__).parent / "lib").glob("libgomp*"):
            ctypes.CDLL(str(runtime), ctypes.RTLD_GLOBAL)  # is loaded already: may be found now
        return ctypes.CDLL(str(file))
    except OSError as error:
        raise NotCompiledError(f"they cannot be loaded: {error}") from error


@lru_cache(maxsize=1)
def available() -> bool:
    """Tell whether there are compiled loops here."""
    try:
        find_library()
    except NotCompiledError:
        return False
    return True


def call(name: str, arguments: Sequence[Tensor | int]) -> int:
    """Call a function of the library; other Python threads go on meanwhile.

    Parameters
    ----------
    name
        Of the function.
    arguments
        Tensors, contiguous as the function wants them, and numbers, as C's ``long``; last the
        number of threads is added.

    Returns
    -------
    int
        What the function returns, if anything.
    """
    function = getattr(find_library(), name)
    function.restype = ctypes.c_long
    given = [
        ctypes.c_void_p(item.data_ptr()) if isinstance(item, Tensor) else ctypes.c_long(item)
        for item in arguments
    ]
    use_own_threads()
    return int(function(*given, ctypes.c_long(torch.get_num_threads())))
