"""A dataset: the block that describes it and the samples found on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializeAsAny

from iqbench.datasets.files import check_text
from iqbench.datasets.layout import Layout
from iqbench.datasets.layouts.folder import FolderLayout
from iqbench.datasets.sample import Sample
from iqbench.datasets.template import OutputName
from iqbench.errors import IqbenchError

__all__ = ["Block", "Dataset", "DatasetSpec", "check_dataset_name", "reference_folder"]


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
    data
        How it lies on disk: ``layout`` and that layout's own keys.
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
    data: SerializeAsAny[Layout]


class DatasetSpec(Block):
    """A block together with what it does not say itself.

    Attributes
    ----------
    name
        The dataset's name.
    root
        The folder below which data lies; None where nobody said.
    """

    name: str
    root: Path | None = None

    def open(self) -> Dataset:
        """List the dataset's images, without opening any.

        Raises
        ------
        MissingDataError
            If its data is not there, or nobody said where.
        IqbenchError
            If what is there is not this dataset: no images, another number of them than the
            block says, two of one id.
        """
        try:
            samples = self.data.samples(self.root)
            ignored = self.data.ignored(self.root)
        except IqbenchError as error:
            message = f"dataset {self.name!r}: {error.message}"
            raise type(error)(message, hint=error.hint) from error
        self._check_number("images", "reference images", self.images, len(samples))
        brought = sum(len(sample.outputs) for sample in samples)
        self._check_number("outputs", "distorted images", self.outputs, brought)
        return Dataset(self.name, self, samples, ignored)

    def _check_number(self, key: str, what: str, expected: int | None, found: int) -> None:
        if expected is not None and found != expected:
            raise IqbenchError(
                f"dataset {self.name!r} has {expected} {what}, but {found} were found",
                hint=f"Complete the data, or correct `{key}:` in the dataset's block",
            )


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
        One a reference image, in a fixed order; ids are unique.
    ignored
        Files beside the references that no image ends like; worth a warning.
    """

    name: str
    spec: DatasetSpec
    samples: list[Sample]
    ignored: list[str] = field(default_factory=list)

    @property
    def brings_outputs(self) -> bool:
        """Whether it has images of its own to be scored, and so takes no methods."""
        return any(sample.outputs for sample in self.samples)


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
            hint="It is the name of a folder: no slash, no leading dot",
        )
    return check_text("dataset", name)


def reference_folder(folder: Path, name: str | None = None) -> Dataset:
    """Take a folder of reference images as a dataset, under the protocol ``rgb``.

    Parameters
    ----------
    folder
        The images, with sub-folders or without.
    name
        The dataset's name; that of the folder if not given.

    Raises
    ------
    IqbenchError
        If the name is not allowed, if the folder does not exist, is none, or holds no images.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise IqbenchError(f"reference folder {folder} {what}", hint="Give --reference DIR")
    name = check_dataset_name(folder.resolve().name if name is None else name)
    data = FolderLayout(layout="folder", references=".")
    return DatasetSpec(name=name, root=folder, data=data).open()
