"""The metrics as pure functions on (N, C, H, W) tensors in [0, 1], each returning (N,).

They are differentiable, and use the formulas of ``iqbench evaluate``. Functions with a name that
ends in ``_map`` return (N, 1, H, W), the value at each position; the mean of a map is the value of
the metric.

A batch may be empty. Images may also be uint8 or uint16, which are divided by 255 or 65535. Half
precision is computed in float32, also under ``torch.autocast``. Tensors of another range are
refused; only `total_variation` and its map take any.
"""

from __future__ import annotations

from iqbench.maps.tensors import (
    absolute_error_map,
    ciede2000_map,
    flip_map,
    lpips_map,
    perceptual_map,
    ssim_map,
    total_variation_map,
)
from iqbench.metrics._inception_features import inception_features
from iqbench.metrics._set_distances import frechet_distance, kernel_distance
from iqbench.metrics.brisque import brisque
from iqbench.metrics.ciede2000 import ciede2000
from iqbench.metrics.dists import dists
from iqbench.metrics.flip import flip
from iqbench.metrics.fsim import fsim, fsimc
from iqbench.metrics.gmsd import gmsd
from iqbench.metrics.haarpsi import haarpsi
from iqbench.metrics.iw_ssim import iw_ssim
from iqbench.metrics.lpips import lpips
from iqbench.metrics.mdsi import mdsi
from iqbench.metrics.ms_gmsd import ms_gmsd
from iqbench.metrics.ms_ssim import ms_ssim
from iqbench.metrics.niqe import niqe
from iqbench.metrics.nlpd import nlpd
from iqbench.metrics.perceptual import perceptual
from iqbench.metrics.piqe import piqe
from iqbench.metrics.psnr import psnr
from iqbench.metrics.psnr_b import psnr_b
from iqbench.metrics.psnr_hvs import psnr_hvs, psnr_hvsm
from iqbench.metrics.ssim import ssim
from iqbench.metrics.ssimulacra2 import ssimulacra2
from iqbench.metrics.tv import total_variation, tv_ratio, tv_residual
from iqbench.metrics.vifp import vifp
from iqbench.metrics.vsi import vsi

__all__ = [
    "absolute_error_map",
    "brisque",
    "ciede2000",
    "ciede2000_map",
    "dists",
    "flip",
    "flip_map",
    "frechet_distance",
    "fsim",
    "fsimc",
    "gmsd",
    "haarpsi",
    "inception_features",
    "iw_ssim",
    "kernel_distance",
    "lpips",
    "lpips_map",
    "mdsi",
    "ms_gmsd",
    "ms_ssim",
    "niqe",
    "nlpd",
    "perceptual",
    "perceptual_map",
    "piqe",
    "psnr",
    "psnr_b",
    "psnr_hvs",
    "psnr_hvsm",
    "ssim",
    "ssim_map",
    "ssimulacra2",
    "total_variation",
    "total_variation_map",
    "tv_ratio",
    "tv_residual",
    "vifp",
    "vsi",
]
