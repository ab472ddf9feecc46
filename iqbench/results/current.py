"""Choose the current rows: the newest ones, and of scores those of the present files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.results.parts import TableParts, last_rows, list_parts
from iqbench.results.pending import hidden
from iqbench.results.schema import (
    NOT_SCORED_YET,
    REMOVED,
    SCHEMAS,
    UNDEFINED,
    ColumnInfo,
    Footer,
    bitstream_mark,
)

__all__ = [
    "Stored",
    "current_images",
    "current_scores",
    "groups",
    "of_current_files",
    "of_images",
    "refuse_later",
    "scored_images",
    "still_current",
]


@dataclass(frozen=True)
class StoredFacts:
    """What tables of one dataset and method say of themselves.

    Attributes
    ----------
    columns
        How metrics are read.
    tasks
        When the newest run began, and what it restores, of each table that says it.
    """

    columns: Mapping[str, ColumnInfo]
    tasks: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Stored:
    """One dataset and method of a results folder, and its tables.

    Attributes
    ----------
    dataset, method
        Their names.
    images, scores, sets
        The parts of each table.
    """

    dataset: str
    method: str
    images: TableParts
    scores: TableParts
    sets: TableParts

    @property
    def tables(self) -> tuple[TableParts, TableParts, TableParts]:
        """All its tables."""
        return self.images, self.scores, self.sets

    @cached_property
    def facts(self) -> StoredFacts:
        """What its footers say of columns and tasks."""
        columns: dict[str, ColumnInfo] = {}
        tasks = []
        for footer in self.footers():
            columns.update(footer.columns)
            if footer.task:
                tasks.append((max((run.time for run in footer.runs), default=""), footer.task))
        return StoredFacts(columns, tuple(tasks))

    def footers(self) -> Iterator[Footer]:
        """Give what the parts of each table say about runs and columns."""
        for table in self.tables:
            footer = table.footer()
            if footer is not None:
                yield footer


def groups(root: Path) -> list[Stored]:
    """List the datasets and methods of a store, by its ``images`` folder.

    Raises
    ------
    IqbenchError
        Where there are no results, or one dataset and method lies in two folders.
    """
    found: dict[tuple[str, str], Stored] = {}
    left_out = hidden(root)
    for folder in sorted((root / "images").glob("*/*")):
        images = TableParts(folder, "images")
        footer = images.footer()
        if footer is None:
            continue
        place = folder.relative_to(root / "images")
        scores = TableParts(root / "scores" / place, "scores")
        sets = TableParts(root / "sets" / place, "sets")
        group = Stored(footer.dataset, footer.method, images, scores, sets)
        if (group.dataset, group.method) in left_out:
            continue
        other = found.setdefault((group.dataset, group.method), group)
        if other is not group:
            raise IqbenchError(
                f"{other.images.folder} and {folder} both hold method {group.method!r} "
                f"on dataset {group.dataset!r}",
                hint="Move one of them out of the results folder",
            )
    if not found:
        raise _no_results(root)
    return list(found.values())


def _no_results(root: Path) -> IqbenchError:
    if not root.is_dir():
        problem = f"there is no results folder {root}"
    elif any(list_parts(folder) for folder in (root / "scores").glob("*/*")):
        problem = f"{root / 'images'} is missing or empty, so no score in {root} can be traced"
    else:
        problem = f"there are no results in {root}"
    return IqbenchError(
        problem,
        hint="Make some: iqbench evaluate --method DIR --reference DIR, or try iqbench demo",
    )


def current_images(images: TableParts, *, drop_removed: bool = True) -> pa.Table:
    """Read the newest row of every image of one dataset and method, and when it was written.

    Parameters
    ----------
    images
        The table of its images.
    drop_removed
        Whether to leave out images that their dataset no longer has.
    """
    table = last_rows(images.rows(written=True), "images")
    if not drop_removed:
        return table
    gone = pc.fill_null(pc.starts_with(table.column("error"), REMOVED), False)
    return table.filter(pc.invert(gone))


def current_scores(scores: TableParts, images: pa.Table) -> pa.Table:
    """Read the newest rows whose files are those of the image's row.

    Parameters
    ----------
    scores
        The table of its values.
    images
        `current_images` of the same dataset and method.

    Returns
    -------
    pyarrow.Table
        Values of images only. Rows of an image that is unknown, removed, announced but not scored,
        or whose files were others, are left out.
    """
    return of_current_files(of_images(last_rows(scores.rows(), "scores")), images)


def scored_images(group: Stored) -> tuple[pa.Table, pa.Array]:
    """Read the newest row of every image, and whether it counts as scored.

    As for `iqbench evaluate`: both files could be read, no metric failed, and there is some value,
    unless no value of single images was asked for.

    Returns
    -------
    tuple
        `current_images`, and a Boolean for each.
    """
    images = current_images(group.images)
    scores = current_scores(group.scores, images)
    is_value = pc.is_valid(scores.column("value"))
    failed = pc.and_(
        pc.invert(is_value),
        pc.invert(pc.fill_null(pc.starts_with(scores.column("error"), UNDEFINED), False)),
    )
    names = pc.cast(images.column("image"), pa.string())

    def having(rows: pa.Array) -> pa.Array:
        found = pc.cast(scores.filter(rows).column("image"), pa.string())
        return pc.is_in(names, value_set=pc.unique(found))

    asked = having(pc.or_(is_value, pc.invert(is_value)))
    sound = pc.and_(pc.is_valid(images.column("output_digest")), pc.is_null(images.column("error")))
    valued = pc.and_(having(is_value), pc.invert(having(failed)))
    return images, pc.and_(sound, pc.or_(valued, pc.invert(asked)))


def of_images(table: pa.Table) -> pa.Table:
    """Keep the values of single images, in one chunk per column."""
    there = pc.equal(table.column("scope"), "image")
    if pc.all(there, min_count=0).as_py():
        return table
    return table.filter(there).combine_chunks()


def of_current_files(table: pa.Table, images: pa.Table) -> pa.Table:
    """Keep the rows of scores whose files are those of the image's row.

    These are both images, the output alone, or the bitstream.

    Parameters
    ----------
    table
        Scores of one dataset and method, in one chunk per column.
    images
        `current_images` of the same dataset and method.
    """
    if table.num_rows == 0:
        return table
    announced = pc.fill_null(pc.equal(images.column("error"), NOT_SCORED_YET), False)
    images = images.filter(pc.invert(announced))
    # Looked up once for each name in the dictionary, then spread over the rows.
    column = table.column("image").chunk(0)
    names = pc.cast(images.column("image"), pa.string())
    row = pc.take(pc.index_in(column.dictionary, value_set=names.combine_chunks()), column.indices)
    pair = pc.take(images.column("pair"), row)
    digest = pc.take(images.column("output_digest"), row)
    alone = pc.binary_join_element_wise("o", pc.utf8_slice_codeunits(digest, 0, 15), "")
    bitstream = pc.take(_bitstreams(images), row)
    mine = table.column("pair")
    # An error of files that cannot be read has none to be named by; a value always has.
    unread = pc.and_(pc.is_null(table.column("value")), pc.and_(pc.is_null(mine), pc.is_null(pair)))
    files = (pc.fill_null(pc.equal(mine, theirs), False) for theirs in (pair, alone, bitstream))
    same = reduce(pc.or_, files, unread)
    return table.filter(pc.and_(pc.is_valid(row), same)).combine_chunks()


def still_current(images: TableParts, scores: pa.Table) -> pa.Table:
    """Keep what is current, and all values of groups: of these, this release knows no better.

    Parameters
    ----------
    images
        The table of images of a dataset and method.
    scores
        Its scores, in one chunk per column.
    """
    current = of_current_files(of_images(scores), current_images(images))
    others = scores.filter(pc.not_equal(scores.column("scope"), "image"))
    if others.num_rows == 0:
        return current
    return pa.concat_tables([others, current]).unify_dictionaries().combine_chunks()


def refuse_later(group: Stored) -> None:
    """Refuse tables with columns of a later release: they would be lost when written again.

    Raises
    ------
    IqbenchError
        Naming the part and the columns.
    """
    for table in group.tables:
        for part in table.paths():
            with table.open(part) as (file, _):
                unknown = set(file.schema_arrow.names) - set(SCHEMAS[table.kind].names)
            if unknown:
                raise IqbenchError(
                    f"{part} has columns that this release does not know: "
                    f"{', '.join(sorted(unknown))}",
                    hint="Do this with the release of iqbench that wrote it, or a later one",
                )


def _bitstreams(images: pa.Table) -> pa.Array:
    """Return the `bitstream_mark` of every image; as a rule, there is none."""
    digests = images.column("bitstream_digest")
    if digests.null_count == len(digests):
        return pa.nulls(len(digests), pa.string())
    facts = (images.column(name).to_pylist() for name in ("bitstream_digest", "height", "width"))
    return pa.array([bitstream_mark(*row) for row in zip(*facts, strict=True)], pa.string())
