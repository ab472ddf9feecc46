"""Decode the bytes of image files."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from iqbench.errors import IqbenchError, unknown_name
from iqbench.images.formats import recognise
from iqbench.images.formats.reader import BufferReader, ImageHeader, Samples
from iqbench.images.orientation import upright
from iqbench.images.picture import Picture
from iqbench.images.probe import probe

__all__ = ["Alpha", "check_alpha", "decode"]

Alpha = Literal["error", "composite"]

_ROWS = 512  # rows composited at a time, because this needs several times the memory of samples


def check_alpha(alpha: str) -> None:
    """Check the treatment of transparency.

    Raises
    ------
    IqbenchError
        If it is unknown.
    """
    if alpha not in get_args(Alpha):
        raise unknown_name("way to treat alpha", alpha, get_args(Alpha))


def decode(file: BufferReader, *, digest: str, alpha: Alpha | None = None) -> Picture:
    """Decode an image of any supported format.

    Pixels are the stored ones, 8 or 16 bits. Colour profiles and gamma are not applied. Palettes
    become RGB, or gray if all their colours are gray. Samples of 1, 2 and 4 bits are scaled to the
    full range of 8 bits. The EXIF orientation is applied. An alpha channel that is opaque
    everywhere is ignored.
    Decoders release Python's global interpreter lock, so that several threads can decode at once.

    Parameters
    ----------
    file
        The whole file in memory.
    digest
        SHA-256 of its bytes, for the result.
    alpha
        The treatment of transparency: ``"error"`` refuses it; ``"composite"`` puts the image over
        white: each sample c with opacity a becomes c a + maximum (1 - a), rounded. None refuses
        it where users have no choice, and the error names no option.

    Returns
    -------
    Picture
        (H, W, C) uint8 or uint16, RGB or gray.

    Raises
    ------
    IqbenchError
        If the file is truncated, damaged, not an image, too large (see
        :func:`~iqbench.images.probe.maximum_pixels`) for the limit or the memory, or of an
        unsupported kind.
    """
    facts = probe(file)
    try:
        samples = _checked(file, facts, recognise(file).decode(file, facts))
        transparent = facts.has_alpha and not _opaque(samples)
        if transparent and alpha != "composite":
            choice = "Pass --alpha composite (from Python alpha='composite') to put it over white"
            saved = "Save it without transparency"
            raise file.refused(
                "has transparency", saved if alpha is None else f"{choice}, or s{saved[1:]}"
            )
        seen = _over_white(samples) if transparent else samples[..., : facts.channels]
        shown = np.require(upright(seen, facts.orientation), requirements=["C", "W"])
    except MemoryError:
        raise IqbenchError(
            f"{file.name} is {facts.width}x{facts.height} pixels, for which there is not enough "
            "memory",
            hint="Allow the process more memory, or crop the image",
        ) from None
    if facts.maximum and int(shown.max()) > facts.maximum:
        raise file.damaged(f"it has samples above {facts.maximum}, the maximum in its header")
    return Picture(
        pixels=shown,
        digest=digest,
        name=file.name,
        bytes=len(file.data),
        peak=facts.peak,
        composited=transparent,
        noted_bits=facts.noted_bits,
        orientation=facts.orientation,
    )


def _checked(file: BufferReader, facts: ImageHeader, samples: Samples) -> Samples:
    """Check that the decoded image has the size and type of the header."""
    depth = np.uint16 if facts.bit_depth == 16 else np.uint8
    shape = (*facts.stored_size, facts.channels + facts.has_alpha)
    if samples.shape != shape or samples.dtype != depth:
        raise file.damaged("the decoded image does not match its header")
    return samples


def _opaque(samples: Samples) -> bool:
    """Return whether alpha, the last channel, is opaque everywhere."""
    return int(samples[..., -1].min()) == np.iinfo(samples.dtype).max


def _over_white(samples: Samples) -> Samples:
    """Composite colours over white, with samples rounded to the nearest."""
    colours, opacity = samples[..., :-1], samples[..., -1:]
    peak = np.iinfo(samples.dtype).max
    over = np.empty(colours.shape, samples.dtype)
    for start in range(0, len(samples), _ROWS):
        rows = slice(start, start + _ROWS)
        share = opacity[rows].astype(np.uint32)
        # At most peak**2 + peak / 2, which fits into 32 bits for 16-bit samples.
        over[rows] = (colours[rows] * share + peak * (peak - share) + peak // 2) // peak
    return over
