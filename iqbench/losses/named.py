"""One subclass of `MetricLoss` for each metric that can be a loss."""

from __future__ import annotations

from iqbench.losses.metric import named_loss

CIEDE2000Loss = named_loss("CIEDE2000Loss", "ciede2000")
DISTSLoss = named_loss("DISTSLoss", "dists")
FLIPLoss = named_loss("FLIPLoss", "flip")
FSIMCLoss = named_loss("FSIMCLoss", "fsimc")
FSIMLoss = named_loss("FSIMLoss", "fsim")
GMSDLoss = named_loss("GMSDLoss", "gmsd")
HaarPSILoss = named_loss("HaarPSILoss", "haarpsi")
IWSSIMLoss = named_loss("IWSSIMLoss", "iw-ssim")
MDSILoss = named_loss("MDSILoss", "mdsi")
MSGMSDLoss = named_loss("MSGMSDLoss", "ms-gmsd")
MSSSIMLoss = named_loss("MSSSIMLoss", "ms-ssim")
NLPDLoss = named_loss("NLPDLoss", "nlpd")
PSNRBLoss = named_loss("PSNRBLoss", "psnr-b")
PSNRHVSLoss = named_loss("PSNRHVSLoss", "psnr-hvs-rounded=false")
PSNRHVSMLoss = named_loss("PSNRHVSMLoss", "psnr-hvsm-rounded=false")
PSNRLoss = named_loss("PSNRLoss", "psnr")
SSIMLoss = named_loss("SSIMLoss", "ssim")
SSIMULACRA2Loss = named_loss("SSIMULACRA2Loss", "ssimulacra2")
VIFLoss = named_loss("VIFLoss", "vifp")
VSILoss = named_loss("VSILoss", "vsi")

__all__ = [
    "CIEDE2000Loss",
    "DISTSLoss",
    "FLIPLoss",
    "FSIMCLoss",
    "FSIMLoss",
    "GMSDLoss",
    "HaarPSILoss",
    "IWSSIMLoss",
    "MDSILoss",
    "MSGMSDLoss",
    "MSSSIMLoss",
    "NLPDLoss",
    "PSNRBLoss",
    "PSNRHVSLoss",
    "PSNRHVSMLoss",
    "PSNRLoss",
    "SSIMLoss",
    "SSIMULACRA2Loss",
    "VIFLoss",
    "VSILoss",
]
