"""Score whole tensors with a metric, with gradients; used by functions and losses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.metrics._base import PIXELS, Column, Maps, Metric, Place, too_few_pixels
from iqbench.metrics._images import accept_pair
from iqbench.networks.backbone import Backbone
from iqbench.networks.border import surrounded
from iqbench.networks.registry import load_backbone

__all__ = [
    "check_backbone",
    "full_precision",
    "network_of",
    "score_as_they_are",
    "score_tensors",
    "trained_parameters",
]


def score_tensors(
    metric: Metric,
    column: str,
    reference: Tensor,
    output: Tensor,
    *,
    backbone: Backbone | None = None,
) -> Tensor:
    """Score whole tensors with a metric, as the functions of `iqbench.functional` do.

    Parameters
    ----------
    metric
        The metric. It may read pixels and layers of one network.
    column
        One of its columns.
    reference, output
        Tensors that `accept_pair` accepts.
    backbone
        The network; by default the pretrained one, which is cached.

    Returns
    -------
    Tensor
        (N,), float32 or float64.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images in [0, 1], or too small for a window or layer.
    """
    reference, output = accept_pair(reference, output)
    with full_precision(output.device):
        return score_as_they_are(metric, column, reference, output, backbone=backbone)


def score_as_they_are(
    metric: Metric,
    column: str,
    reference: Tensor,
    output: Tensor,
    *,
    backbone: Backbone | None = None,
    parameters: Maps | None = None,
) -> Tensor:
    """Score tensors of any range; see `score_tensors`.

    Parameters
    ----------
    metric, column, backbone
        As for `score_tensors`.
    reference, output
        (N, C, H, W) of one shape, type and device, float32 or float64.
    parameters
        The parameters of the metric besides the network; by default the published ones.

    Returns
    -------
    Tensor
        (N,), float32 or float64; N may be 0. A network computes in the type of its weights, or in
        that of `torch.autocast`; everything after it uses at least float32. If a formula has no
        gradient, such as a root at 0, the gradient of the images is 0.

    Raises
    ------
    IqbenchError
        If the tensors are too small for a window or layer, or the network is on another device.
    """
    reference, output = (defined_gradient(image) for image in (reference, output))
    (wanted,) = (item for item in metric.columns() if item.name == column)
    if min(reference.shape[2:]) < wanted.smallest:
        raise _too_small(wanted, reference, backbone)
    if not len(output):
        # Torch refuses empty batches in many functions: score a black image, and drop its value.
        one = reference.new_zeros(1, *reference.shape[1:])
        reference, output = (torch.cat([image, one]) for image in (reference, output))
        return score_as_they_are(
            metric, column, reference, output, backbone=backbone, parameters=parameters
        )[:0]
    rows = _read(wanted, reference, output, backbone)
    if parameters is None:
        parameters = trained_parameters(metric, output.device)
    values: dict[str, Tensor] = {}
    with full_precision(output.device):
        for tap in wanted.taps:
            seen, other = rows[PIXELS if tap.network == PIXELS else tap.layer]
            if min(seen.shape[2:]) < tap.smallest:
                raise _too_small(wanted, reference, backbone)
            if tap.border:
                seen, other = (surrounded(image, tap.border) for image in (seen, other))
            prepared = metric.prepare(tap, seen, parameters)
            place = Place(0, other.shape[2], other.shape[2])
            found = metric.observe(tap, prepared, other, parameters, place)
            values |= {name: statistic.value for name, statistic in found.items()}
        return metric.close(column, values, parameters)


class _DefinedGradient(torch.autograd.Function):
    """The identity; in its backward pass, gradients that are not finite become 0.

    So an image without a defined gradient adds nothing to the gradients of shared parameters.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(image: Tensor) -> Tensor:
        return image.view_as(image)

    @staticmethod
    def setup_context(context: Any, inputs: Any, output: Any) -> None:
        """Save nothing for the backward pass."""

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        return torch.where(gradient.isfinite(), gradient, 0)

    @staticmethod
    def jvp(context: Any, *tangents: Tensor) -> Tensor:
        (tangent,) = tangents
        return tangent.view_as(tangent)


def defined_gradient(image: Tensor) -> Tensor:
    """Return the image; its gradient will be 0 wherever a formula has none."""
    if not torch.is_grad_enabled():
        return image
    applied: Any = _DefinedGradient.apply  # torch has no types for it
    result: Tensor = applied(image)
    return result


def _read(
    column: Column, reference: Tensor, output: Tensor, backbone: Backbone | None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the input of both images at every tap of the column."""
    rows = {PIXELS: (reference, output)}
    taps = [tap for tap in column.taps if tap.network != PIXELS]
    if not taps:
        return rows
    network, dtype = network_of(taps[0].network, backbone, output)
    layers = [tap.layer for tap in taps]
    for layer, size in network.sizes(layers, *reference.shape[2:]).items():
        if layer in layers and min(size) == 0:
            raise _too_small(column, reference, backbone)
    features = [
        network(network.see(image, normalise=taps[0].normalise).to(dtype), layers)
        for image in (reference, output)
    ]
    first, second = (
        {
            name: rows.to(torch.promote_types(rows.dtype, torch.float32))
            for name, rows in one.items()
        }
        for one in features
    )
    return rows | {layer: (first[layer], second[layer]) for layer in layers}


def _too_small(column: Column, image: Tensor, backbone: Backbone | None) -> IqbenchError:
    """Return the error for an image that is too small for a column, with the required size."""
    sides = [column.smallest]
    for tap in column.taps:
        if tap.network == PIXELS:
            sides.append(tap.smallest)
        else:
            network = backbone or load_backbone(tap.network, image.device, image.dtype)
            sides.append(network.least_side(tap.layer, tap.smallest))
    return IqbenchError(too_few_pixels(column.name, image.shape[2], image.shape[3], max(sides)))


def check_backbone(backbone: object) -> None:
    """Raise an error for a network of another library, whose layers have no names here."""
    if not isinstance(backbone, Backbone):
        raise IqbenchError(
            f"backbone is of type {type(backbone).__name__}, not a Backbone of iqbench",
            hint="Leave it out for the pretrained network",
        )


def network_of(name: str, backbone: Backbone | None, image: Tensor) -> tuple[Backbone, torch.dtype]:
    """Return the network for an image, and the type that it computes in.

    Parameters
    ----------
    name
        The name of the network.
    backbone
        The network; by default the pretrained one in the image's type, which is cached.
    image
        The image, on the same device as the network.

    Raises
    ------
    IqbenchError
        If the network is on another device, or another kind of module.
    """
    if backbone is None:
        return load_backbone(name, image.device, image.dtype), image.dtype
    check_backbone(backbone)
    weight = next(backbone.parameters(), None)
    if weight is None:
        return backbone, image.dtype
    if weight.device != image.device:
        raise IqbenchError(
            f"the network {backbone.name} is on {weight.device}, the images on {image.device}",
            hint="Move the loss, or the network, to the images: loss.to(image.device)",
        )
    return backbone, weight.dtype


@lru_cache(maxsize=16)
def trained_parameters(metric: Metric, device: torch.device) -> Maps:
    """Return the trained parameters of a metric besides those of a network; they are cached."""
    # Calls with gradients use them too. (torch.compile does not support a keyword here.)
    with torch.inference_mode(False):
        found = metric.parameters(None)
        return {name: tensor.to(device) for name, tensor in found.tensors.items()} if found else {}


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Disable `torch.autocast`, if the device has it."""
    if not torch.amp.is_autocast_available(device.type):
        yield
        return
    with torch.autocast(device.type, enabled=False):
        yield
