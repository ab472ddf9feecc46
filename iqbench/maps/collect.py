"""Two images in, a metric's maps out: whole or in bands, on the engine's own streams."""

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
"""Metric to its maps by name; means over channels, (N, h, w) each."""


class Band(NamedTuple):
    """The same rows of two images, (N, C, rows, W) each, and whether the images end there."""

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
    """Push two images through everything that a group reads, and keep its metrics' maps.

    Parameters
    ----------
    group
        What is read from one view.
    bands
        From the first row to the last; one whole band keeps gradients.
    backbones
        The networks by name.
    parameters
        Of the metrics.
    dtype
        What networks compute in.
    size
        Height and width of the images.

    Returns
    -------
    dict
        Metric to its maps.
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
                    # LPIPS has already weighted its channels.
                    flat = values.mean(1) if values.ndim == 4 else values
                    parts.setdefault(metric, {}).setdefault(name, []).append(flat)
    return {
        metric: {name: torch.cat(pieces, dim=1) for name, pieces in maps.items()}
        for metric, maps in parts.items()
    }


def _seen(tap: Tap, rows: Tensor) -> Tensor:
    """Return features in float32 at least, whatever the network computes in; pixels as they are."""
    return (
        rows if tap.network == PIXELS else rows.to(torch.promote_types(rows.dtype, torch.float32))
    )
