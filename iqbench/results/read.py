"""Read the current rows of results: for each identity the newest row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqbench.errors import IqbenchError, unknown_name
from iqbench.forks import cached_property
from iqbench.results.columns import Columns
from iqbench.results.current import Stored, current_images, current_scores
from iqbench.results.filters import Filters
from iqbench.results.group_means import group_means
from iqbench.results.mirror import addresses_in_errors
from iqbench.results.names import combinations_of
from iqbench.results.opened import open_results
from iqbench.results.parts import WRITTEN
from iqbench.results.published import PublishedMean, read_published
from iqbench.results.schema import IMAGES, SCORES, SETS, UNDEFINED, ColumnInfo, Manifest
from iqbench.results.selector import Keys, Selector, refusal, select
from iqbench.results.sets import current_sets
from iqbench.results.signature import headings, without_file

__all__ = [
    "DatasetReader",
    "DatasetTables",
    "DatasetValues",
    "Scope",
    "has_opinions",
    "iter_datasets",
    "iter_references",
    "iter_scores",
    "joined_scores",
    "keys_of",
    "load_columns",
    "load_images",
    "load_runs",
    "load_scores",
    "load_values",
    "no_scores",
    "of_any_file",
    "with_headings",
]

Scope = Literal["image", "group", "set"]
"""What a value belongs to."""

_IDENTITY = ["dataset", "method", "image"]
_SETS = [name for name in SETS.names if name not in ("members", "replicates")]
_LONG = [name for name in SCORES.names if name not in ("pair", "group", "scope")]
_IMAGES = pa.schema([*(field for field in IMAGES if field.name not in ("pair", "group")), WRITTEN])
_REFERENCE = [*_IDENTITY, "reference_digest", WRITTEN.name]


def _coded(names: Sequence[str]) -> pa.Schema:
    """Return columns of images, with codes of the digests of references."""
    found = pa.schema([_IMAGES.field(name) for name in names])
    place = names.index("reference_digest")
    return found.set(place, found.field(place).with_type(pa.dictionary(pa.int32(), pa.string())))


_REFERENCES = _coded(_REFERENCE)
_OPINION = ["mos", "mos_std", "mos_direction", "distortion"]
_DIGESTS = ("reference_digest", "output_digest")
_FILES = _coded([*_IDENTITY, *_DIGESTS, "bytes", *_OPINION, "error", WRITTEN.name])
_NO_FILES = _IMAGES.empty_table()
_NO_IMAGES = IMAGES.empty_table().select([*_IDENTITY, "group"]).to_pandas()
_LAST = {"statistic": 1, "cost": 2}
_INTEGERS = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}


@dataclass(frozen=True)
class DatasetTables:
    """What a results folder has of one dataset.

    Attributes
    ----------
    dataset
        Its name.
    scores
        The long form of `load_scores`: those of its rows that pass the filters, in no order.
        Signatures that have errors only are left out where their metric has values of another.
    images
        Dataset, method, image, reference_digest and written of every image of every method, as
        `load_images` gives them, whatever the filters.
    sets
        Values of whole sets, as `load_scores` with ``scope="set"`` gives them.
    columns
        How the metrics of the whole folder are read.
    task
        What the methods restore; empty where no run has said so.
    published
        Means of the dataset that papers print.
    """

    dataset: str
    scores: pd.DataFrame
    images: pd.DataFrame
    sets: pd.DataFrame = field(default_factory=pd.DataFrame)
    columns: Columns = field(default_factory=Columns)
    task: str = ""
    published: tuple[PublishedMean, ...] = ()

    def showing(
        self, shown: str | Sequence[str], extra: Sequence[str] = ()
    ) -> tuple[DatasetTables, set[Keys], set[Keys]]:
        """Keep the columns that are to be shown; see `iqbench.results.columns.Columns.choose`."""
        scores, there, taken = self.columns.choose(self.scores, shown, extra)
        sets = self.sets
        if not sets.empty:
            sets, of_sets, taken_of_sets = self.columns.choose(sets, shown, extra)
            there, taken = there | of_sets, taken | taken_of_sets
        return replace(self, scores=scores, sets=sets), there, taken

    def of_methods(self, methods: Collection[str] | None) -> DatasetTables:
        """Keep the scores of some methods; None for all."""
        if methods is None:
            return self
        scores, sets = (
            frame if frame.empty else frame[frame["method"].isin(list(methods))]
            for frame in (self.scores, self.sets)
        )
        return replace(self, scores=scores, sets=sets)


@addresses_in_errors()
def load_scores(
    path: str | PathLike[str] = "results",
    *,
    wide: bool = False,
    columns: Sequence[str] | None = None,
    filters: Mapping[str, str | Sequence[str]] | None = None,
    scope: Scope = "image",
) -> pd.DataFrame:
    """Read the scores of a results folder.

    Only current rows are given: values of the files as they were when last scored, one for each
    dataset, method, image, metric and signature.

    Parameters
    ----------
    path
        The results folder, or its address, e.g. ``s3://bucket/results``.
    wide
        One row per image and one column per metric, instead of one row per value. A metric with
        several signatures has a column for each, headed by what differs: ``psnr [view=luma]``.
    columns
        Which columns to give; of the wide form, which of the metrics', by selectors.
    filters
        Wanted value or values of ``dataset``, ``method``, ``metric``, ``protocol``, ``precision``
        or ``image``. A metric is a selector: ``psnr``, or ``psnr[protocol=sr-y:scale=4]``.
    scope
        ``image`` for values of images, ``group`` for their means over each clip or scene, ``set``
        for values of whole sets such as FID; they are never mixed. The group of an image is the
        folder in its id: ``clip`` of ``clip/0001``.

    Returns
    -------
    pandas.DataFrame
        Of groups, one row a mean: dataset, method, group, metric, value, signature, protocol, n (of
        how many images it is), expected (how many the group has). Values that do not exist are
        left out of the mean.
        Of sets, one row per value: dataset, method, metric, value, standard_error, error,
        signature, protocol, n (number of images), expected (how many the method should have). A
        value of other images than the tables have now is missing, and its error says so.
        Long: columns dataset, method, image, metric, value, error, signature, protocol; names are
        categories. Wide: indexed by dataset, method and image; NaN where there is no value.

    Raises
    ------
    IqbenchError
        Where there are no results, a filter names what is not there, a column is unknown, or a
        part is damaged or written by another version.

    Examples
    --------
    >>> scores = load_scores("results", filters={"metric": ["psnr", "ssim"]})  # doctest: +SKIP
    """
    if scope not in get_args(Scope):
        raise unknown_name("scope", scope, get_args(Scope))
    wanted = Filters.of(filters)
    found = open_results(path).groups
    if scope != "image":
        if wide or columns is not None:
            raise IqbenchError(
                f"values of {scope}s have one form: one row per value",
                hint="Leave wide and columns out",
            )
        return _load_sets(found, wanted) if scope == "set" else _load_groups(found, wanted)
    tables = [
        wanted.select(current_scores(group.scores, current_images(group.images)))
        for group in _selected(found, wanted)
    ]
    wanted.refuse_unknown()
    frame = _long(tables)
    if frame.empty and wanted.wanted:
        wanted.refuse_none()
    if not wide:
        return frame if columns is None else _chosen(frame, columns)
    heads = with_headings(frame)
    keys = keys_of(frame, heads)
    table = _wide(frame.assign(column=heads), _columns_of(found), keys)
    return table if columns is None else table[_chosen_metrics(keys, columns)]


def no_scores() -> pd.DataFrame:
    """Return the table of `load_scores` without a row."""
    return _long([])


def iter_scores(
    path: str | PathLike[str] = "results",
    *,
    wide: bool = False,
    columns: Sequence[str] | None = None,
    filters: Mapping[str, str | Sequence[str]] | None = None,
) -> Iterator[pd.DataFrame]:
    """Read the scores of images, one dataset and method in memory at a time.

    Parameters
    ----------
    path, wide, columns, filters
        As for `load_scores`.

    Yields
    ------
    pandas.DataFrame
        Together they are what `load_scores` gives, in the same order. All have the same columns;
        without any rows there is one that is empty. Of the wide form, dataset, method and image
        are columns. For it the results are read twice, as all must be known to head the columns.

    Raises
    ------
    IqbenchError
        As `load_scores`; also where results change in between, so that a column has no heading.
        What filters ask for and is not there is known when all is read.
    """
    found = open_results(path).groups
    if not wide:
        for frame in _each_method(found, Filters.of(filters)):
            yield frame if columns is None else _chosen(frame, columns)
        return
    met: dict[tuple[str, str], None] = {}
    for frame in _each_method(found, Filters.of(filters)):
        pairs = combinations_of(frame, ["metric", "signature"])[1]
        met.update(dict.fromkeys(pairs.itertuples(index=False, name=None)))
    every = pd.DataFrame(list(met), columns=["metric", "signature"], dtype="category")
    heads = with_headings(every)
    of_pair = dict(zip(met, heads.astype(str), strict=True))
    keys, known = keys_of(every, heads), _columns_of(found)
    chosen = None if columns is None else _chosen_metrics(keys, columns)
    for frame in _each_method(found, Filters.of(filters)):
        number, pairs = combinations_of(frame, ["metric", "signature"])
        of_rows = list(pairs.itertuples(index=False, name=None))
        if not met.keys() >= set(of_rows):
            raise IqbenchError(
                f"{path} changed while it was read", hint="Try again when the other run is done"
            )
        own = pd.Categorical([of_pair[pair] for pair in of_rows])
        headed = frame.assign(column=own.take(number))
        table = _wide(headed, known, keys)
        yield (table if chosen is None else table[chosen]).reset_index()


def _each_method(found: list[Stored], wanted: Filters) -> Iterator[pd.DataFrame]:
    """Read the long form of each dataset and method, in the order of their names."""
    some = False
    for group in sorted(_selected(found, wanted), key=lambda one: (one.dataset, one.method)):
        rows = wanted.select(current_scores(group.scores, current_images(group.images)))
        if rows.num_rows:
            some = True
            yield _long([rows])
        del rows  # while the next ones are read
    wanted.refuse_unknown()
    if not some:
        if wanted.wanted:
            wanted.refuse_none()
        yield _long([])


def iter_references(path: str | PathLike[str] = "results") -> Iterator[pd.DataFrame]:
    """Read which reference each image was scored against, one dataset in memory at a time.

    Yields
    ------
    pandas.DataFrame
        What `iqbench.results.references.stale_among` needs of `load_images`.
    """
    of_dataset = _by_dataset(open_results(path).groups)
    for _, found in sorted(of_dataset.items()):
        yield _joined([_references(current_images(group.images)) for group in found])


def has_opinions(path: str | PathLike[str] = "results") -> bool:
    """Say whether the tables have an opinion of people of any image."""
    return any(
        current_images(group.images).column("mos").is_valid().to_numpy().any()
        for group in open_results(path).groups
    )


def joined_scores(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put scores of several datasets, at least of one, below each other; names are categories."""
    return _joined(list(frames))


def _by_dataset(found: Iterable[Stored]) -> dict[str, list[Stored]]:
    of_dataset: dict[str, list[Stored]] = {}
    for group in found:
        of_dataset.setdefault(group.dataset, []).append(group)
    return of_dataset


def _references(images: pa.Table) -> pd.DataFrame:
    return _frame([_with_coded_digests(images, _REFERENCES)], _REFERENCES, _REFERENCE, sort=False)


@dataclass(frozen=True)
class DatasetValues:
    """Values of one dataset, and its images.

    Attributes
    ----------
    scores, sets
        As `load_values` gives them.
    images
        Dataset, method, image, reference_digest, output_digest, bytes, error, written and the
        opinions of every image of every method, as `load_images` gives them, whatever the filters.
    """

    scores: pd.DataFrame
    sets: pd.DataFrame
    images: pd.DataFrame


class DatasetReader:
    """Reads the values of one dataset after the other.

    Parameters
    ----------
    path, filters
        As for `load_scores`.

    Raises
    ------
    IqbenchError
        As `load_scores`.
    """

    def __init__(
        self,
        path: str | PathLike[str] = "results",
        filters: Mapping[str, str | Sequence[str]] | None = None,
    ) -> None:
        self._wanted = Filters.of(filters)
        self._groups = open_results(path).groups
        self._of_dataset = _by_dataset(self._groups)
        self._some = False

    @cached_property
    def columns(self) -> Columns:
        """How the metrics of the whole folder are read, see `load_columns`."""
        return _columns_of(self._groups)

    @property
    def datasets(self) -> set[str]:
        """Names of all datasets, whatever the filters."""
        return set(self._of_dataset)

    @property
    def methods(self) -> set[str]:
        """Names of all methods, also of those without a value."""
        return {group.method for group in self._groups}

    def methods_of(self, dataset: str) -> set[str]:
        """Names of the methods of a dataset, whatever the filters."""
        return {group.method for group in self._of_dataset.get(dataset, [])}

    def read(self, dataset: str) -> DatasetValues:
        """Read what passes the filters; nothing where the dataset does not, or is not there."""
        scores, sets, images = [], [], []
        found = self._of_dataset.get(dataset, [])
        asked = bool(found) and self._wanted.admit("dataset", dataset)
        for group in found:
            taken = self._wanted.admit("method", group.method)
            if not asked:
                continue
            table = current_images(group.images)
            images.append(_files(table))
            if taken:
                rows = self._wanted.select(current_scores(group.scores, table))
                scores.append(_long([rows], sort=False))
                sets.append(_selected_sets(group, self._wanted, table))
        every = _joined(scores) if scores else _long([])
        keys = [*_IDENTITY, "metric", "signature"]
        every = every.sort_values(keys, kind="stable", ignore_index=True)
        wholes = _frame(sets, SETS, [*_SETS, "replicates"])
        self._some |= not (every.empty and wholes.empty)
        return DatasetValues(every, wholes, _joined(images) if images else _files(_NO_FILES))

    def refuse_unknown(self) -> None:
        """Raise where a filter named what was in no dataset that was read; call it at the end."""
        self._wanted.refuse_unknown()
        if not self._some and self._wanted.wanted:
            self._wanted.refuse_none()


def _files(images: pa.Table) -> pd.DataFrame:
    return _frame([_with_coded_digests(images, _FILES)], _FILES, _FILES.names, sort=False)


def load_values(path: str | PathLike[str] = "results") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read all values of images and of whole sets together.

    Parameters
    ----------
    path
        As for `load_scores`.

    Returns
    -------
    tuple
        Both as `load_scores` gives them; values of sets also have ``replicates``: the values
        without each group of images in turn, or None.

    Raises
    ------
    IqbenchError
        As `load_scores`.
    """
    scores, sets = [], []
    for group in open_results(path).groups:
        images = current_images(group.images)
        scores.append(current_scores(group.scores, images))
        sets.append(current_sets(group, images))
    return _long(scores), _frame(sets, SETS, [*_SETS, "replicates"])


def _load_sets(found: list[Stored], wanted: Filters) -> pd.DataFrame:
    """Read values of whole sets."""
    tables = [_selected_sets(one, wanted) for one in _selected(found, wanted)]
    wanted.refuse_unknown()
    frame = _frame(tables, SETS, _SETS)
    if frame.empty and wanted.wanted:
        wanted.refuse_none()
    return frame


def _load_groups(found: list[Stored], wanted: Filters) -> pd.DataFrame:
    """Read means over groups of images."""
    if "image" in wanted.wanted:
        raise IqbenchError(
            "a value of a group is of all its images",
            hint="Leave the filter of images out, or read values of images",
        )
    means = []
    some = False
    for one in sorted(_selected(found, wanted), key=lambda one: (one.dataset, one.method)):
        table = current_images(one.images)
        scores = _long([wanted.select(current_scores(one.scores, table))])
        some |= not scores.empty
        images = table.select([*_IDENTITY, "group"]).to_pandas()
        means.append(group_means(scores, images))
    wanted.refuse_unknown()
    if not some and wanted.wanted:
        wanted.refuse_none()
    filled = [frame for frame in means if not frame.empty] or means[:1]
    return _joined(filled) if filled else group_means(_long([]), _NO_IMAGES)


def iter_datasets(
    path: str | PathLike[str] = "results",
    *,
    filters: Mapping[str, str | Sequence[str]] | None = None,
    leading: Sequence[str] = (),
) -> Iterator[DatasetTables]:
    """Read a results folder, one dataset in memory at a time.

    Parameters
    ----------
    path, filters
        As for `load_scores`.
    leading
        Headings of metrics that come first in the order of columns.

    Yields
    ------
    DatasetTables
        One a wanted dataset, even where it has no rows that pass the filters.

    Raises
    ------
    IqbenchError
        As `load_scores`; that no row passes is known, and said, when all datasets are read.
    """
    wanted = Filters.of(filters)
    opened = open_results(path)
    columns = _columns_of(opened.groups).leading(leading)
    published = read_published(opened.path)
    some = False
    for dataset, found in _by_dataset(opened.groups).items():
        if not wanted.admit("dataset", dataset):
            continue
        tables = replace(
            _tables_of(dataset, found, wanted),
            columns=columns,
            task=_task_of(found),
            published=tuple(
                mean
                for mean in published
                if mean.dataset == dataset and wanted.admit("method", mean.method)
            ),
        )
        some |= not (tables.scores.empty and tables.sets.empty)
        yield tables
        del tables  # while the next one is read
    wanted.refuse_unknown()
    if not some and wanted.wanted:
        wanted.refuse_none()


def _tables_of(dataset: str, found: list[Stored], wanted: Filters) -> DatasetTables:
    """Read method by method: a frame takes half of the memory that its parts take."""
    images, scores, sets = [], [], []
    for group in found:
        table = current_images(group.images)
        images.append(_references(table))
        if wanted.admit("method", group.method):
            rows = wanted.select(current_scores(group.scores, table))
            scores.append(_long([rows], sort=False))
            sets.append(_selected_sets(group, wanted, table))
    every = _joined(scores) if scores else _long([])
    wholes = _frame(sets, SETS, _SETS)
    return DatasetTables(dataset, _without_failed_columns(every), _joined(images), wholes)


def _selected_sets(group: Stored, wanted: Filters, images: pa.Table | None = None) -> pa.Table:
    """Read the set values that pass the filters: none where single images are asked for."""
    table = current_sets(group, images)
    return table[:0] if "image" in wanted.wanted else wanted.select(table)


def _without_failed_columns(scores: pd.DataFrame) -> pd.DataFrame:
    """Leave out signatures that have errors only, where the metric has values of another one.

    A file that could not be read has its error under the signature of files that say nothing of
    their peak. Where all others of the dataset do say it, that is not a column to rank by.
    """
    group, first = combinations_of(scores, ["metric", "signature"])
    answered = scores["value"].notna().to_numpy(copy=True)
    failed = scores["error"][~answered]
    answered[~answered] = failed.str.startswith(UNDEFINED).fillna(False).to_numpy(dtype=bool)
    counts = np.bincount(group[answered], minlength=len(first))
    has_values = pd.Series(counts > 0, index=first.index)
    kept = has_values | ~has_values.groupby(first["metric"], observed=True).transform("any")
    return scores if kept.all() else scores[kept.to_numpy()[group]].reset_index(drop=True)


def _with_coded_digests(table: pa.Table, columns: pa.Schema) -> pa.Table:
    """Keep some columns; methods repeat the digests of references, so codes take less room."""
    place = table.schema.get_field_index("reference_digest")
    coded = table.column(place).dictionary_encode()
    field = columns.field("reference_digest")
    return table.set_column(place, field, coded).select(columns.names)


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Put frames of equal columns below each other; names stay categories."""
    for name in frames[0].columns:
        if isinstance(frames[0][name].dtype, pd.CategoricalDtype):
            every = [frame[name].cat.categories for frame in frames]
            known = every[0]
            # As a rule all methods have the same images, in the same order.
            if not all(known.equals(one) for one in every):
                known = pd.Index(dict.fromkeys(text for one in every for text in one))
                known = known.astype(every[0].dtype)
            for frame in frames:
                if not frame[name].cat.categories.equals(known):
                    frame[name] = frame[name].cat.set_categories(known)
    joined = pd.concat(frames, ignore_index=True)
    return _with_sorted_names(joined)


def _with_sorted_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort the categories, and leave out those that no row has."""
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            codes, names = frame[name].cat.codes.to_numpy(), frame[name].cat.categories
            used = np.zeros(len(names) + 1, dtype=bool)
            used[codes] = True  # the last stands for no name
            order = pc.array_sort_indices(pa.array(names, pa.string())).to_numpy()
            order = order[used[order]]
            place = np.full(len(names) + 1, -1, dtype=np.int32)
            place[order] = np.arange(len(order))
            frame[name] = pd.Categorical.from_codes(place[codes], categories=names.take(order))
    return frame


def load_images(path: str | PathLike[str] = "results") -> pd.DataFrame:
    """Read which files were scored, are to be, or could not be.

    Parameters
    ----------
    path
        The results folder.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, method and image, the newest; images that their dataset no longer has
        are left out. An ``error`` says why an image has no scores; ``written`` is when its row
        was written.

    Raises
    ------
    IqbenchError
        As `load_scores`.
    """
    names = _IMAGES.names
    tables = [current_images(group.images).select(names) for group in open_results(path).groups]
    return _frame(tables, _IMAGES, names)


def load_columns(path: str | PathLike[str] = "results") -> Columns:
    """Read what each metric says of its column: direction, decimals, role, margin, definition.

    Their order is that of tables: qualities, then statistics, then costs, each as they were asked
    for.
    """
    return _columns_of(open_results(path).groups)


def _task_of(found: list[Stored]) -> str:
    """Say what a dataset's methods restore, as the newest run did that said it."""
    task = newest = ""
    for group in found:
        for time, said in group.facts.tasks:
            if time >= newest:
                task, newest = said, time
    return task


def load_runs(path: str | PathLike[str] = "results") -> list[Manifest]:
    """Read what the runs were made with that left their rows here, oldest first."""
    runs = [
        run
        for group in open_results(path).groups
        for footer in group.footers()
        for run in footer.runs
    ]
    unique = {run.model_dump_json(): run for run in runs}
    return sorted(unique.values(), key=lambda run: run.time)


def with_headings(scores: pd.DataFrame, by: Sequence[str] = ()) -> pd.Series:
    """Say under which heading of a table each row of scores stands.

    Parameters
    ----------
    scores
        Long form.
    by
        Columns within whose values a metric needs only one signature to be headed by its name.

    Returns
    -------
    pandas.Series
        Categories, aligned with the rows: ``psnr``, or ``psnr [view=luma]`` where it has several.
    """
    group, first = combinations_of(scores, [*by, "metric", "signature"])
    heads = pd.Series(index=first.index, dtype=object)
    for _, part in first.groupby(list(by), sort=False, observed=True) if by else [((), first)]:
        kinds = [without_file(text) for text in part["signature"]]
        pairs = list(zip(part["metric"], kinds, strict=True))
        of_pair = headings(pairs)
        heads[part.index] = [of_pair[pair] for pair in pairs]
    code, names = pd.factorize(heads)
    return pd.Series(
        pd.Categorical.from_codes(code.astype(np.int32)[group], categories=pd.Index(names)),
        index=scores.index,
        name="column",
    )


def keys_of(scores: pd.DataFrame, heads: pd.Series) -> dict[str, Keys]:
    """Give metric and signature of each heading that is in use, as the first row has them.

    Parameters
    ----------
    scores
        Long form.
    heads
        As `with_headings` gives them.
    """
    met = ~heads.cat.codes.duplicated().to_numpy()
    first = scores.loc[met, ["metric", "signature"]].astype(str)
    return dict(zip(heads[met].astype(str), first.itertuples(index=False, name=None), strict=True))


def of_any_file(frame: pd.DataFrame) -> pd.DataFrame:
    """Return scores whose signatures do not say of which file a value was imported.

    Values of one metric that were imported from several files can then be compared.
    """
    if frame.empty or "signature" not in frame:
        return frame
    signatures = frame["signature"].astype("category")
    kinds = [without_file(str(text)) for text in signatures.cat.categories]
    if kinds == list(signatures.cat.categories):
        return frame
    named = dict(zip(signatures.cat.categories, kinds, strict=True))
    return frame.assign(signature=signatures.map(named).astype("category"))


def _selected(found: list[Stored], wanted: Filters) -> Iterator[Stored]:
    for group in found:
        dataset = wanted.admit("dataset", group.dataset)
        if wanted.admit("method", group.method) and dataset:
            yield group


def _columns_of(found: list[Stored]) -> Columns:
    columns: dict[str, ColumnInfo] = {}
    for group in found:
        columns.update(group.facts.columns)
    return Columns(dict(sorted(columns.items(), key=lambda item: _LAST.get(item[1].role, 0))))


def _long(tables: list[pa.Table], *, sort: bool = True) -> pd.DataFrame:
    return _frame([table.select(_LONG) for table in tables], SCORES, _LONG, sort=sort)


def _frame(
    tables: list[pa.Table], schema: pa.Schema, names: list[str], *, sort: bool = True
) -> pd.DataFrame:
    bare = [table.select(names).replace_schema_metadata(None) for table in tables]
    together = pa.concat_tables([schema.empty_table().select(names), *bare])
    frame: pd.DataFrame = together.unify_dictionaries().to_pandas(types_mapper=_INTEGERS.get)
    if not sort:
        return frame
    frame = _with_sorted_names(frame)
    keys = [name for name in (*_IDENTITY, "metric", "signature") if name in names]
    return frame.sort_values(keys, kind="stable", ignore_index=True)


def _wide(headed: pd.DataFrame, known: Columns, keys: Mapping[str, Keys]) -> pd.DataFrame:
    heads = known.ordered(keys)
    images = headed.groupby(_IDENTITY, observed=True, sort=True)
    row = images.ngroup().to_numpy()
    index = images.size().index
    table = pd.DataFrame(index=index, columns=heads, dtype="float64")
    values = table.to_numpy(copy=True)
    place = {head: number for number, head in enumerate(heads)}
    column = headed["column"].cat
    at = column.categories.map(place).to_numpy()[column.codes.to_numpy()]
    values[row, at] = headed["value"].to_numpy()
    return pd.DataFrame(values, index=index, columns=table.columns)


def _chosen_metrics(keys: Mapping[str, Keys], columns: Sequence[str]) -> list[str]:
    """Name the columns of the wide form that selectors mean, in their order."""
    chosen: dict[str, None] = {}
    for text in columns:
        meant = select(text, keys)
        if not meant:
            raise refusal(Selector.of(text), keys.values(), "column")
        chosen |= dict.fromkeys(meant)
    return list(chosen)


def _chosen(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    for name in columns:
        if name not in frame.columns:
            unknown = unknown_name("column", name, [str(known) for known in frame.columns])
            raise IqbenchError(
                unknown.message,
                hint=f"{unknown.hint}. Only the wide form has metrics as columns; here a filter "
                "of metric chooses rows",
            )
    return frame[list(columns)]
