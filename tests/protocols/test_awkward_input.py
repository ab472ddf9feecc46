"""Every preset beside the code it cites on awkward files: gray, odd sides, 16 bits, alpha, tiny.

`cited` reads the files as that code does and applies its formulas, written here a second time with
OpenCV, SciPy and scikit-image; `docs/verification.md` names repositories, files and commits.
"""

import math

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import correlate1d
from skimage import data
from skimage.metrics import structural_similarity

from iqbench import measure
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.protocols.presets import load_presets

STUDIO = np.array([65.481, 128.553, 24.966]) / 255
WINDOW = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
WINDOW /= WINDOW.sum()

# Presets whose code reads files by MATLAB's imread, which keeps their depth and channels.
MATLAB = {"sr-y-rounded", "derain-y", "deblur-ssim3d", "sidd"}
SCALE = 3
NTIRE_SCALE = 4


def spec(name):
    return f"{name}:scale={SCALE}" if load_presets()[name].parameters else name


def read(path, name):
    """A file as the cited code has it, red first."""
    if name == "denoise-gray":
        return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY).astype(np.float64)
    if name == "compression":
        return np.array(Image.open(path).convert("RGB")).astype(np.float64)
    if name in MATLAB:
        return np.array(Image.open(path)).astype(np.float64)
    return cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1].astype(np.float64)


def seen(image, name):
    """What the cited code scores of an image."""
    if name.startswith("sr-") or name == "ntire-sr":
        scale = NTIRE_SCALE if name == "ntire-sr" else SCALE
        height, width = (side - side % scale for side in image.shape[:2])
        image = image[scale : height - scale, scale : width - scale]
    if image.ndim == 2:
        return image
    if name == "y-full":
        return image @ [0.299, 0.587, 0.114]
    if name in ("sr-y", "ntire-sr", "pyiqa-y"):
        return image @ STUDIO + 16
    return np.floor(image @ STUDIO + 16.5) if name in ("sr-y-rounded", "derain-y") else image


def volume_ssim(reference, output):
    """MATLAB's ssim: a Gaussian along every axis, edges replicated; of RGB along colours too."""

    def local(image):
        for axis in range(image.ndim):
            image = correlate1d(image, WINDOW, axis, mode="nearest")
        return image

    mean, other = local(reference), local(output)
    variance, other_variance = local(reference**2) - mean**2, local(output**2) - other**2
    covariance = local(reference * output) - mean * other
    luminance = (2 * mean * other + 2.55**2) / (mean**2 + other**2 + 2.55**2)
    structure = (2 * covariance + 7.65**2) / (variance + other_variance + 7.65**2)
    return (luminance * structure).mean()


def clipped_ssim(reference, output):
    """SSIM of planes at valid positions; contrast times structure counts as 0 where negative."""

    def local(image):
        for axis in range(2):
            image = correlate1d(image, WINDOW, axis)
        return image[5:-5, 5:-5]

    mean, other = local(reference), local(output)
    energy = local(reference**2) + local(output**2) - mean**2 - other**2
    covariance = local(reference * output) - mean * other
    luminance = (2 * mean * other + 2.55**2) / (mean**2 + other**2 + 2.55**2)
    return (luminance * np.maximum((2 * covariance + 7.65**2) / (energy + 7.65**2), 0)).mean()


def paper_ssim(reference, output):
    return structural_similarity(
        *(reference, output),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2 if reference.ndim == 3 else None,
    )


def cited(reference, output, name):
    """PSNR and SSIM of two files."""
    first, second = (read(path, name) for path in (reference, output))
    if name.startswith("lowlight-gtmean"):
        conversion = cv2.COLOR_RGB2GRAY if name.endswith("rgb") else cv2.COLOR_BGR2GRAY
        means = [
            cv2.cvtColor(np.float32(image) / 255, conversion).mean(dtype=np.float64)
            for image in (first, second)
        ]
        second = np.clip(second * (means[0] / means[1]), 0, 255)
    first, second = (seen(image, name) for image in (first, second))
    epsilon = 1e-8 if name == "pyiqa-y" else 0
    psnr = -10 * math.log10(np.mean((first - second) ** 2) / 255**2 + epsilon)
    if name == "pyiqa-y":
        return psnr, clipped_ssim(np.floor(first + 0.5), np.floor(second + 0.5))
    if name.startswith("lowlight-gtmean"):
        second = np.rint(second)  # img_as_ubyte, for SSIM alone
    similarity = volume_ssim if name in ("deblur-ssim3d", "sidd") else paper_ssim
    return psnr, similarity(first, second)


def photograph(height, width):
    return data.astronaut()[100 : 100 + height, 130 : 130 + width]


def noisy(image):
    noise = np.random.default_rng(5).normal(0, 9, image.shape)
    return np.clip(image * 0.9 + noise, 0, 255).round().astype(np.uint8)


PICTURES = {
    "odd sides": (photograph(101, 83), noisy(photograph(101, 83))),
    "odd by even": (photograph(64, 77), noisy(photograph(64, 77))),
    "tiny": (photograph(21, 23), noisy(photograph(21, 23))),
    "a strip": (photograph(20, 240), noisy(photograph(20, 240))),
    "flat": (np.full((40, 41, 3), 200, np.uint8), noisy(np.full((40, 41, 3), 200, np.uint8))),
    "gray": tuple(image[..., :1] for image in (photograph(60, 61), noisy(photograph(60, 61)))),
}


def written(folder, images):
    for name, image in zip(("reference", "output"), images, strict=True):
        write_png(folder / f"{name}.png", image)
    return folder / "reference.png", folder / "output.png"


def ours(files, name):
    frame = measure(*files, metrics=["psnr", "ssim"], protocol=spec(name))
    assert frame["error"].isna().all()
    return frame["value"].tolist()


def tolerances(name):
    """What PSNR in dB and SSIM may be off by."""
    if name == "denoise-gray":
        return 2e-3, 2e-5  # OpenCV's gray is in fixed point: a value in a thousand is another level
    if name.startswith("lowlight-gtmean"):
        return 2e-5, 2e-3  # what is scaled is not rounded to 8 bits again for SSIM
    if name == "derain-y":
        return 1e-4, 2e-6  # a luma of n + 0.5 is rounded up here, and may be a little less in a sum
    return 2e-5, 2e-6


# Of one channel the deraining script takes the values as they are: see the next test.
AWKWARD = [
    (name, picture)
    for name in load_presets()
    for picture in PICTURES
    if (name, picture) != ("derain-y", "gray")
]


@pytest.mark.parametrize(("name", "picture"), AWKWARD)
def test_values_are_those_of_the_cited_code(tmp_path, name, picture):
    files = written(tmp_path, PICTURES[picture])
    psnr, ssim = ours(files, name)
    theirs = cited(*files, name)
    allowed = tolerances(name)
    assert psnr == pytest.approx(theirs[0], abs=allowed[0])
    assert ssim == pytest.approx(theirs[1], abs=allowed[1])


@pytest.mark.parametrize(("suffix", "allowed"), [("bmp", 2e-3), ("png", 0.25)])
def test_how_opencv_reads_gray_depends_on_the_format(tmp_path, suffix, allowed):
    # libpng truncates where OpenCV's own conversion rounds.
    files = [tmp_path / f"{name}.{suffix}" for name in ("reference", "output")]
    for path, image in zip(files, PICTURES["flat"], strict=True):
        cv2.imwrite(str(path), image[..., ::-1])
    first, second = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(float) for path in files)
    theirs = 10 * math.log10(255**2 / np.mean((first - second) ** 2))
    assert ours(files, "denoise-gray")[0] == pytest.approx(theirs, abs=allowed)


def test_deraining_reads_gray_as_its_data_sets_store_it(tmp_path):
    # Their files are RGB. Of one channel the script compares values as they are, 1.3 dB lower.
    gray = PICTURES["gray"]
    rgb = tuple(np.repeat(image, 3, axis=2) for image in gray)
    expected = cited(*written(tmp_path, rgb), "derain-y")
    found = ours(written(tmp_path, gray), "derain-y")
    assert found[0] == pytest.approx(expected[0], abs=2e-5)
    assert found[1] == pytest.approx(expected[1], abs=2e-6)


DEEP = (
    (photograph(63, 65).astype(np.uint16) * 257 + np.arange(65, dtype=np.uint16)[:, None] % 190),
    (noisy(photograph(63, 65)).astype(np.uint16) * 257).clip(0, 65000) + 130,
)


# rgb, y-full and sidd keep 16 bits. Pillow, by which CompressAI reads, has no RGB of 16.
BY_OPENCV = [
    name for name in load_presets() if name not in MATLAB | {"rgb", "y-full", "compression"}
]


@pytest.mark.parametrize("name", BY_OPENCV)
def test_16_bits_are_rounded_to_8_where_opencv_drops_the_low_byte(tmp_path, name):
    files = written(tmp_path, tuple(image.astype(np.uint16) for image in DEEP))
    psnr, ssim = ours(files, name)
    theirs = cited(*files, name)
    assert psnr == pytest.approx(theirs[0], abs=0.1)
    assert ssim == pytest.approx(theirs[1], abs=3e-3)


@pytest.mark.parametrize("name", ["rgb", "y-full", "sidd"])
def test_16_bits_are_kept_where_nothing_is_quantised(tmp_path, name):
    images = [image.astype(np.uint16) for image in DEEP]
    psnr, ssim = ours(written(tmp_path, images), name)
    first, second = (seen(image / 257, name) for image in images)
    assert psnr == pytest.approx(10 * math.log10(255**2 / np.mean((first - second) ** 2)), abs=2e-5)
    similarity = volume_ssim if name == "sidd" else paper_ssim
    assert ssim == pytest.approx(similarity(first, second), abs=2e-6)


@pytest.mark.parametrize("name", load_presets())
def test_16_bits_of_8_bit_values_are_the_same_picture(tmp_path, name):
    images = PICTURES["odd sides"]
    expected = ours(written(tmp_path, images), name)
    deep = tuple(image.astype(np.uint16) * 257 for image in images)
    assert ours(written(tmp_path, deep), name) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("name", load_presets())
def test_transparency_is_refused_where_the_cited_code_drops_it(tmp_path, name):
    reference, output = PICTURES["odd sides"]
    files = written(tmp_path, (reference, output))
    alpha = np.full((*output.shape[:2], 1), 90, np.uint8)
    Image.fromarray(np.concatenate([output, alpha], axis=2)).save(files[1])
    with pytest.raises(IqbenchError, match="has transparency"):
        ours(files, name)


@pytest.mark.parametrize("name", load_presets())
def test_an_image_without_remaining_pixels_has_no_value(tmp_path, name):
    # The cited code gives NaN, -Inf or an exception for images below its window or border.
    side = 2 * SCALE + 1 if name.startswith("sr-") else 10
    images = tuple(image[:side, :side] for image in PICTURES["tiny"])
    frame = measure(*written(tmp_path, images), metrics=["ssim"], protocol=spec(name))
    if name in ("deblur-ssim3d", "sidd"):
        assert frame["value"].notna().all()  # MATLAB replicates edges
        return
    assert frame["value"].isna().all()
    assert frame["error"][0].startswith("undefined: ")
