"""Read tables of opinions and blocks of pixels from MATLAB files, for layouts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqbench.datasets.matlab.elements import Array, Declared, open_arrays
from iqbench.errors import IqbenchError

__all__ = [
    "MAXIMUM_BYTES",
    "Declared",
    "declared_arrays",
    "read_bytes_array",
    "read_numbers",
    "read_texts",
]

MAXIMUM_BYTES = 2**22
"""Largest variable of opinions, unpacked; real ones have far less than a megabyte."""

_DECLARATION = 2**16
"""Bytes before the values of a variable; they are far fewer."""


def declared_arrays(path: Path) -> list[Declared]:
    """Read what a file says of its variables, and none of their values.

    Raises
    ------
    IqbenchError
        If the file cannot be read, is damaged, or is of another version than 5 to 7.
    """
    with open_arrays(path, _DECLARATION) as arrays:
        return [array.declared for array in arrays]


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
    found = None
    with open_arrays(path, math.prod(expected.shape) + _DECLARATION) as arrays:
        for array in arrays:
            if array.declared == expected and expected.kind == "uint8":
                found = array.numbers()
    if found is None or found.dtype != np.uint8:
        raise IqbenchError(
            f"{path} holds no array {expected.name!r} of bytes", hint="Download it again"
        )
    return found.reshape(expected.shape, order="F")


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
        If the file cannot be read, is damaged or too large, or a variable is not there or does
        not hold finite numbers.
    """
    vectors: dict[str, NDArray[np.float64]] = {}
    others: list[str] = []
    with open_arrays(path, MAXIMUM_BYTES) as arrays:
        for array in arrays:
            name = array.declared.name
            if name in names:
                vectors[name] = _finite(array, path)
            else:
                others.append(name)
    for name in names:
        if name not in vectors:
            raise _no_variable(path, name, [*vectors, *others])
    return vectors


def read_texts(path: Path, name: str) -> list[str]:
    """Read a cell array of texts.

    Raises
    ------
    IqbenchError
        As `read_numbers`.
    """
    texts: list[str] | None = None
    others: list[str] = []
    with open_arrays(path, MAXIMUM_BYTES) as arrays:
        for array in arrays:
            if array.declared.name == name:
                texts = _texts(array, path)
            else:
                others.append(array.declared.name)
    if texts is None:
        raise _no_variable(path, name, others)
    return texts


def _finite(array: Array, path: Path) -> NDArray[np.float64]:
    if array.declared.is_numeric:
        values = array.numbers()
        if np.isfinite(values).all():
            return values.astype(np.float64)
    raise IqbenchError(f"{path}: {array.declared.name!r} does not hold finite numbers")


def _texts(array: Array, path: Path) -> list[str]:
    texts = []
    is_cell = array.declared.kind == "cell"
    for entry in array.cells() if is_cell else ():
        if entry.declared.kind != "char" or entry.declared.shape[0] != 1:
            is_cell = False
            break
        texts.append(entry.text())
    if not is_cell:
        raise IqbenchError(f"{path}: {array.declared.name!r} is not a cell array of texts")
    return texts


def _no_variable(path: Path, name: str, others: Sequence[str]) -> IqbenchError:
    return IqbenchError(
        f"{path} has no variable {name!r}",
        hint=f"Its variables are {', '.join(others) or 'none'}",
    )
