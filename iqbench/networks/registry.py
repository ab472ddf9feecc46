"""Networks by name, with their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from iqbench.errors import unknown_name
from iqbench.networks import (
    alexnet,
    blocks,
    gradient,
    haar,
    laplacian,
    pyramid,
    resnet,
    squeezenet,
    vgg,
    vif,
    xyb,
)
from iqbench.networks.backbone import Backbone
from iqbench.networks.weights import Weights, load

__all__ = [
    "NETWORKS",
    "architecture",
    "assemble",
    "load_backbone",
    "place_backbone",
    "pretrained",
    "shared",
]

NETWORKS: dict[str, Callable[[str], Backbone]] = {
    name: family.build
    for family in (
        vgg,
        resnet,
        alexnet,
        squeezenet,
        pyramid,
        gradient,
        vif,
        haar,
        xyb,
        blocks,
        laplacian,
    )
    for name in family.NAMES
}


_SHARED: WeakValueDictionary[tuple[str, str, torch.device, torch.dtype], Backbone] = (
    WeakValueDictionary()
)
"""The networks that are in use in this process, by name, digest, device and type."""


@cache
def architecture(name: str) -> Backbone:
    """Return a network without weights, for the names and sizes of its layers.

    Raises
    ------
    IqbenchError
        If there is no network of that name.
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    with torch.device("meta"):
        return NETWORKS[name](name)


def assemble(name: str, tensors: Mapping[str, Tensor]) -> Backbone:
    """Build a network from its weights, without random initialisation and without copies.

    Parameters
    ----------
    name
        The name of the network.
    tensors
        All parameters and running statistics by torchvision's names.

    Returns
    -------
    Backbone
        In evaluation mode; its parameters have no gradients.
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    with torch.device("meta"):
        backbone = NETWORKS[name](name)
    state = dict(tensors)
    for key in backbone.state_dict():
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.zeros((), dtype=torch.long, device="cpu"))
    backbone.load_state_dict(state, assign=True)
    return backbone.requires_grad_(False).eval()


def pretrained(name: str) -> Backbone:
    """Build a network with its pretrained weights.

    Parameters
    ----------
    name

    Returns
    -------
    Backbone
        On the CPU, float32.

    Raises
    ------
    IqbenchError
        If there is no such network, or its weights are missing and cannot be fetched.
    """
    return assemble(name, load(name).tensors if architecture(name).trained else {})


def shared(
    name: str, device: torch.device, dtype: torch.dtype, weights: Weights | None = None
) -> Backbone:
    """Return a network on a device. All concurrent users share one object.

    Do not move or change the object, as this would affect all users; call this for another device.

    Parameters
    ----------
    name, device, dtype
        The network, its device and its type.
    weights
        Its weights, if they are already loaded (outside of inference mode); by default the
        pretrained ones. Other weights give another object.

    Raises
    ------
    IqbenchError
        If there is no such network, or its weights are missing and cannot be fetched.
    """
    with torch.inference_mode(False):  # calls with gradients use the network too
        if weights is None and architecture(name).trained:
            weights = load(name)
        place = torch.empty(
            0, dtype=dtype, device=device
        ).device  # cuda means the current device, such as cuda:0
        key = name, weights.digest if weights else "", place, dtype
        network = _SHARED.get(key)
        if network is None:
            made = assemble(name, weights.tensors if weights else {})
            _SHARED[key] = network = place_backbone(made, place, dtype)
        return network


@lru_cache(maxsize=4)
def load_backbone(name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    """Return a pretrained network on a device, cached for later calls; see `shared`."""
    return shared(name, device, dtype)


def place_backbone(backbone: Backbone, device: torch.device, dtype: torch.dtype) -> Backbone:
    """Move a network to a device and type, with channels-last kernels, as images are."""
    return backbone.to(device=device, dtype=dtype).to(memory_format=torch.channels_last)
