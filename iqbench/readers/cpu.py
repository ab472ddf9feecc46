"""Readers for CPUs: fast paths of metrics, in one pass over both images.

The compiled loops are in ``iqbench/native``. These readers have the interface of the plain reader,
and tests check that the results are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from iqbench.metrics._base import Metric, Place, Tap
from iqbench.metrics._fast_paths import (
    PIXEL_SUMS,
    ChannelMoments,
    SimilarityMean,
)
from iqbench.metrics._statistics import Mean, PairMoments
from iqbench.native import loops
from iqbench.readers.features import DISTANCES, FeatureReader
from iqbench.readers.pixels import PixelReader
from iqbench.readers.reader import Declared, Found, Owners, Prepared, RawReader, channels_last

__all__ = ["CpuFeatureReader", "CpuMomentReader", "CpuPixelReader", "CpuSimilarityReader"]


class CpuFeatureReader(FeatureReader):
    """Distances of features, a few positions at a time, which fit into the caches."""

    def totals(self, reference: Tensor, output: Tensor, owners: Owners) -> Mapping[str, Tensor]:
        """Return the sums of `kinds`."""
        if output.dtype not in (torch.float32, torch.bfloat16):
            reference, output = reference.float(), output.float()
        wanted = [kind in self.kinds for kind in DISTANCES]
        sums = [
            loops.feature_sums(reference[owner], output[image], self.weight, wanted)
            for image, owner in enumerate(owners.owners)
        ]
        return dict(zip(DISTANCES, torch.stack(sums, dim=1).unbind(), strict=True))


class CpuPixelReader(PixelReader):
    """Sums of pixels, row by row."""

    def totals(
        self, reference: Tensor, output: Tensor, owners: Owners, own: int
    ) -> Sequence[Tensor]:
        """Return the sums of `names`."""
        reference, output = reference.float(), output.float()
        wanted = [name in self.names for name in PIXEL_SUMS]
        sums = [
            loops.pixel_sums(reference[owner], output[image], wanted, own)
            for image, owner in enumerate(owners.owners)
        ]
        totals = torch.stack(sums)
        return [totals[:, PIXEL_SUMS.index(name)] for name in self.names]


class CpuMomentReader(RawReader):
    """Moments of every channel, block by block.

    Parameters
    ----------
    tap
        A layer, or pixels.
    declared
        The metrics, with their names of the moments.
    """

    def __init__(self, tap: Tap, declared: Sequence[Declared[ChannelMoments]]) -> None:
        self.tap = tap
        self._declared = tuple(declared)

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Compute the moments in one pass over both images."""
        ((reference,),) = prepared
        reference, output = reference.float(), channels_last(rows).float()
        found = [
            loops.channel_moments(reference[owner], output[image])
            for image, owner in enumerate(owners.owners)
        ]
        means, squares = (torch.stack(part) for part in zip(*found, strict=True))
        moments = PairMoments(output.shape[1] * output.shape[2], means, squares)
        yield from (Found(metric, path.statistic, moments) for metric, path in self._declared)


class CpuSimilarityReader(RawReader):
    """SSIM, or its contrast and structure, on valid positions, in float64.

    Parameters
    ----------
    tap
        A tap with the rows of the window.
    declared
        The metrics, with their means: those that `serves` accepts, with equal window and constants.
    """

    def __init__(self, tap: Tap, declared: Sequence[Declared[SimilarityMean]]) -> None:
        self.tap = tap
        self._declared = tuple(declared)
        first = declared[0][1]
        self._size = len(first.window)
        window = (*first.window, *first.constants)
        self._window = torch.tensor(window, dtype=torch.float64, device="cpu")

    @staticmethod
    def serves(path: SimilarityMean) -> bool:
        """Return whether the loops support a window."""
        return len(path.window) in loops.WINDOWS

    @staticmethod
    def alike(declared: Sequence[Declared[SimilarityMean]]) -> list[list[Declared[SimilarityMean]]]:
        """Group the metrics of one tap by window and constants; each group needs a reader."""
        groups: dict[tuple[float, ...], list[Declared[SimilarityMean]]] = {}
        for metric, path in declared:
            groups.setdefault(path.window + path.constants, []).append((metric, path))
        return list(groups.values())

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Filter and sum, row by row."""
        ((reference,),) = prepared
        output = channels_last(rows)
        totals = self.totals(reference, output, owners)
        down, across = (side - self._size + 1 for side in output.shape[1:3])
        for metric, path in self._declared:
            yield from _means(metric, path, totals, down * across)

    def totals(self, reference: Tensor, output: Tensor, owners: Owners) -> Tensor:
        """Return the sums of SSIM and of contrast times structure.

        Parameters
        ----------
        reference, output
            (N, h, w, C) float32, contiguous; C at most 4.
        owners
            The reference of each output.

        Returns
        -------
        Tensor
            (N, 2, C) float64; the second is 0 if no metric needs it.
        """
        reference, output = reference.float(), output.float()
        parts = any(path.part == "structure" for _, path in self._declared)
        sums = [
            loops.similarity_sums(
                reference[owner], output[image], self._window, self._size, parts=parts
            )
            for image, owner in enumerate(owners.owners)
        ]
        return torch.stack(sums)


def _means(metric: Metric, path: SimilarityMean, totals: Tensor, positions: int) -> Iterator[Found]:
    """Yield a metric's statistics from the sums, (N, 2, C)."""
    sums = totals[:, 0 if path.part == "whole" else 1]
    channels = sums.shape[1]
    if not path.by_channel:
        yield Found(metric, path.statistic, Mean(sums.sum(1), positions * channels))
        return
    for channel in range(channels):
        yield Found(metric, f"{path.statistic}.{channel}", Mean(sums[:, channel], positions))
