"""The base class of layouts, and their discovery.

A layout describes how a dataset is stored: it turns the ``data:`` part of a block of
``datasets.yaml`` into samples. Each layout is one file in ``iqbench/datasets/layouts/``; other
packages add layouts by an entry point of the group ``iqbench.layouts`` that names the class.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, TypeAlias, TypeGuard, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict

from iqbench.classes import is_class
from iqbench.datasets.files import is_below_root
from iqbench.datasets.sample import Sample
from iqbench.datasets.storage.paths import Place, StoredPath
from iqbench.datasets.storage.places import find_place
from iqbench.errors import IqbenchError
from iqbench.plugins import plugins

__all__ = [
    "ENTRY_POINT_GROUP",
    "BelowRoot",
    "DataRoot",
    "Layout",
    "MissingDataError",
    "file_below",
    "find_below",
    "folder_below",
    "layouts",
    "missing_data",
    "root_hint",
]

ENTRY_POINT_GROUP = "iqbench.layouts"


class MissingDataError(IqbenchError):
    """The dataset's files are not on this machine, or nobody said where."""


def _below_root(path: str) -> str:
    if not is_below_root(path):
        raise ValueError(f"{path!r} must be a path below the data root, without '..'")
    return path


def missing_data(message: str, place: str) -> MissingDataError:
    """Say that data is not there, and where it is looked for."""
    return MissingDataError(message, hint=root_hint(place))


def root_hint(place: str) -> str:
    """Say how to tell where data lies."""
    return (
        f"Set the environment variable IQBENCH_DATA to the folder that holds {place!r}, or write "
        "it as `root:` into the datasets file"
    )


def folder_below(root: DataRoot | None, place: str, what: str) -> Place:
    """Find a folder below the data root: also an archive, or a part of one.

    Parameters
    ----------
    root, place, what
        As in `find_below`; the root may be an address.

    Raises
    ------
    MissingDataError
        If nobody said where data lies, or it is not there.
    IqbenchError
        If an archive is not as it should be, or a server does not answer.
    """
    if root is None:
        raise missing_data("its data root is not set", place)
    if isinstance(root, str):
        folder = find_place(root if place == "." else f"{root.rstrip('/')}/{place}")
    else:
        folder = root / place
        folder = find_place(folder) if isinstance(folder, Path) else folder
    if not folder.is_dir():
        raise missing_data(f"{what} {folder} does not exist", place)
    return folder


def file_below(root: DataRoot | None, place: str, what: str) -> Place:
    """Find a file below the data root or address; see `find_below`."""
    if root is None or isinstance(root, Path):
        return find_below(root, place, what)
    folder, _, name = place.rpartition("/")
    path = folder_below(root, folder or ".", f"folder of the {what}") / name
    if not path.is_file():
        raise missing_data(f"{what} {path} does not exist", place)
    return path


def find_below(root: Path | None, place: str, what: str) -> Path:
    """Return the path of a file below the data root.

    Parameters
    ----------
    root
        The data root, or None if it is not set.
    place
        The path of the file below the root.
    what
        The kind of file, for the message.

    Raises
    ------
    MissingDataError
        If the root is not set, or the file does not exist.
    """
    if root is None:
        raise missing_data("its data root is not set", place)
    path = root / place
    if not path.is_file():
        raise missing_data(f"{what} {path} does not exist", place)
    return path


DataRoot: TypeAlias = Path | StoredPath | str
"""The folder below which data lies: on this machine, in a storage that was listed, or an address
such as ``s3://bucket/data``, below which only the folders of a dataset are listed."""

BelowRoot = Annotated[str, AfterValidator(_below_root)]
"""A path in a block of ``datasets.yaml``: relative, and never above the data root."""


class Layout(BaseModel, ABC):
    """How a dataset lies on disk. The fields are the keys that a block's ``data:`` may have.

    A layout defines ``layout: Literal["its-name"]``, its options as further fields, and
    :meth:`samples`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    layout: str

    @abstractmethod
    def samples(self, root: Path | None) -> Sequence[Sample]:
        """List the dataset's images in a fixed order, without opening any.

        Parameters
        ----------
        root
            The folder below which data lies, or None where nobody said.

        Raises
        ------
        MissingDataError
            If the data is not there.
        IqbenchError
            If what is there is no such dataset; the sentence names the file.
        """

    def places(self) -> tuple[str, ...]:
        """Name the files and folders, below the root, that its images are in.

        Users are told of them where data is missing. Files elsewhere are none of the dataset's
        when it is verified; nothing here means that they may be anywhere.
        """
        return ()

    def ignored(self, root: Path | None, samples: Sequence[Sample]) -> list[str]:
        """Name the files beside the dataset's images that are none of them, and were left out.

        Parameters
        ----------
        root
            As `samples` had it.
        samples
            As `samples` gave them.
        """
        del root, samples
        return []


@cache
def layouts() -> dict[str, type[Layout]]:
    """Find every layout, by name.

    Warns
    -----
    IqbenchWarning
        About an entry point that cannot be used. It is left out.
    """
    found: dict[str, type[Layout]] = {}
    package = import_module("iqbench.datasets.layouts")
    for module_info in pkgutil.iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{module_info.name}")
        for value in vars(module).values():
            if _is_layout(value) and value.__module__ == module.__name__:
                found |= dict.fromkeys(_names_of(value), value)
    for _, plugin in plugins(ENTRY_POINT_GROUP, "Layout", _is_layout, found, _names_of):
        found |= dict.fromkeys(_names_of(plugin), plugin)
    return found


def _is_layout(value: object) -> TypeGuard[type[Layout]]:
    return is_class(value) and issubclass(value, Layout) and value is not Layout


def _names_of(layout: type[Layout]) -> tuple[str, ...]:
    """Return the values that a layout takes in ``layout:``."""
    return get_args(layout.model_fields["layout"].annotation)
