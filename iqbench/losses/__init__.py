"""Differentiable losses for training, with the same formulas as the metrics.

Call each as ``loss(output, target)``. It returns a scalar, the mean over the batch; with
``reduction="none"``, it returns (N,).
"""

from iqbench.losses.lpips import LPIPSLoss
from iqbench.losses.metric import MetricLoss
from iqbench.losses.named import (
    CIEDE2000Loss,
    DISTSLoss,
    FLIPLoss,
    FSIMCLoss,
    FSIMLoss,
    GMSDLoss,
    HaarPSILoss,
    IWSSIMLoss,
    MDSILoss,
    MSGMSDLoss,
    MSSSIMLoss,
    NLPDLoss,
    PSNRBLoss,
    PSNRHVSLoss,
    PSNRHVSMLoss,
    PSNRLoss,
    SSIMLoss,
    SSIMULACRA2Loss,
    VIFLoss,
    VSILoss,
)
from iqbench.losses.perceptual import PerceptualLoss
from iqbench.losses.tv import TVLoss

__all__ = [
    "CIEDE2000Loss",
    "DISTSLoss",
    "FLIPLoss",
    "FSIMCLoss",
    "FSIMLoss",
    "GMSDLoss",
    "HaarPSILoss",
    "IWSSIMLoss",
    "LPIPSLoss",
    "MDSILoss",
    "MSGMSDLoss",
    "MSSSIMLoss",
    "MetricLoss",
    "NLPDLoss",
    "PSNRBLoss",
    "PSNRHVSLoss",
    "PSNRHVSMLoss",
    "PSNRLoss",
    "PerceptualLoss",
    "SSIMLoss",
    "SSIMULACRA2Loss",
    "TVLoss",
    "VIFLoss",
    "VSILoss",
]
