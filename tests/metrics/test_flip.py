"""FLIP against the authors' program, and the formula written out in two dimensions on scipy."""

import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.functional import flip, flip_map
from iqbench.images.picture import Picture
from iqbench.metrics._registry import resolve_metrics

# 0.5 m before a monitor of 0.6 m and 2560 pixels.
NEAR = {"distance": 0.5, "width": 0.6, "pixels": 2560}


def pixels(height, width, channels=3):
    """A crop of a photograph, and one that is shifted on one side and noisy on the other."""
    reference = data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels].astype(np.int64)
    output = reference + np.random.default_rng(0).integers(-40, 41, reference.shape)
    output[:, : width // 2] = np.roll(reference, 2, 0)[:, : width // 2]
    return reference, output.clip(0, 255)


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


RGB_TO_XYZ = np.array(
    [
        [10135552 / 24577794, 8788810 / 24577794, 4435075 / 24577794],
        [2613072 / 12288897, 8788810 / 12288897, 887015 / 12288897],
        [1425312 / 73733382, 8788810 / 73733382, 70074185 / 73733382],
    ]
)
WHITE = RGB_TO_XYZ.sum(1)


def hunt(linear):
    """Hunt-adjusted CIELAB of linear RGB, (3, ...)."""
    xyz = np.tensordot(RGB_TO_XYZ, linear, 1) / WHITE.reshape(3, *[1] * (linear.ndim - 1))
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    light = 116 * y - 16
    return np.array([light, 0.01 * light * 500 * (x - y), 0.01 * light * 200 * (y - z)])


def hyab(first, second):
    light, a, b = first - second
    return np.abs(light) + np.hypot(a, b)


def oracle(reference, output, ppd=0.7 * 3840 / 0.7 * math.pi / 180):
    """LDRFLIPLoss of the paper's code: each filter as a square of weights."""
    reach = math.ceil(3 * math.sqrt(0.04 / (2 * math.pi**2)) * ppd)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1] / ppd

    def sensitivity(*parts):
        kernel = sum(
            a * math.sqrt(math.pi / b) * np.exp(-(math.pi**2) * (x**2 + y**2) / b) for a, b in parts
        )
        return kernel / kernel.sum()

    blurs = [
        sensitivity(*parts)
        for parts in ([(1, 0.0047)], [(1, 0.0053)], [(34.1, 0.04), (13.5, 0.025)])
    ]
    deviation = 0.5 * 0.082 * ppd
    reach = math.ceil(3 * deviation)
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    gauss = np.exp(-(u**2 + v**2) / (2 * deviation**2))
    edge, point = -u * gauss, (u**2 / deviation**2 - 1) * gauss
    detectors = [
        np.where(kernel > 0, kernel / kernel[kernel > 0].sum(), kernel / -kernel[kernel < 0].sum())
        for kernel in (edge, point)
    ]

    def seen(image):
        planes = np.moveaxis(np.broadcast_to(image / 255, (*image.shape[:2], 3)), 2, 0)
        linear = np.where(planes > 0.04045, ((planes + 0.055) / 1.055) ** 2.4, planes / 12.92)
        x, y, z = np.tensordot(RGB_TO_XYZ, linear, 1) / WHITE[:, None, None]
        light, cx, cz = (
            correlate(plane, kernel, mode="nearest")
            for plane, kernel in zip((y, x - y, y - z), blurs, strict=True)
        )
        xyz = np.array([light + cx, light, light - cz]) * WHITE[:, None, None]
        linear = np.tensordot(np.linalg.inv(RGB_TO_XYZ), xyz, 1).clip(0, 1)
        features = [
            np.hypot(correlate(y, k, mode="nearest"), correlate(y, k.T, mode="nearest"))
            for k in detectors
        ]
        return hunt(linear), features

    (lab, features), (other, others) = seen(reference), seen(output)
    largest = hyab(hunt(np.array([0.0, 1, 0])), hunt(np.array([0.0, 0, 1]))) ** 0.7
    colour, knee = hyab(lab, other) ** 0.7, 0.4 * largest
    above = 0.95 + (colour - knee) / (largest - knee) * 0.05
    colour = np.where(colour < knee, 0.95 / knee * colour, above)
    feature = np.max([np.abs(a - b) for a, b in zip(features, others, strict=True)], axis=0)
    return colour ** (1 - np.sqrt(feature / math.sqrt(2)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 64), (57, 76), (9, 40), (3, 2), (1, 1)])
def test_maps_are_those_of_the_formula(channels, size):
    pair = pixels(*size, channels)
    expected = oracle(*pair)
    found = flip_map(*map(tensor, pair))
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=2e-6)
    assert flip(*map(tensor, pair)).item() == pytest.approx(expected.mean(), abs=1e-6)


# flip-evaluator 1.7, the authors' C++: evaluate(*pixels(height, width) / 255, "LDR",
# applyMagma=False, parameters={}, {"ppd": 30.0}, {"ppd": 120.0}, {"vc": [0.5, 2560.0, 0.6]}).
@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        ((57, 76), {}, 0.1333203),
        ((57, 76), {"ppd": 30}, 0.2174896),
        ((57, 76), {"ppd": 120}, 0.1071291),
        ((57, 76), NEAR, 0.1828073),
        ((5, 9), {}, 0.1756781),
        ((5, 9), {"ppd": 30}, 0.2638771),
        ((5, 9), NEAR, 0.2346867),
    ],
)
def test_values_are_those_of_the_authors_program(size, options, expected):
    assert flip(*map(tensor, pixels(*size)), **options).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.skipif(find_spec("flip_evaluator") is None, reason="flip-evaluator is not installed")
@pytest.mark.parametrize("size", [(120, 133), (40, 201)])
@pytest.mark.parametrize("ppd", [20, 67.5])
def test_maps_are_those_of_the_authors_program(size, ppd):
    import flip_evaluator

    pair = pixels(*size)
    floats = [(image / 255).astype(np.float32) for image in pair]
    error, mean, _ = flip_evaluator.evaluate(
        *floats, "LDR", applyMagma=False, parameters={"ppd": ppd}
    )
    found = flip_map(*(torch.from_numpy(one).permute(2, 0, 1)[None] for one in floats), ppd=ppd)
    np.testing.assert_allclose(found[0, 0].numpy(), error[..., 0], atol=5e-5)
    assert found.mean().item() == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("memory", [1, 300_000, 2**30])
@pytest.mark.parametrize("size", [(93, 71), (7, 50)])
@pytest.mark.parametrize("peak", [255, 65535])
def test_the_engine_gives_the_same_in_bands_of_any_height(make_scorer, memory, size, peak):
    pair = pixels(*size)
    kind = {255: np.uint8, 65535: np.uint16}[peak]
    stored = [(image * (peak // 255)).astype(kind) for image in pair]
    pictures = [Picture(image, digest="", name="made", bytes=0) for image in stored]
    scorer = make_scorer(["flip", "flip:ppd=20", "ssim"], memory=memory)
    (found,) = scorer.score(Batch(pictures[:1], pictures[1:], [0]))
    assert found["flip"].value == pytest.approx(oracle(*pair).mean(), abs=5e-6)
    assert found["flip-ppd=20"].value == pytest.approx(oracle(*pair, 20).mean(), abs=5e-6)


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_equal_and_flat_images_have_no_error_and_finite_gradients(level):
    reference, output = map(tensor, pixels(24, 25))
    flat = torch.full_like(reference, level)
    for image in (reference, flat):
        assert flip(image, image).item() == 0
        for other in (reference, output, flat):
            leaf = other.clone().requires_grad_()
            flip(image, leaf).sum().backward()
            assert leaf.grad.isfinite().all()


def test_names_tell_the_options_and_signatures_the_pixels_per_degree():
    specs = "flip", "flip:ppd=30", "flip:distance=0.5,width=0.6,pixels=2560", "flip:distance=1.4"
    columns = [request.column for request in resolve_metrics(specs)]
    assert [column.name for column in columns] == [
        "flip",
        "flip-ppd=30",
        "flip-distance=0.5-width=0.6-pixels=2560",
        "flip-distance=1.4",
    ]
    ppds = [float(dict(column.options)["ppd"]) for column in columns]
    assert ppds == pytest.approx([67.0206, 30, 37.2337, 134.0413], abs=1e-4)
    for column in columns:
        assert resolve_metrics([column.name])[0].column == column


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"ppd": 30, "distance": 1}, "give either ppd, or distance, width and pixels"),
        ({"ppd": 0}, "greater than or equal to 1"),
        ({"distance": 0.001}, "are not between 1 and 1000"),
        ({"width": -1}, "greater than 0"),
    ],
)
def test_contradictions_and_impossible_distances_are_refused(options, why):
    image = torch.rand(1, 3, 8, 8)
    with pytest.raises(IqbenchError, match=why):
        flip(image, image, **options)
