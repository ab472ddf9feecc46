"""VGG (Simonyan and Zisserman 2015, arXiv:1409.1556), with and without batch normalisation.

Layers: ``conv1_1`` before activation, ``bn1_1`` after batch normalisation, ``relu1_1`` after
activation, ``pool1`` after the block's max pooling. VGG16 has two more branches. The one after
``relu1_2`` has blurred L2 pooling instead of max pooling, for DISTS: ``l2pool/relu2_2`` and so on.
The one before the first layer takes pixels that are not normalised, and shrinks the image first:
``short256/image``, ``short256/relu1_2``, ``short256/l2pool/relu2_2`` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence

from iqbench.networks.backbone import Backbone, ImagenetNormalisation
from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer, NetworkLayer
from iqbench.networks.layers import BatchNorm, Chain, L2Pool, MaxPool, Relu
from iqbench.networks.shrink import ShrinkShortSide

__all__ = ["NAMES", "SHRUNK", "build"]

SHRUNK = "short256/"
"""Prefix of the names of the layers that get the shrunk image."""

CONVOLUTIONS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)

NAMES = tuple(CONVOLUTIONS) + tuple(f"{name}_bn" for name in CONVOLUTIONS)


def build(name: str) -> Backbone:
    """Build the convolutional part of a VGG, given its torchvision name."""
    nodes: list[tuple[str, Layer]] = []
    channels = 3
    for block, count in enumerate(CONVOLUTIONS[name.removesuffix("_bn")], start=1):
        wide = CHANNELS[block - 1]
        for number in range(1, count + 1):
            place = f"{block}_{number}"
            nodes.append((f"conv{place}", Convolution(channels, wide, 3, padding=1)))
            if name.endswith("_bn"):
                nodes.append((f"bn{place}", BatchNorm(wide)))
            nodes.append((f"relu{place}", Relu()))
            channels = wide
        nodes.append((f"pool{block}", MaxPool(2, 2)))
    features = Chain([(str(index), layer) for index, (_, layer) in enumerate(nodes)])
    branches: dict[str, list[tuple[str, NetworkLayer]]] = {}
    if name == "vgg16":
        pooled = _with_l2_pooling(nodes)
        branches = {"relu1_2": pooled, "": _shrunk([*nodes[: len(nodes) - len(pooled)], *pooled])}
    return Backbone(name, {"features": features}, nodes, branches)


def _with_l2_pooling(nodes: Sequence[tuple[str, Layer]]) -> list[tuple[str, NetworkLayer]]:
    """Repeat the layers after the first block, which share its convolutions."""
    first = [layer for layer, _ in nodes].index("pool1")
    return [
        (f"l2pool/{name}", L2Pool() if isinstance(layer, MaxPool) else layer)
        for name, layer in nodes[first:]
    ]


def _shrunk(nodes: Sequence[tuple[str, NetworkLayer]]) -> list[tuple[str, NetworkLayer]]:
    """Repeat the layers after one that shrinks the image to a short side of 256 pixels."""
    before: list[tuple[str, NetworkLayer]] = [
        ("image", ShrinkShortSide(256)),
        ("normalised", ImagenetNormalisation()),
    ]
    return [(f"{SHRUNK}{name}", layer) for name, layer in (*before, *nodes)]
