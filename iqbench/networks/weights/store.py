"""Weight files: find, read, verify and write them.

This module does not need torch. A file is read into arrays, and its digest is computed over exactly
the arrays that are returned.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.networks.weights.catalogue import WeightSet, expected_shapes, weight_set
from iqbench.user_files import CACHE_VARIABLE, cache_root, expand_user, write_file

__all__ = [
    "CACHE_VARIABLE",
    "OFFLINE_VARIABLE",
    "WEIGHTS_VARIABLE",
    "WeightsFile",
    "cache_folder",
    "content_digest",
    "locate",
    "offline",
    "read",
    "save",
]

Arrays = Mapping[str, NDArray[np.floating[Any]]]

WEIGHTS_VARIABLE = "IQBENCH_WEIGHTS"
OFFLINE_VARIABLE = "IQBENCH_OFFLINE"

_DIGEST_KEY = "iqbench_digest"
_ORIGIN_KEY = "iqbench_origin"


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """A weight file that was read and verified.

    Attributes
    ----------
    network
        The network it belongs to.
    path
        The path of the file.
    arrays
        Its tensors by the keys of `expected_shapes`.
    digest
        The content digest of the tensors.
    origin
        The source of the file, or a text that it is not verified.
    verified
        Whether the digest is known: built in, or recorded when the file was fetched.
    """

    network: str
    path: Path
    arrays: dict[str, NDArray[np.floating[Any]]]
    digest: str
    origin: str
    verified: bool


def offline() -> bool:
    """Return whether the environment forbids fetching."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in {"", "0", "false", "no"}


def cache_folder() -> Path:
    """Return the folder for fetched weights; it may not exist yet.

    It is ``weights`` in ``$IQBENCH_CACHE``, or in the operating system's cache folder.
    """
    return cache_root() / "weights"


def locate(name: str, folder: Path | None = None) -> Path | None:
    """Find the weight file of a network: in the given folder, ``$IQBENCH_WEIGHTS`` or the cache.

    Raises
    ------
    IqbenchError
        If there is no such network, or a named folder does not exist.
    """
    file_name = weight_set(name).file_name
    for place in _places(folder):
        if (place / file_name).is_file():
            return place / file_name
    return None


def _places(folder: Path | None) -> list[Path]:
    named: list[tuple[str, Path]] = []
    if folder is not None:
        named.append(("given for the weights", expand_user(folder)))
    if variable := os.environ.get(WEIGHTS_VARIABLE):
        named.append((f"named by {WEIGHTS_VARIABLE}", expand_user(variable)))
    for how, place in named:
        if not place.is_dir():
            raise IqbenchError(
                f"the folder {how} does not exist: {place}",
                hint="Give a folder that holds files such as vgg16_features.safetensors.",
            )
    return [*(place for _, place in named), cache_folder()]


def content_digest(arrays: Arrays) -> str:
    """Return the SHA-256 of the tensors, independent of their file.

    It is computed over all tensors, sorted by key. Each contributes its key, data type and shape as
    one line of text, then its values as little-endian bytes in row-major order.
    """
    digest = hashlib.sha256()
    for key in sorted(arrays):
        values = np.ascontiguousarray(arrays[key])
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{key} {values.dtype.name} {'x'.join(map(str, values.shape))}\n".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def read(name: str, path: Path) -> WeightsFile:
    """Read a weight file and verify it.

    Parameters
    ----------
    name
        The network whose weights the file must hold.
    path
        The file, safetensors.

    Raises
    ------
    IqbenchError
        If the file cannot be read, does not contain the tensors of this network, or their digest
        is neither the known one nor the one recorded when they were fetched.
    """
    entry = weight_set(name)
    arrays, metadata = _read_safetensors(entry, path)
    if problem := _difference(name, arrays):
        raise _damaged(entry, path, problem)
    digest = content_digest(arrays)
    expected = entry.digest or metadata.get(_DIGEST_KEY)
    if expected is None:
        origin = "user's folder, not verified against a known digest"
    elif digest != expected:
        problem = f"its content digest is {digest[:12]}, but {expected[:12]} is correct"
        raise _damaged(entry, path, problem)
    else:
        origin = metadata.get(_ORIGIN_KEY, "user's folder, content digest as known")
    return WeightsFile(name, path, arrays, digest, origin, verified=expected is not None)


def _read_safetensors(
    entry: WeightSet, path: Path
) -> tuple[dict[str, NDArray[np.floating[Any]]], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    expected = expected_shapes(entry.name)
    try:
        # Typed Any: the type stubs that safetensors has do not cover its numpy side.
        opened: Any = safe_open(path, framework="numpy")
        with opened as file:
            names: list[str] = file.keys()
            # Check keys and shapes before reading any tensor, so that a wrong large file is
            # refused without reading it.
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in names}
            if problem := _shape_difference(shapes, expected):
                raise _damaged(entry, path, problem)
            return {key: file.get_tensor(key) for key in expected}, file.metadata() or {}
    except (SafetensorError, OSError, TypeError) as error:
        raise _damaged(entry, path, str(error)) from error


def _difference(name: str, arrays: Arrays) -> str:
    """Return why tensors cannot be those of a network; empty if they can."""
    dtype = weight_set(name).dtype
    for key, values in arrays.items():
        if values.dtype != dtype:
            return f"{key} is {values.dtype}, not {dtype}"
    shapes = {key: values.shape for key, values in arrays.items()}
    return _shape_difference(shapes, expected_shapes(name))


def _shape_difference(
    shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> str:
    if missing := [key for key in expected if key not in shapes]:
        return f"{missing[0]} is not in it"
    if extra := [key for key in shapes if key not in expected]:
        return f"{extra[0]} does not belong in it"
    for key, shape in expected.items():
        if shapes[key] != shape:
            return f"{key} has shape {shapes[key]}, but {shape} is correct"
    return ""


def _damaged(entry: WeightSet, path: Path, problem: str) -> IqbenchError:
    command = f"iqbench weights fetch {entry.name} --force"
    if path.parent != cache_folder():
        command += f" --weights {path.parent}"
    return IqbenchError(
        f"{path} is damaged or another network's, not the weights of {entry.name}: {problem}",
        hint=f"Delete it, or replace it by `{command}`.",
    )


def save(name: str, arrays: Arrays, *, origin: str, folder: Path) -> Path:
    """Write the weights of a network into a folder, as a complete file or not at all.

    Parameters
    ----------
    name
        The network.
    arrays
        Its tensors by torchvision's keys.
    origin
        Their source, which is stored in the file and shown to users.
    folder
        The folder, which is created if it does not exist. Another process may write the same file
        at the same time.

    Raises
    ------
    IqbenchError
        If the tensors are not those of this network, or the file cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    entry = weight_set(name)
    digest = content_digest(arrays)
    problem = _difference(name, arrays)
    if not problem and entry.digest is not None and digest != entry.digest:
        problem = f"their content digest is {digest[:12]}, but {entry.digest[:12]} is correct"
    if problem:
        raise IqbenchError(
            f"{origin} does not hold the weights of {name}: {problem}",
            hint="Try again. If this happens again, the source has changed: please report it.",
        )
    content = {key: np.ascontiguousarray(values) for key, values in arrays.items()}
    metadata = {"format": "pt", _DIGEST_KEY: digest, _ORIGIN_KEY: origin}
    path = folder / entry.file_name
    hint = f"Set {CACHE_VARIABLE} to a folder that can be written to."
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IqbenchError(
            f"cannot write the weights of {name} to {folder}: {error.strerror or error}", hint=hint
        ) from error
    # Do not use safetensors' own writer: its files are readable only by their owner, and a cache
    # may be shared.
    write_file(path, to_bytes(content, metadata), hint=hint)
    return path
