"""Each peer's function for one metric: uint8 arrays as a decoder gives them in, values out.

The best use that each interface allows: networks are built once, in inference mode. What is not
installed is left out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Image", "Score", "peers"]

Image = NDArray[np.uint8]
Score = Callable[..., object]
"""A reference and one or more outputs to anything: one call is what is timed."""


def peers(wanted: Sequence[str] | None = None) -> dict[str, dict[str, Score]]:
    """Return the peers' functions by column and name.

    Parameters
    ----------
    wanted
        Columns; None for all. Networks are built only where a column needs them.
    """
    parts: dict[Callable[[], dict[str, dict[str, Score]]], tuple[str, ...]] = {
        _indices: ("",),
        _similarities: ("",),
        _networks: ("lpips", "perceptual"),
        _dists: ("dists",),
        _niqe: ("niqe",),
    }
    found: dict[str, dict[str, Score]] = {}
    for part, stems in parts.items():
        if wanted is None or any(column.startswith(stems) for column in wanted):
            for column, functions in part().items():
                found.setdefault(column, {}).update(functions)
    return {
        column: functions
        for column, functions in found.items()
        if functions and (wanted is None or column in wanted)
    }


def tensor(image: Image) -> Tensor:
    """Return (1, 3, H, W) float32 in [0, 1]."""
    import torch

    return torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).float().div_(255)


def on_tensors(function: Callable[[Tensor, Tensor], Tensor]) -> Score:
    """Call a function of output and reference as tensors."""
    import torch

    @torch.inference_mode()
    def score(reference: Image, output: Image) -> float:
        return float(function(tensor(output), tensor(reference)))

    return score


def _indices() -> dict[str, dict[str, Score]]:
    import piq
    from skimage import color

    def sk_ciede(reference: Image, output: Image) -> float:
        first, second = (color.rgb2lab(image) for image in (reference, output))
        return float(color.deltaE_ciede2000(first, second).mean())

    fused = _frame_analytics_indices()
    return {
        "ciede2000": {"scikit-image": sk_ciede, **fused["ciede2000"]},
        "flip": {**_flip(), **fused["flip"]},
        "fsim": {"piq": on_tensors(partial(piq.fsim, chromatic=False))},
        "haarpsi": {"piq": on_tensors(piq.haarpsi)},
        "iw-ssim": {"piq": on_tensors(piq.information_weighted_ssim)},
        "mdsi": {"piq": on_tensors(piq.mdsi)},
        "ms-gmsd": {"piq": on_tensors(piq.multi_scale_gmsd)},
        "nlpd": fused["nlpd"],
        "piqe": _piqe(),
        "psnr-hvs": {**_psnr_hvs("psnr-hvs"), **fused["psnr-hvs"]},
        "psnr-hvsm": {**_psnr_hvs("psnr-hvsm"), **fused["psnr-hvsm"]},
        "vsi": {"piq": on_tensors(piq.vsi)},
        "vifp": {"piq": on_tensors(piq.vif_p)},
    }


def _flip() -> dict[str, Score]:
    """Return the authors' program, where it is installed."""
    if not find_spec("flip_evaluator"):
        return {}
    import flip_evaluator

    def score(reference: Image, output: Image) -> float:
        first, second = (image.astype(np.float32) / 255 for image in (reference, output))
        return float(flip_evaluator.evaluate(first, second, "LDR", applyMagma=False)[1])

    return {"flip-evaluator": score}


def _psnr_hvs(column: str) -> dict[str, Score]:
    """Return both forms of psnr_hvsm, numpy and C++, where it is installed."""
    if not find_spec("psnr_hvsm"):
        return {}
    from psnr_hvsm import BACKENDS

    def scorer(functions: dict[str, Callable[..., Any]]) -> Score:
        def score(reference: Image, output: Image) -> float:
            first, second = (functions["bt601ycbcr"](image)[0] for image in (reference, output))
            values = functions["psnr_hvs_hvsm"](first, second)
            return float(values[1 if column == "psnr-hvsm" else 0])

        return score

    return {
        f"psnr_hvsm {backend}": scorer(BACKENDS[backend])
        for backend in ("numpy", "cpp")
        if backend in BACKENDS
    }


def _piqe() -> dict[str, Score]:
    """Return pypiqe, where it is installed."""
    if not find_spec("pypiqe"):
        return {}
    import pypiqe

    return {"pypiqe": lambda _, output: float(pypiqe.piqe(output[:, :, ::-1].copy())[0])}


def _frame_analytics_indices() -> dict[str, dict[str, Score]]:
    """Return the indices that frame-analytics compiles by torch when they are first called.

    Its NLPD pools otherwise than the authors' script: the values differ, the work is the same.
    """
    if not find_spec("frame_analytics"):
        return {name: {} for name in ("ciede2000", "flip", "nlpd", "psnr-hvs", "psnr-hvsm")}
    import frame_analytics as fa

    def on_luma(function: Callable[..., Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        def score(out: Tensor, ref: Tensor) -> Tensor:
            first, second = (fa.rgb_to_luma(one, "matlab", data_range=1.0) for one in (ref, out))
            return function(first, second, data_range=1.0)

        return score

    functions: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "ciede2000": lambda out, ref: fa.ciede2000(ref, out),
        "flip": lambda out, ref: fa.flip(ref, out),
        "nlpd": lambda out, ref: fa.nlpd(ref, out),
        "psnr-hvs": on_luma(fa.psnr_hvs),
        "psnr-hvsm": on_luma(fa.psnr_hvs_m),
    }
    return {name: {"frame-analytics": on_tensors(one)} for name, one in functions.items()}


def _similarities() -> dict[str, dict[str, Score]]:
    import piq
    import torchmetrics.functional.image as tm
    from skimage import metrics as sk

    def sk_ssim(reference: Image, output: Image) -> float:
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        return float(sk.structural_similarity(reference, output, channel_axis=2, **options))

    def sk_psnr(reference: Image, output: Image) -> float:
        return float(sk.peak_signal_noise_ratio(reference, output))

    def np_tv(reference: Image, output: Image) -> float:
        pixels = output.astype(np.float32)
        return float(sum(np.abs(np.diff(pixels, axis=axis)).sum() for axis in (0, 1)))

    fused = _frame_analytics()
    return {
        "ssimulacra2": fused["ssimulacra2"],
        "psnr": {
            "piq": on_tensors(partial(piq.psnr, data_range=1.0)),
            "torchmetrics": on_tensors(partial(tm.peak_signal_noise_ratio, data_range=1.0)),
            "scikit-image": sk_psnr,
            **fused["psnr"],
        },
        "ssim": {
            "piq": on_tensors(partial(piq.ssim, data_range=1.0, downsample=False)),
            "torchmetrics": on_tensors(
                partial(tm.structural_similarity_index_measure, data_range=1.0)
            ),
            "scikit-image": sk_ssim,
            **fused["ssim"],
        },
        "ms-ssim": {
            "piq": on_tensors(partial(piq.multi_scale_ssim, data_range=1.0)),
            "torchmetrics": on_tensors(
                partial(tm.multiscale_structural_similarity_index_measure, data_range=1.0)
            ),
            **fused["ms-ssim"],
        },
        "tv-aniso-output": {
            "piq": on_tensors(lambda output, _: piq.total_variation(output, norm_type="l1")),
            "torchmetrics": on_tensors(lambda output, _: tm.total_variation(output)),
            "numpy": np_tv,
        },
    }


def _frame_analytics() -> dict[str, dict[str, Score]]:
    """Return the functions of a package that has no wheel but for Linux."""
    import torch

    def on_bytes(function: Callable[..., Tensor]) -> Score:
        def score(reference: Image, output: Image) -> float:
            first, second = (
                torch.from_numpy(image).permute(2, 0, 1) for image in (reference, output)
            )
            return float(function(second, first, data_range=255.0))

        return score

    if not find_spec("frame_analytics"):
        return {"psnr": {}, "ssim": {}, "ms-ssim": {}, "ssimulacra2": {}}
    import frame_analytics as fa

    three = {"psnr": fa.psnr, "ssim": fa.ssim, "ms-ssim": fa.ms_ssim}
    return {
        **{name: {"frame-analytics": on_bytes(function)} for name, function in three.items()},
        "ssimulacra2": {"frame-analytics": on_tensors(lambda out, ref: fa.ssimulacra2(ref, out))},
    }


def _networks() -> dict[str, dict[str, Score]]:
    import lpips
    import piq

    networks = {net: lpips.LPIPS(net=net, verbose=False) for net in ("alex", "vgg")}
    content = piq.ContentLoss("vgg16", layers=["relu3_3"], weights=[1.0], distance="mae")
    return {
        "perceptual-vgg16-relu3_3-l1": {"piq": on_tensors(content)},
        "lpips-alex": {"lpips": on_tensors(partial(networks["alex"], normalize=True))},
        "lpips-vgg": {
            "lpips": on_tensors(partial(networks["vgg"], normalize=True)),
            "piq": on_tensors(piq.LPIPS()),
        },
    }


def _dists() -> dict[str, dict[str, Score]]:
    """Return DISTS of the outputs of one reference; the peers' functions take pairs."""
    import piq
    import torch

    from iqbench.networks.weights import load

    def scorer(module: Any) -> Score:
        @torch.inference_mode()
        def score(reference: Image, *outputs: Image) -> list[float]:
            first = tensor(reference)
            return [float(module(first, tensor(output))) for output in outputs]

        return score

    # piq shrinks every image whose short side is longer than 256 pixels.
    found = {"dists:resize=256": {"piq": scorer(piq.DISTS(reduction="none"))}}
    if find_spec("DISTS_pytorch"):
        from DISTS_pytorch import DISTS

        # Its own loader expects its file at the root of the environment.
        module = DISTS(load_weights=False).eval()
        for name, values in load("dists").tensors.items():
            getattr(module, name).data = values
        found["dists"] = {"dists-pytorch": scorer(module)}
    return found


def _niqe() -> dict[str, dict[str, Score]]:
    """Return NIQE of BasicSR, whose code mmagic has as well, and of pyiqa."""
    found: dict[str, Score] = {}
    if find_spec("basicsr"):
        bare_package("basicsr")
        bare_package("basicsr.metrics")
        bare_package("basicsr.utils", "color_util")
        found["BasicSR"] = _basicsr_niqe(import_module("basicsr.metrics.niqe"))
    if find_spec("pyiqa"):
        for package in ("pyiqa", "pyiqa.archs", "pyiqa.utils"):
            bare_package(package)
        found["pyiqa"] = _pyiqa_niqe(import_module("pyiqa.archs.niqe_arch"))
    return {"niqe": found}


def _basicsr_niqe(module: ModuleType) -> Score:
    def score(reference: Image, output: Image) -> float:
        return float(module.calculate_niqe(output[:, :, ::-1], 0))

    return score


def _pyiqa_niqe(module: ModuleType) -> Score:
    """Build pyiqa's class with iqbench's parameters, and MATLAB's luma as BasicSR has it."""
    import torch
    from scipy.io import savemat

    from iqbench.networks.weights import load

    model = {name: values.numpy() for name, values in load("niqe").tensors.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "niqe_modelparameters.mat"
        savemat(file, {"mu_prisparam": model["mean"], "cov_prisparam": model["covariance"]})
        network = module.NIQE(pretrained_model_path=str(file), color_space="ycbcr")

    @torch.inference_mode()
    def score(reference: Image, output: Image) -> float:
        return float(network(tensor(output)))

    return score


def bare_package(name: str, *modules: str) -> None:
    """Enter a package without running its ``__init__``, which needs far more than is used here.

    Parameters
    ----------
    name
        Of the package; the packages above it are entered already.
    modules
        Those of its modules whose names are names of the package too.
    """
    spec = find_spec(name)
    assert spec is not None, name
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[name] = package
    for module in modules:
        vars(package).update(vars(import_module(f"{name}.{module}")))
