"""Winograd's convolution by compiled loops equals the direct sum, for every size and in pieces."""

from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.networks.stream import Stretch
from iqbench.networks.winograd.blocks import WinogradBlocks, suits

pytestmark = pytest.mark.usefixtures("compiled_loops")

TOLERANCE = 3e-5
"""Of the largest output: what the docstring promises."""


def filters(inputs, outputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
    return weight, torch.randn(outputs, generator=generator)


def image(*shape, seed=1):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).relu()
    return x.contiguous(memory_format=torch.channels_last)


def convolved(convolve, x, **options):
    return convolve(Stretch((x,), 1, 1), 1, **options)


def error(found, exact):
    return float((found - exact).abs().max() / exact.abs().max())


@pytest.fixture
def threads():
    """Set the number of threads for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@given(
    images=st.integers(1, 3),
    height=st.integers(3, 40),
    width=st.integers(3, 40),
    cut=st.integers(0, 40),
    above=st.integers(0, 1),
    below=st.integers(0, 1),
    beside=st.integers(0, 1),
    channels=st.sampled_from([16, 48, 256]),
    biased=st.booleans(),
)
@settings(max_examples=60)
def test_it_equals_the_plain_sum_for_every_size(
    images, height, width, cut, above, below, beside, channels, biased
):
    weight, bias = filters(channels, 64)
    bias = bias if biased else None
    x = image(images, channels, height, width, seed=height)
    exact = F.conv2d(
        F.pad(x.double(), (beside, beside, above, below)),
        weight.double(),
        None if bias is None else bias.double(),
    )
    pieces = (x[:, :, :cut], x[:, :, cut:]) if 0 < cut < height else (x,)
    found = WinogradBlocks(weight, bias)(Stretch(pieces, above, below), beside)
    assert found.shape == exact.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert error(found, exact) < TOLERANCE


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 128), (128, 256), (512, 512)])
def test_it_is_nearly_as_exact_as_the_plain_sum(inputs, outputs):
    weight, bias = filters(inputs, outputs)
    x = image(1, inputs, 24, 40)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    assert error(convolved(WinogradBlocks(weight, bias), x), exact) < TOLERANCE
    assert error(F.conv2d(x, weight, bias, padding=1), exact) < TOLERANCE


def test_errors_have_no_direction():
    weight, bias = filters(128, 128)
    x = image(1, 128, 48, 64)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    deviation = convolved(WinogradBlocks(weight, bias), x) - exact
    assert abs(float(deviation.mean() / exact.abs().mean())) < 1e-7


@pytest.mark.parametrize("channels", [64, 256])
@pytest.mark.parametrize("width", [4, 37, 200])
def test_threads_other_images_and_pieces_change_no_bit(threads, channels, width):
    weight, bias = filters(channels, 128)
    convolve = WinogradBlocks(weight, bias)
    images = image(3, channels, 31, width)
    threads(1)
    expected = convolved(convolve, images)
    for number in (2, 3, 8):
        threads(number)
        assert torch.equal(convolved(convolve, images), expected)
        for one, alone in zip(expected, images.split(1), strict=True):
            pieces = (alone[:, :, :5], alone[:, :, 5:])
            assert torch.equal(convolve(Stretch(pieces, 1, 1), 1)[0], one)


def test_rectifying_cuts_off_below_zero_and_hides_nothing():
    weight, bias = filters(16, 64)
    x = image(2, 16, 21, 33)
    x[0, 3, 8, 9] = float("nan")
    plain = convolved(WinogradBlocks(weight, bias), x)
    assert (plain < 0).any()
    rectified = convolved(WinogradBlocks(weight, bias), x, rectify=True)
    torch.testing.assert_close(rectified, plain.relu(), rtol=0, atol=0, equal_nan=True)
    assert rectified[0, :, 7:10, 8:11].isnan().all()


class TestBfloat16:
    def test_features_are_widened_and_rounded_to_the_nearest(self):
        weight, bias = (part.bfloat16() for part in filters(64, 64))
        x = image(2, 64, 21, 33).bfloat16()
        wide = convolved(WinogradBlocks(weight.float(), bias.float()), x.float())
        found = convolved(WinogradBlocks(weight, bias), x)
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, wide.bfloat16())

    def test_infinite_and_undefined_values_stay(self):
        weight, bias = filters(16, 64)
        for strange in (float("nan"), float("inf")):
            x = torch.zeros(1, 16, 9, 9)
            x[0, 0, 4, 4] = strange
            found = convolved(WinogradBlocks(weight, bias), x.bfloat16())
            assert not found[:, :, 3:6, 3:6].isfinite().any()
            assert found[:, :, 0].isfinite().all()


def test_threads_of_python_do_not_share_their_room():
    weight, bias = filters(32, 64)
    convolve = WinogradBlocks(weight, bias)
    images = [image(1, 32, 40, 40, seed=seed) for seed in range(4)]
    expected = [convolved(convolve, x) for x in images]
    found = {}

    def work(number):
        for _ in range(20):
            found[number] = convolved(convolve, images[number])

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(torch.equal(found[number], expected[number]) for number in range(4))


@pytest.mark.parametrize(("outputs", "inputs"), [(64, 24), (96, 64), (1, 16)])
def test_it_is_made_for_whole_vectors_of_channels(outputs, inputs):
    assert suits(64, 16)
    assert not suits(outputs, inputs)
