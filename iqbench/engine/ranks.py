"""Exchange data between the ranks of a distributed job."""

from __future__ import annotations

from typing import Any, TypeVar

import torch.distributed

__all__ = ["gather", "rank"]

T = TypeVar("T")


def _active() -> bool:
    """Tell whether this process is one of several."""
    distributed = torch.distributed
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


def rank() -> int:
    """Return the number of this process, from 0."""
    return torch.distributed.get_rank() if _active() else 0


def gather(mine: T) -> list[T]:
    """Return what every rank gives, in the order of ranks; all of them must call this.

    Parameters
    ----------
    mine
        Anything that can be pickled.
    """
    if not _active():
        return [mine]
    everyone: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, mine)
    return everyone
