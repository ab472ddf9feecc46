"""NLPD against the authors' script, written out on scipy with MATLAB's imfilter and conv2."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate
from scipy.signal import convolve2d
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.functional import nlpd
from iqbench.images.picture import Picture

# NLP_dist.m's own numbers.
SIGMAS = [0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782]
FILTERS = np.zeros((6, 5, 5))
FILTERS[0, 1:4, 1:] = [[0, 0.1011, 0, 0], [0.1493, 0, 0.1460, 0.0072], [0, 0.1015, 0, 0]]
FILTERS[1, 1:4, 1:4] = [[0, 0.0757, 0], [0.1986, 0, 0.1846], [0, 0.0837, 0]]
FILTERS[2, 1:4, 1:4] = [[0, 0.0477, 0], [0.2138, 0, 0.2243], [0, 0.0467, 0]]
FILTERS[3, 2, 1:4] = [0.2503, 0, 0.2616]
FILTERS[4, 2, 1:4] = [0.2598, 0, 0.2552]
FILTERS[5, 2, 1:4] = [0.2215, 0, 0.0717]
LINE = np.array([0.05, 0.25, 0.4, 0.25, 0.05])
BURT = np.outer(LINE, LINE)


def pixels(height, width, channels=3):
    """A crop of a photograph, and one that is shifted on one side and noisy on the other."""
    reference = data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels].astype(np.int64)
    output = reference + np.random.default_rng(0).integers(-30, 31, reference.shape)
    output[:, : width // 2] = np.roll(reference, 1, 0)[:, : width // 2]
    return reference, output.clip(0, 255)


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def normalised(plane):
    """NLP of a plane in [0, 1]: the bands of laplacian_pyramid_s, divided."""
    bands = []
    for _ in range(5):
        small = correlate(plane, BURT, mode="reflect")[::2, ::2]  # MATLAB calls this symmetric
        odd = 2 * np.array(small.shape) - plane.shape
        padded = np.pad(small, 1, mode="edge")
        large = np.zeros(2 * np.array(padded.shape))
        large[::2, ::2] = 4 * padded
        large = correlate(large, BURT, mode="constant")
        rows, columns = large.shape - odd - 2
        bands.append(plane - large[2:rows, 2:columns])
        plane = small
    bands.append(plane)
    return [
        band / (sigma + convolve2d(np.abs(band), kernel, mode="same"))
        for band, sigma, kernel in zip(bands, SIGMAS, FILTERS, strict=True)
    ]


def oracle(reference, output):
    weights = np.array([0.299, 0.587, 0.114]) if reference.shape[2] == 3 else np.ones(1)
    pair = (normalised(image @ weights / 255) for image in (reference, output))
    return np.mean([math.sqrt(np.mean((a - b) ** 2)) for a, b in zip(*pair, strict=True)])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 64), (57, 76), (49, 51), (9, 16), (3, 2), (1, 1), (1, 33)])
def test_values_are_those_of_the_authors_script(channels, size):
    pair = pixels(*size, channels)
    assert nlpd(*map(tensor, pair)).item() == pytest.approx(oracle(*pair), rel=1e-9)


@pytest.mark.parametrize("memory", [1, 300_000, 2**30])
@pytest.mark.parametrize("size", [(93, 71), (34, 40), (5, 90), (2, 7)])
@pytest.mark.parametrize("peak", [255, 65535])
def test_the_engine_gives_the_same_in_bands_of_any_height(make_scorer, memory, size, peak):
    pair = pixels(*size)
    kind = {255: np.uint8, 65535: np.uint16}[peak]
    stored = [(image * (peak // 255)).astype(kind) for image in pair]
    pictures = [Picture(image, digest="", name="made", bytes=0) for image in stored]
    (found,) = make_scorer(["nlpd"], memory=memory).score(Batch(pictures[:1], pictures[1:], [0]))
    assert found["nlpd"].value == pytest.approx(oracle(*pair), rel=2e-5)


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_any_size_is_that_of_the_script(height, width, seed):
    pair = np.random.default_rng(seed).integers(0, 256, (2, height, width, 1))
    assert nlpd(*map(tensor, pair)).item() == pytest.approx(oracle(*pair), rel=1e-8)


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_flat_and_equal_images_have_no_distance_and_finite_gradients(level):
    flat = torch.full((1, 3, 20, 21), level, dtype=torch.float64)
    assert nlpd(flat, flat).item() == 0
    for image in (flat, torch.rand_like(flat)):
        leaf = image.clone().requires_grad_()
        nlpd(flat, leaf).sum().backward()
        assert leaf.grad.isfinite().all()
