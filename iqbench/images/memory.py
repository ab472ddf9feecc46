"""Images that Python callers give, in memory or as paths, as sources."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture, Pixels
from iqbench.images.probe import ImageHeader
from iqbench.images.source import DecodedImage, FileSource
from iqbench.user_files import expand_user

__all__ = ["Bits", "Image", "Images", "TensorSource", "check_bits", "image_sources"]

Bits = Literal[8, 16, None]
"""The bit depth to which floating point is rounded, as in a file of that depth; None for none."""

Image: TypeAlias = Tensor | NDArray[Any] | str | os.PathLike[str]
"""A tensor (C, H, W), an array (H, W, C) or (H, W), or the path of an image file."""

Images: TypeAlias = Image | Sequence[Image]
"""A batch, (N, C, H, W) as tensor or (N, H, W, C) as array; one image; or a list of images."""

_ONE, _BATCH = 3, 4
_CHANNELS = (1, 3)
_OF_PILLOW = "An image of Pillow becomes an array by numpy.asarray(image)"


@dataclass(frozen=True)
class TensorSource:
    """An image in memory.

    Attributes
    ----------
    name
        Its name in messages.
    image
        (1, C, H, W), C 1 or 3: uint8, uint16 or floating point.
    bits
        Bit depth for rounding floating point.
    peak
        The sample value of 1.0 after rounding to 16 bits; 0 for 65535.
    """

    name: str
    image: Tensor
    bits: Bits
    peak: int = 0

    def probe(self) -> ImageHeader:
        """Return size and kind of the image."""
        channels, height, width = self.image.shape[1:]
        depth: int = self.bits or 32
        if not self.image.dtype.is_floating_point:
            depth = 8 * self.image.dtype.itemsize
        return ImageHeader("pixels", height, width, channels, depth)

    def size(self) -> int:
        """Return 0: there are no bytes to read."""
        return 0

    def read(self) -> DecodedImage:
        """Return the picture.

        Raises
        ------
        IqbenchError
            If it contains NaN.
        """
        return DecodedImage(_picture_of(self))


def check_bits(bits: int | None) -> Bits:
    """Return the bit depth for rounding; an error for an invalid one."""
    for known in get_args(Bits):
        if bits == known and not isinstance(bits, bool):
            depth: Bits = known
            return depth
    raise IqbenchError(
        f"bits must be 8, 16 or None, not {bits!r}",
        hint="8 rounds as an 8-bit file does; None does not round",
    )


def image_sources(
    name: str, images: object, bits: Bits, *, peak: int | None = None
) -> list[TensorSource | FileSource]:
    """Split the images of a caller into single images.

    Parameters
    ----------
    name
        The name of images in memory, for messages.
    images
        See `Images`.
    bits
        Bit depth for rounding floating point.
    peak
        The sample value of 1.0 after rounding to 16 bits; by default 65535.

    Returns
    -------
    list
        One source per image. Pixels are not read, and usually not copied: the caller must check
        the values and the number of channels of a tensor.

    Raises
    ------
    IqbenchError
        If something is not an image.
    """
    if isinstance(images, Tensor):
        alone = images.ndim == _ONE and images.shape[0] in _CHANNELS
        if images.ndim != _BATCH and not alone:
            raise IqbenchError(
                f"{name} is {tuple(images.shape)}, not an image (C, H, W) or a batch (N, C, H, W)",
                hint="C is 1 or 3: add it with unsqueeze, or give a list of images",
            )
        entries: Sequence[object] = [images] if alone else images.unbind()
    elif isinstance(images, np.ndarray):
        entries = list(images) if images.ndim == _BATCH else [images]
    elif isinstance(images, str | os.PathLike):
        entries = [images]
    elif isinstance(images, Sequence) and not isinstance(images, bytes):
        entries = images
    else:
        raise IqbenchError(
            f"{name} is of type {type(images).__name__}, not a tensor, an array, a path or a "
            "list of these",
            hint=_OF_PILLOW,
        )
    names = (f"{name} {place}" for place in range(len(entries)))
    return [_source(*named, bits, peak or 0) for named in zip(names, entries, strict=True)]


def _source(name: str, image: object, bits: Bits, peak: int) -> TensorSource | FileSource:
    if isinstance(image, str | os.PathLike):
        return FileSource(expand_user(image))
    if isinstance(image, np.ndarray):
        return TensorSource(name, _tensor_of(name, image), bits, peak)
    if not isinstance(image, Tensor):
        raise IqbenchError(
            f"{name} is of type {type(image).__name__}, not a tensor, an array or a path",
            hint=_OF_PILLOW,
        )
    one = image.unsqueeze(0) if image.ndim == _ONE else image
    if one.ndim == _BATCH and len(one) != 1:
        raise IqbenchError(
            f"{name} of the list has {len(one)} images", hint="Give one image per entry"
        )
    return TensorSource(name, one, bits, peak)


def _tensor_of(name: str, array: NDArray[Any]) -> Tensor:
    """Return an array of one image as a tensor (1, C, H, W)."""
    if np.ma.is_masked(array):
        raise IqbenchError(
            f"{name} has masked values, and an image file has none",
            hint="Give them values: array.filled(0)",
        )
    channels = array.shape[-1] if array.ndim == _ONE else 1
    if array.ndim not in (_ONE - 1, _ONE) or channels not in _CHANNELS:
        raise IqbenchError(
            f"{name} is an array of {array.shape}, not (H, W, 3), (H, W, 1) or (H, W)",
            hint="Channels are last in arrays: array.transpose(1, 2, 0) moves them there, "
            "array[..., :3] removes alpha; in tensors they are first",
        )
    if array.dtype.kind not in "fu" or array.dtype.itemsize > 8:
        raise IqbenchError(
            f"{name} is an array of {array.dtype}, whose range is not known",
            hint="Give uint8, uint16 or floating point in [0, 1]",
        )
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    # Contiguous and writable, copied only if necessary: torch warns about read-only arrays.
    pixels = torch.from_numpy(np.require(native, requirements=("C", "W")))
    return pixels.reshape(*array.shape[:2], channels).permute(2, 0, 1).unsqueeze(0)


def _picture_of(source: TensorSource) -> Picture:
    """Return the picture that a file of the image would contain.

    Floating point is clipped to [0, 1] and rounded; without a bit depth it stays float32. The
    digest is that of the pixels, so that equal pictures have equal digests.

    Raises
    ------
    IqbenchError
        If it contains NaN, which no file can store.
    """
    image, bits = source.image.detach()[0].permute(1, 2, 0), source.bits
    peak = 0
    if image.dtype.is_floating_point:
        # Types of less than 32 bits lack some operations; float64 keeps its precision.
        wide = image if image.dtype == torch.float64 else image.float()
        if torch.isnan(wide).any():
            raise IqbenchError(f"{source.name} has values that are not numbers (NaN)")
        wide = wide.clamp(0, 1)
        if bits is None:
            image, peak = wide.float(), 1
        else:
            largest = source.peak if source.peak and bits == 16 else (1 << bits) - 1
            # Round in the precision of the image, halves to even, as (x * 255).round() in programs
            # that write files, so that the pixels equal those of the files.
            image = (wide * largest).round().to(torch.uint8 if bits == 8 else torch.uint16)
    pixels: Pixels = np.ascontiguousarray(image.cpu().numpy())
    digest = hashlib.sha256(f"{pixels.dtype}{pixels.shape}".encode())
    digest.update(pixels.data)
    return Picture(pixels, digest.hexdigest(), source.name, pixels.nbytes, peak=peak)
