"""Gaussian noise of sigma 25, known to the methods."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import median_filter
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, denoise_wavelet

from iqbench.demo.task import Image, Task, on_floats, to_floats, to_image, untouched
from iqbench.images.degrade import gaussian_noise

__all__ = ["TASK"]

SIGMA = 25


def _noise(image: Image, seed: int) -> Image:
    return gaussian_noise(image, SIGMA, seed)


def _median(image: Image) -> Image:
    return np.asarray(median_filter(image, size=(3, 3, 1)), dtype=np.uint8)


def _bilateral(image: Image) -> Image:
    return cv2.bilateralFilter(image, 7, 4 * SIGMA, 2).astype(np.uint8).reshape(image.shape)


def _wavelet(image: Image) -> Image:
    """Shrink wavelet coefficients, colour as luma and chroma (BayesShrink, Chang et al. 2000).

    doi:10.1109/83.862633
    """
    denoised = denoise_wavelet(
        to_floats(image),
        sigma=SIGMA / 255,
        wavelet="db2",
        method="BayesShrink",
        convert2ycbcr=image.shape[2] == 3,
        rescale_sigma=True,
        channel_axis=-1,
    )
    return to_image(denoised, image)


TASK = Task(
    dataset="demo-denoise",
    degrade=_noise,
    methods={
        "input": untouched,
        "median": _median,
        "bilateral": _bilateral,
        "wavelet": _wavelet,
        "tv-chambolle": on_floats(denoise_tv_chambolle, weight=0.08),
        "nl-means": on_floats(
            denoise_nl_means,
            patch_size=5,
            patch_distance=6,
            h=0.6 * SIGMA / 255,
            sigma=SIGMA / 255,
            fast_mode=True,
        ),
    },
)
