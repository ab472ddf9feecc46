"""Pass one batch of images through all networks and readers that its metrics need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from iqbench.engine.grouping import taps_by_pass
from iqbench.metrics._base import PIXELS, Place, Tap
from iqbench.networks.backbone import Backbone
from iqbench.networks.border import BorderedStream, extend
from iqbench.networks.stream import Stream, Stretch, WindowStream

__all__ = ["BatchPass"]


class BatchPass:
    """One batch's streams: a pass through each network, and the rows each windowed tap needs.

    Parameters
    ----------
    taps
        What is read.
    backbones
        The networks by name.
    dtype
        What the networks compute in.
    size
        Height and width of the whole image.
    """

    def __init__(
        self,
        taps: Iterable[Tap],
        backbones: dict[str, Backbone],
        dtype: torch.dtype,
        size: tuple[int, int],
    ) -> None:
        taps = tuple(taps)
        self._pixel_taps = tuple(tap for tap in taps if tap.network == PIXELS and not tap.whole)
        self._whole_taps = tuple(tap for tap in taps if tap.whole)
        self._layer_taps = taps_by_pass(taps)
        self._backbones = backbones
        self._dtypes = {
            name: dtype if backbones[name].trained else torch.float32
            for name, _ in self._layer_taps
        }
        self._passes = {
            key: backbones[key[0]].begin(layers, size) for key, layers in self._layer_taps.items()
        }
        self._windows = {_window_key(tap): _window_stream(tap) for tap in taps if _has_windows(tap)}
        self._pieces: list[Tensor] = []
        self._heights = dict.fromkeys(taps, size[0])
        for (name, _), layers in self._layer_taps.items():
            sizes = backbones[name].sizes(layers, *size)
            self._heights |= {tap: sizes[layer][1] for layer in layers for tap in layers[layer]}
        for tap in taps:
            self._heights[tap] += 2 * tap.border
        self._tops = dict.fromkeys(taps, 0)

    def push(self, rows: Tensor, *, last: bool) -> Iterator[tuple[Tap, Tensor, Place]]:
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
            A tap, its rows, of pixels float32, of a network what it computes in, and where they
            lie; use them before asking for the next.
        """
        # Taps that read equally many rows of pixels share them.
        ready: dict[_WindowKey, Tensor | None] = {}
        for tap in self._pixel_taps:
            key = _window_key(tap)
            if key not in ready:
                stream = self._windows.get(key)
                ready[key] = rows if stream is None else stream.push(rows, last=last)
            seen = ready[key]
            if seen is not None:
                yield tap, seen, self._place(tap, seen)
        if self._whole_taps:
            yield from self._give_whole(rows, last=last)
        for (name, normalise), layers in self._layer_taps.items():
            image = self._backbones[name].see(rows, normalise=normalise).to(self._dtypes[name])
            # Expanded gray is not channels-last; make it so, as everywhere else.
            image = image.contiguous(memory_format=torch.channels_last)
            for layer, features in self._passes[name, normalise].push(image, last=last):
                for tap in layers[layer]:
                    yield from self._give(tap, features, last=last)

    def _give_whole(self, rows: Tensor, *, last: bool) -> Iterator[tuple[Tap, Tensor, Place]]:
        """Keep the rows until the image ends, then give all of them at once."""
        self._pieces.append(rows)
        if not last:
            return
        image = rows if len(self._pieces) == 1 else torch.cat(self._pieces, dim=2)
        self._pieces.clear()
        for tap in self._whole_taps:
            yield tap, image, self._place(tap, image)

    def _place(self, tap: Tap, rows: Tensor) -> Place:
        """Say where the next rows of a tap lie."""
        place = Place(self._tops[tap], rows.shape[2], self._heights[tap])
        self._tops[tap] += rows.shape[2] - (0 if tap.whole else tap.window - 1)
        return place

    def _give(self, tap: Tap, rows: Tensor, *, last: bool) -> Iterator[tuple[Tap, Tensor, Place]]:
        if _has_windows(tap):
            ready = self._windows[_window_key(tap)].push(rows, last=last)
            if ready is None:
                return
            rows = ready
        yield tap, rows, self._place(tap, rows)


_WindowKey = Tap | tuple[int, int]


def _window_key(tap: Tap) -> _WindowKey:
    """Say which taps share a stream of windows."""
    return (tap.window, tap.border) if tap.network == PIXELS else tap


def _has_windows(tap: Tap) -> bool:
    """Tell whether a tap reads more than the rows as they come."""
    return (tap.window > 1 or tap.border > 0) and not tap.whole


def _window_stream(tap: Tap) -> Stream:
    """Begin a pass that gives the rows in which the windows of a tap lie."""

    def joined(rows: Stretch) -> Tensor:
        image = rows.joined(0.0)
        if not tap.border:
            return image
        return extend(image, tap.border, tap.border, "replicate", axis=3)

    stream = WindowStream(kernel=tap.window, stride=1, padding=0, apply=joined)
    return BorderedStream(stream, tap.border, "replicate") if tap.border else stream
