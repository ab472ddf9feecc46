"""The files of a storage in some 100 bytes each: a storage may hold millions.

A file object is made when it is requested. Data that many files share, such as the name of their
archive, is stored once; numbers are stored in arrays, and of each address only the parts around the
name.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

from iqbench.blobs.blob import Blob
from iqbench.blobs.remote import RemoteObject
from iqbench.datasets.storage.stored_file import Extent, Span, StoredFile

__all__ = ["ArchiveFiles", "FilesByPlace", "PackedFiles", "RemoteFiles"]

_AFTER_SLASH = chr(ord("/") + 1)
_WHOLE_ONLY, _HAS_TAG = 1, 2
_OWN_NAME = -1
"""Stands for a text that equals the name of the file."""


class FilesByPlace(Protocol):
    """Files by their number in a listing."""

    def file(self, place: int) -> StoredFile:
        """Make the file of a number."""
        ...


class PackedFiles(Mapping[str, StoredFile]):
    """Files by name, in the order in which they were listed.

    Parameters
    ----------
    names
        Unique, ``/``-separated.
    files
        The files.
    places
        The number of each name's file; by default they are in the order of the names.
    """

    def __init__(
        self, names: Sequence[str], files: FilesByPlace, places: Iterable[int] | None = None
    ) -> None:
        self._names = names
        self._files = files
        self._places = None if places is None else array("I", places)
        self._sorted = array("I", sorted(range(len(names)), key=names.__getitem__))

    def __getitem__(self, name: str) -> StoredFile:
        place = self._find(name)
        if place is None:
            raise KeyError(name)
        return self._files.file(place if self._places is None else self._places[place])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def keeping(self, wanted: Callable[[str], bool]) -> PackedFiles:
        """Return the files whose names are wanted."""
        kept = [name for name in self._names if wanted(name)]
        return self if len(kept) == len(self) else self.renamed(zip(kept, kept, strict=True))

    def only(self, names: Iterable[str]) -> PackedFiles:
        """Return some of the files, without what is known of the others."""
        kept = list(names)
        return PackedFiles(kept, _MadeFiles([self[name] for name in kept]))

    def renamed(self, names: Iterable[tuple[str, str]]) -> PackedFiles:
        """Return some of the files under other names.

        Parameters
        ----------
        names
            New and old, of each.
        """
        new, places = list[str](), array("I")
        for name, old in names:
            place = self._find(old)
            assert place is not None
            new.append(name)
            places.append(place if self._places is None else self._places[place])
        return PackedFiles(new, self._files, places)

    def below(self, folder: str) -> Iterator[str]:
        """Give the names in a folder and its folders, as they are, in their order."""
        if not folder:
            yield from self._names
            return
        first, end = (self._position(folder + sign) for sign in ("/", _AFTER_SLASH))
        yield from map(self._names.__getitem__, sorted(self._sorted[first:end]))

    def has_folder(self, folder: str) -> bool:
        """Say whether there is a folder with something in it."""
        at = self._position(f"{folder}/" if folder else "")
        return at < len(self) and (not folder or self._name_at(at).startswith(f"{folder}/"))

    def scan(self, folder: str) -> Iterator[tuple[str, bool]]:
        """Give the names in a folder, in alphabetical order, and whether each is a folder.

        What is both a file and a folder counts as a folder.
        """
        prefix = f"{folder}/" if folder else ""
        at = self._position(prefix)
        while at < len(self) and (name := self._name_at(at)).startswith(prefix):
            child, slash, _ = name[len(prefix) :].partition("/")
            if slash:
                yield child, True
                at = self._position(f"{prefix}{child}{_AFTER_SLASH}")
                continue
            if not self.has_folder(prefix + child):
                yield child, False
            at += 1

    def _name_at(self, position: int) -> str:
        return self._names[self._sorted[position]]

    def _position(self, text: str) -> int:
        """Say how many names sort before a text."""
        return bisect_left(self._sorted, text, key=self._names.__getitem__)

    def _find(self, name: str) -> int | None:
        at = self._position(name)
        return self._sorted[at] if at < len(self) and self._name_at(at) == name else None


class _MadeFiles:
    """Files as they are.

    Parameters
    ----------
    files
        In their order.
    """

    def __init__(self, files: list[StoredFile]) -> None:
        self._files = files

    def file(self, place: int) -> StoredFile:
        """Return the file of a number."""
        return self._files[place]


class RemoteFiles:
    """Objects of a store.

    Parameters
    ----------
    names
        Where the name of each object is added, relative to the address that was listed.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._forms: dict[tuple[str, str], int] = {}
        """The text before and after a name in an address, usually the same for all files."""
        self._form_list: list[tuple[str, str]] = []
        self._form_of = array("i")
        self._addresses: dict[int, str] = {}
        """The addresses that do not contain the name itself, for example quoted addresses."""
        self._sizes = array("q")
        self._versions = _JoinedTexts()
        self._facts = array("b")
        """Of each, the sum of `_WHOLE_ONLY` and `_HAS_TAG`."""
        self._others: dict[int, StoredFile] = {}
        """Files that are no objects."""

    def add(self, name: str, one: RemoteObject) -> None:
        """Add an object."""
        place = len(self._names)
        before, found, after = one.name.rpartition(name)
        if found:
            form = self._forms.setdefault((before, after), len(self._forms))
            if form == len(self._form_list):
                self._form_list.append((before, after))
            self._form_of.append(form)
        else:
            self._form_of.append(_OWN_NAME)
            self._addresses[place] = one.name
        self._sizes.append(one.size)
        self._versions.append(one.version)
        self._facts.append(_WHOLE_ONLY * one.whole_only + _HAS_TAG * one.has_tag)
        self._names.append(name)

    def add_file(self, name: str, file: StoredFile) -> None:
        """Add a file that is no object which could be read; there are few."""
        self._others[len(self._names)] = file
        self.add(name, RemoteObject(name, 0, ""))

    def file(self, place: int) -> StoredFile:
        """Make one."""
        if place in self._others:
            return self._others[place]
        form, address = self._form_of[place], self._addresses.get(place)
        if address is None:
            before, after = self._form_list[form]
            address = f"{before}{self._names[place]}{after}"
        size, facts = self._sizes[place], self._facts[place]
        one = RemoteObject(
            address,
            size,
            self._versions[place],
            whole_only=bool(facts & _WHOLE_ONLY),
            has_tag=bool(facts & _HAS_TAG),
        )
        return StoredFile(address, Span(one, 0, size))


class ArchiveFiles:
    """Members of archives.

    Parameters
    ----------
    names
        Where the name of each member is added.
    inner
        What stands before the name in messages.
    """

    def __init__(self, names: list[str], inner: str = "") -> None:
        self._names = names
        self._inner = inner
        self._blobs: list[Blob] = []
        self._blob_of = array("I")
        self._kinds: dict[type[Extent], _Columns] = {}
        self._kind_list: list[_Columns] = []
        self._kind_of = array("b")
        self._row_of = array("I")
        self._odd: dict[int, Extent] = {}
        """Extents with numbers that no archive can have which is as it should be."""

    def add(self, name: str, blob: Blob, extent: Extent) -> None:
        """Add a member; those of one archive come one after the other."""
        place = len(self._names)
        if not self._blobs or self._blobs[-1] != blob:
            self._blobs.append(blob)
        kind = self._kinds.get(type(extent))
        if kind is None:
            kind = self._kinds[type(extent)] = _Columns(type(extent), len(self._kinds))
            self._kind_list.append(kind)
        try:
            row = kind.add(extent, name)
        except OverflowError:
            row, self._odd[place] = 0, extent
        self._blob_of.append(len(self._blobs) - 1)
        self._kind_of.append(kind.number)
        self._row_of.append(row)
        self._names.append(name)

    def blob(self, place: int) -> Blob:
        """Return the archive that a member is in."""
        return self._blobs[self._blob_of[place]]

    def file(self, place: int) -> StoredFile:
        """Make one."""
        name = self._names[place]
        extent = self._odd.get(place)
        if extent is None:
            extent = self._kind_list[self._kind_of[place]].get(self._row_of[place], name)
        return StoredFile(f"{self.blob(place).name}#{self._inner}{name}", extent)


class _Columns:
    """Extents of one class, field by field: numbers, and values that many of them share."""

    def __init__(self, kind: type[Any], number: int) -> None:
        self.number = number
        self._kind = kind
        self._count = 0
        self._numbers = {one.name: array("q") for one in fields(kind) if one.type == "int"}
        self._shared = {one.name: array("i") for one in fields(kind) if one.type != "int"}
        self._value_of: dict[Hashable, int] = {}
        self._values: list[Hashable] = []

    def add(self, extent: Extent, name: str) -> int:
        """Add an extent, and return its row.

        Raises
        ------
        OverflowError
            If a number of it has more than 63 bits; nothing is added then.
        """
        numbers = array("q", [getattr(extent, field) for field in self._numbers])
        for column, number in zip(self._numbers.values(), numbers, strict=True):
            column.append(number)
        for field, column in self._shared.items():
            column.append(self._place(getattr(extent, field), name))
        self._count += 1
        return self._count - 1

    def get(self, row: int, name: str) -> Extent:
        """Make an extent."""
        found: dict[str, Any] = {field: column[row] for field, column in self._numbers.items()}
        for field, column in self._shared.items():
            at = column[row]
            found[field] = name if at == _OWN_NAME else self._values[at]
        extent: Extent = self._kind(**found)
        return extent

    def _place(self, value: Hashable, name: str) -> int:
        if value == name:
            return _OWN_NAME
        if value not in self._value_of:
            self._value_of[value] = len(self._values)
            self._values.append(value)
        return self._value_of[value]


class _JoinedTexts:
    """Texts that are all different, one behind the other."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")

    def append(self, text: str) -> None:
        """Add one."""
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __getitem__(self, place: int) -> str:
        start = self._ends[place - 1] if place else 0
        return self._bytes[start : self._ends[place]].decode("utf-8", "surrogatepass")
