"""The Python face of ``iqbench correlate``: a results folder to coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from iqbench.correlation.correlations import Correlations, read_correlations
from iqbench.correlation.inputs import OpinionSource
from iqbench.errors import IqbenchError
from iqbench.results.filters import Filters
from iqbench.results.mirror import local_results
from iqbench.stats.influence import Bootstrap

__all__ = ["correlate"]


def correlate(
    results: str | PathLike[str] | None = "results",
    *,
    columns: str | Sequence[str] = "all",
    mos: str | PathLike[str] | None = None,
    mos_columns: Mapping[str, str] | None = None,
    mos_direction: Literal["higher", "lower"] | None = None,
    raters: float | None = None,
    metric_directions: Mapping[str, Literal["higher", "lower"]] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    filters: Mapping[str, str | Sequence[str]] | None = None,
) -> Correlations:
    """Correlate metrics with each other and with human opinion, as ``iqbench correlate`` does.

    Parameters
    ----------
    results
        The results folder; None to take the metrics from the columns of ``mos``.
    columns
        Which columns to take: ``"all"``, ``"headline"``, or selectors of columns in their order.
    mos
        CSV or Parquet of opinions; by default the opinions that the datasets bring.
    mos_columns
        Role to name of a column of ``mos``: ``{"mos": "dmos", "image": "dist_img"}``.
    mos_direction
        Which opinions are good; by default high ones.
    raters
        How many opinions there are of each image, where no table says so.
    metric_directions
        Which values are good, of metrics of which the tables do not say it.
    confidence
        Confidence level of the intervals.
    resamples
        How often images are drawn with replacement; 0 for no intervals.
    seed
        Of the draws.
    filters
        Wanted value or values of ``dataset``, ``method``, ``metric``, ``protocol`` or
        ``precision``.

    Returns
    -------
    Correlations
        ``between``, ``opinion``, ``differences`` and ``parting`` are DataFrames; ``rows()`` is all
        of them in one.

    Raises
    ------
    IqbenchError
        The folder or file cannot be read, or an argument names what is not there.

    Examples
    --------
    >>> found = iqbench.correlate("results", filters={"dataset": "TID2013"})  # doctest: +SKIP
    >>> found.opinion  # doctest: +SKIP
    """
    if results is None and mos is None:
        raise IqbenchError(
            "there is nothing to correlate: results and mos are None",
            hint="Name a results folder, or a file of opinions that has metrics as columns",
        )
    one_selector = isinstance(columns, str) and columns not in ("all", "headline")
    return read_correlations(
        None if results is None else local_results(results),
        Filters.of(filters).wanted,
        shown=(str(columns),) if one_selector else columns,
        source=OpinionSource(
            None if mos is None else Path(mos), dict(mos_columns or {}), mos_direction, raters
        ),
        directions=metric_directions,
        bootstrap=Bootstrap(confidence, resamples, seed),
    )
