"""Find the compiled loops for this CPU, and call them; `loops` has one function for each.

They are in C because no library has them. All their callers also work without them, but slower.
They share torch's threads, as both use the OpenMP library that torch has loaded.
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
"""The functions in a library compiled from these sources."""


class NotCompiledError(Exception):
    """Raised if there are no compiled loops; the message has the reason."""


@lru_cache(maxsize=1)
def find_library() -> ctypes.CDLL:
    """Load the library for the instructions that torch uses here.

    Raises
    ------
    NotCompiledError
        If none was built, or it cannot be loaded.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    file = _FOLDER / f"{capability.lower()}.so"
    if not any(_FOLDER.glob("*.so")):
        raise NotCompiledError(
            "not compiled: they need Linux on x86-64 and gcc; install gcc, then install iqbench "
            "again"
        )
    if not file.is_file():
        raise NotCompiledError(f"they need a CPU with AVX2 (torch reports {capability})")
    try:
        for runtime in (Path(torch.__file__).parent / "lib").glob("libgomp*"):
            ctypes.CDLL(str(runtime), ctypes.RTLD_GLOBAL)  # make the loaded library visible
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
    """Return whether there are compiled loops for this CPU."""
    try:
        find_library()
    except NotCompiledError:
        return False
    return True


def suits(*tensors: Tensor) -> bool:
    """Return whether loops may process tensors: float32 on the CPU, without gradients.

    This needs inference mode, because torch can neither compile loops nor map them over a batch.
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
        Its name for errors.
    tensor
        The tensor with the memory.
    dtype
        The type that the loop expects.
    size
        The number of values that the loop may access.
    """

    name: str
    tensor: Tensor
    dtype: torch.dtype
    size: int

    def address(self) -> ctypes.c_void_p:
        """Return the address of the values.

        Raises
        ------
        BufferError
            If they have another type, are not contiguous, too few, or not in the CPU's memory.
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
    """Return the number of threads of a loop, which is that of torch."""
    use_own_threads()
    return torch.get_num_threads()


def call(name: str, arguments: Sequence[Buffer | int], threads: int | None = None) -> int:
    """Call a function of the library without blocking other Python threads.

    Parameters
    ----------
    name
        The name of the function.
    arguments
        Buffers, and integers as C's ``long``; the number of threads is appended.
    threads
        The number of threads; by default that of torch.

    Returns
    -------
    int
        The return value of the function.

    Raises
    ------
    BufferError
        If a buffer is not what the function expects.
    """
    function = getattr(find_library(), name)
    function.restype = ctypes.c_long
    given = [
        item.address() if isinstance(item, Buffer) else ctypes.c_long(item) for item in arguments
    ]
    number = count_threads() if threads is None else threads
    return int(function(*given, ctypes.c_long(number)))
