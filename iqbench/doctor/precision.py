"""Check that the precision `exact` uses float32 products, not TensorFloat-32 or bfloat16."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.doctor.finding import OFF, OK, Finding, compared
from iqbench.engine.compute import Compute

__all__ = ["EXACT", "check_precision"]

PART = "precision"
# Relative errors of sums of some hundred products are 1e-7 to 1e-6 in float32, 3e-4 with TF32 (10
# bits of the factors) and 2e-3 with bfloat16 (7 bits). The limit is between these.
EXACT = 1e-5
OVERRIDE = "NVIDIA_TF32_OVERRIDE"
# Settings that are low by default in torch; iqbench switches them off during computations.
_CUDNN = ("torch.backends.cudnn.conv.fp32_precision", "torch.backends.cudnn.allow_tf32")


def check_precision(compute: Compute) -> Iterator[Finding]:
    """Check all settings of float32 products, and actual products.

    Parameters
    ----------
    compute
        Device and precision, ``exact``.
    """
    yield _environment()
    yield _left_on()
    with compute.active():
        yield _switched_off()
        for name, deviation in _deviations(compute.device).items():
            yield compared(
                PART,
                f"float32 {name} against float64",
                deviation=deviation,
                tolerance=EXACT,
                unit="relative",
                wrong="products do not have the precision of float32: TF32 or bfloat16 is on "
                f"although it is switched off. Unset {OVERRIDE}, or report this with your versions",
            )


def _environment() -> Finding:
    """Check whether the environment forces TF32 on, which no program can undo."""
    value = os.environ.get(OVERRIDE)
    if value is not None and value.strip() != "0":
        note = f"{OVERRIDE}={value} turns TF32 on for every product on a GPU, and no program can "
        return Finding(PART, OVERRIDE, OFF, note=f"{note}turn it off. Unset it")
    return Finding(PART, OVERRIDE, OK, note="not set" if value is None else "0: TF32 is off")


def _left_on() -> Finding:
    """Check whether the program or the environment has lowered torch's precision."""
    low = [f"{name} is {value!r}" for name, value in _switches().items() if _is_low(value)]
    default = [text for text in low if text.startswith(_CUDNN)]
    changed = [text for text in low if text not in default]
    check = "torch's settings as found"
    if changed:
        note = f"TF32 or bfloat16 is left on: {'; '.join(changed)}. evaluate and measure switch "
        note += "it off, but iqbench.functional and iqbench.losses use it. Undo it by "
        note += "torch.set_float32_matmul_precision('highest'), or unset "
        note += "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
        return Finding(PART, check, OFF, note=note)
    if default:
        note = "torch's default: TF32 for convolutions on a GPU. evaluate and measure switch it "
        note += "off, iqbench.functional and iqbench.losses use it"
        return Finding(PART, check, OK, note=note)
    return Finding(PART, check, OK, note="float32 everywhere")


def _switched_off() -> Finding:
    """Check whether iqbench can change the settings of this version of torch."""
    low = [f"{name} is {value!r}" for name, value in _switches().items() if _is_low(value)]
    check = "torch's settings while iqbench computes"
    if low:
        note = f"{'; '.join(low)}, although exact was asked for: report this with your versions"
        return Finding(PART, check, OFF, note=note)
    return Finding(PART, check, OK, note="float32 everywhere")


def _switches() -> dict[str, Any]:
    """Return all settings of float32 products by their names in Python."""
    backends: Any = torch.backends  # its type hints lag behind
    places = {"cuda.matmul": backends.cuda.matmul}
    if not hasattr(backends.cuda.matmul, "fp32_precision"):  # before torch 2.9
        places["cudnn"] = backends.cudnn
        return {
            f"torch.backends.{name}.allow_tf32": place.allow_tf32 for name, place in places.items()
        }
    places |= {"cudnn.conv": backends.cudnn.conv}
    places |= {"mkldnn.matmul": backends.mkldnn.matmul, "mkldnn.conv": backends.mkldnn.conv}
    return {
        f"torch.backends.{name}.fp32_precision": place.fp32_precision
        for name, place in places.items()
    }


def _is_low(value: object) -> bool:
    return value in (True, "tf32", "bf16")


def _deviations(device: torch.device) -> dict[str, float]:
    """Return the relative error of a matrix product and of a convolution."""
    generator = torch.Generator("cpu").manual_seed(0)
    draw = partial(torch.randn, generator=generator, dtype=torch.float32, device="cpu")
    matrices = draw(2, 256, 256)
    image = draw(1, 32, 24, 24)
    kernels = draw(32, 32, 3, 3)
    products: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]] = {
        "matrix product": (torch.matmul, matrices[0], matrices[1]),
        "convolution": (F.conv2d, image, kernels),
    }
    return {
        name: _relative(product(a.to(device), b.to(device)), product(a.double(), b.double()))
        for name, (product, a, b) in products.items()
    }


def _relative(found: Tensor, right: Tensor) -> float:
    """Return the root mean square error relative to the right values."""
    return float((found.cpu().double() - right).norm() / right.norm())
