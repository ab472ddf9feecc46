"""Readers for processors: what metrics say with maps, in one reading of both images.

The compiled loops are in ``iqbench/native``. They have the interface of the plain reader
and are tested equal to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from iqbench.metrics._base import Metric, Place, Tap
from iqbench.metrics._statistics import Mean
from iqbench.metrics.ms_ssim import MsSsim
from iqbench.metrics.ssim import SIZES, Ssim, window_weights
from iqbench.native import loops
from iqbench.readers.features import ABSOLUTE, SQUARED, UNIT, FeatureReader
from iqbench.readers.pixels import PIXEL_SUMS, PixelReader
from iqbench.readers.reader import Found, Owners, Prepared, RawReader, channels_last

__all__ = ["CpuFeatureReader", "CpuPixelReader", "CpuSimilarityReader"]


class CpuFeatureReader(FeatureReader):
    """A few positions at a time, while the caches hold them."""

    def totals(self, reference: Tensor, output: Tensor, owners: Owners) -> Mapping[int, Tensor]:
        """Return the sums of `kinds`."""
        if output.dtype not in (torch.float32, torch.bfloat16):
            reference, output = reference.float(), output.float()
        wanted = [kind in self.kinds for kind in (ABSOLUTE, SQUARED, UNIT)]
        sums = [
            loops.feature_sums(reference[owner], output[image], self.weight, wanted)
            for image, owner in enumerate(owners.owners)
        ]
        return dict(enumerate(torch.stack(sums, dim=1).unbind()))


class CpuPixelReader(PixelReader):
    """Row by row."""

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


class CpuSimilarityReader(RawReader):
    """SSIM and MS-SSIM at the positions where their window fits, in float64.

    Parameters
    ----------
    tap
        Of as many rows as the window has.
    metrics
        Of those that `serves` admits, alike in window and constants.
    """

    def __init__(self, tap: Tap, metrics: Sequence[Metric]) -> None:
        self.tap = tap
        self._metrics = tuple(metrics)
        # MS-SSIM takes the moments of SSIM's default.
        similarity = next((metric for metric in metrics if isinstance(metric, Ssim)), Ssim())
        self._size = SIZES[similarity.window]
        window = (*window_weights(similarity.window), *similarity.constants)
        self._window = torch.tensor(window, dtype=torch.float64, device="cpu")

    @staticmethod
    def serves(metric: Metric) -> bool:
        """Tell whether a metric's maps are among those that are summed."""
        return type(metric) in (Ssim, MsSsim)

    @staticmethod
    def alike(metrics: Sequence[Metric]) -> list[list[Metric]]:
        """Sort metrics of one tap by the constants of their similarity: a reader each."""
        groups: dict[tuple[float, ...], list[Metric]] = {}
        for metric in metrics:
            similarity = metric if isinstance(metric, Ssim) else Ssim()
            groups.setdefault(similarity.constants, []).append(metric)
        return list(groups.values())

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Filter and sum, row by row."""
        ((reference,),) = prepared
        output = channels_last(rows)
        totals = self.totals(reference, output, owners)
        down, across = (side - self._size + 1 for side in output.shape[1:3])
        for metric in self._metrics:
            yield from _metric_sums(metric, self.tap, totals, down * across)

    def totals(self, reference: Tensor, output: Tensor, owners: Owners) -> Tensor:
        """Return the sums of SSIM and of contrast times structure.

        Parameters
        ----------
        reference, output
            (N, h, w, C) float32, contiguous; C at most 4.
        owners
            To which reference each output belongs.

        Returns
        -------
        Tensor
            (N, 2, C) float64; the second is 0 where nobody reads it.
        """
        reference, output = reference.float(), output.float()
        parts = any(isinstance(metric, MsSsim) for metric in self._metrics)
        sums = [
            loops.similarity_sums(
                reference[owner], output[image], self._window, self._size, parts=parts
            )
            for image, owner in enumerate(owners.owners)
        ]
        return torch.stack(sums)


def _metric_sums(metric: Metric, tap: Tap, totals: Tensor, positions: int) -> Iterator[Found]:
    """Say which of the sums, (N, 2, C), a metric's maps are."""
    if isinstance(metric, Ssim):
        yield Found(metric, "ssim", Mean(totals[:, 0].sum(1), positions * totals.shape[2]))
        return
    names = MsSsim.map_names(tap, totals.shape[2])
    whole = MsSsim.whole_at(tap)
    for channel, name in enumerate(names):
        yield Found(metric, name, Mean(totals[:, 0 if whole else 1, channel], positions))
