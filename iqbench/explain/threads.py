"""A few threads, each at work on a pair of its own, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_threads"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> list[Result]:
    """Map a function over items, in their order; one worker is the caller's own thread.

    Each call runs in torch's inference mode, in which the compiled loops may be used.
    """
    import torch

    def infer(item: Item) -> Result:
        with torch.inference_mode():
            return work(item)

    items = list(items)
    if workers < 2 or len(items) < 2:
        return [infer(item) for item in items]
    pool = ThreadPoolExecutor(workers)
    try:
        return list(pool.map(infer, items))
    finally:
        # After an error or Ctrl-C, what has not begun is not begun.
        pool.shutdown(cancel_futures=True)
