"""Inception equals torchvision's blocks in the order of FID's network, with random weights."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.models import inception_v3

from iqbench.networks.inception import Inception
from iqbench.networks.weights.catalogue import expected_shapes, inception_convolutions

STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
BRANCHES = {
    "A": ("1x1", "5x5_1", "5x5_2", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3", "_pool"),
    "B": ("3x3", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3"),
    "C": ("1x1", "7x7_1", "7x7_2", "7x7_3", *(f"7x7dbl_{n}" for n in range(1, 6)), "_pool"),
    "D": ("3x3_1", "3x3_2", *(f"7x7x3_{n}" for n in range(1, 5))),
    "E": (
        *("1x1", "3x3_1", "3x3_2a", "3x3_2b"),
        *("3x3dbl_1", "3x3dbl_2", "3x3dbl_3a", "3x3dbl_3b"),
        "_pool",
    ),
}
BLOCKS = {
    **{f"Mixed_5{letter}": "A" for letter in "bcd"},
    "Mixed_6a": "B",
    **{f"Mixed_6{letter}": "C" for letter in "bcde"},
    "Mixed_7a": "D",
    "Mixed_7b": "E",
    "Mixed_7c": "E",
}


def modules_in_order(network):
    for name in STEM:
        yield getattr(network, name)
    for block, kind in BLOCKS.items():
        for branch in BRANCHES[kind]:
            yield getattr(getattr(network, block), f"branch{branch}")


def mean_pool(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def largest_pool(x):
    return F.max_pool2d(x, 3, 1, 1)


def branches_of(block, kind, x, pool):
    """A block's branches, joined; FID's network differs from torchvision's in the pooling."""

    def chain(y, *names):
        for name in names:
            y = getattr(block, f"branch{name}")(y)
        return y

    if kind == "A":
        deeper = chain(x, "3x3dbl_1", "3x3dbl_2", "3x3dbl_3")
        parts = [chain(x, "1x1"), chain(x, "5x5_1", "5x5_2"), deeper]
    elif kind == "C":
        deeper = chain(x, *(f"7x7dbl_{n}" for n in range(1, 6)))
        parts = [chain(x, "1x1"), chain(x, "7x7_1", "7x7_2", "7x7_3"), deeper]
    else:
        tower, deeper = chain(x, "3x3_1"), chain(x, "3x3dbl_1", "3x3dbl_2")
        parts = [
            chain(x, "1x1"),
            chain(tower, "3x3_2a"),
            chain(tower, "3x3_2b"),
            chain(deeper, "3x3dbl_3a"),
            chain(deeper, "3x3dbl_3b"),
        ]
    return torch.cat([*parts, chain(pool(x), "_pool")], dim=1)


def oracle(network, x):
    first, second, third, fourth, fifth = (getattr(network, name) for name in STEM)
    x = F.max_pool2d(third(second(first(x))), 3, 2)
    x = F.max_pool2d(fifth(fourth(x)), 3, 2)
    for name, kind in BLOCKS.items():
        block = getattr(network, name)
        if kind in "BD":
            x = block(x)
        else:
            x = branches_of(block, kind, x, largest_pool if name == "Mixed_7c" else mean_pool)
    return x.mean((2, 3))


@pytest.fixture(scope="module")
def tensors():
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, shape in expected_shapes("inception").items():
        if name.endswith("weight"):
            scale = (2 / torch.Size(shape[1:]).numel()) ** 0.5
            found[name] = torch.randn(shape, generator=generator) * scale
        elif name.endswith("var"):
            found[name] = torch.rand(shape, generator=generator) + 0.5
        else:
            found[name] = (torch.rand(shape, generator=generator) - 0.5) / 5
    return found


@torch.inference_mode()
def test_features_are_those_of_torchvisions_blocks(tensors):
    network = inception_v3(weights=None, aux_logits=False, init_weights=False).eval()
    names = [name for name, _ in inception_convolutions()]
    for name, module in zip(names, modules_in_order(network), strict=True):
        assert module.conv.weight.shape == tensors[f"{name}.weight"].shape, name
        module.conv.weight.copy_(tensors[f"{name}.weight"])
        module.bn.bias.copy_(tensors[f"{name}.beta"])
        module.bn.running_mean.copy_(tensors[f"{name}.mean"])
        module.bn.running_var.copy_(tensors[f"{name}.var"])
        module.bn.eps = 0.001
    image = torch.rand(1, 3, 299, 299, generator=torch.Generator().manual_seed(1)) * 2 - 1
    found, expected = Inception(tensors)(image), oracle(network, image)
    assert found.shape == (1, 2048)
    error = (found - expected).norm() / expected.norm()
    assert error < 1e-5
