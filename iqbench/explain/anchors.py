"""Conventions that have a name: the presets, and what libraries do when nothing is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from iqbench.explain.convention import Convention
from iqbench.metrics._registry import Request, resolve_metrics
from iqbench.protocols.presets import load_presets, resolve_protocol

__all__ = ["Anchor", "library_anchors", "preset_anchors"]

SCALE = -1
SCALE_AND_6 = -2
"""Stand in the table of libraries for the scale of super-resolution, and 6 more."""


@dataclass(frozen=True)
class Anchor:
    """A convention with a name.

    Attributes
    ----------
    name
        Of a protocol, e.g. ``sr-y:scale=4``, or of a library's function.
    preset
        Whether it is a protocol.
    convention
        What it stands for.
    mistake
        Whether it is what a common mistake gives.
    """

    name: str
    preset: bool
    convention: Convention
    mistake: bool = False


@dataclass(frozen=True)
class _Library:
    """A function of a library; `settings` are a convention's fields that are not the default."""

    name: str
    metric: str
    settings: Mapping[str, str | int]


def _of(metric: str, settings: Mapping[str, str | int], *names: str) -> list[_Library]:
    return [_Library(name, metric, settings) for name in names]


# Read in the libraries' documentation and, where the licence is permissive, code; those that can be
# installed here are held to by tests.
_LIBRARIES = (
    *_of(
        "psnr",
        {},
        "scikit-image peak_signal_noise_ratio",
        "MATLAB psnr",
        "torchmetrics peak_signal_noise_ratio (data_range=1)",
        "tf.image.psnr",
    ),
    *_of("psnr", {"pool": "pooled"}, "torchmetrics PeakSignalNoiseRatio over a data set"),
    *_of(
        "psnr",
        {"range": "reference-range"},
        "torchmetrics peak_signal_noise_ratio (older versions, data_range=None)",
    ),
    *_of(
        "psnr",
        {"range": "reference-maximum", "pool": "pooled"},
        "torchmetrics PeakSignalNoiseRatio over a data set (older versions, data_range=None)",
    ),
    *_of("psnr-epsilon=1e-08", {}, "piq psnr", "pyiqa psnr", "BasicSR calculate_psnr_pt"),
    *_of(
        "psnr-epsilon=1e-08",
        {"crop": SCALE},
        "BasicSR calculate_psnr_pt (crop_border)",
    ),
    *_of(
        "psnr-epsilon=1e-08",
        {"colour": "luma-studio", "gray": "expand", "crop": SCALE},
        "BasicSR calculate_psnr_pt (crop_border, test_y_channel)",
    ),
    *_of(
        "psnr-b, edges between whole blocks counted, channel mean",
        {},
        "SwinIR calculate_psnrb, also QGAC's and FBCNN's",
    ),
    *_of(
        "psnr-b, edges counted as in the paper",
        {"colour": "luma-full-rounded"},
        "torchmetrics peak_signal_noise_ratio_with_blocked_effect of OpenCV's gray",
    ),
    *_of("psnr-epsilon=1e-08", {"colour": "luma-full"}, "pyiqa psnry"),
    *_of("psnr", {"colour": "luma-709"}, "scikit-image peak_signal_noise_ratio of rgb2gray"),
    *_of("psnr", {"colour": "gray-opencv"}, "PSNR of OpenCV's gray"),
    *_of("psnr", {"colour": "gray-14-bit"}, "PSNR of OpenCV's YCrCb, or its gray before version 4"),
    *_of("psnr", {"colour": "gray-pillow"}, "PSNR of Pillow's convert('L')"),
    *_of(
        "psnr, uint8 differences wrapped around",
        {},
        "NumPy's mean((a - b) ** 2) of uint8 arrays, a mistake",
    ),
    *_of(
        "psnr",
        {"quantise": "uint8", "crop": SCALE},
        "BasicSR calculate_psnr (crop_border)",
    ),
    *_of(
        "psnr",
        {"colour": "luma-studio", "gray": "expand", "quantise": "uint8", "crop": SCALE},
        "BasicSR calculate_psnr (crop_border, test_y_channel)",
        "EDSR-PyTorch calc_psnr (benchmark)",
    ),
    *_of(
        "psnr",
        {"quantise": "uint8", "crop": SCALE_AND_6},
        "EDSR-PyTorch calc_psnr (DIV2K, crop scale + 6)",
    ),
    *_of(
        "ssim",
        {},
        "tf.image.ssim",
        "pytorch-msssim ssim",
        "BasicSR calculate_ssim",
        "scikit-image structural_similarity (gaussian_weights, use_sample_covariance=False)",
    ),
    *_of("ssim-window=uniform", {}, "scikit-image structural_similarity"),
    *_of("ssim, uniform 11x11", {}, "scikit-image structural_similarity (win_size=11)"),
    *_of(
        "ssim-window=uniform",
        {"colour": "luma-709"},
        "scikit-image structural_similarity of rgb2gray (data_range=1)",
    ),
    *_of(
        "ssim-window=uniform",
        {"colour": "luma-full-rounded"},
        "scikit-image structural_similarity of OpenCV's or Pillow's gray",
    ),
    *_of(
        "ssim, sample covariance",
        {},
        "scikit-image structural_similarity (gaussian_weights)",
    ),
    *_of(
        "ssim-window=uniform",
        {"range": "0..1-peak-2"},
        "scikit-image structural_similarity (older versions, floats without data_range)",
    ),
    *_of(
        "ssim-window=uniform",
        {"range": "output-range"},
        "scikit-image structural_similarity (data_range of the output, as in its gallery)",
    ),
    *_of(
        "ssim-padding=reflect",
        {"range": "larger-range"},
        "torchmetrics structural_similarity_index_measure",
    ),
    *_of(
        "ssim-padding=reflect",
        {},
        "torchmetrics structural_similarity_index_measure (data_range=1)",
    ),
    *_of("ssim-downsample=pool", {}, "piq ssim"),
    *_of("ssim-structure=clipped", {"colour": "luma-full-rounded"}, "pyiqa ssim"),
    *_of("ssim-downsample=matlab", {"colour": "luma-full"}, "pyiqa ssim (downsample=True)"),
    *_of("ssim-form=3d", {}, "MATLAB ssim of an RGB array", "NAFNet _ssim_3d"),
    *_of(
        "ssim-padding=replicate",
        {"colour": "luma-studio-rounded"},
        "MATLAB ssim of rgb2ycbcr's Y",
    ),
    *_of("ssim-padding=replicate", {"colour": "luma-full-rounded"}, "MATLAB ssim of rgb2gray"),
    *_of("ssim-padding=zero", {}, "pytorch-ssim (Po-Hsun Su)"),
    *_of(
        "ssim",
        {"quantise": "uint8", "crop": SCALE},
        "BasicSR calculate_ssim (crop_border)",
    ),
    *_of(
        "ssim",
        {"colour": "luma-studio", "gray": "expand", "quantise": "uint8", "crop": SCALE},
        "BasicSR calculate_ssim (crop_border, test_y_channel)",
    ),
    *_of("ms-ssim", {}, "the authors' msssim.m", "tf.image.ssim_multiscale"),
    *_of("ms-ssim-odd=zero", {}, "pytorch-msssim ms_ssim", "CompressAI eval_model"),
    *_of("ms-ssim-odd=repeat-first", {}, "piq multi_scale_ssim"),
    *_of("ms-ssim-odd=zero", {"colour": "luma-full"}, "pyiqa ms_ssim"),
    *_of(
        "ms-ssim, channels together, last scale mirrored",
        {"range": "larger-range"},
        "torchmetrics multiscale_structural_similarity_index_measure",
    ),
    *_of(
        "ms-ssim, channels together, last scale mirrored",
        {},
        "torchmetrics multiscale_structural_similarity_index_measure (data_range=1)",
    ),
    *_of(
        "lpips-alex",
        {},
        "lpips (net='alex', inputs in [-1,1])",
        "torchmetrics learned_perceptual_image_patch_similarity",
        "pyiqa lpips",
    ),
    *_of(
        "lpips-vgg",
        {},
        "lpips (net='vgg', inputs in [-1,1])",
        "torchmetrics learned_perceptual_image_patch_similarity (net_type='vgg')",
        "piq LPIPS",
        "pyiqa lpips-vgg",
    ),
    *_of(
        "lpips-squeeze",
        {},
        "lpips (net='squeeze', inputs in [-1,1])",
        "torchmetrics learned_perceptual_image_patch_similarity (net_type='squeeze')",
    ),
    *(
        _Library(f"lpips (net='{net}', inputs in [0,1] by mistake)", f"lpips-{net}", settings)
        for net in ("alex", "vgg", "squeeze")
        for settings in ({"range": "0..1-as--1..1"},)
    ),
    *_of(
        "tv-aniso-output, sum",
        {},
        "tf.image.total_variation",
        "torchmetrics total_variation",
        "piq total_variation (norm_type='l1')",
    ),
    *_of("tv-aniso-output, sum of a channel", {}, "kornia total_variation"),
    *_of("tv-sq-output, root of the sum", {}, "piq total_variation"),
    *_of("tv-sq-output, sum", {}, "piq total_variation (norm_type='l2_squared')"),
    *_of("tv-aniso-output", {}, "BasicSR TVLoss", "kornia total_variation (reduction='mean')"),
    *_of("tv-sq-output, twice the mean", {}, "the widespread TVLoss of two mean squares"),
)


def library_anchors(metrics: Iterable[str], scales: Sequence[int]) -> list[Anchor]:
    """Return what libraries do.

    Parameters
    ----------
    metrics
        Columns and forms that are tried.
    scales
        Of super-resolution.
    """
    known = set(metrics)
    anchors: list[Anchor] = []
    for library in _LIBRARIES:
        if library.metric not in known:
            continue
        crop = library.settings.get("crop", 0)
        for scale in scales if crop else [0]:
            settings: dict[str, Any] = dict(library.settings)
            if crop:
                settings["crop"] = scale if crop == SCALE else scale + 6
            convention = replace(Convention(library.metric), **settings)
            mistake = "mistake" in library.name
            anchors.append(Anchor(library.name, False, convention, mistake))
    return anchors


def preset_anchors(requests: Sequence[Request], scales: Sequence[int]) -> list[Anchor]:
    """Return the presets, those of the user included.

    Parameters
    ----------
    requests
        The columns that a preset's name stands for; a preset may mean a variant of the metric.
    scales
        Values for the parameter ``scale``; presets with other parameters are left out.
    """
    anchors: list[Anchor] = []
    for name, preset in load_presets().items():
        if not set(preset.parameters) <= {"scale"}:
            continue
        for scale, request in product(scales if preset.parameters else [0], requests):
            protocol = resolve_protocol(f"{name}:scale={scale}" if scale else name)
            role = request.metric.role
            variant = preset.variants.get(request.column.name)
            column = resolve_metrics([variant])[0].column if variant else request.column
            convention = Convention.of_view(column.name, protocol.view(role, request.metric.name))
            anchors.append(Anchor(protocol.spec, True, convention))
    return anchors
