"""JPEG compression at quality 15."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from iqbench.demo.task import Image, Task, on_floats, to_floats, to_image, untouched
from iqbench.images.degrade import jpeg

__all__ = ["TASK"]

QUALITY = 15
BLOCK = 8


def _compress(image: Image, seed: int) -> Image:
    del seed  # nothing random about it
    return jpeg(image, QUALITY)


def _gaussian(image: Image) -> Image:
    return to_image(gaussian_filter(to_floats(image), (0.5, 0.5, 0)), image)


def _bilateral(image: Image) -> Image:
    return cv2.bilateralFilter(image, 7, 25, 2).astype(np.uint8).reshape(image.shape)


def _shifted_jpeg(image: Image) -> Image:
    """Average recompressions on all shifted block grids.

    Nosratinia 2001, Denoising of JPEG images by re-application of JPEG, Journal of VLSI Signal
    Processing 27. Differences between grids are artefacts of the grids.
    """
    height, width, _ = image.shape
    padded = np.pad(image, ((BLOCK, BLOCK), (BLOCK, BLOCK), (0, 0)), mode="symmetric")
    total = np.zeros(image.shape)
    for row in range(BLOCK):
        for column in range(BLOCK):
            # The crop starts `row` rows and `column` columns before the image: the grid shifts.
            shifted = padded[BLOCK - row :, BLOCK - column :]
            again = jpeg(np.ascontiguousarray(shifted), QUALITY)
            total += again[row : row + height, column : column + width]
    return to_image(total / (255.0 * BLOCK * BLOCK), image)


TASK = Task(
    dataset="demo-jpeg",
    degrade=_compress,
    methods={
        "input": untouched,
        "gaussian": _gaussian,
        "bilateral": _bilateral,
        "tv-chambolle": on_floats(denoise_tv_chambolle, weight=0.02),
        "nl-means": on_floats(
            denoise_nl_means, patch_size=5, patch_distance=6, h=0.035, fast_mode=True
        ),
        "shifted-jpeg": _shifted_jpeg,
    },
)
