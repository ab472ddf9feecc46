"""Merge the statistics of a batch over bands, and close them into values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from iqbench.engine.batch import Batch
from iqbench.engine.grouping import Outcome, undefined
from iqbench.errors import IqbenchError, exits_as_errors, out_of_memory
from iqbench.metrics._base import Maps, Metric
from iqbench.metrics._registry import Request, named
from iqbench.metrics._statistics import Statistic
from iqbench.metrics._tensors import full_precision
from iqbench.readers.reader import Found

__all__ = ["Observations", "Scores", "reason_of"]

_Key: TypeAlias = tuple[Metric, str]


class Observations:
    """The statistics of some images, merged over bands."""

    def __init__(self) -> None:
        self._statistics: dict[_Key, Statistic] = {}

    def add(self, found: Iterable[Found]) -> None:
        """Merge what a reader found in a band."""
        for metric, name, statistic in found:
            known = self._statistics.get((metric, name))
            self._statistics[metric, name] = known.merge(statistic) if known else statistic

    def values(self, images: int) -> dict[_Key, Tensor]:
        """Return the value of every statistic, (images, ...) float64, by metric and name."""
        return {
            key: (value := statistic.value).expand(images, *value.shape[1:])
            for key, statistic in self._statistics.items()
        }


class Scores:
    """The values of a batch, which a GPU may not have finished.

    Parameters
    ----------
    batch
        Kept until the end: what travels to the device lies in its pictures.
    names
        The columns in the order asked for.
    parameters
        What closing formulas need, by metric, on the CPU.

    Attributes
    ----------
    batch, names
        As given.
    found
        For each output what is known already.
    """

    def __init__(
        self, batch: Batch, names: Sequence[str], parameters: Mapping[Metric, Maps]
    ) -> None:
        self.batch = batch
        self._parameters = parameters
        self.found: list[dict[str, Outcome]] = [{} for _ in batch.outputs]
        self.names = names
        self._open: list[tuple[Sequence[Request], slice, dict[_Key, torch.Size], Tensor]] = []
        self._left: Any = None  # a CUDA event

    def add(self, requests: Sequence[Request], chunk: slice, observations: Observations) -> None:
        """Add the statistics of some outputs; their values set out from the device."""
        images = chunk.stop - chunk.start
        values = observations.values(images)
        shapes = {key: value.shape for key, value in values.items()}
        flat = torch.cat([value.reshape(images, -1) for value in values.values()], dim=1)
        if flat.is_cuda:
            there = torch.empty(flat.shape, dtype=flat.dtype, device="cpu", pin_memory=True)
            flat = there.copy_(flat, non_blocking=True)
            cuda: Any = torch.cuda  # its type hints lag behind
            self._left = cuda.Event()
            self._left.record()
        self._open.append((requests, chunk, shapes, flat))

    def finish(self) -> list[dict[str, Outcome]]:
        """Wait for the device, and close the statistics.

        Returns
        -------
        list of dict
            For each output, column name to its value or to why there is none.
        """
        if self._left is not None:  # the last, so all before it are there
            self._left.synchronize()
        with torch.inference_mode(), full_precision(torch.device("cpu")):
            for requests, chunk, shapes, flat in self._open:
                sizes = [shape[1:].numel() for shape in shapes.values()]
                parts = zip(shapes.items(), torch.split(flat, sizes, dim=1), strict=True)
                values = {key: part.reshape(shape) for (key, shape), part in parts}
                self._close(requests, values, self.found[chunk])
        self._open.clear()
        return [{name: outcomes[name] for name in self.names} for outcomes in self.found]

    def _close(
        self,
        requests: Sequence[Request],
        values: Mapping[_Key, Tensor],
        found: Sequence[dict[str, Outcome]],
    ) -> None:
        """Apply the closing formulas to the statistics of some outputs."""
        by_metric: dict[Metric, dict[str, Tensor]] = {}
        for (metric, name), value in values.items():
            by_metric.setdefault(metric, {})[name] = value
        for request in requests:
            parameters = self._parameters[request.metric]
            outcomes = _closed(request, by_metric[request.metric], parameters, len(found))
            for known, outcome in zip(found, outcomes, strict=True):
                known[request.column.name] = outcome


def _closed(request: Request, values: Maps, parameters: Maps, images: int) -> list[Outcome]:
    """Close one column; where that fails, output by output, so that others keep their values."""
    metric, column = request.metric, request.column
    try:
        with exits_as_errors():
            found = metric.close(column.name, values, parameters)
            if found.is_complex():
                raise TypeError("values are real numbers, and these are complex")
            closed = found.double().expand(images).tolist()
    except Exception as error:  # a metric's own code, which may be another package's
        if images == 1:
            return [Outcome(None, reason_of(metric, error))]
        single = ({name: value[i : i + 1] for name, value in values.items()} for i in range(images))
        return [outcome for alone in single for outcome in _closed(request, alone, parameters, 1)]
    return [undefined(column) if math.isnan(value) else Outcome(value) for value in closed]


def reason_of(metric: Metric | None, error: BaseException | None) -> str:
    """Say why there is no value: a metric's `IqbenchError` says that none exists."""
    if isinstance(error, IqbenchError):
        return f"undefined: {error.message}" if metric else str(error)
    if error is not None and out_of_memory(error):
        return "there is not enough memory for this image"
    what = named(type(metric)) if metric else "scoring"
    first_line = str(error).partition("\n")[0]
    return f"{what} failed: {type(error).__name__}: {first_line}"
