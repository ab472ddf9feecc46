"""pyiqa (IQA-PyTorch), through ``create_metric`` and ``list_models``.

Its licences forbid commercial use of most of it. So it is not a dependency, and no code here comes
from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from iqbench.metrics._base import Needs, Scope
from iqbench.metrics._library import Call, Library, Offer

__all__ = ["Pyiqa"]

_SETS = re.compile(r"fid.*|inception_score")
"""The metrics that pyiqa computes on folders."""


class Pyiqa(Library):
    """The adapter of pyiqa. Metrics have the names in ``pyiqa.list_models()``.

    Some metrics crop images at random, so each image is scored alone and with the same seed.
    """

    name: ClassVar[str] = "pyiqa"
    package: ClassVar[str] = "pyiqa"
    distribution: ClassVar[str] = "pyiqa"
    home: ClassVar[str] = "https://iqa-pytorch.readthedocs.io"
    draws: ClassVar[bool] = True

    def names(self) -> Iterable[str]:
        """Return the names of all models."""
        return list(self.imported().list_models())

    def offer(self, name: str) -> Offer:
        """Describe a metric from pyiqa's own declaration."""
        compares = name in self.imported().list_models(metric_mode="FR")
        needs: Needs = "reference and output" if compares else "output"
        try:
            said = import_module("pyiqa.default_model_configs").DEFAULT_CONFIGS[name]
            direction = "lower" if said.get("lower_better", False) else "higher"
        except (ImportError, AttributeError, KeyError):
            direction = "none"
        scope: Scope = "set" if _SETS.fullmatch(name) else "image"
        return Offer(name, direction, needs, scope, options=None)

    def load(self, name: str, options: Mapping[str, Any]) -> tuple[Call, nn.Module | None]:
        """Create the metric; pyiqa checks its options."""
        metric = self.imported().create_metric(name, device=torch.device("cpu"), **options)

        def call(output: Tensor, reference: Tensor | None) -> Any:
            found = metric(output) if reference is None else metric(output, reference)
            return found[0] if isinstance(found, tuple) else found

        return call, metric
