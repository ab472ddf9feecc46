"""Finds the compiled loops that suit this processor, and calls them; `loops` has one function each.

They are in C because no library has them; everything that calls them has another, slower way. Their
threads are those of torch: the OpenMP that torch has loaded serves both.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from iqbench.native.threads import use_own_threads

__all__ = [
    "Buffer",
    "NotCompiledError",
    "available",
    "call",
    "count_threads",
    "find_library",
    "suits",
]

_FOLDER = Path(__file__).parent

FUNCTIONS = (
    "block_errors",
    "channel_moments",
    "congruencies",
    "deviation_blocks",
    "feature_blocks",
    "feature_sums",
    "filtered_spectra",
    "gradient_lengths",
    "haar_blocks",
    "haar_coefficients",
    "haar_sums",
    "joint_roots",
    "l2_pool",
    "lab_planes",
    "linear_light",
    "luma_plane",
    "medians",
    "mixed_means",
    "moment_blocks",
    "oriented_parts",
    "pixel_sums",
    "resize_bilinear",
    "root_distances",
    "salient_places",
    "sign_sums",
    "similarity_blocks",
    "similarity_map",
    "similarity_sums",
    "unlike_sums",
    "weighted_blocks",
    "weighted_sums",
    "window_sums",
    "winograd_convolve",
    "winograd_pack",
    "winograd_room",
    "xyb_planes",
    "xyb_sums",
)
"""What a library compiled from these sources has."""


class NotCompiledError(Exception):
    """Raised if there are no compiled loops; the message says why."""


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
        library = ctypes.CDLL(str(file))
    except OSError as error:
        raise NotCompiledError(f"they cannot be loaded: {error}") from error
    if missing := [name for name in FUNCTIONS if not hasattr(library, name)]:
        raise NotCompiledError(
            f"they were compiled from other sources and lack {', '.join(missing)}; "
            "install iqbench again"
        )
    return library


@lru_cache(maxsize=1)
def available() -> bool:
    """Tell whether there are compiled loops here."""
    try:
        find_library()
    except NotCompiledError:
        return False
    return True


def suits(*tensors: Tensor) -> bool:
    """Tell whether loops may compute of tensors: float32 on the processor, without gradients.

    In inference mode only: torch can neither compile loops nor map them over a batch.
    """
    return (
        torch.is_inference_mode_enabled()
        and all(one.device.type == "cpu" and one.dtype == torch.float32 for one in tensors)
        and available()
    )


class Buffer(NamedTuple):
    """Memory that a loop reads or writes.

    Attributes
    ----------
    name
        What it is called, for errors.
    tensor
        Where it lies.
    dtype
        The type that the loop takes for granted.
    size
        So many values of it the loop may touch.
    """

    name: str
    tensor: Tensor
    dtype: torch.dtype
    size: int

    def address(self) -> ctypes.c_void_p:
        """Return where the values are.

        Raises
        ------
        BufferError
            If they are not of that type, not contiguous, too few, or not in the processor's memory.
        """
        tensor = self.tensor
        fits = tensor.device.type == "cpu" and tensor.is_contiguous()
        if not fits or tensor.dtype != self.dtype or tensor.numel() < self.size:
            raise BufferError(
                f"{self.name} is {tensor.dtype} {tuple(tensor.shape)} on {tensor.device}, strides "
                f"{tensor.stride()}; needed are {self.size} contiguous {self.dtype} on the cpu"
            )
        return ctypes.c_void_p(tensor.data_ptr())


def count_threads() -> int:
    """Return in how many threads a loop computes: as many as torch."""
    use_own_threads()
    return torch.get_num_threads()


def call(name: str, arguments: Sequence[Buffer | int], threads: int | None = None) -> int:
    """Call a function of the library; other Python threads go on meanwhile.

    Parameters
    ----------
    name
        Of the function.
    arguments
        Buffers, and numbers as C's ``long``; last the number of threads is added.
    threads
        By default as many as torch computes in.

    Returns
    -------
    int
        What the function returns, if anything.

    Raises
    ------
    BufferError
        If a buffer is not what the function takes for granted.
    """
    function = getattr(find_library(), name)
    function.restype = ctypes.c_long
    given = [
        item.address() if isinstance(item, Buffer) else ctypes.c_long(item) for item in arguments
    ]
    number = count_threads() if threads is None else threads
    return int(function(*given, ctypes.c_long(number)))
