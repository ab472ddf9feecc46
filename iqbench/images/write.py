"""Write image files atomically."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.user_files import write_file

__all__ = ["write_png"]


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write a PNG atomically: a reader sees the old file or the complete new one.

    Parameters
    ----------
    path
        The path; missing folders are created, and an existing file is replaced.
    pixels
        (H, W, C) uint8 or uint16, C 1 (gray) or 3 (RGB).

    Raises
    ------
    IqbenchError
        If the file cannot be written.
    ValueError
        If the pixels have another shape or type.
    """
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.size == 0:
        raise ValueError(f"pixels are {pixels.shape}, not (H, W, 1) or (H, W, 3)")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"pixels are {pixels.dtype}, not uint8 or uint16")
    stored = np.ascontiguousarray(pixels[..., ::-1])  # reversing one channel changes nothing
    _, encoded = cv2.imencode(".png", stored)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise IqbenchError(
            f"cannot make the folder {path.parent}: {reason}", hint="Choose another place"
        ) from error
    # Not durable: pictures can be made again, and syncing each would take most of the time.
    write_file(path, encoded.tobytes(), durable=False)
