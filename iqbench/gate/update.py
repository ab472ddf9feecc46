"""Make a baseline what the results are now, and say how much changed."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from iqbench.document.text import plural
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.gate.compared_scores import ComparedScores, read_scored
from iqbench.gate.matching import Scored
from iqbench.results.current import groups
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
    """How many values of a baseline are others now.

    Attributes
    ----------
    same, changed, added, dropped
        Values that are equal to 9 digits, that are not, that the baseline lacked, and that it had.
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
    """Write all of the results as a baseline that is not there yet.

    Parameters
    ----------
    baseline
        Becomes a text if its name ends in ``.jsonl``, else a results folder.
    results
        A results folder.

    Raises
    ------
    IqbenchError
        Where the results cannot be read or hold no value, or the baseline cannot be written.
    """
    now = read_scored(results)
    lacking = len(now.scores) + len(now.sets) - len(_values(now.scores)) - len(_values(now.sets))
    if lacking:
        warnings.warn(
            f"{results} lacks {plural(lacking, 'value')}, which are undefined or could not be "
            "computed. The baseline is without them, so that later checks do not miss them",
            IqbenchWarning,
            stacklevel=2,
        )
    _write(baseline, results, now, _methods_of(now))
    return Updated(added=len(_values(now.scores)) + len(_values(now.sets)))


def update_baseline(baseline: Path, results: Path, sides: ComparedScores) -> Updated:
    """Let the methods that were compared be in the baseline as they are in the results.

    Methods and datasets that were not compared stay as they are. Of a text, values that are equal
    to 9 digits keep their digits, so that a diff shows what changed and nothing else.

    Parameters
    ----------
    baseline
        A results folder, or a text.
    results
        The candidate, likewise.
    sides
        What was compared, of whole methods: not of single metrics.

    Raises
    ------
    IqbenchError
        Where no value would be left, or the baseline cannot be written.
    """
    old, now = sides.baseline, sides.candidate
    taken = _methods_of(now)
    whole = read_scored(baseline)
    kept = _without(whole, _methods_of(old) | taken)
    scores, of_images = _steady(old.scores, now.scores, _IMAGE_VALUE)
    sets, of_sets = _steady(old.sets, now.sets, _SET_VALUE)
    joined = Scored(
        pd.concat([kept.scores.astype(object), scores.astype(object)], ignore_index=True),
        pd.concat(
            [kept.images.astype(object), _of(now.images, taken).astype(object)], ignore_index=True
        ),
        sides.columns,
        pd.concat([kept.sets.astype(object), sets.astype(object)], ignore_index=True),
    )
    _write(baseline, results, joined, taken, _methods_of(old) - taken)
    return of_images + of_sets


def _steady(
    old: pd.DataFrame, now: pd.DataFrame, identity: list[str]
) -> tuple[pd.DataFrame, Updated]:
    """Give the new values, with the old digits where they are equal, and count them."""
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


def _write(
    baseline: Path,
    results: Path,
    tables: Scored,
    taken: set[tuple[str, str]],
    gone: Iterable[tuple[str, str]] = (),
) -> None:
    if not len(_values(tables.scores)) and not len(_values(tables.sets)):
        raise IqbenchError(
            f"{results} holds no values for a baseline", hint="Score outputs: iqbench evaluate"
        )
    if is_text_baseline(baseline):
        text = text_of_tables(tables.scores, tables.sets, tables.images, tables.columns)
        write_file(baseline, text.encode(), hint="Choose another place for the baseline")
        return
    with results_folder(results) as folder:
        _copy_methods(folder, baseline, taken, set(gone))


def _copy_methods(
    results: Path, baseline: Path, taken: set[tuple[str, str]], gone: set[tuple[str, str]]
) -> None:
    """Replace the tables of some methods of a results folder by those of another one."""
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
    """Copy a folder over another one; the old one stays until the copy is whole."""
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
