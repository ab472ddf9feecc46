"""Average ranks over datasets: which of them differ, by Friedman's test and Nemenyi's.

The procedure is that of Demšar (2006), "Statistical Comparisons of Classifiers over Multiple Data
Sets", JMLR 7. Datasets are what is drawn, so few of them show little: the command asks for five.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from iqbench.boards.ranking import ALPHA
from iqbench.errors import IqbenchError

__all__ = ["DATASETS", "METHODS", "CriticalDifference", "critical_difference"]

DATASETS = 5
METHODS = 3


@dataclass(frozen=True)
class CriticalDifference:
    """Whether average ranks differ.

    Attributes
    ----------
    average
        Method to its average rank, best first.
    statistic, p_value
        Of Friedman's test that all methods rank alike; chi-squared, corrected for ties.
    difference
        How far two average ranks have to be apart to differ significantly.
    p_values
        Nemenyi's p of each pair of methods. 1 throughout where Friedman's test finds nothing:
        then no pair is looked at.
    """

    average: pd.Series
    statistic: float
    p_value: float
    difference: float
    p_values: pd.DataFrame


def critical_difference(ranks: pd.DataFrame, alpha: float = ALPHA) -> CriticalDifference:
    """Compare methods by their ranks on several datasets.

    Parameters
    ----------
    ranks
        One row per dataset, one column per method; ties have their mean rank.
    alpha
        Level of both tests.

    Raises
    ------
    IqbenchError
        For fewer than five datasets or three methods.
    """
    datasets, methods = ranks.shape
    if datasets < DATASETS or methods < METHODS:
        raise IqbenchError(
            f"a critical difference takes {DATASETS} datasets and {METHODS} methods that are "
            f"complete on all of them; here are {datasets} and {methods}: with fewer, hardly any "
            "difference could be significant",
            hint="Look at the average ranks and their intervals: iqbench leaderboard --by overall",
        )
    average = ranks.mean().sort_values(kind="stable")
    if (ranks.nunique(axis=1) == 1).all():
        statistic, p_value = 0.0, 1.0  # scipy divides by the variance of ranks, which is zero
    else:
        outcome = stats.friedmanchisquare(*(ranks[name] for name in ranks.columns))
        statistic, p_value = float(outcome.statistic), float(outcome.pvalue)
    spread = np.sqrt(methods * (methods + 1) / (6 * datasets))
    quantile = stats.studentized_range.ppf(1 - alpha, methods, np.inf)
    apart = np.abs(np.subtract.outer(average.to_numpy(), average.to_numpy())) / spread * np.sqrt(2)
    if p_value > alpha:
        p_values = np.ones_like(apart)
    else:
        p_values = np.clip(stats.studentized_range.sf(apart, methods, np.inf), 0, 1)
    return CriticalDifference(
        average,
        statistic,
        p_value,
        float(quantile / np.sqrt(2) * spread),
        pd.DataFrame(p_values, index=average.index, columns=average.index),
    )
