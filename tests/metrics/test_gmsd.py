"""GMSD against the authors' script, written out with MATLAB's conv2."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.functional import gmsd
from iqbench.images.picture import Picture

PREWITT = np.array([[1, 0, -1]] * 3) / 3


def same(image, kernel):
    """MATLAB's conv2(image, kernel, "same"): the centre lies after the middle of even kernels."""
    rows, columns = kernel.shape
    full = convolve2d(image, kernel)
    top, left = rows // 2, columns // 2
    return full[top : top + image.shape[0], left : left + image.shape[1]]


def oracle(reference, output):
    """GMSD of two planes in [0, 255]."""

    def magnitude(image):
        half = same(image, np.full((2, 2), 0.25))[::2, ::2]
        return np.hypot(same(half, PREWITT), same(half, PREWITT.T))

    first, second = magnitude(reference), magnitude(output)
    return np.std((2 * first * second + 170) / (first**2 + second**2 + 170), ddof=1)


def pair(height, width, channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    reference = torch.rand(1, channels, height, width, generator=generator)
    noise = torch.randn(reference.shape, generator=generator)
    return reference, (reference + 0.1 * noise).clamp(0, 1)


@pytest.mark.parametrize("size", [(64, 64), (33, 47), (48, 31), (2, 3), (1, 9), (5, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_values_are_those_of_the_authors_script(size, channels):
    images = pair(*size, channels)
    weights = np.array([0.299, 0.587, 0.114]) if channels == 3 else np.ones(1)
    planes = [255 * np.tensordot(weights, image[0].double().numpy(), 1) for image in images]
    assert gmsd(*images).item() == pytest.approx(oracle(*planes), rel=1e-4)


def test_equal_and_flat_images_do_not_deviate():
    image, _ = pair(20, 21, 3)
    assert gmsd(image, image).item() == 0
    flat = torch.full((1, 1, 16, 16), 0.5)
    assert gmsd(flat, flat).item() == 0


def test_gradients_are_finite_on_equal_images():
    image, _ = pair(12, 12, 3)
    output = image.clone().requires_grad_()
    gmsd(image, output).sum().backward()
    assert output.grad.isfinite().all()


@pytest.mark.parametrize("memory", [1, 500_000, 2**30])
@pytest.mark.parametrize("height", [57, 58])
def test_borders_are_the_images_in_bands_of_any_height(make_scorer, memory, height):
    reference = data.astronaut()[100 : 100 + height, 150:211]
    output = np.roll(reference, 1, axis=1)
    pictures = [Picture(pixels, digest="", name="made", bytes=0) for pixels in (reference, output)]
    (found,) = make_scorer(["gmsd"], memory=memory).score(Batch(pictures[:1], pictures[1:], [0]))
    planes = [image.astype(float) @ [0.299, 0.587, 0.114] for image in (reference, output)]
    assert found["gmsd"].value == pytest.approx(oracle(*planes), rel=1e-5)


def test_a_single_position_has_no_deviation(make_scorer):
    tiny = Picture(np.zeros((2, 2, 3), np.uint8), digest="", name="made", bytes=0)
    (found,) = make_scorer(["gmsd"]).score(Batch([tiny], [tiny], [0]))
    assert found["gmsd"].error == "undefined: the image has a single position"
