"""What stands between streams and sums: the door that plain and fused ways share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from iqbench.metrics._base import Maps, Metric, Tap

__all__ = ["MapReader", "Owners", "Prepared", "Reader", "Sum"]

Prepared = Sequence[tuple[Tensor, ...]]
"""What a reader keeps of the references' rows: for each of its metrics, or once for all."""


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
    """

    def __init__(self, owners: Sequence[int], references: int, device: torch.device) -> None:
        self._shared = references == 1 or list(owners) == list(range(references))
        self.index = _index(tuple(owners), device)

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
    """

    tap: Tap

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

    def __init__(
        self, tap: Tap, metrics: Sequence[Metric], parameters: Mapping[Metric, Maps]
    ) -> None:
        self.tap = tap
        self._metrics = tuple(metrics)
        self._parameters = parameters

    def prepare(self, rows: Tensor) -> Prepared:
        """Return what each metric prepares, in float32."""
        rows = rows.float()
        return [
            metric.prepare(self.tap, rows, self._parameters[metric]) for metric in self._metrics
        ]

    def sums(
        self, prepared: Prepared, owners: Owners, rows: Tensor, *, last: bool
    ) -> Iterator[Sum]:
        """Sum each metric's maps: float32 within these rows, float64 across."""
        rows = rows.float()
        for metric, shared in zip(self._metrics, prepared, strict=True):
            parameters = self._parameters[metric]
            # One map at a time is alive where a metric gives several.
            maps = dict(metric.maps(self.tap, owners.select(shared), rows, parameters))
            for name, values in maps.items():
                # Not flattened: channels lie last in memory, it would copy the map.
                total = values.sum(tuple(range(1, values.ndim))).double()
                yield Sum(metric, name, total, values[0].numel())
