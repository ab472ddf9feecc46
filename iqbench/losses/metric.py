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
"""Column, without options, to the value of equal images, if a higher value is better."""

DECIBELS = ("ms-ssim-db", "psnr", "psnr-b", "psnr-hvs", "psnr-hvsm")
"""Columns, without options, that are -10 log10 of an error."""

EPSILON = 1e-8
"""Default that is added to such an error, so that no value is above 80 dB."""


class MetricLoss(NetworkLoss):
    """A column of a metric as a loss: smaller is better, and 0 is the best, but of decibels.

    What is minimised is the value where a lower one is better; 1 (SSIMULACRA 2: 100) minus the
    value of an index whose best one is known; minus the value of decibels and other metrics where a
    higher value is better; and |value - target| where there is a target.

    Parameters
    ----------
    metric
        Spec or name of a column: ``gmsd``, ``ms-ssim``, ``perceptual-vgg16-relu2_2-l2``.
    reduction
        Over the batch: ``mean``, ``sum`` or ``none``.
    eps
        Of columns in dB alone: added to the error whose logarithm they are, so that equal images
        have a finite loss, with gradient 0: -80 dB for the default, 1e-8. With 0 it is infinite.
    backbone
        The network with its weights, if the metric reads one; by default the pretrained one, which
        all evaluators, functions and losses of the process share.

    Raises
    ------
    IqbenchError
        If there is no such metric, it has no gradient, nothing is better or worse in the column,
        or weights cannot be had.

    Notes
    -----
    Called as ``loss(output, target)``; images are in [0, 1]. Where the formula has no gradient, as
    the root in GMSD of flat images, the gradient of the image is 0. An image whose value the
    formula leaves undefined, such as VSI of two flat images, is left out of a mean or sum; with
    ``none`` it is NaN.
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
            raise IqbenchError(f"eps is {eps}, not a number from 0 on", hint="1e-8 is usual")
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
        """Name the column."""
        return f"{self.column.name}, reduction={self.reduction}"


def _check(request: Request) -> None:
    """Refuse a column that cannot be minimised."""
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
            f"{column.name} rounds images to 8 bits, so its gradient says nothing",
            hint=f"Use {metric.name}:rounded=false",
        )
    if any(tap.layer.startswith(SHRUNK) for tap in column.taps):
        raise IqbenchError(
            f"{column.name} shrinks images in 8 bits, so its gradient says nothing",
            hint=f"Use {metric.name}, which reads them as they are",
        )


def named_loss(name: str, metric: str) -> type[MetricLoss]:
    """Return a class of the losses of one metric.

    Parameters
    ----------
    name
        Of the class, a name of `iqbench.losses.named`.
    metric
        As of `MetricLoss`.
    """

    def make(
        self: MetricLoss,
        *,
        reduction: Reduction = "mean",
        eps: float | None = None,
        backbone: Backbone | None = None,
    ) -> None:
        MetricLoss.__init__(self, metric, reduction=reduction, eps=eps, backbone=backbone)

    text = f'``MetricLoss("{metric}")``; its other parameters and its properties are those.'
    members = {"__init__": make, "__doc__": text, "__module__": "iqbench.losses.named"}
    return type(name, (MetricLoss,), members)
