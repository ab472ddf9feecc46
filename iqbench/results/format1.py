"""Descriptions of metrics that are missing in footers of format 1. Nothing is added here.

Since format 2, footers contain the description of every metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from iqbench.columns import ColumnRole, Margin
from iqbench.results.schema import ColumnInfo

__all__ = ["completed"]


@dataclass(frozen=True)
class _Said:
    """Facts about the columns of one metric."""

    role: ColumnRole
    margin: Margin | None
    citation: str
    definition: str


_DECIBELS = Margin(0.05, reason="papers print two decimals")
_THIRD_DIGIT = Margin(0.001, reason="papers print four digits and compare the third")
_WANG = "Wang, Simoncelli, Bovik 2003, doi:10.1109/ACSSC.2003.1292216; the authors' msssim.m"
_RUDIN = "Rudin, Osher, Fatemi 1992, doi:10.1016/0167-2789(92)90242-F"
_MS_SSIM = (
    "MS-SSIM over five scales; SSIM's Gaussian 11x11 on valid positions, the mean over channels"
)
_TV = (
    "Total variation of output and reference: means of differences of neighbours, per pixel and "
    "channel. The ratio is of the anisotropic form: below 1 over-smoothed, above 1 noise or ringing"
)

_TABLE: Mapping[str, _Said] = {
    "psnr": _Said(
        "fidelity",
        _DECIBELS,
        "ITU-T J.247 (2008); -10 log10(MSE), peak 1",
        "PSNR = -10 log10(MSE) dB with peak 1; the MSE is over all channels and positions.",
    ),
    "psnr-b": _Said(
        "fidelity",
        _DECIBELS,
        "Yim and Bovik 2011, doi:10.1109/TIP.2010.2061859",
        "PSNR-B = -10 log10(MSE + BEF), with the blocking effect of the output's 8x8 grid.",
    ),
    "ssim": _Said(
        "fidelity",
        _THIRD_DIGIT,
        "Wang et al. 2004, doi:10.1109/TIP.2003.819861",
        "Mean SSIM: by default Gaussian 11x11, sigma 1.5, valid positions, population moments. "
        "K1 = .01, K2 = .03, peak 1, mean over channels.",
    ),
    "ms-ssim": _Said("fidelity", _THIRD_DIGIT, _WANG, f"{_MS_SSIM}."),
    "ms-ssim-db": _Said("fidelity", _DECIBELS, _WANG, f"-10 log10(1 - MS-SSIM), dB. {_MS_SSIM}."),
    "gmsd": _Said(
        "fidelity",
        None,
        "Xue et al. 2014, doi:10.1109/TIP.2013.2293423",
        "The standard deviation over positions of the similarity of gradient magnitudes.",
    ),
    "tv": _Said("statistic", None, _RUDIN, f"{_TV}."),
    "tv-ratio": _Said(
        "statistic",
        Margin(0.01, reason="one per cent of the reference's total variation"),
        _RUDIN,
        f"{_TV}.",
    ),
    "perceptual": _Said(
        "perception",
        Margin(0.01, relative=True, reason="its scale depends on network and layer"),
        "Johnson et al. 2016, doi:10.1007/978-3-319-46475-6_43",
        "Mean distance between features of a pretrained network, of one layer or summed over "
        "several.",
    ),
    "lpips": _Said(
        "perception",
        Margin(0.002, reason="papers print three digits and compare the third"),
        "Zhang et al. 2018, doi:10.1109/CVPR.2018.00068",
        "LPIPS v0.1 with the linear weights of the authors' package: features at unit length over "
        "channels, squared difference weighted by channel, mean over positions, sum over layers.",
    ),
    "dists": _Said(
        "perception",
        Margin(0.002, reason="papers print three digits, as of LPIPS"),
        "Ding et al. 2020, doi:10.1109/TPAMI.2020.3045810",
        "One minus a weighted sum of the texture and structure similarity of features of VGG16.",
    ),
    "niqe": _Said(
        "naturalness",
        Margin(0.05, reason="papers print two or three decimals"),
        "Mittal et al. 2013, doi:10.1109/LSP.2012.2227726",
        "How far an image's statistics are from those of natural photographs; no reference.",
    ),
    "bpp": _Said(
        "cost",
        None,
        "Begaint et al. 2020, arXiv:2011.03029 (CompressAI)",
        "Bits of the compressed file per pixel of the reference.",
    ),
}
"""Name of a column, or its part before a hyphen (``lpips`` for ``lpips-alex``), to its facts."""


def completed(name: str, info: ColumnInfo) -> ColumnInfo:
    """Add to what a footer of format 1 says of a column; one that is not known stays as it is."""
    fitting = [known for known in _TABLE if name == known or name.startswith(f"{known}-")]
    if not fitting or info.role:
        return info
    said = _TABLE[max(fitting, key=len)]
    return replace(
        info,
        role=said.role,
        margin=said.margin,
        definition=said.definition,
        citation=said.citation,
    )
