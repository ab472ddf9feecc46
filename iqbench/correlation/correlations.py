"""From scores and opinions to everything that the correlation report says."""

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
    """Name the distances as the eye sees them, where less is better."""
    return [
        name
        for name, role in roles.items()
        if role == "perception" and directions[name] != "higher"
    ]


@dataclass(frozen=True)
class Correlations(
    ShownInNotebooks, arranged_by="iqbench.correlation.document:correlation_document"
):
    """All that was found; each part a DataFrame, empty where there was nothing to find.

    Attributes
    ----------
    table
        The scores.
    directions
        ``higher``, ``lower``, ``target:...`` or ``none`` by metric.
    roles
        What each metric tells, see `iqbench.columns.ColumnRole`; empty where nothing is known.
    between
        As `iqbench.correlation.between.between_metrics`.
    parting
        As `iqbench.correlation.variation_gaps.variation_gaps`.
    opinion
        As `iqbench.correlation.human_opinion.opinion_agreement`, choices included.
    differences
        As `iqbench.correlation.differences.opinion_differences`, choices included.
    opinions
        The rows that opinion was compared on, for scatter plots.
    hidden
        How many metrics were left out.
    bootstrap
        How intervals were made.
    notes
        Opinions that are left out, counted in sentences.
    logistic
        How many parameters the logistic has that is drawn.
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
        """Put everything into one table, one row a number.

        Returns
        -------
        pandas.DataFrame
            ``kind`` is metrics, parting, opinion, opinion difference, or set for a column that has
            one value per set, and no numbers here; what a kind does not have is empty.
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
        # Columns that are empty in all rows of a part would lose the type of the others.
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
        ``all`` metrics; the ``headline`` ones, and those that filters name; or selectors, see
        `iqbench.results.selector`.
    source
        Of opinions.
    directions
        ``higher`` or ``lower`` for metrics whose direction is not in the results.
    bootstrap
        How intervals are made.
    logistic
        How many parameters the logistic has that is fitted between metrics and opinions; by
        default those of 4 and of 5 are reported, and the one of 5 is drawn.

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
    results: str | PathLike[str],
    filters: Mapping[str, tuple[str, ...]],
    *,
    shown: str | Sequence[str] = "headline",
    bootstrap: Bootstrap = DEFAULT,
) -> Correlations | None:
    """Compare scores with the opinions that datasets bring only.

    Parameters and errors are those of `read_correlations`.

    Returns
    -------
    Correlations or None
        Without correlations between metrics; None where there are no opinions.
    """
    if not has_opinions(results):
        return None
    read = read_inputs(results, filters, shown, OpinionSource())
    if read.opinions.empty and not read.choice_metrics:
        return None
    directions = _directions(read.table, [*read.table.names, *read.choice_metrics], {})
    agreement, differences = _with_people(read, directions, bootstrap, LOGISTICS)
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
        bootstrap=bootstrap,
        notes=read.notes,
    )


def _role(name: str, columns: Columns) -> str:
    """Say what a metric tells; files of opinions bring metrics of which only the name is known."""
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
    """Refuse choices of which no metric has a direction: there would be nothing to say."""
    if choices and not any(directions[name] in ("higher", "lower") for name in choices):
        raise IqbenchError(
            f"it is not known whether high or low values of {choices[0]} are better",
            hint=f"Say --metric-direction {choices[0]}=lower, or higher",
        )


def _with_people(
    read: Inputs,
    directions: Mapping[str, str],
    bootstrap: Bootstrap,
    logistics: Sequence[Parameters],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare with opinions and with choices, where there are any."""
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
