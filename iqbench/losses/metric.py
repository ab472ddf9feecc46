"""Any metric as a loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.losses._network_loss import NetworkLoss
from iqbench.losses._reduction import Reduction
from iqbench.metrics._registry import Request, resolve_column, stem_of
from iqbench.networks.backbone import Backbone
from iqbench.networks.vgg import SHRUNK

__all__ = ["EPSILON", "MetricLoss", "named_loss"]

BEST: Mapping[str, float] = {
    "fsim": 1.0,
    "fsimc": 1.0,
    "haarpsi": 1.0,
    "iw-ssim": 1.0,
    "ms-ssim": 1.0,
    "ssim": 1.0,
    "ssimulacra2": 100.0,
    "vifp": 1.0,
    "vsi": 1.0,
}
"""By column (without options) with higher values better: the value of equal images."""

DECIBELS = ("ms-ssim-db", "psnr", "psnr-b", "psnr-hvs", "psnr-hvsm")
"""Columns (without options) that are -10 log10 of an error."""

EPSILON = 1e-8
"""Default constant that is added to such an error, so that no value is above 80 dB."""


class MetricLoss(NetworkLoss):
    """A column of a metric as a loss: smaller is better, and except for decibels the best is 0.

    The loss is the value if lower is better; 1 (SSIMULACRA 2: 100) minus the value for an index
    with a known best value; minus the value for decibels and other metrics if higher is better;
    and |value - target| for a metric with a target.

    Parameters
    ----------
    metric
        Spec or name of a column: ``gmsd``, ``ms-ssim``, ``perceptual-vgg16-relu2_2-l2``.
    reduction
        The reduction over the batch: ``mean``, ``sum`` or ``none``.
    eps
        Only for columns in dB: a constant that is added to the error before the logarithm, so that
        equal images have a finite loss with gradient 0: -80 dB for the default, 1e-8. With 0 their
        loss is infinite.
    backbone
        The network with its weights, if the metric reads one; by default the pretrained one, which
        all evaluators, functions and losses of the process share.

    Raises
    ------
    IqbenchError
        If there is no such metric, it has no gradient, the column has no direction, or weights are
        missing and cannot be fetched.

    Notes
    -----
    Call it as ``loss(output, target)``, with images in [0, 1]. If the formula has no gradient, such
    as the root in GMSD for flat images, the gradient of the image is 0. An image without a defined
    value, such as VSI of two flat images, is left out of a mean or sum; with ``none`` it is NaN.
    """

    def __init__(
        self,
        metric: str,
        *,
        reduction: Reduction = "mean",
        eps: float | None = None,
        backbone: Backbone | None = None,
    ) -> None:
        request = resolve_column(metric)
        _check(request)
        stem = stem_of(request.column.name)
        if eps is not None and stem not in DECIBELS:
            raise IqbenchError(
                f"{request.column.name} takes no eps: it is finite for equal images",
                hint="Leave it out",
            )
        if eps is not None and not 0 <= eps < float("inf"):
            raise IqbenchError(f"eps is {eps}, not a number of at least 0", hint="1e-8 is usual")
        super().__init__(request.metric, request.column, reduction, backbone)
        self.eps = (EPSILON if eps is None else eps) if stem in DECIBELS else 0.0
        self._best = BEST.get(stem, 0.0)
        direction, _, target = request.column.direction.partition(":")
        self._direction, self._target = direction, float(target or 0)

    def loss_of(self, values: Tensor) -> Tensor:
        """Turn values of the column into what is minimised."""
        if self.eps:
            values = -10 * torch.log10(torch.pow(10, -values / 10) + self.eps)
        if self._direction == "higher":
            return self._best - values
        return (values - self._target).abs() if self._direction == "target" else values

    def extra_repr(self) -> str:
        """Return the column and the reduction."""
        return f"{self.column.name}, reduction={self.reduction}"


def _check(request: Request) -> None:
    """Raise an error for a column that cannot be a loss."""
    metric, column = request.metric, request.column
    if metric.scope != "image" or metric.needs != "reference and output":
        raise IqbenchError(
            f"{column.name} does not compare an image with its reference",
            hint="Choose a metric that does, such as ssim or dists",
        )
    if column.direction == "none":
        raise IqbenchError(
            f"no value of {column.name} is better than another",
            hint="Choose a column that has a direction; TVLoss is the total variation itself",
        )
    if getattr(metric, "rounded", False):
        raise IqbenchError(
            f"{column.name} rounds images to 8 bits, so its gradient has no meaning",
            hint=f"Use {metric.name}:rounded=false",
        )
    if any(tap.layer.startswith(SHRUNK) for tap in column.taps):
        raise IqbenchError(
            f"{column.name} shrinks images in 8 bits, so its gradient has no meaning",
            hint=f"Use {metric.name}, which does not shrink them",
        )


def named_loss(name: str, metric: str) -> type[MetricLoss]:
    """Return the loss class of one metric.

    Parameters
    ----------
    name
        The name of the class in `iqbench.losses.named`.
    metric
        As for `MetricLoss`.
    """

    def make(
        self: MetricLoss,
        *,
        reduction: Reduction = "mean",
        eps: float | None = None,
        backbone: Backbone | None = None,
    ) -> None:
        MetricLoss.__init__(self, metric, reduction=reduction, eps=eps, backbone=backbone)

    text = f'The same as ``MetricLoss("{metric}")``, with its other parameters.'
    members = {"__init__": make, "__doc__": text, "__module__": "iqbench.losses.named"}
    return type(name, (MetricLoss,), members)
