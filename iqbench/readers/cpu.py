"""Readers for processors: sums that OpenCV forms in one reading, and its filters for windows.

They stand behind the same door as the plain reader and are tested equal to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqbench.metrics._base import Metric, Tap
from iqbench.metrics.ms_ssim import MsSsim
from iqbench.metrics.ssim import C1, C2, SIZES, Shape, Ssim, sample_scale, window_weights
from iqbench.readers.pixels import PixelReader
from iqbench.readers.reader import Owners, Prepared, RawReader, Sum, channels_last

__all__ = ["CpuPixelReader", "CpuSimilarityReader"]

Rows = NDArray[np.float32]
Moments = NDArray[np.float64]
Block = tuple[slice, slice]

_BLOCK = 1 << 17
"""Values of a block of rows that stay in the caches while they are filtered (measured)."""


class CpuPixelReader(PixelReader):
    """Norms of differences, which OpenCV takes without storing a difference."""

    def totals(
        self, reference: Tensor, output: Tensor, owners: Owners, own: int
    ) -> Sequence[Tensor]:
        """Return the sums of `names`; a reference's own are taken once."""
        step = output.shape[3]
        references = [_flat(image) for image in reference]
        first = [name for name in self.names if name.endswith("reference")]
        own_sums = [
            {name: _statistic(name.partition("_")[0], image, own, step) for name in first}
            for image in references
        ]
        found: list[list[float]] = []
        for owner, image in zip(owners.owners, map(_flat, output), strict=True):
            shared = references[owner]
            residual = image - shared if self._reads_residual else image
            row = []
            for name in self.names:
                what, _, side = name.partition("_")
                if side == "reference":
                    row.append(own_sums[owner][name])
                elif side == "error":
                    row.append(cv2.norm(shared[:own], image[:own], cv2.NORM_L2SQR))
                else:
                    seen = residual if side == "residual" else image
                    row.append(_statistic(what, seen, own, step))
            found.append(row)
        return torch.tensor(found, dtype=torch.float64).unbind(1)

    @property
    def _reads_residual(self) -> bool:
        return any(name.endswith("residual") for name in self.names)


def _flat(image: Tensor) -> Rows:
    """Return (h, W C): a row's channels side by side, as they lie in memory."""
    flat: Rows = image.flatten(1).numpy()
    return flat


def _statistic(what: str, image: Rows, own: int, step: int) -> float:
    """Sum |dx|, dx^2, |dy|, dy^2 or sqrt(dx^2 + dy^2) of an image of `step` channels."""
    if what == "iso":
        return _isotropic(image, step)
    norm = cv2.NORM_L2SQR if what.endswith("2") else cv2.NORM_L1
    if what.startswith("dx"):
        return float(cv2.norm(image[:own, step:], image[:own, :-step], norm))
    return float(cv2.norm(image[1:], image[:-1], norm))


def _isotropic(image: Rows, step: int) -> float:
    """Sum the lengths of the differences, some rows at a time: they must be stored."""
    total = 0.0
    rows = max(1, _BLOCK // image.shape[1])
    for start in range(0, len(image) - 1, rows):
        block = image[start : start + rows + 1]
        dx = block[:-1, step:] - block[:-1, :-step]
        dy = block[1:, :-step] - block[:-1, :-step]
        # Not cv2.magnitude: its last digit depends on where in memory the numbers lie.
        length = np.sqrt(np.add(np.square(dx, out=dx), np.square(dy, out=dy), out=dx), out=dx)
        total += cv2.norm(length, cv2.NORM_L1)
    return total


class CpuSimilarityReader(RawReader):
    """SSIM and MS-SSIM at the positions where their window fits, with OpenCV's filters.

    Parameters
    ----------
    tap
        Of as many rows as the window has.
    metrics
        Of those that `serves` admits, with one window.
    """

    def __init__(self, tap: Tap, metrics: Sequence[Metric]) -> None:
        self.tap = tap
        self._metrics = tuple(metrics)
        shapes = {metric.window for metric in metrics if isinstance(metric, Ssim)}
        self._shape: Shape = shapes.pop() if shapes else "gaussian"

    @staticmethod
    def serves(metric: Metric) -> bool:
        """Tell whether a metric's maps are among those that are summed."""
        return type(metric) in (Ssim, MsSsim)

    def sums(
        self, prepared: Prepared, owners: Owners, rows: Tensor, *, last: bool
    ) -> Iterator[Sum]:
        """Filter and sum, block by block."""
        ((reference,),) = prepared
        references, outputs = reference.numpy(), channels_last(rows).numpy()
        border = SIZES[self._shape] - 1
        height, width, channels = outputs.shape[1:]
        blocks = _blocks(height - border, width - border, channels, border)
        compare = partial(self._compare, references, outputs, owners.owners)
        found = torch.from_numpy(sum(_in_threads(compare, blocks)))
        positions = (height - border) * (width - border)
        for metric in self._metrics:
            yield from metric_sums(metric, self.tap, found, positions)

    def _compare(
        self, references: Rows, outputs: Rows, owners: Sequence[int], block: Block
    ) -> Moments:
        """Return of each output the sums of SSIM and of contrast times structure, (N, 2, C)."""
        known: dict[int, _Reference] = {}
        sums = []
        for output, owner in zip(outputs, owners, strict=True):
            if owner not in known:
                known[owner] = _Reference(references[owner][block], self._shape)
            sums.append(known[owner].compare(output[block]))
        return np.stack(sums)


def _blocks(height: int, width: int, channels: int, border: int) -> list[Block]:
    """Cut positions into blocks, with the pixels around that the window reads.

    Of equal size, as many for every thread; the border costs no more than the block. So much of a
    row that a block stays in the caches: as a rule all of it.
    """
    columns = -(-width // -(-width * channels * border // _BLOCK))
    count = -(-height * columns * channels // _BLOCK)
    if count > 1:
        threads = torch.get_num_threads()
        count = -(-count // threads) * threads
    rows = max(-(-height // count), min(border, height))
    return [
        (
            slice(top, min(top + rows, height) + border),
            slice(left, min(left + columns, width) + border),
        )
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]


def _in_threads(work: Callable[[Block], Moments], blocks: Sequence[Block]) -> list[Moments]:
    """Do all blocks, in order, in as many threads as torch computes with."""
    threads = torch.get_num_threads()
    if min(threads, len(blocks)) < 2:
        return [work(block) for block in blocks]
    return list(_threads(threads).map(work, blocks))


@lru_cache(maxsize=1)
def _threads(count: int) -> ThreadPoolExecutor:
    """Keep threads: new ones have memory of their own, every page of which must be cleared."""
    return ThreadPoolExecutor(count, thread_name_prefix="iqbench-read")


if hasattr(os, "register_at_fork"):  # a forked process has none of them
    os.register_at_fork(after_in_child=_threads.cache_clear)


def metric_sums(metric: Metric, tap: Tap, totals: Tensor, positions: int) -> Iterator[Sum]:
    """Say which of the sums, (N, 2, C), a metric's maps are."""
    if isinstance(metric, Ssim):
        yield Sum(metric, "ssim", totals[:, 0].sum(1), positions * totals.shape[2])
        return
    names = MsSsim.map_names(tap, totals.shape[2])
    whole = MsSsim.whole_at(tap)
    for channel, name in enumerate(names):
        yield Sum(metric, name, totals[:, 0 if whole else 1, channel], positions)


class _Reference:
    """Some rows of a reference with their local mean, in float64; see `Ssim.prepare`."""

    def __init__(self, rows: Rows, shape: Shape) -> None:
        self._kernel = np.array(window_weights(shape))
        self._scale = sample_scale(shape)
        self._pixels = rows.astype(np.float64)
        self._squares = np.square(self._pixels)
        self._mean = self._filter(self._pixels)
        self._mean_squares = np.square(self._mean)

    def compare(self, rows: Rows) -> Moments:
        """Return the sums of SSIM and of contrast times structure, (2, C).

        The variances are needed only as their sum: one filter less.
        """
        other = rows.astype(np.float64)
        mean = self._filter(other)
        products = self._filter(self._pixels * other)
        np.square(other, out=other)
        other += self._squares
        squares = self._filter(other)
        both = self._mean * mean
        energy = np.square(mean)
        energy += self._mean_squares
        structure = products - both
        structure *= 2 * self._scale
        structure += C2
        squares -= energy
        squares *= self._scale
        squares += C2
        structure /= squares
        both *= 2
        both += C1
        energy += C1
        both /= energy
        both *= structure
        return np.stack([_sum_positions(both), _sum_positions(structure)])

    def _filter(self, image: Moments) -> Moments:
        """Filter both ways at the positions where the window fits, (h, w, C)."""
        border = len(self._kernel) // 2
        filtered: Moments = np.asarray(
            cv2.sepFilter2D(image, cv2.CV_64F, self._kernel, self._kernel), np.float64
        )
        # OpenCV leaves a single channel out.
        return filtered.reshape(image.shape)[border:-border, border:-border]


def _sum_positions(image: Moments) -> Moments:
    """Sum (h, w, C) to (C,): whole rows first, since few channels are a short inner loop."""
    height, width, channels = image.shape
    rows = image.reshape(height, width * channels).sum(axis=0)
    total: Moments = rows.reshape(width, channels).sum(axis=0)
    return total
