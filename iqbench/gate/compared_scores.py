"""Read the two sides of a comparison from results folders, or from text baselines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from iqbench.errors import IqbenchError, unknown_name
from iqbench.gate.matching import Scored
from iqbench.results.columns import Columns
from iqbench.results.read import DatasetReader, load_columns, load_images, load_values
from iqbench.results.selector import Selector
from iqbench.results.text_baseline import results_folder

__all__ = [
    "ComparedDatasets",
    "ComparedScores",
    "compared_datasets",
    "methods_by_dataset",
    "read_compared_scores",
    "read_scored",
]


@dataclass(frozen=True)
class ComparedScores:
    """The scores of both sides, and the methods with different names.

    Parameters
    ----------
    baseline, candidate
        The scores.
    methods
        The candidate's name for methods of the baseline.
    """

    baseline: Scored
    candidate: Scored
    methods: Mapping[str, str]

    @property
    def columns(self) -> Columns:
        """Descriptions of the metrics of both sides; those of the candidate have priority."""
        return self.baseline.columns.united(self.candidate.columns)

    def parts(self) -> Iterator[tuple[Scored, Scored]]:
        """Return both sides as one part."""
        yield self.baseline, self.candidate


@dataclass(frozen=True)
class ComparedDatasets:
    """Two sides that are read during the comparison, one dataset at a time.

    Parameters
    ----------
    columns
        As `ComparedScores.columns`.
    methods
        The candidate's name for methods of the baseline.
    parts
        Reads baseline and candidate of each dataset. After the last one, it raises the errors of
        `read_compared_scores` for unknown names.
    """

    columns: Columns
    methods: Mapping[str, str]
    parts: Callable[[], Iterator[tuple[Scored, Scored]]]


@contextmanager
def compared_datasets(
    baseline: Path,
    candidate: Path,
    filters: Mapping[str, tuple[str, ...]],
    renamed: Sequence[str] = (),
) -> Iterator[ComparedDatasets]:
    """Open two results folders, for reading one dataset at a time.

    The parameters are those of `read_compared_scores`.
    """
    asked = dict(filters)
    chosen = asked.pop("method", ())
    datasets = {key: asked[key] for key in ("dataset",) if key in asked}
    metrics = asked.get("metric", ())
    with results_folder(baseline) as first, results_folder(candidate) as second:
        old, now = DatasetReader(first, asked), DatasetReader(second, datasets)
        names = _parse_renamed(renamed, old.methods, now.methods)
        columns = [reader.columns.leading(metrics) for reader in (old, now)]

        def parts() -> Iterator[tuple[Scored, Scored]]:
            before: set[str] = set()
            after: set[str] = set()
            for dataset in sorted(old.datasets | now.datasets):
                sides = [_Values.of(reader, dataset) for reader in (old, now)]
                before |= sides[0].methods
                if dataset in asked.get("dataset", [dataset]):
                    after |= sides[1].methods
                    yield _narrowed(sides[0], sides[1], asked, chosen, names)
                else:
                    after |= now.methods_of(dataset)
                del sides  # free the memory while the next dataset is read
            old.refuse_unknown()
            _parse_renamed(renamed, before, after)
            _refuse_unknown_methods(chosen, before | after)

        yield ComparedDatasets(columns[0].united(columns[1]), names, parts)


@contextmanager
def methods_by_dataset(
    results: Path, first: str, second: str, filters: Mapping[str, tuple[str, ...]]
) -> Iterator[ComparedDatasets]:
    """Open two methods of a results folder, for reading one dataset at a time.

    Parameters
    ----------
    results
        The folder.
    first, second
        Names of the methods.
    filters
        As `load_scores` takes them, without ``method``.

    Raises
    ------
    IqbenchError
        If the folder cannot be read, or both methods are the same; after reading all datasets, if
        a method is missing.
    """
    _refuse_itself(first, second)
    metrics = filters.get("metric", ())
    reader = DatasetReader(results, {**filters, "method": (first, second)})

    def parts() -> Iterator[tuple[Scored, Scored]]:
        for dataset in sorted(reader.datasets):
            if dataset in filters.get("dataset", [dataset]):
                values = _Values.of(reader, dataset)
                yield _of_methods(values, first, second, metrics)
                del values  # free the memory while the next dataset is read
        reader.refuse_unknown()

    yield ComparedDatasets(reader.columns.leading(metrics), {first: second}, parts)


def read_compared_scores(
    baseline: Path,
    candidate: Path,
    filters: Mapping[str, tuple[str, ...]],
    renamed: Sequence[str] = (),
) -> ComparedScores:
    """Read two results folders.

    Parameters
    ----------
    baseline, candidate
        The folders; each may also be a text baseline.
    filters
        As `load_scores` takes them. They select values of the baseline. Values that the candidate
        lacks are missing, and values with another protocol or precision are not comparable. Both
        names of a renamed method work.
    renamed
        Each ``OLD=NEW``: a method of the baseline, and its name in the candidate.

    Returns
    -------
    ComparedScores
        The scores of both sides.

    Raises
    ------
    IqbenchError
        If a folder cannot be read, a filter matches nothing in the baseline, or a renaming names a
        method that does not exist, or the same one twice.
    """
    asked = dict(filters)
    methods = asked.pop("method", ())
    old, now = _Values.read(baseline, asked), _Values.read(candidate)
    names = _parse_renamed(renamed, old.methods, now.methods)
    _refuse_unknown_methods(methods, old.methods | now.methods)
    return ComparedScores(*_narrowed(old, now, asked, methods, names), names)


def _refuse_unknown_methods(names: Sequence[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise unknown_name("method", name, known)


def _narrowed(
    old: _Values,
    now: _Values,
    asked: Mapping[str, tuple[str, ...]],
    methods: Sequence[str],
    names: Mapping[str, str],
) -> tuple[Scored, Scored]:
    """Keep the requested values of both sides."""
    for key in ("dataset", "metric"):
        if key in asked:
            # Select metrics with any signature: other signatures are reported as not comparable.
            names_asked = [
                Selector.of(text).metric if key == "metric" else text for text in asked[key]
            ]
            now = now.where(key, names_asked)
    if methods:
        # A filter may use the name of either side.
        known = old.methods | now.methods | names.keys()
        wanted = {name for name in known if {name, names.get(name, name)} & set(methods)}
        old = old.where("method", wanted)
        now = now.where("method", {names.get(name, name) for name in wanted})
    metrics = asked.get("metric", ())
    return old.scored(metrics), now.scored(metrics)


def read_scored(path: Path) -> Scored:
    """Read all scores of one side: a results folder, or a text baseline."""
    return _Values.read(path).scored()


def _refuse_itself(first: str, second: str) -> None:
    if first == second:
        raise IqbenchError(f"{first} is compared with itself", hint="Name two methods")


def _of_methods(
    values: _Values, first: str, second: str, metrics: Sequence[str]
) -> tuple[Scored, Scored]:
    """Split values into those of two methods."""
    old, now = (values.where("method", [name]).scored(metrics) for name in (first, second))
    return old, now


@dataclass(frozen=True)
class _Values:
    """Values of images and of whole sets, the table of images, and descriptions of metrics."""

    scores: pd.DataFrame
    sets: pd.DataFrame
    images: pd.DataFrame
    columns: Columns

    @classmethod
    def read(cls, path: Path, filters: Mapping[str, tuple[str, ...]] | None = None) -> _Values:
        with results_folder(path) as folder:
            both = load_values(folder, filters=filters)
            return cls(*both, load_images(folder), load_columns(folder))

    @classmethod
    def of(cls, reader: DatasetReader, dataset: str) -> _Values:
        found = reader.read(dataset)
        return cls(found.scores, found.sets, found.images, reader.columns)

    @property
    def methods(self) -> set[str]:
        """The methods with values of images or of sets."""
        return {str(name) for one in (self.scores, self.sets) for name in one["method"].unique()}

    def where(self, key: str, names: Collection[str]) -> _Values:
        """Keep the values whose field ``key`` has one of these names."""
        kept = [one[one[key].isin(list(names))] for one in (self.scores, self.sets)]
        return _Values(kept[0], kept[1], self.images, self.columns)

    def scored(self, metrics: Sequence[str] = ()) -> Scored:
        """Return them as a side of a comparison; requested metrics keep their order."""
        return Scored(self.scores, self.images, self.columns.leading(metrics), self.sets)


def _parse_renamed(texts: Sequence[str], old: set[str], new: set[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for text in texts:
        before, equals, after = text.partition("=")
        if not equals:
            raise IqbenchError(f"--map {text} names one method", hint="Write it as OLD=NEW")
        if before not in old:
            raise unknown_name("method of the baseline", before, old)
        if after not in new:
            raise unknown_name("method", after, new)
        if before in names:
            raise IqbenchError(f"--map names {before} of the baseline twice")
        names[before] = after
    return names
