"""Readers for GPUs: fast paths of metrics, in one pass over both images by a Triton kernel.

They have the interface of the plain reader, and tests check that the results are equal. Triton is
part of torch on Linux. If it is missing or cannot compile, the plain reader is used.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from packaging.version import Version
from torch import Tensor

from iqbench.metrics._base import Place, Tap
from iqbench.metrics._fast_paths import PIXEL_SUMS, UNIT_EPSILON, SimilarityMean
from iqbench.metrics._statistics import Mean
from iqbench.readers.features import DISTANCES, FeatureReader
from iqbench.readers.pixels import PixelReader
from iqbench.readers.reader import Declared, Found, Owners, Prepared, RawReader, channels_last

__all__ = [
    "GpuFeatureReader",
    "GpuPixelReader",
    "GpuSimilarityReader",
    "available",
    "has_triton",
]

_OLDEST_TRITON = Version("3.2")

# Round after multiplication and after addition, as the plain reader, so that equal images give 0.
_EXACT = {"enable_fp_fusion": False}
_PIXEL_BLOCK = 1024
_FILTER_BLOCK = 256
_FEATURE_TILE = 4096


def _kernels() -> Any:
    """Import the kernels on first use, because Triton may be missing."""
    from iqbench.readers import kernels

    return kernels


def has_triton() -> bool:
    """Return whether Triton is installed in a tested or newer version."""
    try:
        return Version(version("triton")) >= _OLDEST_TRITON
    except PackageNotFoundError:
        return False


@lru_cache(maxsize=8)
def available(device: torch.device) -> bool:
    """Return whether kernels run on a device, by running one; warn if it fails unexpectedly."""
    if device.type != "cuda" or not has_triton():
        return False
    image = torch.zeros(1, 2, 2, 1, dtype=torch.float32, device=device)
    owners = Owners([0], 1, device)
    try:
        _pixel_totals(PIXEL_SUMS, image, image, owners, 2)
        torch.cuda.synchronize(device)
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:
        # For any error of the compiler, use the plain reader, which is only slower.
        warnings.warn(
            f"Triton cannot compile here, so the computation of metrics is slower: {error}",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


def _blocks(values: int, block: int) -> int:
    return -(-values // block)


class GpuFeatureReader(FeatureReader):
    """All sums by one kernel."""

    def totals(self, reference: Tensor, output: Tensor, owners: Owners) -> Mapping[str, Tensor]:
        """Return the sums of `kinds`."""
        images, height, width, channels = output.shape
        padded = 1 << (channels - 1).bit_length()
        tile = max(1, _FEATURE_TILE // padded)
        blocks = _blocks(height * width, tile)
        sums = torch.empty(3, images, blocks, dtype=torch.float32, device=output.device)
        _kernels().feature_sums[(blocks, images)](
            reference,
            output,
            owners.index,
            output if self.weight is None else self.weight,
            sums,
            height * width,
            channels,
            UNIT_EPSILON,
            ABSOLUTE="absolute" in self.kinds,
            SQUARED="squared" in self.kinds,
            UNIT="unit" in self.kinds,
            ROWS=tile,
            WIDTH=padded,
            **_EXACT,
        )
        return {
            kind: sums[row].sum(1, dtype=torch.float64)
            for row, kind in enumerate(DISTANCES)
            if kind in self.kinds
        }


class GpuPixelReader(PixelReader):
    """All sums by one kernel."""

    def totals(
        self, reference: Tensor, output: Tensor, owners: Owners, own: int
    ) -> Sequence[Tensor]:
        """Return the sums of `names`."""
        return _pixel_totals(self.names, reference, output, owners, own)


def _pixel_totals(
    names: Sequence[str], reference: Tensor, output: Tensor, owners: Owners, own: int
) -> Sequence[Tensor]:
    """Sum some of the `PIXEL_SUMS`; see `PixelReader.totals`."""
    images, height, width, channels = output.shape
    blocks = _blocks(height * width * channels, _PIXEL_BLOCK)
    sums = torch.empty(len(PIXEL_SUMS), images, blocks, dtype=torch.float32, device=output.device)
    _kernels().pixel_sums[(blocks, images)](
        reference,
        output,
        owners.index,
        sums,
        height,
        width,
        channels,
        own,
        PSNR=PIXEL_SUMS[0] in names,
        TV=any(name in names for name in PIXEL_SUMS[1:]),
        BLOCK=_PIXEL_BLOCK,
        **_EXACT,
    )
    rows = [PIXEL_SUMS.index(name) for name in names]
    return [total for row, total in enumerate(sums.sum(2, dtype=torch.float64)) if row in rows]


class GpuSimilarityReader(RawReader):
    """SSIM on valid positions.

    Parameters
    ----------
    tap
        A tap with the rows of the window.
    declared
        A metric, with its mean of SSIM that `serves` accepts.
    """

    def __init__(self, tap: Tap, declared: Declared[SimilarityMean]) -> None:
        self.tap = tap
        self._metric, self._path = declared

    @staticmethod
    def serves(path: SimilarityMean) -> bool:
        """Return whether the kernel supports a mean: that of SSIM over all channels."""
        return path.part == "whole" and not path.by_channel

    def observe(
        self, prepared: Prepared, owners: Owners, rows: Tensor, place: Place
    ) -> Iterator[Found]:
        """Filter along the columns, then along the rows, and sum."""
        ((reference,),) = prepared
        output = channels_last(rows)
        images, height, width, channels = output.shape
        size = len(self._path.window)
        kept, row_size = height - size + 1, width * channels
        count = kept * (width - size + 1) * channels
        window, constants = self._constants(output.device)
        moments = output.new_empty((5, images, kept, row_size), dtype=torch.float64)
        _kernels().filter_down[(_blocks(kept * row_size, _FILTER_BLOCK), images)](
            reference,
            output,
            owners.index,
            window,
            moments,
            height,
            row_size,
            SIZE=size,
            BLOCK=_FILTER_BLOCK,
            **_EXACT,
        )
        blocks = _blocks(count, _FILTER_BLOCK)
        sums = moments.new_empty(images, blocks)
        _kernels().similarity_sums[(blocks, images)](
            moments,
            window,
            sums,
            kept,
            row_size,
            channels,
            constants,
            SIZE=size,
            BLOCK=_FILTER_BLOCK,
            **_EXACT,
        )
        yield Found(self._metric, self._path.statistic, Mean(sums.sum(1), count))

    def _constants(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return the window and the constants, float64, on the device."""
        return _on_device(self._path.window, device), _on_device(self._path.constants, device)


@lru_cache(maxsize=16)
def _on_device(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Copy constants to a device, cached."""
    return torch.tensor(values, dtype=torch.float64, device=device)
