"""Sums on their way to values: what is left of a batch once all rows have gone through."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from iqbench.engine.batch import Batch
from iqbench.engine.grouping import Outcome, undefined
from iqbench.metrics._base import Column, Metric
from iqbench.metrics._registry import Request
from iqbench.readers.reader import Sum

__all__ = ["Scores", "Sums", "outcome"]


class Sums:
    """Sums and counts of maps, per image, in float64."""

    def __init__(self) -> None:
        self._totals: dict[tuple[Metric, str], Tensor] = {}
        self._counts: dict[tuple[Metric, str], int] = {}

    def add(self, found: Iterable[Sum]) -> None:
        """Add what a reader found in a band."""
        for metric, name, total, size in found:
            key = metric, name
            self._totals[key] = self._totals[key] + total if key in self._totals else total
            self._counts[key] = self._counts.get(key, 0) + size

    @property
    def keys(self) -> list[tuple[Metric, str]]:
        """Metric and name of every map, in the order of `stack`."""
        return list(self._totals)

    @property
    def counts(self) -> list[int]:
        """How many values went into each."""
        return list(self._counts.values())

    def stack(self, images: int) -> Tensor:
        """Return all sums, (maps, images) float64."""
        return torch.stack([total.expand(images) for total in self._totals.values()])


class Scores:
    """The values of a batch, which a GPU may not have finished.

    Parameters
    ----------
    batch
        Kept until the end: what travels to the device lies in its pictures.
    names
        The columns in the order asked for.

    Attributes
    ----------
    batch, names
        As given.
    found
        For each output what is known already.
    """

    def __init__(self, batch: Batch, names: Sequence[str]) -> None:
        self.batch = batch
        self.found: list[dict[str, Outcome]] = [{} for _ in batch.outputs]
        self.names = names
        self._open: list[tuple[Sequence[Request], slice, Sums, Tensor]] = []
        self._left: Any = None  # a CUDA event

    def add(self, requests: Sequence[Request], chunk: slice, sums: Sums) -> None:
        """Add the sums of some outputs; they set out from the device."""
        totals = sums.stack(chunk.stop - chunk.start)
        if totals.is_cuda:
            there = torch.empty(totals.shape, dtype=totals.dtype, pin_memory=True)
            totals = there.copy_(totals, non_blocking=True)
            cuda: Any = torch.cuda  # its type hints lag behind
            self._left = cuda.Event()
            self._left.record()
        self._open.append((requests, chunk, sums, totals))

    def finish(self) -> list[dict[str, Outcome]]:
        """Wait for the device, and turn means into values.

        Returns
        -------
        list of dict
            For each output, column name to its value or to why there is none.
        """
        if self._left is not None:  # the last, so all before it are there
            self._left.synchronize()
        with torch.inference_mode():
            for requests, chunk, sums, totals in self._open:
                means = totals / torch.tensor(sums.counts, dtype=torch.float64)[:, None]
                _close(requests, sums.keys, means, self.found[chunk])
        self._open.clear()
        return [{name: outcomes[name] for name in self.names} for outcomes in self.found]


def _close(
    requests: Sequence[Request],
    keys: Sequence[tuple[Metric, str]],
    means: Tensor,
    found: Sequence[dict[str, Outcome]],
) -> None:
    """Apply the closing formulas to the means of some outputs."""
    by_metric: dict[Metric, dict[str, Tensor]] = {}
    for (metric, name), mean in zip(keys, means, strict=True):
        by_metric.setdefault(metric, {})[name] = mean
    for request in requests:
        closed = request.metric.close(request.column.name, by_metric[request.metric])
        values = closed.double().expand(len(found)).tolist()
        for outcomes, value in zip(found, values, strict=True):
            outcomes[request.column.name] = outcome(request.column, value)


def outcome(column: Column, value: float) -> Outcome:
    """Tell a value from the lack of one."""
    return undefined(column) if math.isnan(value) else Outcome(value)
