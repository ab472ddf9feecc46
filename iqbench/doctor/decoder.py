"""Check that image files are decoded to the correct pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqbench.doctor.finding import OFF, Finding, compared
from iqbench.doctor.golden import FOLDER
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource

__all__ = ["FILES", "check_decoder"]

PART = "decoder"
FILES = {
    "rgb-8.png": "PNG, RGB, 8 bits",
    "rgb-16.png": "PNG, RGB, 16 bits",
    "gray-8.png": "PNG, gray, 8 bits",
    "gray-16.png": "PNG, gray, 16 bits",
    "rgb-420.jpg": "JPEG 4:2:0",
    "rgb-444.jpg": "JPEG 4:4:4",
    "rgb-420-progressive.jpg": "JPEG 4:2:0, progressive",
    "gray.jpg": "JPEG, gray",
}
_ROUNDING = {
    "png": "PNG is lossless, so all values of PNG files are wrong",
    "jpg": "this JPEG decoder rounds differently from libjpeg-turbo, so values of JPEG files "
    "differ from those on other machines",
}
_MEND = "Install imagecodecs and simplejpeg from the package index"


def check_decoder() -> Iterator[Finding]:
    """Decode every file as the engine does, and check that all samples are correct."""
    with np.load(FOLDER / "decoder" / "pixels.npz", allow_pickle=False) as stored:
        for name, label in FILES.items():
            yield _compare(name, label, stored[name])


def _compare(name: str, label: str, right: NDArray[Any]) -> Finding:
    """Compare the decoded pixels of a file with the recorded ones."""
    try:
        pixels = FileSource(FOLDER / "decoder" / name).read().decode().pixels
    except IqbenchError as error:
        return Finding(PART, label, OFF, note=str(error))
    if pixels.shape != right.shape or pixels.dtype != right.dtype:
        note = f"decoded to {pixels.shape} {pixels.dtype}, not {right.shape} {right.dtype}"
        return Finding(PART, label, OFF, note=f"{note}. {_MEND}")
    levels = np.abs(pixels.astype(np.int64) - right)
    wrong = f"{np.count_nonzero(levels)} of {levels.size} samples differ; "
    return compared(
        PART,
        label,
        deviation=int(levels.max()),
        tolerance=0,
        unit="levels",
        wrong=f"{wrong}{_ROUNDING[name.rpartition('.')[2]]}. {_MEND}",
    )
