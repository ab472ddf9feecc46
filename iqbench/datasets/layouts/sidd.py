"""SIDD's validation blocks: all references in one array of a MATLAB file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from iqbench.datasets.layout import BelowRoot, Layout, find_below
from iqbench.datasets.matlab.reading import Declared, declared_arrays, read_bytes_array
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError
from iqbench.forks import ForkLock
from iqbench.images.probe import ImageHeader
from iqbench.images.source import DecodedImage

__all__ = ["BlockSource", "BlocksFile", "SiddLayout"]

_LARGEST = 2**30
"""Bytes of the largest array that is read; SIDD's has a quarter of that."""
_MOST = 100_000
"""Blocks of the largest array that is listed; SIDD's has 1280."""


class SiddLayout(Layout):
    """Blocks of scenes in an array of shape (scenes, blocks, height, width, 3).

    The ids are ``0001_01`` to ``0040_32``, scene and block counted from 1: so the code of MPRNet
    and of what came after it names the PNG files it saves (swz30/MPRNet, Denoising/test_SIDD.py).

    Attributes
    ----------
    blocks
        The file, below the data root.
    variable
        The array's name in it.
    """

    layout: Literal["sidd"]
    blocks: BelowRoot
    variable: str = "ValidationGtBlocksSrgb"

    def samples(self, root: Path | None) -> list[Sample]:
        """List the blocks; only the array's declared shape is read.

        Raises
        ------
        MissingDataError
            If no root is known or the file is not there.
        IqbenchError
            If the file is no MATLAB file up to version 7, or the array is not as it should be.
        """
        path = find_below(root, self.blocks, "file of blocks")
        file = BlocksFile(path, self.variable, _declared_shape(path, self.variable))
        return [
            Sample(f"{scene + 1:04}_{block + 1:02}", BlockSource(file, scene, block))
            for scene, block in product(range(file.shape[0]), range(file.shape[1]))
        ]

    def places(self) -> tuple[str, ...]:
        """Name the file."""
        return (self.blocks,)


@dataclass(eq=False)
class BlocksFile:
    """A MATLAB file's array, read once when its first block is asked for, and kept.

    Attributes
    ----------
    path, variable
        The file, and the array's name in it.
    shape
        As the file declares it: scenes, blocks, height, width, 3.
    """

    path: Path
    variable: str
    shape: tuple[int, int, int, int, int]
    _array: NDArray[np.uint8] | None = field(default=None, repr=False)
    _lock: ForkLock = field(default_factory=ForkLock, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without the array: where it arrives, it is read once for all its blocks."""
        return _opened, (self.path, self.variable, self.shape)

    def block(self, scene: int, block: int) -> NDArray[np.uint8]:
        """Return a block, (height, width, 3).

        Raises
        ------
        IqbenchError
            If the file is damaged.
        """
        with self._lock:
            if self._array is None:
                self._array = self._read()
        return np.ascontiguousarray(self._array[scene, block])

    def _read(self) -> NDArray[np.uint8]:
        return read_bytes_array(self.path, Declared(self.variable, "uint8", self.shape))


@dataclass(frozen=True)
class BlockSource:
    """A block as a source of its own; its digest is of the pixels, not of the file."""

    file: BlocksFile
    scene: int
    block: int

    @property
    def name(self) -> str:
        """The file and the block, for messages."""
        return f"{self.file.path}[{self.scene}, {self.block}]"

    def probe(self) -> ImageHeader:
        """Tell the block's size without reading the array."""
        _, _, height, width, channels = self.file.shape
        return ImageHeader("pixels", height, width, channels, 8, False)

    def size(self) -> int:
        """Return 0: the array is read once for all blocks."""
        return 0

    def read(self) -> DecodedImage:
        """Take the block out of the array.

        Raises
        ------
        IqbenchError
            If the file is damaged.
        """
        return DecodedImage.of(self.file.block(self.scene, self.block), self.name)


@lru_cache(maxsize=1)
def _opened(path: Path, variable: str, shape: tuple[int, int, int, int, int]) -> BlocksFile:
    return BlocksFile(path, variable, shape)


def _declared_shape(path: Path, variable: str) -> tuple[int, int, int, int, int]:
    """Read what the file says of the array, before any of it is read."""
    declared = {array.name: array for array in declared_arrays(path)}
    if variable not in declared:
        held = ", ".join(declared) or "nothing"
        raise IqbenchError(
            f"{path} holds no array {variable!r}, but {held}",
            hint="Name it by `variable:` in the dataset's block",
        )
    shape, kind = declared[variable].shape, declared[variable].kind
    if kind != "uint8" or len(shape) != 5 or shape[4] != 3 or min(shape) < 1:
        raise IqbenchError(
            f"{path}: {variable} is {kind} of shape {shape}, not uint8 of (scenes, blocks, height, "
            "width, 3)"
        )
    scenes, blocks, height, width, channels = shape
    if scenes * blocks * height * width * channels > _LARGEST or scenes * blocks > _MOST:
        raise IqbenchError(
            f"{path}: {variable} of shape {shape} is too large, beyond 1 GiB or {_MOST:,} blocks"
        )
    return scenes, blocks, height, width, channels
