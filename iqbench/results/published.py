"""Published means from papers, stored apart from the values of images."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from iqbench.errors import IqbenchError
from iqbench.results.foreign import ForeignFile, ForeignValue, read_foreign
from iqbench.results.pending import Change, under_way
from iqbench.user_files import replace_file

__all__ = [
    "FILE_NAME",
    "PublishedMean",
    "add_published",
    "published_of",
    "read_published",
    "renamed",
    "write_published",
]

FILE_NAME = "published.jsonl"
"""File in the results folder with one mean per line."""

_FIELDS = ("dataset", "method", "metric", "value", "protocol", "source")


@dataclass(frozen=True)
class PublishedMean:
    """One mean of a method on a dataset, as a source prints it.

    Attributes
    ----------
    dataset, method, metric, value
        Whose mean, and the name of the column.
    source
        Where it is printed.
    protocol
        Under which it was computed; empty where that is not known.
    """

    dataset: str
    method: str
    metric: str
    value: float
    source: str
    protocol: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The key that identifies a mean."""
        return self.dataset, self.method, self.metric, self.protocol


def read_published(root: Path, *, as_stored: bool = False) -> list[PublishedMean]:
    """Read the published means of a results folder; none where it has none.

    Parameters
    ----------
    root
        The results folder.
    as_stored
        Also those of a method that is being removed or renamed, under its old name.

    Raises
    ------
    IqbenchError
        If the file is damaged; it names the line.
    """
    path = root / FILE_NAME
    if not path.is_file() or not path.stat().st_size:
        return []
    file = read_foreign(path)
    means = [_mean(file, value) for value in file.values]
    for step, change in () if as_stored else under_way(root):
        if step.suffix == ".pending":
            means = [one for mean in means if (one := renamed(mean, change)) is not None]
    return means


def renamed(mean: PublishedMean, change: Change) -> PublishedMean | None:
    """Return a mean as it is after a change; None where that removes it."""
    if (mean.dataset, mean.method) not in change.keys:
        return mean
    return replace(mean, method=change.new) if change.new else None


def add_published(root: Path, means: Iterable[PublishedMean]) -> None:
    """Keep means in a results folder; they take the place of earlier ones of the same key."""
    every = {mean.key: mean for mean in (*read_published(root), *means)}
    if every:
        write_published(root, every.values())


def write_published(root: Path, means: Iterable[PublishedMean]) -> None:
    """Write the published means of a results folder, in place of those that it has."""
    every = {mean.key: mean for mean in means}
    if not every:
        (root / FILE_NAME).unlink(missing_ok=True)
        return
    lines = [
        json.dumps({name: getattr(mean, name) for name in _FIELDS}, ensure_ascii=False)
        for _, mean in sorted(every.items())
    ]
    root.mkdir(parents=True, exist_ok=True)
    replace_file(root / FILE_NAME, ("\n".join(lines) + "\n").encode())


def published_of(file: ForeignFile, *, dataset: str = "", method: str = "") -> list[PublishedMean]:
    """Take the values of a file that has a column ``source`` as published means.

    Raises
    ------
    IqbenchError
        If a value lacks its dataset, method, source or number, or occurs twice.
    """
    found: dict[tuple[str, str, str, str], str] = {}
    means = []
    for value in file.values:
        mean = _mean(file, value, dataset=dataset, method=method)
        if mean.key in found:
            raise IqbenchError(
                f"{file.path}, {value.place}: {mean.metric} of {mean.method} on {mean.dataset} "
                f"is already given in {found[mean.key]}"
            )
        found[mean.key] = value.place
        means.append(mean)
    return means


def _mean(
    file: ForeignFile, value: ForeignValue, *, dataset: str = "", method: str = ""
) -> PublishedMean:
    dataset, method = value.dataset or dataset, value.method or method
    named = {"dataset": dataset, "method": method, "source": value.source}
    for what, text in named.items():
        if not text:
            raise IqbenchError(
                f"{file.path}, {value.place}: no {what} is named",
                hint="A published mean has dataset, method, metric, value and source",
            )
    if value.value is None:
        raise IqbenchError(f"{file.path}, {value.place}: there is no value of {value.metric}")
    return PublishedMean(dataset, method, value.metric, value.value, value.source, value.protocol)
