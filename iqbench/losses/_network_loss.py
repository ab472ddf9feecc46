"""What the losses that read a network have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    """The last column of a metric, of output and target.

    The network moves with the module, but is no part of its state: checkpoints of a model that has
    the loss in it hold nothing of it.

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
        # Not as a submodule: its weights are nobody's parameters and in no checkpoint.
        self.__dict__["backbone"] = backbone
        self.reduction = reduction
        self._calls = 0

    backbone: Backbone

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> NetworkLoss:
        """Move the network with the module."""
        modules: tuple[Any, Any] = super(), self.backbone  # torch has no types for it
        for module in modules:
            module._apply(fn, recurse)
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any
    ) -> None:
        """Leave out what checkpoints of earlier versions hold of the network."""
        own = {key for key in state_dict if key.startswith((f"{prefix}backbone.", f"{prefix}lin"))}
        for key in own:
            del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)

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
