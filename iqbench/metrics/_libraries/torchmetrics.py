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

from iqbench.metrics._base import Needs
from iqbench.metrics._library import Call, Library, Offer, option_fields

__all__ = ["TorchMetrics"]

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_GRAY = "peak_signal_noise_ratio_with_blocked_effect"
"""Takes one channel only, and images here have three; ``psnr-b`` is the same metric."""

_DIRECTIONS = {True: "higher", False: "lower", None: "none"}


class TorchMetrics(Library):
    """Metrics are named as the classes, in snake case: ``universal_image_quality_index``.

    The name of the class itself means the same, and that of its file, ``uqi``. Every image is a
    batch of its own, because torchmetrics gives one value per batch.
    """

    name: ClassVar[str] = "torchmetrics"
    package: ClassVar[str] = "torchmetrics"
    distribution: ClassVar[str] = "torchmetrics"
    home: ClassVar[str] = "https://lightning.ai/docs/torchmetrics"

    def names(self) -> Iterable[str]:
        """Name the classes that take tensors of images."""
        return self._found().keys()

    def canonical(self, name: str) -> str:
        """Accept the name of a class or of its file."""
        for known, item in self._found().items():
            file = item.__module__.rpartition(".")[2]
            if name == item.__name__ or (name == file and known == self._first_of(file)):
                return known
        return name

    def _first_of(self, file: str) -> str:
        """Return the plainest metric of a file: the one with the shortest name."""
        of_file = [
            name for name, item in self._found().items() if item.__module__.endswith(f".{file}")
        ]
        return min(of_file, key=len)

    def offer(self, name: str) -> Offer:
        """Read the direction off the class, and its needs off what it is updated with."""
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
        """Make the class for values in [0, 1]."""
        item = self._found()[name]
        given = {**_fixed(inspect.signature(item)), **options}
        made = item(**given)
        # One without a network is made again for each image: some keep maps beyond a reset.
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
    """Find the classes, by the names of their functions."""
    base = import_module("torchmetrics").Metric
    found = {}
    for name in module.__all__:
        item = getattr(module, name)
        if inspect.isclass(item) and issubclass(item, base) and _images(item) != []:
            found[_CAPITAL.sub("_", name).lower()] = item
    found.pop(_GRAY, None)
    return dict(sorted(found.items()))


def _images(item: Any) -> list[str] | None:
    """Name the tensors that one update takes; none if it takes others, None if it takes sets."""
    hints = get_type_hints(item.update)
    taken = [name for name in inspect.signature(item.update).parameters if name != "self"]
    if "real" in taken:
        return None
    return taken if all(hints.get(name) is Tensor for name in taken) and len(taken) <= 2 else []


def _fixed(signature: inspect.Signature) -> dict[str, Any]:
    """Say to a class that values are in [0, 1]: some ask for the range, some whether it is so."""
    fixed: dict[str, Any] = {}
    if "data_range" in signature.parameters:
        fixed["data_range"] = 1.0
    normalise = signature.parameters.get("normalize")
    if normalise is not None and (normalise.annotation is bool or bool in get_args(normalise)):
        fixed["normalize"] = True
    return fixed
