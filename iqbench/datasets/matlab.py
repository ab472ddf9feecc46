"""Read small variables of MATLAB files, which are untrusted like any other file."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError

__all__ = ["MAXIMUM_BYTES", "read_numbers", "read_texts"]

MAXIMUM_BYTES = 2**25
"""Of a file, unpacked: tables of opinions have less than a megabyte."""

_HEADER = 128
_COMPRESSED = 15


def read_numbers(path: Path, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Read vectors of finite numbers.

    Parameters
    ----------
    path
        A MATLAB file of version 5 to 7.
    names
        The variables.

    Returns
    -------
    dict
        Each variable, flat.

    Raises
    ------
    IqbenchError
        If the file cannot be read, is too large, or a variable is not there or no such vector.
    """
    vectors = {}
    for name, value in _read(path, names).items():
        if value.dtype.kind not in "biuf" or not np.isfinite(value).all():
            raise IqbenchError(f"{path}: {name!r} does not hold finite numbers")
        vectors[name] = value.astype(np.float64).ravel()
    return vectors


def read_texts(path: Path, name: str) -> list[str]:
    """Read a cell array of texts.

    Raises
    ------
    IqbenchError
        As `read_numbers`.
    """
    texts = []
    for cell in _read(path, [name])[name].ravel():
        value = np.asarray(cell)
        if value.dtype.kind != "U" or value.size != 1:
            raise IqbenchError(f"{path}: {name!r} is not a cell array of texts")
        texts.append(str(value.item()))
    return texts


def _read(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat, whosmat

    data = _unpacked(path)
    try:
        declared = {name: math.prod(shape) for name, shape, _ in whosmat(io.BytesIO(data))}
        missing = [name for name in names if name not in declared]
        if not missing:
            if max(declared[name] for name in names) > MAXIMUM_BYTES:
                raise IqbenchError(f"{path} is too large for a table of opinions")
            content = loadmat(io.BytesIO(data), variable_names=list(names))
            return {name: np.asarray(content[name]) for name in names}
    except IqbenchError:
        raise
    except Exception as error:  # the reader raises whatever it stumbles over
        raise _damaged(path) from error
    raise IqbenchError(
        f"{path} has no variable {missing[0]!r}",
        hint=f"Its variables are {', '.join(declared) or 'none'}",
    )


def _unpacked(path: Path) -> bytes:
    """Unpack compressed variables within bounds: the reader itself would unpack without any."""
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise IqbenchError(f"{path} is too large for a table of opinions")
        data = path.read_bytes()
    except OSError as error:
        raise IqbenchError(f"cannot read {path}: {error.strerror}") from error
    if data[:19] == b"MATLAB 7.3 MAT-file":
        raise IqbenchError(
            f"{path} is of MATLAB's version 7.3", hint="Take the file as it is distributed"
        )
    if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
        raise _damaged(path)
    order = "<" if data[126:128] == b"IM" else ">"
    parts, size, position = [data[:_HEADER]], _HEADER, _HEADER
    while position + 8 <= len(data):
        kind, count = struct.unpack_from(f"{order}II", data, position)
        element = data[position : position + 8 + count]
        position += 8 + count
        if kind == _COMPRESSED:
            try:
                element = zlib.decompressobj().decompress(element[8:], MAXIMUM_BYTES - size + 1)
            except zlib.error as error:
                raise _damaged(path) from error
        parts.append(element)
        size += len(element)
        if size > MAXIMUM_BYTES:
            raise IqbenchError(f"{path} is too large for a table of opinions")
    return b"".join(parts)


def _damaged(path: Path) -> IqbenchError:
    return IqbenchError(f"{path} is no MATLAB file, or damaged", hint="Unpack the archive again")
