"""What stands between streams and statistics: the interface that plain and fused ways share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

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
"""What a reader keeps of the references' rows: for each of its metrics, or once for all."""


_BLOCK = 1 << 19
"""Values of a feature map whose temporaries stay in the caches (measured)."""


class MetricError(Exception):
    """A metric failed on some rows; the cause says why.

    Attributes
    ----------
    metric
        Which one.
    """

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric.name)
        self.metric = metric


@contextmanager
def blame(metric: Metric) -> Iterator[None]:
    """Name the metric whose code raised; memory that ran out is raised as it is."""
    try:
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
        Whose statistic it is, and which.
    statistic
        Of the outputs, float64.
    """

    metric: Metric
    name: str
    statistic: Statistic


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

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Take the statistics of some outputs over these rows.

        Parameters
        ----------
        prepared
            What `prepare` returned for the same rows of the references.
        owners
            To which reference each output belongs.
        rows
            (N, C, h, W) of the outputs.
        place
            Where the rows lie in the image.

        Yields
        ------
        Found
            One a statistic.
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


class PlainReader:
    """The plain way: every metric's own statistics, on any device.

    Parameters
    ----------
    tap
        Where the rows come from.
    metrics
        Whose statistics are taken.
    parameters
        Of the metrics.
    """

    def __init__(
        self, tap: Tap, metrics: Sequence[Metric], parameters: Mapping[Metric, Maps]
    ) -> None:
        self.tap = tap
        self.reads_reference = any(metric.needs != "output" for metric in metrics)
        self._metrics = tuple(metrics)
        self._parameters = parameters

    def prepare(self, rows: Tensor) -> Prepared:
        """Return what each metric prepares of each block of rows, in float32."""
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
        """Take each metric's statistics: in its own precision within a block, float64 across."""
        waiting = iter(prepared)
        top = place.top
        for block in self._blocks(rows):
            seen = block.float()
            here = Place(top, block.shape[2], place.height)
            for metric in self._metrics:
                shared = () if metric.needs == "output" else owners.select(next(waiting))
                with blame(metric):
                    parameters = self._parameters[metric]
                    found = metric.observe(self.tap, shared, seen, parameters, here)
                for name, statistic in found.items():
                    yield Found(metric, name, statistic.double())
            top += block.shape[2]

    def _blocks(self, rows: Tensor) -> Sequence[Tensor]:
        """Cut features into rows whose maps stay in a processor's caches; each row stands alone."""
        if rows.device.type != "cpu" or self.tap.window > 1 or self.tap.whole:
            return (rows,)
        # Of one image, so that sums do not depend on the images beside it.
        size = max(1, _BLOCK // (rows.shape[1] * rows.shape[3]))
        return torch.split(rows, size, dim=2)
