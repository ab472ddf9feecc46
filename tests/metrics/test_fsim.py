"""FSIM and FSIMc against the authors' script, written out on numpy, and piq."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.functional import fsim, fsimc
from iqbench.images.picture import Picture

FUNCTIONS = {"fsim": fsim, "fsimc": fsimc}


def pixels(height, width, channels=3):
    reference = data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels].astype(np.int64)
    noise = np.random.default_rng(0).integers(-30, 31, reference.shape)
    output = (reference + noise).clip(0, 255)
    output[:, : width // 2] = np.roll(reference, 1, 0)[:, : width // 2]
    return reference, output


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def frequencies(length):
    if length % 2:
        return np.arange(-(length - 1) / 2, (length - 1) / 2 + 1) / (length - 1)
    return np.arange(-length / 2, length / 2) / length


def phase_congruency(plane):
    """phasecong2 in the authors' FeatureSIM.m."""
    rows, columns = plane.shape
    spectrum = np.fft.fft2(plane)
    x, y = np.meshgrid(frequencies(columns), frequencies(rows))
    radius, theta = np.fft.ifftshift(np.hypot(x, y)), np.fft.ifftshift(np.arctan2(-y, x))
    radius[0, 0] = 1
    centred = np.fft.ifftshift(np.hypot(x, y))
    low_pass = 1 / (1 + (centred / 0.45) ** 30)
    energies, amplitudes = np.zeros(plane.shape), np.zeros(plane.shape)
    for orientation in range(4):
        angle = orientation * np.pi / 4
        ds = np.sin(theta) * np.cos(angle) - np.cos(theta) * np.sin(angle)
        dc = np.cos(theta) * np.cos(angle) + np.sin(theta) * np.sin(angle)
        spread = np.exp(-(np.abs(np.arctan2(ds, dc)) ** 2) / (2 * (np.pi / 4 / 1.2) ** 2))
        found, spatial = [], []
        for scale in range(4):
            gabor = np.exp(-(np.log(radius * 6 * 2**scale) ** 2) / (2 * np.log(0.55) ** 2))
            gabor *= low_pass
            gabor[0, 0] = 0
            band = gabor * spread
            spatial.append(np.fft.ifft2(band).real * np.sqrt(rows * columns))
            found.append(np.fft.ifft2(spectrum * band))
            if scale == 0:
                power = (band**2).sum()
        even, odd = sum(e.real for e in found), sum(e.imag for e in found)
        length = np.hypot(even, odd) + 1e-4
        even, odd = even / length, odd / length
        energy = sum(
            e.real * even + e.imag * odd - np.abs(e.real * odd - e.imag * even) for e in found
        )
        noise = -np.median(np.abs(found[0]) ** 2) / np.log(0.5) / power
        squares = sum((s**2).sum() for s in spatial)
        mixed = sum((spatial[i] * spatial[j]).sum() for i in range(4) for j in range(i + 1, 4))
        tau = np.sqrt((2 * noise * squares + 4 * noise * mixed) / 2)
        threshold = tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)
        energies += np.maximum(energy - threshold / 1.7, 0)
        amplitudes += sum(np.abs(e) for e in found)
    return energies / amplitudes


def oracle(reference, output):
    """FSIM and FSIMc by FeatureSIM.m."""

    def channels(image):
        factor = max(1, int(np.floor(min(image.shape[:2]) / 256 + 0.5)))
        yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
        planes = np.moveaxis(image.astype(float), 2, 0)
        planes = planes if len(planes) == 1 else np.tensordot(yiq, planes, 1)
        mean = np.full((factor, factor), 1 / factor**2)
        top = factor // 2
        return [
            convolve2d(p, mean)[top : top + p.shape[0], top : top + p.shape[1]][::factor, ::factor]
            for p in planes
        ]

    def gradient(plane):
        scharr = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
        return np.hypot(*(convolve2d(plane, k, mode="same") for k in (scharr, scharr.T)))

    def similarity(first, second, constant):
        return (2 * first * second + constant) / (first**2 + second**2 + constant)

    first, second = channels(reference), channels(output)
    congruency = [phase_congruency(planes[0]) for planes in (first, second)]
    weights = np.maximum(*congruency)
    similar = similarity(*congruency, 0.85) * weights
    similar *= similarity(gradient(first[0]), gradient(second[0]), 160)
    colour = np.ones(weights.shape, complex)
    for one, other in zip(first[1:], second[1:], strict=True):
        colour *= similarity(one, other, 200)
    coloured = similar * (colour**0.03).real
    return {"fsim": similar.sum() / weights.sum(), "fsimc": coloured.sum() / weights.sum()}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 64), (57, 76), (49, 51), (9, 16)])
def test_values_are_those_of_the_authors_script(channels, size):
    pair = pixels(*size, channels)
    expected = oracle(*pair)
    for name, function in FUNCTIONS.items():
        assert function(*map(tensor, pair)).item() == pytest.approx(expected[name], rel=1e-9)


def test_large_images_are_averaged_first():
    reference = data.coffee()[:390, :401].astype(np.int64)
    output = 255 - np.roll(reference, 1, axis=0)[..., ::-1].copy()  # colours that are opposed
    expected = oracle(reference, output)
    for name, function in FUNCTIONS.items():
        given = function(tensor(reference), tensor(output)).item()
        assert given == pytest.approx(expected[name], rel=1e-9)


def test_values_are_those_that_piq_gave():
    # piq 0.8.0: piq.fsim(output, reference, chromatic=False and True), tensors of pixels(57, 76).
    pair = [tensor(image) for image in pixels(57, 76)]
    assert fsim(*pair).item() == pytest.approx(0.874134578, abs=1e-4)
    assert fsimc(*pair).item() == pytest.approx(0.860259509, abs=1e-4)


@pytest.mark.skipif(find_spec("piq") is None, reason="piq is not installed")
@pytest.mark.parametrize("size", [(96, 98), (120, 64)])
def test_values_are_near_those_of_piq(size):
    import piq

    # It takes the lower of the middle two values for the median, and other coefficients of I and Q.
    reference, output = map(tensor, pixels(*size))
    for function, colour in ((fsim, False), (fsimc, True)):
        theirs = piq.fsim(output, reference, chromatic=colour).item()
        assert function(reference, output).item() == pytest.approx(theirs, abs=1e-4)


def test_the_engine_gives_both_columns_of_a_whole_image(make_scorer):
    pair = pixels(93, 71)
    pictures = [Picture(p.astype(np.uint8), digest="", name="made", bytes=0) for p in pair]
    (found,) = make_scorer(["fsim"], memory=1).score(Batch(pictures[:1], pictures[1:], [0]))
    for name, expected in oracle(*pair).items():
        assert found[name].value == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_two_flat_images_have_no_value(make_scorer, level):
    flat = Picture(np.full((40, 41, 3), level, np.uint8), digest="", name="made", bytes=0)
    (found,) = make_scorer(["fsim"]).score(Batch([flat], [flat], [0]))
    for name in FUNCTIONS:
        assert found[name].error == "undefined: neither image has any structure"


def test_equal_images_have_1_and_gradients_are_finite():
    reference, output = map(tensor, pixels(40, 42))
    for function in FUNCTIONS.values():
        assert function(reference, reference).item() == 1
        for image in (reference, output):
            leaf = image.clone().requires_grad_()
            function(reference, leaf).sum().backward()
            assert leaf.grad.isfinite().all()


def test_a_line_of_pixels_is_refused():
    with pytest.raises(IqbenchError, match="needs at least 2x2"):
        fsim(torch.rand(1, 1, 1, 9), torch.rand(1, 1, 1, 9))
