"""Differentiable losses over the same formulas as the metrics, for training.

Each is called as ``loss(output, target)`` and returns a scalar: the mean over the batch, unless
``reduction="none"`` asks for (N,).
"""

from iqbench.losses.lpips import LPIPSLoss
from iqbench.losses.perceptual import PerceptualLoss
from iqbench.losses.tv import TVLoss

__all__ = ["LPIPSLoss", "PerceptualLoss", "TVLoss"]
