"""Bicubic downscaling by 4, enlarged again."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter

from iqbench.demo.task import Floats, Image, Restore, Task, to_floats, to_image
from iqbench.images.degrade import bicubic_downscale

__all__ = ["TASK"]

SCALE = 4


def _shrink(image: Image, seed: int) -> Image:
    del seed  # nothing random about it
    return bicubic_downscale(image, SCALE)


def _nearest(image: Image) -> Image:
    return image.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def _resize(values: Floats, height: int, width: int, kernel: Pillow.Resampling) -> Floats:
    # Pillow resizes floats one channel at a time, with aligned pixel centres and antialiasing.
    channels = [
        np.asarray(Pillow.fromarray(plane).resize((width, height), kernel), dtype=np.float64)
        for plane in np.moveaxis(values.astype(np.float32), 2, 0)
    ]
    return np.stack(channels, axis=-1)


def _enlarge(image: Image, kernel: Pillow.Resampling) -> Floats:
    height, width, _ = image.shape
    return _resize(to_floats(image), SCALE * height, SCALE * width, kernel)


def _by(kernel: Pillow.Resampling) -> Restore:
    return lambda image: to_image(_enlarge(image, kernel), image)


def _sharpened(image: Image) -> Image:
    """Enlarge by bicubic interpolation, and add half of the detail that a Gaussian removes."""
    enlarged = _enlarge(image, Pillow.Resampling.BICUBIC)
    return to_image(1.5 * enlarged - 0.5 * gaussian_filter(enlarged, (2.5, 2.5, 0)), image)


def _back_projection(image: Image) -> Image:
    """Add the difference between the input and the shrunk result (Irani and Peleg 1991).

    doi:10.1016/1049-9652(91)90045-L
    """
    low = to_floats(image)
    height, width, _ = low.shape
    enlarged = _enlarge(image, Pillow.Resampling.BICUBIC)
    for _ in range(5):
        shrunk = _resize(enlarged, height, width, Pillow.Resampling.BICUBIC)
        enlarged += _resize(low - shrunk, SCALE * height, SCALE * width, Pillow.Resampling.BICUBIC)
    return to_image(enlarged, image)


TASK = Task(
    dataset="demo-sr-x4",
    degrade=_shrink,
    methods={
        # The input, enlarged to the reference's size without changing any value.
        "input": _nearest,
        "bilinear": _by(Pillow.Resampling.BILINEAR),
        "bicubic": _by(Pillow.Resampling.BICUBIC),
        "lanczos": _by(Pillow.Resampling.LANCZOS),
        "bicubic-sharpened": _sharpened,
        "back-projection": _back_projection,
    },
)
