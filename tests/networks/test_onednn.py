"""A convolution fused with ReLU equals the two operations."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from iqbench.networks import onednn
from iqbench.networks.convolution import Convolution


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "stride", "padding"),
    [(3, 64, 3, 1, 1), (3, 64, 11, 4, 2), (64, 32, 1, 1, 0), (16, 24, 5, 2, 2)],
)
def test_one_step_equals_two(dtype, inputs, outputs, kernel, stride, padding):
    generator = torch.Generator().manual_seed(kernel)
    x, weight, bias = (
        torch.randn(shape, generator=generator).to(dtype)
        for shape in ((2, inputs, 40, 33), (outputs, inputs, kernel, kernel), (outputs,))
    )
    if not onednn.rectifies(x, weight):
        pytest.skip("this torch or this processor lacks parts of oneDNN")
    x = x.contiguous(memory_format=torch.channels_last)
    options = (stride, stride), (padding, padding)
    for offset in (bias, None):
        two_steps = F.conv2d(x, weight, offset, *options)
        assert (two_steps < 0).any()
        assert torch.equal(
            onednn.convolve_and_rectify(x, weight, offset, *options), two_steps.relu()
        )


def test_mixed_and_other_types_are_left_to_torch():
    x, weight = torch.zeros(1, 3, 4, 4), torch.zeros(4, 3, 3, 3)
    assert not onednn.rectifies(x.double(), weight.double())
    assert not onednn.rectifies(x, weight.bfloat16())


@torch.inference_mode()
def test_a_layer_gives_the_same_without_onednn(monkeypatch):
    with torch.inference_mode(mode=False):
        layer = Convolution(3, 8, 3, padding=1)
    x = torch.rand(1, 3, 17, 19, generator=torch.Generator().manual_seed(1))
    x = x.contiguous(memory_format=torch.channels_last)
    found = layer.stream(rectify=True).push(x, last=True)
    monkeypatch.setattr(onednn, "AVAILABLE", False)
    without = layer.stream(rectify=True).push(x, last=True)
    torch.testing.assert_close(found, without, rtol=0, atol=1e-6)
