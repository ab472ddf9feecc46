"""Choose readers: a fast one if a metric declares a fast path, else the plain reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from iqbench.metrics._base import PIXELS, Maps, Metric, Tap
from iqbench.metrics._fast_paths import (
    ChannelMoments,
    FastPath,
    FeatureMean,
    PixelMean,
    SimilarityMean,
)
from iqbench.native import library
from iqbench.readers.cpu import (
    CpuFeatureReader,
    CpuMomentReader,
    CpuPixelReader,
    CpuSimilarityReader,
)
from iqbench.readers.gpu import (
    GpuFeatureReader,
    GpuPixelReader,
    GpuSimilarityReader,
    available,
)
from iqbench.readers.pixels import PixelReader
from iqbench.readers.reader import Declared, Path, PlainReader, Reader

__all__ = ["choose_readers", "compiled_readers", "kernel_readers", "plain_readers"]

Wanted = Mapping[Tap, Sequence[Metric]]
Parameters = Mapping[Metric, Maps]
OBSERVES = {"prepare", "maps", "observe"}


def choose_readers(
    wanted: Wanted, parameters: Parameters, device: torch.device
) -> tuple[Reader, ...]:
    """Return readers that together compute all statistics of every metric.

    Parameters
    ----------
    wanted
        The metrics of each tap.
    parameters
        The parameters of the metrics.
    device
        The device of the rows.

    Returns
    -------
    tuple of Reader
        Several readers may share one tap.
    """
    if device.type == "cpu":
        make = compiled_readers if library.available() else plain_readers
    else:
        make = kernel_readers if available(device) else plain_readers
    return make(wanted, parameters)


def plain_readers(wanted: Wanted, parameters: Parameters) -> tuple[Reader, ...]:
    """Return readers that call the metrics' own methods."""
    left = {tap: metrics for tap, metrics in wanted.items() if metrics}
    return tuple(PlainReader(tap, metrics, parameters) for tap, metrics in left.items())


def compiled_readers(wanted: Wanted, parameters: Parameters) -> tuple[Reader, ...]:
    """Return readers for CPUs, which use compiled loops."""
    left = {tap: list(metrics) for tap, metrics in wanted.items()}
    found = _pixel_reader(CpuPixelReader, left)
    for tap in left:
        similar = _take(left, tap, SimilarityMean, CpuSimilarityReader.serves)
        found += [CpuSimilarityReader(tap, some) for some in CpuSimilarityReader.alike(similar)]
        if moments := _take(left, tap, ChannelMoments):
            found.append(CpuMomentReader(tap, moments))
        features = _take(left, tap, FeatureMean)
        for some in CpuFeatureReader.alike(features):
            found.append(CpuFeatureReader(tap, some, parameters))
    return (*found, *plain_readers(left, parameters))


def kernel_readers(wanted: Wanted, parameters: Parameters) -> tuple[Reader, ...]:
    """Return readers for GPUs, which use kernels."""
    left = {tap: list(metrics) for tap, metrics in wanted.items()}
    found = _pixel_reader(GpuPixelReader, left)
    for tap in left:
        similar = _take(left, tap, SimilarityMean, GpuSimilarityReader.serves)
        found += [GpuSimilarityReader(tap, one) for one in similar]
        features = _take(left, tap, FeatureMean)
        for some in GpuFeatureReader.alike(features):
            found.append(GpuFeatureReader(tap, some, parameters))
    return (*found, *plain_readers(left, parameters))


def declared(metric: Metric, tap: Tap) -> FastPath | None:
    """Return the fast path that a metric declares at a tap.

    A declaration is valid only for the class that makes it: a subclass that overrides `prepare`,
    `maps` or `observe` has none until it declares its own.
    """
    for kind in type(metric).__mro__:
        if "fast_path" in vars(kind):
            return metric.fast_path(tap)
        if OBSERVES & vars(kind).keys():
            return None
    return None


def _take(
    left: dict[Tap, list[Metric]],
    tap: Tap,
    kind: type[Path],
    serves: Callable[[Path], bool] | None = None,
) -> list[Declared[Path]]:
    """Remove and return the metrics of a tap that a reader serves; not for whole images."""
    taken: list[Declared[Path]] = []
    for metric in left[tap] if not tap.whole else ():
        path = declared(metric, tap)
        if isinstance(path, kind) and (serves is None or serves(path)):
            taken.append((metric, path))
    served = {metric for metric, _ in taken}
    left[tap] = [metric for metric in left[tap] if metric not in served]
    return taken


def _pixel_reader(
    make: Callable[[Sequence[Declared[PixelMean]]], PixelReader], left: dict[Tap, list[Metric]]
) -> list[Reader]:
    """Remove the metrics that read pixels and their neighbours, and return their reader."""
    # The reader supports no border.
    taps = [tap for tap in left if tap.network == PIXELS and not tap.border]
    served = [one for tap in taps for one in _take(left, tap, PixelMean)]
    return [make(served)] if served else []
