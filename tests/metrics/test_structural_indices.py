"""VIFp, HaarPSI, MDSI and MS-GMSD against their authors' scripts, written out on scipy, and piq.

MATLAB's conv2 and the scripts' steps are written here a second time, in float64. The recorded
values are those of piq 0.8.0 of the same tensors; `docs/verification.md` names MATLAB's.
"""

import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from skimage import data

from iqbench import functional
from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.metrics._registry import resolve_metrics

needs_piq = pytest.mark.skipif(find_spec("piq") is None, reason="piq is not installed")


def pixels(height, width, channels=3, seed=0):
    """A crop of a photograph, and one that is blurred on one side and noisy on the other."""
    reference = data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels].astype(np.int64)
    noise = np.random.default_rng(seed).integers(-30, 31, reference.shape)
    output = reference + noise
    output[:, : width // 2] = (reference + np.roll(reference, 2, 0) + np.roll(reference, 2, 1))[
        :, : width // 2
    ] // 3
    return reference, output.clip(0, 255)


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def same(image, kernel):
    """MATLAB's conv2(image, kernel, "same"): the centre lies after the middle of even kernels."""
    rows, columns = kernel.shape
    full = convolve2d(image, kernel)
    top, left = rows // 2, columns // 2
    return full[top : top + image.shape[0], left : left + image.shape[1]]


def mixed(image, *rows):
    """Planes in [0, 255] of weighted channels; gray as it is."""
    image = image.astype(float)
    if image.shape[2] == 1:
        return [image[..., 0]]
    return [image @ np.array(row) for row in rows]


LUMA = (0.299, 0.587, 0.114)
PREWITT = np.array([[1, 0, -1]] * 3) / 3


def magnitude(plane):
    return np.hypot(same(plane, PREWITT), same(plane, PREWITT.T))


def vifp(reference, output):
    """The authors' vifp_mscale.m."""
    (first,), (second,) = (mixed(image, LUMA) for image in (reference, output))
    kept = there = 0.0
    for scale in range(1, 5):
        size = 2 ** (4 - scale + 1) + 1
        places = np.arange(size) - (size - 1) / 2
        line = np.exp(-(places**2) / (2 * (size / 5) ** 2))
        window = np.outer(line, line) / line.sum() ** 2

        def blurred(image, window=window):
            return convolve2d(image, window, mode="valid")

        if scale > 1:
            first, second = blurred(first)[::2, ::2], blurred(second)[::2, ::2]
        mean, other = blurred(first), blurred(second)
        variance = np.maximum(blurred(first**2) - mean**2, 0)
        other_variance = np.maximum(blurred(second**2) - other**2, 0)
        covariance = blurred(first * second) - mean * other
        gain = covariance / (variance + 1e-10)
        rest = other_variance - gain * covariance
        flat = variance < 1e-10
        gain[flat], rest[flat], variance[flat] = 0, other_variance[flat], 0
        silent = other_variance < 1e-10
        gain[silent] = rest[silent] = 0
        rest[gain < 0] = other_variance[gain < 0]
        gain[gain < 0] = 0
        rest[rest <= 1e-10] = 1e-10
        kept += np.log10(1 + gain**2 * variance / (rest + 2)).sum()
        there += np.log10(1 + variance / 2).sum()
    return kept / there


def haarpsi(reference, output):
    """The authors' HaarPSI.m."""
    yiq = LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)
    halves = [
        [same(plane, np.full((2, 2), 0.25))[::2, ::2] for plane in mixed(image, *yiq)]
        for image in (reference, output)
    ]

    def wavelet(plane, scale, across):
        kernel = np.full((2**scale, 2**scale), 2.0**-scale)
        kernel[: 2 ** (scale - 1)] *= -1
        return np.abs(same(plane, kernel.T if across else kernel))

    def similarity(first, second):
        return (2 * first * second + 30) / (first**2 + second**2 + 30)

    similar, weights = [], []
    for across in (False, True):
        one, two, three = (
            [wavelet(planes[0], scale, across) for planes in halves] for scale in (1, 2, 3)
        )
        similar.append((similarity(*one) + similarity(*two)) / 2)
        weights.append(np.maximum(*three))
    if reference.shape[2] == 3:
        means = [[np.abs(same(p, np.full((2, 2), 0.25))) for p in planes[1:]] for planes in halves]
        similar.append(sum(similarity(*pair) for pair in zip(*means, strict=True)) / 2)
        weights.append((weights[0] + weights[1]) / 2)
    weighted = [weight / (1 + np.exp(-4.2 * s)) for s, weight in zip(similar, weights, strict=True)]
    mean = np.sum(weighted) / np.sum(weights)
    return (math.log(mean / (1 - mean)) / 4.2) ** 2


def mdsi(reference, output):
    """The authors' MDSI.m."""
    if reference.shape[2] == 1:
        reference, output = (np.repeat(image, 3, axis=2) for image in (reference, output))
    factor = max(1, math.floor(min(reference.shape[:2]) / 256 + 0.5))
    mean = np.full((factor, factor), 1 / factor**2)
    lhm = (0.2989, 0.587, 0.114), (0.3, 0.04, -0.35), (0.34, -0.6, 0.17)
    (l1, h1, m1), (l2, h2, m2) = (
        mixed(
            np.dstack([same(c, mean)[::factor, ::factor] for c in np.moveaxis(image, 2, 0)]), *lhm
        )
        for image in (reference, output)
    )
    slope, other, fused = (magnitude(plane) for plane in (l1, l2, (l1 + l2) / 2))

    def similarity(first, second, constant):
        return (2 * first * second + constant) / (first**2 + second**2 + constant)

    by_slope = similarity(slope, other, 140)
    by_slope += similarity(other, fused, 55) - similarity(slope, fused, 55)
    by_colour = (2 * (h1 * h2 + m1 * m2) + 550) / (h1**2 + h2**2 + m1**2 + m2**2 + 550)
    root = (0.6 * by_slope + 0.4 * by_colour).astype(complex) ** 0.25
    return np.abs(root - root.mean()).mean() ** 0.25


def ms_gmsd(reference, output):
    """The paper's formula, without colour."""
    (first,), (second,) = (mixed(image, LUMA) for image in (reference, output))
    total = 0.0
    for scale, weight in enumerate((0.096, 0.596, 0.289, 0.019)):
        if scale:
            first, second = (
                same(plane, np.full((2, 2), 0.25))[::2, ::2] for plane in (first, second)
            )
        g1, g2 = magnitude(first), magnitude(second)
        similar = (1.5 * g1 * g2 + 170) / (g1**2 + g2**2 - 0.5 * g1 * g2 + 170)
        total += weight * similar.var()
    return math.sqrt(total)


ORACLES = {"vifp": vifp, "haarpsi": haarpsi, "mdsi": mdsi, "ms-gmsd": ms_gmsd}
SIZES = [(64, 64), (57, 75), (76, 49), (41, 43)]


def function_of(name):
    return getattr(functional, name.replace("-", "_"))


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_values_are_those_of_the_authors_script(name, channels, size):
    pair = pixels(*size, channels)
    given = function_of(name)(*map(tensor, pair)).item()
    assert given == pytest.approx(ORACLES[name](*pair), rel=1e-6)


def test_mdsi_of_large_images_averages_first():
    reference = np.array(data.coffee()[:390, :401]).astype(np.int64)
    output = np.roll(reference, 1, axis=0)
    given = functional.mdsi(tensor(reference), tensor(output)).item()
    assert given == pytest.approx(mdsi(reference, output), rel=1e-9)


# python -c: piq.vif_p, haarpsi, mdsi, multi_scale_gmsd of (output, reference) = pixels(57, 75), and
# of their first channels alone; float64.
RECORDED = {
    "vifp": (0.429802109464, 0.339450769095),
    "haarpsi": (0.855439416691, 0.74834878217),
    "mdsi": (0.390385210486, 0.382601070491),
    "ms-gmsd": (0.068575569645, 0.100949286563),
}


def within(name, channels):
    """piq has other coefficients of I and Q, and adds 1e-8 to both sums of VIF."""
    return 1e-3 if (name, channels) == ("haarpsi", 3) else 1e-6


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("channels", [3, 1])
def test_values_are_those_that_piq_gave(name, channels):
    given = function_of(name)(*map(tensor, pixels(57, 75, channels))).item()
    expected = RECORDED[name][channels == 1]
    assert given == pytest.approx(expected, rel=within(name, channels))


@needs_piq
@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("size", [(96, 97), (300, 131)])
def test_values_are_those_of_piq(name, size):
    import piq

    theirs = {
        "vifp": piq.vif_p,
        "haarpsi": piq.haarpsi,
        "mdsi": piq.mdsi,
        "ms-gmsd": piq.multi_scale_gmsd,
    }[name]
    reference, output = map(tensor, pixels(*size, seed=3))
    expected = theirs(output, reference).item()
    given = function_of(name)(reference, output).item()
    assert given == pytest.approx(expected, rel=within(name, 3))


@pytest.mark.parametrize("memory", [1, 300_000, 2**30])
def test_the_engine_gives_the_same_in_bands_of_any_height(make_scorer, memory):
    pair = pixels(93, 71)
    pictures = [Picture(p.astype(np.uint8), digest="", name="made", bytes=0) for p in pair]
    (found,) = make_scorer(list(ORACLES), memory=memory).score(
        Batch(pictures[:1], pictures[1:], [0])
    )
    for name, oracle in ORACLES.items():
        assert found[name].value == pytest.approx(oracle(*pair), rel=2e-5), name


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_flat_images_have_the_value_of_equal_ones_or_none(make_scorer, name, value):
    flat = np.full((48, 48, 3), int(value * 255), np.uint8)
    picture = Picture(flat, digest="", name="made", bytes=0)
    (found,) = make_scorer([name]).score(Batch([picture], [picture], [0]))
    if name == "vifp":
        assert found[name].error == "undefined: the reference is flat"
    elif name == "haarpsi" and value == 0:
        assert found[name].error == "undefined: both images are black"
    else:
        assert found[name].value == pytest.approx(float(name == "haarpsi"), abs=1e-5)


@pytest.mark.parametrize("name", ORACLES)
def test_equal_images_have_the_perfect_value_and_finite_gradients(name):
    reference, output = map(tensor, pixels(48, 50))
    perfect = float(name in ("vifp", "haarpsi"))
    assert function_of(name)(reference, reference).item() == pytest.approx(perfect, abs=1e-6)
    for image in (reference, output):
        leaf = image.clone().requires_grad_()
        function_of(name)(reference, leaf).sum().backward()
        assert leaf.grad.isfinite().all()


@pytest.mark.parametrize(("name", "side"), [("vifp", 41), ("haarpsi", 16), ("ms-gmsd", 17)])
def test_smaller_images_are_refused_with_the_size_that_is_needed(name, side):
    image = torch.rand(1, 3, side, side)
    assert function_of(name)(image, image).isfinite().all()
    with pytest.raises(IqbenchError, match=f"needs at least {side}x{side}"):
        function_of(name)(image[:, :, 1:], image[:, :, 1:])


@pytest.mark.parametrize("name", ORACLES)
def test_mdsi_alone_takes_whole_images(name):
    (request,) = resolve_metrics([name])
    assert request.needs_whole_images == (name == "mdsi")
