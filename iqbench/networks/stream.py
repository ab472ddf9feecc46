"""Rows in, rows out: pushing an image through layers band by band.

A layer keeps the few rows that it still needs and emits what it can; rows of padding stand above
the first band and below the last. The values are those of the whole image, memory grows with its
width and the band, not with its height, and there is no overlap and no receptive-field arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "ChainStream",
    "ParallelStream",
    "PointwiseStream",
    "Stream",
    "WindowStream",
    "window_count",
]


class Stream(Protocol):
    """One pass of one batch through a layer. Not to be used again after the last band."""

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Take the next rows and give what can be given.

        Parameters
        ----------
        rows
            (N, C, h, W), or None when nothing arrives (on the last push, layers still flush).
        last
            Whether the image ends here.

        Returns
        -------
        Tensor or None
            (N, C', h', W'), or None where no row is ready.
        """
        ...


class PointwiseStream:
    """A layer whose output row depends on one input row: nothing is kept."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self._function = function

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Apply the function to what arrives."""
        return None if rows is None else self._function(rows)


class WindowStream:
    """A layer with a window: convolution, pooling, or the rows that a windowed metric needs.

    Parameters
    ----------
    kernel, stride, padding
        Along the rows.
    fill
        The value of padding rows.
    whole
        The layer on a whole image, with its own padding.
    inner
        The layer without padding along the rows; columns are padded as ever.
    ceil
        Whether a last window that overhangs the end counts (``ceil_mode`` of pooling).
    rows
        Given the width, in which numbers of rows the layer works best: before the last push it
        emits multiples of that.
    """

    def __init__(
        self,
        *,
        kernel: int,
        stride: int,
        padding: int,
        fill: float,
        whole: Callable[[Tensor], Tensor],
        inner: Callable[[Tensor], Tensor],
        ceil: bool = False,
        rows: Callable[[int], int] | None = None,
    ) -> None:
        self._rows = rows
        self._kernel = kernel
        self._stride = stride
        self._padding = padding
        self._fill = fill
        self._whole = whole
        self._inner = inner
        self._ceil = ceil
        self._started = False
        self._kept: Tensor | None = None

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Join kept and new rows, emit all windows that are complete, keep the rest."""
        if not self._started and rows is not None and last:
            self._started = True
            return self._whole(rows) if self._outputs(rows, last) else None
        held = self._join(rows)
        if held is None:
            return None
        if last and self._padding:
            held = self._pad(held, 0, self._padding)
        count = self._outputs_of(held.shape[2], last)
        if last:
            overhang = (count - 1) * self._stride + self._kernel - held.shape[2]
            if overhang > 0:
                held = self._pad(held, 0, overhang)
            self._kept = None
        else:
            count -= count % self._rows(held.shape[3]) if self._rows else 0
            # A copy: a view would keep the whole band alive.
            self._kept = held[:, :, count * self._stride :].clone()
        if count < 1:
            return None
        return self._inner(held[:, :, : (count - 1) * self._stride + self._kernel])

    def _join(self, rows: Tensor | None) -> Tensor | None:
        """Put new rows below the kept ones; padding above the first."""
        if rows is None:
            return self._kept
        if not self._started:
            self._started = True
            return self._pad(rows, self._padding, 0) if self._padding else rows
        if self._kept is None or self._kept.shape[2] == 0:
            return rows
        return torch.cat([self._kept, rows], dim=2)

    def _pad(self, rows: Tensor, above: int, below: int) -> Tensor:
        return F.pad(rows, (0, 0, above, below), value=self._fill)

    def _outputs(self, rows: Tensor, last: bool) -> int:
        return self._outputs_of(rows.shape[2] + 2 * self._padding, last)

    def _outputs_of(self, height: int, last: bool) -> int:
        """Return how many windows lie in `height` rows, padding included."""
        if last:
            return window_count(
                height, self._kernel, self._stride, ceil=self._ceil, below=self._padding
            )
        # No more than the rows from which the next window can still begin.
        whole = (height - self._kernel) // self._stride + 1
        return max(0, min(whole, height // self._stride))


def window_count(height: int, kernel: int, stride: int, *, ceil: bool, below: int) -> int:
    """Count the windows of a layer in a stretch of rows.

    Parameters
    ----------
    height
        Rows, padding included.
    kernel, stride
        Of the window.
    ceil
        Whether a last window may overhang; it must then begin above the `below` rows of padding.
    below
        Rows of padding at the end.

    Returns
    -------
    int
        At least 0.
    """
    if height <= 0:
        return 0
    if not ceil:
        return max(0, (height - kernel) // stride + 1)
    count = -(-(height - kernel) // stride) + 1
    if (count - 1) * stride >= height - below:
        count -= 1
    return max(0, count)


class ChainStream:
    """Layers one after the other."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Hand the rows from layer to layer."""
        for stream in self._streams:
            if rows is None and not last:
                return None
            rows = stream.push(rows, last=last)
        return rows


class ParallelStream:
    """Branches that meet again: rows wait in a queue until every branch has given them.

    Parameters
    ----------
    branches
        One stream a branch; each gets the same rows.
    join
        Makes one tensor of the branches' rows: a sum, a concatenation over channels.
    """

    def __init__(
        self, branches: Sequence[Stream], join: Callable[[Sequence[Tensor]], Tensor]
    ) -> None:
        self._branches = branches
        self._join = join
        self._queues: list[Tensor | None] = [None] * len(branches)

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Push every branch, join what all of them have."""
        for number, branch in enumerate(self._branches):
            given = branch.push(rows, last=last)
            waiting = self._queues[number]
            if given is not None and waiting is not None and waiting.shape[2]:
                given = torch.cat([waiting, given], dim=2)
            self._queues[number] = given if given is not None else waiting
        queues = [queue for queue in self._queues if queue is not None]
        if len(queues) < len(self._queues):
            return None
        ready = min(queue.shape[2] for queue in queues)
        if ready == 0:
            return None
        self._queues = [queue[:, :, ready:].clone() for queue in queues]
        return self._join([queue[:, :, :ready] for queue in queues])
