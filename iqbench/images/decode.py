"""An image file's bytes to pixels."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.images.formats import recognise
from iqbench.images.formats.reader import BufferReader, Facts
from iqbench.images.integrity import check_whole
from iqbench.images.orientation import upright
from iqbench.images.picture import Picture
from iqbench.images.probe import probe

__all__ = ["Alpha", "decode"]

Alpha = Literal["error", "composite"]
Pixels = NDArray[Any]

# What OpenCV would print, without the file's name, is said by the error that is raised.
if hasattr(cv2, "setLogLevel"):
    cv2.setLogLevel(0)
else:  # OpenCV 5
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


_ROWS = 512


def decode(file: BufferReader, *, digest: str, alpha: Alpha = "error") -> Picture:
    """Decode an image of any format that is read.

    Pixels are those stored, 8 or 16 bits: colour profiles and gamma are not applied, palettes
    become RGB (except in BMP, where a palette of grays is the only form of gray), 1, 2 and 4 bits
    become the full range of 8, EXIF orientation is applied. OpenCV decodes outside the interpreter
    lock, so this may be called from several threads.

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
        :func:`~iqbench.images.probe.maximum_pixels`) or of a kind that is not read.
    """
    facts = probe(file)
    if facts.has_alpha and alpha == "error":
        raise file.refused(
            "has transparency", "Pass --alpha composite to put it over white, or save it without"
        )
    check_whole(file)
    known = recognise(file)
    stored = _imdecode(known.decodable(file))
    if stored is None:
        known.blame(file)
        raise file.refused(
            f"is whole, but OpenCV cannot decode this {facts.format.upper()} file",
            "It is damaged inside, or of a rare kind: write it again, or save it as PNG",
        )
    pixels = _without_alpha(_checked(file, facts, stored), facts)
    shown = np.ascontiguousarray(upright(pixels, facts.orientation))
    if facts.maximum and int(shown.max()) > facts.maximum:
        raise file.damaged(f"it has samples above {facts.maximum}, which it says is their maximum")
    return Picture(
        pixels=shown,
        digest=digest,
        name=file.name,
        bytes=len(file.data),
        peak=facts.peak,
        noted_bits=facts.noted_bits,
        orientation=facts.orientation,
    )


def _imdecode(data: bytes) -> Pixels | None:
    """Decode as stored: no orientation, no change of depth, alpha kept; None if it fails."""
    try:
        decoded: Pixels | None = cv2.imdecode(
            np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED
        )
    except cv2.error:
        return None
    return decoded


def _checked(file: BufferReader, facts: Facts, stored: Pixels) -> Pixels:
    """Hold what came out against the header, for decoders also guess."""
    pixels = stored[..., np.newaxis] if stored.ndim == 2 else stored
    depth = np.uint16 if facts.bit_depth == 16 else np.uint8
    if pixels.shape[:2] != facts.stored_size or pixels.dtype != depth:
        raise file.damaged("what it decodes to is not what its header says")
    if facts.has_alpha and pixels.shape[2] != 4:
        raise IqbenchError(
            f"{file.name} has transparency of a kind that OpenCV does not read",
            hint="Save it without transparency",
        )
    if facts.channels == 3 and pixels.shape[2] not in (3, 4):
        raise file.damaged("it decodes to gray, but its header says colour")
    return pixels


def _without_alpha(pixels: Pixels, facts: Facts) -> Pixels:
    """Bring OpenCV's BGR, BGRA or gray to RGB or gray, over white where there is alpha."""
    if pixels.shape[2] == 1:
        return pixels
    if pixels.shape[2] == 4 and facts.has_alpha:
        peak = np.iinfo(pixels.dtype).max
        opacity = pixels[..., 3:].astype(np.uint32)
        # At most peak**2 + peak / 2, which 32 bits just hold for 16-bit samples.
        over = pixels[..., :3] * opacity + peak * (peak - opacity) + peak // 2
        pixels = (over // peak).astype(pixels.dtype)
    if facts.channels == 1:  # gray with alpha, which OpenCV gives as three equal channels
        return pixels[..., :1]
    # A fourth channel that is no alpha is the unused byte of a 32-bit BMP.
    if pixels.shape[2] == 4:
        rgb: Pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
        return rgb
    # In place, some rows at a time: a second copy of a large image would double its memory.
    for start in range(0, len(pixels), _ROWS):
        rows = pixels[start : start + _ROWS]
        rows[:] = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB)
    return pixels
