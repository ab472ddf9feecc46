"""What oneDNN can do on a processor beyond torch's public convolution.

torch's compiler uses these operations; they are no part of its public interface. Where one is
missing, `AVAILABLE` is False and the plain convolution is taken.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = [
    "AVAILABLE",
    "add_grouped_products",
    "convolve_and_rectify",
    "pack_grouped_kernel",
    "rectifies",
]

AVAILABLE = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") and all(
    hasattr(torch.ops.mkldnn, name)
    for name in (
        "_convolution_pointwise",
        "_convolution_pointwise_",
        "_is_mkldnn_bf16_supported",
        "_reorder_convolution_weight",
    )
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
    """Convolve and cut off below zero, in one writing.

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


def pack_grouped_kernel(kernel: Tensor, groups: int, positions: int) -> Tensor:
    """Lay the kernel of a grouped 1x1 convolution out as oneDNN wants it.

    Parameters
    ----------
    kernel
        (G C', C, 1, 1) float32.
    groups
        G.
    positions
        Of the images to come: the layout suits this number and must not be used with others.

    Returns
    -------
    Tensor
        Opaque: it can be neither read nor copied.
    """
    pack: Any = torch.ops.mkldnn._reorder_convolution_weight
    size = [1, groups * kernel.shape[1], positions, 1]
    packed: Tensor = pack(kernel, [0, 0], _UNITY, _UNITY, groups, size)
    return packed


def add_grouped_products(to: Tensor, x: Tensor, packed: Tensor, bias: Tensor, groups: int) -> None:
    """Add a grouped 1x1 convolution to what is there, without room for a result of its own.

    Parameters
    ----------
    to
        (1, G C', P, 1), channels last in memory.
    x
        (1, G C, P, 1), channels last in memory.
    packed
        Of `pack_grouped_kernel`, for P positions.
    bias
        (G C',).
    groups
        G.
    """
    add: Any = torch.ops.mkldnn._convolution_pointwise_.binary
    add(to, x, packed, bias, [0, 0], _UNITY, _UNITY, groups, "add", None, None, [], "")
