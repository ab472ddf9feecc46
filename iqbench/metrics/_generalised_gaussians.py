"""Fit generalised Gaussians by moments and a table of shapes, as NIQE and BRISQUE do."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["AsymmetricFit", "asymmetric_fit", "sign_sums", "symmetric_shape"]


class AsymmetricFit(NamedTuple):
    """Asymmetric generalised Gaussians, (...) each.

    Attributes
    ----------
    shape
        The exponent.
    left, right
        Root mean squares of the negative and of the positive values.
    scale
        The factor from a root mean square to the scale of the distribution.
    """

    shape: Tensor
    left: Tensor
    right: Tensor
    scale: Tensor


def sign_sums(values: Tensor) -> Tensor:
    """Compute the sums for `asymmetric_fit` over the last dimension.

    Parameters
    ----------
    values
        (..., n) float64.

    Returns
    -------
    Tensor
        (..., 5): the number of negative values, the sum of their squares, the number of positive
        values, the sum of their squares, and the sum of the absolute values.
    """
    squares = values.square()
    sides = (values < 0, values > 0)
    parts = [part for side in sides for part in (side.sum(-1), (squares * side).sum(-1))]
    return torch.stack([*(part.double() for part in parts), values.abs().sum(-1)], dim=-1)


def asymmetric_fit(sums: Tensor, count: int) -> AsymmetricFit:
    """Fit asymmetric generalised Gaussians by moments.

    Parameters
    ----------
    sums
        The result of `sign_sums`.
    count
        The number of values.
    """
    negatives, below, positives, above, size = sums.unbind(-1)
    left, right = (below / negatives).sqrt(), (above / positives).sqrt()
    ratio = left / right
    wanted = (size / count).square() / ((below + above) / count)
    wanted = wanted * (ratio**3 + 1) * (ratio + 1) / (ratio.square() + 1).square()
    shapes, ratios, scales = _table()
    place = _nearest(ratios, wanted)
    return AsymmetricFit(
        torch.where(wanted.isnan(), torch.nan, shapes[place]),
        left,
        right,
        torch.where(wanted.isnan(), torch.nan, scales[place]),
    )


def symmetric_shape(square: Tensor, size: Tensor) -> Tensor:
    """Return the shapes of symmetric generalised Gaussians.

    Parameters
    ----------
    square, size
        Means of the squares and of the absolute values, (...) float64.

    Returns
    -------
    Tensor
        (...), NaN if all values are 0.
    """
    wanted = square / size.square()
    shapes, ratios, _ = _table()
    # The ratios of the table are the inverse: they decrease where these increase.
    place = len(shapes) - 1 - _nearest((1 / ratios).flip(0), wanted)
    return torch.where(wanted.isnan(), torch.nan, shapes[place])


def _nearest(table: Tensor, wanted: Tensor) -> Tensor:
    """Return the indices of the nearest entries in an increasing table."""
    after = torch.searchsorted(table, wanted).clamp(1, len(table) - 1)
    nearer = (wanted - table[after - 1]) <= (table[after] - wanted)
    return after - nearer.long()


@cache
def _table() -> tuple[Tensor, Tensor, Tensor]:
    """Return shapes from 0.2 to 10, and for each its moment ratio and its factor for deviations."""
    shapes = torch.arange(200, 10_001, dtype=torch.float64, device="cpu") / 1000
    first, second, third = (torch.lgamma(order / shapes) for order in (1, 2, 3))
    return shapes, torch.exp(2 * second - first - third), torch.exp((first - third) / 2)
