"""Apply the EXIF orientation of files, and report it if it explains a mismatch of sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iqbench.images.picture import Picture
from iqbench.images.remark import Remark

__all__ = [
    "Oriented",
    "blame_orientation",
    "orientation_remark",
    "orientation_remarks",
    "undone",
    "upright",
]

Pixels = NDArray[Any]
Size: TypeAlias = tuple[int, int]

UPRIGHT = 1
_INVERSE = {6: 8, 8: 6}
_ALIKE = 0.9  # smallest ratio of sides, which may differ by a modcrop
_MUCH = 2.0
"""Smallest factor by which the squared error must decrease: 3 dB."""


class Oriented(Protocol):
    """An image or its header, after its EXIF orientation was applied."""

    @property
    def height(self) -> int:
        """Rows."""
        ...

    @property
    def width(self) -> int:
        """Columns."""
        ...

    @property
    def orientation(self) -> int:
        """The orientation, 1 to 8, that was applied."""
        ...


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an orientation to stored pixels (EXIF 2.3, tag 274)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def undone(picture: Picture) -> Picture:
    """Undo the orientation of a picture, so that it is as stored in its file."""
    stored = upright(picture.pixels, _INVERSE.get(picture.orientation, picture.orientation))
    return replace(picture, pixels=stored, orientation=UPRIGHT)


def orientation_remark(picture: Picture) -> Iterator[Remark]:
    """Report the orientation that was applied to an image without a reference."""
    if picture.orientation != UPRIGHT:
        yield Remark(
            "the EXIF orientation was applied: pixels are scored as they are shown, not as they "
            "are stored",
            picture.name,
        )


def orientation_remarks(reference: Picture, output: Picture) -> Iterator[Remark]:
    """Report the applied orientations, and whether an output fits better without one."""
    for what, picture in (("reference", reference), ("output", output)):
        if picture.orientation != UPRIGHT:
            yield Remark(
                f"the EXIF orientation of the {what} was applied: pixels are compared as they are "
                "shown, not as they are stored",
                picture.name,
            )
    # Check the output first: it fits if it has the stored pixels and kept the tag.
    turned = [side for side in (output, reference) if side.orientation != UPRIGHT]
    if not turned:
        return
    error = _squared_error(reference, output)
    for side in turned:
        pair = [undone(one) if one is side else one for one in (reference, output)]
        if _squared_error(pair[0], pair[1]) * _MUCH < error:
            whose = "its reference" if side is reference else "the output"
            yield Remark(
                f"the output fits much better if the EXIF orientation of {whose} is not applied. "
                f"{_remedy(side is reference)}",
                output.name,
            )
            return


def blame_orientation(
    reference: Oriented, output: Oriented, fits: Callable[[Size, Size], bool]
) -> tuple[str, str] | None:
    """Explain a mismatch of sizes by an orientation that only one image has.

    Parameters
    ----------
    reference, output
        The images after their orientations were applied.
    fits
        Returns whether two sizes (height, width) fit.

    Returns
    -------
    tuple or None
        A text for the error, and what to do; None if no orientation explains it.
    """
    for blamed, what in ((reference, "the reference"), (output, "the output")):
        if blamed.orientation >= 5:
            sizes = [
                (side.width, side.height) if side is blamed else (side.height, side.width)
                for side in (reference, output)
            ]
            if fits(*sizes):
                return (
                    f"the EXIF orientation {blamed.orientation} of {what} was applied; without it "
                    "the sizes fit",
                    _remedy(blamed is reference),
                )
    return None


def _remedy(of_reference: bool) -> str:
    if of_reference:
        return (
            "The output seems to be made from the pixels as stored: apply the orientation when the "
            "reference is read (Pillow: ImageOps.exif_transpose), or remove the tag from the "
            "reference"
        )
    return "The output's pixels seem to be upright already: write it without the EXIF orientation"


def _squared_error(reference: Picture, output: Picture) -> float:
    """Return the mean squared error of values in [0, 1], over the common part."""
    height = min(reference.height, output.height)
    width = min(reference.width, output.width)
    largest = max(reference.height, output.height), max(reference.width, output.width)
    if height < largest[0] * _ALIKE or width < largest[1] * _ALIKE:
        return float("inf")
    first, second = (
        side.pixels[:height, :width] / np.float32(side.peak) for side in (reference, output)
    )
    return float(np.square(first - second).mean())
