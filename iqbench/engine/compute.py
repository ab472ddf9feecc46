"""The device and the precision with which networks compute."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch

from iqbench.errors import IqbenchError, unknown_name
from iqbench.forks import ForkLock
from iqbench.metrics._tensors import full_precision
from iqbench.native.threads import use_own_threads

__all__ = ["Compute", "Precision", "default_memory", "device_name", "resolve_compute"]

Precision = Literal["exact", "tf32", "bf16"]

GIBIBYTE = 2**30


@dataclass(frozen=True)
class Compute:
    """The device, the precision of the networks, and the memory that bands may take.

    Attributes
    ----------
    device
        Where all tensors are.
    precision
        ``exact``: float32, TF32 off; ``tf32``: float32 with TensorFloat-32 products; ``bf16``:
        networks in bfloat16. Pixel metrics and all distances are never below float32.
    memory
        Budget in bytes.
    pixels_at_once
        Pixels times images that are pushed together; None for what suits the device.
    """

    device: torch.device
    precision: Precision
    memory: int
    pixels_at_once: int | None = None

    def halved(self, pixels: int) -> Compute:
        """Take half the memory and half of so many pixels at once."""
        return replace(self, memory=self.memory // 2, pixels_at_once=max(1, pixels // 2))

    @property
    def dtype(self) -> torch.dtype:
        """The type that networks compute in."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    @contextmanager
    def active(self) -> Iterator[None]:
        """Compute without gradients or autocast, with this precision; restore settings after."""
        with (
            _PRODUCTS.as_precise_as(tf32=self.precision == "tf32"),
            torch.inference_mode(),
            full_precision(self.device),
        ):
            yield


class _Float32Products:
    """How precisely torch multiplies float32: switches that all threads of the process share.

    The first thread that computes remembers them, and the last one restores them. In between
    TensorFloat-32 is allowed only if all threads that compute allow it.
    """

    def __init__(self) -> None:
        self._lock = ForkLock()
        self._process = os.getpid()
        self._users: list[bool] = []
        self._before: list[object] = []

    @contextmanager
    def as_precise_as(self, *, tf32: bool) -> Iterator[None]:
        """Compute with the switches set; `tf32` tells whether TensorFloat-32 is allowed."""
        with self._lock:
            self._forget_threads_of_parent()
            if not self._users:
                places, flag, _ = _switches(tf32=tf32)
                self._before = [getattr(place, flag) for place in places]
            self._users.append(tf32)
            self._set()
        try:
            yield
        finally:
            with self._lock:
                if tf32 in self._users:  # not if the process was forked in between
                    self._users.remove(tf32)
                    self._set()

    def _set(self) -> None:
        """Set the switches as the users need them, or as they were before the first one."""
        places, flag, value = _switches(tf32=all(self._users))
        settings = [value] * len(places) if self._users else self._before
        for place, setting in zip(places, settings, strict=True):
            setattr(place, flag, setting)

    def _forget_threads_of_parent(self) -> None:
        """Restore the switches in a forked process, where no other thread computes."""
        if self._process != os.getpid():
            self._process = os.getpid()
            if self._users:
                self._users = []
                self._set()


_PRODUCTS = _Float32Products()


def _switches(*, tf32: bool) -> tuple[list[Any], str, str | bool]:
    """Return where torch keeps its float32 precision, the flag's name, and its right value."""
    backends: Any = torch.backends  # its type hints lag behind
    if hasattr(backends.cuda.matmul, "fp32_precision"):
        # torch 2.9 and newer. On CPUs too: set_float32_matmul_precision may have let bfloat16 in.
        # Reading the older flags fails where a program has used these.
        mkldnn = backends.mkldnn
        places = [backends.cuda.matmul, backends.cudnn.conv, mkldnn.matmul, mkldnn.conv]
        return places, "fp32_precision", "tf32" if tf32 else "ieee"
    return [backends.cuda.matmul, backends.cudnn], "allow_tf32", tf32


def device_name(compute: Compute) -> str:
    """Name the device, for manifests."""
    if compute.device.type == "cuda":
        return f"{compute.device} ({torch.cuda.get_device_name(compute.device)})"
    return str(compute.device)


def default_memory(device: torch.device) -> int:
    """Return a quarter of the machine's memory, or of a GPU seven tenths of what is free."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free * 0.7)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return 2 * GIBIBYTE


def resolve_compute(
    device: str = "auto", precision: str = "exact", memory: int | None = None
) -> Compute:
    """Turn what the user asked for into a device, a precision and a budget.

    Parameters
    ----------
    device
        ``auto`` (the first GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    precision
        ``exact``, ``tf32`` (GPU only) or ``bf16``.
    memory
        Budget in bytes; by default derived from the device.

    Returns
    -------
    Compute
        Ready to use.

    Raises
    ------
    IqbenchError
        If the device is not there, does not know the precision, or is a GPU and this process was
        forked from one that uses it, or the budget is not a positive number.
    """
    known: tuple[Precision, ...] = get_args(Precision)
    if precision not in known:
        raise unknown_name("precision", precision, known)
    if memory is not None and not (isinstance(memory, int | float) and memory > 0):
        raise IqbenchError(
            f"memory is {memory!r}, not a positive number of bytes", hint="2 * 2**30 is 2 GiB"
        )
    use_own_threads()
    place = _resolve_device(device)
    if precision == "tf32" and place.type != "cuda":
        raise IqbenchError(
            "precision tf32 exists on GPUs only", hint="Use --precision exact or bf16"
        )
    budget = default_memory(place) if memory is None else int(memory)
    return Compute(place, known[known.index(precision)], budget)


def _resolve_device(name: str) -> torch.device:
    """Return the device of that name."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", name):
        raise unknown_name("device", name, ("auto", "cpu", "cuda", "cuda:0"))
    kind, _, index = name.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise IqbenchError("there is no CUDA device", hint="Use --device cpu")
    if kind == "cuda" and _lost_in_fork():
        raise IqbenchError(
            "CUDA cannot be used in a process that was forked from one that uses it",
            hint="Start processes by multiprocessing's method 'spawn', or use the device cpu",
        )
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise IqbenchError(f"there is no device {name}", hint="See nvidia-smi")
    return torch.device(name)


def _lost_in_fork() -> bool:
    """Tell whether this process was forked from one that used CUDA, which torch then refuses."""
    ask: Any = getattr(torch.cuda, "_is_in_bad_fork", None)
    return ask is not None and bool(ask())
