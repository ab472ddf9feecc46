"""Winograd's convolution by matrix products: exact in rationals, equal to the direct sum."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.networks.stream import Stretch
from iqbench.networks.winograd import products
from iqbench.networks.winograd.products import INPUT, KERNEL, OUTPUT, Products


def product(rows, vector):
    return [sum(Fraction(a) * b for a, b in zip(row, vector, strict=True)) for row in rows]


@given(
    st.lists(st.fractions(-9, 9, max_denominator=9), min_size=5, max_size=5),
    st.lists(st.fractions(-9, 9, max_denominator=9), min_size=3, max_size=3),
)
@settings(max_examples=30)
def test_the_transforms_filter_exactly(inputs, weights):
    seen, kernel = product(INPUT, inputs), product(KERNEL, weights)
    found = product(OUTPUT, [a * b for a, b in zip(seen, kernel, strict=True)])
    assert found == [sum(inputs[k + j] * weights[j] for j in range(3)) for k in range(3)]


def filters(inputs, outputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
    return weight, torch.randn(outputs, generator=generator)


def convolved(x, weight, bias, **options):
    return Products(weight, bias)(Stretch((x,), 1, 1), 1, **options)


@given(
    images=st.integers(1, 2),
    height=st.integers(3, 20),
    width=st.integers(3, 20),
    padding=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    channels_last=st.booleans(),
)
@settings(max_examples=30)
def test_it_equals_the_plain_sum_for_every_size(images, height, width, padding, channels_last):
    weight, bias = filters(5, 7)
    x = torch.rand(images, 5, height, width, generator=torch.Generator().manual_seed(height))
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=padding)
    above, beside = padding
    found = Products(weight, bias)(Stretch((x,), above, above), beside)
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

    assert error(convolved(x, weight, bias)) < 1e-5
    assert error(F.conv2d(x, weight, bias, padding=1)) < 1e-5


def test_chunks_make_no_difference(monkeypatch):
    weight, bias = filters(8, 8)
    x = torch.rand(1, 8, 31, 17, generator=torch.Generator().manual_seed(2))
    whole = convolved(x, weight, bias)
    monkeypatch.setattr(products, "_BYTES", 1)
    torch.testing.assert_close(convolved(x, weight, bias), whole, rtol=0, atol=2e-6)


def test_rectifying_cuts_off_below_zero():
    weight, bias = filters(8, 8)
    x = torch.rand(1, 8, 9, 9, generator=torch.Generator().manual_seed(4))
    plain = convolved(x, weight, bias)
    assert (plain < 0).any()
    assert torch.equal(convolved(x, weight, bias, rectify=True), plain.relu())
