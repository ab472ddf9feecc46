"""SSIMULACRA 2.1 against the authors' program, written out with its recursive blur on numpy."""

import numpy as np
import pytest
import torch
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.functional import ssimulacra2
from iqbench.images.picture import Picture
from iqbench.metrics.ssimulacra2 import WEIGHTS

SIGMA, RADIUS = 1.5, 5


def pixels(height, width, channels=3):
    reference = data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels].astype(np.int64)
    noise = np.random.default_rng(0).integers(-25, 26, reference.shape)
    output = (reference + noise).clip(0, 255)
    output[:, : width // 2] = np.roll(reference, 1, 0)[:, : width // 2]
    return reference, output


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def recursion():
    """n2 and d1 of libjxl's CreateRecursiveGaussian (Charalampidis 2016, equations 33 to 57)."""
    omega = np.array([1, 3, 5]) * np.pi / (2 * RADIUS)
    signs = np.array([1, -1, 1])
    p = signs / np.tan(omega / 2)
    r = signs * p**2 / np.sin(omega)
    rho = np.exp(-(SIGMA**2) * omega**2 / 2) / RADIUS
    d13, d35, d51 = (p[i] * r[j] - r[i] * p[j] for i, j in ((0, 1), (1, 2), (2, 0)))
    last = np.array([d35 / d13, d51 / d13, 1])
    beta = np.linalg.solve(np.array([p, r, last]), [1, RADIUS**2 - SIGMA**2, last @ rho])
    return -beta * np.cos(omega * (RADIUS + 1)), -2 * np.cos(omega)


def blur(plane):
    """The recursive filter along both axes, zeros outside the image."""
    n2, d1 = recursion()
    for _ in range(2):
        size, lines = plane.shape
        padded = np.zeros((size + 4 * RADIUS, lines))
        padded[2 * RADIUS : 2 * RADIUS + size] = plane
        out = np.zeros(plane.shape)
        before, earlier = np.zeros((3, lines)), np.zeros((3, lines))
        for n in range(-RADIUS + 1, size):
            left, right = (padded[2 * RADIUS + n + step] for step in (-RADIUS - 1, RADIUS - 1))
            now = n2[:, None] * (left + right) - d1[:, None] * before - earlier
            before, earlier = now, before
            if n >= 0:
                out[n] = now.sum(0)
        plane = out.T
    return plane


def xyb(linear):
    absorbed = [
        (0.3, 0.622, 0.078),
        (0.23, 0.692, 0.078),
        (0.24342268924547819, 0.20476744424496821, 0.55180986650955360),
    ]
    bias = 0.0037930732552754493
    long, middle, short = np.cbrt(linear @ np.array(absorbed).T + bias).transpose(
        2, 0, 1
    ) - np.cbrt(bias)
    luma = (long + middle) / 2
    return 14 * (long - middle) / 2 + 0.42, luma + 0.01, short - luma + 0.55


def oracle(reference, output):
    """ssimulacra2.cc, version 2.1."""

    def linear(image):
        image = np.broadcast_to(image / 255, (*image.shape[:2], 3))
        return np.where(image > 0.04045, ((image + 0.055) / 1.055) ** 2.4, image / 12.92)

    def halved(image):
        image = np.pad(image, [(0, side % 2) for side in image.shape[:2]] + [(0, 0)], mode="edge")
        return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4

    pair, norms = [linear(reference), linear(output)], []
    for scale in range(6):
        if min(pair[0].shape[:2]) < 8:
            break
        pair = [halved(image) for image in pair] if scale else pair
        for first, second in zip(*map(xyb, pair), strict=True):
            mean, other = blur(first), blur(second)
            upper = 2 * (blur(first * second) - mean * other) + 0.0009
            lower = blur(first**2) - mean**2 + blur(second**2) - other**2 + 0.0009
            structure = np.maximum(1 - (1 - (mean - other) ** 2) * upper / lower, 0)
            edges = (1 + np.abs(second - other)) / (1 + np.abs(first - mean)) - 1
            maps = structure, np.maximum(edges, 0), np.maximum(-edges, 0)
            norms.append([[m.mean() for m in maps], [(m**4).mean() ** 0.25 for m in maps]])
    by_scale = np.array(norms).reshape(-1, 3, 6).transpose(1, 0, 2).ravel()
    error = 0.9562382616834844 * by_scale @ np.array(WEIGHTS[: len(by_scale)])
    error = (
        2.326765642916932 * error
        - 0.020884521182843837 * error**2
        + 6.248496625763138e-05 * error**3
    )
    return 100 - 10 * error**0.6276336467831387 if error > 0 else 100


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (16, 17), (33, 47), (64, 70), (9, 150)])
def test_values_are_those_of_the_authors_program(channels, size):
    pair = pixels(*size, channels)
    given = ssimulacra2(*map(tensor, pair)).item()
    assert given == pytest.approx(oracle(*pair), abs=1e-7)


def test_all_six_scales_count():
    pair = pixels(257, 260)
    assert ssimulacra2(*map(tensor, pair)).item() == pytest.approx(oracle(*pair), abs=1e-7)
    assert len(WEIGHTS) == 108


@pytest.mark.parametrize(
    ("size", "expected"), [((33, 47), -46.328295091), ((257, 260), 19.779767598)]
)
def test_values_are_those_that_another_implementation_gave(size, expected):
    # frame-analytics 0.7.0: ssimulacra2(reference, output, data_range=1.0), float64 tensors.
    assert ssimulacra2(*map(tensor, pixels(*size))).item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("memory", [1, 300_000, 2**30])
@pytest.mark.parametrize("size", [(93, 71), (34, 40)])
def test_the_engine_gives_the_same_in_bands_of_any_height(make_scorer, memory, size):
    pair = pixels(*size)
    pictures = [Picture(p.astype(np.uint8), digest="", name="made", bytes=0) for p in pair]
    scorer = make_scorer(["ssimulacra2"], memory=memory)
    (found,) = scorer.score(Batch(pictures[:1], pictures[1:], [0]))
    assert found["ssimulacra2"].value == pytest.approx(oracle(*pair), abs=2e-3)


@pytest.mark.parametrize("level", [0, 0.4, 1])
def test_flat_images_have_a_value_and_gradients(level):
    flat = torch.full((1, 3, 20, 21), float(level), dtype=torch.float64)
    assert ssimulacra2(flat, flat).item() == 100
    for image in (flat, torch.rand_like(flat)):
        leaf = image.clone().requires_grad_()
        ssimulacra2(flat, leaf).sum().backward()
        assert leaf.grad.isfinite().all()


def test_the_reference_is_the_first():
    reference, output = map(tensor, pixels(40, 41))
    assert abs(ssimulacra2(reference, output) - ssimulacra2(output, reference)) > 0.01


def test_smaller_images_are_refused_with_the_size_that_is_needed():
    with pytest.raises(IqbenchError, match="needs at least 8x8"):
        ssimulacra2(torch.rand(1, 3, 7, 30), torch.rand(1, 3, 7, 30))
