"""Operations of oneDNN on CPUs that torch has no public function for.

torch's compiler uses these operations, but they are not part of torch's public interface. If one is
missing, `AVAILABLE` is False and the ordinary convolution is used.
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
"""Whether this CPU and this version of torch have all of them."""

_UNITY = [1, 1]


def rectifies(x: Tensor, weight: Tensor) -> bool:
    """Return whether `convolve_and_rectify` supports an image and a kernel."""
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
    """Convolve and rectify in one operation, which writes the result only once.

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
        (N, C', H', W'), equal to the result of two steps.
    """
    convolve: Any = torch.ops.mkldnn._convolution_pointwise
    found: Tensor = convolve(x, weight, bias, padding, stride, _UNITY, 1, "relu", [], "")
    return found
