"""Winograd's convolution by sums: an identity, and equal to the plain sum for every size."""

from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.networks import onednn
from iqbench.networks.winograd import sums
from iqbench.networks.winograd.sums import (
    KERNEL,
    Sums,
    transform_inputs,
    transform_products,
)

needs_onednn = pytest.mark.skipif(not onednn.AVAILABLE, reason="this torch lacks parts of oneDNN")

TOLERANCE = 3e-5
"""Of the largest output: what the docstring promises."""


@given(
    st.lists(st.integers(-99, 99), min_size=6, max_size=6),
    st.lists(st.integers(-99, 99), min_size=3, max_size=3),
)
@settings(max_examples=30, deadline=None)
def test_the_transforms_filter(inputs, weights):
    seen, found, spare = (torch.empty(size, 1, dtype=torch.float64).unbind() for size in (6, 4, 4))
    transform_inputs(torch.tensor(inputs).double().view(6, 1).unbind(), seen, spare[0])
    kernel = torch.tensor(KERNEL, dtype=torch.float64) @ torch.tensor(weights).double()
    products = (torch.stack(seen) * kernel.view(6, 1)).unbind()
    transform_products(products, found, spare)
    expected = [sum(inputs[k + j] * weights[j] for j in range(3)) for k in range(4)]
    torch.testing.assert_close(torch.cat(found), torch.tensor(expected).double())


def filters(inputs, outputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
    return weight, torch.randn(outputs, generator=generator)


def image(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).relu()


def error(found, exact):
    return float((found - exact).abs().max() / exact.abs().max())


@needs_onednn
@given(
    images=st.integers(1, 2),
    height=st.integers(3, 40),
    width=st.integers(3, 40),
    padding=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    tiles=st.sampled_from([1, 5, 48]),
    channels_last=st.booleans(),
    biased=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_it_equals_the_plain_sum_for_every_size(
    images, height, width, padding, tiles, channels_last, biased
):
    weight, bias = filters(16, 24)
    bias = bias if biased else None
    x = image(images, 16, height, width, seed=height)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    exact = F.conv2d(
        x.double(), weight.double(), None if bias is None else bias.double(), padding=padding
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "_TILES", ((0, tiles),))
        found = Sums(weight, bias)(x, padding)
    assert found.shape == exact.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert error(found, exact) < TOLERANCE


@needs_onednn
@pytest.mark.parametrize(("inputs", "outputs"), [(64, 128), (128, 256), (512, 512)])
def test_it_is_nearly_as_exact_as_the_plain_sum(inputs, outputs):
    weight, bias = filters(inputs, outputs)
    x = image(1, inputs, 24, 40)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    assert error(Sums(weight, bias)(x, (1, 1)), exact) < TOLERANCE
    assert error(F.conv2d(x, weight, bias, padding=1), exact) < TOLERANCE


@needs_onednn
def test_errors_have_no_direction():
    weight, bias = filters(128, 128)
    x = image(1, 128, 48, 64)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    deviation = Sums(weight, bias)(x, (1, 1)) - exact
    assert abs(float(deviation.mean() / exact.abs().mean())) < 1e-7


@needs_onednn
def test_rectifying_cuts_off_below_zero():
    weight, bias = filters(16, 16)
    x = image(2, 16, 21, 33)
    plain = Sums(weight, bias)(x, (1, 1))
    assert (plain < 0).any()
    assert torch.equal(Sums(weight, bias)(x, (1, 1), rectify=True), plain.relu())


@needs_onednn
def test_an_image_does_not_depend_on_those_beside_it():
    weight, bias = filters(64, 128)
    convolve = Sums(weight, bias)
    images = image(3, 64, 30, 52)
    together = convolve(images, (1, 1))
    for number in range(3):
        assert torch.equal(convolve(images[number : number + 1], (1, 1))[0], together[number])


@needs_onednn
def test_threads_do_not_share_their_room():
    weight, bias = filters(32, 32)
    convolve = Sums(weight, bias)
    images = [image(1, 32, 40, 40, seed=seed) for seed in range(4)]
    expected = [convolve(x, (1, 1)) for x in images]
    found = {}

    def work(number):
        for _ in range(20):
            found[number] = convolve(images[number], (1, 1))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[number], expected[number]) for number in range(4))
