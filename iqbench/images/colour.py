"""Luma in the forms of published protocols, and linear light."""

from __future__ import annotations

import torch
from torch import Tensor

from iqbench.images.rounding import round_half_away
from iqbench.native import library, loops

__all__ = ["FULL", "linear_light", "luma_full", "luma_studio", "weighted_sum"]

STUDIO = (65.481, 128.553, 24.966)
FULL = (0.299, 0.587, 0.114)


def linear_light(image: Tensor) -> Tensor:
    """Convert sRGB values to linear light (IEC 61966-2-1); any shape, [0, 1] to [0, 1].

    Values outside [0, 1] are not clipped; those below 0 use the linear part.
    """
    if library.suits(image):
        return loops.linear_light(image.contiguous())
    # Clamp first: a power of a negative value gives NaN gradients, even if it is not selected.
    power = ((image.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(image > 0.04045, power, image / 12.92)


def _compiled_luma(
    rgb: Tensor,
    weights: tuple[float, float, float],
    *,
    factor: float = 1.0,
    summand: float = 0.0,
    divisor: float = 1.0,
    rounded: bool,
) -> Tensor:
    """Return (factor * weighted sum + summand) / divisor by a compiled loop, (N, 1, H, W).

    Each step rounds as in torch, so that the values are equal to the last bit.
    """
    constants = (*weights, factor, summand, divisor)
    images = rgb.permute(0, 2, 3, 1).contiguous()
    planes = [loops.luma_plane(image, constants, rounded=rounded) for image in images]
    return torch.stack(planes).unsqueeze(1)


def _weighted(rgb: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """Return the weighted sum over channels, (N, 1, H, W), in float64."""
    red, green, blue = rgb.unbind(1)
    total = red.double() * weights[0]
    total += green.double() * weights[1]
    total += blue.double() * weights[2]
    return total.unsqueeze(1)


def weighted_sum(image: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """Weigh red, green and blue and add them up in float64; (N, 3, H, W) to (N, 1, H, W)."""
    if library.suits(image):
        return _compiled_luma(image, weights, rounded=False)
    return _weighted(image, weights).to(image.dtype)


def luma_studio(image: Tensor, *, rounded: bool = False) -> Tensor:
    """BT.601 studio-range luma as MATLAB's ``rgb2ycbcr``, relative to a peak of 1.

    Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255. Gray images are returned unchanged. It is
    computed in float64, because values exactly between two integers occur and must round correctly.

    Parameters
    ----------
    image
        (N, 3, H, W) or (N, 1, H, W) in [0, 1].
    rounded
        Whether to round to 8 bits, half away from zero, as MATLAB for uint8 input (older tables of
        super-resolution, deraining). False is the form of BasicSR, SwinIR and HAT.

    Returns
    -------
    Tensor
        (N, 1, H, W) of the dtype of `image`, in [16/255, 235/255].
    """
    if image.shape[1] == 1:
        return image
    if library.suits(image):
        return _compiled_luma(image, STUDIO, summand=16.0, divisor=255.0, rounded=rounded)
    luma = _weighted(image, STUDIO) + 16
    if rounded:
        luma = round_half_away(luma)
    return (luma / 255).to(image.dtype)


def luma_full(image: Tensor, *, rounded: bool = False) -> Tensor:
    """Full-range luma of JPEG and YIQ: Y = 0.299 R + 0.587 G + 0.114 B (ITU-T T.871).

    Parameters
    ----------
    image
        (N, 3, H, W) or (N, 1, H, W) in [0, 1]; gray is returned unchanged.
    rounded
        Whether to round to 8 bits, half away from zero.

    Returns
    -------
    Tensor
        (N, 1, H, W) of the dtype of `image`, in [0, 1].
    """
    if image.shape[1] == 1:
        return image
    if library.suits(image):
        peak = 255.0 if rounded else 1.0
        return _compiled_luma(image, FULL, factor=peak, divisor=peak, rounded=rounded)
    luma = _weighted(image, FULL)
    if rounded:
        luma = round_half_away(luma * 255) / 255
    return luma.to(image.dtype)
