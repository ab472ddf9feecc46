"""The base class of readers of features at one layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from iqbench.metrics._base import Maps, Metric, Place, Tap
from iqbench.metrics._fast_paths import FeatureMean
from iqbench.metrics._statistics import Mean
from iqbench.readers.reader import Declared, Found, Owners, Prepared, RawReader, channels_last

__all__ = ["DISTANCES", "FeatureReader"]

DISTANCES = ("absolute", "squared", "unit")


class FeatureReader(RawReader, ABC):
    """Computes all distances in one pass. Subclasses define the computation for a device.

    Parameters
    ----------
    tap
        A layer of a network.
    declared
        The metrics, with their distances. All distances at unit length have the same weights.
    parameters
        The parameters of the metrics.

    Attributes
    ----------
    kinds
        The needed ones of `DISTANCES`.
    weight
        (C,) float32, the weights of the distance at unit length, if it is needed.
    """

    def __init__(
        self,
        tap: Tap,
        declared: Sequence[Declared[FeatureMean]],
        parameters: Mapping[Metric, Maps],
    ) -> None:
        self.tap = tap
        self._declared = tuple(declared)
        self.weight: Tensor | None = None
        for metric, path in declared:
            if path.distance == "unit":
                self.weight = parameters[metric][path.weight].flatten().float()
        self.kinds = frozenset(path.distance for _, path in declared)

    @staticmethod
    def alike(declared: Sequence[Declared[FeatureMean]]) -> list[list[Declared[FeatureMean]]]:
        """Group the metrics of one layer: each metric with weights needs its own reader."""
        groups: list[list[Declared[FeatureMean]]] = []
        for metric, path in declared:
            weighs = path.distance == "unit"
            if not groups or (weighs and any(other.weight for _, other in groups[-1])):
                groups.append([])
            groups[-1].append((metric, path))
        return groups

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Sum over channels and positions in one pass."""
        ((reference,),) = prepared
        output = channels_last(rows)
        totals = self.totals(reference, output, owners)
        _, height, width, channels = output.shape
        positions = height * width
        for metric, path in self._declared:
            count = positions if path.distance == "unit" else positions * channels
            yield Found(metric, path.statistic, Mean(totals[path.distance], count))

    @abstractmethod
    def totals(self, reference: Tensor, output: Tensor, owners: Owners) -> Mapping[str, Tensor]:
        """Return the sums of `kinds`.

        Parameters
        ----------
        reference, output
            (N, h, w, C), contiguous.
        owners
            The reference of each output.

        Returns
        -------
        mapping
            (N,) float64 by distance.
        """
