"""The many ways to make one number of red, green and blue, each told from the others."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from made_pairs import pixels, psnr, write_pair
from PIL import Image
from skimage import data
from skimage.color import rgb2gray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from iqbench.explain import explain
from iqbench.explain.gray import to_gray
from iqbench.images.tensors import to_tensor


def opencv_gray(image):
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)


def opencv_luma(image):
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2YCrCb)[..., 0]


def pillow_gray(image):
    return np.array(Image.fromarray(image).convert("L"))


def paper_ssim(first, second):
    return structural_similarity(
        *(first, second),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


def wrapped(first, second):
    """The mistake that NumPy's uint8 invites."""
    return 10 * math.log10(255**2 / np.mean((first - second) ** 2))


def in_double(metric):
    return lambda *images: metric(*(image.astype(np.float64) for image in images))


def rgb2gray_bytes(image):
    return (rgb2gray(image) * 255).astype(np.uint8)


def swapped(image):
    """What cv2.imread gives, made gray as if red came first."""
    return cv2.cvtColor(np.ascontiguousarray(image[..., ::-1]), cv2.COLOR_RGB2GRAY)


GRAYS = [
    (rgb2gray, "psnr", peak_signal_noise_ratio, "rgb but gray as scikit-image's rgb2gray (BT.709)"),
    (rgb2gray, "ssim", structural_similarity, "rgb but gray as scikit-image's rgb2gray (BT.709)"),
    (rgb2gray_bytes, "psnr", in_double(psnr), "rgb2gray, truncated to uint8"),
    (rgb2gray_bytes, "ssim", paper_ssim, "rgb2gray, truncated to uint8"),
    (opencv_gray, "psnr", in_double(psnr), "gray as OpenCV's cvtColor"),
    (opencv_gray, "ssim", structural_similarity, "denoise-gray"),
    (swapped, "psnr", in_double(psnr), "gray as OpenCV's cvtColor, red and blue swapped"),
    (swapped, "ssim", paper_ssim, "full-range Y rounded, red and blue swapped"),
    (pillow_gray, "psnr", in_double(psnr), "gray as Pillow's convert('L')"),
    (opencv_luma, "psnr", in_double(psnr), "Y as OpenCV's cvtColor to YCrCb"),
    (lambda image: image.mean(2), "psnr", psnr, "mean of red, green and blue"),
    (lambda image: image, "psnr", wrapped, "rgb"),
    (opencv_gray, "psnr", wrapped, "gray as OpenCV's cvtColor"),
]


@pytest.mark.parametrize("digits", [3, 6])
@pytest.mark.parametrize(("gray", "metric", "measure", "says"), GRAYS)
def test_grays_of_other_libraries_are_told_apart(cat, gray, metric, measure, says, digits):
    seen = [gray(image) for image in pixels(cat)]
    options = {"data_range": 1} if gray is rgb2gray else {}
    value = f"{measure(*seen, **options):.{digits}f}"
    found = explain(*cat, metric=metric, value=value)
    matching = found[found["reproduces"]]
    assert matching["protocol"].str.contains(says, regex=False).any()
    if digits == 6:
        near = matching.head(4).to_dict("records")
        assert any(says in row["protocol"] for row in near), near


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("gray-opencv", opencv_gray),
        ("gray-opencv-bgr", swapped),
        ("gray-14-bit", opencv_luma),
        ("gray-pillow", pillow_gray),
    ],
)
def test_integer_grays_are_those_of_opencv_and_pillow_to_the_last_bit(name, theirs):
    image = np.random.default_rng(1).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    ours = to_gray(name, to_tensor(image, torch.device("cpu"))) * 255
    assert (ours[0, 0].round().numpy() == theirs(image)).all()


def test_the_range_of_the_output_is_found_with_grays_too(tmp_path):
    # What scikit-image's gallery does, on a picture of little contrast.
    dark = (data.chelsea()[60:188, 100:260] // 3 + 40).astype(np.uint8)
    pair = write_pair(tmp_path, dark)
    seen = [opencv_gray(image) for image in pixels(pair)]
    span = int(seen[1].max()) - int(seen[1].min())
    value = f"{structural_similarity(*seen, data_range=span):.5f}"
    best = explain(*pair, metric="ssim", value=value).iloc[0]
    assert best["metric"] == "ssim-window=uniform"
    assert best["protocol"] == "denoise-gray but peak = max - min of the output"
