"""PIQE against MATLAB's function, written out block by block, and pypiqe."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.functional import piqe
from iqbench.images.picture import Picture


def tensor(image):
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].double() / 255


def photograph(height, width, channels=3):
    return data.astronaut()[90 : 90 + height, 120 : 120 + width, :channels]


def blurred(image):
    mixed = sum(np.roll(image.astype(int), shift, axis) for shift in range(4) for axis in (0, 1))
    return (mixed // 8).astype(np.uint8)


def noisy(image, size=30):
    noise = np.random.default_rng(0).integers(-size, size + 1, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


def blocky(image):
    """Each block of 8x8 is its mean: what strong compression leaves."""
    found = image.copy()
    for top in range(0, image.shape[0], 8):
        for left in range(0, image.shape[1], 8):
            found[top : top + 8, left : left + 8] = image[top : top + 8, left : left + 8].mean(
                (0, 1)
            )
    return found


def oracle(image):
    """piqe.m, its loops and all."""
    weights = np.array([299, 587, 114] if image.shape[2] == 3 else [1000])
    plane = (image.astype(int) @ weights + 500) // 1000
    plane = np.pad(plane, [(0, -side % 16) for side in plane.shape], mode="symmetric")
    plane = np.floor(255 * plane / max(plane.max(), 1) + 0.5)
    line = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))

    def smooth(values):
        for axis in (0, 1):
            values = correlate1d(values, line / line.sum(), axis, mode="nearest")
        return values

    mean = smooth(plane)
    plane = (plane - mean) / (np.sqrt(np.abs(smooth(plane**2) - mean**2)) + 1)
    score, active = 0.0, 0
    for top in range(0, plane.shape[0], 16):
        for left in range(0, plane.shape[1], 16):
            block = plane[top : top + 16, left : left + 16]
            variance = block.var(ddof=1)
            if variance <= 0.1:
                continue
            active += 1
            edges = block[0], block[:, 15], block[15], block[:, 0]
            if any(edge[i : i + 6].std(ddof=1) < 0.1 for edge in edges for i in range(11)):
                score += 1 - variance
            surround = np.delete(np.delete(block, 7, axis=1), 8, axis=1)
            ratio = block[:, 7:9].std(ddof=1) / surround.std(ddof=1)
            sigma = np.sqrt(variance)
            if sigma > 2 * abs(sigma - ratio) / max(sigma, ratio):
                score += variance
    return (score + 1) / (1 + active) * 100


CHANGES = {"as it is": lambda image: image, "blur": blurred, "noise": noisy, "blocks": blocky}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(96, 128), (57, 75), (16, 16), (5, 9), (1, 1), (40, 17)])
@pytest.mark.parametrize("change", CHANGES)
def test_values_are_those_of_matlabs_function(channels, size, change):
    image = CHANGES[change](photograph(*size, channels))
    assert piqe(tensor(image)).item() == pytest.approx(oracle(image), abs=1e-9)


@pytest.mark.parametrize(
    ("change", "expected"),
    [("as it is", 25.455926), ("blur", 62.156701), ("noise", 48.651810), ("blocks", 84.777522)],
)
def test_values_are_those_that_pypiqe_gave(change, expected):
    # pypiqe 1.2: piqe(image[..., ::-1]) of photograph(240, 250), changed; its values for the five
    # images that pyiqa publishes with MATLAB's are MATLAB's (21.62, 35.86, 41.15, 76.95, 100). Its
    # luma is OpenCV's, which rounds single pixels otherwise.
    image = CHANGES[change](photograph(240, 250))
    assert piqe(tensor(image)).item() == pytest.approx(expected, abs=1e-3)


def test_dark_images_are_brightened_first():
    image = photograph(64, 64) // 3
    assert piqe(tensor(image)).item() == pytest.approx(oracle(image), abs=1e-9)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_flat_images_have_100(level):
    assert piqe(tensor(np.full((40, 33, 3), level, np.uint8))).item() == 100


def test_each_image_of_a_batch_has_its_own_value():
    images = [tensor(photograph(64, 80)), tensor(noisy(photograph(64, 80))) / 2]
    assert piqe(torch.cat(images)).tolist() == [piqe(image).item() for image in images]


@pytest.mark.parametrize("peak", [255, 65535])
@pytest.mark.parametrize("memory", [1, 2**30])
def test_the_engine_gives_the_same_and_needs_no_reference(make_scorer, memory, peak):
    image = noisy(photograph(93, 71))
    stored = (image.astype(int) * (peak // 255)).astype({255: np.uint8, 65535: np.uint16}[peak])
    output = Picture(stored, digest="", name="made", bytes=0)
    other = Picture(np.zeros_like(stored), digest="", name="made", bytes=0)
    (found,) = make_scorer(["piqe"], memory=memory).score(Batch([other], [output], [0]))
    assert found["piqe"].value == pytest.approx(oracle(image), abs=1e-6)


def test_an_image_with_nan_has_no_value():
    image = tensor(photograph(40, 48))
    image[0, 0, 20, 20] = torch.nan
    assert piqe(image).isnan().all()
