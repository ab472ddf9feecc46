"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv:1602.07360).

Layers: ``conv1`` before activation, ``relu1`` after it, ``pool1``, ``pool3``, ``pool5`` (numbered
by the module before them), and the fire modules ``fire2`` ... ``fire9`` of the paper.
"""

from __future__ import annotations

from iqbench.networks.backbone import Backbone
from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer
from iqbench.networks.layers import Chain, Fire, MaxPool, Relu

__all__ = ["NAMES", "build"]

NAMES = ("squeezenet1_1",)


def build(name: str) -> Backbone:
    """Build the convolutional part of SqueezeNet 1.1."""
    nodes: list[tuple[str, Layer]] = [
        ("conv1", Convolution(3, 64, 3, stride=2)),
        ("relu1", Relu()),
        ("pool1", MaxPool(3, 2, ceil_mode=True)),
        ("fire2", Fire(64, 16, 64)),
        ("fire3", Fire(128, 16, 64)),
        ("pool3", MaxPool(3, 2, ceil_mode=True)),
        ("fire4", Fire(128, 32, 128)),
        ("fire5", Fire(256, 32, 128)),
        ("pool5", MaxPool(3, 2, ceil_mode=True)),
        ("fire6", Fire(256, 48, 192)),
        ("fire7", Fire(384, 48, 192)),
        ("fire8", Fire(384, 64, 256)),
        ("fire9", Fire(512, 64, 256)),
    ]
    features = Chain([(str(index), layer) for index, (_, layer) in enumerate(nodes)])
    return Backbone(name, {"features": features}, nodes)
