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
from iqbench.results.opened import OpenedResults, open_results
from iqbench.results.read import DatasetReader
from iqbench.results.selector import Selector
from iqbench.results.text_baseline import results_folder

__all__ = [
    "ComparedDatasets",
    "ComparedFolders",
    "compared_datasets",
    "methods_by_dataset",
]


@dataclass(frozen=True)
class ComparedDatasets:
    """Two sides that are read one dataset at a time.

    Parameters
    ----------
    columns
        How the metrics of both are read; the candidate has the last word.
    methods
        The candidate's name for methods of the baseline.
    datasets
        Names of the datasets to compare, in their order.
    read
        Reads baseline and candidate of a dataset.
    finish
        Raises for names that none of the datasets has which were read.
    """

    columns: Columns
    methods: Mapping[str, str]
    datasets: Sequence[str]
    read: Callable[[str], tuple[Scored, Scored]]
    finish: Callable[[], None]

    def parts(self) -> Iterator[tuple[Scored, Scored]]:
        """Read both sides of each dataset; names that are not there are refused at the end."""
        for dataset in self.datasets:
            yield self.read(dataset)
        self.finish()


@dataclass(frozen=True)
class ComparedFolders(ComparedDatasets):
    """Two results folders that are read one dataset at a time.

    Parameters
    ----------
    folders
        Baseline and candidate, opened; of a text, what it holds.
    whole
        Reads all that a side has of a dataset, compared or not: 0 is the baseline.
    all_datasets
        Names of the datasets of both sides, compared or not.
    """

    folders: tuple[OpenedResults, OpenedResults]
    whole: Callable[[int, str], Scored]
    all_datasets: Sequence[str]


@contextmanager
def compared_datasets(
    baseline: Path,
    candidate: Path,
    filters: Mapping[str, tuple[str, ...]],
    renamed: Sequence[str] = (),
) -> Iterator[ComparedFolders]:
    """Open two results folders, to be read one dataset at a time.

    Parameters
    ----------
    baseline, candidate
        The folders; either may be a baseline in text instead.
    filters
        As `load_scores` takes them. They choose values of the baseline; what the candidate lacks
        of these is missing, and what it has under another protocol or precision is not comparable.
        A method may be named as either side does.
    renamed
        ``OLD=NEW``, each: a method of the baseline, and what the candidate calls it.

    Raises
    ------
    IqbenchError
        Where a folder cannot be read, or a renaming names a method that is not there or one twice;
        when all is read, also where a filter names nothing of the baseline.
    """
    asked = dict(filters)
    chosen = asked.pop("method", ())
    among = {key: asked[key] for key in ("dataset",) if key in asked}
    metrics = asked.get("metric", ())
    with results_folder(baseline) as first, results_folder(candidate) as second:
        folders = open_results(first), open_results(second)
        old, now = DatasetReader(folders[0], asked), DatasetReader(folders[1], among)
        names = _parse_renamed(renamed, old.methods, now.methods)
        columns = [reader.columns.leading(metrics) for reader in (old, now)]
        every = sorted(old.datasets | now.datasets)
        datasets = [dataset for dataset in every if dataset in asked.get("dataset", [dataset])]
        before: set[str] = set()
        after: set[str] = set()
        for dataset in set(every) - set(datasets):
            after |= now.methods_of(dataset)

        def read(dataset: str) -> tuple[Scored, Scored]:
            sides = [_Values.of(reader, dataset) for reader in (old, now)]
            before.update(sides[0].methods)
            after.update(sides[1].methods)
            return _narrowed(sides[0], sides[1], asked, chosen, names)

        def finish() -> None:
            for dataset in set(every) - set(datasets):
                old.read(dataset)  # what a filter names may be there alone
            old.refuse_unknown()
            _parse_renamed(renamed, before, after)
            _refuse_unknown_methods(chosen, before | after)

        def whole(side: int, dataset: str) -> Scored:
            return _Values.of(DatasetReader(folders[side]), dataset).scored()

        yield ComparedFolders(
            columns[0].united(columns[1]), names, datasets, read, finish, folders, whole, every
        )


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
    datasets = [name for name in sorted(reader.datasets) if name in filters.get("dataset", [name])]

    def read(dataset: str) -> tuple[Scored, Scored]:
        return _of_methods(_Values.of(reader, dataset), first, second, metrics)

    columns = reader.columns.leading(metrics)
    yield ComparedDatasets(columns, {first: second}, datasets, read, reader.refuse_unknown)


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
