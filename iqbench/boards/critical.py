"""Test which average ranks over datasets differ: Friedman's test, then Nemenyi's test.

The procedure is that of Demšar (2006), "Statistical Comparisons of Classifiers over Multiple Data
Sets", JMLR 7. The sample is the datasets, so the test needs several: at least five here.
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
    """The result of the tests on average ranks.

    Attributes
    ----------
    average
        Average rank of each method, best first.
    statistic, p_value
        Chi-squared statistic (corrected for ties) and p-value of Friedman's test, whose null
        hypothesis is that all methods have the same rank.
    difference
        The critical difference: the smallest significant difference of two average ranks.
    p_values
        Nemenyi's p-value of each pair of methods. All are 1 if Friedman's test is not
        significant, because pairs are then not tested.
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
        Significance level of both tests.

    Raises
    ------
    IqbenchError
        For fewer than five datasets or three methods.
    """
    datasets, methods = ranks.shape
    if datasets < DATASETS or methods < METHODS:
        raise IqbenchError(
            f"a critical difference needs at least {DATASETS} datasets and {METHODS} methods that "
            "are complete on all of them, because hardly any difference is significant with "
            f"fewer; there are {datasets} and {methods}",
            hint="Look at the average ranks and their intervals: iqbench leaderboard --by overall",
        )
    average = ranks.mean().sort_values(kind="stable")
    if (ranks.nunique(axis=1) == 1).all():
        statistic, p_value = 0.0, 1.0  # scipy would divide by the variance of ranks, zero here
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
