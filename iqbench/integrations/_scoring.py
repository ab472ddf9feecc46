"""Evaluators that are created at the first use, on the device of the images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import torch

from iqbench.engine.kept_features import KeptFeatures
from iqbench.engine.requests import requests_under
from iqbench.evaluator import Evaluator
from iqbench.images.memory import Images
from iqbench.metrics._registry import DEFAULT_METRICS, Request
from iqbench.protocols.presets import resolve_protocol

__all__ = ["Scoring"]


class Scoring:
    """What an evaluator is made of besides the device, and the evaluator once it is needed.

    Copies and pickles hold the options alone: no network is copied.

    Parameters
    ----------
    metrics, protocol, precision, memory, weights, bits, gray_output, reference_set, features
        As of `Evaluator`.

    Attributes
    ----------
    options
        The same by name.
    token
        Tells states of this object and its copies from those of any other.
    requests
        The columns.

    Raises
    ------
    IqbenchError
        If a metric or the protocol is unknown. Networks are not loaded yet.
    """

    def __init__(
        self,
        *,
        metrics: str | Sequence[str],
        protocol: str,
        precision: str,
        memory: int | None,
        weights: str | os.PathLike[str] | None,
        bits: int | None,
        gray_output: str,
        reference_set: Images | None,
        features: KeptFeatures,
    ) -> None:
        self.options: dict[str, Any] = {
            "metrics": [metrics] if isinstance(metrics, str) else list(metrics),
            "protocol": protocol,
            "precision": precision,
            "memory": memory,
            "weights": None if weights is None else os.fspath(weights),
            "bits": bits,
            "gray_output": gray_output,
            "reference_set": reference_set,
            "features": features,
        }
        self.token = uuid4().hex
        chosen = resolve_protocol(protocol)
        wanted = self.options["metrics"] or chosen.metrics or DEFAULT_METRICS
        self.requests: tuple[Request, ...] = requests_under(chosen, wanted)
        self._made: Evaluator | None = None
        self._device = ""

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_made": None, "_device": ""}

    def on(self, device: torch.device) -> Evaluator:
        """Return the evaluator on a device, without images; on the CPU if it is no CUDA device."""
        place = str(device) if device.type == "cuda" else "cpu"
        if self._made is None or self._device != place:
            self._made = Evaluator(**self.options, device=place)
            self._device = place
        self._made.reset()
        return self._made
