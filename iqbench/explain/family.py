"""The interface of a metric that can be explained."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from iqbench.explain.convention import Convention
from iqbench.explain.pair import Pair
from iqbench.explain.value import FLOAT_ERROR
from iqbench.metrics._registry import Request, resolve_metrics

__all__ = ["Family", "MeanFamily"]

Statistic = TypeVar("Statistic")


class Family(ABC, Generic[Statistic]):
    """The conventions under which a metric is computed, and how.

    Attributes
    ----------
    metric
        The metric's name.
    forms
        Forms that other tools call by the metric's name; tried besides the metric's columns.
    mistakes
        The forms that result from a mistake.
    departures
        How many changes from a preset or a library are tried at once.
    networks
        Whether the metric runs a network.
    whole_set
        Whether the metric has one value for all images, and none for single images.
    limits
        The least and the largest value that the metric can have.
    float_error
        The error of implementations in float32, see `Reported`.
    """

    metric: str
    forms: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    departures = 2
    networks = False
    whole_set = False
    limits: tuple[float, float] = (-math.inf, math.inf)
    float_error = FLOAT_ERROR

    def requests(self) -> list[Request]:
        """Return the columns that the metric's bare name stands for."""
        return list(resolve_metrics([self.metric]))

    @abstractmethod
    def values(self) -> Mapping[str, Sequence[str]]:
        """Return the values to try for each field of a convention, except crops and modcrops."""

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Tell whether a convention without a name is worth its computing time."""
        del convention, scale
        return True

    def sample(self, convention: Convention) -> Convention:
        """Return the convention that represents all with the same statistics of every pair.

        By default, conventions that differ only in how pairs are averaged share statistics.
        """
        return convention._replace(pool="images")

    def order(self, convention: Convention) -> tuple[object, ...]:
        """Return a sort key: conventions that share results of computations follow one another."""
        return convention.order

    @abstractmethod
    def measure(self, pair: Pair, convention: Convention) -> Statistic:
        """Return the statistics of one pair, from which the value is computed.

        Raises
        ------
        IqbenchError
            If the convention does not fit the pair: it is too small, or crops leave nothing.
        """

    @abstractmethod
    def close(self, found: Sequence[Statistic], convention: Convention) -> float:
        """Compute the value from the statistics of all pairs; NaN if undefined."""

    def each(self, found: Sequence[Statistic], convention: Convention) -> list[float]:
        """Return the values of single pairs, however they are averaged over a folder."""
        alone = convention._replace(pool="images")
        return [self.close([statistic], alone) for statistic in found]


class MeanFamily(Family[float]):
    """A metric whose value over a folder is the mean of the images' values."""

    def close(self, found: Sequence[float], convention: Convention) -> float:
        """Return the mean."""
        return sum(found) / len(found)

    def each(self, found: Sequence[float], convention: Convention) -> list[float]:
        """Return the values themselves."""
        return list(found)
