"""The many conversions of red, green and blue to gray are told apart."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from made_pairs import judged, pixels, psnr, write_pair
from PIL import Image
from skimage import data
from skimage.color import rgb2gray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from iqbench.explain import explain
from iqbench.explain.gray import to_gray
from iqbench.images.tensors import to_tensor
from iqbench.images.write import write_png


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
    found = judged(cat, metric, value)
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


def cited_gt_mean(conversion):
    """PSNR after the output was scaled to the reference's mean of a gray."""

    def measure(reference, output):
        images = [np.float32(image) / 255 for image in (reference, output)]
        means = [conversion(image).mean(dtype=np.float64) for image in images]
        bright = np.clip(images[1] * (means[0] / means[1]), 0, 1)
        return psnr(reference.astype(float), bright * 255.0)

    return measure


@pytest.mark.parametrize(
    ("conversion", "says"),
    [
        (lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), "lowlight-gtmean"),
        (lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), "lowlight-gtmean-rgb"),
        (np.asarray, "rgb but brightness of the reference (GT-mean of all channels)"),
    ],
    ids=["red and blue exchanged", "in their places", "mean of all"],
)
def test_every_way_to_scale_to_the_brightness_of_the_reference_is_named(tmp_path, conversion, says):
    reference = data.astronaut()[:96, :112]
    output = (reference * [0.55, 0.62, 0.8]).round().astype(np.uint8)
    files = tmp_path / "reference.png", tmp_path / "output.png"
    for path, image in zip(files, (reference, output), strict=True):
        write_png(path, image)
    value = f"{cited_gt_mean(conversion)(reference, output):.5f}"
    best = explain(*files, metric="psnr", value=value).iloc[0]
    assert best["reproduces"]
    assert best["protocol"] == says


class TestGrayFiles:
    """MATLAB's Y of a gray file: its values, or those of three equal channels."""

    GRAY = data.camera()[100:180, 200:296]

    @pytest.fixture
    def files(self, tmp_path):
        noise = np.random.default_rng(0).normal(0, 8, self.GRAY.shape)
        output = np.clip(self.GRAY + noise, 0, 255).round().astype(np.uint8)
        colour = data.astronaut()[:80, 100:196]
        for name, image in (("g", self.GRAY), ("o", output)):
            write_png(tmp_path / f"{name}.png", image[..., None])
        write_png(tmp_path / "o3.png", np.dstack([output] * 3))
        write_png(tmp_path / "colour.png", colour)
        self.images = self.GRAY.astype(float), output.astype(float), colour.astype(float)
        return tmp_path

    @pytest.mark.parametrize("output", ["o", "o3"])
    def test_both_are_told_apart_by_their_presets(self, files, output):
        reference, noisy, _ = (image[4:-4, 4:-4] for image in self.images)
        for value, protocol in (
            (psnr(reference, noisy), "sr-y-rounded:scale=4"),
            (psnr(16 + reference * 219 / 255, 16 + noisy * 219 / 255), "sr-y:scale=4"),
        ):
            pair = files / "g.png", files / f"{output}.png"
            best = judged(pair, "psnr", f"{value:.5f}", 4).iloc[0]
            assert best["reproduces"]
            assert best["protocol"].startswith(protocol)

    @pytest.mark.parametrize("output", ["o", "o3"])
    def test_both_readings_of_a_gray_output_are_tried(self, files, output):
        _, noisy, colour = (image[4:-4, 4:-4] for image in self.images)
        luma = 16 + colour @ [65.481, 128.553, 24.966] / 255
        pair = files / "colour.png", files / f"{output}.png"
        for read, gray in ((noisy, "keep"), (16 + noisy * 219 / 255, "expand")):
            value = f"{psnr(luma, read):.5f}"
            best = judged(pair, "psnr", value, 4).iloc[0]
            assert best["reproduces"]
            assert (best["colour"], best["gray"]) == ("luma-studio", gray)
            other = "expand" if gray == "keep" else "luma"
            told = explain(*pair, metric="psnr", value=value, scale=4, gray_output=other)
            assert not told["reproduces"].any()
