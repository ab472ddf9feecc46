"""Update a baseline from results, and count the changed values."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from iqbench.document.text import plural
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.gate.compared_scores import ComparedFolders
from iqbench.gate.matching import Scored
from iqbench.results.columns import Columns
from iqbench.results.current import groups
from iqbench.results.opened import open_results
from iqbench.results.read import DatasetReader
from iqbench.results.text_baseline import is_text_baseline, results_folder, text_of_tables
from iqbench.stats.gains import equal_values
from iqbench.user_files import write_file

__all__ = ["Updated", "new_baseline", "update_baseline"]

_METHOD = ["dataset", "method"]
_IMAGE_VALUE = [*_METHOD, "image", "metric", "signature"]
_SET_VALUE = [*_METHOD, "metric", "signature"]
_KINDS = ("images", "scores", "sets")


@dataclass(frozen=True)
class Updated:
    """The numbers of changed and unchanged values of a baseline.

    Attributes
    ----------
    same, changed, added, dropped
        Numbers of values that are equal to 9 digits, that differ, that are new, and that are gone.
    """

    same: int = 0
    changed: int = 0
    added: int = 0
    dropped: int = 0

    def __add__(self, other: Updated) -> Updated:
        return Updated(
            self.same + other.same,
            self.changed + other.changed,
            self.added + other.added,
            self.dropped + other.dropped,
        )

    def __str__(self) -> str:
        counts = {
            "changed": self.changed,
            "added": self.added,
            "dropped": self.dropped,
            "same": self.same,
        }
        return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def new_baseline(baseline: Path, results: Path) -> Updated:
    """Write all results as a new baseline.

    Parameters
    ----------
    baseline
        The place of the baseline: a text file if its name ends with ``.jsonl``, else a folder.
    results
        A results folder.

    Raises
    ------
    IqbenchError
        If the results cannot be read or have no value, or the baseline cannot be written.
    """
    with results_folder(results) as folder:
        reader = DatasetReader(open_results(folder))
        taken: set[tuple[str, str]] = set()
        lacking = added = 0
        for dataset in sorted(reader.datasets):
            side = _scored(reader, dataset)
            taken |= _methods_of(side)
            values = len(_values(side.scores)) + len(_values(side.sets))
            lacking += len(side.scores) + len(side.sets) - values
            added += values
            del side  # free the memory while the next dataset is read
        if lacking:
            warnings.warn(
                f"{results} lacks {plural(lacking, 'value')}: undefined, or not computed because "
                "of an error. The baseline is without them, so that later checks do not miss them",
                IqbenchWarning,
                stacklevel=2,
            )
        if not added:
            raise _no_values(results)
        if is_text_baseline(baseline):
            datasets = sorted(reader.datasets)
            parts = partial(map, partial(_scored, reader), datasets)
            _write_text(baseline, parts, reader.columns)
        else:
            _copy_methods(folder, baseline, taken, set())
    return Updated(added=added)


def update_baseline(baseline: Path, results: Path, compared: ComparedFolders) -> Updated:
    """Replace the compared methods of a baseline with those of the results.

    Methods and datasets that were not compared do not change. In a text baseline, values that are
    equal to 9 digits keep their digits, so that a diff shows only real changes. One dataset is in
    memory at a time.

    Parameters
    ----------
    baseline
        A results folder, or a text baseline.
    results
        The candidate, likewise.
    compared
        The compared scores, of whole methods, without a filter by metric.

    Raises
    ------
    IqbenchError
        If no value would be left, or the baseline cannot be written.
    """
    counts = Updated()
    before: set[tuple[str, str]] = set()
    taken: set[tuple[str, str]] = set()
    for dataset in compared.datasets:
        old, now = compared.read(dataset)
        before |= _methods_of(old)
        taken |= _methods_of(now)
        counts += _steady(old.scores, now.scores, _IMAGE_VALUE)[1]
        counts += _steady(old.sets, now.sets, _SET_VALUE)[1]
        del old, now  # free the memory while the next dataset is read
    joined = _Joined(compared, before | taken, taken)
    some = counts.same + counts.changed + counts.added > 0
    if not some and not any(_has_values(joined.kept(dataset)) for dataset in compared.all_datasets):
        raise _no_values(results)
    if is_text_baseline(baseline):
        _write_text(baseline, joined.parts, compared.columns)
    else:
        _copy_methods(compared.folders[1].path, baseline, taken, before - taken)
    return counts


@dataclass(frozen=True)
class _Joined:
    """The content of the new baseline: compared methods of the results, others of the baseline.

    Attributes
    ----------
    compared
        The two sides.
    replaced
        Datasets and methods that were compared.
    taken
        Datasets and methods of the candidate among them.
    """

    compared: ComparedFolders
    replaced: set[tuple[str, str]]
    taken: set[tuple[str, str]]

    def parts(self) -> Iterator[Scored]:
        """Read each dataset."""
        for dataset in self.compared.all_datasets:
            yield self._part(dataset)

    def kept(self, dataset: str) -> Scored:
        """Read the methods of a dataset in the baseline that were not compared."""
        return _without(self.compared.whole(0, dataset), self.replaced)

    def _part(self, dataset: str) -> Scored:
        kept = self.kept(dataset)
        if dataset not in self.compared.datasets:
            return kept
        old, now = self.compared.read(dataset)
        return Scored(
            _below(kept.scores, _steady(old.scores, now.scores, _IMAGE_VALUE)[0]),
            _below(kept.images, _of(now.images, self.taken)),
            sets=_below(kept.sets, _steady(old.sets, now.sets, _SET_VALUE)[0]),
        )


def _below(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([first.astype(object), second.astype(object)], ignore_index=True)


def _scored(reader: DatasetReader, dataset: str) -> Scored:
    found = reader.read(dataset)
    return Scored(found.scores, found.images, sets=found.sets)


def _has_values(side: Scored) -> bool:
    return bool(len(_values(side.scores)) or len(_values(side.sets)))


def _no_values(results: Path) -> IqbenchError:
    return IqbenchError(
        f"{results} holds no values for a baseline", hint="Score outputs: iqbench evaluate"
    )


def _write_text(baseline: Path, parts: Callable[[], Iterable[Scored]], columns: Columns) -> None:
    text = text_of_tables(lambda: ((one.scores, one.sets, one.images) for one in parts()), columns)
    write_file(baseline, text.encode(), hint="Choose another place for the baseline")


def _steady(
    old: pd.DataFrame, now: pd.DataFrame, identity: list[str]
) -> tuple[pd.DataFrame, Updated]:
    """Return the new values, with the old digits if they are equal, and the counts."""
    before = _values(old)[[*identity, "value"]].astype(dict.fromkeys(identity, object))
    after = _values(now).astype(dict.fromkeys(identity, object))
    both = after.merge(before, on=identity, how="left", suffixes=("", "_before"))
    there = both["value_before"].notna()
    equal = there & equal_values(
        both["value"].to_numpy(np.float64), both["value_before"].to_numpy(np.float64)
    )
    both["value"] = both["value_before"].where(equal, both["value"])
    known = int(there.sum())
    counted = Updated(
        same=int(equal.sum()),
        changed=known - int(equal.sum()),
        added=len(after) - known,
        dropped=len(before) - known,
    )
    return both.drop(columns="value_before"), counted


def _values(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["value"].notna()]


def _methods_of(side: Scored) -> set[tuple[str, str]]:
    return {
        (str(dataset), str(method))
        for table in (side.scores, side.sets)
        for dataset, method in table[_METHOD].drop_duplicates().itertuples(index=False)
    }


def _of(table: pd.DataFrame, methods: Iterable[tuple[str, str]]) -> pd.DataFrame:
    return table[_among(table, methods)]


def _without(side: Scored, methods: Iterable[tuple[str, str]]) -> Scored:
    named = list(methods)
    scores, images, sets = (
        table[~_among(table, named)] for table in (side.scores, side.images, side.sets)
    )
    return replace(side, scores=scores, images=images, sets=sets)


def _among(table: pd.DataFrame, methods: Iterable[tuple[str, str]]) -> pd.Series:
    wanted = set(methods)
    pairs = zip(table["dataset"].astype(str), table["method"].astype(str), strict=True)
    return pd.Series([pair in wanted for pair in pairs], index=table.index, dtype=bool)


def _copy_methods(
    results: Path, baseline: Path, taken: set[tuple[str, str]], gone: set[tuple[str, str]]
) -> None:
    """Replace the tables of some methods in a results folder by those of another one."""
    try:
        for group in groups(results):
            if (group.dataset, group.method) in taken:
                for kind in _KINDS:
                    place = Path(kind, *group.images.folder.parts[-2:])
                    _copy_folder(results / place, baseline / place)
        if gone:
            for group in groups(baseline):
                if (group.dataset, group.method) in gone:
                    for table in (group.scores, group.sets, group.images):
                        shutil.rmtree(table.folder, ignore_errors=not table.folder.exists())
    except OSError as error:
        raise IqbenchError(
            f"cannot write the baseline {baseline}: {error.strerror or error}",
            hint="Check its permissions and the free space, then update it again",
        ) from error


def _copy_folder(source: Path, target: Path) -> None:
    """Replace a folder by a copy of another one; the old one stays until the copy is complete."""
    if not source.is_dir():
        if target.is_dir():
            shutil.rmtree(target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as name:
        copied, old = Path(name) / "new", Path(name) / "old"
        shutil.copytree(source, copied, ignore=shutil.ignore_patterns(".*"))
        if target.is_dir():
            target.rename(old)
        copied.rename(target)
