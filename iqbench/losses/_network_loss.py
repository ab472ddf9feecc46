"""The base class of losses that use a metric."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from iqbench.losses._reduction import Reduction, check_reduction, reduce
from iqbench.metrics._base import PIXELS, Column, Metric
from iqbench.metrics._images import accept_pair
from iqbench.metrics._tensors import check_backbone, score_as_they_are
from iqbench.networks.backbone import Backbone
from iqbench.networks.registry import architecture, shared

__all__ = ["NetworkLoss"]

_LOOK_EVERY = 100
"""On a GPU, the range of values is checked only every 100 calls, because it needs to wait."""


class NetworkLoss(nn.Module):
    """A column of a metric as a loss between output and target.

    All evaluators, functions and losses of the process share a pretrained network on the same
    device in the same type. If the module moves to another device, it uses the network there. A
    given network moves with the module. The network is not part of the module's state, so that
    checkpoints of a model with this loss do not contain it.

    Parameters
    ----------
    metric
        A metric that reads pixels, layers of one network, or both.
    column
        One of its columns.
    reduction
        The reduction over the batch: ``mean``, ``sum`` or ``none``.
    backbone
        The network with its weights; by default the pretrained one, if the column reads one.

    Raises
    ------
    IqbenchError
        If the reduction is unknown, the backbone is another kind of module, or weights are missing
        and cannot be fetched.
    """

    def __init__(
        self,
        metric: Metric,
        column: Column,
        reduction: Reduction,
        backbone: Backbone | None = None,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        self.metric = metric
        self.column = column
        self.reduction = reduction
        self._given = backbone is not None
        if backbone is not None:
            check_backbone(backbone)
        else:
            names = {tap.network for tap in column.taps} - {PIXELS}
            trained = [name for name in names if architecture(name).trained]
            if trained:
                backbone = shared(trained[0], torch.device("cpu"), torch.float32)
        # Not a submodule, so that its weights are not parameters and not in checkpoints.
        self.__dict__["backbone"] = backbone
        found = metric.parameters(None)
        for name, weight in (found.tensors if found else {}).items():
            self.register_buffer(name, weight.clone(), persistent=False)
        self._calls = 0

    backbone: Backbone | None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> NetworkLoss:
        """Move a given network with the module; else use the shared one of the new device."""
        modules: tuple[Any, Any] = super(), self.backbone  # torch has no types for it
        modules[0]._apply(fn, recurse)
        if self.backbone is None:
            return self
        if self._given:
            modules[1]._apply(fn, recurse)
            return self
        weight = next(self.backbone.parameters())
        moved = fn(torch.zeros(1, dtype=weight.dtype, device=weight.device))
        self.__dict__["backbone"] = shared(self.backbone.name, moved.device, moved.dtype)
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> NetworkLoss:
        """Copy the module; the copy uses the same shared network, or a copy of a given one."""
        if self.backbone is not None and not self._given:
            memo[id(self.backbone)] = self.backbone
        copied = memo[id(self)] = type(self).__new__(type(self))
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any
    ) -> None:
        """Ignore entries of the network in checkpoints of earlier versions."""
        own = {key for key in state_dict if key.startswith((f"{prefix}backbone.", f"{prefix}lin"))}
        for key in own:
            del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss of an output against a target.

        Parameters
        ----------
        output, target
            (N, C, H, W) of one shape, in [0, 1], or uint8 or uint16. Half precision is converted to
            float32. The output may exceed [0, 1] during training.

        Returns
        -------
        Tensor
            A scalar, or (N,) with ``reduction="none"``; at least float32.

        Raises
        ------
        IqbenchError
            If they are not a pair of images, their values are not in [0, 1], they are too small
            for a layer, or on another device than the network.
        """
        target, output = accept_pair(target, output, trained=True, look=self._looks(output))
        values = score_as_they_are(
            self.metric,
            self.column.name,
            target,
            output,
            backbone=self.backbone,
            parameters=dict(self.named_buffers(recurse=False)),
        )
        losses = self.loss_of(values)
        if not self.column.undefined:
            return reduce(losses, self.reduction)
        undefined = values.detach().isnan() & _are_finite(output) & _are_finite(target)
        return reduce(losses, self.reduction, left_out=undefined)

    def loss_of(self, values: Tensor) -> Tensor:
        """Convert values of the column to the loss."""
        return values

    def _looks(self, output: Tensor) -> bool:
        """Return whether to check the range of the values in this call."""
        if torch.compiler.is_compiling():
            return False
        if not isinstance(output, Tensor) or output.device.type == "cpu":
            return True
        self._calls += 1
        return self._calls % _LOOK_EVERY == 1


def _are_finite(images: Tensor) -> Tensor:
    """Return, for each image, whether all its values are finite."""
    return images.detach().flatten(1).isfinite().all(1)
