"""Agreement of metrics with mean opinion scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from iqbench.stats.arrays import Floats, Indices
from iqbench.stats.coefficients import Associations, Coefficient, associate, clustered
from iqbench.stats.influence import DEFAULT, Bootstrap, Scale, intervals
from iqbench.stats.krasula import krasula
from iqbench.stats.logistic import Parameters, fit_logistic

__all__ = ["LOGISTICS", "OPINION_COLUMNS", "RANKED", "opinion_agreement"]

OPINION_COLUMNS = [
    *("dataset", "distortion", "metric", "statistic"),
    *("value", "low", "high", "n", "images", "note"),
]
LOGISTICS: tuple[Parameters, ...] = (4, 5)
"""Numbers of parameters of the logistics that are fitted."""

RANKED: tuple[tuple[str, Coefficient], ...] = (
    ("srcc", "spearman"),
    ("krcc", "kendall"),
    ("plcc", "pearson"),
)


@dataclass(frozen=True)
class _AgreementEstimate:
    metric: str
    statistic: str
    value: float
    influence: Floats
    scale: Scale
    n: int
    note: str = ""


def opinion_agreement(
    table: pd.DataFrame,
    metrics: Sequence[str],
    directions: Mapping[str, str],
    bootstrap: Bootstrap = DEFAULT,
    logistics: Sequence[Parameters] = LOGISTICS,
) -> pd.DataFrame:
    """Correlate metrics with mean opinion scores.

    Parameters
    ----------
    table
        One row per image and method: dataset, image, mos, mos_direction (``higher`` if high
        opinions are good), a column for each metric, mos_std (standard deviation of single
        opinions), raters (number of opinions) and distortion; the last three may be missing
        values. Rows of one image, or of one reference if there is a column reference, are
        resampled together.
    metrics
        The columns of metrics.
    directions
        ``higher`` or ``lower`` by metric. For other metrics, the sign of SRCC gives the direction
        for the Krasula analysis.
    bootstrap
        Options of the intervals.
    logistics
        The numbers of parameters of the curves to fit.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, distortion (empty: all), metric and statistic: value, low, high, n
        (rows) and images (resampled), and a note. Statistics: srcc, krcc, plcc (all signed);
        plcc-logistic4, rmse-logistic4 and the same with 5 parameters; or-2sd-... (needs mos_std)
        and or-ci-... (needs mos_std and raters), the outlier ratios; auc-different-similar,
        auc-better-worse and correct-order (need both). NaN if undefined.
    """
    rows: list[pd.DataFrame] = []
    for dataset, part in table.groupby("dataset", sort=True):
        groups = [("", part)]
        kinds = part["distortion"].dropna()
        if kinds.nunique() > 1:
            groups += [(str(kind), rest) for kind, rest in part.groupby("distortion", sort=True)]
        for kind, rest in groups:
            clusters, images = pd.factorize(
                rest["reference"] if "reference" in rest else rest["image"]
            )
            found = list(
                _estimates(
                    *(rest, metrics, directions, clusters),
                    seed=bootstrap.seed,
                    logistics=logistics,
                )
            )
            frame = _frame(found, len(images), bootstrap)
            rows.append(frame.assign(dataset=str(dataset), distortion=kind))
    if not rows:
        return pd.DataFrame(columns=OPINION_COLUMNS)
    return pd.concat(rows, ignore_index=True)[OPINION_COLUMNS]


def _estimates(
    table: pd.DataFrame,
    metrics: Sequence[str],
    directions: Mapping[str, str],
    clusters: Indices,
    *,
    seed: int,
    logistics: Sequence[Parameters],
) -> Iterator[_AgreementEstimate]:
    opinion = table["mos"].to_numpy(np.float64)
    for metric in metrics:
        x = table[metric].to_numpy(np.float64)
        usable = ~np.isnan(x) & ~np.isnan(opinion)
        if not usable.any():
            continue
        rows = _Rows(
            x[usable], opinion[usable], clusters[usable], int(clusters.max()) + 1, table[usable]
        )
        correlated = dict(rows.correlations(metric))
        yield from correlated.values()
        yield from rows.fits(metric, logistics)
        direction = directions.get(metric, "none")
        if direction not in ("higher", "lower"):
            falls = correlated["srcc"].value * rows.upward < 0
            direction = "lower" if falls else "higher"
        yield from rows.pairs(metric, 1.0 if direction == "higher" else -1.0, seed)


@dataclass(frozen=True)
class _Rows:
    """A metric and opinions of the same rows, without missing values."""

    x: Floats
    y: Floats
    clusters: Indices
    images: int
    table: pd.DataFrame

    @property
    def upward(self) -> float:
        """1 if high opinions are good, else -1."""
        return -1.0 if (self.table["mos_direction"] == "lower").all() else 1.0

    def correlations(self, metric: str) -> Iterator[tuple[str, _AgreementEstimate]]:
        values = np.stack([self.x, self.y], axis=1)
        for name, coefficient in RANKED:
            found = associate(values, self.clusters, self.images, coefficient)
            yield name, _estimate(metric, name, found)

    def fits(self, metric: str, logistics: Sequence[Parameters]) -> Iterator[_AgreementEstimate]:
        finite = np.isfinite(self.x)
        x, y, clusters = self.x[finite], self.y[finite], self.clusters[finite]
        deviation = self.table["mos_std"].to_numpy(np.float64)[finite]
        raters = self.table["raters"].to_numpy(np.float64)[finite]
        limits = {"2sd": 2 * deviation, "ci": norm.ppf(0.975) * deviation / np.sqrt(raters)}
        for parameters in logistics:
            name = f"logistic{parameters}"
            fit = fit_logistic(x, y, parameters)
            if fit is None:
                note = f"needs {2 * parameters} images and more than one value"
                nothing = np.zeros(self.images)
                for kind in ("plcc", "rmse"):
                    text = f"{kind}-{name}"
                    yield _AgreementEstimate(
                        metric, text, np.nan, nothing, "positive", len(x), note
                    )
                continue
            note = _note(fit.converged, fit.shape, fit.monotonic)
            # The gradient of least squares is zero at the minimum, so that a change of the curve
            # changes PLCC and RMSE only to second order: keep the curve fixed in all resamples.
            fitted = np.stack([fit.fitted, y], axis=1)
            found = associate(fitted, clusters, self.images, "pearson")
            yield _estimate(metric, f"plcc-{name}", found, note)
            squares = (y - fit.fitted) ** 2
            rmse = float(np.sqrt(squares.mean()))
            moved = (squares - rmse**2) / (2 * rmse * len(y)) if rmse else np.zeros(len(y))
            influence = clustered(moved[:, np.newaxis], clusters, self.images)[:, 0]
            yield _AgreementEstimate(
                metric, f"rmse-{name}", rmse, influence, "positive", len(y), note
            )
            for kind, limit in limits.items():
                if not np.isnan(limit).any():
                    outside = (np.sqrt(squares) > limit).astype(np.float64)
                    yield self._share(metric, f"or-{kind}-{name}", outside, clusters)

    def _share(
        self, metric: str, name: str, values: Floats, clusters: Indices
    ) -> _AgreementEstimate:
        mean = float(values.mean())
        moved = (values - mean)[:, np.newaxis] / len(values)
        influence = clustered(moved, clusters, self.images)[:, 0]
        return _AgreementEstimate(metric, name, mean, influence, "share", len(values))

    def pairs(self, metric: str, sign: float, seed: int) -> Iterator[_AgreementEstimate]:
        deviation = self.table["mos_std"].to_numpy(np.float64)
        raters = self.table["raters"].to_numpy(np.float64)
        if np.isnan(deviation).any() or np.isnan(raters).any():
            return
        found = krasula(sign * self.x, self.upward * self.y, deviation, raters, seed=seed)
        influence = clustered(found.influence, self.clusters, self.images)
        note = f"{found.different} different and {found.similar} similar pairs"
        for k, (name, value) in enumerate(
            {
                "auc-different-similar": found.different_similar,
                "auc-better-worse": found.better_worse,
                "correct-order": found.correct,
            }.items()
        ):
            yield _AgreementEstimate(
                metric, name, value, influence[:, k], "share", len(self.x), note
            )


def _estimate(metric: str, name: str, found: Associations, note: str = "") -> _AgreementEstimate:
    return _AgreementEstimate(
        *(metric, name, float(found.value[0]), found.influence[:, 0], "correlation"),
        *(int(found.n[0]), note),
    )


def _note(converged: bool, shape: str, monotonic: bool) -> str:
    notes = [] if converged else ["not converged"]
    if shape != "logistic":
        notes.append(f"as good as {'an' if shape[0] in 'aeiou' else 'a'} {shape}")
    if not monotonic:
        notes.append("not monotonic")
    return ", ".join(notes)


def _frame(found: Sequence[_AgreementEstimate], images: int, bootstrap: Bootstrap) -> pd.DataFrame:
    frame = pd.DataFrame(
        [(one.metric, one.statistic, one.value, one.n, one.note) for one in found],
        columns=["metric", "statistic", "value", "n", "note"],
    ).assign(low=np.nan, high=np.nan, images=images)
    for scale in ("correlation", "positive", "share"):
        chosen = [k for k, one in enumerate(found) if one.scale == scale]
        if chosen:
            ends = intervals(
                np.array([found[k].value for k in chosen]),
                np.stack([found[k].influence for k in chosen], axis=1),
                scale,
                bootstrap,
            )
            frame.loc[chosen, ["low", "high"]] = np.stack(ends, axis=1)
    return frame
