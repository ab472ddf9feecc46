"""The columns of a table of means: what their names end in, and which value is better."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from iqbench.results.schema import ColumnInfo

__all__ = [
    "COUNTED",
    "ENDS",
    "FACTS",
    "MEANS",
    "SUFFIXES",
    "distance_name",
    "metric_columns",
    "natural",
    "round_digits",
    "shortfall",
]

FACTS = (
    *("dataset", "task", "protocol", "ranked_by", "scope", "datasets"),
    *("rank", "rank_low", "rank_high", "tie", "p_vs_best", "effect_vs_best", "front", "front_by"),
    *("average_rank", "average_rank_low", "average_rank_high"),
    *("method", "n", "expected", "complete", "missing", "undefined", "other_reference"),
)
"""Columns of a leaderboard that hold no values of metrics."""

ENDS = ("_low", "_high")
"""What the names of the columns end in that hold the two ends of a mean's interval."""

MEANS = ("", "_distance", "_compared")
"""What the names of a metric's columns end in that hold means."""

COUNTED = ("_compared_n", "_infinite", "_minus_infinite", "_rank")
"""What the names of a metric's columns end in that hold whole numbers."""

SUFFIXES = (
    *(f"{mean}{end}" for mean in MEANS for end in ("", *ENDS)),
    *COUNTED,
)
"""What the names of a metric's columns end in, in the order of a leaderboard."""

_DIGITS = 12  # two means of the same values, added up in another order, are a tie


def distance_name(heading: str, target: float) -> str:
    """Name the distance to a target: ``|tv-ratio-1|`` of ``tv-ratio``."""
    metric, bracket, rest = heading.partition(" [")
    return f"|{metric}-{target:g}|{bracket}{rest}"


def metric_columns(board: pd.DataFrame) -> list[str]:
    """Name the columns of a leaderboard that hold means of metrics."""
    derived = {f"{name}{suffix}" for name in board.columns for suffix in SUFFIXES[1:]}
    return [name for name in board.columns if name not in FACTS and name not in derived]


def natural(name: str) -> str:
    """Give the key by which Set5 sorts before Set14, whatever the case."""
    return re.sub(r"[0-9]+", lambda number: f"{int(number[0]):020d}", name.casefold())


def round_digits(values: ArrayLike) -> NDArray[np.float64]:
    """Round to 12 significant digits, so that equal sums of equal values are equal."""
    given = np.asarray(values, dtype=np.float64)
    usual = np.isfinite(given) & (given != 0)
    exponent = np.floor(np.log10(np.abs(given), out=np.zeros_like(given), where=usual))
    scale = 10.0 ** np.clip(_DIGITS - 1 - exponent, -300, 300)
    return np.where(usual, np.round(np.where(usual, given, 0.0) * scale) / scale, given)


def shortfall(values: ArrayLike, info: ColumnInfo) -> NDArray[np.float64]:
    """Say how far values are from the best there could be, up to a constant.

    Parameters
    ----------
    values
        Means of a column.
    info
        Its direction.

    Returns
    -------
    numpy.ndarray
        Smaller is better, and what is equal to 12 digits is equal. NaN where a value is.
    """
    rounded = round_digits(values)
    if info.target is not None:
        return np.asarray(np.round(np.abs(rounded - info.target), _DIGITS), dtype=np.float64)
    return -rounded if info.direction == "higher" else rounded
