"""A dataset: the block that describes it and the samples found on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, SerializeAsAny

from iqbench.datasets.digests import read_checksums
from iqbench.datasets.download import Download
from iqbench.datasets.file_index import join
from iqbench.datasets.files import check_text, did_you_mean, numbering_gaps, some, walk
from iqbench.datasets.files_by_id import FileSamples, Ids
from iqbench.datasets.layout import BelowRoot, Layout, folder_below
from iqbench.datasets.layouts.csv_paths import CsvLayout
from iqbench.datasets.layouts.folder import FolderLayout
from iqbench.datasets.sample import Sample
from iqbench.datasets.storage.paths import StoredPath
from iqbench.datasets.storage.places import find_place
from iqbench.datasets.template import OutputName, ReferenceName
from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.images.source import Source
from iqbench.user_files import expand_user, why_no_file

__all__ = [
    "Block",
    "Dataset",
    "DatasetSpec",
    "check_dataset_name",
    "pairs_file",
    "reference_folder",
]


def _output_name(template: str) -> str:
    try:
        OutputName.parse(template)
    except IqbenchError as error:
        raise ValueError(str(error)) from error
    return template


class Block(BaseModel):
    """A dataset's block in ``datasets.yaml``; the fields are the keys it may have.

    Attributes
    ----------
    task
        What the methods restore: ``super-resolution``, ``denoising``, ...
    scale
        Factor of super-resolution; None for everything else.
    protocol
        Spec of the protocol by which the dataset is scored, e.g. ``sr-y:scale=4``.
    images
        How many reference images it has. Another number found is an error.
    outputs
        Of a dataset that brings its own outputs: how many. Another number found is an error.
    home, licence, citation
        Where it comes from, under which terms, and what to cite.
    output_name
        Template of the outputs' names, e.g. ``{id}_x4``.
    metrics
        Specs of metrics that replace the default ones.
    reference_set
        A folder below the data root: with all its images, whatever their names, number and sizes,
        metrics of sets such as FID compare a method's outputs. Without it, with the references.
    data
        How it lies on disk: ``layout`` and that layout's own keys.
    checksums
        Name of the list of digests of its files that comes with iqbench.
    fetch
        Where it can be fetched from; empty where it has to be got by hand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    task: str = ""
    scale: Annotated[int, Field(ge=1)] | None = None
    protocol: str = "rgb"
    images: Annotated[int, Field(ge=1)] | None = None
    outputs: Annotated[int, Field(ge=1)] | None = None
    home: str = ""
    licence: str = ""
    citation: str = ""
    output_name: Annotated[str, AfterValidator(_output_name)] = "{id}"
    metrics: Annotated[list[str], Field(min_length=1)] | None = None
    reference_set: BelowRoot | None = None
    data: SerializeAsAny[Layout]
    checksums: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    fetch: list[Download] = []


class DatasetSpec(Block):
    """A block together with what it does not say itself.

    Attributes
    ----------
    name
        The dataset's name.
    root
        The folder below which data lies, or its address; None where nobody said.
    """

    name: str
    root: Path | InstanceOf[StoredPath] | str | None = None

    def open(self) -> Dataset:
        """List the dataset's images, without opening any.

        Raises
        ------
        MissingDataError
            If its data is not there, or nobody said where.
        IqbenchError
            If what is there is not this dataset: no images, one missing of those that the list
            of checksums has, another number of them than the block says, two of one id.
        """
        samples, ignored = self.list_samples()
        for problem in self.count_problems(samples):
            raise problem
        if missing := self.missing_files():
            raise IqbenchError(
                f"dataset {self.name!r} lacks {len(missing)} of its files: {some(missing)}",
                hint=f"Complete the data; `iqbench datasets verify {self.name}` looks at all of it",
            )
        return Dataset(self.name, self, samples, ignored)

    @property
    def local_root(self) -> Path | None:
        """The folder below which data lies, for what needs it on this machine.

        Raises
        ------
        IqbenchError
            If data lies elsewhere.
        """
        if self.root is None or isinstance(self.root, Path):
            return self.root
        if not self.data.places():  # it comes with a package
            return None
        raise IqbenchError(
            f"dataset {self.name!r} must be on this machine, not at {self.root}",
            hint="Copy it to a local folder, and name that as the data root. From an address, "
            "references of `layout: folder` can be scored",
        )

    def list_samples(self) -> tuple[Sequence[Sample], list[str]]:
        """List what is there, whatever the number; and what lies beside it and is none of it.

        Raises
        ------
        MissingDataError, IqbenchError
            As the layout; the sentence names the dataset.
        """
        try:
            data = self.data
            samples: Sequence[Sample]
            if isinstance(data, FolderLayout):
                samples = data.samples(self.root)
                return samples, data.ignored(self.root, samples)
            samples = data.samples(self.local_root)
            return samples, data.ignored(self.local_root, samples)
        except IqbenchError as error:
            message = f"dataset {self.name!r}: {error.message}"
            raise type(error)(message, hint=error.hint) from error

    def missing_files(self) -> list[str]:
        """Name the files of the list of checksums that are not there, without opening any.

        Only those that are needed to score, not low-resolution inputs, say; nothing where the
        dataset has no such list.

        Raises
        ------
        IqbenchError
            If the list is not as it should be.
        """
        if self.root is None:
            return []
        places = self.data.places()
        needed = [
            path
            for path in read_checksums(self.checksums)
            if not places
            or any(path == place or path.startswith(join(place, "")) for place in places)
        ]
        if isinstance(self.root, Path):
            return [path for path in needed if not (self.root / path).is_file()]
        there = {
            join(place, name)
            for place in (places if needed else ())
            for name in walk(folder_below(self.root, place, "folder"))
        }
        return [path for path in needed if path not in there]

    def count_problems(self, samples: Sequence[Sample]) -> list[IqbenchError]:
        """Compare numbers with those that the block states."""
        brought = sum(len(sample.outputs) for sample in samples)
        counts = (
            ("images", "reference images", self.images, len(samples)),
            ("outputs", "distorted images", self.outputs, brought),
        )
        problems = []
        for key, what, expected, found in counts:
            if expected is None or found == expected:
                continue
            gaps = numbering_gaps([sample.image for sample in samples]) if key == "images" else []
            named = ""
            if gaps and len(gaps) == expected - found:
                verb = "its number {} is" if len(gaps) == 1 else "their numbers {} are"
                named = f"; by {verb.format(', '.join(gaps))} missing"
            elif key == "images" and (missing := self.missing_files()):
                named = f"; missing: {some(missing)}"
            message = f"dataset {self.name!r} has {expected} {what}, but {found} were found{named}"
            hint = f"Complete the data, or correct `{key}:` in the dataset's block"
            problems.append(IqbenchError(message, hint=hint))
        return problems


@dataclass(frozen=True)
class Dataset:
    """Reference images and how they are scored.

    Attributes
    ----------
    name
        Under this name its scores are stored and a method's sub-folder is looked for.
    spec
        The block of ``datasets.yaml``, or the defaults for a bare folder.
    samples
        One per reference image, in a fixed order; ids are unique.
    ignored
        Files beside its images that are none of them; worth a warning.
    """

    name: str
    spec: DatasetSpec
    samples: Sequence[Sample]
    ignored: list[str] = field(default_factory=list)

    @cached_property
    def ids(self) -> Ids:
        """The ids of its images."""
        found = self.samples
        return found.ids if isinstance(found, FileSamples) else Ids(one.image for one in found)

    @cached_property
    def images(self) -> Sequence[str]:
        """The ids, in their order."""
        return tuple(self.ids)

    @cached_property
    def brings_outputs(self) -> bool:
        """Whether it has images of its own to be scored, and so takes no methods."""
        return any(sample.outputs for sample in self.samples)

    @cached_property
    def has_references(self) -> bool:
        """Whether any of its images has a reference."""
        return any(sample.reference is not None for sample in self.samples)

    @property
    def references(self) -> dict[str, Source]:
        """The reference of every image that has one."""
        return {one.image: one.reference for one in self.samples if one.reference}

    @property
    def place(self) -> str:
        """Where its references lie, as absolute paths; empty where there are none.

        Two places are two sets of files.
        """
        if not self.has_references:
            return ""
        root, data = self.spec.root, self.spec.data
        if root is None:
            return "comes with a package"
        below = (data.file,) if isinstance(data, CsvLayout) else data.places() or (".",)
        if isinstance(root, str):
            return ", ".join(join(root, part) if part != "." else root for part in below)
        return ", ".join(str((root / part).resolve()) for part in below)

    def published(self) -> dict[str, str]:
        """Return, by image, the digest that its reference must have, where the list has it."""
        listed, root = read_checksums(self.spec.checksums), self.spec.root
        if not listed or root is None:
            return {}
        by_file = {
            join(root, path) if isinstance(root, str) else str(root / path): digest
            for path, digest in listed.items()
        }
        names = {one.image: one.reference.name for one in self.samples if one.reference}
        return {image: by_file[name] for image, name in names.items() if name in by_file}


def check_dataset_name(name: str) -> str:
    """Return a name that can be that of a folder of outputs, or refuse it.

    Raises
    ------
    IqbenchError
        If the name is empty, cannot be printed, starts with a dot or holds a slash.
    """
    if name.startswith(".") or "/" in name or "\\" in name:
        raise IqbenchError(
            f"dataset name {name!r} is not allowed",
            hint="It is the name of a folder: no slash, no leading dot (--dataset-name)",
        )
    return check_text("dataset", name, hint="Give another name, e.g. by --dataset-name")


def reference_folder(
    folder: str | os.PathLike[str] | StoredPath,
    name: str | None = None,
    reference_name: str | None = None,
) -> Dataset:
    """Take a folder of reference images as a dataset, under the protocol ``rgb``.

    Parameters
    ----------
    folder
        The images, with sub-folders or without; whatever
        `iqbench.datasets.storage.places.find_place` takes for a folder.
    name
        The dataset's name; that of the folder if not given.
    reference_name
        Template of the images' names, e.g. ``{id}_GT``: where the id is in them.

    Raises
    ------
    IqbenchError
        If the name is not allowed, if the template is wrong, if the folder does not exist, is none,
        or holds no images.
    """
    place = find_place(folder)
    if not place.is_dir():
        what = "is a file, not a folder" if place.exists() else "does not exist"
        hint = did_you_mean(place, folder=True) or "Give --reference DIR"
        raise IqbenchError(f"reference folder {place} {what}", hint=hint)
    name = check_dataset_name(place.resolve().name if name is None else name)
    template = "{id}" if reference_name is None else reference_name
    ReferenceName.parse(template)
    data = FolderLayout(layout="folder", references=".", id=template)
    return DatasetSpec(name=name, root=place, data=data).open()


def pairs_file(file: Path, name: str | None = None) -> Dataset:
    """Take a CSV of paths as a dataset, under the protocol ``rgb``.

    Parameters
    ----------
    file
        As :class:`iqbench.datasets.layouts.csv_paths.CsvLayout` reads it; paths in it are
        relative to its folder.
    name
        The dataset's name; that of the file without suffix if not given.

    Raises
    ------
    IqbenchError
        If the name is not allowed, or the file is not there or not as it should be.
    """
    file = expand_user(file)
    if why := why_no_file(file):
        near = "" if os.path.lexists(file) else did_you_mean(file, folder=False)
        raise IqbenchError(f"file of pairs {file} {why}", hint=near or "Give --pairs FILE.csv")
    name = check_dataset_name(file.stem if name is None else name)
    data = CsvLayout(layout="csv", file=file.name)
    return DatasetSpec(name=name, root=file.parent, data=data).open()
