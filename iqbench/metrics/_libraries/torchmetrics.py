"""torchmetrics: the classes of ``torchmetrics.image``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, get_args, get_type_hints

import torch
from torch import Tensor, nn

from iqbench.classes import is_class
from iqbench.metrics._base import Needs
from iqbench.metrics._library import Call, Library, Offer, option_fields

__all__ = ["TorchMetrics"]

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_GRAY = "peak_signal_noise_ratio_with_blocked_effect"
"""A metric that accepts only one channel, while images here have three; use ``psnr-b``."""

_DIRECTIONS = {True: "higher", False: "lower", None: "none"}


class TorchMetrics(Library):
    """The adapter of torchmetrics. Metrics have the class names in snake case.

    For example ``universal_image_quality_index``; the name of the class and that of its file,
    ``uqi``, mean the same. Each image is its own batch, because torchmetrics returns one value per
    batch.
    """

    name: ClassVar[str] = "torchmetrics"
    package: ClassVar[str] = "torchmetrics"
    distribution: ClassVar[str] = "torchmetrics"
    home: ClassVar[str] = "https://lightning.ai/docs/torchmetrics"

    def names(self) -> Iterable[str]:
        """Return the names of the classes that take tensors of images."""
        return self._found().keys()

    def canonical(self, name: str) -> str:
        """Accept the name of a class or of its file."""
        for known, item in self._found().items():
            file = item.__module__.rpartition(".")[2]
            if name == item.__name__ or (name == file and known == self._first_of(file)):
                return known
        return name

    def _first_of(self, file: str) -> str:
        """Return the basic metric of a file: the one with the shortest name."""
        of_file = [
            name for name, item in self._found().items() if item.__module__.endswith(f".{file}")
        ]
        return min(of_file, key=len)

    def offer(self, name: str) -> Offer:
        """Describe a metric from the attributes of its class and the parameters of ``update``."""
        item = self._found()[name]
        images = _images(item)
        direction = _DIRECTIONS[item.higher_is_better]
        if images is None:
            return Offer(name, direction, "reference and output", scope="set")
        needs: Needs = "reference and output" if len(images) == 2 else "output"
        signature = inspect.signature(item)
        fixed = ["reduction", *_fixed(signature)]
        return Offer(name, direction, needs, options=option_fields(signature, fixed))

    def load(self, name: str, options: Mapping[str, Any]) -> tuple[Call, nn.Module | None]:
        """Create the metric for values in [0, 1]."""
        item = self._found()[name]
        given = {**_fixed(inspect.signature(item)), **options}
        made = item(**given)
        # Recreate a metric without a network for each image: some keep maps after a reset.
        kept = made if made.state_dict() else None

        def call(output: Tensor, reference: Tensor | None) -> Tensor:
            metric = kept or item(**given).to(output.device)
            found = metric(output) if reference is None else metric(output, reference)
            metric.reset()
            return torch.as_tensor(found, dtype=torch.float64, device=output.device)

        return call, kept

    def _found(self) -> dict[str, Any]:
        self.imported()
        return _public(import_module("torchmetrics.image"))


@cache
def _public(module: ModuleType) -> dict[str, Any]:
    """Return the classes, by the names of their functions."""
    base = import_module("torchmetrics").Metric
    found = {}
    for name in module.__all__:
        item = getattr(module, name)
        if is_class(item) and issubclass(item, base) and _images(item) != []:
            found[_CAPITAL.sub("_", name).lower()] = item
    found.pop(_GRAY, None)
    return dict(sorted(found.items()))


def _images(item: Any) -> list[str] | None:
    """Return the names of image tensors in ``update``; empty for others, None for sets."""
    hints = get_type_hints(item.update)
    taken = [name for name in inspect.signature(item.update).parameters if name != "self"]
    if "real" in taken:
        return None
    return taken if all(hints.get(name) is Tensor for name in taken) and len(taken) <= 2 else []


def _fixed(signature: inspect.Signature) -> dict[str, Any]:
    """Return the arguments that tell a class that values are in [0, 1]; their names differ."""
    fixed: dict[str, Any] = {}
    if "data_range" in signature.parameters:
        fixed["data_range"] = 1.0
    normalise = signature.parameters.get("normalize")
    if normalise is not None and (normalise.annotation is bool or bool in get_args(normalise)):
        fixed["normalize"] = True
    return fixed
