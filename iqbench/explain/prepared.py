"""Changes that may have been made to two images before they were scored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from iqbench.errors import IqbenchError
from iqbench.explain.opencv_resize import resize_as_opencv
from iqbench.images.degrade import jpeg
from iqbench.images.orientation import undone
from iqbench.images.picture import Picture
from iqbench.images.tensors import to_tensor

__all__ = [
    "AS_STORED",
    "EXCHANGED",
    "JPEG",
    "ORDERS",
    "ORIENTATIONS",
    "PREPARED",
    "RESIZED",
    "SHIFTS",
    "SHORT_SIDE",
    "SQUARE",
    "WHOLE_SIZE",
    "partners",
    "prepare",
    "reference_of",
]

AS_STORED = "as-stored"
EXCHANGED = "exchanged"
SHIFTS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "output-down": (1, 0),
        "output-up": (-1, 0),
        "output-right": (0, 1),
        "output-left": (0, -1),
    }
)
"""Rows and columns by which the output is moved; the common part is scored."""

ORIENTATIONS = ("output-orientation-ignored", "reference-orientation-ignored")
JPEG: Mapping[str, int] = MappingProxyType({"jpeg-75": 75, "jpeg-95": 95})
"""Default qualities of Pillow and OpenCV, with colour at half resolution."""

SQUARE = (
    *("256x256-bilinear", "256x256-bilinear-antialiased"),
    *("256x256-pillow-bilinear", "256x256-pillow-bicubic", "256x256-opencv"),
)
"""Both images resized to 256x256, as scripts do with files of any size."""

SHORT_SIDE = "short-side-256"
RESIZED = (*SQUARE, SHORT_SIDE)

ORDERS = ("outputs-in-natural-order", "references-in-natural-order")
WHOLE_SIZE = (AS_STORED, *SHIFTS, *ORIENTATIONS, *JPEG, *ORDERS)
"""Changes that are tried with every metric that compares two images; they keep the size."""

PREPARED: Mapping[str, str] = MappingProxyType(
    {
        AS_STORED: "pixels as stored",
        EXCHANGED: "reference and output exchanged",
        "output-down": "output moved down by a pixel",
        "output-up": "output moved up by a pixel",
        "output-right": "output moved right by a pixel",
        "output-left": "output moved left by a pixel",
        ORIENTATIONS[0]: "EXIF orientation of the output ignored",
        ORIENTATIONS[1]: "EXIF orientation of the reference ignored",
        "jpeg-75": "output saved as JPEG of quality 75",
        "jpeg-95": "output saved as JPEG of quality 95",
        "256x256-bilinear": "both resized to 256x256, bilinear without antialiasing",
        "256x256-bilinear-antialiased": "both resized to 256x256, bilinear with antialiasing",
        "256x256-pillow-bilinear": "both resized to 256x256 by Pillow's bilinear filter, in 8 bits",
        "256x256-pillow-bicubic": "both resized to 256x256 by Pillow's bicubic filter, in 8 bits",
        "256x256-opencv": "both resized to 256x256 by OpenCV's resize, in 8 bits",
        SHORT_SIDE: "a shorter side above 256 resized to 256, bilinear without antialiasing",
        ORDERS[0]: "lists matched by place, outputs sorted by number and references by letter",
        ORDERS[1]: "lists matched by place, references sorted by number and outputs by letter",
    }
)
"""Each change, and its name in reports."""

SIDE = 256


def prepare(
    name: str, reference: Picture, output: Picture, others: Mapping[str, Callable[[], Picture]]
) -> tuple[Picture, Picture]:
    """Make one of the changes.

    Parameters
    ----------
    name
        A key of `PREPARED`.
    reference, output
        As they were decoded.
    others
        The output that this reference gets if lists are sorted in another order, by key of
        `ORDERS`.

    Raises
    ------
    IqbenchError
        If the change cannot be made to these images.
    """
    if name in (*SHIFTS, *RESIZED) and _size(reference) != _size(output):
        raise IqbenchError("the two differ in size")
    if name in SHIFTS:
        return _moved(reference, output, *SHIFTS[name])
    if name in RESIZED:
        return _resized(name, reference), _resized(name, output)
    if name == EXCHANGED:
        reference, output = output, reference
    elif name in JPEG:
        output = _recoded(output, JPEG[name])
    elif name in ORDERS:
        output = _partner(name, others)
    elif name == ORIENTATIONS[0]:
        output = undone(output)
    elif name == ORIENTATIONS[1]:
        reference = undone(reference)
    if name in (*ORDERS, *ORIENTATIONS) and _size(reference) != _size(output):
        raise IqbenchError("the two differ in size")
    return reference, output


def reference_of(name: str) -> str:
    """Return the change with the same reference: some change the output alone."""
    return AS_STORED if name in (*JPEG, ORIENTATIONS[0], *ORDERS) else name


def _partner(name: str, others: Mapping[str, Callable[[], Picture]]) -> Picture:
    """Read the output that the reference gets if lists are sorted in another order."""
    if name not in others:
        raise IqbenchError("there are no lists that could be sorted otherwise")
    return others[name]()


def _size(picture: Picture) -> tuple[int, int]:
    return picture.height, picture.width


def partners(references: Sequence[str], outputs: Sequence[str]) -> dict[str, list[int]]:
    """Find the output of each reference if two sorted lists are paired by position.

    Parameters
    ----------
    references, outputs
        File names of each pair.

    Returns
    -------
    dict
        For each key of `ORDERS`, the index of the output for each pair. Orders that change nothing
        are left out.
    """
    by_letter, by_number = (
        [sorted(range(len(names)), key=lambda place: key(names[place])) for key in (str, _natural)]
        for names in (references, outputs)
    )
    lists = {
        ORDERS[0]: (by_letter[0], by_number[1]),
        ORDERS[1]: (by_letter[1], by_number[0]),
    }
    found = {}
    for name, (first, second) in lists.items():
        partner = dict(zip(first, second, strict=True))
        places = [partner[place] for place in range(len(references))]
        if places != list(range(len(references))):
            found[name] = places
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part]


def _moved(reference: Picture, output: Picture, down: int, right: int) -> tuple[Picture, Picture]:
    """Move the output, and cut both images to their common part."""
    height, width = reference.height - abs(down), reference.width - abs(right)
    if min(height, width) < 1:
        raise IqbenchError("the images are too small to be moved")
    starts = [(max(down, 0), max(right, 0)), (max(-down, 0), max(-right, 0))]
    first, second = (
        replace(picture, pixels=picture.pixels[top : top + height, left : left + width])
        for picture, (top, left) in zip((reference, output), starts, strict=True)
    )
    return first, second


def _recoded(picture: Picture, quality: int) -> Picture:
    """Save as JPEG and read again."""
    pixels = picture.pixels
    if pixels.dtype != np.uint8:
        raise IqbenchError("JPEG has 8 bits")
    return replace(picture, pixels=jpeg(pixels.astype(np.uint8), quality))


def _resized(name: str, picture: Picture) -> Picture:
    """Resize to 256x256, or to a shorter side of 256 pixels.

    Raises
    ------
    IqbenchError
        If 8 bits are resized, and the picture has more.
    """
    if name in _IN_BYTES:
        if picture.pixels.dtype != np.uint8:
            raise IqbenchError("8 bits are resized here, and the picture has more")
        return replace(picture, pixels=_IN_BYTES[name](picture.pixels.astype(np.uint8)))
    image = to_tensor(picture.pixels, torch.device("cpu"), picture.peak)
    if name == SHORT_SIDE:
        factor = SIDE / min(picture.height, picture.width)
        if factor < 1:
            image = F.interpolate(
                image, scale_factor=factor, mode="bilinear", recompute_scale_factor=False
            )
    else:
        antialias = name == SQUARE[1]
        image = F.interpolate(
            image, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=antialias
        )
    return replace(picture, pixels=image[0].permute(1, 2, 0).clamp(0, 1).numpy(), peak=1)


Bytes = NDArray[np.uint8]


def _with_pillow(pixels: Bytes, method: Image.Resampling) -> Bytes:
    planes = [
        np.asarray(Image.fromarray(plane).resize((SIDE, SIDE), method))
        for plane in np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    ]
    return np.stack(planes, axis=2)


_IN_BYTES: Mapping[str, Callable[[Bytes], Bytes]] = {
    SQUARE[2]: lambda pixels: _with_pillow(pixels, Image.Resampling.BILINEAR),
    SQUARE[3]: lambda pixels: _with_pillow(pixels, Image.Resampling.BICUBIC),
    SQUARE[4]: lambda pixels: resize_as_opencv(pixels, SIDE, SIDE),
}
