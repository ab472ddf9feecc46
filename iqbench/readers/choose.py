"""Which reader reads what: the device's own where there is one, else the metrics' maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from iqbench.metrics._base import PIXELS, Maps, Metric, Tap
from iqbench.metrics.ssim import Ssim
from iqbench.native import library
from iqbench.readers.cpu import CpuFeatureReader, CpuPixelReader, CpuSimilarityReader
from iqbench.readers.features import FeatureReader
from iqbench.readers.gpu import (
    GpuFeatureReader,
    GpuPixelReader,
    GpuSimilarityReader,
    available,
)
from iqbench.readers.pixels import PixelReader
from iqbench.readers.reader import PlainReader, Reader

__all__ = ["choose_readers", "compiled_readers", "kernel_readers", "plain_readers"]

Wanted = Mapping[Tap, Sequence[Metric]]
Parameters = Mapping[Metric, Maps]


def choose_readers(
    wanted: Wanted, parameters: Parameters, device: torch.device
) -> tuple[Reader, ...]:
    """Return the readers that give every metric all of its statistics.

    Parameters
    ----------
    wanted
        Tap to the metrics that read it.
    parameters
        Of the metrics.
    device
        Where the rows are.

    Returns
    -------
    tuple of Reader
        Several may read one tap.
    """
    if device.type == "cpu":
        make = compiled_readers if library.available() else plain_readers
    else:
        make = kernel_readers if available(device) else plain_readers
    return make(wanted, parameters)


def plain_readers(wanted: Wanted, parameters: Parameters) -> tuple[Reader, ...]:
    """Read everything by the metrics' own statistics."""
    left = {tap: metrics for tap, metrics in wanted.items() if metrics}
    return tuple(PlainReader(tap, metrics, parameters) for tap, metrics in left.items())


def compiled_readers(wanted: Wanted, parameters: Parameters) -> tuple[Reader, ...]:
    """Read pixels, windows and layers with compiled loops, for processors."""
    left = {tap: list(metrics) for tap, metrics in wanted.items()}
    found = _pixel_reader(CpuPixelReader, left)
    for tap in left:
        similar = _take(left, tap, CpuSimilarityReader.serves)
        found += [CpuSimilarityReader(tap, some) for some in CpuSimilarityReader.alike(similar)]
        if features := _take(left, tap, FeatureReader.serves):
            found.append(CpuFeatureReader(tap, features, parameters))
    return (*found, *plain_readers(left, parameters))


def kernel_readers(wanted: Wanted, parameters: Parameters) -> tuple[Reader, ...]:
    """Read pixels, windows and layers with kernels, for GPUs."""
    left = {tap: list(metrics) for tap, metrics in wanted.items()}
    found = _pixel_reader(GpuPixelReader, left)
    for tap in left:
        similar = _take(left, tap, GpuSimilarityReader.serves)
        found += [
            GpuSimilarityReader(tap, metric) for metric in similar if isinstance(metric, Ssim)
        ]
        if features := _take(left, tap, FeatureReader.serves):
            found.append(GpuFeatureReader(tap, features, parameters))
    return (*found, *plain_readers(left, parameters))


def _take(
    left: dict[Tap, list[Metric]], tap: Tap, serves: Callable[[Metric], bool]
) -> list[Metric]:
    """Take out the metrics of a tap that a reader serves; whole images are read plainly."""
    taken = [metric for metric in left[tap] if serves(metric) and not tap.whole]
    left[tap] = [metric for metric in left[tap] if metric not in taken]
    return taken


def _pixel_reader(
    make: Callable[[dict[Metric, list[Tap]]], PixelReader], left: dict[Tap, list[Metric]]
) -> list[Reader]:
    """Take out what reads pixels and their neighbours."""
    served: dict[Metric, list[Tap]] = {}
    for tap in left:
        if tap.network == PIXELS:
            for metric in _take(left, tap, PixelReader.serves):
                served.setdefault(metric, []).append(tap)
    return [make(served)] if served else []
