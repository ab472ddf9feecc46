"""Directories of TIFF 6.0 and BigTIFF, also in EXIF blocks."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from iqbench.errors import IqbenchError
from iqbench.images.formats.reader import BufferReader, ByteReader

__all__ = [
    "BYTE",
    "SIGNATURES",
    "UNSIGNED",
    "Directory",
    "exif_orientation",
    "orientation_of",
    "read_directory",
]

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION = 274

# By field type: bytes per value, and for unsigned integers the struct code.
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
TYPE_SIZES |= {16: 8, 17: 8, 18: 8}
BYTE = 1
UNSIGNED = {BYTE: "B", 3: "H", 4: "I", 16: "Q"}


@dataclass(frozen=True)
class Directory:
    """One image file directory.

    Attributes
    ----------
    file
        The file.
    order
        The byte order, as in :mod:`struct`.
    entries
        By tag: field type, count, and offset of the values.
    following
        Offset of the next directory; 0 if there is none.
    """

    file: ByteReader
    order: str
    entries: dict[int, tuple[int, int, int]]
    following: int

    def values(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Read the unsigned integers of a tag."""
        if tag not in self.entries:
            return default
        kind, count, offset = self.entries[tag]
        if kind not in UNSIGNED:
            raise self.file.damaged(f"its TIFF tag {tag} is not an unsigned integer")
        self.file.reaches(offset + count)  # check the count before it becomes a struct layout
        return self.file.unpack(f"{self.order}{count}{UNSIGNED[kind]}", offset)

    def value(self, tag: int, default: int | None = None) -> int:
        """Read the single unsigned integer of a tag."""
        if tag not in self.entries:
            if default is None:
                raise self.file.damaged(f"its TIFF tag {tag} is missing")
            return default
        values = self.values(tag)
        if len(values) != 1:
            raise self.file.damaged(f"its TIFF tag {tag} has {len(values)} values")
        return values[0]

    def data(self, tag: int) -> bytes:
        """Read the bytes of a tag; empty if it is missing."""
        kind, count, offset = self.entries.get(tag, (7, 0, 0))
        return self.file.at(offset, TYPE_SIZES.get(kind, 0) * count)

    def check_within(self) -> None:
        """Raise the error for a truncated file unless the values of all tags are inside it."""
        for kind, count, offset in self.entries.values():
            self.file.reaches(offset + TYPE_SIZES.get(kind, 0) * count)


def read_directory(file: ByteReader) -> Directory:
    """Read the first directory."""
    order = "<" if file.at(0, 2) == b"II" else ">"
    (version,) = file.unpack(f"{order}H", 2)
    big = version == 43
    word, counter, pointer_at = ("Q", "Q", 8) if big else ("I", "H", 4)
    word_size = struct.calcsize(word)
    (start,) = file.unpack(order + word, pointer_at)
    (count,) = file.unpack(order + counter, start)
    first = start + struct.calcsize(order + counter)
    entry_size = 4 + 2 * word_size
    file.reaches(first + count * entry_size + word_size)
    entries: dict[int, tuple[int, int, int]] = {}
    for entry in range(first, first + count * entry_size, entry_size):
        tag, kind, number = file.unpack(f"{order}HH{word}", entry)
        inline = entry + 4 + word_size
        long = TYPE_SIZES.get(kind, 0) * number > word_size
        offset = file.unpack(order + word, inline)[0] if long else inline
        if tag in entries:  # programs could choose different ones
            raise file.damaged(f"it has the TIFF tag {tag} twice")
        entries[tag] = (kind, number, offset)
    (following,) = file.unpack(order + word, first + count * entry_size)
    return Directory(file, order, entries, following)


def exif_orientation(block: bytes) -> int:
    """Read the orientation, 1 to 8, of an EXIF block; 1 if it is missing or damaged."""
    file = BufferReader("EXIF", block.removeprefix(b"Exif\0\0"))
    if not file.data.startswith(SIGNATURES):
        return 1
    try:
        return orientation_of(read_directory(file))
    except IqbenchError:  # the pixels are valid, so show them as stored
        return 1


def orientation_of(directory: Directory) -> int:
    """Read the orientation tag, 1 to 8; 1 if it is missing or invalid."""
    orientation = directory.value(ORIENTATION, 1)
    return orientation if 1 <= orientation <= 8 else 1
