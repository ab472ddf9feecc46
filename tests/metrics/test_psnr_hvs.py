"""PSNR-HVS and PSNR-HVS-M against the authors' script, written out on scipy, and psnr_hvsm."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.functional import psnr, psnr_hvs, psnr_hvsm
from iqbench.images.picture import Picture
from iqbench.metrics.psnr_hvs import MASKING, SENSITIVITY

FUNCTIONS = {"psnr-hvs": psnr_hvs, "psnr-hvsm": psnr_hvsm}
CSF, MASK = (np.array(values).reshape(8, 8) for values in (SENSITIVITY, MASKING))


def pixels(height, width, channels=3):
    """A crop of a photograph, and one that is blurred on one side and noisy on the other."""
    reference = data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels].astype(np.int64)
    noise = np.random.default_rng(0).integers(-30, 31, reference.shape)
    output = reference + noise
    rolled = np.roll(reference, 2, 0) + np.roll(reference, 2, 1) + reference
    output[:, : width // 2] = rolled[:, : width // 2] // 3
    return reference, output.clip(0, 255)


def tensor(image, peak=255):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / peak


def studio(image):
    luma = image[..., 0].astype(float)
    if image.shape[2] == 3:
        luma = 16 + image @ np.array([65.481, 128.553, 24.966]) / 255
    return np.floor(luma + 0.5)


def oracle(first, second):
    """psnrhvsm.m of two planes in [0, 255], its loops and all."""

    def variance(block):
        return block.var(ddof=1) * block.size

    def masking(block, coefficients):
        energy = (coefficients**2 * MASK).sum() - coefficients[0, 0] ** 2 * MASK[0, 0]
        whole = variance(block)
        if whole != 0:
            quarters = (block[i : i + 4, j : j + 4] for i in (0, 4) for j in (0, 4))
            whole = sum(map(variance, quarters)) / whole
        return math.sqrt(energy * whole) / 32

    plain = seen = blocks = 0
    for top in range(0, first.shape[0] - 7, 8):
        for left in range(0, first.shape[1] - 7, 8):
            pair = [plane[top : top + 8, left : left + 8] for plane in (first, second)]
            transformed = [dctn(block, norm="ortho") for block in pair]
            mask = max(map(masking, pair, transformed))
            error = np.abs(transformed[0] - transformed[1])
            plain += ((error * CSF) ** 2).sum()
            rest = np.maximum(error - mask / MASK, 0)
            rest[0, 0] = error[0, 0]
            seen += ((rest * CSF) ** 2).sum()
            blocks += 64
    return {
        name: 10 * math.log10(255**2 * blocks / total)
        for name, total in (("psnr-hvs", plain), ("psnr-hvsm", seen))
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 64), (57, 79), (8, 15), (17, 8)])
def test_values_are_those_of_the_authors_script(channels, size):
    pair = pixels(*size, channels)
    expected = oracle(*map(studio, pair))
    for name, function in FUNCTIONS.items():
        assert function(*map(tensor, pair)).item() == pytest.approx(expected[name], abs=1e-9)


def test_values_are_those_of_another_implementation():
    # psnr_hvsm 0.3.0: psnr_hvs_hvsm(*(bt601ycbcr(image)[0] for image in pixels(56, 80))), numpy;
    # with precision="float"; and of the red channels, each divided by 255.
    pair = pixels(56, 80)
    expected = {
        ("studio", True): (27.817948117619, 29.978345062375),
        ("studio", False): (27.818734744903, 29.970424161242),
    }
    for (luma, rounded), values in expected.items():
        for function, value in zip(FUNCTIONS.values(), values, strict=True):
            found = function(*map(tensor, pair), luma=luma, rounded=rounded).item()
            assert found == pytest.approx(value, abs=1e-9)
    red = [tensor(image[..., :1]) for image in pair]
    for function, value in zip(FUNCTIONS.values(), (24.648009383058, 26.916766578088), strict=True):
        assert function(*red).item() == pytest.approx(value, abs=1e-9)


def test_full_range_luma_is_an_option():
    pair = pixels(40, 48)
    planes = [image @ np.array([0.299, 0.587, 0.114]) for image in pair]
    for name, function in FUNCTIONS.items():
        for rounded in (True, False):
            found = function(*map(tensor, pair), luma="full", rounded=rounded).item()
            shown = [np.floor(plane + 0.5) if rounded else plane for plane in planes]
            assert found == pytest.approx(oracle(*shown)[name], abs=1e-9)


@pytest.mark.parametrize("memory", [1, 300_000, 2**30])
@pytest.mark.parametrize("peak", [255, 65535])
def test_the_engine_gives_the_same_in_bands_of_any_height(make_scorer, memory, peak):
    pair = pixels(93, 71)
    kind = {255: np.uint8, 65535: np.uint16}[peak]
    stored = [(image * (peak // 255)).astype(kind) for image in pair]
    pictures = [Picture(image, digest="", name="made", bytes=0) for image in stored]
    scorer = make_scorer(["psnr-hvs", "psnr-hvsm-luma=full-rounded=false"], memory=memory)
    (found,) = scorer.score(Batch(pictures[:1], pictures[1:], [0]))
    expected = oracle(*map(studio, pair))
    for name in FUNCTIONS:
        assert found[name].value == pytest.approx(expected[name], abs=1e-4)
    planes = [image @ np.array([0.299, 0.587, 0.114]) for image in pair]
    value = found["psnr-hvsm-luma=full-rounded=false"].value
    assert value == pytest.approx(oracle(*planes)["psnr-hvsm"], abs=1e-4)


@settings(max_examples=30)
@given(st.integers(0, 255), st.integers(0, 255))
def test_flat_images_differ_by_their_mean_alone(first, second):
    flat = [
        torch.full((1, 1, 16, 17), value / 255, dtype=torch.float64) for value in (first, second)
    ]
    expected = psnr(*flat).item() - 20 * math.log10(CSF[0, 0])
    for function in FUNCTIONS.values():
        assert function(*flat).item() == pytest.approx(expected, abs=1e-6)


def test_masking_never_makes_an_error_negative():
    for size in ((33, 40), (64, 24)):
        pair = [tensor(image) for image in pixels(*size)]
        assert psnr_hvsm(*pair).item() > psnr_hvs(*pair).item()


def test_equal_images_have_an_infinite_value_and_gradients():
    reference, output = map(tensor, pixels(24, 25))
    for function in FUNCTIONS.values():
        assert function(reference, reference).item() == math.inf
        for image in (reference, output):
            leaf = image.clone().requires_grad_()
            function(reference, leaf).sum().backward()
            assert leaf.grad.isfinite().all()


def test_smaller_images_are_refused_with_the_size_that_is_needed():
    for function in FUNCTIONS.values():
        with pytest.raises(IqbenchError, match="needs at least 8x8"):
            function(torch.rand(1, 3, 7, 30), torch.rand(1, 3, 7, 30))
