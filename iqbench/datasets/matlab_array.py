"""Read one array of bytes out of a MATLAB file, whatever the file holds.

The format is level 5 of "MAT-File Format" (The MathWorks), chapter 1. SciPy reads it too, but
damaged files crash it (a segmentation fault, not an exception), so that it is not let near files
from strangers.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError

__all__ = ["Declared", "declared_arrays", "read_bytes_array"]

_HEADER = 128
_INT8, _UINT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 2, 5, 6, 14, 15
_KINDS = {
    **{1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single"},
    **{8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32"},
    **{14: "int64", 15: "uint64"},
}
_COMPLEX = 0x800
_LONGEST = 1024
"""Bytes of the sides and of the name; both are far shorter."""
_PART = 2**16


class _DamagedError(Exception):
    """The bytes are not what the format says they are."""


@dataclass(frozen=True)
class Declared:
    """What a file says of one of its variables.

    Attributes
    ----------
    name, kind, shape
        The name, MATLAB's class of the values (``uint8``, ``double``, ``cell``, ...), the sides.
    """

    name: str
    kind: str
    shape: tuple[int, ...]


def declared_arrays(path: Path) -> list[Declared]:
    """Read what a file says of its variables, and none of their values.

    Raises
    ------
    IqbenchError
        If the file cannot be read, is damaged, or is of another version than 5 to 7.
    """
    with _opened(path) as file:
        return [declared for declared, _ in _variables(file)]


def read_bytes_array(path: Path, expected: Declared) -> NDArray[np.uint8]:
    """Read an array of class uint8.

    Parameters
    ----------
    path
        The file.
    expected
        As `declared_arrays` gave it; the caller has seen that it is not too large.

    Returns
    -------
    ndarray
        uint8 of the declared shape, in MATLAB's order in memory (the first side varies fastest).

    Raises
    ------
    IqbenchError
        If the file is damaged or does not hold this array.
    """
    with _opened(path) as file:
        for declared, stream in _variables(file):
            if declared == expected and declared.kind == "uint8":
                size = math.prod(declared.shape)
                if stream.tag() != (_UINT8, size):
                    raise _DamagedError("there are not as many values as the sides say")
                values = np.empty(size, np.uint8)
                stream.read_into(values.data)
                return values.reshape(declared.shape, order="F")
        raise _DamagedError(f"it holds no array {expected.name!r} of uint8")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, and say of every error which file it is."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise IqbenchError(f"cannot read {path}: {error.strerror}") from error
    except (_DamagedError, zlib.error, struct.error) as error:
        raise IqbenchError(
            f"{path} is no MATLAB file, or damaged: {error}", hint="Download it again"
        ) from error


def _variables(file: BinaryIO) -> Iterator[tuple[Declared, _Stream]]:
    """Walk the variables; the stream of each stands before its values."""
    header = file.read(_HEADER)
    version, order = header[124:128], {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None:
        raise _DamagedError("it does not begin like one")
    if struct.unpack(f"{order}H", version[:2])[0] == 0x0200:
        name = os.fspath(file.name)
        raise IqbenchError(
            f"{name} is a MATLAB file of version 7.3 (HDF5), which is not read",
            hint="Save it anew in MATLAB: save('FILE.mat', 'VARIABLE', '-v7')",
        )
    end, position = os.fstat(file.fileno()).st_size, _HEADER
    while position < end:
        file.seek(position)
        tag = file.read(8)
        if len(tag) < 8:
            raise _DamagedError("it ends too early")
        kind, count = struct.unpack(f"{order}II", tag)
        position += 8 + count
        if position > end:
            raise _DamagedError("it ends too early")
        stream = _Stream(file, order, count, compressed=kind == _COMPRESSED)
        if kind == _COMPRESSED:
            kind, _ = stream.tag()
        if kind == _MATRIX:
            yield _declaration(stream), stream


def _declaration(stream: _Stream) -> Declared:
    """Read the first three parts of a matrix: flags, sides, name."""
    flags = stream.part(_UINT32)
    sides = stream.part(_INT32)
    name = stream.part(_INT8)
    if len(flags) != 8 or len(sides) < 8 or len(sides) % 4:
        raise _DamagedError("an array has no sides")
    word = struct.unpack(f"{stream.order}I", flags[:4])[0]
    kind = _KINDS.get(word & 0xFF, "of an unknown class")
    if word & _COMPLEX:
        kind = f"complex {kind}"
    shape = struct.unpack(f"{stream.order}{len(sides) // 4}i", sides)
    return Declared(name.decode("ascii", "replace"), kind, shape)


class _Stream:
    """The bytes of one element, unpacked as they are asked for and no further."""

    def __init__(self, file: BinaryIO, order: str, count: int, *, compressed: bool) -> None:
        self.order = order
        self._file, self._left = file, count
        self._inflate = zlib.decompressobj() if compressed else None

    def tag(self) -> tuple[int, int]:
        """Read type and length of the element that follows."""
        kind, count = struct.unpack(f"{self.order}II", self._read(8))
        return kind, count

    def part(self, expected: int) -> bytes:
        """Read a short element of a type, with the bytes that fill it up."""
        first = self._read(8)
        kind, count = struct.unpack(f"{self.order}II", first)
        if kind >> 16:  # the small form: type, length and up to four bytes in eight
            kind, count = kind & 0xFFFF, kind >> 16
            if kind != expected or count > 4:
                raise _DamagedError("an array is not described as it should be")
            return first[4 : 4 + count]
        if kind != expected or count > _LONGEST:
            raise _DamagedError("an array is not described as it should be")
        return self._read(count + -count % 8)[:count]

    def read_into(self, target: memoryview) -> None:
        """Fill a buffer."""
        done = 0
        while done < len(target):
            part = self._some(min(len(target) - done, 2**20))
            target[done : done + len(part)] = part
            done += len(part)

    def _read(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            parts += self._some(count - len(parts))
        return parts

    def _some(self, most: int) -> bytes:
        """Read at least one byte and at most so many."""
        if self._inflate is None:
            return self._raw(most)
        while True:
            if self._inflate.eof:
                raise _DamagedError("an array ends too early")
            packed = self._inflate.unconsumed_tail or self._raw(_PART)
            if found := self._inflate.decompress(packed, most):
                return found

    def _raw(self, most: int) -> bytes:
        found = self._file.read(min(most, self._left))
        if not found:
            raise _DamagedError("an array ends too early")
        self._left -= len(found)
        return found
