"""Winograd's convolution: an identity in rational numbers, and equal to the plain sum."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.networks import winograd
from iqbench.networks.layers import Convolution
from iqbench.networks.winograd import INPUT, KERNEL, OUTPUT, Winograd, pays


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    """As on a processor without AVX-512, where this way is taken."""
    monkeypatch.setattr(winograd, "_WIDE", False)


def product(rows, vector):
    return [sum(Fraction(a) * b for a, b in zip(row, vector, strict=True)) for row in rows]


@given(
    st.lists(st.fractions(-9, 9, max_denominator=9), min_size=5, max_size=5),
    st.lists(st.fractions(-9, 9, max_denominator=9), min_size=3, max_size=3),
)
@settings(max_examples=30, deadline=None)
def test_the_transforms_filter_exactly(inputs, weights):
    seen, kernel = product(INPUT, inputs), product(KERNEL, weights)
    found = product(OUTPUT, [a * b for a, b in zip(seen, kernel, strict=True)])
    assert found == [sum(inputs[k + j] * weights[j] for j in range(3)) for k in range(3)]


def filters(inputs, outputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
    return weight, torch.randn(outputs, generator=generator)


@given(
    images=st.integers(1, 2),
    height=st.integers(3, 20),
    width=st.integers(3, 20),
    padding=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    channels_last=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_it_equals_the_plain_sum_for_every_size(images, height, width, padding, channels_last):
    weight, bias = filters(5, 7)
    x = torch.rand(images, 5, height, width, generator=torch.Generator().manual_seed(height))
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=padding)
    found = Winograd(weight, bias)(x, padding)
    assert found.shape == exact.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [96, 512])
def test_it_is_nearly_as_exact_as_the_plain_sum(channels):
    weight, bias = filters(channels, 96)
    x = torch.rand(1, channels, 24, 24, generator=torch.Generator().manual_seed(1)).relu()
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)

    def error(found):
        return float((found - exact).abs().max() / exact.abs().max())

    assert error(Winograd(weight, bias)(x, (1, 1))) < 1e-5
    assert error(F.conv2d(x, weight, bias, padding=1)) < 1e-5


def test_chunks_make_no_difference(monkeypatch):
    weight, bias = filters(8, 8)
    x = torch.rand(1, 8, 31, 17, generator=torch.Generator().manual_seed(2))
    whole = Winograd(weight, bias)(x, (1, 1))
    monkeypatch.setattr(winograd, "_BYTES", 1)
    torch.testing.assert_close(Winograd(weight, bias)(x, (1, 1)), whole, rtol=0, atol=2e-6)


class TestWhen:
    weight = torch.zeros(128, 96, 3, 3)
    x = torch.zeros(1, 96, 16, 16)

    @torch.inference_mode()
    def test_it_is_taken_for_many_channels_and_enough_positions(self):
        assert pays(self.x, self.weight)
        assert not pays(self.x[..., :15], self.weight)
        assert not pays(self.x, self.weight[:64])
        assert not pays(self.x, self.weight[..., :1, :1])

    @torch.inference_mode()
    def test_never_for_another_precision_or_device(self):
        assert not pays(self.x.bfloat16(), self.weight.bfloat16())
        assert not pays(self.x.double(), self.weight.double())
        assert not pays(self.x.to("meta"), self.weight.to("meta"))

    @torch.inference_mode()
    def test_never_where_convolutions_have_wider_vectors_than_matrix_products(self, monkeypatch):
        monkeypatch.setattr(winograd, "_WIDE", True)
        assert not pays(self.x, self.weight)

    def test_never_in_training_not_even_for_what_has_no_gradients(self):
        with torch.no_grad():
            assert not pays(self.x, self.weight)
        layer = Convolution(96, 96, 3, padding=1)
        x = torch.rand(1, 96, 16, 16, requires_grad=True)
        layer(x).sum().backward()
        assert x.grad is not None
        assert np.isfinite(x.grad.numpy()).all()


@torch.inference_mode()
def convolved(layer, x):
    assert pays(x, layer.weight)
    return layer(x)


@pytest.mark.parametrize("assign", [True, False])
def test_a_layer_follows_its_weights(assign):
    layer = Convolution(96, 96, 3, padding=1)
    x = torch.rand(1, 96, 16, 16)
    convolved(layer, x)
    weight, bias = filters(96, 96, seed=5)
    layer.load_state_dict({"weight": weight, "bias": bias}, assign=assign)
    expected = F.conv2d(x, weight, bias, padding=1)
    torch.testing.assert_close(convolved(layer, x), expected, rtol=1e-5, atol=1e-5)


def test_weights_that_keep_no_count_of_changes_are_convolved_plainly():
    with torch.inference_mode():
        layer = Convolution(96, 96, 3, padding=1)
        x = torch.rand(1, 96, 16, 16)
        layer(x)
        layer.weight.fill_(0)
        assert torch.equal(layer(x), layer.bias.view(1, -1, 1, 1).expand(1, 96, 16, 16))


@torch.inference_mode()
@pytest.mark.parametrize("rows", [7, 16, 21])
def test_bands_give_what_the_whole_image_gives(rows):
    weight, bias = filters(96, 96)
    with torch.inference_mode(mode=False):
        layer = Convolution(96, 96, 3, padding=1)
        layer.load_state_dict({"weight": weight, "bias": bias})
    x = torch.rand(2, 96, 41, 37, generator=torch.Generator().manual_seed(3))
    assert pays(x[:, :, :rows], weight)
    stream = layer.stream()
    bands = [
        stream.push(x[:, :, start : start + rows], last=start + rows >= 41)
        for start in range(0, 41, rows)
    ]
    found = torch.cat([band for band in bands if band is not None], dim=2)
    torch.testing.assert_close(found, layer(x), rtol=0, atol=1e-5)
