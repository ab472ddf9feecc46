"""Merge results folders, such as those of shards, into a new folder with every row once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqbench.errors import IqbenchError
from iqbench.results.current import (
    Stored,
    current_images,
    groups,
    of_current_files,
    refuse_later,
)
from iqbench.results.extractor_files import extractor_folders
from iqbench.results.features import FeatureTable
from iqbench.results.moments import MomentTable
from iqbench.results.parts import TableParts, last_rows
from iqbench.results.published import PublishedMean, add_published, read_published
from iqbench.results.schema import (
    ANY_MEMBERS,
    FORMAT,
    NOT_SCORED_YET,
    REMOVED,
    REPLACED,
    SCHEMAS,
    Footer,
    Kind,
)
from iqbench.results.sets import copy_reference_sets, members_digest, set_table
from iqbench.results.store import Store

__all__ = ["Keep", "Merged", "merge_results"]

Keep = Literal["first", "last"]
"""Which row is kept if two folders differ: that of the folder named first, or last."""

_INTEGERS = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
_EQUAL = 1e-9
"""Values closer than this, relatively, are sums of the same in another order."""

_CURRENT = 3
"""Rank of a value of a set that is of the images that there are."""

_FILES = ("reference_digest", "output_digest")


@dataclass(frozen=True)
class Merged:
    """What a merge wrote.

    Attributes
    ----------
    images, scores
        How many rows.
    upgraded
        Whether tables of an earlier format went into it.
    differing
        What differed, where `keep` decided.
    """

    images: int
    scores: int
    upgraded: bool
    differing: list[str] = field(default_factory=list)


def merge_results(folders: Sequence[Path], output: Path, *, keep: Keep | None = None) -> Merged:
    """Write what some results folders have into a new one, in the current format.

    An image that one folder scored and another lacks, or could not score, is taken from the first;
    so is a value. Features, moments of sets and published means are merged too. Values of sets are
    copied; those whose images are now others are stale until they are closed again.

    Parameters
    ----------
    folders
        At least two.
    output
        Must not be there yet, or be empty. It appears whole or not at all.
    keep
        Whose row is taken where folders have other files of an image, or other values of the same
        files. Without it that is an error.

    Raises
    ------
    IqbenchError
        If the folders differ and nothing says what to take, one cannot be read or was written by a
        later release, or the output is there.
    """
    _check_places(folders, output)
    by_key: dict[tuple[str, str], list[Stored]] = {}
    for folder in folders:
        for group in groups(folder):
            refuse_later(group)
            by_key.setdefault((group.dataset, group.method), []).append(group)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    except OSError as error:
        raise _unwritable(output, error) from error
    try:
        merger = _Merger(Store(stage), keep)
        for key in sorted(by_key):
            merger.merge(by_key[key])
        for folder in folders:
            _merge_extracted(folder, stage)
            copy_reference_sets(folder, stage)
        add_published(stage, merger.published(folders))
        stage.chmod(0o777 & ~_umask())
        if output.is_dir():
            output.rmdir()
        stage.replace(output)
    except OSError as error:
        raise _unwritable(output, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return Merged(merger.images, merger.scores, merger.upgraded, merger.differing)


def _unwritable(output: Path, error: OSError) -> IqbenchError:
    return IqbenchError(
        f"cannot write {output}: {error.strerror or error}", hint="Choose another -o FOLDER"
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _check_places(folders: Sequence[Path], output: Path) -> None:
    places = [folder.resolve() for folder in folders]
    if len(set(places)) < len(places) or len(places) < 2:
        raise IqbenchError(
            "a merge takes two or more different results folders", hint="Name each folder once"
        )
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise IqbenchError(
            f"{output} already exists", hint="Give a new folder with -o, e.g. -o merged"
        )


class _Merger:
    """Merges one dataset and method after the other."""

    def __init__(self, store: Store, keep: Keep | None) -> None:
        self._store = store
        self._keep = keep
        self.images = self.scores = 0
        self.upgraded = False
        self.differing: list[str] = []

    def merge(self, sides: Sequence[Stored]) -> None:
        images = self._images(sides)
        chosen = _table(images, "images")
        self._write([side.images for side in sides], chosen)
        scores = self._scores(sides, chosen)
        self._write([side.scores for side in sides], scores)
        self._write([side.sets for side in sides], self._sets(sides, chosen))
        self.images += chosen.num_rows
        self.scores += scores.num_rows

    def _write(self, tables: Sequence[TableParts], table: pa.Table) -> None:
        footers = [footer for one in tables if (footer := one.footer()) is not None]
        if not footers or table.num_rows == 0:
            return
        self.upgraded |= any(footer.format < FORMAT for footer in footers)
        footer = replace(Footer.united(footers), format=FORMAT)
        kind = tables[0].kind
        self._store.table(kind, footer.dataset, footer.method).write(table, footer)

    def _images(self, sides: Sequence[Stored]) -> pd.DataFrame:
        """Take each image from the side that knows most of it."""
        frames = [_frame(current_images(side.images, drop_removed=False)) for side in sides]
        every = pd.concat(
            [one.assign(side=place) for place, one in enumerate(frames)], ignore_index=True
        )
        known = every["output_digest"].notna()
        every["rank"] = np.select(
            [known & every["error"].isna(), known, every["error"] != NOT_SCORED_YET], [3, 2, 1], 0
        )
        self._compare_files(sides, every[every["output_digest"].notna()])
        every["order"] = every["side"] if self._keep == "last" else -every["side"]
        best = every.sort_values(["rank", "order"], kind="stable")
        return best.drop_duplicates("image", keep="last").sort_values("image", ignore_index=True)

    def _compare_files(self, sides: Sequence[Stored], images: pd.DataFrame) -> None:
        """Tell where two folders have other files of the same image."""
        counts = images.groupby("image")[list(_FILES)].nunique()
        for column in _FILES:
            differ = counts.index[counts[column] > 1]
            if len(differ):
                what = "reference" if column == "reference_digest" else "output"
                self._differ(
                    sides, f"other {what} files for {len(differ)} images, first {differ[0]}"
                )

    def _scores(self, sides: Sequence[Stored], images: pa.Table) -> pa.Table:
        """Take each value that is of the files of the chosen images."""
        tables = []
        for side in sides:
            rows = last_rows(side.scores.rows(), "scores")
            whole = pc.equal(rows.column("scope"), "image")
            current = of_current_files(rows.filter(whole).combine_chunks(), images)
            tables.append(_concatenated([current, rows.filter(pc.invert(whole))]))
        frames = [one.to_pandas(types_mapper=_INTEGERS.get) for one in tables]
        every = pd.concat(
            [_plain(one).assign(side=place) for place, one in enumerate(frames)],
            ignore_index=True,
        )
        identity = ["image", "metric", "signature", "scope"]
        values = every[every["value"].notna()]
        bounds = values.groupby(identity)["value"].agg(["min", "max"])
        apart = bounds[~np.isclose(bounds["min"], bounds["max"], rtol=_EQUAL, atol=1e-12)]
        if len(apart):
            image, metric, *_ = apart.index[0]
            low, high = apart.iloc[0]
            self._differ(
                sides,
                f"different values of the same files: {len(apart)} of them, first {metric} of "
                f"{image}, {low!r} and {high!r}",
            )
        every["order"] = every["side"] if self._keep == "last" else -every["side"]
        every["known"] = every["value"].notna()
        best = every.sort_values(["known", "order"], kind="stable")
        best = best.drop_duplicates(identity, keep="last").sort_values(identity, ignore_index=True)
        return _table(best, "scores")

    def _sets(self, sides: Sequence[Stored], images: pa.Table) -> pa.Table:
        """Take each value of a set from a side where it is of the images that there are now."""
        gone = pc.fill_null(pc.starts_with(images.column("error"), REMOVED), False)
        there = images.filter(pc.invert(gone))
        now = {members_digest(there, outputs_alone=alone) for alone in (False, True)}
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for side in sides if self._keep == "last" else list(sides)[::-1]:
            for row in last_rows(side.sets.rows(), "sets").to_pylist():
                other = found.get((row["metric"], row["signature"]))
                ranks = [_rank_of_set(one, now) for one in (other, row)]
                if (
                    other is not None
                    and min(ranks) == _CURRENT
                    and not np.isclose(other["value"], row["value"], rtol=_EQUAL, atol=1e-12)
                ):
                    values = f"{other['value']!r} and {row['value']!r}"
                    self._differ(sides, f"other values of {row['metric']}: {values}")
                if ranks[1] >= ranks[0]:
                    found[row["metric"], row["signature"]] = row
        return set_table(list(found.values()))

    def published(self, folders: Sequence[Path]) -> list[PublishedMean]:
        """Return the published means of all folders, each once."""
        found: dict[tuple[str, str, str, str], tuple[Path, PublishedMean]] = {}
        for folder in folders:
            for mean in read_published(folder):
                other, known = found.get(mean.key, (folder, mean))
                if known != mean:
                    what = f"published means of {mean.metric}: {known.value!r} and {mean.value!r}"
                    self._decide(mean.dataset, mean.method, (other, folder), f"other {what}")
                if mean.key not in found or self._keep == "last":
                    found[mean.key] = folder, mean
        return [mean for _, mean in found.values()]

    def _differ(self, sides: Sequence[Stored], what: str) -> None:
        first = sides[0]
        roots = [side.images.folder.parents[2] for side in sides]
        self._decide(first.dataset, first.method, roots, what)

    def _decide(self, dataset: str, method: str, roots: Sequence[Path], what: str) -> None:
        """Refuse to merge what differs, or tell whose was taken."""
        said = f"method {method!r} on {dataset!r}: {', '.join(map(str, roots))} have {what}"
        if self._keep is None:
            raise IqbenchError(
                said,
                hint="Say which folder's rows to take: --keep first or --keep last; or merge "
                "methods under names of their own",
            )
        self.differing.append(f"{said}; taken from the folder named {self._keep}")


def _rank_of_set(row: Mapping[str, Any] | None, now: Collection[str]) -> int:
    """Say which of two rows of a value of a set is to be taken: the one of the higher rank."""
    if row is None or row["members"] == REPLACED:
        return 0
    if row["members"] not in now and row["members"] != ANY_MEMBERS:
        return 1
    return 2 if row["value"] is None else _CURRENT


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Take names as objects: the categories of two tables do not join."""
    names = [name for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    return frame.astype(dict.fromkeys(names, object))


def _frame(table: pa.Table) -> pd.DataFrame:
    return _plain(table.to_pandas(types_mapper=_INTEGERS.get))


def _concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    bare = [table.replace_schema_metadata(None) for table in tables]
    return pa.concat_tables(bare).unify_dictionaries().combine_chunks()


def _table(frame: pd.DataFrame, kind: Kind) -> pa.Table:
    arrays = []
    for column in SCHEMAS[kind]:
        values = frame[column.name]
        if pa.types.is_dictionary(column.type):
            texts = pa.array(values.astype(object), pa.string(), from_pandas=True)
            arrays.append(texts.dictionary_encode().cast(column.type))
        else:
            arrays.append(pa.array(values, column.type, from_pandas=True))
    return pa.table(arrays, schema=SCHEMAS[kind])


def _merge_extracted(source: Path, target: Path) -> None:
    """Copy the features of images, and the moments of sets, that the target lacks."""
    for folder, text in extractor_folders(source, "features"):
        FeatureTable(target, text).take(folder)
    for folder, text in extractor_folders(source, "moments"):
        MomentTable(target, text).take(folder)
