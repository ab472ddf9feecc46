"""Find the files of the images in the tables, and check that they are the scored files.

Tables name images by id and digest, not by path. Folders are searched by name, as ``iqbench
evaluate`` does, and a file is used only if its digest is that of the scored file. So an image that
has changed since is never shown beside the old values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import pandas as pd

from iqbench.datasets.dataset import Dataset, reference_folder
from iqbench.datasets.load import PACKAGED_FILE, load_datasets
from iqbench.datasets.matching.by_name import match_outputs
from iqbench.datasets.matching.comparison import WAYS
from iqbench.datasets.matching.methods import Method, resolve_methods
from iqbench.datasets.matching.outputs import dataset_of_outputs
from iqbench.datasets.sample import Sample
from iqbench.datasets.storage.paths import Place, source_of
from iqbench.datasets.storage.places import find_place, is_storage
from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.images.picture import Picture
from iqbench.images.source import FileSource, Source
from iqbench.page.recorded import RecordedPlaces

__all__ = ["Digests", "Finder", "Folders", "FoundPicture"]


@dataclass(frozen=True)
class Folders:
    """Where images may be: options as ``iqbench evaluate`` takes them.

    Attributes
    ----------
    outputs
        Each ``DIR`` or ``METHOD=DIR``; a template of the file names may follow: ``DIR/{id}_x4``.
    outputs_in
        A folder whose sub-folders are methods.
    references
        Each ``DIR`` or ``DATASET=DIR``.
    output_name
        Template of the outputs' file names.
    datasets_file
        The file that describes datasets without a folder in ``references``.
    """

    outputs: Sequence[str] = ()
    outputs_in: str | PathLike[str] | None = None
    references: Sequence[str] = ()
    output_name: str | None = None
    datasets_file: Path | None = None

    @cached_property
    def methods(self) -> list[Method]:
        """The methods whose folders exist."""
        found = []
        for text in self.outputs:
            found += resolve_methods([text])
        if self.outputs_in is not None:
            found += resolve_methods([], self.outputs_in)
        return found

    def check(self) -> None:
        """Raise an error for a folder that does not exist.

        Raises
        ------
        IqbenchError
            It names the folder.
        """
        _ = self.methods
        for text in self.references:
            reference_folder(_named(text)[1])
        if self.datasets_file is not None:
            load_datasets(self.datasets_file)


@dataclass(frozen=True)
class FoundPicture:
    """A decoded image whose file is the one that was scored, and where the file was found."""

    picture: Picture
    source: Source


@dataclass(frozen=True)
class Digests:
    """Digests and sizes, in the tables, of the scored files.

    Attributes
    ----------
    files
        By dataset, method and image: the digests of reference and output, and the size of the
        output's file in bytes.
    """

    files: Mapping[tuple[str, str, str], tuple[str | None, str | None, int | None]] = field(
        default_factory=dict
    )

    def adding(self, images: pd.DataFrame, wanted: Collection[str]) -> Digests:
        """Return these digests and those of some images of a table.

        Parameters
        ----------
        images
            The table that `iqbench.results.read.load_images` returns.
        wanted
            Names of the images to look up: a few of perhaps millions.
        """
        table = images[images["image"].isin(list(wanted))]
        sizes = table["bytes"] if "bytes" in table else [None] * len(table)
        keys = zip(
            *(table[name].astype(str) for name in ("dataset", "method", "image")), strict=True
        )
        rows = zip(table["reference_digest"], table["output_digest"], sizes, strict=True)
        found = {
            key: (_text(one), _text(two), None if pd.isna(size) else int(size))
            for key, (one, two, size) in zip(keys, rows, strict=True)
        }
        return Digests({**self.files, **found})

    def size(self, dataset: str, method: str, image: str) -> int | None:
        """Return the size of an output's file in bytes; None if the tables do not record it."""
        return self.files.get((dataset, method, image), (None, None, None))[2]

    @property
    def alone(self) -> dict[str, list[str]]:
        """By dataset, the images for which no method has a reference."""
        known: dict[tuple[str, str], bool] = {}
        for (dataset, _, image), (reference, *_) in self.files.items():
            known[dataset, image] = known.get((dataset, image), False) or reference is not None
        found: dict[str, list[str]] = {}
        for (dataset, image), has_reference in known.items():
            if not has_reference:
                found.setdefault(dataset, []).append(image)
        return found

    def of(self, dataset: str, method: str, image: str) -> tuple[str | None, str | None]:
        """Return the digests of reference and output; None for a missing one."""
        return self.files.get((dataset, method, image), (None, None, None))[:2]


@dataclass
class Finder:
    """Searches images in several places. Each folder is listed once.

    Attributes
    ----------
    places
        The places to search, in this order.
    names
        The datasets of the tables. If there is one dataset and one folder of references, the
        folder belongs to the dataset, whatever its name is.
    recorded
        The places that the tables record, searched last; None to search none of them.
    alone
        The images to look up of datasets that were scored without references, by dataset.
    """

    places: Sequence[Folders]
    names: Sequence[str]
    recorded: RecordedPlaces | None = None
    alone: Mapping[str, Collection[str]] = field(default_factory=dict)
    _datasets: dict[str, list[tuple[Folders, Dataset]]] = field(default_factory=dict, init=False)
    _files: dict[tuple[Place, str, int], dict[str, Place]] = field(default_factory=dict, init=False)
    _samples: dict[int, dict[str, Sample]] = field(default_factory=dict, init=False)

    def reference(self, dataset: str, image: str, digest: str | None) -> FoundPicture | None:
        """Find the reference of an image, if its file has not changed."""
        sources = (
            sample.reference
            for _, found in self._of(dataset)
            if (sample := self._by_image(found).get(image)) and sample.reference
        )
        return _first(sources, digest) or self._at_recorded(dataset, "", image, digest)

    def output(
        self, dataset: str, method: str, image: str, digest: str | None, size: int | None = None
    ) -> FoundPicture | None:
        """Find a method's output, if its file has not changed; ``size`` is its bytes, if known."""
        found = _first(self._outputs(dataset, method, image), digest)
        return found or self._at_recorded(dataset, method, image, digest, size)

    def _at_recorded(
        self, dataset: str, method: str, image: str, digest: str | None, size: int | None = None
    ) -> FoundPicture | None:
        if self.recorded is None:
            return None
        content = self.recorded.find(dataset, method, image, digest, size)
        with suppress(IqbenchError):  # an image that cannot be decoded now is not shown
            if content is not None:
                path = FileSource(Path(content.name))
                return FoundPicture(content.decode(alpha="composite"), path)
        return None

    def _outputs(self, dataset: str, method: str, image: str) -> Iterator[Source]:
        for _, found in self._of(dataset):
            sample = self._by_image(found).get(image)
            for output in sample.outputs if sample else ():
                if (output.method, output.image) == (method, image):
                    yield output.source
        for place in self.places:
            for own in place.methods:
                if own.name == method:
                    for _, found in self._of(dataset):
                        path = self._matched(own, found, place.output_name).get(image)
                        if path is not None:
                            yield source_of(path)

    def _matched(self, method: Method, dataset: Dataset, template: str | None) -> dict[str, Place]:
        key = (method.folder, method.output_name or template or "", id(dataset))
        if key not in self._files:
            try:
                # The run may have matched names by another rule: the digest decides.
                found = match_outputs(
                    method, dataset, alone=True, output_name=template, ways=tuple(WAYS)
                )
                self._files[key] = dict(found.outputs)
            except IqbenchError:  # a folder that cannot be listed has no pictures
                self._files[key] = {}
        return self._files[key]

    def _by_image(self, dataset: Dataset) -> dict[str, Sample]:
        if id(dataset) not in self._samples:
            known = {sample.image: sample for sample in dataset.samples}
            known |= {one.image: sample for sample in dataset.samples for one in sample.outputs}
            self._samples[id(dataset)] = known
        return self._samples[id(dataset)]

    def _of(self, name: str) -> list[tuple[Folders, Dataset]]:
        if name not in self._datasets:
            self._datasets[name] = list(self._opened(name))
        return self._datasets[name]

    def _opened(self, name: str) -> Iterator[tuple[Folders, Dataset]]:
        """Open the folders that may hold a dataset of this name; missing ones are skipped."""
        if name in self.alone:
            yield Folders(), dataset_of_outputs(name, self.alone[name])
        for place in self.places:
            for text in place.references:
                given, folder = _named(text)
                lone = not given and len(self.names) == len(place.references) == 1
                if lone or name == (given or _folder_name(folder)):
                    try:
                        yield place, reference_folder(folder, name)
                    except IqbenchError:
                        continue
        for file in dict.fromkeys([*(place.datasets_file for place in self.places), PACKAGED_FILE]):
            try:
                spec = load_datasets(file).get(name)
                if spec is not None:
                    yield Folders(), spec.open()
            except IqbenchError:
                continue


def _named(text: str) -> tuple[str, str]:
    name, equals, folder = text.partition("=")
    whole = Path(text).is_dir() or is_storage(text)
    return (name, folder) if equals and name and not whole else ("", text)


def _folder_name(folder: str) -> str:
    """Return the default name of a dataset with these references."""
    return find_place(folder).resolve().name


def _first(sources: Iterator[Source], digest: str | None) -> FoundPicture | None:
    """Return the first source whose bytes are those that were scored."""
    for source in sources if digest is not None else ():
        try:
            content = source.read()
            if content.digest == digest:
                return FoundPicture(content.decode(alpha="composite"), source)
        except IqbenchError:
            continue
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
