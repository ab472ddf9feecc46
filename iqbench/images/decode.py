"""An image file's bytes to pixels."""

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

_ROWS = 512  # composited at a time: the arithmetic needs several times the memory of the samples


def check_alpha(alpha: str) -> None:
    """Refuse an unknown way to treat transparency.

    Raises
    ------
    IqbenchError
        If it is none.
    """
    if alpha not in get_args(Alpha):
        raise unknown_name("way to treat alpha", alpha, get_args(Alpha))


def decode(file: BufferReader, *, digest: str, alpha: Alpha = "error") -> Picture:
    """Decode an image of any format that is read.

    Pixels are those stored, 8 or 16 bits: colour profiles and gamma are not applied, palettes
    become RGB, or gray if all their colours are grays, 1, 2 and 4 bits become the full range of 8,
    EXIF orientation is applied. An alpha channel that is opaque everywhere is no transparency.
    Decoders work outside the interpreter lock, so this may be called from several threads.

    Parameters
    ----------
    file
        The whole file in memory.
    digest
        SHA-256 of its bytes, handed on.
    alpha
        What to do with transparency: ``"error"`` refuses it; ``"composite"`` puts the picture over
        white, each sample c under opacity a becoming c a + maximum (1 - a), rounded.

    Returns
    -------
    Picture
        (H, W, C) uint8 or uint16, RGB or gray.

    Raises
    ------
    IqbenchError
        If the file is truncated, damaged, no image, too large (see
        :func:`~iqbench.images.probe.maximum_pixels`, and the memory there is) or of a kind that is
        not read.
    """
    facts = probe(file)
    try:
        samples = _checked(file, facts, recognise(file).decode(file, facts))
        transparent = facts.has_alpha and not _opaque(samples)
        if transparent and alpha == "error":
            raise file.refused(
                "has transparency",
                "Pass --alpha composite to put it over white, or save it without",
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
        raise file.damaged(f"it has samples above {facts.maximum}, which it says is their maximum")
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
    """Compare the decoded picture with the header, because decoders may guess."""
    depth = np.uint16 if facts.bit_depth == 16 else np.uint8
    shape = (*facts.stored_size, facts.channels + facts.has_alpha)
    if samples.shape != shape or samples.dtype != depth:
        raise file.damaged("what it decodes to is not what its header says")
    return samples


def _opaque(samples: Samples) -> bool:
    """Tell whether alpha, the last channel, is opaque everywhere."""
    return int(samples[..., -1].min()) == np.iinfo(samples.dtype).max


def _over_white(samples: Samples) -> Samples:
    """Composite colours over white, each sample rounded to the nearest."""
    colours, opacity = samples[..., :-1], samples[..., -1:]
    peak = np.iinfo(samples.dtype).max
    over = np.empty(colours.shape, samples.dtype)
    for start in range(0, len(samples), _ROWS):
        rows = slice(start, start + _ROWS)
        share = opacity[rows].astype(np.uint32)
        # At most peak**2 + peak / 2, which 32 bits just hold for 16-bit samples.
        over[rows] = (colours[rows] * share + peak * (peak - share) + peak // 2) // peak
    return over
