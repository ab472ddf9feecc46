"""What differs between the metrics that can be explained."""

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
        What is tried besides the metric's columns: forms that others call by its name.
    mistakes
        Those of the forms that come of a mistake.
    departures
        How many changes from a preset or a library are tried at once.
    networks
        Whether a network does the work.
    whole_set
        Whether there is one value of all images, and none of single ones or of a few.
    limits
        The least and the largest value that the metric can have.
    float_error
        What implementations in float32 may be off by, see `Reported`.
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
        """Return what is tried besides crops and modcrops, by field of a convention."""

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Tell whether a convention that is no preset and no library's is worth its time."""
        del convention, scale
        return True

    def sample(self, convention: Convention) -> Convention:
        """Return the convention that stands for all with the same statistics of every pair.

        By default those differ that differ in more than what is made of the pairs together.
        """
        return convention._replace(pool="images")

    @abstractmethod
    def measure(self, pair: Pair, convention: Convention) -> Statistic:
        """Return what the value follows from, of one pair.

        Raises
        ------
        IqbenchError
            If the convention does not fit the pair: nothing is left of it, it is too small.
        """

    @abstractmethod
    def close(self, found: Sequence[Statistic], convention: Convention) -> float:
        """Turn what was measured on all pairs into the value; NaN where undefined."""

    def each(self, found: Sequence[Statistic], convention: Convention) -> list[float]:
        """Return the values of single pairs, whatever is made of them over a folder."""
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
