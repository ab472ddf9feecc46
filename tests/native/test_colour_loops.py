"""The loops of colours and of SSIMULACRA 2 give the same values as torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iqbench.engine.batch import Batch
from iqbench.images.colour import linear_light, luma_full, luma_studio
from iqbench.images.picture import Picture
from iqbench.metrics.ciede2000 import lab
from iqbench.metrics.ssimulacra2 import C2, TAPS, Ssimulacra2, _cosines, _sums
from iqbench.native import library, loops
from iqbench.networks.xyb import BORDER, SurroundedXyb

pytestmark = pytest.mark.usefixtures("compiled_loops")

HALF_STEPS = torch.tensor(
    [[(2 * k + 1) / 510, (2 * k + 1) / 510, (2 * k + 1) / 510] for k in range(255)]
)
"""Grays exactly between two of the 256."""


def image(height, width, channels=3, seed=0):
    """Pixels of an 8-bit file, channels last in memory as a decoder gives them."""
    values = np.random.default_rng(seed).integers(0, 256, (1, height, width, channels))
    return (torch.from_numpy(values).float() / 255).permute(0, 3, 1, 2)


@torch.inference_mode()
def both(function, *tensors):
    """What the loop gives, and what the plain way gives without gradients."""
    assert library.suits(*tensors)
    compiled = function(*tensors)
    with torch.inference_mode(False):
        plain = function(*(one.clone() for one in tensors))
    return compiled, plain


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize("luma", [luma_studio, luma_full])
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 9))
def test_luma_is_the_same_to_the_last_bit(luma, rounded, height, width, seed):
    compiled, plain = both(lambda x: luma(x, rounded=rounded), image(height, width, seed=seed))
    assert torch.equal(compiled, plain)


@pytest.mark.parametrize("luma", [luma_studio, luma_full])
def test_halves_are_rounded_the_same_way(luma):
    x = HALF_STEPS.T.reshape(1, 3, 1, 255)
    assert torch.equal(*both(lambda x: luma(x, rounded=True), x))


def test_linear_light_is_off_by_half_a_millionth_at_most():
    values = torch.cat(
        [torch.linspace(0, 1, 100_003), torch.tensor([-0.5, 0.04045, 1.5, torch.nan])]
    )
    compiled, plain = both(linear_light, values)
    assert torch.equal(compiled.isnan(), plain.isnan())
    exact = linear_light(values.double())
    assert torch.allclose(compiled.double(), exact, rtol=5e-7, atol=0, equal_nan=True)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (5, 17), (16, 40)])
def test_cielab_is_off_by_rounding(size, channels):
    pixels = image(*size, channels)
    pixels[:, :, :, :3] *= 0.03  # near black the function of lightness is a straight line
    compiled, plain = both(lab, pixels)
    assert compiled.shape == plain.shape == (1, 3, *size)
    assert torch.allclose(compiled, plain, rtol=0, atol=2e-4)


@pytest.mark.parametrize("size", [(1, 1), (48, 70)])
def test_ciede2000_is_the_same_within_a_millionth_of_its_value(make_scorer, monkeypatch, size):
    pictures = [
        Picture((255 * image(*size, seed=seed)[0]).permute(1, 2, 0).byte().numpy(), "", "made", 0)
        for seed in (0, 1)
    ]
    pair = Batch(pictures[:1], [pictures[1], pictures[0]], [0, 0])
    compiled = [found["ciede2000"].value for found in make_scorer(["ciede2000"]).score(pair)]
    monkeypatch.setattr("iqbench.native.library.available", lambda: False)
    plain = [found["ciede2000"].value for found in make_scorer(["ciede2000"]).score(pair)]
    assert compiled == pytest.approx(plain, rel=1e-6)
    assert compiled[1] == 0


@pytest.mark.parametrize("size", [(1, 1), (5, 17), (16, 40)])
def test_xyb_is_off_by_rounding(size):
    compiled, plain = both(SurroundedXyb().forward, linear_light(image(*size)))
    assert compiled.shape == plain.shape == (1, 3, *(side + 2 * BORDER for side in size))
    assert torch.allclose(compiled, plain, rtol=0, atol=2e-6)


def test_negative_light_counts_as_zero():
    compiled, plain = both(SurroundedXyb().forward, torch.full((1, 3, 4, 4), -1.0))
    assert torch.allclose(compiled, plain, rtol=0, atol=1e-7)


@pytest.mark.parametrize("size", [(9, 9), (9, 700), (40, 41), (64, 264)])
def test_the_errors_of_ssimulacra2_are_those_of_the_maps(size):
    first, second = (image(*size, seed=seed) for seed in (0, 1))
    first, second = first.contiguous(), (0.9 * first + 0.1 * second).contiguous()
    given = loops.xyb_sums(first[0], second[0], _cosines(), C2)
    exact = first.double(), second.double()
    expected = _sums(Ssimulacra2().prepare(TAPS[0], exact[0], {}), exact[1])[0]
    assert torch.allclose(given, expected, rtol=2e-5, atol=1e-9)


def test_equal_planes_have_no_error():
    plane = image(30, 300)[0].contiguous()
    assert torch.equal(loops.xyb_sums(plane, plane, _cosines(), C2), torch.zeros(3, 6).double())


@pytest.mark.parametrize("memory", [1, 2**30])
@pytest.mark.parametrize(("size", "channels"), [((8, 9), 3), ((70, 45), 1), ((257, 130), 3)])
def test_ssimulacra2_is_the_same_within_a_thousandth(
    make_scorer, monkeypatch, size, channels, memory
):
    reference = image(*size, channels)
    noisy = (reference + 0.05 * torch.randn_like(reference)).clamp(0, 1)
    pictures = [
        Picture((255 * one[0].permute(1, 2, 0)).round().numpy().astype(np.uint8), "", "made", 0)
        for one in (reference, noisy)
    ]
    pair = Batch([pictures[0]], [pictures[1], pictures[0]], [0, 0])
    compiled = [
        found["ssimulacra2"].value
        for found in make_scorer(["ssimulacra2"], memory=memory).score(pair)
    ]
    monkeypatch.setattr("iqbench.native.library.available", lambda: False)
    plain = [found["ssimulacra2"].value for found in make_scorer(["ssimulacra2"]).score(pair)]
    assert compiled[0] == pytest.approx(plain[0], abs=1e-3)
    assert compiled[1] == 100  # the plain way misses by rounding: its roots of small sums are large
