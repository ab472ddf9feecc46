"""The networks and trained parameters that the metrics of a run need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from iqbench.engine.compute import Compute
from iqbench.metrics._base import PIXELS, Metric
from iqbench.metrics._registry import Request, blamed_on
from iqbench.metrics._sets import Extractor, SetMetric
from iqbench.networks import weights
from iqbench.networks.backbone import Backbone
from iqbench.networks.registry import architecture, shared
from iqbench.networks.weights import Weights

__all__ = ["ExtractorWeights", "Resources", "load_resources", "networks_of"]


ExtractorWeights: TypeAlias = "Mapping[Extractor, Weights | None]"
"""What metrics of sets turn images into features with, and the weights of each."""


@dataclass(frozen=True)
class Resources:
    """Networks and parameters, loaded, and the digests that signatures record.

    Attributes
    ----------
    backbones
        By name of the network, on the device, kernels channels last.
    parameters
        By metric, name to tensor.
    digests
        By name of the network, and by metric: content digests of the weights; of a metric of sets
        with the name of the extractor's network before it, and a colon.
    extractors
        What metrics of sets turn images into features with, and the weights of each; None where
        there are none.
    """

    backbones: dict[str, Backbone]
    parameters: dict[Metric, dict[str, Tensor]]
    digests: dict[str | Metric, str]
    extractors: ExtractorWeights = field(default_factory=dict)


def networks_of(requests: Iterable[Request]) -> dict[str, set[str]]:
    """Unite the declarations: every network that is read, and which of its layers."""
    wanted: dict[str, set[str]] = {}
    for request in requests:
        for tap in request.column.taps:
            if tap.network != PIXELS:
                wanted.setdefault(tap.network, set()).add(tap.layer)
    return wanted


def load_resources(
    requests: Iterable[Request], compute: Compute, *, folder: Path | None = None
) -> Resources:
    """Load what some metrics need, before anything is computed.

    Parameters
    ----------
    requests
        The columns to compute.
    compute
        Device and precision.
    folder
        Where weights are looked for first.

    Returns
    -------
    Resources
        Complete.

    Raises
    ------
    IqbenchError
        If weights are missing and cannot be fetched: all of them are named.
    """
    requests = tuple(requests)
    wanted = networks_of(requests)
    for network, layers in wanted.items():
        architecture(network).check(layers)
    trained = [network for network in wanted if architecture(network).trained]
    with torch.inference_mode(False):  # losses may share the networks
        loaded = weights.load_all(trained, folder=folder)
    digests: dict[str | Metric, str] = {name: found.digest for name, found in loaded.items()}
    backbones = {
        network: shared(network, compute.device, compute.dtype, loaded.get(network))
        for network in wanted
    }
    parameters: dict[Metric, dict[str, Tensor]] = {}
    for metric in {request.metric: None for request in requests}:
        with blamed_on(metric):
            found = metric.parameters(folder)
        tensors = found.tensors if found else {}
        parameters[metric] = {name: value.to(compute.device) for name, value in tensors.items()}
        if found:
            digests[metric] = found.digest
    extractors: dict[Extractor, Weights | None] = {}
    for one in parameters:
        if isinstance(one, SetMetric):
            with blamed_on(one):
                extractor = one.extractor
                if extractor not in extractors:
                    extractors[extractor] = extractor.weights(folder)
            if own := extractors[extractor]:
                digests[one] = f"{own.network}:{own.digest}"
    return Resources(backbones, parameters, digests, extractors)
