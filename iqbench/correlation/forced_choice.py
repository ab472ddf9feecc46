"""Agreement of metrics with choices between two outputs (2AFC, as in BAPPS).

Zhang, Isola, Efros, Shechtman, Wang: The unreasonable effectiveness of deep features as a
perceptual metric, CVPR 2018, doi:10.1109/CVPR.2018.00068.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from iqbench.correlation.differences import DIFFERENCE_COLUMNS
from iqbench.correlation.human_opinion import OPINION_COLUMNS
from iqbench.stats.arrays import Floats
from iqbench.stats.bootstrap import percentile_interval
from iqbench.stats.coefficients import clustered
from iqbench.stats.influence import DEFAULT, FEWEST, Bootstrap, deviations, intervals, two_sided
from iqbench.stats.paired import holm

__all__ = ["HUMAN", "STATISTIC", "choice_agreement", "choice_differences"]

HUMAN = "(a person)"
STATISTIC = "2afc"


def choice_agreement(
    table: pd.DataFrame,
    metrics: Sequence[str],
    directions: Mapping[str, str],
    bootstrap: Bootstrap = DEFAULT,
) -> pd.DataFrame:
    """Score metrics by the share of people who made the same choice.

    Parameters
    ----------
    table
        One row per choice: dataset, image, judge (share of people, 0 to 1, who chose the second),
        distortion (may be missing), and for each metric columns (metric, ``first``) and (metric,
        ``second``) named ``metric_0`` and ``metric_1``.
    metrics
        Names of the metrics, without ``_0`` and ``_1``.
    directions
        ``higher`` or ``lower`` by metric; metrics without either are left out.
    bootstrap
        Options of the intervals.

    Returns
    -------
    pandas.DataFrame
        As `iqbench.correlation.human_opinion.opinion_agreement`, with statistic ``2afc``: the mean
        of judge if the metric chooses the second output, of 1 - judge if it chooses the first, and
        of 1/2 if its values are equal. The metric ``(a person)`` is the expected score of one more
        person, the mean of judge^2 + (1 - judge)^2, which a metric can hope to reach.
    """
    parts = []
    for dataset, part in table.groupby("dataset", sort=True):
        groups = [("", part)]
        if part["distortion"].nunique() > 1:
            groups += [(str(kind), rest) for kind, rest in part.groupby("distortion", sort=True)]
        for kind, rest in groups:
            scores = _scores(rest, metrics, directions)
            clusters = pd.factorize(rest["image"])[0]
            rows = [
                _row(name, scores[name].to_numpy(), clusters, bootstrap) for name in scores.columns
            ]
            frame = pd.DataFrame([row for row in rows if row["n"]])
            parts.append(frame.assign(dataset=str(dataset), distortion=kind))
    if not parts:
        return pd.DataFrame(columns=OPINION_COLUMNS)
    return pd.concat(parts, ignore_index=True)[OPINION_COLUMNS]


def choice_differences(
    table: pd.DataFrame,
    metrics: Sequence[str],
    directions: Mapping[str, str],
    bootstrap: Bootstrap = DEFAULT,
) -> pd.DataFrame:
    """Test whether the 2AFC scores of two metrics differ, on the choices that all metrics have.

    Returns
    -------
    pandas.DataFrame
        As `iqbench.correlation.differences.opinion_differences`, with p-values of the paired
        bootstrap.
    """
    parts = []
    for dataset, part in table.groupby("dataset", sort=True):
        scores = _scores(part, metrics, directions).drop(columns=HUMAN)
        scores = scores.dropna(axis=1, how="all").dropna()
        clusters, images = pd.factorize(part.loc[scores.index, "image"])
        pairs = list(combinations(scores.columns, 2))
        if not pairs or len(images) < FEWEST or not bootstrap.resamples:
            continue
        values = scores.to_numpy()
        influence = clustered((values - values.mean(axis=0)) / len(values), clusters, len(images))
        spread = pd.DataFrame(deviations(influence, bootstrap), columns=scores.columns)
        first, second = (list(names) for names in zip(*pairs, strict=True))
        difference = scores.mean()[first].to_numpy() - scores.mean()[second].to_numpy()
        moved = spread[first].to_numpy() - spread[second].to_numpy()
        low, high = percentile_interval(moved, bootstrap.confidence)
        p_values = two_sided(difference, moved, len(images), bootstrap)
        parts.append(
            pd.DataFrame(
                {
                    **{"dataset": str(dataset), "first": first, "second": second},
                    **{"statistic": STATISTIC, "value": difference},
                    **{"low": difference + low, "high": difference + high},
                    **{"n": len(scores), "images": len(images), "p_value": p_values},
                    **{"p_bootstrap": p_values, "p_williams": np.nan, "p_holm": holm(p_values)},
                }
            )
        )
    if not parts:
        return pd.DataFrame(columns=DIFFERENCE_COLUMNS)
    return pd.concat(parts, ignore_index=True)[DIFFERENCE_COLUMNS]


def _scores(
    table: pd.DataFrame, metrics: Sequence[str], directions: Mapping[str, str]
) -> pd.DataFrame:
    """Score each choice by each metric that has a direction; NaN if a value is missing."""
    judge = table["judge"].to_numpy(np.float64)
    scores: dict[str, Floats] = {}
    for metric in metrics:
        sign = {"higher": 1.0, "lower": -1.0}.get(directions.get(metric, "none"))
        if sign is None:
            continue
        first, second = (sign * table[f"{metric}_{k}"].to_numpy(np.float64) for k in (0, 1))
        score = np.where(second > first, judge, np.where(first > second, 1 - judge, 0.5))
        scores[metric] = np.where(np.isnan(first) | np.isnan(second), np.nan, score)
    scores[HUMAN] = judge**2 + (1 - judge) ** 2
    return pd.DataFrame(scores, index=table.index)


def _row(
    metric: str, scores: Floats, clusters: np.ndarray, bootstrap: Bootstrap
) -> dict[str, object]:
    known = ~np.isnan(scores)
    images, numbers = np.unique(clusters[known], return_inverse=True)
    values = scores[known][:, np.newaxis]
    row: dict[str, object] = {"metric": metric, "statistic": STATISTIC, "n": len(values)}
    if not len(values):
        return row
    influence = clustered((values - values.mean()) / len(values), numbers, len(images))
    low, high = intervals(values.mean(axis=0), influence, "share", bootstrap)
    return {
        **row,
        **{"value": float(values.mean()), "low": low[0], "high": high[0]},
        **{"images": len(images), "note": ""},
    }
