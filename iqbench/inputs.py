"""The inputs of methods that are functions: degraded references, or files of a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from iqbench.datasets.dataset import Dataset
from iqbench.datasets.files import did_you_mean, some
from iqbench.datasets.matching.by_name import match_outputs
from iqbench.datasets.matching.methods import Method
from iqbench.datasets.sample import Sample
from iqbench.datasets.storage.paths import Place, source_of
from iqbench.datasets.storage.places import find_place
from iqbench.degradation.files import degrade_picture, seed_of
from iqbench.degradation.kinds import Degradation, resolve_degradation
from iqbench.errors import IqbenchError
from iqbench.images.source import Alpha

__all__ = [
    "DegradedReferences",
    "InputFiles",
    "InputImages",
    "degraded_references",
    "input_files",
]


class InputImages(Protocol):
    """The input image of every image of a dataset."""

    @property
    def label(self) -> str:
        """What follows the dataset's name; empty where the inputs are the dataset's own."""
        ...

    @property
    def identity(self) -> str:
        """What the inputs depend on, for signatures."""
        ...

    @property
    def messages(self) -> list[str]:
        """What the user should know of them."""
        ...

    def read(self, sample: Sample) -> NDArray[Any]:
        """Return the input of an image, (H, W, C), which the method may write to.

        Raises
        ------
        IqbenchError
            If there is none, or it cannot be read or made.
        """
        ...


@dataclass(frozen=True)
class DegradedReferences:
    """Inputs that are made from the references.

    Attributes
    ----------
    degradation
        How.
    seed
        Of the noise.
    label
        What follows the dataset's name.
    alpha
        What to do with references that have transparency.
    """

    degradation: Degradation
    seed: int
    label: str
    alpha: Alpha

    @property
    def identity(self) -> str:
        """The degradation with all options, and the seed where it matters."""
        seed = f",seed={self.seed}" if self.degradation.random else ""
        return self.degradation.identity + seed

    @property
    def messages(self) -> list[str]:
        """Return no messages: nothing is left out."""
        return []

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """Degrade the reference of an image."""
        picture = sample.needed_reference.read().decode(alpha=self.alpha)
        image, _ = degrade_picture(self.degradation, picture, seed_of(self.seed, sample.image))
        return np.array(image)


def degraded_references(
    dataset: Dataset, degradation: str | None, seed: int, alpha: Alpha
) -> DegradedReferences | None:
    """Say how the inputs of a dataset are made from its references.

    Parameters
    ----------
    dataset
        With references.
    degradation
        Spec of the degradation; by default the dataset's own, which for super-resolution is
        ``bicubic`` by its scale.
    seed
        Of the noise.
    alpha
        What to do with references that have transparency.

    Returns
    -------
    DegradedReferences or None
        None where no degradation is given and the dataset has none of its own.
    """
    scale = dataset.spec.scale
    own = resolve_degradation(f"bicubic:scale={scale}") if scale else None
    chosen = resolve_degradation(degradation) if degradation else own
    if chosen is None:
        return None
    label = ""
    if degradation and chosen != own:
        label = _plain(degradation) + (f",seed={seed}" if chosen.random and seed else "")
    return DegradedReferences(chosen, seed, label, alpha)


@dataclass(frozen=True)
class InputFiles:
    """Inputs that are files of a folder.

    Attributes
    ----------
    label
        What follows the dataset's name: the folder.
    files
        By image.
    problems
        Why an image has no file: missing or ambiguous.
    messages
        Which files of the folder belong to no image.
    alpha
        What to do with files that have transparency.
    """

    label: str
    files: Mapping[str, Place]
    problems: Mapping[str, str]
    messages: list[str]
    alpha: Alpha
    _digests: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def identity(self) -> str:
        """A digest of the files' contents, by image; it is the same wherever they lie."""
        for image, place in self.files.items():
            if image not in self._digests:
                with suppress(IqbenchError):  # the error of the image says so
                    self._digests[image] = source_of(place).read().digest
        listed = "".join(f"{image}\0{self._digests[image]}\n" for image in sorted(self._digests))
        return f"files:{hashlib.sha256(listed.encode()).hexdigest()[:12]}"

    def read(self, sample: Sample) -> NDArray[Any]:
        """Read the file of an image: uint8, or uint16 where the file has 16 bits."""
        if sample.image not in self.files:
            raise IqbenchError(self.problems[sample.image])
        content = source_of(self.files[sample.image]).read()
        self._digests[sample.image] = content.digest
        return np.array(content.decode(alpha=self.alpha).pixels)


def input_files(
    dataset: Dataset,
    folder: str | os.PathLike[str],
    *,
    alone: bool,
    input_name: str | None = None,
    ways: Collection[str] = (),
    alpha: Alpha = "error",
) -> InputFiles:
    """Find the input file of every image of a dataset, by name; none is opened.

    Parameters
    ----------
    dataset
        With references.
    folder
        The inputs lie in its sub-folder that is named as the dataset.
    alone
        Whether the run has this dataset only: then, without such a sub-folder, they may lie in
        the folder itself.
    input_name
        Template of the files' names, e.g. ``{id}x4``; by default the dataset's own template of
        outputs' names, since outputs mostly keep the names of inputs.
    ways
        How names are compared of which none is spelt as it should be.
    alpha
        What to do with files that have transparency.

    Returns
    -------
    InputFiles
        Every image is either in ``files`` or in ``problems``.

    Raises
    ------
    IqbenchError
        If the folder does not exist or has no input of the dataset, or the template is wrong.
    """
    place = find_place(folder)
    _check_folder(place)
    found = match_outputs(
        Method("inputs", place),
        dataset,
        alone=alone,
        output_name=input_name,
        ways=ways,
        kind="input",
    )
    if not found.outputs:
        _check_folder(found.folder)
        raise IqbenchError(
            f"no input of {dataset.name!r} was found in {found.folder}, which holds "
            f"{some(found.extra) if found.extra else 'no other images'}",
            hint="Say how the inputs are named, e.g. input_name='{id}x4', or how names are "
            "compared, e.g. match='numbers'",
        )
    left_out = (
        f"{found.folder} holds more than inputs of the images of {dataset.name!r}; "
        f"left out: {some(found.extra)}"
    )
    return InputFiles(
        f"inputs:{_plain(os.fspath(folder))}",
        found.outputs,
        found.problems,
        [left_out] if found.extra else [],
        alpha,
    )


def _check_folder(folder: Place) -> None:
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise IqbenchError(
            f"folder of inputs {folder} {what}",
            hint=did_you_mean(folder, folder=True)
            or "Give a folder of images; of several datasets, one with a sub-folder for each",
        )


def _plain(text: str) -> str:
    """Replace path separators: the name of a dataset is also the name of a folder."""
    return text.replace("/", "-").replace("\\", "-")
