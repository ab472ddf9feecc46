"""What stands between streams and sums: the door that plain and fused ways share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from iqbench.metrics._base import Maps, Metric, Tap

__all__ = [
    "MapReader",
    "Owners",
    "Prepared",
    "RawReader",
    "Reader",
    "Sum",
    "channels_last",
]

Prepared = Sequence[tuple[Tensor, ...]]
"""What a reader keeps of the references' rows: for each of its metrics, or once for all."""


_BLOCK = 1 << 19
"""Values of a feature map whose temporaries stay in the caches (measured)."""


class Sum(NamedTuple):
    """The sum of one map over some rows.

    Attributes
    ----------
    metric, name
        Whose map it is, and which.
    total
        (N,), or (1,) of a map that all outputs share; float64.
    size
        How many values of one image went into it.
    """

    metric: Metric
    name: str
    total: Tensor
    size: int


class Owners:
    """To which reference each output of a chunk belongs.

    Parameters
    ----------
    owners
        For each output the index of its reference.
    references
        How many references there are.
    device
        Where the tensors are.

    Attributes
    ----------
    owners
        As given.
    index
        The same on the device, int32.
    """

    def __init__(self, owners: Sequence[int], references: int, device: torch.device) -> None:
        self.owners = tuple(owners)
        self._shared = references == 1 or list(owners) == list(range(references))
        self.index = _index(self.owners, device)

    def select(self, prepared: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Give each output its reference's share; one reference serves all without a copy."""
        if self._shared:
            return prepared
        return tuple(part.index_select(0, self.index) for part in prepared)


@lru_cache(maxsize=256)
def _index(owners: tuple[int, ...], device: torch.device) -> Tensor:
    """Carry an index to a device once: batches are alike, and a GPU would be waited for."""
    return torch.tensor(owners, dtype=torch.int32, device=device)


class Reader(Protocol):
    """Reads one tap for one or more metrics.

    Attributes
    ----------
    tap
        Where the rows come from.
    reads_reference
        Whether the references' rows matter; where not, `prepare` is not called.
    """

    tap: Tap
    reads_reference: bool

    def prepare(self, rows: Tensor) -> Prepared:
        """Do the work that depends on the references alone, once for all outputs.

        Parameters
        ----------
        rows
            (N, C, h, W) of the references, as the tap gives them.

        Returns
        -------
        Prepared
            Handed to `sums`.
        """
        ...

    def sums(
        self, prepared: Prepared, owners: Owners, rows: Tensor, *, last: bool
    ) -> Iterator[Sum]:
        """Sum the maps of some outputs over these rows.

        Parameters
        ----------
        prepared
            What `prepare` returned for the same rows of the references.
        owners
            To which reference each output belongs.
        rows
            (N, C, h, W) of the outputs.
        last
            Whether the image ends here.

        Yields
        ------
        Sum
            One a map.
        """
        ...


def channels_last(rows: Tensor) -> Tensor:
    """Return (N, h, W, C), contiguous: as a rule without a copy."""
    return rows.permute(0, 2, 3, 1).contiguous()


class RawReader:
    """Keeps the references' rows as they are: a subclass reads both images at once."""

    reads_reference = True

    def prepare(self, rows: Tensor) -> Prepared:
        """Keep the rows, channels last."""
        return [(channels_last(rows),)]


class MapReader:
    """The plain way: every metric's own maps, on any device.

    Parameters
    ----------
    tap
        Where the rows come from.
    metrics
        Whose maps are summed.
    parameters
        Of the metrics.
    """

    reads_reference = True

    def __init__(
        self, tap: Tap, metrics: Sequence[Metric], parameters: Mapping[Metric, Maps]
    ) -> None:
        self.tap = tap
        self._metrics = tuple(metrics)
        self._parameters = parameters

    def prepare(self, rows: Tensor) -> Prepared:
        """Return what each metric prepares of each block of rows, in float32."""
        return [
            metric.prepare(self.tap, block.float(), self._parameters[metric])
            for block in self._blocks(rows)
            for metric in self._metrics
        ]

    def sums(
        self, prepared: Prepared, owners: Owners, rows: Tensor, *, last: bool
    ) -> Iterator[Sum]:
        """Sum each metric's maps: float32 within a block, float64 across."""
        waiting = iter(prepared)
        for block in self._blocks(rows):
            seen = block.float()
            for metric in self._metrics:
                shared = owners.select(next(waiting))
                maps = dict(metric.maps(self.tap, shared, seen, self._parameters[metric]))
                for name, values in maps.items():
                    # Not flattened: channels lie last in memory, it would copy the map.
                    total = values.sum(tuple(range(1, values.ndim))).double()
                    yield Sum(metric, name, total, values[0].numel())

    def _blocks(self, rows: Tensor) -> Sequence[Tensor]:
        """Cut features into rows whose maps stay in a processor's caches; each row stands alone."""
        if rows.device.type != "cpu" or self.tap.window > 1:
            return (rows,)
        # Of one image, so that sums do not depend on the images beside it.
        size = max(1, _BLOCK // (rows.shape[1] * rows.shape[3]))
        return torch.split(rows, size, dim=2)
