"""What oneDNN can do on a processor beyond torch's public convolution.

torch's compiler uses these operations; they are no part of its public interface. Where one is
missing, `AVAILABLE` is False and the plain convolution is taken.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["AVAILABLE", "convolve_and_rectify", "rectifies"]

AVAILABLE = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") and all(
    hasattr(torch.ops.mkldnn, name)
    for name in ("_convolution_pointwise", "_is_mkldnn_bf16_supported")
)
"""Whether this is a processor, and a torch, where all of them are known to work."""

_UNITY = [1, 1]


def rectifies(x: Tensor, weight: Tensor) -> bool:
    """Tell whether `convolve_and_rectify` takes an image and a kernel."""
    if not AVAILABLE or x.dtype != weight.dtype:
        return False
    bfloat16 = x.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return bfloat16 or x.dtype == torch.float32


def convolve_and_rectify(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
) -> Tensor:
    """Convolve and rectify, writing the result once.

    Parameters
    ----------
    x
        (N, C, H, W), float32 or bfloat16.
    weight, bias
        (C', C, k, k) and (C',), of the same type.
    stride, padding
        Along rows and columns.

    Returns
    -------
    Tensor
        (N, C', H', W'), equal to what two steps give.
    """
    convolve: Any = torch.ops.mkldnn._convolution_pointwise
    found: Tensor = convolve(x, weight, bias, padding, stride, _UNITY, 1, "relu", [], "")
    return found
