"""The base class of readers of pixels and their neighbours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from torch import Tensor

from iqbench.metrics._base import Metric, Place, Tap
from iqbench.metrics._fast_paths import PIXEL_SUMS, PixelMean
from iqbench.metrics._statistics import Mean
from iqbench.readers.reader import Declared, Found, Owners, Prepared, RawReader, channels_last

__all__ = ["PixelReader"]


class PixelReader(RawReader, ABC):
    """Sums the maps of pixels of all metrics in one pass. Subclasses define the computation.

    Parameters
    ----------
    declared
        The metrics, with their maps.

    Attributes
    ----------
    names
        The names of the needed maps, in the order of `PIXEL_SUMS`.
    """

    def __init__(self, declared: Sequence[Declared[PixelMean]]) -> None:
        self._metrics: dict[str, list[Metric]] = {}
        for metric, path in declared:
            self._metrics.setdefault(path.statistic, []).append(metric)
        self.names = tuple(name for name in PIXEL_SUMS if name in self._metrics)
        # The squared error needs no neighbours.
        window = 1 if self.names == PIXEL_SUMS[:1] else 2
        self.tap = Tap(layer="a pixel and its neighbours", window=window)
        self.reads_reference = not all(name.endswith("_output") for name in self.names)

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Sum over channels and positions."""
        output = channels_last(rows)
        images, height, width, channels = output.shape
        if self.reads_reference:
            ((reference,),) = prepared
        else:  # the values do not matter
            reference, owners = output, Owners(range(images), images, output.device)
        # The last row of a band is also the first row of the next band.
        own = height if place.last or self.tap.window == 1 else height - 1
        sizes = {
            "squared": own * width,
            "dx": own * (width - 1),
            "dy": (height - 1) * width,
            "iso": (height - 1) * (width - 1),
        }
        for name, total in zip(
            self.names, self.totals(reference, output, owners, own), strict=True
        ):
            kind = name.partition("_")[0].rstrip("2")
            mean = Mean(total, sizes[kind] * channels)
            yield from (Found(metric, name, mean) for metric in self._metrics[name])

    @abstractmethod
    def totals(
        self, reference: Tensor, output: Tensor, owners: Owners, own: int
    ) -> Sequence[Tensor]:
        """Return the sums of `names`.

        Parameters
        ----------
        reference, output
            (N, h, W, C) float32, contiguous.
        owners
            The reference of each output.
        own
            The number of rows for sums that do not need the next row.

        Returns
        -------
        sequence of Tensor
            (N,) float64 each.
        """
