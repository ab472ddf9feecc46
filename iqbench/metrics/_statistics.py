"""Statistics of the rows of an image, which are merged over bands and closed into a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

__all__ = ["Mean", "PairMoments", "Spread", "Statistic", "Total", "pair_moments", "spread"]

Self = TypeVar("Self")


class Statistic(Protocol):
    """A statistic of some rows of N images.

    Merging is associative: rows of an image can be observed in bands of any height.
    """

    def merge(self: Self, other: Self) -> Self:
        """Return the statistic of both sets of rows together."""
        ...

    def double(self: Self) -> Self:
        """Return the statistic in float64, before it is merged over bands."""
        ...

    @property
    def value(self) -> Tensor:
        """The value for closing formulas, (N, ...) or (1, ...)."""
        ...


def _in_double(sums: Tensor) -> Tensor:
    """Convert sums to float64.

    Raises
    ------
    TypeError
        If they are complex; torch would ignore the imaginary part.
    """
    if sums.is_complex():
        raise TypeError("statistics are real numbers, and these are complex; take abs() or .real")
    return sums.double()


@dataclass(frozen=True, eq=False)
class Mean:
    """The mean of a map over positions.

    Attributes
    ----------
    total
        The sum, (N, ...), or (1, ...) for a map that all outputs share.
    count
        The number of values per image in each sum.
    """

    total: Tensor
    count: int

    def merge(self, other: Mean) -> Mean:
        """Add sums and counts."""
        return Mean(self.total + other.total, self.count + other.count)

    def double(self) -> Mean:
        """Return the sum in float64."""
        return Mean(_in_double(self.total), self.count)

    @property
    def value(self) -> Tensor:
        """The mean, with the shape of `total`."""
        return self.total / self.count


@dataclass(frozen=True, eq=False)
class Total:
    """The sum of a map over positions.

    Attributes
    ----------
    total
        (N, ...).
    """

    total: Tensor

    def merge(self, other: Total) -> Total:
        """Add the sums."""
        return Total(self.total + other.total)

    def double(self) -> Total:
        """Return the sum in float64."""
        return Total(_in_double(self.total))

    @property
    def value(self) -> Tensor:
        """The sum."""
        return self.total


@dataclass(frozen=True, eq=False)
class PairMoments:
    """Means, variances and covariance of two images, channel by channel.

    Attributes
    ----------
    count
        The number of positions.
    means
        (N, 2, C): means of the reference and of the output.
    squares
        (N, 3, C): sums of (x - mean x)^2, (y - mean y)^2 and (x - mean x)(y - mean y).
    """

    count: int
    means: Tensor
    squares: Tensor

    def merge(self, other: PairMoments) -> PairMoments:
        """Merge by the formula of Chan, Golub and LeVeque 1983, doi:10.1080/00031305.1983.10483115.

        There is no cancellation, because the sums are centred on the mean of their own rows.
        """
        count = self.count + other.count
        step = other.means - self.means
        means = self.means + step * (other.count / count)
        products = torch.stack([step[:, 0] ** 2, step[:, 1] ** 2, step[:, 0] * step[:, 1]], dim=1)
        squares = self.squares + other.squares + products * (self.count * other.count / count)
        return PairMoments(count, means, squares)

    def double(self) -> PairMoments:
        """Return the moments in float64."""
        return PairMoments(self.count, _in_double(self.means), _in_double(self.squares))

    @property
    def value(self) -> Tensor:
        """(N, 5, C): both means, both variances and the covariance, of the population."""
        return torch.cat([self.means, self.squares / self.count], dim=1)


@dataclass(frozen=True, eq=False)
class Spread:
    """The mean and the variance of a map over positions.

    Attributes
    ----------
    count
        The number of values per image.
    mean
        (N,).
    squares
        (N,): the sum of squared distances to the mean.
    correction
        1 for the sample variance, with the divisor n - 1; 0 for the population variance.
    """

    count: int
    mean: Tensor
    squares: Tensor
    correction: int = 1

    def merge(self, other: Spread) -> Spread:
        """Merge as `PairMoments`."""
        count = self.count + other.count
        step = other.mean - self.mean
        mean = self.mean + step * (other.count / count)
        squares = self.squares + other.squares + step**2 * (self.count * other.count / count)
        return Spread(count, mean, squares, self.correction)

    def double(self) -> Spread:
        """Return the statistic in float64."""
        return Spread(self.count, _in_double(self.mean), _in_double(self.squares), self.correction)

    @property
    def value(self) -> Tensor:
        """(N, 2): the mean and the variance; the sample variance of a single value is NaN."""
        divisor = self.count - self.correction
        variance = self.squares / divisor if divisor else torch.full_like(self.squares, torch.nan)
        return torch.stack([self.mean, variance], dim=1)


def spread(values: Tensor, *, correction: int = 1) -> Spread:
    """Compute mean and variance of a map, (N, ...), in its own precision.

    Parameters
    ----------
    values
        (N, ...), the map at some positions.
    correction
        As in `Spread`.

    Returns
    -------
    Spread
        With gradients if the map has them.
    """
    flat = values.flatten(1)
    mean = flat.mean(1)
    squares = (flat - mean[:, None]).square().sum(1)
    return Spread(flat.shape[1], mean, squares, correction)


def pair_moments(reference: Tensor, output: Tensor) -> PairMoments:
    """Compute the moments of some rows, in the precision of the tensors.

    Parameters
    ----------
    reference, output
        (N, C, h, W); there may be one reference for all outputs.

    Returns
    -------
    PairMoments
        With gradients if the tensors have them.
    """
    first, second = (image.permute(0, 2, 3, 1).flatten(1, 2) for image in (reference, output))
    first = first.expand_as(second)
    means = torch.stack([first.mean(1), second.mean(1)], dim=1)
    first, second = first - means[:, None, 0], second - means[:, None, 1]
    products = first * first, second * second, first * second
    squares = torch.stack([product.sum(1) for product in products], dim=1)
    return PairMoments(first.shape[1], means, squares)
