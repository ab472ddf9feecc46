"""Blur kernels from files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqbench.datasets.files import is_image_name
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource
from iqbench.user_files import expand_user, open_regular

__all__ = ["read_kernel"]

_LARGEST = 1001
_BYTES = 2**26


def read_kernel(path: Path) -> NDArray[np.float64]:
    """Read a blur kernel and make its sum 1.

    Parameters
    ----------
    path
        A gray image; an array of NumPy (``.npy``); or else text, rows of numbers between blanks
        or commas.

    Returns
    -------
    ndarray
        (rows, columns), both odd, summing to 1.

    Raises
    ------
    IqbenchError
        If the file cannot be read, or holds no plane of finite numbers, none below 0, with odd
        sides of at most 1001.
    """
    path = expand_user(path)
    kernel = _values(path)
    sides = kernel.shape
    if kernel.ndim != 2 or any(side % 2 == 0 or side > _LARGEST for side in sides):
        raise IqbenchError(
            f"the kernel {path} has the shape {sides}",
            hint=f"A kernel has rows and columns, both odd and at most {_LARGEST}",
        )
    total = kernel.sum()
    if not np.isfinite(kernel).all() or kernel.min() < 0 or not 0 < total < np.inf:
        raise IqbenchError(
            f"the kernel {path} has values below 0, none above 0, or some that are no numbers"
        )
    normalised: NDArray[np.float64] = kernel / total
    return normalised


def _values(path: Path) -> NDArray[np.float64]:
    if is_image_name(path.name):
        picture = FileSource(path).read().decode()
        if picture.channels != 1:
            raise IqbenchError(f"the kernel {path} is a colour image", hint="Write it in gray")
        return picture.pixels[..., 0].astype(np.float64)
    try:
        with open_regular(path) as file:
            content = file.read(_BYTES + 1)
        if len(content) > _BYTES:
            raise IqbenchError(f"the kernel {path} is larger than {_BYTES >> 20} MiB")
        if path.suffix.lower() == ".npy":
            stored = np.load(BytesIO(content), allow_pickle=False)
            if np.iscomplexobj(stored):
                raise TypeError
            return np.asarray(stored, dtype=np.float64)
        rows = content.decode().replace(",", " ").splitlines()
        return np.array([[float(item) for item in row.split()] for row in rows if row.strip()])
    except OSError as error:
        raise IqbenchError(f"cannot read the kernel {path}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise IqbenchError(
            f"{path} holds no kernel",
            hint="Give a gray image, a .npy array, or text: rows of numbers between blanks",
        ) from error
