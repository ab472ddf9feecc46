"""Measure the memory of a computation: the largest number of bytes of tensors at one time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.utils import _python_dispatch as dispatch
from torch.utils._pytree import tree_leaves

__all__ = ["peak_bytes"]

_Mode: Any = dispatch.TorchDispatchMode  # torch has no types for it


class _Ledger:
    """Counts the bytes of tensors from their first use until they are freed."""

    def __init__(self) -> None:
        self._storages: dict[int, int] = {}
        self._now = 0
        self.peak = 0

    def see(self, tensor: Tensor) -> None:
        """Count the storage of a tensor, once."""
        storage = tensor.untyped_storage()
        key = id(storage)  # torch keeps this object as long as the storage
        if key not in self._storages:
            self._storages[key] = storage.nbytes()
            self._now += storage.nbytes()
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._free, key)

    def _free(self, key: int) -> None:
        self._now -= self._storages.pop(key)


def peak_bytes(compute: Callable[[], object]) -> int:
    """Run a computation, and return the largest number of bytes of its tensors at one time.

    Memory that a single operation allocates and frees internally is not counted.
    """
    ledger = _Ledger()

    def listen(
        mode: object,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                ledger.see(leaf)
        return made

    with type("_Listening", (_Mode,), {"__torch_dispatch__": listen})():
        compute()
    return ledger.peak
