"""Compute the maps of metrics for two images, whole or in bands, on the engine's streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from iqbench.engine.batch_pass import BatchPass
from iqbench.engine.grouping import Group
from iqbench.metrics._base import PIXELS, Maps, Metric, Tap
from iqbench.networks.backbone import Backbone

__all__ = ["Band", "Collected", "collect"]

Collected = dict[Metric, dict[str, Tensor]]
"""By metric, its maps by name; means over channels, (N, h, w) each."""


class Band(NamedTuple):
    """The same rows of two images, (N, C, rows, W) each, and whether they are the last rows."""

    reference: Tensor
    output: Tensor
    last: bool


def collect(
    group: Group,
    bands: Iterable[Band],
    *,
    backbones: dict[str, Backbone],
    parameters: Mapping[Metric, Maps],
    dtype: torch.dtype,
    size: tuple[int, int],
) -> Collected:
    """Pass two images through all inputs of a group, and collect the maps of its metrics.

    Parameters
    ----------
    group
        The metrics and inputs of one view.
    bands
        All bands, from the first row to the last; a single band keeps gradients.
    backbones
        The networks by name.
    parameters
        The parameters of the metrics.
    dtype
        The type for networks.
    size
        Height and width of the images.

    Returns
    -------
    dict
        The maps of each metric.
    """
    first, second = (BatchPass(group.readers, backbones, dtype, size) for _ in range(2))
    parts: dict[Metric, dict[str, list[Tensor]]] = {}
    for band in bands:
        prepared = {
            (tap, metric): metric.prepare(tap, _seen(tap, rows), parameters[metric])
            for tap, rows, _ in first.push(band.reference, last=band.last)
            for metric in group.readers[tap]
        }
        for tap, rows, _ in second.push(band.output, last=band.last):
            seen = _seen(tap, rows)
            for metric in group.readers[tap]:
                maps = metric.maps(tap, prepared[tap, metric], seen, parameters[metric])
                for name, values in maps.items():
                    # Maps of LPIPS have no channels.
                    flat = values.mean(1) if values.ndim == 4 else values
                    parts.setdefault(metric, {}).setdefault(name, []).append(flat)
    return {
        metric: {name: torch.cat(pieces, dim=1) for name, pieces in maps.items()}
        for metric, maps in parts.items()
    }


def _seen(tap: Tap, rows: Tensor) -> Tensor:
    """Convert features to at least float32; pixels are not changed."""
    return (
        rows if tap.network == PIXELS else rows.to(torch.promote_types(rows.dtype, torch.float32))
    )
