"""Read the header of an image without decoding it."""

from __future__ import annotations

import os

from iqbench.errors import IqbenchError
from iqbench.images.formats import recognise
from iqbench.images.formats.reader import ByteReader, ImageHeader

__all__ = ["ImageHeader", "maximum_pixels", "probe"]

VARIABLE = "IQBENCH_MAX_PIXELS"
DEFAULT_MAXIMUM = 250_000_000
HIGHEST_MAXIMUM = 2**30
MAXIMUM_SIDE = 1_000_000  # of libpng


def maximum_pixels() -> int:
    """Return the largest number of pixels of an image: 250 million, or ``IQBENCH_MAX_PIXELS``.

    Raises
    ------
    IqbenchError
        If the variable is not a whole number from 1 to 2**30.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return DEFAULT_MAXIMUM
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= HIGHEST_MAXIMUM):
        raise IqbenchError(
            f"the environment variable {VARIABLE} is {text!r}",
            hint=f"Give a whole number of pixels from 1 to {HIGHEST_MAXIMUM}, or unset it",
        )
    return int(text)


def probe(file: ByteReader) -> ImageHeader:
    """Read the header of an image.

    Parameters
    ----------
    file
        The file, of which only the structure is read.

    Returns
    -------
    ImageHeader
        Size and type of the decoded image.

    Raises
    ------
    IqbenchError
        If it is not an image, damaged, of an unsupported kind (several frames, CMYK, float
        samples), or larger than :func:`maximum_pixels`.
    """
    facts = recognise(file).facts(file)
    if facts.height == 0 or facts.width == 0:
        raise file.damaged(f"its header says {facts.width}x{facts.height} pixels")
    size = f"is {facts.width}x{facts.height} pixels"
    if facts.height * facts.width > maximum_pixels():
        raise file.refused(
            f"{size}, more than the {maximum_pixels():,} that are allowed",
            f"Set the environment variable {VARIABLE} to allow more",
        )
    if max(facts.height, facts.width) > MAXIMUM_SIDE:
        raise file.refused(f"{size}, more than {MAXIMUM_SIDE:,} along a side", "Crop it")
    return facts
