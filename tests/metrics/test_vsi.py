"""VSI against the authors' script, written out on numpy, and piq."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.signal import convolve2d
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.functional import vsi
from iqbench.images.picture import Picture


def pixels(height, width, channels=3):
    reference = data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels].astype(np.int64)
    noise = np.random.default_rng(0).integers(-30, 31, reference.shape)
    output = (reference + noise).clip(0, 255)
    output[:, : width // 2] = np.roll(reference, 1, 0)[:, : width // 2]
    return reference, output


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def resized(plane, rows, columns):
    """Bilinear, the corners aligned."""
    places = [
        np.linspace(0, had - 1, n) for had, n in zip(plane.shape, (rows, columns), strict=True)
    ]
    return map_coordinates(plane, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")


def lab(rgb):
    rgb = rgb / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    xyz = np.tensordot(matrix, linear, 1) / np.array([0.9642, 1, 0.8251])[:, None, None]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), (903.3 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def log_gabor():
    y, x = np.meshgrid((np.arange(256) - 128) / 256, (np.arange(256) - 128) / 256, indexing="ij")
    radius = np.fft.ifftshift(np.where(x**2 + y**2 > 0.25, 0, np.hypot(x, y)))
    radius[0, 0] = 1
    with np.errstate(divide="ignore"):
        found = np.exp(-(np.log(radius / 0.021) ** 2) / (2 * 1.34**2))
    found[0, 0] = 0
    return found


def saliency(planes):
    """SDSP in the authors' VSI.m."""
    small = lab(np.array([resized(plane, 256, 256) for plane in planes]))
    answers = [np.fft.ifft2(np.fft.fft2(plane) * log_gabor()).real for plane in small]
    y, x = np.meshgrid(np.arange(1, 257), np.arange(1, 257), indexing="ij")
    centre = np.exp(-((x - 128) ** 2 + (y - 128) ** 2) / 145**2)
    a, b = ((plane - plane.min()) / (plane.max() - plane.min()) for plane in small[1:])
    warmth = 1 - np.exp(-(a**2 + b**2) / 0.001**2)
    found = resized(np.sqrt(sum(a**2 for a in answers)) * centre * warmth, *planes.shape[1:])
    return (found - found.min()) / (found.max() - found.min())


def oracle(reference, output):
    """VSI.m."""

    def features(image):
        planes = np.moveaxis(np.broadcast_to(image, (*image.shape[:2], 3)).astype(float), 2, 0)
        lmn = np.array([[0.06, 0.63, 0.27], [0.3, 0.04, -0.35], [0.34, -0.6, 0.17]])
        maps = [saliency(planes), *np.tensordot(lmn, planes, 1)]
        factor = max(1, int(np.floor(min(image.shape[:2]) / 256 + 0.5)))
        mean, top = np.full((factor, factor), 1 / factor**2), factor // 2
        salient, light, m, n = (
            convolve2d(p, mean)[top : top + p.shape[0], top : top + p.shape[1]][::factor, ::factor]
            for p in maps
        )
        scharr = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
        slope = np.hypot(*(convolve2d(light, k, mode="same") for k in (scharr, scharr.T)))
        return salient, slope, m, n

    def similarity(first, second, constant):
        return (2 * first * second + constant) / (first**2 + second**2 + constant)

    pairs = list(zip(features(reference), features(output), strict=True))
    salient, slope, m, n = (
        similarity(*pair, c) for pair, c in zip(pairs, (1.27, 386, 130, 130), strict=True)
    )
    weight = np.maximum(*pairs[0])
    colour = ((m * n).astype(complex) ** 0.02).real
    return (salient * slope**0.4 * colour * weight).sum() / weight.sum()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 64), (57, 76), (9, 16), (2, 31), (300, 260)])
def test_values_are_those_of_the_authors_script(channels, size):
    pair = pixels(*size, channels)
    assert vsi(*map(tensor, pair)).item() == pytest.approx(oracle(*pair), rel=1e-9)


def test_large_images_are_averaged_first():
    reference = data.coffee()[:390, :401].astype(np.int64)
    output = 255 - np.roll(reference, 1, axis=0)[..., ::-1].copy()  # colours that are opposed
    given = vsi(tensor(reference), tensor(output)).item()
    assert given == pytest.approx(oracle(reference, output), rel=1e-9)


@pytest.mark.skipif(find_spec("piq") is None, reason="piq is not installed")
@pytest.mark.parametrize("size", [(96, 98), (300, 260), (400, 390)])
def test_values_are_near_those_of_piq(size):
    import piq

    reference, output = map(tensor, pixels(*size))
    assert vsi(reference, output).item() == pytest.approx(
        piq.vsi(output, reference).item(), abs=1e-3
    )


def test_values_are_near_those_that_piq_gave():
    # piq 0.8.0: piq.vsi(output, reference), tensors of pixels(300, 260).
    assert vsi(*map(tensor, pixels(300, 260))).item() == pytest.approx(0.938156501, abs=1e-3)


@pytest.mark.parametrize("peak", [255, 65535])
@pytest.mark.parametrize("size", [(93, 71), (389, 300)])
def test_the_engine_gives_the_same(make_scorer, peak, size):
    pair = pixels(*size)
    kind = {255: np.uint8, 65535: np.uint16}[peak]
    stored = [(image * (peak // 255)).astype(kind) for image in pair]
    pictures = [Picture(image, digest="", name="made", bytes=0) for image in stored]
    (found,) = make_scorer(["vsi"]).score(Batch(pictures[:1], pictures[1:], [0]))
    assert found["vsi"].value == pytest.approx(oracle(*pair), rel=2e-5)


@pytest.mark.parametrize("level", [0, 77, 255])
@pytest.mark.parametrize("size", [(40, 50), (300, 257), (1, 1)])
def test_flat_images_have_no_value_and_the_reason(make_scorer, level, size):
    flat = Picture(np.full((*size, 3), level, np.uint8), digest="", name="made", bytes=0)
    (found,) = make_scorer(["vsi"]).score(Batch([flat], [flat], [0]))
    assert found["vsi"].error == "undefined: neither image has a salient region"


def test_one_flat_image_is_unlike_and_has_finite_gradients():
    reference, output = map(tensor, pixels(40, 41))
    flat = torch.full_like(output, 0.5)
    assert vsi(reference, flat).item() < vsi(reference, output).item() < 1
    assert vsi(reference, reference).item() == pytest.approx(1, abs=1e-12)
    for image in (reference, output, flat):
        leaf = image.clone().requires_grad_()
        vsi(reference, leaf).sum().backward()
        assert leaf.grad.isfinite().all()
