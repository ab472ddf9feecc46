"""The metrics as pure functions on (N, C, H, W) tensors in [0, 1], each returning (N,).

They are differentiable, and they are the formulas that ``iqbench evaluate`` uses.
"""

from __future__ import annotations

from iqbench.metrics.lpips import lpips
from iqbench.metrics.ms_ssim import ms_ssim
from iqbench.metrics.perceptual import perceptual
from iqbench.metrics.psnr import psnr
from iqbench.metrics.psnr_b import psnr_b
from iqbench.metrics.ssim import ssim
from iqbench.metrics.tv import total_variation, tv_ratio, tv_residual

__all__ = [
    "lpips",
    "ms_ssim",
    "perceptual",
    "psnr",
    "psnr_b",
    "ssim",
    "total_variation",
    "tv_ratio",
    "tv_residual",
]
