"""IW-SSIM against the authors' script, written out on numpy and scipy, and piq."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d, uniform_filter
from scipy.signal import convolve2d
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.functional import iw_ssim
from iqbench.images.picture import Picture


def pixels(height, width, channels=3):
    """A crop of a photograph, and one that is blurred on one side and noisy on the other."""
    reference = data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels].astype(np.int64)
    output = reference + np.random.default_rng(0).integers(-30, 31, reference.shape)
    rolled = np.roll(reference, 2, 0) + np.roll(reference, 2, 1) + reference
    output[:, : width // 2] = rolled[:, : width // 2] // 3
    return reference, output.clip(0, 255)


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16 * 2**0.5


def filtered(plane):
    """Along both axes, reflected about the outermost pixels (matlabPyrTools' reflect1)."""
    return correlate1d(correlate1d(plane, BINOMIAL, 0, mode="mirror"), BINOMIAL, 1, mode="mirror")


def pyramid(plane):
    bands = []
    for _ in range(4):
        small = filtered(plane)[::2, ::2]
        large = np.zeros(plane.shape)
        large[::2, ::2] = small
        bands.append(plane - filtered(large))
        plane = small
    return [*bands, plane]


def imenlarge2(plane):
    """The authors', with MATLAB's bilinear imresize; the corners of a line have its slope."""

    def stretched(lines):
        count = lines.shape[0]
        source = (np.arange(4 * count - 3) + 0.5) * count / (4 * count - 3) - 0.5
        low = np.floor(source).astype(int)
        at, share = [(low + step).clip(0, count - 1) for step in (0, 1)], (source - low)[:, None]
        middle = lines[at[0]] * (1 - share) + lines[at[1]] * share
        first, last = 2 * middle[:1] - middle[1:2], 2 * middle[-1:] - middle[-2:-1]
        return np.concatenate([first, middle, last])[::2]

    return stretched(stretched(plane).T).T


def moments(first, second, mean):
    a, b = mean(first), mean(second)
    return (
        a,
        b,
        (mean(first**2) - a**2).clip(0),
        (mean(second**2) - b**2).clip(0),
        mean(first * second) - a * b,
    )


def information(reference, output, parent):
    """info_content_weight_map of two bands, where its window of 3x3 fits."""
    height, width = reference.shape

    def mean(plane):
        return uniform_filter(plane, 3)[1:-1, 1:-1]

    _, _, variance, other, covariance = moments(reference, output, mean)
    gain = covariance / (variance + 1e-15)
    rest = other - gain * covariance
    rest[variance < 1e-15] = other[variance < 1e-15]
    gain[(variance < 1e-15) | (other < 1e-15)] = rest[other < 1e-15] = 0
    around = [reference[i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)]
    if parent is not None:
        around.append(imenlarge2(parent)[1 : height - 1, 1 : width - 1])
    neighbours = np.array([plane.ravel() for plane in around])
    values, vectors = np.linalg.eigh(neighbours @ neighbours.T / neighbours.shape[1])
    values = values.clip(0) * values.sum() / values.clip(0).sum()
    model = (vectors * values) @ vectors.T
    energy = (np.linalg.inv(model) @ neighbours * neighbours).mean(0).reshape(height - 2, width - 2)
    noise = 0.4
    return sum(
        np.log2(1 + ((rest + (1 + gain**2) * noise) * energy * v + noise * rest) / noise**2)
        for v in values
    )


def oracle(reference, output):
    weights = np.array([0.299, 0.587, 0.114]) if reference.shape[2] == 3 else np.ones(1)
    first, second = (pyramid(image @ weights) for image in (reference, output))
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def blurred(plane):
        return convolve2d(plane, window, mode="valid")

    value, powers = 1.0, np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
    for level, (one, other) in enumerate(zip(first, second, strict=True)):
        mean, other_mean, variance, other_variance, covariance = moments(one, other, blurred)
        similar = (2 * covariance + 58.5225) / (variance + other_variance + 58.5225)
        if level == 4:
            similar *= (2 * mean * other_mean + 6.5025) / (mean**2 + other_mean**2 + 6.5025)
            pooled = similar.mean()
        else:
            shared = information(one, other, first[level + 1] if level < 3 else None)[4:-4, 4:-4]
            pooled = (similar * shared).sum() / shared.sum()
        value *= abs(pooled) ** (powers[level] / powers.sum())
    return value


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(176, 176), (161, 163), (161, 210), (187, 174)])
def test_values_are_those_of_the_authors_script(channels, size):
    pair = pixels(*size, channels)
    assert iw_ssim(*map(tensor, pair)).item() == pytest.approx(oracle(*pair), abs=1e-9)


@pytest.mark.skipif(find_spec("piq") is None, reason="piq is not installed")
@pytest.mark.parametrize(("size", "within"), [((176, 192), 1e-9), ((187, 175), 1e-4)])
def test_values_are_those_of_piq(size, within):
    import piq

    reference, output = map(tensor, pixels(*size))
    expected = piq.information_weighted_ssim(output, reference).item()
    assert iw_ssim(reference, output).item() == pytest.approx(expected, abs=within)


def test_values_are_those_that_piq_gave():
    # piq 0.8.0: piq.information_weighted_ssim(output, reference), tensors of pixels(176, 192).
    assert iw_ssim(*map(tensor, pixels(176, 192))).item() == pytest.approx(0.94564978610, abs=1e-9)


@pytest.mark.parametrize("peak", [255, 65535])
def test_the_engine_gives_the_same(make_scorer, peak):
    pair = pixels(187, 175)
    kind = {255: np.uint8, 65535: np.uint16}[peak]
    stored = [(image * (peak // 255)).astype(kind) for image in pair]
    pictures = [Picture(image, digest="", name="made", bytes=0) for image in stored]
    (found,) = make_scorer(["iw-ssim"]).score(Batch(pictures[:1], pictures[1:], [0]))
    assert found["iw-ssim"].value == pytest.approx(oracle(*pair), abs=1e-5)


def test_a_reference_that_is_flat_in_places_is_scored_where_it_is_not():
    reference, output = pixels(176, 176)
    reference[:90] = 120
    assert iw_ssim(*map(tensor, (reference, output))).item() == pytest.approx(
        oracle(reference, output), abs=1e-9
    )


@pytest.mark.parametrize("along", [0, 1])
def test_a_reference_whose_neighbours_are_equal_has_a_value(along):
    # Stripes: the covariance of the neighbours cannot be inverted, so directions without any are
    # left out.
    reference, _ = pixels(176, 176)
    stripes = np.broadcast_to(reference.take([20], along), reference.shape).copy()
    noisy = (stripes + np.random.default_rng(1).integers(-9, 10, stripes.shape)).clip(0, 255)
    value = iw_ssim(*map(tensor, (stripes, noisy))).item()
    assert 0 < value < 1
    assert iw_ssim(*map(tensor, (stripes, stripes))).item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_flat_images_have_no_value_and_the_reason(make_scorer, level):
    flat = Picture(np.full((163, 170, 3), level, np.uint8), digest="", name="made", bytes=0)
    (found,) = make_scorer(["iw-ssim"]).score(Batch([flat], [flat], [0]))
    assert found["iw-ssim"].error == "undefined: neither image contains any information"


def test_equal_images_have_1_and_gradients_are_finite():
    reference, output = map(tensor, pixels(163, 170))
    assert iw_ssim(reference, reference).item() == pytest.approx(1, abs=1e-12)
    flat = torch.full_like(reference, 0.5)
    for image in (reference, output, flat):
        leaf = image.clone().requires_grad_()
        iw_ssim(reference, leaf).sum().backward()
        assert leaf.grad.isfinite().all()


def test_not_a_number_spoils_its_own_image_only():
    reference, output = (tensor(image).repeat(2, 1, 1, 1) for image in pixels(163, 170))
    spoilt = reference.clone()
    spoilt[0, 0, 3, 3] = torch.nan
    for pair in ((spoilt, output), (output, spoilt)):
        first, second = iw_ssim(*pair).tolist()
        assert np.isnan(first)
        assert np.isfinite(second)


def test_the_reference_is_the_first():
    reference, output = map(tensor, pixels(176, 176))
    assert abs(iw_ssim(reference, output) - iw_ssim(output, reference)) > 1e-4


def test_smaller_images_are_refused_with_the_size_that_is_needed():
    with pytest.raises(IqbenchError, match="needs at least 161x161"):
        iw_ssim(torch.rand(1, 3, 160, 200), torch.rand(1, 3, 160, 200))
