"""What the losses that read a network have in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iqbench.losses._reduction import Reduction, reduce
from iqbench.metrics._base import Metric
from iqbench.metrics._images import accept_pair
from iqbench.metrics._tensors import score_as_they_are
from iqbench.networks.backbone import Backbone

__all__ = ["NetworkLoss"]

_LOOK_EVERY = 100
"""On a GPU the range of the values is checked at every so manieth call: it has to be waited for."""


class NetworkLoss(nn.Module):
    """The last column of a metric, of output and target; the network is part of the module.

    Parameters
    ----------
    metric
        Reads layers of one network.
    backbone
        That network with its weights.
    reduction
        Over the batch: ``mean``, ``sum`` or ``none``.
    """

    def __init__(self, metric: Metric, backbone: Backbone, reduction: Reduction) -> None:
        super().__init__()
        self.metric = metric
        self.backbone = backbone
        self.reduction = reduction
        self._calls = 0

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss of an output against a target.

        Parameters
        ----------
        output, target
            (N, C, H, W) of one shape, in [0, 1], or uint8 or uint16. Half precision is widened to
            float32. The output may overshoot while it is trained.

        Returns
        -------
        Tensor
            A scalar, or (N,) with ``reduction="none"``; in float32 at least.

        Raises
        ------
        IqbenchError
            If they are no pair of images, their values are not in [0, 1], they are too small for a
            layer, or on another device than the network.
        """
        target, output = accept_pair(target, output, trained=True, look=self._looks(output))
        values = score_as_they_are(
            self.metric,
            self.metric.columns()[-1].name,
            target,
            output,
            backbone=self.backbone,
            parameters=dict(self.named_buffers(recurse=False)),
        )
        return reduce(values, self.reduction)

    def _looks(self, output: Tensor) -> bool:
        """Tell whether to check the range of the values at this call."""
        if torch.compiler.is_compiling():
            return False
        if not isinstance(output, Tensor) or output.device.type == "cpu":
            return True
        self._calls += 1
        return self._calls % _LOOK_EVERY == 1
