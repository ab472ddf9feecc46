"""The Python function of ``iqbench correlate``: correlate the metrics of a results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from iqbench.correlation.correlations import Correlations, read_correlations
from iqbench.correlation.inputs import OpinionSource
from iqbench.errors import IqbenchError
from iqbench.results.filters import Filters
from iqbench.results.mirror import addresses_in_errors, local_results
from iqbench.stats.influence import Bootstrap

__all__ = ["correlate"]


@addresses_in_errors()
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
        Which columns to use: ``"all"``, ``"headline"``, or selectors of columns in their order.
    mos
        CSV or Parquet file of opinions; by default the opinions that are part of the datasets.
    mos_columns
        Names of columns in ``mos`` by role: ``{"mos": "dmos", "image": "dist_img"}``.
    mos_direction
        Whether ``higher`` or ``lower`` opinions are better; by default higher ones.
    raters
        The number of opinions per image, if no table has it.
    metric_directions
        Whether higher or lower values are better, for metrics whose direction is not in the tables.
    confidence
        Confidence level of the intervals.
    resamples
        The number of bootstrap resamples of the images; 0 for no intervals.
    seed
        The seed of the resamples.
    filters
        The value or values to keep of ``dataset``, ``method``, ``metric``, ``protocol`` or
        ``precision``.

    Returns
    -------
    Correlations
        ``between``, ``opinion``, ``differences`` and ``parting`` are DataFrames; ``rows()``
        returns all of them as one.

    Raises
    ------
    IqbenchError
        If the folder or file cannot be read, or an argument names something that does not exist.

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
