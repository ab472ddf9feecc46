"""Compute all numbers of the correlation report from scores and opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from iqbench.correlation.between import BETWEEN_COLUMNS, between_metrics
from iqbench.correlation.differences import DIFFERENCE_COLUMNS, opinion_differences
from iqbench.correlation.forced_choice import choice_agreement, choice_differences
from iqbench.correlation.human_opinion import LOGISTICS, OPINION_COLUMNS, opinion_agreement
from iqbench.correlation.inputs import Inputs, OpinionSource, read_inputs
from iqbench.correlation.metric_table import NO_CORRELATION, MetricTable
from iqbench.correlation.variation_gaps import variation_gaps
from iqbench.document.in_notebook import ShownInNotebooks
from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.columns import Columns, metric_of
from iqbench.results.format1 import completed
from iqbench.results.read import has_opinions
from iqbench.stats.influence import DEFAULT, Bootstrap
from iqbench.stats.logistic import Parameters

__all__ = ["Correlations", "perceptual_distances", "read_agreement", "read_correlations"]

_ROWS = [
    *("kind", "scope", "dataset", "method", "distortion", "first", "second", "statistic"),
    *("value", "low", "high", "n", "images", "groups"),
    *("p_value", "p_bootstrap", "p_williams", "p_holm", "note"),
]


def perceptual_distances(roles: Mapping[str, str], directions: Mapping[str, str]) -> list[str]:
    """Return the names of the perceptual metrics for which lower is better."""
    return [
        name
        for name, role in roles.items()
        if role == "perception" and directions[name] != "higher"
    ]


@dataclass(frozen=True)
class Correlations(
    ShownInNotebooks, arranged_by="iqbench.correlation.document:correlation_document"
):
    """The numbers of the correlation report; each part is a DataFrame, which may be empty.

    Attributes
    ----------
    table
        The scores.
    directions
        ``higher``, ``lower``, ``target:...`` or ``none`` by metric.
    roles
        The role of each metric, see `iqbench.columns.ColumnRole`; empty if it is not known.
    between
        Correlations between metrics, see `iqbench.correlation.between.between_metrics`.
    parting
        Gaps between total variation and perceptual distance, see
        `iqbench.correlation.variation_gaps.variation_gaps`.
    opinion
        Agreement with opinions and choices, see
        `iqbench.correlation.human_opinion.opinion_agreement`.
    differences
        Differences of metrics in this agreement, see
        `iqbench.correlation.differences.opinion_differences`.
    opinions
        The rows with opinions and values, for scatter plots.
    hidden
        How many metrics were left out.
    bootstrap
        Options of the intervals.
    notes
        Sentences on the number of opinions that were left out.
    logistic
        The number of parameters of the logistic curve that is drawn.
    """

    table: MetricTable
    directions: dict[str, str]
    roles: dict[str, str]
    between: pd.DataFrame
    parting: pd.DataFrame
    opinion: pd.DataFrame
    differences: pd.DataFrame
    opinions: pd.DataFrame
    hidden: int
    bootstrap: Bootstrap
    notes: tuple[str, ...] = ()
    logistic: Parameters = 5

    def rows(self) -> pd.DataFrame:
        """Return all numbers as one table, with one row per number.

        Returns
        -------
        pandas.DataFrame
            ``kind`` is ``metrics``, ``parting``, ``opinion``, ``opinion difference``, or ``set``
            for a column with one value per set, which has no numbers here. Fields that a kind does
            not have are empty.
        """
        gaps = self.parting.rename(
            columns={"variation": "first", "perceptual": "second", "by": "scope"}
        )
        by_method = gaps["scope"] == "method"
        gaps = gaps.assign(
            statistic="gap of places",
            method=gaps["group"].where(by_method, ""),
            distortion=gaps["group"].where(~by_method, ""),
        )
        parts = {
            "metrics": self.between.rename(columns={"coefficient": "statistic"}),
            "parting": gaps,
            "opinion": self.opinion.rename(columns={"metric": "first"}),
            "opinion difference": self.differences,
            "set": pd.DataFrame({"first": self.table.sets, "note": NO_CORRELATION}),
        }
        frames = [
            part.assign(kind=kind).reindex(columns=_ROWS)
            for kind, part in parts.items()
            if len(part)
        ]
        if not frames:
            return pd.DataFrame(columns=_ROWS)
        # Drop columns that are empty in a part: they would change the type of the whole column.
        together = pd.DataFrame(
            {
                name: np.concatenate([frame[name].astype(object) for frame in frames])
                for name in _ROWS
            }
        )
        texts = [*_ROWS[:8], "note"]
        counts = ["n", "images", "groups"]
        numbers = [name for name in _ROWS if name not in (*texts, *counts)]
        together[texts] = together[texts].fillna("").astype(str)
        together[numbers] = together[numbers].astype("float64")
        return together.astype(dict.fromkeys(counts, "Int64"))


def read_correlations(
    results: Path | None,
    filters: Mapping[str, tuple[str, ...]],
    *,
    shown: str | Sequence[str] = "all",
    source: OpinionSource | None = None,
    directions: Mapping[str, str] | None = None,
    bootstrap: Bootstrap = DEFAULT,
    logistic: Parameters | None = None,
) -> Correlations:
    """Read scores and opinions, and correlate them.

    Parameters
    ----------
    results
        The folder of scores; None to take metrics from the file of opinions.
    filters
        As `load_scores` takes them.
    shown
        ``all`` metrics; ``headline`` metrics and those that filters name; or selectors, see
        `iqbench.results.selector`.
    source
        The source of the opinions.
    directions
        ``higher`` or ``lower`` for metrics whose direction is not in the results.
    bootstrap
        Options of the intervals.
    logistic
        The number of parameters of the logistic that is fitted between metrics and opinions; by
        default those with 4 and with 5 are reported, and the one with 5 is drawn.

    Raises
    ------
    IqbenchError
        As `load_scores`, `read_opinion` and `iqbench.correlation.opinion_table`.
    """
    read = read_inputs(results, filters, shown, source or OpinionSource())
    table, opinions = read.table, read.opinions
    found_directions = _directions(table, [*table.names, *read.choice_metrics], directions or {})
    _check_choices(read.choice_metrics, found_directions)
    logistics = LOGISTICS if logistic is None else (logistic,)
    agreement, differences = _with_people(read, found_directions, bootstrap, logistics)
    distortion = None
    if "distortion" in opinions and "method" in opinions:
        index = ["dataset", "method", "image"]
        kinds = opinions.dropna(subset=["distortion"]).drop_duplicates(index)
        distortion = kinds.set_index(index)["distortion"]
    unique = table.values[~table.values.index.duplicated()]
    roles = {name: _role(name, table.columns) for name in table.names}
    return Correlations(
        table=table,
        directions=found_directions,
        roles=roles,
        between=between_metrics(table, bootstrap),
        parting=variation_gaps(
            unique,
            perceptual_distances(roles, found_directions),
            distortion,
            bootstrap,
            table.references,
        ),
        opinion=agreement,
        differences=differences,
        opinions=opinions,
        hidden=read.hidden,
        bootstrap=bootstrap,
        notes=read.notes,
        logistic=logistics[-1],
    )


def read_agreement(
    results: str | PathLike[str], filters: Mapping[str, tuple[str, ...]]
) -> Correlations | None:
    """Compare the headline metrics only with the opinions that are part of the datasets.

    Parameters and errors are those of `read_correlations`.

    Returns
    -------
    Correlations or None
        Without correlations between metrics; None if there are no opinions.
    """
    if not has_opinions(results):
        return None
    read = read_inputs(results, filters, "headline", OpinionSource())
    if read.opinions.empty and not read.choice_metrics:
        return None
    directions = _directions(read.table, [*read.table.names, *read.choice_metrics], {})
    agreement, differences = _with_people(read, directions, DEFAULT, LOGISTICS)
    return Correlations(
        table=read.table,
        directions=directions,
        roles={name: _role(name, read.table.columns) for name in read.table.names},
        between=pd.DataFrame(columns=BETWEEN_COLUMNS),
        parting=pd.DataFrame(),
        opinion=agreement,
        differences=differences,
        opinions=read.opinions,
        hidden=read.hidden,
        bootstrap=DEFAULT,
        notes=read.notes,
    )


def _role(name: str, columns: Columns) -> str:
    """Return the role of a metric; for metrics of a file of opinions, derive it from the name."""
    return completed(metric_of(name), columns.info(name)).role


def _directions(
    table: MetricTable, names: Sequence[str], given: Mapping[str, str]
) -> dict[str, str]:
    said: dict[str, str] = {}
    for text, direction in given.items():
        meant = table.select(text, names)
        if not meant:
            raise unknown_name("metric", text, names)
        said |= dict.fromkeys(meant, direction)
    found = {}
    for name in names:
        stated = "lower" if name.startswith("|") else table.columns.info(name).direction
        found[name] = said.get(name, stated)
    return found


def _check_choices(choices: list[str], directions: Mapping[str, str]) -> None:
    """Raise an error if there are choices but no metric with them has a direction."""
    if choices and not any(directions[name] in ("higher", "lower") for name in choices):
        raise IqbenchError(
            f"it is not known whether high or low values of {choices[0]} are better",
            hint=f"Give --metric-direction {choices[0]}=lower, or higher",
        )


def _with_people(
    read: Inputs,
    directions: Mapping[str, str],
    bootstrap: Bootstrap,
    logistics: Sequence[Parameters],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare with opinions and with choices, if there are any."""
    opinions = (read.opinions, read.table.names)
    choices = (read.choices, read.choice_metrics, directions, bootstrap)
    agreement, differences = [], []
    if len(read.opinions):
        agreement = [opinion_agreement(*opinions, directions, bootstrap, logistics)]
        differences = [opinion_differences(*opinions, bootstrap)]
    if read.choice_metrics:
        agreement.append(choice_agreement(*choices))
        differences.append(choice_differences(*choices))
    return _together(agreement, OPINION_COLUMNS), _together(differences, DIFFERENCE_COLUMNS)


def _together(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))
