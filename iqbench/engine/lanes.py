"""One batch of images on its way through everything that a group reads."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from iqbench.engine.grouping import Group
from iqbench.metrics._base import PIXELS, Metric, Tap
from iqbench.networks.backbone import Backbone
from iqbench.networks.stream import WindowStream

__all__ = ["Lane", "Sums"]


class Lane:
    """One batch's streams: a pass through each network, and the rows each windowed tap needs.

    Parameters
    ----------
    group
        What is read.
    backbones
        The networks by name.
    dtype
        What the networks compute in.
    """

    def __init__(self, group: Group, backbones: dict[str, Backbone], dtype: torch.dtype) -> None:
        self._pixel_taps = group.pixel_taps
        self._layer_taps = group.layer_taps
        self._backbones = backbones
        self._dtypes = {
            name: dtype if backbones[name].trained else torch.float32
            for name, _ in self._layer_taps
        }
        self._passes = {
            key: backbones[key[0]].begin(layers) for key, layers in self._layer_taps.items()
        }
        self._windows = {
            _window_key(tap): WindowStream(
                kernel=tap.window,
                stride=1,
                padding=0,
                fill=0.0,
                whole=lambda rows: rows,
                inner=lambda rows: rows,
            )
            for tap in group.readers
            if tap.window > 1
        }

    def push(self, rows: Tensor, *, last: bool) -> Iterator[tuple[Tap, Tensor]]:
        """Push the next rows of pixels, and give what each tap can read now.

        Parameters
        ----------
        rows
            (N, C, h, W) float32 in [0, 1].
        last
            Whether the image ends here.

        Yields
        ------
        tuple
            A tap and its rows, float32; use them before asking for the next.
        """
        # Taps that read equally many rows of pixels share them.
        ready: dict[int, Tensor | None] = {1: rows}
        for tap in self._pixel_taps:
            if tap.window not in ready:
                ready[tap.window] = self._windows[_window_key(tap)].push(rows, last=last)
            seen = ready[tap.window]
            if seen is not None:
                yield tap, seen
        for (name, normalise), layers in self._layer_taps.items():
            image = self._backbones[name].see(rows, normalise=normalise).to(self._dtypes[name])
            for layer, features in self._passes[name, normalise].push(image, last=last):
                for tap in layers[layer]:
                    yield from self._give(tap, features.float(), last=last)

    def _give(self, tap: Tap, rows: Tensor, *, last: bool) -> Iterator[tuple[Tap, Tensor]]:
        if tap.window > 1:
            ready = self._windows[_window_key(tap)].push(rows, last=last)
            if ready is None:
                return
            rows = ready
        yield tap, rows


def _window_key(tap: Tap) -> Tap | int:
    """Say which taps share a stream of windows."""
    return tap.window if tap.network == PIXELS else tap


class Sums:
    """Sums and counts of maps, per image: float32 within a band, float64 across bands."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Metric, str], Tensor] = {}
        self._counts: dict[tuple[Metric, str], int] = {}

    def add(self, metric: Metric, maps: dict[str, Tensor]) -> None:
        """Add the maps of a band, (N, ...) or (1, ...)."""
        for name, values in maps.items():
            key = metric, name
            # Not flattened: channels lie last in memory, it would copy the map.
            total = values.sum(tuple(range(1, values.ndim))).double()
            self._sums[key] = self._sums[key] + total if key in self._sums else total
            self._counts[key] = self._counts.get(key, 0) + values[0].numel()

    def means(self, metric: Metric, images: int) -> dict[str, Tensor]:
        """Return the means of a metric's maps, (images,) each, float64."""
        return {
            name: (total / self._counts[owner, name]).expand(images)
            for (owner, name), total in self._sums.items()
            if owner == metric
        }
