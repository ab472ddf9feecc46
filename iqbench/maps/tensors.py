"""Differentiable maps of tensors, for `iqbench.functional`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from iqbench.engine.grouping import Group
from iqbench.errors import IqbenchError
from iqbench.maps.collect import Band, collect
from iqbench.maps.kinds import AbsoluteError, kind_of
from iqbench.maps.placement import forward
from iqbench.metrics._base import PIXELS, Metric
from iqbench.metrics._images import accept_pair, accept_signal
from iqbench.metrics._registry import Request
from iqbench.metrics._tensors import full_precision, network_of, trained_parameters
from iqbench.metrics.ciede2000 import Ciede2000
from iqbench.metrics.flip import DISTANCE, PIXELS_ACROSS, WIDTH, Flip
from iqbench.metrics.lpips import Lpips, Net
from iqbench.metrics.perceptual import Distance, Normalise, perceptual_metric
from iqbench.metrics.ssim import Shape, Ssim
from iqbench.metrics.tv import Form, check_form, variation_maps
from iqbench.protocols.view import View
from iqbench.specs import validate

if TYPE_CHECKING:
    from iqbench.networks.backbone import Backbone

__all__ = [
    "absolute_error_map",
    "ciede2000_map",
    "flip_map",
    "lpips_map",
    "perceptual_map",
    "ssim_map",
    "total_variation_map",
]


def absolute_error_map(reference: Tensor, output: Tensor) -> Tensor:
    """Mean over channels of |reference - output| at each pixel.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3.

    Returns
    -------
    Tensor
        (N, 1, H, W).

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images.
    """
    return _map(AbsoluteError(), reference, output)


def ciede2000_map(reference: Tensor, output: Tensor) -> Tensor:
    """Colour difference CIEDE2000 at each pixel.

    Parameters
    ----------
    reference, output
        (N, C, H, W) sRGB in [0, 1], C 1 or 3.

    Returns
    -------
    Tensor
        (N, 1, H, W); its mean is `ciede2000`.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images.
    """
    return _map(Ciede2000(), reference, output)


def flip_map(
    reference: Tensor,
    output: Tensor,
    *,
    ppd: float | None = None,
    distance: float = DISTANCE,
    width: float = WIDTH,
    pixels: int = PIXELS_ACROSS,
) -> Tensor:
    """FLIP's error at each pixel.

    Parameters
    ----------
    reference, output
        (N, C, H, W) sRGB in [0, 1], C 1 or 3.
    ppd, distance, width, pixels
        As for `flip`.

    Returns
    -------
    Tensor
        (N, 1, H, W), from 0 to 1; its mean is `flip`.

    Raises
    ------
    IqbenchError
        As `flip`.
    """
    options = {"ppd": ppd, "distance": distance, "width": width, "pixels": pixels}
    return _map(validate(Flip, options, where="FLIP"), reference, output)


def ssim_map(reference: Tensor, output: Tensor, *, window: Shape = "gaussian") -> Tensor:
    """Structural similarity around each pixel, averaged over channels.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least as large as the window.
    window
        As for `ssim`: ``gaussian``, 11x11, or ``uniform``, 7x7.

    Returns
    -------
    Tensor
        (N, 1, H, W) float64, at most 1; NaN in a border of 5 pixels (``uniform``: 3), where the
        window does not fit. The mean without NaN, by ``torch.nanmean``, is `ssim`.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are smaller than the window.
    """
    return _map(validate(Ssim, {"window": window}, where="SSIM"), reference, output)


def lpips_map(
    reference: Tensor, output: Tensor, *, net: Net = "alex", backbone: Backbone | None = None
) -> Tensor:
    """LPIPS v0.1 at each position: the sum of the layers' maps, stretched to the image.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1] (not [-1, 1]); gray is replicated to three channels.
    net, backbone
        As for `lpips`.

    Returns
    -------
    Tensor
        (N, 1, H, W); its mean is `lpips`.

    Raises
    ------
    IqbenchError
        As `lpips`.

    Notes
    -----
    The package ``lpips`` with ``spatial=True`` stretches by bilinear interpolation, which changes
    the mean if a side is not an even multiple of a layer's. Here a pixel gets the mean of the same
    interpolation over its own area. With ``vgg`` and sides that are multiples of 16, both agree.
    """
    metric = validate(Lpips, {"net": net}, where="LPIPS")
    return _map(metric, reference, output, backbone)


def perceptual_map(
    reference: Tensor,
    output: Tensor,
    *,
    net: str = "vgg16",
    layers: tuple[str, ...] = (),
    distance: Distance = "l1",
    weights: tuple[float, ...] = (),
    normalise: Normalise = "imagenet",
    backbone: Backbone | None = None,
) -> Tensor:
    """Perceptual distance at each position: mean over channels of the features' difference.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1]; gray is replicated to three channels.
    net, layers, distance, weights, normalise, backbone
        As for `perceptual`.

    Returns
    -------
    Tensor
        (N, 1, H, W): the weighted sum over layers, each stretched to the image as in `lpips_map`;
        its mean is `perceptual`.

    Raises
    ------
    IqbenchError
        As `perceptual`.
    """
    metric = perceptual_metric(net, layers, distance, weights, normalise)
    return _map(metric, reference, output, backbone)


def total_variation_map(image: Tensor, *, form: Form = "aniso") -> Tensor:
    """Local total variation: the forward differences at each pixel, averaged over channels.

    Parameters
    ----------
    image
        (N, C, H, W), at least 2x2.
    form
        As for `total_variation`.

    Returns
    -------
    Tensor
        (N, 1, H, W); its mean is `total_variation`. ``aniso``, ``sq``: dx scaled by W / (W - 1)
        plus dy scaled by H / (H - 1), 0 for a pixel without a next one; ``iso``: NaN in the last
        row and column, so that the mean needs ``torch.nanmean``.

    Raises
    ------
    IqbenchError
        If the image has fewer than 2 rows or columns, or the form is unknown.
    """
    check_form(form)
    image = accept_signal(image)
    size = image.shape[2], image.shape[3]
    first, *others = (forward(values.mean(1), size) for values in variation_maps(image, form))
    return (first + others[0] if others else first).unsqueeze(1)


def _map(
    metric: Metric, reference: Tensor, output: Tensor, backbone: Backbone | None = None
) -> Tensor:
    """Compute the map of a metric's last column for whole tensors."""
    reference, output = accept_pair(reference, output)
    request = Request(metric, metric.columns()[-1])
    taps = request.column.taps
    group = Group(View(), (request,), dict.fromkeys(taps, (metric,)))
    backbones: dict[str, Backbone] = {}
    dtype = output.dtype
    if taps[0].network != PIXELS:
        network = taps[0].network
        backbones[network], dtype = network_of(network, backbone, output)
    size = reference.shape[2], reference.shape[3]
    for reason in group.too_small(backbones, *size).values():
        raise IqbenchError(reason)
    with full_precision(output.device):
        collected = collect(
            group,
            [Band(reference, output, last=True)],
            backbones=backbones,
            parameters={metric: trained_parameters(metric, output.device)},
            dtype=dtype,
            size=size,
        )
        return kind_of(request).assemble(collected[metric], size)
