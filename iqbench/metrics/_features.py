"""Scoring whole tensors with metrics that read networks, keeping gradients."""

from __future__ import annotations

from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.metrics._base import Maps, Metric, check_pair
from iqbench.networks.backbone import Backbone, network_input
from iqbench.networks.registry import load_backbone

__all__ = ["close_features"]


def close_features(
    metric: Metric,
    column: str,
    reference: Tensor,
    output: Tensor,
    *,
    backbone: Backbone | None = None,
    parameters: Maps | None = None,
) -> Tensor:
    """Score whole tensors with a metric that reads layers of one network.

    Parameters
    ----------
    metric
        A metric whose taps are all of one network.
    column
        Which of its columns.
    reference, output
        (N, C, H, W) in [0, 1], of one shape.
    backbone
        The network; by default the pretrained one, kept after the first call.
    parameters
        What the metric needs besides the network.

    Returns
    -------
    Tensor
        (N,).

    Raises
    ------
    IqbenchError
        If the tensors are no pair of images, or too small for a layer.
    """
    check_pair(reference, output)
    (wanted,) = (item for item in metric.columns() if item.name == column)
    layers = [tap.layer for tap in wanted.taps]
    first = wanted.taps[0]
    if backbone is None:
        backbone = load_backbone(first.network, output.device, output.dtype)
    sizes = backbone.sizes(layers, *reference.shape[2:])
    for layer in layers:
        if min(sizes[layer]) == 0:
            raise IqbenchError(
                f"images of {tuple(reference.shape[2:])} are too small for {layer} of "
                f"{backbone.name}"
            )
    features = [
        backbone(network_input(image, normalise=first.normalise), layers)
        for image in (reference, output)
    ]
    means: dict[str, Tensor] = {}
    for tap in wanted.taps:
        prepared = metric.prepare(tap, features[0][tap.layer], parameters or {})
        maps = metric.maps(tap, prepared, features[1][tap.layer], parameters or {})
        means |= {name: values.flatten(1).mean(1) for name, values in maps.items()}
    return metric.close(column, means)
