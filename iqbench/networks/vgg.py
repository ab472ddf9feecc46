"""VGG (Simonyan and Zisserman 2015, arXiv:1409.1556), with and without batch normalisation.

Layers: ``conv1_1`` before activation, ``bn1_1`` after batch normalisation, ``relu1_1`` after
activation, ``pool1`` after the block's max pooling.
"""

from __future__ import annotations

from iqbench.networks.backbone import Backbone
from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer
from iqbench.networks.layers import BatchNorm, Chain, MaxPool, Relu

__all__ = ["NAMES", "build"]

CONVOLUTIONS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)

NAMES = tuple(CONVOLUTIONS) + tuple(f"{name}_bn" for name in CONVOLUTIONS)


def build(name: str) -> Backbone:
    """Build the convolutional part of a VGG by its torchvision name."""
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
    return Backbone(name, {"features": features}, nodes)
