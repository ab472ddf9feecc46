"""Which tensors functions and losses accept, and in which type they compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.native.threads import use_own_threads

__all__ = ["accept_image", "accept_pair", "accept_signal", "check_images", "overshoots"]

MEAN_OVERSHOOT = 0.06
"""So far an image may lie outside [0, 1] on average. Photographs in [-1, 1] exceed it, noise of
sigma 75/255 that nobody has cut off does not."""

OVERSHOOT = 2.0
"""How far a single value of an image may be outside [0, 1]."""

TRAINED_OVERSHOOT = 16.0
"""How far a value of a network may be outside [0, 1] while it is trained."""

_PEAKS: Mapping[torch.dtype, float] = {torch.uint8: 255.0, torch.uint16: 65535.0}
"""Integers that stand for [0, 1], as files hold them."""

_EXACT_IN_FLOAT32 = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16)


def accept_pair(
    reference: Tensor,
    output: Tensor,
    *,
    trained: bool = False,
    look: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return two images as metrics compute with them, or refuse them.

    Parameters
    ----------
    reference, output
        (N, C, H, W) of one shape on one device, C 1 or 3: floating point in [0, 1]; or uint8 or
        uint16, which are divided by 255 or 65535.
    trained
        Whether a network gives the output while it is trained: it may overshoot [0, 1] further, and
        the reference is called the target.
    look
        Whether to check the range of the values, for which a GPU has to be waited for.

    Returns
    -------
    tuple of Tensor
        Both in float32, or in float64 if one of them is; with their gradients.

    Raises
    ------
    IqbenchError
        If they are no pair of images, or their values are not in [0, 1]. Each image of a batch may
        overshoot it by 0.06 on average and by 2 anywhere. NaN is not refused: values that depend on
        it are NaN.
    """
    use_own_threads()
    what = "target" if trained else "reference"
    named = {f"the {what}": reference, "the output": output}
    for name, image in named.items():
        _check_tensor(name, image)
    if reference.shape != output.shape:
        raise IqbenchError(
            f"{what} and output differ in shape: {tuple(reference.shape)} and {tuple(output.shape)}"
        )
    if reference.ndim != 4 or reference.shape[1] not in (1, 3) or 0 in reference.shape[2:]:
        raise IqbenchError(
            f"expected (N, C, H, W) with C 1 or 3, not {tuple(reference.shape)}",
            hint="Add the batch dimension with unsqueeze(0)",
        )
    if reference.device != output.device:
        raise IqbenchError(
            f"the {what} is on {reference.device}, the output on {output.device}",
            hint=f"Move one of them: {what}.to(output.device)",
        )
    first, second = (_in_unit_range(name, image) for name, image in named.items())
    if look:
        _check_range(f"the {what}", first)
        _check_range("the output", second, trained=trained)
    dtype = torch.promote_types(first.dtype, second.dtype)
    return first.to(dtype), second.to(dtype)


def accept_image(image: Tensor) -> Tensor:
    """Return images without a reference as metrics compute with them, or refuse them.

    Parameters
    ----------
    image
        As each of the two of `accept_pair`.

    Returns
    -------
    Tensor
        In float32, or in float64 if it is, with its gradients.

    Raises
    ------
    IqbenchError
        As `accept_pair`.
    """
    use_own_threads()
    _check_tensor("the image", image)
    if image.ndim != 4 or image.shape[1] not in (1, 3) or 0 in image.shape[2:]:
        raise IqbenchError(
            f"expected (N, C, H, W) with C 1 or 3, not {tuple(image.shape)}",
            hint="Add the batch dimension with unsqueeze(0)",
        )
    accepted = _in_unit_range("the image", image)
    _check_range("the image", accepted)
    return accepted


def accept_signal(image: Tensor) -> Tensor:
    """Return an image of any range as total variation computes with it, or refuse it.

    Parameters
    ----------
    image
        (N, C, H, W), at least 2x2, of real numbers of any type and range.

    Returns
    -------
    Tensor
        The same values in float32, or in float64 where float32 would not hold them.

    Raises
    ------
    IqbenchError
        If it is no such tensor.
    """
    use_own_threads()
    _check_tensor("the image", image)
    if image.ndim != 4 or min(image.shape[2:]) < 2:
        raise IqbenchError(f"expected (N, C, H, W) of at least 2x2, not {tuple(image.shape)}")
    if image.dtype.is_floating_point:
        return _at_least_float32(image)
    return image.to(torch.float32 if image.dtype in _EXACT_IN_FLOAT32 else torch.float64)


def check_images(name: str, images: object, *, trained: bool = False) -> Tensor:
    """Refuse a tensor that is not a batch of images as files hold them; nothing is converted.

    Parameters
    ----------
    name
        What to call them in messages.
    images
        (N, C, H, W), C 1 or 3, N may be 0: floating point in [0, 1], uint8 or uint16.
    trained
        Whether a network gives them while it is trained: they may overshoot [0, 1] further.

    Returns
    -------
    Tensor
        The same, without gradients.

    Raises
    ------
    IqbenchError
        If it is no such tensor. NaN is not refused.
    """
    use_own_threads()
    _check_tensor(name, images)
    assert isinstance(images, Tensor)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape[2:]:
        raise IqbenchError(
            f"{name} is {tuple(images.shape)}, not (N, C, H, W) with C 1 or 3",
            hint="Add the batch dimension with unsqueeze(0); channels come before rows",
        )
    if images.dtype in _PEAKS:
        return images.detach()
    if not images.dtype.is_floating_point:
        raise _without_range(name, images)
    _check_range(name, images, trained=trained)
    return images.detach()


def overshoots(images: Tensor) -> bool:
    """Tell whether an image lies outside [0, 1] further than a finished method's output does."""
    return images.dtype.is_floating_point and bool(
        _far_outside(images.detach(), trained=False) is not None
    )


def _without_range(name: str, image: Tensor) -> IqbenchError:
    return IqbenchError(
        f"{name} is {str(image.dtype).removeprefix('torch.')}, which does not say its range",
        hint="Give uint8, uint16 or floating point in [0, 1]: divide by the peak, as in "
        "image / 255",
    )


def _check_tensor(name: str, image: object) -> None:
    """Refuse anything but a dense tensor of real numbers."""
    if not isinstance(image, Tensor):
        raise IqbenchError(
            f"{name} is of type {type(image).__name__}, not a torch tensor",
            hint="Make it one: torch.from_numpy(array).permute(2, 0, 1).unsqueeze(0)",
        )
    if image.layout != torch.strided or image.is_quantized or image.is_complex():
        raise IqbenchError(f"{name} is not a dense tensor of real numbers: {image.dtype}")


def _in_unit_range(name: str, image: Tensor) -> Tensor:
    """Return floating point of at least 32 bits, integers divided by their peak."""
    if image.dtype.is_floating_point:
        return _at_least_float32(image)
    if image.dtype not in _PEAKS:
        raise _without_range(name, image)
    return image.to(torch.float32) / _PEAKS[image.dtype]


def _at_least_float32(image: Tensor) -> Tensor:
    return image if image.dtype in (torch.float32, torch.float64) else image.float()


def _check_range(name: str, image: Tensor, *, trained: bool = False) -> None:
    """Refuse values that cannot be meant for [0, 1]."""
    worst = _far_outside(image.detach(), trained=trained)
    if worst is None:
        return
    raise IqbenchError(
        f"{name} has values from {float(worst.min()):.4g} to {float(worst.max()):.4g}, but images "
        "are in [0, 1]",
        hint="Convert it: (x + 1) / 2 from [-1, 1], x / 255 from 0..255; or cut off what "
        "overshoots: x.clamp(0, 1)",
    )


def _far_outside(image: Tensor, *, trained: bool) -> Tensor | None:
    """Return the first image of a batch that lies too far outside [0, 1]; None if none does."""
    if image.numel() == 0 or not _is_readable(image):
        return None
    image = _at_least_float32(image)
    low, high = torch.stack(torch.aminmax(image)).tolist()
    if low >= 0 and high <= 1:
        return None
    outside = (image - image.clamp(0, 1)).abs_().flatten(1)
    far = outside.amax(1) > (TRAINED_OVERSHOOT if trained else OVERSHOOT)
    if not trained:
        far |= outside.mean(1) > MEAN_OVERSHOOT
    return image[far][0] if far.any() else None


def _is_readable(image: Tensor) -> bool:
    """Tell whether the values of a tensor can be looked at now.

    Not where there are none (meta tensors), and not while torch compiles, traces, captures a CUDA
    graph or maps a function over a batch.
    """
    jit: Any = torch.jit  # its type hints lag behind
    if torch.compiler.is_compiling() or jit.is_tracing():
        return False
    if image.is_meta or isinstance(image, torch._subclasses.FakeTensor):
        return False
    if torch._C._functorch.is_functorch_wrapped_tensor(image):
        return False
    return not (image.is_cuda and torch.cuda.is_current_stream_capturing())
