"""The metrics as pure functions on (N, C, H, W) tensors in [0, 1], each returning (N,).

They are differentiable, and they are the formulas that ``iqbench evaluate`` uses.
"""

from __future__ import annotations

from iqbench.metrics.lpips import lpips
from iqbench.metrics.perceptual import perceptual
from iqbench.metrics.psnr import psnr
from iqbench.metrics.ssim import ssim
from iqbench.metrics.tv import total_variation, tv_ratio, tv_residual

__all__ = ["lpips", "perceptual", "psnr", "ssim", "total_variation", "tv_ratio", "tv_residual"]
