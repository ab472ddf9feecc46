"""AlexNet as in torchvision (Krizhevsky 2014, arXiv:1404.5997).

Layers: ``conv1`` before activation, ``relu1`` after it, ``pool1`` after max pooling.
"""

from __future__ import annotations

from iqbench.networks.backbone import Backbone
from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer
from iqbench.networks.layers import Chain, MaxPool, Relu

__all__ = ["NAMES", "build"]

NAMES = ("alexnet",)


def build(name: str) -> Backbone:
    """Build the convolutional part of AlexNet."""
    nodes: list[tuple[str, Layer]] = [
        ("conv1", Convolution(3, 64, 11, stride=4, padding=2)),
        ("relu1", Relu()),
        ("pool1", MaxPool(3, 2)),
        ("conv2", Convolution(64, 192, 5, padding=2)),
        ("relu2", Relu()),
        ("pool2", MaxPool(3, 2)),
        ("conv3", Convolution(192, 384, 3, padding=1)),
        ("relu3", Relu()),
        ("conv4", Convolution(384, 256, 3, padding=1)),
        ("relu4", Relu()),
        ("conv5", Convolution(256, 256, 3, padding=1)),
        ("relu5", Relu()),
        ("pool5", MaxPool(3, 2)),
    ]
    features = Chain([(str(index), layer) for index, (_, layer) in enumerate(nodes)])
    return Backbone(name, {"features": features}, nodes)
