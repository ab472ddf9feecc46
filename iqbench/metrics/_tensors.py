"""Scoring whole tensors with a metric, keeping gradients: what functions and losses call."""

from __future__ import annotations

from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.metrics._base import PIXELS, Column, Maps, Metric, Place, check_pair, too_few_pixels
from iqbench.networks.backbone import Backbone
from iqbench.networks.registry import load_backbone

__all__ = ["score_tensors"]


def score_tensors(
    metric: Metric,
    column: str,
    reference: Tensor,
    output: Tensor,
    *,
    backbone: Backbone | None = None,
    parameters: Maps | None = None,
) -> Tensor:
    """Score whole tensors with a metric that reads pixels, or layers of one network, or both.

    Parameters
    ----------
    metric
        The metric.
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
        If the tensors are no pair of images, or too small for a window or layer.
    """
    check_pair(reference, output)
    (wanted,) = (item for item in metric.columns() if item.name == column)
    if min(reference.shape[2:]) < wanted.smallest:
        raise _too_small(wanted, reference, backbone)
    rows = _read(wanted, reference, output, backbone)
    values: dict[str, Tensor] = {}
    for tap in wanted.taps:
        seen, other = rows[PIXELS if tap.network == PIXELS else tap.layer]
        if min(seen.shape[2:]) < tap.window:
            raise _too_small(wanted, reference, backbone)
        prepared = metric.prepare(tap, seen, parameters or {})
        place = Place(0, other.shape[2], other.shape[2])
        found = metric.observe(tap, prepared, other, parameters or {}, place)
        values |= {name: statistic.value for name, statistic in found.items()}
    return metric.close(column, values, parameters or {})


def _read(
    column: Column, reference: Tensor, output: Tensor, backbone: Backbone | None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return both images at every layer that the column reads; pixels are a layer too."""
    rows = {PIXELS: (reference, output)}
    taps = [tap for tap in column.taps if tap.network != PIXELS]
    if not taps:
        return rows
    if backbone is None:
        backbone = load_backbone(taps[0].network, output.device, output.dtype)
    layers = [tap.layer for tap in taps]
    for layer, size in backbone.sizes(layers, *reference.shape[2:]).items():
        if layer in layers and min(size) == 0:
            raise _too_small(column, reference, backbone)
    features = [
        backbone(backbone.see(image, normalise=taps[0].normalise), layers)
        for image in (reference, output)
    ]
    return rows | {layer: (features[0][layer], features[1][layer]) for layer in layers}


def _too_small(column: Column, image: Tensor, backbone: Backbone | None) -> IqbenchError:
    """Say how large an image must be for all that a column reads."""
    sides = [column.smallest]
    for tap in column.taps:
        if tap.network == PIXELS:
            sides.append(tap.window)
        else:
            network = backbone or load_backbone(tap.network, image.device, image.dtype)
            sides.append(network.least_side(tap.layer, tap.window))
    return IqbenchError(too_few_pixels(column.name, image.shape[2], image.shape[3], max(sides)))
