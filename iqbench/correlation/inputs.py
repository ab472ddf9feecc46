"""Read the scores and opinions of a correlation report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

import pandas as pd

from iqbench.correlation.metric_table import NO_CORRELATION, MetricTable, contents, metric_table
from iqbench.correlation.opinion_table import (
    choices_of_images,
    opinions_alone,
    opinions_of_choices,
    opinions_of_file,
    opinions_of_images,
    references_of_images,
    unmatched_opinions,
    unscored_opinions,
)
from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.columns import Columns
from iqbench.results.opinion import read_opinion
from iqbench.results.read import DatasetReader, joined_scores, keys_of, with_headings
from iqbench.results.references import stale_among
from iqbench.results.selector import pick

__all__ = ["Inputs", "OpinionSource", "read_inputs"]

_NONE = pd.DataFrame({"dataset": pd.Series(dtype=object)})


@dataclass(frozen=True)
class OpinionSource:
    """The source of opinions: the options of ``iqbench correlate`` about them.

    Attributes
    ----------
    file
        CSV or Parquet file; None for the opinions that are part of the datasets.
    columns
        Column of the file by role.
    direction
        ``higher`` if high opinions are good, or ``lower``; None if the user did not give it.
    raters
        The number of opinions per image, if no table has it.
    """

    file: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    direction: str | None = None
    raters: float | None = None


@dataclass(frozen=True)
class Inputs:
    """The scores and opinions to correlate.

    Attributes
    ----------
    table
        The scores.
    opinions
        One row per image and method; may be empty.
    hidden
        How many metrics were left out.
    choices
        One row per choice between two outputs; may be empty.
    choice_metrics
        Metrics with values in ``choices``.
    notes
        Sentences on the number of opinions that were left out.
    """

    table: MetricTable
    opinions: pd.DataFrame
    hidden: int = 0
    choices: pd.DataFrame = field(default_factory=pd.DataFrame)
    choice_metrics: list[str] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def read_inputs(
    results: str | PathLike[str] | None,
    filters: Mapping[str, tuple[str, ...]],
    shown: str | Sequence[str],
    source: OpinionSource,
) -> Inputs:
    """Read scores and opinions.

    Parameters
    ----------
    results, filters, shown, source
        As for `iqbench.correlation.correlations.read_correlations`.

    Raises
    ------
    IqbenchError
        As `read_correlations`.
    """
    if results is None:
        assert source.file is not None
        return _filtered(_alone(source, source.file), filters, shown)
    asked = filters.get("metric", ()) if isinstance(shown, str) else shown
    read_tables = _read_tables(results, filters)
    columns, scores, sets = read_tables.columns.leading(asked), read_tables.scores, read_tables.sets
    images = read_tables.images
    narrow = "all" if shown == "headline" and "metric" in filters else shown
    scores, there, taken = columns.choose(scores, narrow)
    chosen_sets, there_of_sets, _ = columns.choose(sets, narrow)
    if not isinstance(shown, str):
        pick(shown, there | there_of_sets)
    found_sets = _headings_of_sets(scores, chosen_sets, sets, columns)
    told = tuple(f"{name}: - ({NO_CORRELATION})" for name in found_sets)
    table = metric_table(scores, columns)
    table = replace(table, references=read_tables.references, sets=found_sets)
    hidden = len({metric for metric, _ in there} - {metric for metric, _ in taken})
    if source.file is None:
        found = _brought(table, images, source.raters, hidden)
        return replace(found, notes=(*found.notes, *told))
    read = read_opinion(source.file, source.columns)
    if "judge" in read.rows:
        choices, names = opinions_of_choices(table, read.rows, read.metrics)
        lost = len(read.rows) - len(choices)
        told = (*told, *read.notes, *([_lost_choices(lost, len(read.rows))] if lost else []))
        return Inputs(table, _NONE, hidden, choices, names, told)
    direction = _direction(source)
    clash = sorted(set(read.metrics) & set(table.names))
    if clash:
        raise IqbenchError(
            f"metric {clash[0]!r} is both in {source.file} and in {results}",
            hint="Rename it in the file",
        )
    opinions = opinions_of_file(table, read.rows, direction, source.raters)
    notes = (*told, *read.notes, *unmatched_opinions(table, read.rows))
    return Inputs(table, _with_references(opinions, table), hidden, notes=notes)


@dataclass(frozen=True)
class _Tables:
    """The tables of a results folder that a correlation needs.

    Attributes
    ----------
    scores, sets
        From `iqbench.results.read.load_values`, without errors and protocols of scores.
    images
        The images that have opinions.
    references
        From `references_of_images`, for all images.
    columns
        Descriptions of the metrics.
    """

    scores: pd.DataFrame
    sets: pd.DataFrame
    images: pd.DataFrame
    references: Mapping[tuple[str, str], str]
    columns: Columns


def _read_tables(results: str | PathLike[str], filters: Mapping[str, tuple[str, ...]]) -> _Tables:
    """Read one dataset after another, and keep what a correlation needs."""
    reader = DatasetReader(results, filters)
    scores, sets, images = [], [], []
    references: dict[tuple[str, str], str] = {}
    for dataset in sorted(reader.datasets):
        found = reader.read(dataset)
        stale = stale_among(found.images, filters)
        stale.warn()
        scores.append(stale.without(found.scores.drop(columns=["error", "protocol"])))
        sets.append(found.sets)
        pictures = stale.without(found.images)
        references |= references_of_images(pictures)
        images.append(pictures[pictures["mos"].notna() | pictures["mos_direction"].notna()])
        del found, pictures  # free the memory while the next dataset is read
    reader.refuse_unknown()
    return _Tables(
        joined_scores(scores),
        joined_scores(sets),
        joined_scores(images),
        references,
        reader.columns,
    )


def _headings_of_sets(
    scores: pd.DataFrame, chosen_sets: pd.DataFrame, sets: pd.DataFrame, columns: Columns
) -> tuple[str, ...]:
    """Return the headings of the chosen columns with one value per set, which do not correlate."""
    heads = with_headings(sets)[sets.index.isin(chosen_sets.index)]
    found = tuple(columns.ordered(keys_of(sets.loc[heads.index], heads)))
    if found and scores.empty:
        raise IqbenchError(
            f"{', '.join(found)} has one value per set, and a correlation needs values of images",
            hint="iqbench leaderboard shows it, and iqbench export --scope set writes it",
        )
    return found


def _lost_choices(lost: int, rows: int) -> str:
    return f"{lost} of {rows} choices are left out, as an output has no scores"


def _brought(table: MetricTable, images: pd.DataFrame, raters: float | None, hidden: int) -> Inputs:
    """Use the opinions that are part of the datasets."""
    opinions = _with_references(opinions_of_images(table, images, raters), table)
    kept = images["dataset"].isin(set(table.values.index.get_level_values("dataset")))
    notes = unscored_opinions(table, images)
    rows = choices_of_images(images[kept])
    if rows.empty:
        return Inputs(table, opinions, hidden, notes=tuple(notes))
    choices, names = opinions_of_choices(table, rows, [])
    if len(choices) < len(rows):
        notes.append(_lost_choices(len(rows) - len(choices), len(rows)))
    return Inputs(table, opinions, hidden, choices, names, tuple(notes))


def _with_references(opinions: pd.DataFrame, table: MetricTable) -> pd.DataFrame:
    return opinions.assign(reference=contents(opinions, table.references))


def _alone(source: OpinionSource, file: Path) -> Inputs:
    read = read_opinion(file, source.columns)
    if "judge" in read.rows:
        choices, names = opinions_of_choices(None, read.rows, read.metrics, file.stem)
        if not names:
            raise IqbenchError(
                f"{file} has choices, but no metric in columns such as lpips_0 and lpips_1",
                hint="Give RESULTS that have the values of both outputs",
            )
        empty = pd.DataFrame(index=pd.MultiIndex.from_arrays([[], [], []]))
        table = MetricTable(empty.rename_axis(["dataset", "method", "image"]), [])
        return Inputs(table, _NONE, 0, choices, names, read.notes)
    if not read.metrics:
        raise IqbenchError(
            f"{file} has opinions, but no columns of metrics",
            hint="Give RESULTS that have the scores of its images",
        )
    direction = _direction(source)
    table, opinions = opinions_alone(
        read.rows, read.metrics, direction, source.raters, name=file.stem
    )
    return Inputs(table, opinions, notes=read.notes)


def _filtered(
    whole: Inputs, filters: Mapping[str, tuple[str, ...]], shown: str | Sequence[str]
) -> Inputs:
    """Keep the requested metrics and datasets of a file."""
    if not isinstance(shown, str):
        filters = {"metric": tuple(shown), **filters}
    names = whole.choice_metrics or whole.table.names
    rows = whole.choices if whole.choice_metrics else whole.opinions
    datasets = sorted(set(rows["dataset"]))
    metrics: dict[str, None] = {}
    for text in filters.get("metric", names):
        meant = whole.table.select(text, names)
        if not meant:
            raise unknown_name("metric", text, names)
        metrics |= dict.fromkeys(meant)
    for name in filters.get("dataset", ()):
        if name not in datasets:
            raise unknown_name("dataset", name, datasets)
    for key in filters:
        if key not in ("metric", "dataset"):
            raise IqbenchError(f"a file of opinions has nothing to choose by --{key}")
    kept = list(metrics)
    datasets = [name for name in datasets if name in filters.get("dataset", datasets)]
    rows = rows[rows["dataset"].isin(datasets)]
    if whole.choice_metrics:
        return Inputs(whole.table, _NONE, 0, rows, kept, whole.notes)
    values = whole.table.values
    chosen = values.index.get_level_values("dataset").isin(datasets)
    table = MetricTable(values.loc[chosen, kept], [[k] for k in datasets])
    return Inputs(table, rows, notes=whole.notes)


def _direction(source: OpinionSource) -> str:
    """Return the direction of opinions; an error for a DMOS without one, as both are in use."""
    if source.direction is None and "dmos" in source.columns.get("mos", "").casefold():
        raise IqbenchError(
            f"column {source.columns['mos']!r} may rise or fall with quality",
            hint="Give --mos-direction higher, or lower",
        )
    return source.direction or "higher"
