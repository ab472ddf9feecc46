"""Push an image through layers band by band: rows in, rows out.

A layer keeps the few rows that it still needs and emits the rows that are complete. Rows of padding
are above the first band and below the last. The values equal those of the whole image. Memory
depends on the width of the image and the height of a band, not on the height of the image. Bands do
not overlap, and no receptive fields need to be computed.
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
    """One pass of one batch through a layer. It cannot be reused after the last band."""

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Take the next rows and return the output rows that are complete.

        Parameters
        ----------
        rows
            (N, C, h, W), or None without new rows (the last push may still emit rows).
        last
            Whether these are the last rows of the image.

        Returns
        -------
        Tensor or None
            (N, C', h', W'), or None if no row is complete.
        """
        ...


class PointwiseStream:
    """A layer whose output row depends on one input row; it keeps no rows."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self._function = function

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Apply the function to the rows that arrive."""
        return None if rows is None else self._function(rows)


@dataclass(frozen=True)
class Stretch:
    """Consecutive rows for the windows of a layer, as one or more pieces that are not joined.

    Attributes
    ----------
    pieces
        One or more (N, C, h, W), from top to bottom; none is empty.
    above, below
        Rows of padding around them.
    reach
        The number of rows, with padding, that the windows cover; None for all. There may be fewer
        rows if the last window extends beyond the end.
    """

    pieces: tuple[Tensor, ...]
    above: int = 0
    below: int = 0
    reach: int | None = None

    @property
    def height(self) -> int:
        """The number of rows, without padding."""
        return sum(piece.shape[2] for piece in self.pieces)

    def whole(self, padding: int) -> Tensor | None:
        """Return the rows if they are one piece with this padding above and below, else None."""
        one = len(self.pieces) == 1 and self.above == self.below == padding
        return self.pieces[0] if one else None

    def unpadded(self) -> Tensor:
        """Return the rows as one piece, without padding; several pieces are copied."""
        return self.pieces[0] if len(self.pieces) == 1 else torch.cat(self.pieces, dim=2)

    def joined(self, fill: float) -> Tensor:
        """Return the rows that the windows cover as one piece, padded with a value."""
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
        Of the windows, in rows.
    apply
        Applies the layer to a stretch of rows, with padding of columns.
    ceil
        Whether a last window may extend beyond the end (``ceil_mode`` of pooling).
    rows
        Returns, for a width, the best number of rows of the layer. Before the last push, the
        stream emits multiples of it.
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
        """Append new rows to the kept ones, emit all complete windows, and keep the rest."""
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
        # The last push uses all rows: one piece with padding around it needs no copy.
        read = pieces if last else _first(pieces, reach - held.above)
        return self._apply(Stretch(read, held.above, held.below, reach))

    def _outputs(self, held: Stretch, *, last: bool) -> int:
        """Return the number of complete windows."""
        height = held.above + held.height + held.below
        if last:
            return window_count(
                height, self._kernel, self._stride, ceil=self._ceil, below=self._padding
            )
        # Keep only the rows from the start of the next window.
        whole = (height - self._kernel) // self._stride + 1
        count = max(0, min(whole, height // self._stride))
        return count - count % self._rows(held.pieces[0].shape[3]) if self._rows else count


def _from(held: Stretch, start: int) -> Tensor:
    """Copy the rows from ``start`` (with padding); a view would keep a whole band in memory."""
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
        Number of rows, with padding.
    kernel, stride
        Kernel and stride of the windows.
    ceil
        Whether a last window may extend beyond the end; it must start above the `below` rows.
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
    """A sequence of streams."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Pass the rows from layer to layer."""
        for stream in self._streams:
            if rows is None and not last:
                return None
            rows = stream.push(rows, last=last)
        return rows


class ParallelStream:
    """Parallel branches whose outputs are joined. Rows wait until every branch has emitted them.

    Parameters
    ----------
    branches
        One stream per branch; each gets the same rows.
    join
        Combines the rows of the branches: a sum, or a concatenation of channels.
    """

    def __init__(
        self, branches: Sequence[Stream], join: Callable[[Sequence[Tensor]], Tensor]
    ) -> None:
        self._branches = branches
        self._join = join
        self._queues: list[Tensor | None] = [None] * len(branches)

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Push every branch, and join the rows that all of them have."""
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
