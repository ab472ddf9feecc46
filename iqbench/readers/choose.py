"""Which reader reads what: a kernel where there is one for the device, else the metrics' maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from iqbench.metrics._base import PIXELS, Maps, Metric, Tap
from iqbench.metrics.ssim import Ssim
from iqbench.readers.fused import FeatureReader, PixelReader, SimilarityReader, available
from iqbench.readers.reader import MapReader, Reader

__all__ = ["choose_readers"]


def choose_readers(
    wanted: Mapping[Tap, Sequence[Metric]],
    parameters: Mapping[Metric, Maps],
    device: torch.device,
    *,
    fused: bool | None = None,
) -> tuple[Reader, ...]:
    """Return the readers that give every metric all sums of its maps.

    Parameters
    ----------
    wanted
        Tap to the metrics that read it.
    parameters
        Of the metrics.
    device
        Where the rows are.
    fused
        Whether kernels are used; by default where they run.

    Returns
    -------
    tuple of Reader
        Several may read one tap.
    """
    left = {tap: list(metrics) for tap, metrics in wanted.items()}
    found: list[Reader] = []
    if available(device) if fused is None else fused:
        found += _pixel_reader(left)
        for tap, metrics in left.items():
            found += _fused(tap, metrics, parameters)
    found += [MapReader(tap, metrics, parameters) for tap, metrics in left.items() if metrics]
    return tuple(found)


def _pixel_reader(left: dict[Tap, list[Metric]]) -> list[Reader]:
    """Take out what reads pixels and their neighbours."""
    # Who reads more than one row says that there are two; an image of one has no neighbours below.
    rows = max((tap.window for tap in left if tap.network == PIXELS), default=0)
    if rows < PixelReader.tap.window:
        return []
    served: dict[Metric, None] = {}
    for tap, metrics in left.items():
        if tap.network == PIXELS:
            served |= dict.fromkeys(filter(PixelReader.serves, metrics))
            left[tap] = [metric for metric in metrics if not PixelReader.serves(metric)]
    return [PixelReader(list(served))] if served else []


def _fused(tap: Tap, metrics: list[Metric], parameters: Mapping[Metric, Maps]) -> list[Reader]:
    """Take out what the other kernels serve."""
    if tap.network == PIXELS:
        similar = [metric for metric in metrics if SimilarityReader.serves(metric)]
        metrics[:] = [metric for metric in metrics if metric not in similar]
        return [SimilarityReader(tap, metric) for metric in similar if isinstance(metric, Ssim)]
    served = [metric for metric in metrics if FeatureReader.serves(metric)]
    metrics[:] = [metric for metric in metrics if metric not in served]
    return [FeatureReader(tap, served, parameters)] if served else []
