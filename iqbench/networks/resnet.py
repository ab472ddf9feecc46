"""ResNet (He et al. 2016, doi:10.1109/CVPR.2016.90), with stride in the 3x3 as in torchvision.

Layers: ``conv1`` before and ``bn1`` after batch normalisation, ``relu1``, ``pool1``, every block
as ``layer1.0``, ``layer1.1``, ..., and the last block of a stage as ``layer1``, ``layer2``, ...
"""

from __future__ import annotations

from iqbench.networks.backbone import Backbone
from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer
from iqbench.networks.layers import BatchNorm, Chain, MaxPool, Relu, Residual

__all__ = ["NAMES", "build"]

BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
}
EXPANSION = {"resnet18": 1, "resnet34": 1, "resnet50": 4, "resnet101": 4}

NAMES = tuple(BLOCKS)


def build(name: str) -> Backbone:
    """Build a ResNet without its classifier, given its torchvision name."""
    conv1, bn1 = Convolution(3, 64, 7, stride=2, padding=3, bias=False), BatchNorm(64)
    nodes: list[tuple[str, Layer]] = [
        ("conv1", conv1),
        ("bn1", bn1),
        ("relu1", Relu()),
        ("pool1", MaxPool(3, 2, padding=1)),
    ]
    parts: dict[str, Layer] = {"conv1": conv1, "bn1": bn1}
    channels = 64
    for stage, count in enumerate(BLOCKS[name], start=1):
        blocks: list[tuple[str, Layer]] = []
        for number in range(count):
            stride = 2 if stage > 1 and number == 0 else 1
            width = 64 << (stage - 1)
            blocks.append((str(number), _block(channels, width, stride, EXPANSION[name])))
            channels = width * EXPANSION[name]
        parts[f"layer{stage}"] = Chain(blocks)
        nodes += [(f"layer{stage}.{number}", block) for number, block in blocks[:-1]]
        nodes.append((f"layer{stage}", blocks[-1][1]))
    return Backbone(name, parts, nodes)


def _block(channels: int, width: int, stride: int, expansion: int) -> Residual:
    """Build a basic block (expansion 1) or a bottleneck."""

    def convolution(before: int, after: int, kernel: int, step: int = 1) -> Convolution:
        return Convolution(before, after, kernel, stride=step, padding=kernel // 2, bias=False)

    after = width * expansion
    if expansion == 1:
        steps = [convolution(channels, width, 3, stride), convolution(width, after, 3)]
    else:
        steps = [
            convolution(channels, width, 1),
            convolution(width, width, 3, stride),
            convolution(width, after, 1),
        ]
    main: list[tuple[str, Layer]] = []
    for number, step in enumerate(steps, start=1):
        main += [(f"conv{number}", step), (f"bn{number}", BatchNorm(step.out_channels))]
        if number < len(steps):
            main.append((f"relu{number}", Relu()))
    shortcut: list[tuple[str, Layer]] = []
    if stride > 1 or channels != after:
        shortcut = [("0", convolution(channels, after, 1, stride)), ("1", BatchNorm(after))]
    return Residual(main, shortcut)
