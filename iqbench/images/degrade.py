"""Standard degradations of restoration benchmarks, deterministic, for 8-bit images."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.images.probe import maximum_pixels
from iqbench.images.resize import Edge, Filter, imresize_uint8

__all__ = [
    "bicubic_downscale",
    "gaussian_blur",
    "gaussian_kernel",
    "gaussian_noise",
    "jpeg",
    "kernel_blur",
    "upscale",
]

Image = NDArray[np.uint8]


def gaussian_noise(image: Image, sigma: float, seed: int) -> Image:
    """Add white Gaussian noise, rounded and clipped to 8 bits.

    Published denoising tables often use float noise without clipping. A file cannot store such
    values, and clipping changes the noise where the image is almost black or white.

    Parameters
    ----------
    image
        (H, W, C) uint8.
    sigma
        Standard deviation on the scale 0 to 255.
    seed
        Seed of numpy's PCG64. Use one per image, so that the images of a set have different noise.

    Returns
    -------
    ndarray
        (H, W, C) uint8.

    Raises
    ------
    IqbenchError
        If ``sigma`` is negative or not finite.
    """
    _at_least_zero("sigma", sigma)
    noise = np.random.default_rng(seed).normal(0.0, sigma, image.shape)
    return _to_uint8(image + noise)


def bicubic_downscale(image: Image, scale: int, edge: Edge = "replicate") -> Image:
    """Shrink by an integer factor as MATLAB's ``imresize``.

    Parameters
    ----------
    image
        (H, W, C) uint8. Published protocols first crop H and W to multiples of ``scale``.
    scale
        The factor, at least 1.
    edge
        ``replicate`` as in older versions of MATLAB, ``symmetric`` as in newer ones; see
        `imresize`.

    Returns
    -------
    ndarray
        (ceil(H / scale), ceil(W / scale), C) uint8.

    Raises
    ------
    IqbenchError
        If ``scale`` is below 1.
    """
    if scale < 1:
        raise IqbenchError(f"the scale {scale} of a bicubic downscale is below 1")
    return imresize_uint8(image, scale=1 / scale, edge=edge)


def upscale(
    image: Image, scale: int, filter: Filter = "bicubic", edge: Edge = "replicate"
) -> Image:
    """Enlarge by an integer factor as MATLAB's ``imresize``: the baselines of super-resolution.

    Parameters
    ----------
    image
        (H, W, C) uint8.
    scale
        The factor, at least 1.
    filter
        ``nearest``, ``bilinear``, ``bicubic``, ``lanczos2`` or ``lanczos3``.
    edge
        As for :func:`bicubic_downscale`.

    Returns
    -------
    ndarray
        (scale H, scale W, C) uint8.

    Raises
    ------
    IqbenchError
        If ``scale`` is below 1, or the result has more pixels than an image may have.
    """
    if scale < 1:
        raise IqbenchError(f"the scale {scale} of an upscale is below 1")
    height, width = (scale * side for side in image.shape[:2])
    if height * width > maximum_pixels():
        raise IqbenchError(
            f"enlarged by {scale}, the image would have {width}x{height} pixels, more than "
            f"{maximum_pixels():,}",
            hint="Set the environment variable IQBENCH_MAX_PIXELS to allow more",
        )
    return imresize_uint8(image, scale=scale, edge=edge, filter=filter)


def jpeg(image: Image, quality: int) -> Image:
    """Compress as baseline JPEG, and decode the result.

    Parameters
    ----------
    image
        (H, W, C) uint8, gray or RGB. Colour is subsampled 4:2:0.
    quality
        1 to 100, on libjpeg's scale.

    Returns
    -------
    ndarray
        (H, W, C) uint8. Versions of libjpeg may differ by one level in a few pixels.

    Raises
    ------
    IqbenchError
        If ``quality`` is out of its range.
    """
    if not 1 <= quality <= 100:
        raise IqbenchError(f"the JPEG quality {quality} is not from 1 to 100")
    colour = image.shape[2] == 3
    stored = np.ascontiguousarray(image[..., ::-1]) if colour else image
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    _, encoded = cv2.imencode(".jpg", stored, options)
    decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    result: Any = np.ascontiguousarray(decoded[..., ::-1]) if colour else decoded[..., None]
    return np.asarray(result, dtype=np.uint8)


def gaussian_blur(image: Image, sigma: float, noise_sigma: float = 0.0, seed: int = 0) -> Image:
    """Blur with :func:`gaussian_kernel` and replicated edges, then add noise; round once.

    Parameters
    ----------
    image
        (H, W, C) uint8.
    sigma
        Standard deviation of the kernel in pixels.
    noise_sigma
        Standard deviation of white Gaussian noise on the scale 0 to 255.
    seed
        Seed of the noise, as for :func:`gaussian_noise`.

    Returns
    -------
    ndarray
        (H, W, C) uint8, rounded and clipped.

    Raises
    ------
    IqbenchError
        If ``sigma`` or ``noise_sigma`` is negative or not finite.
    """
    from scipy.ndimage import correlate1d

    _at_least_zero("noise_sigma", noise_sigma)
    profile = _gaussian_profile(sigma)
    blurred = image.astype(np.float64)
    for axis in (0, 1):
        blurred = correlate1d(blurred, profile, axis=axis, mode="nearest")
    noise = np.random.default_rng(seed).normal(0.0, noise_sigma, image.shape)
    return _to_uint8(blurred + noise)


def kernel_blur(
    image: Image, kernel: NDArray[np.float64], noise_sigma: float = 0.0, seed: int = 0
) -> Image:
    """Convolve with any kernel and replicated edges, then add noise; round once.

    Parameters
    ----------
    image
        (H, W, C) uint8.
    kernel
        (rows, columns), both odd; the centre belongs to the pixel itself. This is a true
        convolution, as MATLAB's ``conv2``: the kernel is rotated by 180 degrees.
    noise_sigma, seed
        As for :func:`gaussian_blur`.

    Returns
    -------
    ndarray
        (H, W, C) uint8, rounded and clipped.

    Raises
    ------
    IqbenchError
        If ``noise_sigma`` is negative or not finite.
    """
    _at_least_zero("noise_sigma", noise_sigma)
    turned = np.ascontiguousarray(kernel[::-1, ::-1])
    blurred: Any = cv2.filter2D(
        image.astype(np.float64), -1, turned, borderType=cv2.BORDER_REPLICATE
    )
    noise = np.random.default_rng(seed).normal(0.0, noise_sigma, image.shape)
    return _to_uint8(np.reshape(blurred, image.shape) + noise)


def gaussian_kernel(sigma: float) -> NDArray[np.float64]:
    """Return the kernel of :func:`gaussian_blur`, for methods that undo a known blur.

    Parameters
    ----------
    sigma
        Standard deviation in pixels; 0 gives the identity kernel.

    Returns
    -------
    ndarray
        (2 r + 1, 2 r + 1) with r = ceil(3 sigma), samples of the Gaussian, with sum 1.

    Raises
    ------
    IqbenchError
        If ``sigma`` is negative or not finite.
    """
    profile = _gaussian_profile(sigma)
    return np.outer(profile, profile)


def _gaussian_profile(sigma: float) -> NDArray[np.float64]:
    _at_least_zero("sigma", sigma)
    radius = math.ceil(3 * sigma)
    positions = np.arange(-radius, radius + 1) / (sigma or 1.0)
    profile: NDArray[np.float64] = np.exp(-0.5 * positions**2)
    profile /= profile.sum()
    return profile


def _at_least_zero(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise IqbenchError(f"{name} is {value}, which is not a standard deviation")


def _to_uint8(values: NDArray[np.float64]) -> Image:
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
