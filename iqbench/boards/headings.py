"""The names of the columns of a table of means."""

from __future__ import annotations

import pandas as pd

__all__ = [
    "COUNTED",
    "ENDS",
    "FACTS",
    "MEANS",
    "SET_FACTS",
    "SUFFIXES",
    "metric_columns",
]

FACTS = (
    *("dataset", "task", "protocol", "ranked_by", "scope", "datasets"),
    *("rank", "rank_low", "rank_high", "tie", "p_vs_best", "effect_vs_best", "front", "front_by"),
    *("average_rank", "average_rank_low", "average_rank_high"),
    *("method", "n", "expected", "complete", "missing", "undefined", "other_reference"),
    "published",
)
"""Columns of a leaderboard that hold no values of metrics."""

ENDS = ("_low", "_high")
"""Suffixes of the columns that hold the ends of the interval of a mean."""

MEANS = ("", "_distance", "_compared")
"""Suffixes of the columns of a metric that hold means."""

COUNTED = ("_compared_n", "_infinite", "_minus_infinite", "_rank")
"""Suffixes of the columns of a metric that hold integers."""

SET_FACTS = ("_n", "_reference_set", "_reference_n")
"""Suffixes of the columns that describe the images of a set value."""

SUFFIXES = (
    *(f"{mean}{end}" for mean in MEANS for end in ("", *ENDS)),
    *COUNTED,
    *SET_FACTS,
)
"""All suffixes of the columns of a metric, in the order of a leaderboard."""


def metric_columns(board: pd.DataFrame) -> list[str]:
    """Return the columns of a leaderboard that hold means of metrics."""
    derived = {f"{name}{suffix}" for name in board.columns for suffix in SUFFIXES[1:]}
    return [name for name in board.columns if name not in FACTS and name not in derived]
