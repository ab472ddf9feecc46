"""BAPPS, two-alternative forced choice: which of two patches is more similar to the reference."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from iqbench.datasets.file_index import FileIndex, base_name, join
from iqbench.datasets.files import natural_key, some, split_suffix
from iqbench.datasets.layout import BelowRoot
from iqbench.datasets.opinions.layout import RatedLayout
from iqbench.datasets.sample import Opinion, OutputImage, Sample
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource
from iqbench.user_files import open_regular

__all__ = ["BappsLayout"]

_FOLDERS = {"ref": ".png", "p0": ".png", "p1": ".png", "judge": ".npy"}
_MAXIMUM_BYTES = 4096
_SUBSETS = ["cnn", "color", "deblur", "frameinterp", "superres", "traditional"]


class BappsLayout(RatedLayout):
    """Read the unpacked archive of two-alternative forced choices.

    ::

        cnn/ref/000000.png, cnn/p0/000000.png, cnn/p1/000000.png
        cnn/judge/000000.npy     share of people who prefer p1
        color/ ..., deblur/, frameinterp/, superres/, traditional/

    The two patches are outputs of the methods ``p0`` and ``p1`` for the image ``cnn/000000``; the
    opinion of each is the share of people who chose it, its direction ``choice``. The sub-set is
    the distortion.

    Attributes
    ----------
    folder
        Holds the sub-sets, below the data root.
    subsets
        Their names; of the training half: traditional, cnn, mix.

    Notes
    -----
    Source: Zhang et al. 2018, doi:10.1109/CVPR.2018.00068; its authors' reader,
    https://github.com/richzhang/PerceptualSimilarity, ``data/dataset/twoafc_dataset.py``.
    """

    layout: Literal["bapps"]
    folder: BelowRoot = "dataset/2afc/val"
    subsets: Annotated[list[BelowRoot], Field(min_length=1)] = _SUBSETS

    @property
    def landmark(self) -> str:
        """The first choice."""
        return join(self.subsets[0], "judge/000000.npy")

    def read(self, tree: FileIndex) -> list[Sample]:
        """List the references, each with its two patches; the files of choices are read."""
        names = _by_folder(tree)
        return [
            _sample(tree, subset, number)
            for subset in self.subsets
            for number in _complete(tree, names, subset)
        ]


def _by_folder(tree: FileIndex) -> dict[str, set[str]]:
    """Name the files of every folder without their suffix, if it is the one of that folder."""
    found: dict[str, set[str]] = {}
    for name in tree.files("."):
        folder, _, base = name.rpartition("/")
        stem, suffix = split_suffix(base)
        folder = folder.casefold()
        if _FOLDERS.get(base_name(folder)) == suffix.lower():
            found.setdefault(folder, set()).add(stem)
    return found


def _complete(tree: FileIndex, names: Mapping[str, set[str]], subset: str) -> list[str]:
    """Name the choices of a sub-set, in order, each of which has all its files."""
    found = {folder: names.get(join(subset, folder).casefold(), set[str]()) for folder in _FOLDERS}
    every = set().union(*found.values())
    if not every:
        raise IqbenchError(
            f"there is no sub-set {subset} in {tree.folder}",
            hint="Unpack the archive again, or correct `subsets:` in the dataset's block",
        )
    for folder, numbers in found.items():
        missing = [f"{subset}/{folder}/{name}{_FOLDERS[folder]}" for name in every - numbers]
        if missing:
            raise IqbenchError(
                f"{len(missing)} of {len(every)} files are missing in {tree.folder}: "
                f"{some(missing)}",
                hint="Unpack the archive again: every choice is ref, p0, p1 and judge",
            )
    return sorted(every, key=natural_key)


def _sample(tree: FileIndex, subset: str, number: str) -> Sample:
    image = f"{subset}/{number}"
    share = _share(tree.path(f"{subset}/judge/{number}.npy"))
    outputs = tuple(
        OutputImage(
            method,
            image,
            FileSource(tree.path(f"{subset}/{method}/{number}.png")),
            Opinion(chosen, None, "choice"),
            subset,
        )
        for method, chosen in (("p0", 1 - share), ("p1", share))
    )
    return Sample(image, FileSource(tree.path(f"{subset}/ref/{number}.png")), outputs)


def _share(path: Path) -> float:
    """Read the share of people who chose the second: one number in an array file."""
    try:
        with open_regular(path) as file:
            data = file.read(_MAXIMUM_BYTES)
        start = 10 + int.from_bytes(data[8:10], "little")
        dtype = _dtype(data[:start])
        share = float(np.frombuffer(data[start:], dtype, 1)[0])
    except OSError as error:
        raise IqbenchError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise IqbenchError(
            f"{path} is not an array of one number", hint="Unpack the archive again"
        ) from error
    # Shares are stored in single precision: 0.6 is 0.60000002.
    share = round(share, 6) if math.isfinite(share) else share
    if not 0 <= share <= 1:
        raise IqbenchError(
            f"{path}: {share:g} is not a share of people, 0 to 1",
            hint="Files of choices say how many preferred p1",
        )
    return share


@lru_cache(maxsize=64)
def _dtype(header: bytes) -> np.dtype[Any]:
    """Check an array file's header; nearly all are alike, and each costs as much as its file."""
    file = io.BytesIO(header)
    try:
        version = np.lib.format.read_magic(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 2 wrote shapes such as (1L,)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception as error:  # the reader can raise any error
        raise ValueError("no header") from error
    if version != (1, 0):
        raise ValueError("of another version")
    if math.prod(shape) != 1 or dtype.kind not in "fiu":
        raise ValueError("not one number")
    return dtype
