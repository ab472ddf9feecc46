"""What explain knows of a library is what the library does, where it is installed here.

Formulas of libraries that are not are written a second time. Names that are checked in another
file are listed, so that each name is checked somewhere.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_pairs import pixels, psnr, studio, write_pair
from PIL import Image
from safetensors.torch import load_file
from scipy.ndimage import correlate1d, gaussian_filter
from skimage import data
from skimage.color import rgb2gray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.util import img_as_ubyte
from torchvision.transforms.functional import rgb_to_grayscale

from iqbench.explain.anchors import library_anchors
from iqbench.explain.files import read_pair
from iqbench.explain.libraries import load_libraries
from iqbench.explain.search import _family
from iqbench.images.source import FileSource
from iqbench.networks.weights import locate

SCALE = 4


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    files = write_pair(tmp_path_factory.mktemp("libraries"), data.coffee()[:200, :216].copy())
    sources = tuple(FileSource(path) for path in files)
    return pixels(files), read_pair(sources, [1])


def tensors(images):
    """Return float64 (1, C, H, W) in [0, 1]."""
    return [torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255 for image in images]


def cropped(border, change):
    """Cut a border, then measure what is made of both images."""

    def make(images):
        return [change(image)[border:-border, border:-border] for image in images]

    return make


def plain(image):
    return image.astype(np.float64)


def opencv_gray(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


PAPER = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def paper_ssim(images):
    axis = 2 if images[0].ndim == 3 else None
    return structural_similarity(*images, channel_axis=axis, data_range=255, **PAPER)


def clipped_ssim(images):
    """SSIM whose contrast and structure count as 0 where they are negative."""
    first, second = (image.astype(np.float64) for image in images)
    kernel = cv2.getGaussianKernel(11, 1.5)

    def mean(image):
        return cv2.sepFilter2D(image, -1, kernel, kernel)[5:-5, 5:-5]

    m1, m2 = mean(first), mean(second)
    v1, v2 = mean(first**2) - m1**2, mean(second**2) - m2**2
    cov = mean(first * second) - m1 * m2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = np.maximum((2 * cov + c2) / (v1 + v2 + c2), 0)
    return ((2 * m1 * m2 + c1) / (m1**2 + m2**2 + c1) * structure).mean()


def similarity(first, second, mean):
    """SSIM of images in [0, 255] at every position of a filter."""
    m1, m2 = mean(first), mean(second)
    v1, v2 = mean(first**2) - m1**2, mean(second**2) - m2**2
    cov = mean(first * second) - m1 * m2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * cov + c2) / (v1 + v2 + c2)
    return (2 * m1 * m2 + c1) / (m1**2 + m2**2 + c1) * structure, structure


def whole_ssim(images, border):
    """SSIM over all positions of images that are continued at their edges."""
    kernel = cv2.getGaussianKernel(11, 1.5)
    maps, _ = similarity(
        *map(plain, images), lambda i: cv2.sepFilter2D(i, -1, kernel, kernel, borderType=border)
    )
    return maps.mean()


def volume_ssim(images):
    """SSIM of a colour image as a volume, with edges replicated in all three directions."""
    kernel = cv2.getGaussianKernel(11, 1.5)[:, 0]

    def mean(image):
        for axis in range(3):
            image = correlate1d(image, kernel, axis, mode="nearest")
        return image

    return similarity(*map(plain, images), mean)[0].mean()


def multiscale(images):
    """The authors' MS-SSIM, channel by channel: half as large by means of 2x2, edges repeated."""
    first, second = (torch.from_numpy(plain(image)).permute(2, 0, 1)[:, None] for image in images)
    kernel = torch.from_numpy(cv2.getGaussianKernel(11, 1.5))
    kernel = (kernel @ kernel.T)[None, None]
    value = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333), 1):
        maps = similarity(first, second, lambda image: F.conv2d(image, kernel))
        value = value * maps[scale < 5].mean((1, 2, 3)) ** weight
        odd = (0, first.shape[3] % 2, 0, first.shape[2] % 2)
        first, second = (
            F.avg_pool2d(F.pad(image, odd, mode="replicate"), 2) for image in (first, second)
        )
    return value.mean().item()


def matlab_gray(image):
    """MATLAB's rgb2gray: the luma of NTSC, whose matrix is inverted."""
    ntsc = [[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]]
    return np.floor(image @ np.linalg.inv(ntsc)[0] + 0.5)


def psnr_of(images):
    return psnr(*(plain(image) for image in images))


def with_epsilon(images):
    first, second = (plain(image) / 255 for image in images)
    return -10 * np.log10(np.mean((first - second) ** 2) + 1e-8)


def steps(image):
    return np.diff(plain(image) / 255, axis=0), np.diff(plain(image) / 255, axis=1)


def tv(reduce):
    return lambda images: sum(reduce(part) for part in steps(images[1]))


def torchmetrics(name, **options):
    def measure(images):
        functions = pytest.importorskip("torchmetrics.functional.image")
        reference, output = tensors(images)
        one = name == "total_variation"
        arguments = [output] if one else [output, reference]
        return getattr(functions, name)(*arguments, **options).item()

    return measure


def piq(name, **options):
    def measure(images):
        package = pytest.importorskip("piq")
        reference, output = tensors(images)
        arguments = [output] if name == "total_variation" else [output, reference]
        return getattr(package, name)(*arguments, **options).item()

    return measure


def srcnn(image):
    """SRCNN-pytorch's Y."""
    return image.astype(np.float64) @ [64.738 / 256, 129.057 / 256, 25.064 / 256] + 16


def pillow_ycbcr(image):
    return np.array(Image.fromarray(image).convert("YCbCr"))[..., 0]


def kornia_ssim(size):
    """kornia's SSIM: OpenCV's default border is its mirrored one."""
    kernel = cv2.getGaussianKernel(size, 1.5)
    return lambda images: similarity(
        *map(plain, images), lambda image: cv2.sepFilter2D(image, -1, kernel, kernel)
    )[0].mean()


def adaptive_ssim(images):
    """DehazeFormer's SSIM, with pytorch-msssim's formula."""
    factor = max(1, round(min(images[0].shape[:2]) / 256))
    small = [
        F.adaptive_avg_pool2d(image, [side // factor for side in image.shape[2:]])
        for image in tensors(images)
    ]
    return paper_ssim([image[0].permute(1, 2, 0).numpy() * 255 for image in small])


def column_ssim(images):
    """What `multichannel=True` meant for a gray image: columns are channels."""
    return np.mean(
        [structural_similarity(*columns) for columns in zip(*(i.T for i in images), strict=True)]
    )


def scipy_ssim(border, sample):
    """SSIM by SciPy's Gaussian filter, which has 13 values."""

    def measure(images):
        maps = []
        for first, second in zip(
            *(np.atleast_3d(plain(i)).transpose(2, 0, 1) for i in images), strict=True
        ):
            m, n, mm, nn, mn = (
                gaussian_filter(i, 1.5)
                for i in (first, second, first**2, second**2, first * second)
            )
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            above = (2 * m * n + c1) * (2 * sample * (mn - m * n) + c2)
            below = (m**2 + n**2 + c1) * (sample * (mm - m**2 + nn - n**2) + c2)
            height, width = first.shape
            maps.append((above / below)[border : height - border, border : width - border])
        return np.mean(maps)

    return measure


def gt_mean(reference_gray, output_gray):
    """Scale the output by the means of two grays, and clip it."""

    def make(images):
        reference, output = images
        factor = reference_gray(reference).mean() / output_gray(output).mean()
        return [reference.astype(np.float64), np.clip(output * factor, 0, 255)]

    return make


def swapped_gray(image):
    return cv2.cvtColor(np.float32(image), cv2.COLOR_BGR2GRAY)


def plain_gray(image):
    return image @ [0.299, 0.587, 0.114]


def as_bytes(images):
    """Truncate as LLFlow, GSAD and PyDiff store their outputs."""
    return [image.astype(np.uint8) for image in images]


HVI_CIDNET = gt_mean(opencv_gray, opencv_gray)
RETINEXFORMER = gt_mean(swapped_gray, swapped_gray)
LLFLOW = gt_mean(swapped_gray, np.asarray)
LYT_NET = gt_mean(np.asarray, np.asarray)
GSAD = gt_mean(plain_gray, plain_gray)
OLD = "scikit-image compare_ssim (gaussian_weights"


def wrapped(images):
    return 10 * np.log10(255**2 / np.mean((images[0] - images[1]) ** 2))


SSIM = "structural_similarity"
TM_SSIM = "torchmetrics structural_similarity_index_measure"
CHECKS = {
    "scikit-image peak_signal_noise_ratio": lambda p: peak_signal_noise_ratio(*p),
    "scikit-image peak_signal_noise_ratio of rgb2gray": lambda p: peak_signal_noise_ratio(
        *map(rgb2gray, p), data_range=1
    ),
    f"scikit-image {SSIM} (gaussian_weights, use_sample_covariance=False)": paper_ssim,
    f"scikit-image {SSIM}": lambda p: structural_similarity(*p, channel_axis=2),
    **{
        f"scikit-image {SSIM} (win_size={size})": partial(
            lambda size, p: structural_similarity(*p, channel_axis=2, win_size=size), size
        )
        for size in (3, 5, 9)
    },
    f"scikit-image {SSIM} (win_size=11)": lambda p: structural_similarity(
        *p, channel_axis=2, win_size=11
    ),
    f"scikit-image {SSIM} of rgb2gray (data_range=1)": lambda p: structural_similarity(
        *map(rgb2gray, p), data_range=1
    ),
    f"scikit-image {SSIM} of OpenCV's gray": lambda p: structural_similarity(*map(opencv_gray, p)),
    f"scikit-image {SSIM} of Pillow's convert('L')": lambda p: structural_similarity(
        *(np.array(Image.fromarray(i).convert("L")) for i in p)
    ),
    f"scikit-image {SSIM} (gaussian_weights)": lambda p: structural_similarity(
        *p, channel_axis=2, gaussian_weights=True
    ),
    f"scikit-image {SSIM} (older versions, floats without data_range)": (
        lambda p: structural_similarity(*(i / 255 for i in p), channel_axis=2, data_range=2)
    ),
    f"scikit-image {SSIM} (data_range of the output, as in its gallery)": (
        lambda p: structural_similarity(*p, channel_axis=2, data_range=np.ptp(p[1]))
    ),
    "torchmetrics peak_signal_noise_ratio (data_range=1)": torchmetrics(
        "peak_signal_noise_ratio", data_range=1.0
    ),
    "torchmetrics peak_signal_noise_ratio (older versions, data_range=None)": (
        lambda p: peak_signal_noise_ratio(*p, data_range=np.ptp(p[0]))
    ),
    TM_SSIM: torchmetrics("structural_similarity_index_measure"),
    f"{TM_SSIM} (data_range=1)": torchmetrics(
        "structural_similarity_index_measure", data_range=1.0
    ),
    "torchmetrics multiscale_structural_similarity_index_measure": torchmetrics(
        "multiscale_structural_similarity_index_measure"
    ),
    "torchmetrics multiscale_structural_similarity_index_measure (data_range=1)": torchmetrics(
        "multiscale_structural_similarity_index_measure", data_range=1.0
    ),
    "torchmetrics total_variation": torchmetrics("total_variation"),
    "piq psnr": piq("psnr"),
    "piq ssim": piq("ssim"),
    "piq multi_scale_ssim": piq("multi_scale_ssim"),
    "piq total_variation (norm_type='l1')": piq("total_variation", norm_type="l1"),
    "piq total_variation": piq("total_variation"),
    "piq total_variation (norm_type='l2_squared')": piq("total_variation", norm_type="l2_squared"),
    "PSNR of OpenCV's gray": lambda p: psnr_of([opencv_gray(i) for i in p]),
    "PSNR of OpenCV's YCrCb (or its gray before version 4)": lambda p: psnr_of(
        [cv2.cvtColor(i, cv2.COLOR_RGB2YCrCb)[..., 0] for i in p]
    ),
    "PSNR of Pillow's convert('L')": lambda p: psnr_of(
        [np.array(Image.fromarray(i).convert("L")) for i in p]
    ),
    f"scikit-image {SSIM} of OpenCV's BGR2GRAY of RGB (a mistake)": (
        lambda p: structural_similarity(*(cv2.cvtColor(i, cv2.COLOR_BGR2GRAY) for i in p))
    ),
    "PSNR of Pillow's convert('YCbCr') (its Y)": lambda p: psnr_of([pillow_ycbcr(i) for i in p]),
    f"scikit-image {SSIM} of the Y of Pillow's convert('YCbCr')": lambda p: structural_similarity(
        *map(pillow_ycbcr, p)
    ),
    "PSNR of torchvision's rgb_to_grayscale": lambda p: psnr_of(
        [rgb_to_grayscale(i)[0, 0].numpy() * 255 for i in tensors(p)]
    ),
    "SRCNN-pytorch calc_psnr (also FSRCNN-pytorch's and ESPCN-pytorch's)": lambda p: psnr_of(
        [srcnn(i) for i in p]
    ),
    "RDN-pytorch calc_psnr": lambda p: psnr_of(cropped(SCALE, srcnn)(p)),
    "EdgeConnect metrics.py's PSNR": lambda p: peak_signal_noise_ratio(
        *map(rgb2gray, p), data_range=1
    ),
    "EdgeConnect metrics.py's SSIM (win_size=51)": lambda p: structural_similarity(
        *map(rgb2gray, p), data_range=1, win_size=51
    ),
    "nerf_pl ssim (kornia's with window_size=3)": kornia_ssim(3),
    "kornia ssim (window_size=5)": kornia_ssim(5),
    "kornia ssim (window_size=11)": kornia_ssim(11),
    "DehazeFormer test.py's SSIM": adaptive_ssim,
    "FFA-Net psnr (100 for equal images)": psnr_of,
    "Retinexformer test_from_dataset.py's PSNR (100 for equal images)": psnr_of,
    "Retinexformer test_from_dataset.py's SSIM (GT_mean)": lambda p: paper_ssim(
        [img_as_ubyte(i / 255) for i in RETINEXFORMER(p)]
    ),
    "HVI-CIDNet measure.py's PSNR (use_GT_mean)": lambda p: psnr_of(HVI_CIDNET(p)),
    "HVI-CIDNet measure.py's SSIM (use_GT_mean)": lambda p: paper_ssim(HVI_CIDNET(p)),
    "LLFlow Measure.py's SSIM (gray as multichannel)": lambda p: column_ssim(
        [opencv_gray(i) for i in p]
    ),
    "LLFlow test.py's PSNR": lambda p: psnr_of(as_bytes(LLFLOW(p))),
    "LLFlow test.py's SSIM": lambda p: column_ssim([opencv_gray(i) for i in as_bytes(LLFLOW(p))]),
    "GSAD test.py's PSNR": lambda p: psnr_of(as_bytes(GSAD(p))),
    "GSAD test.py's SSIM": lambda p: structural_similarity(*as_bytes(GSAD(p)), channel_axis=2),
    "PyDiff calculate_psnr (use_kind_align)": lambda p: psnr_of(as_bytes(LYT_NET(p))),
    "PyDiff calculate_ssim_lol (use_kind_align)": lambda p: column_ssim(
        [opencv_gray(i) for i in as_bytes(LYT_NET(p))]
    ),
    "FUnIE-GAN getPSNR": lambda p: psnr_of([np.array(Image.fromarray(i).convert("L")) for i in p]),
    "FUnIE-GAN getSSIM": scipy_ssim(0, 25 / 24),
    f"{OLD}, use_sample_covariance=False, older versions)": scipy_ssim(5, 1),
    f"{OLD}, older versions)": scipy_ssim(5, 121 / 120),
    "IMDN test_IMDN.py's PSNR (is_y)": lambda p: psnr_of(
        [np.round(studio(i)) for i in cropped(SCALE, plain)(p)]
    ),
    "IMDN test_IMDN.py's SSIM (is_y, older scikit-image)": lambda p: scipy_ssim(5, 1)(
        [np.round(studio(i)) for i in cropped(SCALE, plain)(p)]
    ),
    "LYT-Net test.py's PSNR (gt_mean)": lambda p: psnr_of(LYT_NET(p)),
    "LYT-Net test.py's SSIM (gt_mean)": lambda p: whole_ssim(LYT_NET(p), cv2.BORDER_REFLECT_101),
    "NumPy's mean((a - b) ** 2) of uint8 arrays (a mistake)": wrapped,
    "BasicSR calculate_psnr (crop_border)": lambda p: psnr_of(cropped(SCALE, plain)(p)),
    "BasicSR calculate_psnr (crop_border, test_y_channel)": lambda p: psnr_of(
        cropped(SCALE, studio)(p)
    ),
    "BasicSR calculate_psnr_pt": with_epsilon,
    "BasicSR calculate_psnr_pt (crop_border)": lambda p: with_epsilon(cropped(SCALE, plain)(p)),
    "BasicSR calculate_psnr_pt (crop_border, test_y_channel)": lambda p: with_epsilon(
        cropped(SCALE, studio)(p)
    ),
    "BasicSR calculate_ssim": paper_ssim,
    "BasicSR calculate_ssim (crop_border)": lambda p: paper_ssim(cropped(SCALE, plain)(p)),
    "BasicSR calculate_ssim (crop_border, test_y_channel)": lambda p: paper_ssim(
        cropped(SCALE, studio)(p)
    ),
    "BasicSR TVLoss": tv(lambda part: np.abs(part).mean()),
    "kornia total_variation (reduction='mean')": tv(lambda part: np.abs(part).mean()),
    "kornia total_variation": tv(lambda part: np.abs(part).sum() / 3),
    "tf.image.total_variation": tv(lambda part: np.abs(part).sum()),
    "the widespread TVLoss of two mean squares": tv(lambda part: 2 * np.square(part).mean()),
    "tf.image.psnr": psnr_of,
    "tf.image.ssim": paper_ssim,
    "pytorch-msssim ssim": paper_ssim,
    "MATLAB psnr": psnr_of,
    "EDSR-PyTorch calc_psnr (DIV2K, crop scale + 6)": lambda p: psnr_of(
        cropped(SCALE + 6, plain)(p)
    ),
    "EDSR-PyTorch calc_psnr (benchmark)": lambda p: psnr_of(cropped(SCALE, studio)(p)),
    "pyiqa psnr": with_epsilon,
    "pyiqa ssim": lambda p: clipped_ssim(
        [np.floor(np.round(i @ [0.299, 0.587, 0.114], 6) + 0.5) for i in p]
    ),
    "pyiqa ssim (downsample=True)": lambda p: clipped_ssim(
        [np.floor(np.round(i @ [0.299, 0.587, 0.114], 6) + 0.5) for i in p]
    ),
    "tf.image.ssim_multiscale": multiscale,
    "the authors' msssim.m": multiscale,
    "MATLAB ssim of an RGB array": volume_ssim,
    "NAFNet _ssim_3d": volume_ssim,
    "MATLAB ssim of rgb2ycbcr's Y": lambda p: whole_ssim(
        [np.floor(np.round(studio(i), 6) + 0.5) for i in p], cv2.BORDER_REPLICATE
    ),
    "MATLAB ssim of rgb2gray": lambda p: whole_ssim(
        [matlab_gray(i) for i in p], cv2.BORDER_REPLICATE
    ),
    "pytorch-ssim (Po-Hsun Su)": lambda p: whole_ssim(p, cv2.BORDER_CONSTANT),
    "torchmetrics PeakSignalNoiseRatio over a data set (older versions, data_range=None)": (
        lambda p: peak_signal_noise_ratio(*p, data_range=p[0].max())
    ),
    "pyiqa psnry": lambda p: with_epsilon([i @ [0.299, 0.587, 0.114] for i in p]),
}

ELSEWHERE = {
    "torchmetrics PeakSignalNoiseRatio over a data set": "test_explain_folders.py",
    "torchmetrics peak_signal_noise_ratio_with_blocked_effect of OpenCV's gray": (
        "test_explain_blocking.py"
    ),
    "SwinIR calculate_psnrb (also QGAC's and FBCNN's)": "test_explain_blocking.py",
    "pytorch-msssim ms_ssim": "test_explain.py",
    "CompressAI eval_model": "test_explain.py",
    "pyiqa ms_ssim": "test_prepared.py",
    "clean-fid compute_fid": "test_explain_sets.py",
    "clean-fid compute_kid (at most 1000 images)": "test_explain_sets.py",
    "pytorch-fid calculate_fid_given_paths": "test_explain_sets.py",
    "the FID authors' fid.py (TensorFlow)": "test_explain_sets.py",
    "torchmetrics FrechetInceptionDistance": "test_explain_sets.py",
    "torchmetrics FrechetInceptionDistance (antialias=False)": "test_explain_sets.py",
    "torch-fidelity calculate_metrics (fid=True)": "test_explain_sets.py",
    "piq DISTS": "test_explain_networks.py",
    "dists-pytorch DISTS": "test_explain_networks.py",
    "dists-pytorch DISTS of prepare_image(resize=True)": "test_explain_networks.py",
    "BasicSR calculate_niqe": "test_explain_networks.py",
    "BasicSR calculate_niqe (crop_border)": "test_explain_networks.py",
    "BasicSR calculate_niqe (convert_to='gray')": "test_explain_networks.py",
    "BasicSR calculate_niqe (before it rounded)": "test_explain_networks.py",
    "MMagic NIQE": "test_explain_networks.py",
    "MMagic NIQE (convert_to='y')": "test_explain_networks.py",
    "lpips (net='alex', inputs in [-1,1])": "test_explain.py",
    "lpips (net='alex', inputs in [0,1] by mistake)": "test_explain.py",
    "lpips (net='vgg', inputs in [-1,1])": "test_explain.py",
    "lpips (net='vgg', inputs in [0,1] by mistake)": "test_explain.py",
}
"""Names that another file checks."""

TORCHMETRICS_LPIPS = "torchmetrics learned_perceptual_image_patch_similarity"
LEARNED = {
    "lpips (net='squeeze', inputs in [-1,1])": ("lpips", "squeeze", 2),
    "lpips (net='squeeze', inputs in [0,1] by mistake)": ("lpips", "squeeze", 1),
    TORCHMETRICS_LPIPS: ("torchmetrics", "alex", 2),
    f"{TORCHMETRICS_LPIPS} (net_type='vgg')": ("torchmetrics", "vgg", 2),
    f"{TORCHMETRICS_LPIPS} (net_type='squeeze')": ("torchmetrics", "squeeze", 2),
    "piq LPIPS": ("lpips", "vgg", 2),
    "pyiqa lpips": ("lpips", "alex", 2),
    "pyiqa lpips-vgg": ("lpips", "vgg", 2),
}
"""Package whose network is asked, net, and the range of what it is fed.

piq and pyiqa take the layers of the package lpips, whose formula is theirs too.
"""
FILES = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}

NAMES = [entry.name for library in load_libraries().values() for entry in library.entries]


def test_every_name_is_accounted_for_once():
    assert len(NAMES) == len(set(NAMES))
    assert set(NAMES) == {*CHECKS, *ELSEWHERE, *LEARNED}
    assert len(CHECKS) + len(ELSEWHERE) + len(LEARNED) == len(NAMES)


@pytest.mark.parametrize("name", CHECKS)
def test_a_name_stands_for_what_its_library_does(pair, name):
    images, read = pair
    multi = "multiscale" in name.replace("_", "") or name == "the authors' msssim.m"
    metrics = ["ms-ssim"] if multi else ["psnr", "ssim", "tv"]
    found = []
    for metric in metrics:
        known = _family(metric)
        columns = [request.column.name for request in known.requests()]
        for anchor in library_anchors([*columns, *known.forms], [SCALE]):
            if anchor.name == name:
                statistic = known.measure(read, anchor.convention)
                found.append(known.close([statistic], anchor.convention))
    theirs = CHECKS[name](images)
    assert found == [pytest.approx(theirs, rel=3e-6, abs=3e-6)]


def network_of(package, net):
    """Return a package's LPIPS with the trunk that iqbench reads; its own layers come with it."""
    if package == "lpips":
        kind = pytest.importorskip("lpips").LPIPS
        network = kind(net=net, pnet_rand=True, verbose=False)
    else:
        kind = pytest.importorskip("torchmetrics.functional.image.lpips")._LPIPS
        network = kind(net=net, pnet_rand=True)
    trunk = load_file(locate(FILES[net]))
    with torch.no_grad():
        for name, parameter in network.net.named_parameters():
            # lpips calls the parts by number: slice2.3.weight is features.3.weight.
            key = f"features.{name.partition('.')[2].removeprefix('layers.')}"
            parameter.copy_(trunk[key])
    return network


# The package lpips asks torchvision for its trunk in an older way.
@pytest.mark.filterwarnings("ignore:.*(pretrained|weight enum):UserWarning")
@pytest.mark.parametrize("name", LEARNED)
def test_a_name_of_lpips_stands_for_what_its_network_does(pair, name):
    package, net, span = LEARNED[name]
    if locate(FILES[net]) is None:
        pytest.skip(f"weights of {FILES[net]} are not there: run `iqbench weights fetch`")
    images, read = pair
    known = _family("lpips")
    (anchor,) = (item for item in library_anchors([f"lpips-{net}"], []) if item.name == name)
    reference, output = (image.float() * span - (span - 1) for image in tensors(images))
    with torch.no_grad():
        theirs = network_of(package, net)(reference, output).item()
    statistic = known.measure(read, anchor.convention)
    assert known.close([statistic], anchor.convention) == pytest.approx(theirs, rel=2e-4)


@pytest.mark.parametrize("name", load_libraries())
def test_a_library_says_where_it_comes_from(name):
    library = load_libraries()[name]
    assert library.source.startswith("https://")
    for entry in library.entries:
        assert bool(entry.file) == bool(entry.commit)
        assert entry.commit == "" or len(entry.commit) == 40
