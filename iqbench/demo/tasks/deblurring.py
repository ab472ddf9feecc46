"""Gaussian blur of sigma 1.6 with a little noise; the kernel is known to the methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage import restoration

from iqbench.demo.task import Floats, Image, Restore, Task, to_floats, to_image, untouched
from iqbench.images.degrade import gaussian_blur, gaussian_kernel

__all__ = ["TASK"]

_restoration: Any = restoration  # only some of its functions have type hints

SIGMA = 1.6
NOISE = 2.0
MARGIN = 12
"""Width of a mirrored border, because deconvolution by FFT treats the image as periodic."""


def _blur(image: Image, seed: int) -> Image:
    return gaussian_blur(image, SIGMA, NOISE, seed)


def _with_margin(deconvolve: Callable[[Floats], Floats]) -> Restore:
    """Make a method from a function on (H, W, C) floats, which gets a mirrored border."""
    margin = ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    inner = slice(MARGIN, -MARGIN)

    def restore(image: Image) -> Image:
        padded = np.pad(to_floats(image), margin, mode="symmetric")
        return to_image(deconvolve(padded)[inner, inner], image)

    return restore


def _each_channel(deconvolve: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda values: np.stack(
        [deconvolve(values[..., channel]) for channel in range(values.shape[2])], axis=-1
    )


def _unsharp(image: Image) -> Image:
    values = to_floats(image)
    return to_image(2 * values - gaussian_filter(values, (2, 2, 0)), image)


def _richardson_lucy(values: Floats) -> Floats:
    return np.asarray(_restoration.richardson_lucy(values, gaussian_kernel(SIGMA), num_iter=15))


def _wiener(values: Floats) -> Floats:
    return np.asarray(_restoration.wiener(values, gaussian_kernel(SIGMA), 0.007, clip=False))


def _gradient_step(blurred: Floats) -> Callable[[Floats], Floats]:
    """Return a step of steepest descent on ||kernel * x - blurred||^2, by FFT."""
    kernel = gaussian_kernel(SIGMA)
    centred: NDArray[np.float64] = np.zeros(blurred.shape[:2])
    centred[: kernel.shape[0], : kernel.shape[1]] = kernel
    centred = np.roll(centred, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), (0, 1))
    # The kernel is symmetric, so its transform is real and its own adjoint.
    transfer = np.fft.rfft2(centred).real[..., None]
    target = np.fft.rfft2(blurred, axes=(0, 1))

    def step(estimate: Floats) -> Floats:
        excess = transfer * np.fft.rfft2(estimate, axes=(0, 1)) - target
        return estimate - np.fft.irfft2(transfer * excess, s=blurred.shape[:2], axes=(0, 1))

    return step


def _landweber(blurred: Floats) -> Floats:
    """Descend without a prior, with early stopping (Landweber 1951, doi:10.2307/2372313)."""
    step = _gradient_step(blurred)
    estimate = blurred
    for _ in range(30):
        estimate = step(estimate)
    return estimate


def _total_variation(blurred: Floats) -> Floats:
    """Descend with total variation as prior (FISTA, Beck and Teboulle 2009).

    doi:10.1109/TIP.2009.2028250
    """
    step = _gradient_step(blurred)
    estimate = ahead = blurred
    momentum = 1.0
    for _ in range(15):
        # The few inner steps need not converge, because the outer steps continue from them.
        denoised = _restoration.denoise_tv_chambolle(
            step(ahead), weight=0.0005, max_num_iter=3, eps=0, channel_axis=-1
        )
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = denoised + (momentum - 1) / following * (denoised - estimate)
        estimate, momentum = denoised, following
    return estimate


TASK = Task(
    dataset="demo-deblur",
    degrade=_blur,
    methods={
        "input": untouched,
        "unsharp": _unsharp,
        "landweber": _with_margin(_landweber),
        "richardson-lucy": _with_margin(_each_channel(_richardson_lucy)),
        "wiener": _with_margin(_each_channel(_wiener)),
        "tv-deconvolution": _with_margin(_total_variation),
    },
)
