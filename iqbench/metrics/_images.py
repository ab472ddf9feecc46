"""Check the tensors that functions and losses accept, and convert their type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.native.threads import use_own_threads

__all__ = ["accept_image", "accept_pair", "accept_signal", "check_images", "overshoots"]

MEAN_OVERSHOOT = 0.06
"""The largest mean distance of an image from [0, 1]. Photographs in [-1, 1] exceed it; images with
unclipped noise of sigma 75/255 do not."""

OVERSHOOT = 2.0
"""The largest distance of a single value of an image from [0, 1]."""

TRAINED_OVERSHOOT = 16.0
"""The largest distance of a value from [0, 1] for a network in training."""

_PEAKS: Mapping[torch.dtype, float] = {torch.uint8: 255.0, torch.uint16: 65535.0}
"""The peaks of integer types, as in image files."""

_EXACT_IN_FLOAT32 = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16)


def accept_pair(
    reference: Tensor,
    output: Tensor,
    *,
    trained: bool = False,
    look: bool = True,
) -> tuple[Tensor, Tensor]:
    """Check two images, and convert them for the computation of metrics.

    Parameters
    ----------
    reference, output
        (N, C, H, W) of one shape on one device, C 1 or 3: floating point in [0, 1]; or uint8 or
        uint16, which are divided by 255 or 65535.
    trained
        Whether the output comes from a network in training: it may exceed [0, 1] further, and the
        reference is called the target in messages.
    look
        Whether to check the range of the values, which needs to wait for a GPU.

    Returns
    -------
    tuple of Tensor
        Both in float32, or in float64 if one of them is float64; with their gradients.

    Raises
    ------
    IqbenchError
        If they are not a pair of images, or their values are not in [0, 1]. Each image of a batch
        may exceed this range by 0.06 on average and by 2 at any position. NaN is accepted: values
        that depend on it are NaN.
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
    if reference.ndim != 4 or reference.shape[1] not in (1, 3):
        raise IqbenchError(
            f"expected (N, C, H, W) with C 1 or 3, not {tuple(reference.shape)}",
            hint="Add the batch dimension with unsqueeze(0)",
        )
    _check_has_pixels(f"the {what}", reference)
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
    """Check images without a reference, and convert them for the computation of metrics.

    Parameters
    ----------
    image
        As each image of `accept_pair`.

    Returns
    -------
    Tensor
        In float32, or float64 if the image is float64, with its gradients.

    Raises
    ------
    IqbenchError
        As `accept_pair`.
    """
    use_own_threads()
    _check_tensor("the image", image)
    if image.ndim != 4 or image.shape[1] not in (1, 3):
        raise IqbenchError(
            f"expected (N, C, H, W) with C 1 or 3, not {tuple(image.shape)}",
            hint="Add the batch dimension with unsqueeze(0)",
        )
    _check_has_pixels("the image", image)
    accepted = _in_unit_range("the image", image)
    _check_range("the image", accepted)
    return accepted


def accept_signal(image: Tensor) -> Tensor:
    """Check an image of any range, and convert it for the computation of total variation.

    Parameters
    ----------
    image
        (N, C, H, W), at least 2x2, of real numbers of any type and range.

    Returns
    -------
    Tensor
        The same values in float32, or in float64 if float32 cannot represent them.

    Raises
    ------
    IqbenchError
        If it is not such a tensor.
    """
    use_own_threads()
    _check_tensor("the image", image)
    if image.ndim != 4 or min(image.shape[2:]) < 2:
        raise IqbenchError(f"expected (N, C, H, W) of at least 2x2, not {tuple(image.shape)}")
    if image.dtype.is_floating_point:
        return _at_least_float32(image)
    return image.to(torch.float32 if image.dtype in _EXACT_IN_FLOAT32 else torch.float64)


def check_images(name: str, images: object, *, trained: bool = False) -> Tensor:
    """Check that a tensor is a batch of images as in files, without converting it.

    Parameters
    ----------
    name
        Their name in messages.
    images
        (N, C, H, W), C 1 or 3, N may be 0: floating point in [0, 1], uint8 or uint16.
    trained
        Whether they come from a network in training: they may exceed [0, 1] further.

    Returns
    -------
    Tensor
        The same tensor, without gradients.

    Raises
    ------
    IqbenchError
        If it is not such a tensor. NaN is accepted.
    """
    use_own_threads()
    _check_tensor(name, images)
    assert isinstance(images, Tensor)
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise IqbenchError(
            f"{name} is {tuple(images.shape)}, not (N, C, H, W) with C 1 or 3",
            hint="Add the batch dimension with unsqueeze(0); channels come before rows",
        )
    _check_has_pixels(name, images)
    if images.dtype in _PEAKS:
        return images.detach()
    if not images.dtype.is_floating_point:
        raise _without_range(name, images)
    _check_range(name, images, trained=trained)
    return images.detach()


def overshoots(images: Tensor) -> bool:
    """Return whether an image exceeds [0, 1] further than the output of a trained method may."""
    return images.dtype.is_floating_point and bool(
        _far_outside(images.detach(), trained=False) is not None
    )


def _without_range(name: str, image: Tensor) -> IqbenchError:
    return IqbenchError(
        f"{name} is {str(image.dtype).removeprefix('torch.')}, whose range is not known",
        hint="Give uint8, uint16 or floating point in [0, 1]: divide by the peak, as in "
        "image / 255",
    )


def _check_has_pixels(name: str, images: Tensor) -> None:
    if 0 in images.shape[2:]:
        height, width = images.shape[2:]
        raise IqbenchError(
            f"{name} has {width}x{height} pixels, so there is nothing to score",
            hint="Check the crop that made it",
        )


def _check_tensor(name: str, image: object) -> None:
    """Raise an error for anything but a dense tensor of real numbers."""
    if not isinstance(image, Tensor):
        raise IqbenchError(
            f"{name} is of type {type(image).__name__}, not a torch tensor",
            hint="Make it one: torch.from_numpy(array).permute(2, 0, 1).unsqueeze(0)",
        )
    dense = image.layout == torch.strided and not (image.is_quantized or image.is_nested)
    if not dense or image.is_complex():
        raise IqbenchError(f"{name} is not a dense tensor of real numbers: {image.dtype}")


def _in_unit_range(name: str, image: Tensor) -> Tensor:
    """Convert to floating point of at least 32 bits; integers are divided by their peak."""
    if image.dtype.is_floating_point:
        return _at_least_float32(image)
    if image.dtype not in _PEAKS:
        raise _without_range(name, image)
    return image.to(torch.float32) / _PEAKS[image.dtype]


def _at_least_float32(image: Tensor) -> Tensor:
    return image if image.dtype in (torch.float32, torch.float64) else image.float()


def _check_range(name: str, image: Tensor, *, trained: bool = False) -> None:
    """Raise an error for values that are evidently not meant for [0, 1]."""
    worst = _far_outside(image.detach(), trained=trained)
    if worst is None:
        return
    raise IqbenchError(
        f"{name} has values from {float(worst.min()):.4g} to {float(worst.max()):.4g}, but images "
        "are in [0, 1]",
        hint="Convert it: (x + 1) / 2 from [-1, 1], x / 255 from 0..255; or clip its values: "
        "x.clamp(0, 1)",
    )


def _far_outside(image: Tensor, *, trained: bool) -> Tensor | None:
    """Return the first image of a batch that exceeds [0, 1] too far; None if none does."""
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
    """Return whether the values of a tensor can be read now.

    They cannot for meta tensors, and while torch compiles, traces, captures a CUDA graph or maps a
    function over a batch.
    """
    jit: Any = torch.jit  # its type hints lag behind
    if torch.compiler.is_compiling() or jit.is_tracing():
        return False
    if image.is_meta or isinstance(image, torch._subclasses.FakeTensor):
        return False
    if torch._C._functorch.is_functorch_wrapped_tensor(image):
        return False
    return not (image.is_cuda and torch.cuda.is_current_stream_capturing())
