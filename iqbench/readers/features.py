"""Perceptual distances and LPIPS at one layer, which both read it whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from iqbench.metrics._base import Maps, Metric, Place, Tap
from iqbench.metrics._statistics import Mean
from iqbench.metrics.lpips import LAYERS, Lpips
from iqbench.metrics.perceptual import Perceptual
from iqbench.readers.reader import Found, Owners, Prepared, RawReader, channels_last

__all__ = ["ABSOLUTE", "SQUARED", "UNIT", "FeatureReader"]

ABSOLUTE, SQUARED, UNIT = range(3)
"""What is summed: |a - b|, (a - b)^2, and the weighted squared difference at unit length."""


class FeatureReader(RawReader, ABC):
    """Sums the maps of both in one reading; how is what a subclass knows of its device.

    Parameters
    ----------
    tap
        A layer of a network.
    metrics
        Of those that `serves` admits.
    parameters
        Of the metrics.

    Attributes
    ----------
    kinds
        What is summed.
    weight
        (C,) float32 of LPIPS, where it is read.
    """

    def __init__(
        self, tap: Tap, metrics: Sequence[Metric], parameters: Mapping[Metric, Maps]
    ) -> None:
        self.tap = tap
        self._metrics: list[tuple[Metric, int]] = []
        self.weight: Tensor | None = None
        for metric in metrics:
            if isinstance(metric, Lpips):
                layer = LAYERS[metric.net].index(tap.layer)
                self.weight = parameters[metric][f"lin{layer}"].flatten().float()
                self._metrics.append((metric, UNIT))
            elif isinstance(metric, Perceptual):
                self._metrics.append((metric, ABSOLUTE if metric.distance == "l1" else SQUARED))
        self.kinds = frozenset(kind for _, kind in self._metrics)

    @staticmethod
    def serves(metric: Metric) -> bool:
        """Tell whether a metric's maps are among those that are summed."""
        return type(metric) in (Lpips, Perceptual)

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Sum over channels and positions in one reading."""
        ((reference,),) = prepared
        output = channels_last(rows)
        totals = self.totals(reference, output, owners)
        _, height, width, channels = output.shape
        positions = height * width
        for metric, kind in self._metrics:
            count = positions if kind == UNIT else positions * channels
            yield Found(metric, self.tap.layer, Mean(totals[kind], count))

    @abstractmethod
    def totals(self, reference: Tensor, output: Tensor, owners: Owners) -> Mapping[int, Tensor]:
        """Return the sums of `kinds`.

        Parameters
        ----------
        reference, output
            (N, h, w, C), contiguous.
        owners
            To which reference each output belongs.

        Returns
        -------
        mapping
            Kind to (N,) float64.
        """
