"""Rows in, rows out: pushing an image through layers band by band.

A layer keeps the few rows that it still needs and emits what it can; rows of padding stand above
the first band and below the last. The values are those of the whole image, memory grows with its
width and the band, not with its height, and there is no overlap and no receptive-field arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "ChainStream",
    "ParallelStream",
    "PointwiseStream",
    "Stream",
    "Stretch",
    "WindowStream",
    "window_count",
]


class Stream(Protocol):
    """One pass of one batch through a layer. Not to be used again after the last band."""

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Take the next rows and return the output rows that are complete.

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
        """Apply the function to the rows that arrive."""
        return None if rows is None else self._function(rows)


@dataclass(frozen=True)
class Stretch:
    """Rows that windows lie in, as they came: who can read pieces need not have them joined.

    Attributes
    ----------
    pieces
        One or more (N, C, h, W), one below the other; none is empty.
    above, below
        Rows of padding around them.
    reach
        So many rows, padding included, the windows reach, if not all; there may be fewer where a
        last window overhangs.
    """

    pieces: tuple[Tensor, ...]
    above: int = 0
    below: int = 0
    reach: int | None = None

    @property
    def height(self) -> int:
        """How many rows there are, without padding."""
        return sum(piece.shape[2] for piece in self.pieces)

    def whole(self, padding: int) -> Tensor | None:
        """Return the rows where they are one piece between so many rows of padding, else None."""
        one = len(self.pieces) == 1 and self.above == self.below == padding
        return self.pieces[0] if one else None

    def unpadded(self) -> Tensor:
        """Return the rows as one piece; a copy where they are several."""
        return self.pieces[0] if len(self.pieces) == 1 else torch.cat(self.pieces, dim=2)

    def joined(self, fill: float) -> Tensor:
        """Return what the windows reach as one piece, padded with a value."""
        rows, inner = self.unpadded(), self.above + self.height
        reach = inner + self.below if self.reach is None else self.reach
        if self.above or reach > inner:
            rows = F.pad(rows, (0, 0, self.above, max(0, reach - inner)), value=fill)
        return rows[:, :, :reach]


class WindowStream:
    """A layer with a window: convolution, pooling, or the rows that a windowed metric needs.

    Parameters
    ----------
    kernel, stride, padding
        Along the rows.
    apply
        The layer on a stretch of rows; columns it pads by itself.
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
        apply: Callable[[Stretch], Tensor],
        ceil: bool = False,
        rows: Callable[[int], int] | None = None,
    ) -> None:
        self._kernel = kernel
        self._stride = stride
        self._padding = padding
        self._apply = apply
        self._ceil = ceil
        self._rows = rows
        self._above = padding
        self._kept: Tensor | None = None

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Put new rows below the kept ones, emit all windows that are complete, keep the rest."""
        pieces = tuple(
            piece for piece in (self._kept, rows) if piece is not None and piece.shape[2]
        )
        if not pieces:
            return None
        held = Stretch(pieces, self._above, self._padding if last else 0)
        count = self._outputs(held, last=last)
        start = count * self._stride
        self._kept = None if last else _from(held, start)
        self._above = max(0, self._above - start)
        if count < 1:
            return None
        reach = start - self._stride + self._kernel
        # On the last push all rows are passed on: one piece with padding around needs no copy.
        read = pieces if last else _first(pieces, reach - held.above)
        return self._apply(Stretch(read, held.above, held.below, reach))

    def _outputs(self, held: Stretch, *, last: bool) -> int:
        """Return how many windows are complete."""
        height = held.above + held.height + held.below
        if last:
            return window_count(
                height, self._kernel, self._stride, ceil=self._ceil, below=self._padding
            )
        # Keep only the rows from which the next window can begin.
        whole = (height - self._kernel) // self._stride + 1
        count = max(0, min(whole, height // self._stride))
        return count - count % self._rows(held.pieces[0].shape[3]) if self._rows else count


def _from(held: Stretch, start: int) -> Tensor:
    """Copy the rows from one on, counted from the padding: a view would keep a whole band alive."""
    first, *rest = held.pieces
    start = max(0, start - held.above)
    if rest and start < first.shape[2]:
        return torch.cat([first[:, :, start:], *rest], dim=2)
    last = held.pieces[-1]
    return last[:, :, max(0, start - (held.height - last.shape[2])) :].clone()


def _first(pieces: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
    """Return the first rows, at least one."""
    first, *rest = pieces
    if count <= first.shape[2] or not rest:
        return (first[:, :, :count],)
    return first, rest[0][:, :, : count - first.shape[2]]


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
