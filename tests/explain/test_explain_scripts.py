"""Scripts of published repositories, written a second time: explain names each from four digits.

Sources and commits are in `iqbench/explain/libraries`, except where a test names its own.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_pairs import measured, psnr
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity
from skimage.util import img_as_ubyte
from torchvision.transforms.functional import rgb_to_grayscale

from iqbench.explain import answer
from iqbench.explain.convention import Convention
from iqbench.explain.evidence import Evidence
from iqbench.explain.files import read_pair
from iqbench.explain.gray import to_gray
from iqbench.explain.joint import share_cause
from iqbench.explain.search import _family, judge
from iqbench.explain.value import Reported
from iqbench.images import degrade
from iqbench.images.source import FileSource
from iqbench.images.tensors import to_tensor
from iqbench.images.write import write_png

SCALE = 4  # others are not tried, which takes half of the time
PAPER = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 255}


def dim_pairs():
    """Return references and outputs that are darker, different in content, blur and noise."""
    photographs = [data.astronaut(), data.chelsea(), data.coffee()]
    for place, image in enumerate(photographs):
        reference = image[10 + 37 * place :, 60 + 23 * place :][:65, :80].copy()
        blurred = degrade.gaussian_blur(reference, 0.6 + 0.2 * place)
        noisy = degrade.gaussian_noise(blurred, 4 + 2 * place, seed=place)
        yield reference, np.clip(noisy * [0.7, 0.76, 0.85] + 9, 0, 255).round().astype(np.uint8)


def write(folder, pairs):
    for name in ("references", "outputs"):
        (folder / name).mkdir()
    for place, images in enumerate(pairs):
        for name, image in zip(("references", "outputs"), images, strict=True):
            write_png(folder / name / f"{place}.png", image)
    return folder / "references", folder / "outputs"


@pytest.fixture(scope="module")
def surveys(tmp_path_factory):
    """Measure the pairs once by each metric."""
    folders = write(tmp_path_factory.mktemp("scripts"), dim_pairs())
    return {metric: measured(*folders, metric, SCALE) for metric in ("psnr", "ssim")}


def asked(surveys, metric, measure, pairs=None):
    """Return the table for the values of all pairs, printed with four digits."""
    survey, grid, columns = surveys[metric]
    values = [f"{measure(*pair):.4f}" for pair in pairs or dim_pairs()]
    error = _family(metric).float_error
    reported = {place: Reported.parse(value, error) for place, value in enumerate(values)}
    survey.evidence = Evidence(metric, None, reported)
    return share_cause([judge(survey, grid, survey.evidence, scale=SCALE, columns=columns)])


def of(convert, metric):
    """Convert both images, then measure them in float64."""
    return lambda *images: metric(*(np.asarray(convert(i), np.float64) for i in images))


def grays(conversion):
    return lambda image: cv2.cvtColor(image, conversion)


def pillow(mode):
    return lambda image: np.atleast_3d(Image.fromarray(image).convert(mode))[..., 0]


def srcnn(image):
    return 16 + image @ [64.738 / 256, 129.057 / 256, 25.064 / 256]


def short(image):
    """The rgb2gray of many answers and tutorials."""
    return image @ [0.2989, 0.587, 0.114]


def rounded_by_numpy(image):
    red, green, blue = image.astype(np.float64).transpose(2, 0, 1)
    return np.round(0.299 * red + 0.587 * green + 0.114 * blue)


def uniform(**options):
    return lambda *images: structural_similarity(*images, data_range=255, **options)


def columns(*images):
    """What `multichannel=True` made of gray images: each column is compared alone."""
    pairs = zip(*(image.T for image in images), strict=True)
    return np.mean([structural_similarity(*pair, data_range=255) for pair in pairs])


paper = partial(structural_similarity, **PAPER)
paper_rgb = partial(structural_similarity, channel_axis=2, **PAPER)


def brightened(reference_gray, output_gray, metric, stored=np.asarray):
    """Scale the output to the mean brightness of the reference, and clip it."""

    def measure(reference, output):
        gain = reference_gray(reference).mean() / output_gray(output).mean()
        return metric(reference.astype(np.float64), stored(np.clip(output * gain, 0, 255)))

    return measure


def swapped(image):
    return cv2.cvtColor(np.float32(image), cv2.COLOR_BGR2GRAY)


def rounded(image):
    return img_as_ubyte(image / 255).astype(np.float64)


def peak(span, metric):
    return lambda *images: metric(*(i.astype(np.float64) for i in images), float(span(*images)))


def psnr_with(reference, output, span):
    return 10 * np.log10(span**2 / np.mean((reference - output) ** 2))


def ssim_with(reference, output, span):
    return structural_similarity(reference, output, channel_axis=2, data_range=span)


def kornia(size):
    """kornia's SSIM; the default border of OpenCV is its mirrored one."""

    def measure(reference, output):
        def mean(image):
            return cv2.GaussianBlur(image, (size, size), 1.5)

        x, y = reference.astype(np.float64), output.astype(np.float64)
        m, n = mean(x), mean(y)
        both, energy = 2 * (mean(x * y) - m * n), mean(x * x) + mean(y * y) - m * m - n * n
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        return np.mean((2 * m * n + c1) * (both + c2) / ((m * m + n * n + c1) * (energy + c2)))

    return measure


def scipy_ssim(border, sample):
    """SSIM by SciPy's Gaussian filter of each channel, which has 13 values."""

    def measure(*images):
        x, y = (image.astype(np.float64) for image in images)
        m, n, mm, nn, mn = (gaussian_filter(i, (1.5, 1.5, 0)) for i in (x, y, x * x, y * y, x * y))
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        above = (2 * m * n + c1) * (2 * sample * (mn - m * n) + c2)
        below = (m * m + n * n + c1) * (sample * (mm + nn - m * m - n * n) + c2)
        height, width = x.shape[:2]
        return np.mean((above / below)[border : height - border, border : width - border])

    return measure


def gray(image):
    return image @ [0.299, 0.587, 0.114]


RGB, YCRCB = cv2.COLOR_RGB2GRAY, cv2.COLOR_RGB2YCrCb
SCRIPTS = [
    ("psnr", of(pillow("YCbCr"), psnr), "Pillow's convert('YCbCr')"),
    ("ssim", of(pillow("YCbCr"), uniform()), "Pillow's convert('YCbCr')"),
    ("ssim", of(pillow("YCbCr"), paper), "Pillow's convert('YCbCr')"),
    ("psnr", of(srcnn, psnr), "SRCNN-pytorch"),
    ("ssim", of(srcnn, paper), "SRCNN-pytorch"),
    ("psnr", of(short, psnr), "torchvision's rgb_to_grayscale"),
    ("psnr", of(rounded_by_numpy, psnr), "as NumPy rounds"),
    ("psnr", of(lambda i: grays(YCRCB)(i)[..., 0], psnr), "OpenCV's cvtColor to YCrCb"),
    (
        "psnr",  # jinyeying/night-enhancement demo.py, if its images are RGB
        of(lambda i: cv2.cvtColor(i, cv2.COLOR_BGR2YCrCb)[..., 0], psnr),
        "OpenCV's cvtColor to YCrCb, red and blue swapped",
    ),
    ("ssim", of(grays(cv2.COLOR_BGR2GRAY), uniform()), "BGR2GRAY of RGB (a mistake)"),
    ("psnr", of(rgb2gray, partial(psnr_with, span=1)), "EdgeConnect metrics.py's PSNR"),
    (
        "ssim",
        of(rgb2gray, partial(structural_similarity, data_range=1, win_size=51)),
        "EdgeConnect metrics.py's SSIM",
    ),
    ("ssim", uniform(channel_axis=2, win_size=3), "win_size=3"),
    ("ssim", uniform(channel_axis=2, win_size=5), "win_size=5"),
    ("ssim", uniform(channel_axis=2, win_size=9), "win_size=9"),
    ("ssim", of(grays(RGB), uniform(win_size=5)), "denoise-gray"),
    ("ssim", kornia(3), "nerf_pl ssim"),
    ("ssim", kornia(5), "kornia ssim (window_size=5)"),
    ("ssim", kornia(11), "kornia ssim (window_size=11)"),
    ("ssim", of(grays(RGB), columns), "LLFlow Measure.py's SSIM"),
    ("psnr", brightened(grays(RGB), grays(RGB), psnr), "HVI-CIDNet measure.py's PSNR"),
    ("ssim", brightened(swapped, swapped, paper_rgb, rounded), "Retinexformer"),
    ("psnr", brightened(swapped, np.asarray, psnr, np.trunc), "LLFlow test.py's PSNR"),
    ("psnr", brightened(gray, gray, psnr, np.trunc), "GSAD test.py's PSNR"),
    ("ssim", brightened(gray, gray, uniform(channel_axis=2), np.trunc), "GSAD test.py's SSIM"),
    ("psnr", brightened(np.asarray, np.asarray, psnr, np.trunc), "PyDiff calculate_psnr"),
    (
        "ssim",
        scipy_ssim(5, 1),
        "compare_ssim (gaussian_weights, use_sample_covariance=False, older",
    ),
    ("ssim", scipy_ssim(5, 121 / 120), "compare_ssim (gaussian_weights, older versions)"),
    ("ssim", scipy_ssim(0, 25 / 24), "FUnIE-GAN getSSIM"),
    ("psnr", brightened(np.asarray, np.asarray, psnr), "LYT-Net test.py's PSNR"),
    ("ssim", brightened(np.asarray, np.asarray, kornia(11)), "LYT-Net test.py's SSIM"),
    ("psnr", peak(lambda r, o: o.max(), psnr_with), "maximum of the output"),
    ("ssim", peak(lambda r, o: o.max(), ssim_with), "maximum of the output"),
    (
        "ssim",
        peak(lambda r, o: max(r.max(), o.max()) - min(r.min(), o.min()), ssim_with),
        "max - min of the two together",
    ),
]


@pytest.mark.parametrize(("metric", "measure", "says"), SCRIPTS, ids=[s[2] for s in SCRIPTS])
def test_a_script_is_named(surveys, metric, measure, says):
    frame = asked(surveys, metric, measure)
    best = frame.iloc[0]
    assert best["reproduces"]
    assert says in f"{best['protocol']}; {best['library']}"
    assert answer(frame).verdict in ("explained", "ambiguous")


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("gray-pillow-ycbcr", pillow("YCbCr")),
        ("gray-14-bit-bgr", lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)[..., 0]),
        ("gray-14-bit-bgr", lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2YUV)[..., 0]),
        ("gray-numpy", rounded_by_numpy),
    ],
)
def test_integer_lumas_are_those_of_their_libraries_to_the_last_bit(name, theirs):
    image = np.random.default_rng(1).integers(0, 256, (256, 300, 3)).astype(np.uint8)
    image[:, 0] = np.arange(256)[:, None]  # gray
    ours = to_gray(name, to_tensor(image, torch.device("cpu"))) * 255
    assert (ours[0, 0].double().round().numpy() == theirs(image)).all()


def test_torchvision_truncates_the_gray_of_bytes():
    image = torch.from_numpy(np.random.default_rng(2).integers(0, 256, (3, 90, 100), np.uint8))
    ours = to_gray("luma-2989-truncated", image[None] / 255)[0] * 255
    # Where the sum is an integer, float32 decides.
    assert (ours.round() == rgb_to_grayscale(image)).float().mean() > 0.999


def test_odd_sides_are_halved_by_means_that_overlap(tmp_path):
    reference = data.astronaut()[:391, :405].copy()
    images = reference, degrade.gaussian_blur(reference, 1.0)
    sources = tmp_path / "r.png", tmp_path / "o.png"
    for path, image in zip(sources, images, strict=True):
        write_png(path, image)
    small = [
        F.adaptive_avg_pool2d(torch.from_numpy(image).permute(2, 0, 1).double(), (195, 202))
        for image in images
    ]
    theirs = paper_rgb(*(image.permute(1, 2, 0).numpy() for image in small))
    pair = read_pair(tuple(map(FileSource, sources)), [1])
    ours = _family("ssim").measure(pair, Convention("ssim, adaptive means"))
    assert ours == pytest.approx(theirs, abs=1e-6)


def with_an_equal_one():
    """Return three pairs, of which one output equals its reference."""
    first, second, third = ([image[:40, :48] for image in pair] for pair in dim_pairs())
    return [first, [second[0], second[0]], third]


@pytest.fixture(scope="module")
def equal(tmp_path_factory):
    """Measure them once by each metric."""
    folders = write(tmp_path_factory.mktemp("equal"), with_an_equal_one())
    return {metric: measured(*folders, metric, SCALE) for metric in ("psnr", "ssim")}


class TestEqualImages:
    """A mean over a folder in which one output equals its reference."""

    PSNR = tuple(psnr(*(i.astype(float) for i in pair)) for pair in with_an_equal_one()[::2])

    def asked(self, surveys, values):
        """Return the table for the means of all pairs."""
        frames = []
        for metric, value in values.items():
            survey, grid, columns = surveys[metric]
            reported = Reported.parse(value, _family(metric).float_error)
            survey.evidence = Evidence(metric, reported, {})
            frames.append(judge(survey, grid, survey.evidence, scale=SCALE, columns=columns))
        return share_cause(frames)

    @pytest.mark.parametrize(
        ("capped", "says"),
        [
            ([100.0], "FFA-Net psnr (100 for equal images)"),
            ([], "mean without images that equal their references"),
        ],
    )
    def test_they_count_as_100_or_not_at_all(self, equal, capped, says):
        best = self.asked(equal, {"psnr": f"{np.mean([*self.PSNR, *capped]):.4f}"}).iloc[0]
        assert best["reproduces"]
        assert says in f"{best['protocol']}; {best['library']}"

    def test_a_table_with_such_a_mean_has_one_cause(self, equal):
        similarities = [paper_rgb(*pair) for pair in with_an_equal_one()]
        means = {"psnr": np.mean([*self.PSNR, 100]), "ssim": np.mean(similarities)}
        told = self.asked(equal, {metric: f"{mean:.4f}" for metric, mean in means.items()})
        assert list(told[told["best"]]["pool"]) == ["capped", "images"]
        assert "All of them have one cause." in answer(told).sentence

    def test_an_infinite_mean_is_the_usual_one(self, equal):
        best = self.asked(equal, {"psnr": "inf"}).iloc[0]
        assert best["reproduces"]
        assert best["pool"] == "images"

    def test_without_them_there_are_no_such_means(self, surveys):
        _, grid, _ = surveys["psnr"]
        assert {item.pool for item in grid.conventions} <= {"images", "pooled", "mean-mse"}
        assert "FFA-Net" not in grid.name(Convention("psnr")).libraries
