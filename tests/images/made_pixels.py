"""Decoded pixels, and the expected ones."""

from __future__ import annotations

import numpy as np

from iqbench.images.source import EncodedImage

__all__ = ["decode", "over_white", "pixels"]


def decode(data, **options):
    return EncodedImage("picture", data).decode(**options)


def pixels(data, **options):
    picture = decode(data, **options)
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.ndim == 3
    return picture.pixels


def over_white(colours, opacity):
    """Composite by the definition, in floating point."""
    peak = float(np.iinfo(colours.dtype).max)
    share = opacity[..., None] / peak
    return np.floor(colours * share + peak * (1 - share) + 0.5 + 1e-9).astype(colours.dtype)
