"""The interface of storages (files by name in any place), and paths in a storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from iqbench.datasets.files import is_hidden
from iqbench.datasets.storage.packed_files import PackedFiles
from iqbench.datasets.storage.stored_file import StoredFile
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource, Source
from iqbench.user_files import open_regular

__all__ = ["Place", "Storage", "StoredPath", "open_file", "source_of"]


@dataclass(eq=False)
class Storage:
    """Files that were listed once.

    Attributes
    ----------
    label
        What to call it: as the user named it.
    address
        Where it is, whatever the working folder.
    name
        What a dataset or method in it is called, where the user gives no name.
    separator
        What stands between the label and the name of a file.
    files
        By name, ``/``-separated. Hidden ones, as those of systems, are left out.
    is_file
        Whether a single file is at the address, and no folder.
    """

    label: str
    address: str
    name: str
    separator: str
    files: PackedFiles
    is_file: bool = False

    def __post_init__(self) -> None:
        self.files = self.files.keeping(
            lambda name: not any(is_hidden(part) for part in name.split("/"))
        )


@dataclass(frozen=True)
class StoredPath:
    """A path in a storage. It has what is used of `pathlib.Path`, with the same meaning.

    Attributes
    ----------
    storage
        Where it is.
    path
        In the storage, ``/``-separated; empty for all of it.
    absolute_text
        Whether its text is the storage's address, not the label.
    """

    storage: Storage
    path: str = ""
    absolute_text: bool = False

    def __truediv__(self, name: str) -> StoredPath:
        parts = f"{self.path}/{name}".split("/")
        path = "/".join(part for part in parts if part not in ("", "."))
        return StoredPath(self.storage, path, self.absolute_text)

    def __str__(self) -> str:
        base = self.storage.address if self.absolute_text else self.storage.label
        return f"{base}{self.storage.separator}{self.path}" if self.path else base

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StoredPath):
            return NotImplemented
        return (self.storage.address, self.path) == (other.storage.address, other.path)

    def __hash__(self) -> int:
        return hash((self.storage.address, self.path))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel with the files that are at this path, and not with all of the storage."""
        one = self.storage
        names = [self.path] if self.path in one.files else list(one.files.below(self.path))
        files = one.files.only(names) if self.path else one.files
        storage = Storage(one.label, one.address, one.name, one.separator, files, one.is_file)
        return StoredPath, (storage, self.path, self.absolute_text)

    @property
    def name(self) -> str:
        """The last part; of a whole storage, the name that it goes by."""
        return self.path.rpartition("/")[2] or self.storage.name

    def is_dir(self) -> bool:
        """Tell whether it is a folder with something in it."""
        return self.storage.files.has_folder(self.path)

    def is_file(self) -> bool:
        """Tell whether it is a file."""
        return self.path in self.storage.files or (not self.path and self.storage.is_file)

    def exists(self) -> bool:
        """Tell whether there is anything."""
        return self.is_dir() or self.is_file()

    def resolve(self) -> StoredPath:
        """Return the same path with the address, whatever the working folder, as its text."""
        return StoredPath(self.storage, self.path, absolute_text=True)

    def scan(self) -> Iterator[tuple[str, bool]]:
        """Give the names in this folder, and whether each is a folder."""
        yield from self.storage.files.scan(self.path)

    def walk(self) -> Iterator[str]:
        """Give the paths of all files below this folder, relative to it."""
        start = len(f"{self.path}/") if self.path else 0
        for name in self.storage.files.below(self.path):
            yield name[start:]

    def source(self) -> StoredFile:
        """Return the file.

        Raises
        ------
        IqbenchError
            If there is none.
        """
        if self.path not in self.storage.files:
            raise IqbenchError(f"{self} does not exist", hint="Check the path")
        return self.storage.files[self.path]


Place: TypeAlias = Path | StoredPath
"""A file or folder, on this machine or in a storage."""


def source_of(place: Place) -> Source:
    """Return the file at a place as the source of an image."""
    return place.source() if isinstance(place, StoredPath) else FileSource(place)


def open_file(place: Place) -> BinaryIO:
    """Open the file at a place to read it.

    Raises
    ------
    OSError, IqbenchError
        If it cannot be read.
    """
    if isinstance(place, StoredPath):
        return BytesIO(place.source().load())
    return open_regular(place)
