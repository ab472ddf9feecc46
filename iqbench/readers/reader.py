"""The interface of readers, which compute statistics of streamed rows, and the plain reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

from iqbench.errors import exits_as_errors
from iqbench.metrics._base import Maps, Metric, Place, Tap
from iqbench.metrics._fast_paths import FastPath
from iqbench.metrics._statistics import Statistic

__all__ = [
    "Declared",
    "Found",
    "MetricError",
    "Owners",
    "PlainReader",
    "Prepared",
    "RawReader",
    "Reader",
    "channels_last",
]

Path = TypeVar("Path", bound=FastPath)

Declared: TypeAlias = tuple[Metric, Path]
"""A metric, and the fast path that it declares at a tap."""

Prepared = Sequence[tuple[Tensor, ...]]
"""The prepared rows of the references: for each metric of a reader, or once for all."""


_BLOCK = 1 << 19
"""Number of values of a feature map whose temporary tensors fit into the caches (measured)."""


class MetricError(Exception):
    """Raised if a metric failed on some rows; its cause is the original error.

    Attributes
    ----------
    metric
        The metric.
    """

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric.name)
        self.metric = metric


@contextmanager
def blame(metric: Metric) -> Iterator[None]:
    """Convert errors in the code of a metric to `MetricError`, except errors about memory."""
    try:
        with exits_as_errors():
            yield
    except (torch.cuda.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        raise MetricError(metric) from error


class Found(NamedTuple):
    """A statistic of some rows.

    Attributes
    ----------
    metric, name
        The metric, and the name of its statistic.
    statistic
        The statistic of the outputs, float64.
    """

    metric: Metric
    name: str
    statistic: Statistic


class Owners:
    """The reference of each output in a chunk.

    Parameters
    ----------
    owners
        The index of the reference of each output.
    references
        The number of references.
    device
        The device of the tensors.

    Attributes
    ----------
    owners
        The given indices.
    index
        The same indices on the device, int32.
    """

    def __init__(self, owners: Sequence[int], references: int, device: torch.device) -> None:
        self.owners = tuple(owners)
        self._shared = references == 1 or list(owners) == list(range(references))
        self.index = _index(self.owners, device)

    def select(self, prepared: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Select the prepared reference of each output; a single reference is not copied."""
        if self._shared:
            return prepared
        return tuple(part.index_select(0, self.index) for part in prepared)


@lru_cache(maxsize=256)
def _index(owners: tuple[int, ...], device: torch.device) -> Tensor:
    """Copy an index to a device, cached, because batches repeat and a copy waits for a GPU."""
    return torch.tensor(owners, dtype=torch.int32, device=device)


class Reader(Protocol):
    """Reads one tap for one or more metrics.

    Attributes
    ----------
    tap
        The tap of the rows.
    reads_reference
        Whether the reader needs the references' rows; if not, `prepare` is not called.
    """

    tap: Tap
    reads_reference: bool

    def prepare(self, rows: Tensor) -> Prepared:
        """Do the work that depends only on the references, once for all outputs.

        Parameters
        ----------
        rows
            (N, C, h, W) of the references, at the tap.

        Returns
        -------
        Prepared
            An argument of `observe`.
        """
        ...

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Compute the statistics of some outputs over these rows.

        Parameters
        ----------
        prepared
            The result of `prepare` for the same rows of the references.
        owners
            The reference of each output.
        rows
            (N, C, h, W) of the outputs.
        place
            The position of the rows in the image.

        Yields
        ------
        Found
            One per statistic.
        """
        ...


def channels_last(rows: Tensor) -> Tensor:
    """Return (N, h, W, C), contiguous, usually without a copy."""
    return rows.permute(0, 2, 3, 1).contiguous()


class RawReader:
    """Base of readers that need the unchanged rows of the references."""

    reads_reference = True

    def prepare(self, rows: Tensor) -> Prepared:
        """Return the rows, channels-last."""
        return [(channels_last(rows),)]


class PlainReader:
    """The plain reader: calls the metrics' own methods, on any device.

    Parameters
    ----------
    tap
        The tap of the rows.
    metrics
        The metrics whose statistics are computed.
    parameters
        The parameters of the metrics.
    """

    def __init__(
        self, tap: Tap, metrics: Sequence[Metric], parameters: Mapping[Metric, Maps]
    ) -> None:
        self.tap = tap
        self.reads_reference = any(metric.needs != "output" for metric in metrics)
        self._metrics = tuple(metrics)
        self._parameters = parameters

    def prepare(self, rows: Tensor) -> Prepared:
        """Let each metric prepare each block of rows, in float32."""
        prepared = []
        for block in self._blocks(rows):
            seen = block.float()
            for metric in self._metrics:
                if metric.needs != "output":
                    with blame(metric):
                        parameters = self._parameters[metric]
                        prepared.append(metric.prepare(self.tap, seen, parameters))
        return prepared

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Compute each metric's statistics, and merge those of blocks in float64."""
        waiting = iter(prepared)
        top = place.top
        for block in self._blocks(rows):
            seen = block.float()
            here = Place(top, block.shape[2], place.height)
            for metric in self._metrics:
                shared = () if metric.needs == "output" else owners.select(next(waiting))
                with blame(metric):
                    parameters = self._parameters[metric]
                    observed = metric.observe(self.tap, shared, seen, parameters, here)
                    found = [(name, one.double()) for name, one in observed.items()]
                for name, statistic in found:
                    yield Found(metric, name, statistic)
            top += block.shape[2]

    def _blocks(self, rows: Tensor) -> Sequence[Tensor]:
        """Split features into blocks of independent rows whose maps fit into a CPU's caches."""
        if rows.device.type != "cpu" or self.tap.window > 1 or self.tap.whole:
            return (rows,)
        # Based on one image, so that sums do not depend on other images of the batch.
        size = max(1, _BLOCK // (rows.shape[1] * rows.shape[3]))
        return torch.split(rows, size, dim=2)
