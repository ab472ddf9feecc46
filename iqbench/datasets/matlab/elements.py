"""The elements of MATLAB files, which are untrusted like any other file.

The format is level 5 of "MAT-File Format" (The MathWorks), chapter 1, which MATLAB's versions 5 to
7 write. SciPy reads it too, but damaged files crash it (a segmentation fault, not an exception), so
it must not read untrusted files.
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
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.user_files import open_regular

__all__ = ["Array", "Declared", "open_arrays"]

_HEADER = 128
_INT8, _UINT8, _UINT16, _INT32, _UINT32 = 1, 2, 4, 5, 6
_MATRIX, _COMPRESSED, _UTF8, _UTF16, _UTF32 = 14, 15, 16, 17, 18
_NUMBERS = {
    **{_INT8: "i1", _UINT8: "u1", 3: "i2", _UINT16: "u2", _INT32: "i4", _UINT32: "u4"},
    **{7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}
"""How numbers are stored; those of a class are often stored in a smaller type that holds them."""
_CHARACTERS = {
    **{_INT8: "latin-1", _UINT8: "latin-1", _UTF8: "utf-8"},
    **{_UINT16: "utf-16", _UTF16: "utf-16", _UTF32: "utf-32"},
}
_KINDS = {
    **{1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single"},
    **{8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32"},
    **{14: "int64", 15: "uint64"},
}
_COMPLEX = 0x800
_LONGEST = 1024
"""Bytes of the sides and of the name; both are far shorter."""
_MOST = 10_000
"""Elements of a file, of which each variable is one."""
_PART = 2**16


class _DamagedError(Exception):
    """The bytes are not what the format says they are."""


class _TooLargeError(Exception):
    """There are more bytes than the caller expects."""


@dataclass(frozen=True)
class Declared:
    """What a file says of one of its variables.

    Attributes
    ----------
    name, kind, shape
        The name, MATLAB's class of the values (``uint8``, ``double``, ``cell``, ``complex
        double`` ...), the sides.
    """

    name: str
    kind: str
    shape: tuple[int, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether the values are real numbers."""
        return self.kind in ("double", "single") or self.kind.startswith(("int", "uint"))


@contextmanager
def open_arrays(path: Path, most: int) -> Iterator[Iterator[Array]]:
    """Open a file, and say of every error which file it is.

    Parameters
    ----------
    path
        The file.
    most
        How many bytes a variable may have, unpacked, of those that are read.

    Yields
    ------
    iterator of Array
        The variables. Each is to be read before the next is asked for, and only then is known to
        be whole.

    Raises
    ------
    IqbenchError
        If the file cannot be read, is damaged, is of another version than 5 to 7, or has a
        variable that is larger.
    """
    try:
        with open_regular(path) as file:
            yield _variables(path, file, most)
    except OSError as error:
        raise IqbenchError(f"cannot read {path}: {error.strerror}") from error
    except _TooLargeError as error:
        raise IqbenchError(
            f"{path} is too large: {error}", hint="Take the file as it is distributed"
        ) from error
    except (_DamagedError, zlib.error, UnicodeDecodeError) as error:
        raise IqbenchError(
            f"{path} is no MATLAB file, or damaged: {error}", hint="Download it again"
        ) from error


def _variables(path: Path, file: BinaryIO, most: int) -> Iterator[Array]:
    header = file.read(_HEADER)
    version, order = header[124:126], {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None:
        raise _DamagedError("it does not begin like one")
    if struct.unpack(f"{order}H", version)[0] == 0x0200:
        raise IqbenchError(
            f"{path} is a MATLAB file of version 7.3 (HDF5), which is not read",
            hint="Save it again in MATLAB: save('FILE.mat', 'VARIABLE', '-v7')",
        )
    end, position = os.fstat(file.fileno()).st_size, _HEADER
    names: set[str] = set()
    for _ in range(_MOST):
        if position == end:
            return
        file.seek(position)
        kind, count = _words(order, file.read(8))
        position += 8 + count
        if position > end:
            raise _DamagedError("it ends too early")
        stream = _Stream(file, order, count, most, kind == _COMPRESSED)
        if kind == _COMPRESSED:
            kind, _, _ = stream.head()
        if kind == _MATRIX:
            array = Array(_declaration(stream), stream)
            name = array.declared.name
            if name in names:
                raise _DamagedError(f"it has two variables {name!r}")
            names.add(name)
            declared = stream.position
            yield array
            if stream.position > declared:
                stream.finish()
    raise _DamagedError(f"it has more than {_MOST:,} elements")


def _words(order: str, data: bytes | bytearray) -> tuple[int, int]:
    if len(data) < 8:
        raise _DamagedError("it ends too early")
    first, second = struct.unpack(f"{order}II", data)
    return first, second


def _declaration(stream: _Stream) -> Declared:
    """Read the first three parts of a matrix: flags, sides, name."""
    flags = stream.part(_UINT32)
    sides = stream.part(_INT32)
    name = stream.part(_INT8).decode("ascii", "replace")
    if len(flags) != 8 or len(sides) < 8 or len(sides) % 4 or not name.isprintable():
        raise _DamagedError("an array is not described as it should be")
    word, _ = _words(stream.order, flags)
    kind = _KINDS.get(word & 0xFF, "of an unknown class")
    if word & _COMPLEX:
        kind = f"complex {kind}"
    shape = struct.unpack(f"{stream.order}{len(sides) // 4}i", sides)
    if min(shape) < 0:
        raise _DamagedError("an array has a side of less than nothing")
    return Declared(name, kind, shape)


@dataclass(frozen=True)
class Array:
    """A variable, or an entry of a cell array; its values are read once, in one of three ways.

    Attributes
    ----------
    declared
        What the file says of it.
    """

    declared: Declared
    _stream: _Stream

    def numbers(self) -> NDArray[Any]:
        """Read the numbers of a numeric array, flat: the first side varies fastest.

        They have the type in which they are stored, which need not be that of the class.
        """
        kind, count, small = self._stream.head()
        if kind not in _NUMBERS:
            raise _DamagedError("numbers are not stored as such")
        dtype = np.dtype(self._stream.order + _NUMBERS[kind])
        if count != math.prod(self.declared.shape) * dtype.itemsize:
            raise _DamagedError("there are not as many values as the sides say")
        return np.frombuffer(self._stream.read(count) if small is None else small, dtype)

    def text(self) -> str:
        """Read a char array of one row."""
        kind, count, small = self._stream.head()
        if kind not in _CHARACTERS:
            raise _DamagedError("a text is not stored as such")
        codec = _CHARACTERS[kind]
        if codec in ("utf-16", "utf-32"):  # without the order they ask for a mark of it
            codec += "-le" if self._stream.order == "<" else "-be"
        data = self._stream.read(count) if small is None else small
        text = data.decode(codec)
        if len(text) != math.prod(self.declared.shape):
            raise _DamagedError("a text is not as long as its sides say")
        return text

    def cells(self) -> Iterator[Array]:
        """Walk the entries of a cell array; each is to be read before the next is asked for."""
        for _ in range(math.prod(self.declared.shape)):
            kind, count, small = self._stream.head()
            if kind != _MATRIX or small is not None:
                raise _DamagedError("an entry of a cell array is not an array")
            end = self._stream.position + count
            # An entry that nothing was ever put into has no bytes at all.
            declared = _declaration(self._stream) if count else Declared("", "double", (0, 0))
            yield Array(declared, self._stream)
            if not 0 <= end - self._stream.position < 8:
                raise _DamagedError("an entry of a cell array is not as long as it says")
            self._stream.read(end - self._stream.position)


class _Stream:
    """The bytes of one element, unpacked as they are asked for and no further."""

    def __init__(self, file: BinaryIO, order: str, count: int, most: int, packed: bool) -> None:
        self.order, self.position = order, 0
        self._file, self._left, self._most = file, count, most
        self._inflate = zlib.decompressobj() if packed else None
        self._ready = memoryview(b"")

    def head(self) -> tuple[int, int, bytearray | None]:
        """Read type and length of the part that follows, and its bytes if it has the small form."""
        first = self.read(8)
        kind, count = _words(self.order, first)
        if not kind >> 16:
            return kind, count, None
        kind, count = kind & 0xFFFF, kind >> 16  # type, length and up to four bytes in eight
        if count > 4:
            raise _DamagedError("an array is not described as it should be")
        return kind, count, first[4 : 4 + count]

    def part(self, expected: int) -> bytearray:
        """Read a short part of a type, with the bytes that fill it up."""
        kind, count, small = self.head()
        if kind != expected or count > _LONGEST:
            raise _DamagedError("an array is not described as it should be")
        return self.read(count + -count % 8)[:count] if small is None else small

    def read(self, count: int) -> bytearray:
        """Read so many bytes."""
        if self.position + count > self._most:
            raise _TooLargeError(f"a variable has more than {self._most:,} bytes")
        found = bytearray(count)
        done = 0
        while done < count:
            if not self._ready:
                self._ready = memoryview(self._more())
            part = self._ready[: count - done]
            self._ready = self._ready[len(part) :]
            found[done : done + len(part)] = part
            done += len(part)
        self.position += count
        return found

    def finish(self) -> None:
        """See that what was packed is whole: its check sum stands at the end."""
        left = len(self._ready)
        while self._inflate is not None and not self._inflate.eof and left < 8:
            left += len(self._unpacked(self._inflate))
        if left >= 8 and self._inflate is not None:
            raise _DamagedError("an array is followed by something else")

    def _more(self) -> bytes:
        """Give at least one byte."""
        if self._inflate is None:
            return self._raw()
        found = b""
        while not found:
            if self._inflate.eof:
                raise _DamagedError("an array ends too early")
            found = self._unpacked(self._inflate)
        return found

    def _unpacked(self, inflate: zlib._Decompress) -> bytes:
        return inflate.decompress(inflate.unconsumed_tail or self._raw(), _PART)

    def _raw(self) -> bytes:
        found = self._file.read(min(_PART, self._left))
        if not found:
            raise _DamagedError("an array ends too early")
        self._left -= len(found)
        return found
