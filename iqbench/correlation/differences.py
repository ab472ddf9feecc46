"""Differences between metrics in their agreement with human opinion, with tests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from iqbench.correlation.human_opinion import RANKED
from iqbench.stats.arrays import Floats
from iqbench.stats.bootstrap import percentile_interval
from iqbench.stats.coefficients import Associations, Coefficient, associate
from iqbench.stats.dependent import williams
from iqbench.stats.influence import DEFAULT, FEWEST, Bootstrap, deviations, two_sided
from iqbench.stats.logistic import fit_logistic
from iqbench.stats.paired import holm

__all__ = ["DIFFERENCE_COLUMNS", "opinion_differences"]

DIFFERENCE_COLUMNS = [
    *("dataset", "first", "second", "statistic", "value", "low", "high"),
    *("n", "images", "p_value", "p_bootstrap", "p_williams", "p_holm"),
]
_MAPPED: tuple[str, Coefficient] = ("plcc-logistic5", "pearson")


def opinion_differences(
    table: pd.DataFrame,
    metrics: Sequence[str],
    bootstrap: Bootstrap = DEFAULT,
) -> pd.DataFrame:
    """Test which metrics agree better with opinion than others.

    Parameters
    ----------
    table, metrics, bootstrap
        As for `iqbench.correlation.human_opinion.opinion_agreement`. Of each dataset, only rows
        with values of all metrics are used (metrics without any value there do not count), so that
        metrics are compared on the same rows.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, pair of metrics and statistic (srcc, krcc, plcc, plcc-logistic5):
        value, the absolute value of the first minus that of the second; low and high of the paired
        bootstrap; n and images; p_bootstrap of the paired bootstrap, and p_williams of Williams'
        test of dependent correlations, except for krcc; p_value, the valid one of these: Williams'
        for plcc if each row has its own image, else the bootstrap's; p_holm, p_value corrected for
        all pairs of metrics of the dataset and statistic.
    """
    parts: list[pd.DataFrame] = []
    for dataset, part in table.groupby("dataset", sort=True):
        known = [name for name in metrics if part[name].notna().any()]
        shared = part.dropna(subset=["mos", *known])
        finite = np.isfinite(shared[known].to_numpy(np.float64)).all(axis=1)
        shared = shared[finite]
        clusters, images = pd.factorize(
            shared["reference"] if "reference" in shared else shared["image"]
        )
        if len(known) < 2 or len(images) < FEWEST:
            continue
        values = shared[[*known, "mos"]].to_numpy(np.float64)
        for statistic, coefficient in (*RANKED, _MAPPED):
            if statistic == _MAPPED[0]:
                values = _mapped(values)
            found = associate(values, clusters, len(images), coefficient)
            rows = _differences(found, known, statistic, bootstrap)
            parts.append(rows.assign(dataset=str(dataset), n=len(values), images=len(images)))
    if not parts:
        return pd.DataFrame(columns=DIFFERENCE_COLUMNS)
    return pd.concat(parts, ignore_index=True)[DIFFERENCE_COLUMNS]


def _mapped(values: Floats) -> Floats:
    """Map each metric to the scale of opinion by its fitted curve; NaN without a curve."""
    opinion = values[:, -1]
    fits = [fit_logistic(column, opinion, 5) for column in values.T[:-1]]
    nothing = np.full(len(values), np.nan)
    return np.stack([*(nothing if fit is None else fit.fitted for fit in fits), opinion], axis=1)


def _differences(
    found: Associations,
    metrics: Sequence[str],
    statistic: str,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    place = {pair: k for k, pair in enumerate(zip(found.first, found.second, strict=True))}
    opinion = [place[k, len(metrics)] for k in range(len(metrics))]
    value, sign = np.abs(found.value[opinion]), np.sign(found.value[opinion])
    pairs = np.array(list(combinations(range(len(metrics)), 2)))
    a, b = pairs[:, 0], pairs[:, 1]
    between = found.value[[place[pair] for pair in map(tuple, pairs)]] * sign[a] * sign[b]
    difference = value[a] - value[b]
    low, high, p_bootstrap = np.full((3, len(pairs)), np.nan)
    if bootstrap.resamples:
        spread = deviations(found.influence[:, opinion] * sign, bootstrap)
        moved = spread[:, a] - spread[:, b]
        ends = percentile_interval(moved, bootstrap.confidence)
        low, high = difference + ends[0], difference + ends[1]
        p_bootstrap = two_sided(difference, moved, len(found.influence), bootstrap)
    n = int(found.n[opinion].min())
    p_williams = np.full(len(pairs), np.nan)
    if statistic != "krcc":
        p_williams = williams(value[a], value[b], between, n)[1]
    # Williams' test assumes independent rows and normal variables. In simulations with 120 rows
    # per image, it finds half of all pairs of equal metrics significantly different.
    p_value = p_bootstrap
    if statistic in ("plcc", _MAPPED[0]) and n == len(found.influence):
        p_value = p_williams
    names = np.array(metrics, dtype=object)
    return pd.DataFrame(
        {
            **{"first": names[a], "second": names[b], "statistic": statistic},
            **{"value": difference, "low": low, "high": high, "p_value": p_value},
            **{"p_bootstrap": p_bootstrap, "p_williams": p_williams, "p_holm": holm(p_value)},
        }
    )
