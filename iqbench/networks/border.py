"""Pad an image with its own rows and columns: the whole image, or in bands."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from iqbench.networks.stream import Stream

__all__ = ["BorderedStream", "Edge", "extend", "surrounded"]

Edge = Literal["replicate", "symmetric", "reflect"]
"""Padding of the row a b c: a a | a b c | c c; b a | a b c | c b; c b | a b c | b a."""


def extend(image: Tensor, before: int, after: int, edge: Edge, *, axis: int) -> Tensor:
    """Pad rows (axis 2) or columns (axis 3) before and after an image of any size."""
    size = image.shape[axis]
    places = torch.arange(-before, size + after, dtype=torch.int64, device=image.device)
    if edge == "replicate" or size == 1:
        source = places.clamp(0, size - 1)
    else:
        period = 2 * size if edge == "symmetric" else 2 * size - 2
        source = places % period
        source = torch.minimum(source, period - source - (1 if edge == "symmetric" else 0))
    # Use indexing only for the padding: copying the image in one piece is faster.
    pieces = (source[:before], None, source[before + size :])
    parts = [image if piece is None else image.index_select(axis, piece) for piece in pieces]
    return torch.cat(parts, dim=axis)


def surrounded(image: Tensor, border: int) -> Tensor:
    """Pad an image on all sides by repeating its outermost rows and columns."""
    tall = extend(image, border, border, "replicate", axis=2)
    return extend(tall, border, border, "replicate", axis=3)


class BorderedStream:
    """One pass of one batch: adds rows above the first and below the last for another stream.

    Parameters
    ----------
    inner
        The stream that gets the padded rows.
    border
        The number of rows above and below.
    edge
        The kind of padding.
    """

    def __init__(self, inner: Stream, border: int, edge: Edge) -> None:
        self._inner = inner
        self._border = border
        self._edge: Edge = edge
        self._begun = False
        self._kept: Tensor | None = None
        """Rows kept: at first all of them, then those that the padding below needs."""

    def push(self, rows: Tensor | None, *, last: bool) -> Tensor | None:
        """Pass on the rows, with the padding above the first and below the last."""
        if rows is None or not rows.shape[2]:
            if not last or self._kept is None:
                return None
            rows = self._kept[:, :, :0]
        held = rows if self._kept is None else torch.cat([self._kept, rows], dim=2)
        first = not self._begun
        if first and held.shape[2] <= self._border and not last:
            self._kept = held.clone()
            return None
        self._begun = True
        # Copy: a view would keep the whole band in memory.
        self._kept = held[:, :, -(self._border + 1) :].clone()
        given = held if first else rows
        above = self._border if first else 0
        below = self._border if last else 0
        if above or below:
            ended = extend(held, above, below, self._edge, axis=2)
            given = ended if first else ended[:, :, held.shape[2] - rows.shape[2] :]
        return self._inner.push(given, last=last)
