"""Tensors in memory as the pictures that files would hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture, Pixels

__all__ = ["Bits", "check_bits", "picture_of", "single_images"]

Bits = Literal[8, 16, None]
"""To how many bits floating point is rounded, as a file of that depth would hold it."""

_BATCH = 4


def check_bits(bits: int | None) -> Bits:
    """Return a depth to round to, or refuse what is none."""
    for known in get_args(Bits):
        if bits == known and not isinstance(bits, bool):
            depth: Bits = known
            return depth
    raise IqbenchError(
        f"bits must be 8, 16 or None, not {bits!r}",
        hint="8 is what an 8-bit file would hold; None leaves values unrounded",
    )


def single_images(name: str, images: object) -> list[tuple[str, object]]:
    """Take a batch or a list of images apart into batches of one, each with its name.

    Parameters
    ----------
    name
        What to call them in messages.
    images
        A tensor (N, C, H, W), or a list or tuple of tensors (C, H, W) or (1, C, H, W), which may
        differ in size.

    Returns
    -------
    list of tuple
        Name and (1, C, H, W) each, where the input has that form; what has another form is left as
        it is, to be refused by who reads it. No pixel is copied.

    Raises
    ------
    IqbenchError
        If a tensor is no batch of images: it has too few or too many dimensions.
    """
    if isinstance(images, Tensor):
        if images.ndim != _BATCH:
            raise IqbenchError(
                f"{name} is {tuple(images.shape)}, not a batch (N, C, H, W)",
                hint="Add the batch dimension with unsqueeze(0), or give a list of images",
            )
        return [(f"{name} {place}", image.unsqueeze(0)) for place, image in enumerate(images)]
    if not isinstance(images, Sequence) or isinstance(images, str | bytes):
        raise IqbenchError(
            f"{name} is of type {type(images).__name__}, not a tensor or a list of tensors",
            hint="Make it one: torch.from_numpy(array).permute(2, 0, 1).unsqueeze(0)",
        )
    return [
        (
            f"{name} {place}",
            image.unsqueeze(0) if isinstance(image, Tensor) and image.ndim == _BATCH - 1 else image,
        )
        for place, image in enumerate(images)
    ]


def picture_of(name: str, image: Tensor, bits: Bits) -> Picture:
    """Return the picture that a file would hold of an image.

    Parameters
    ----------
    name
        What to call it in messages.
    image
        (1, C, H, W), C 1 or 3: uint8, uint16, or floating point, which is cut off to [0, 1] and
        rounded to `bits`.
    bits
        Depth of the file; None keeps floating point as it is, in float32.

    Returns
    -------
    Picture
        Its digest is of the pixels, so that equal pictures have equal digests.

    Raises
    ------
    IqbenchError
        If there is NaN in it, which no file holds.
    """
    image = image.detach()[0].permute(1, 2, 0)
    peak = 0
    if image.dtype.is_floating_point:
        if torch.isnan(image).any():
            raise IqbenchError(f"{name} has values that are not numbers (NaN)")
        image = image.clamp(0, 1)
        if bits is None:
            image, peak = image.float(), 1
        else:
            largest = (1 << bits) - 1
            # In the image's own precision, halves to even: as programs round that write files,
            # (x * 255).round(), so that the pixels are those of their files.
            wide = torch.promote_types(image.dtype, torch.float32)
            rounded = (image.to(wide) * largest).round()
            image = rounded.to(torch.uint8 if bits == 8 else torch.uint16)
    pixels: Pixels = np.ascontiguousarray(image.cpu().numpy())
    digest = hashlib.sha256(f"{pixels.dtype}{pixels.shape}".encode())
    digest.update(pixels.data)
    return Picture(pixels, digest.hexdigest(), name, pixels.nbytes, peak=peak)
