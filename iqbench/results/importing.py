"""Add values of other tools to the tables of a results folder."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from iqbench import __version__
from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.current import groups
from iqbench.results.foreign import ForeignFile, ForeignValue, read_foreign
from iqbench.results.mirror import written_results
from iqbench.results.published import add_published, published_of
from iqbench.results.read import load_columns
from iqbench.results.schema import (
    ANY_MEMBERS,
    REPLACED,
    ColumnInfo,
    ImageRow,
    Manifest,
    ScoreRow,
    SetRow,
    output_mark,
    pair_digest,
)
from iqbench.results.signature import FILE, parse_signature, signature
from iqbench.results.store import Current, Store, Writer
from iqbench.user_files import expand_user

__all__ = ["Imported", "import_values"]

DIGITS = 12
COSTS = frozenset(
    {
        *("runtime", "time", "seconds", "latency", "params", "parameters", "flops", "macs"),
        *("memory", "energy"),
    }
)
"""Columns that are costs wherever they come from: lower is better."""

_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".exr", ".npy"}
)


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    values, missing
        How many values it wrote, and how many cells say that there is none.
    columns
        By metric, how it is read.
    notes
        What the user should know, in sentences.
    """

    values: int
    missing: int
    columns: Mapping[str, ColumnInfo]
    notes: list[str] = field(default_factory=list)


def import_values(
    path: str | Path,
    results: str | Path = "results",
    *,
    dataset: str | None = None,
    method: str | None = None,
    metrics: Sequence[str] = (),
    directions: Mapping[str, str] | None = None,
    costs: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Imported:
    """Write values of another tool into a results folder.

    A file with a column of images has values of images: they belong to the files that the tables
    have of these images, and are no longer shown once an image changes. One without has values of
    whole methods, such as parameters and FLOPs; they hold whatever the images. If it has a column
    ``source``, these are means that a paper prints: rows of leaderboards of their own.
    Values of one metric that were imported before, of the same methods, are replaced.

    Parameters
    ----------
    path
        A file, see `iqbench.results.foreign.read_foreign`.
    results
        The results folder; made if values of images are imported into a new one.
    dataset, method
        Of all values, where the file has no such column.
    metrics
        Which metrics to take, or the one that the values are of.
    directions
        Metric to what is better: ``higher``, ``lower``, ``target:<number>`` or ``none``.
    costs
        Metrics that are costs: lower is better unless said otherwise.
    columns
        Role to the name of its column in the file.

    Returns
    -------
    Imported
        What was written.

    Raises
    ------
    IqbenchError
        If the file is not as it should be, or does not fit the tables; nothing is written then.
    """
    file = read_foreign(expand_user(path), columns=columns, metrics=metrics)
    with written_results(results) as root:
        run = _Import(file, Store(root), _tables(root), dataset or "", method or "")
        if "source" in file.roles and "image" not in file.roles:
            return run.of_papers()
        run.describe(directions or {}, costs)
        return run.of_images() if "image" in file.roles else run.of_methods()


def _tables(root: Path) -> dict[str, dict[str, None]]:
    """Name the methods that the tables have of each dataset."""
    found: dict[str, dict[str, None]] = {}
    if root.is_dir() and any((root / "images").glob("*/*")):
        for group in groups(root):
            found.setdefault(group.dataset, {})[group.method] = None
    return found


@dataclass
class _Import:
    """One import on its way."""

    file: ForeignFile
    store: Store
    tables: dict[str, dict[str, None]]
    dataset: str
    method: str
    infos: dict[str, ColumnInfo] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def where(self, value: ForeignValue) -> str:
        """Say where a value stands."""
        return f"{self.file.path}, {value.place}"

    def describe(self, directions: Mapping[str, str], costs: Sequence[str]) -> None:
        """Decide how each metric is read."""
        metrics = dict.fromkeys(value.metric for value in self.file.values)
        for name in (*directions, *costs):
            if name not in metrics:
                raise unknown_name(f"metric of {self.file.path}", name, metrics)
        said: dict[str, str] = dict(directions)
        for value in self.file.values:
            text = value.direction
            if text and said.setdefault(value.metric, text) != text:
                raise IqbenchError(
                    f"{self.where(value)}: the direction of {value.metric} is {text!r} here and "
                    f"{said[value.metric]!r} elsewhere"
                )
        known = load_columns(self.store.root) if self.tables else {}
        for name in metrics:
            own = [value.value for value in self.file.values if value.metric == name]
            whole = all(value is None or value.is_integer() for value in own)
            cost = name in costs or name.casefold() in COSTS
            direction = said.get(name) or ("lower" if cost else "none")
            try:
                info = ColumnInfo(
                    direction,
                    decimals=0 if whole else 4,
                    summary=f"Imported from {self.file.path.name}",
                    role="cost" if cost else "",
                    definition=f"Values that another tool made, imported from "
                    f"{self.file.path.name}.",
                )
            except ValueError:
                raise IqbenchError(
                    f"{self.file.path}: no such direction of {name}: {direction!r}",
                    hint="It is higher, lower, target:<number> or none",
                ) from None
            if name in known:
                if name in said and known[name].direction != direction:
                    raise IqbenchError(
                        f"{name} is {known[name].direction!r} in {self.store.root}, and "
                        f"{direction!r} in {self.file.path}",
                        hint="Rename the metric in the file",
                    )
                info = known[name]
            elif direction == "none" and name not in said:
                self.notes.append(
                    f"the direction of {name} is unknown, so nothing is ranked by it: "
                    f"--direction {name}=higher, lower or none"
                )
            self.infos[name] = info

    def signature(self, value: ForeignValue) -> str:
        """Sign a value: as foreign, with the digest of its file."""
        fields = {"metric": value.metric, "source": "imported"}
        fields[FILE] = f"{self.file.path.name}:{self.file.digest[:DIGITS]}"
        if value.protocol:
            fields["protocol"] = value.protocol
        return signature(fields)

    def of_images(self) -> Imported:
        """Write values of images."""
        values: dict[tuple[str, str, str, str], ForeignValue] = {}
        current: dict[tuple[str, str], Current] = {}
        images: dict[str, dict[str, None]] = {}
        for value in self.file.values:
            named = self._placed(value)
            key = named.dataset, named.method
            if key not in current:
                current[key] = self.store.current(*key)
            if named.dataset not in images:
                images[named.dataset] = self._images_of(named.dataset)
            named = replace(named, image=self._image(named, images[named.dataset]))
            state = current[key].images.get(named.image)
            if state is not None and state.output_digest is None:
                raise IqbenchError(
                    f"{self.where(value)}: the tables have no file of {named.method} / "
                    f"{named.image} ({state.error}), so its value cannot be tied to one",
                    hint="Run iqbench evaluate first",
                )
            identity = (*key, named.image, named.metric)
            if identity in values:
                raise IqbenchError(
                    f"{self.where(value)}: {named.metric} of {named.method} / {named.image} is "
                    f"already given in {values[identity].place}"
                )
            values[identity] = named
        by_key: dict[tuple[str, str], list[ForeignValue]] = {}
        for named in values.values():
            by_key.setdefault((named.dataset, named.method), []).append(named)
        with self._writer() as writer:
            for key, own in by_key.items():
                self._write_images(writer, key, own, current[key])
        return self._done()

    def _write_images(
        self, writer: Writer, key: tuple[str, str], own: list[ForeignValue], current: Current
    ) -> None:
        """Write the values of one dataset and method, and retire those that they replace."""
        made_up = f"imported:{self.file.digest}"
        for image in dict.fromkeys(value.image for value in own):
            if image not in current.images:
                writer.add_image(ImageRow(*key, image, output_digest=made_up))
        rows = []
        for value in own:
            state = current.images.get(value.image)
            reference, output = (
                (None, made_up) if state is None else (state.reference_digest, state.output_digest)
            )
            error = None if value.value is not None else f"no value in {self.where(value)}"
            mark = pair_digest(reference, output) or output_mark(output)
            text = self.signature(value)
            rows.append(
                ScoreRow(
                    *key, value.image, value.metric, value.value, error, text, value.protocol, mark
                )
            )
        fresh = {(row.image, row.metric, row.signature) for row in rows}
        metrics = {value.metric for value in own}
        for image, metric, text in sorted(self.store.identities(*key)):
            old = (image, metric, text) not in fresh and metric in metrics
            if old and parse_signature(text).get("source") == "imported":
                rows.append(ScoreRow(*key, image, metric, None, REPLACED, text, "", REPLACED))
        writer.add_scores(rows)

    def of_methods(self) -> Imported:
        """Write values of whole methods."""
        rows: dict[tuple[str, str], dict[str, SetRow]] = {}
        for value in self.file.values:
            method = value.method or self.method
            datasets = (
                [value.dataset or self.dataset]
                if value.dataset or self.dataset
                else [name for name, methods in self.tables.items() if method in methods]
            )
            if not self.tables:
                raise IqbenchError(
                    f"there are no results in {self.store.root}, and {self.file.path} has no image",
                    hint="Import values of images, or evaluate, first",
                )
            if not datasets:
                every = {name for methods in self.tables.values() for name in methods}
                raise self._unknown(value, "method", method, every)
            for dataset in datasets:
                if dataset not in self.tables:
                    raise self._unknown(value, "dataset", dataset, self.tables)
                if method not in self.tables[dataset]:
                    raise self._unknown(value, "method", method, self.tables[dataset])
                number = len(self.store.current(dataset, method).images)
                own = rows.setdefault((dataset, method), {})
                if value.metric in own:
                    raise IqbenchError(
                        f"{self.where(value)}: {value.metric} of {method} has a value already"
                    )
                error = None if value.value is not None else f"no value in {self.where(value)}"
                own[value.metric] = SetRow(
                    *(dataset, method, value.metric, value.value, None, error),
                    *(self.signature(value), value.protocol, number, number, ANY_MEMBERS),
                )
        with self._writer() as writer:
            for (dataset, method), own in rows.items():
                old = self.store.imported_sets(dataset, method)
                gone = [
                    replace(row, value=None, error=REPLACED, members=REPLACED)
                    for row in old
                    if row.metric in own and row.signature != own[row.metric].signature
                ]
                writer.write_sets([*gone, *own.values()])
        return self._done()

    def of_papers(self) -> Imported:
        """Keep published means."""
        dataset = self.dataset or (next(iter(self.tables)) if len(self.tables) == 1 else "")
        means = published_of(self.file, dataset=dataset, method=self.method)
        add_published(self.store.root, means)
        if any(not mean.protocol for mean in means):
            self.notes.append(
                "published means without a protocol are shown but not ranked: give it in a column "
                "protocol"
            )
        every = {mean.metric: ColumnInfo("none") for mean in means}
        return Imported(len(means), 0, every, self.notes)

    def _placed(self, value: ForeignValue) -> ForeignValue:
        """Name dataset and method of a value of an image."""
        method = value.method or self.method
        if not method:
            raise IqbenchError(
                f"{self.where(value)}: no method is named", hint="Give --method, or a column method"
            )
        dataset = value.dataset or self.dataset
        if not dataset:
            if len(self.tables) != 1:
                raise IqbenchError(
                    f"{self.where(value)}: no dataset is named",
                    hint="Give --dataset, or a column dataset",
                )
            (dataset,) = self.tables
        if not value.image:
            raise IqbenchError(f"{self.where(value)}: no image is named")
        return replace(value, dataset=dataset, method=method)

    def _images_of(self, dataset: str) -> dict[str, None]:
        """Name the images that the tables have of a dataset."""
        found: dict[str, None] = {}
        for method in self.tables.get(dataset, ()):
            found |= dict.fromkeys(self.store.current(dataset, method).images)
        return found

    def _image(self, value: ForeignValue, known: Mapping[str, None]) -> str:
        """Find the id of an image, which a file may write with the suffix of its file."""
        name = value.image
        path = PurePosixPath(name)
        bare = str(path.with_suffix("")) if path.suffix.lower() in _SUFFIXES else name
        if not known:
            return bare
        for candidate in (name, bare):
            if candidate in known:
                return candidate
        raise self._unknown(value, f"image of dataset {value.dataset!r}", name, known)

    def _unknown(
        self, value: ForeignValue, kind: str, name: str, known: Iterable[str]
    ) -> IqbenchError:
        """Refuse a name, with the nearest and where it stands."""
        refused = unknown_name(kind, name, known)
        return IqbenchError(f"{self.where(value)}: {refused.message}", hint=refused.hint)

    def _writer(self) -> Writer:
        """Open the tables for writing."""
        manifest = Manifest(
            iqbench=__version__,
            python=platform.python_version(),
            torch="",
            platform=platform.platform(),
            device="",
            precision="",
            command=f"iqbench import {self.file.path.name}",
            time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        return self.store.writer(manifest, self.infos)

    def _done(self) -> Imported:
        missing = sum(value.value is None for value in self.file.values)
        if missing:
            self.notes.append(f"{missing} cells of {self.file.path} have no value")
        return Imported(len(self.file.values) - missing, missing, self.infos, self.notes)
