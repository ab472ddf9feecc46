"""The loops in C as functions: each checks its buffers, for C writes where it is told.

Every buffer has the type, the size and the device that the loop takes for granted, or
``BufferError`` is raised and nothing is computed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from iqbench.native.library import Buffer, call, count_threads

__all__ = [
    "WINDOWS",
    "block_errors",
    "channel_moments",
    "feature_sums",
    "l2_pool",
    "lab_planes",
    "linear_light",
    "luma_plane",
    "pixel_sums",
    "sign_sums",
    "similarity_sums",
    "window_sums",
    "winograd_convolve",
    "winograd_pack",
    "xyb_planes",
    "xyb_sums",
]

PIXEL_SUMS = 13
"""How many sums `pixel_sums` gives; as in pixels.c."""

WINDOWS = (7, 11)
"""Sizes that `similarity_sums` is made for."""

_MOMENTS = 5
_LOCAL = 7
_KINDS, _SIGNS = 5, 5
_BLOCK, _BLOCKS = 64, 64
_MOST_CHANNELS = 4
_XYB_WINDOW, _XYB_SUMS = 9, 6
_POINTS = 36
_INPUTS, _OUTPUTS = 16, 64

_room = threading.local()


def feature_sums(
    reference: Tensor, output: Tensor, weight: Tensor | None, wanted: Sequence[bool]
) -> Tensor:
    """Sum |a - b|, (a - b)^2 and the weighted squared difference at unit length of features.

    Parameters
    ----------
    reference, output
        (h, w, C) float32 or bfloat16 of one image each.
    weight
        (C,) float32 for the third; None where it is not wanted.
    wanted
        Which of the three are.

    Returns
    -------
    Tensor
        (3,) float64; 0 where not wanted.
    """
    height, width, channels = output.shape
    positions, dtype = height * width, output.dtype
    _require(
        dtype in (torch.float32, torch.bfloat16) and channels > 0,
        f"features of {channels} channels in {dtype}",
    )
    _require(weight is not None or not wanted[2], "no weight of the channels")
    blocks = call("feature_blocks", [positions, channels])
    sums = torch.empty(blocks, 3, dtype=torch.float64, device="cpu")
    call(
        "feature_sums",
        [
            Buffer("reference", reference, dtype, positions * channels),
            Buffer("output", output, dtype, positions * channels),
            Buffer("weight", weight, torch.float32, channels)
            if weight is not None
            else Buffer("weight", sums, torch.float64, 0),
            Buffer("sums", sums, torch.float64, 3 * blocks),
            *(positions, channels, dtype == torch.bfloat16, *wanted),
        ],
    )
    return sums.sum(0)


def pixel_sums(reference: Tensor, output: Tensor, wanted: Sequence[bool], own: int) -> Tensor:
    """Sum what PSNR and total variation read.

    Parameters
    ----------
    reference, output
        (h, w, C) float32 of one image each.
    wanted
        Which of the `PIXEL_SUMS` sums are, in the order of pixels.c.
    own
        How many rows count where a row stands alone.

    Returns
    -------
    Tensor
        (13,) float64; 0 where not wanted.
    """
    height, width, channels = output.shape
    size = height * width * channels
    _require(0 <= own <= height and len(wanted) == PIXEL_SUMS, f"{own} rows of {height} count")
    flags = torch.tensor(wanted, dtype=torch.int64, device="cpu")
    sums = torch.empty(height, PIXEL_SUMS, dtype=torch.float64, device="cpu")
    call(
        "pixel_sums",
        [
            Buffer("reference", reference, torch.float32, size),
            Buffer("output", output, torch.float32, size),
            Buffer("wanted", flags, torch.int64, PIXEL_SUMS),
            Buffer("sums", sums, torch.float64, height * PIXEL_SUMS),
            *(height, width, channels, own),
        ],
    )
    return sums.sum(0)


def similarity_sums(
    reference: Tensor, output: Tensor, window: Tensor, size: int, *, parts: bool
) -> Tensor:
    """Sum SSIM, and contrast times structure, over the positions where a window fits.

    Parameters
    ----------
    reference, output
        (h, w, C) float32 of one image each, C at most 4, at least as large as the window.
    window
        (size + 4,) float64: weights along an axis, the scale of moments, both constants, the least
        contrast times structure (0, or minus infinity).
    size
        Of the window, 7 or 11.
    parts
        Whether contrast times structure is wanted.

    Returns
    -------
    Tensor
        (2, C) float64; the second is 0 where not wanted.
    """
    height, width, channels = output.shape
    down, across = height - size + 1, width - size + 1
    _require(
        size in WINDOWS and 1 <= channels <= _MOST_CHANNELS and min(down, across) > 0,
        f"windows of {size} on {height}x{width} pixels of {channels} channels",
    )
    blocks = call("similarity_blocks", [down, across, channels])
    sums = torch.empty(blocks, 2, channels, dtype=torch.float64, device="cpu")
    call(
        "similarity_sums",
        [
            Buffer("reference", reference, torch.float32, height * width * channels),
            Buffer("output", output, torch.float32, height * width * channels),
            Buffer("window", window, torch.float64, size + 4),
            Buffer("sums", sums, torch.float64, blocks * 2 * channels),
            *(height, width, channels, size, parts),
        ],
    )
    return sums.sum(0)


def channel_moments(reference: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """Return means and centred second moments of every channel.

    Parameters
    ----------
    reference, output
        (h, w, C) float32 of one image each, at least one position.

    Returns
    -------
    tuple of Tensor
        (2, C) float64: both means; (3, C): sums of (x - mean x)^2, (y - mean y)^2 and
        (x - mean x)(y - mean y).
    """
    height, width, channels = output.shape
    positions = height * width
    _require(positions > 0 and channels > 0, f"{positions} positions of {channels} channels")
    blocks = call("moment_blocks", [positions, channels])
    sums = torch.empty(blocks, _MOMENTS, channels, dtype=torch.float64, device="cpu")
    call(
        "channel_moments",
        [
            Buffer("reference", reference, torch.float32, positions * channels),
            Buffer("output", output, torch.float32, positions * channels),
            Buffer("sums", sums, torch.float64, sums.numel()),
            *(positions, channels),
        ],
    )
    # The sums are of distances from the first position.
    x, y, xx, yy, xy = sums.sum(0)
    first = torch.stack([reference[0, 0], output[0, 0]]).double()
    squares = torch.stack([xx - x * x / positions, yy - y * y / positions, xy - x * y / positions])
    return first + torch.stack([x, y]) / positions, squares


def l2_pool(pieces: Sequence[Tensor], out: Tensor, *, above: int) -> None:
    """Pool by the root of squares that are filtered with [1 2 1]/4 along both axes, stride 2.

    Parameters
    ----------
    pieces
        One or two (N, h, w, C) float32, one below the other; around them are zeros.
    out
        (N, H, (w + 1) // 2, C) float32, which is written.
    above
        How many rows of zeros the first row of the output reads, 0 or 1.
    """
    first, second = pieces if len(pieces) == 2 else (pieces[0], pieces[0][:, :0])
    images, _, width, channels = first.shape
    high = out.shape[1]
    _require(
        above in (0, 1)
        and channels > 0
        and second.shape == (images, second.shape[1], width, channels)
        and out.shape == (images, high, (width + 1) // 2, channels),
        f"pooling {tuple(first.shape)} and {tuple(second.shape)} into {tuple(out.shape)}",
    )
    call(
        "l2_pool",
        [
            Buffer("first", first, torch.float32, first.numel()),
            Buffer("second", second, torch.float32, second.numel()),
            *(first.shape[1], second.shape[1]),
            Buffer("out", out, torch.float32, out.numel()),
            *(images, width, channels, above, high),
        ],
    )


def window_sums(image: Tensor, window: Tensor) -> Tensor:
    """Sum an image under a 7x7 window, each product and sum rounded in the order of its values.

    Parameters
    ----------
    image
        (h + 6, w + 6) float64.
    window
        (7, 7) float64.

    Returns
    -------
    Tensor
        (h, w) float64, at all positions where the window fits.
    """
    height, width = (side - _LOCAL + 1 for side in image.shape)
    _require(min(height, width) > 0, f"a window of {_LOCAL} on {tuple(image.shape)} pixels")
    out = torch.empty(height, width, dtype=torch.float64, device="cpu")
    call(
        "window_sums",
        [
            Buffer("image", image, torch.float64, image.numel()),
            Buffer("window", window, torch.float64, _LOCAL * _LOCAL),
            Buffer("out", out, torch.float64, out.numel()),
            *(height, width),
        ],
    )
    return out


def sign_sums(blocks: Tensor) -> Tensor:
    """Sum blocks and their products with themselves moved, by sign.

    Parameters
    ----------
    blocks
        (B, side, side) float64.

    Returns
    -------
    Tensor
        (B, 5, 5) float64. Kinds: the values; their products with the block moved, around its ends,
        right, down, down and right, down and left. Sums: how many are negative, their squares, how
        many are positive, their squares, the absolute values.
    """
    count, side = blocks.shape[:2]
    _require(side > 0 and blocks.shape[2] == side, f"blocks of {tuple(blocks.shape[1:])}")
    sums = torch.empty(count, _KINDS, _SIGNS, dtype=torch.float64, device="cpu")
    call(
        "sign_sums",
        [
            Buffer("blocks", blocks, torch.float64, blocks.numel()),
            Buffer("sums", sums, torch.float64, sums.numel()),
            *(count, side),
        ],
    )
    return sums


def luma_plane(image: Tensor, constants: Sequence[float], *, rounded: bool) -> Tensor:
    """Weigh red, green and blue in float64.

    Parameters
    ----------
    image
        (h, w, 3) float32.
    constants
        Three weights, a factor and a summand of their sum, and by what it is divided at the end.
    rounded
        Whether the sum is rounded before, half up.

    Returns
    -------
    Tensor
        (h, w) float32.
    """
    height, width, channels = image.shape
    _require(channels == 3 and len(constants) == 6, f"luma of {channels} channels")
    plane = torch.empty(height, width, dtype=torch.float32, device="cpu")
    call(
        "luma_plane",
        [
            Buffer("image", image, torch.float32, height * width * channels),
            Buffer("plane", plane, torch.float32, height * width),
            Buffer("constants", _doubles(tuple(constants)), torch.float64, 6),
            *(height, width, rounded),
        ],
    )
    return plane


def linear_light(values: Tensor) -> Tensor:
    """Turn sRGB into linear light, value by value.

    Parameters
    ----------
    values
        Any shape, float32, contiguous.

    Returns
    -------
    Tensor
        The same shape; off by 5e-7 of a value at most, as the plain way is.
    """
    linear = torch.empty_like(values)
    call(
        "linear_light",
        [
            Buffer("values", values, torch.float32, values.numel()),
            Buffer("linear", linear, torch.float32, values.numel()),
            values.numel(),
        ],
    )
    return linear


def block_errors(reference: Tensor, output: Tensor, constants: Tensor) -> Tensor:
    """Sum the weighted squared errors of DCT coefficients, and what is not masked of them.

    Parameters
    ----------
    reference, output
        (..., 64) float32: the pixels of 8x8 blocks of one image each.
    constants
        (4, 64) float32: the DCT of eight values, one coefficient a row; of each coefficient the
        squared sensitivity, the masking, and 1 over the masking. The last two of the first are 0.

    Returns
    -------
    Tensor
        (2,) float64.
    """
    blocks = output.numel() // _BLOCK
    _require(output.shape[-1] == _BLOCK, f"blocks of {output.shape[-1]} pixels")
    sums = torch.empty(-(-blocks // _BLOCKS), 2, dtype=torch.float64, device="cpu")
    call(
        "block_errors",
        [
            Buffer("reference", reference, torch.float32, blocks * _BLOCK),
            Buffer("output", output, torch.float32, blocks * _BLOCK),
            Buffer("constants", constants, torch.float32, 4 * _BLOCK),
            Buffer("sums", sums, torch.float64, sums.numel()),
            blocks,
        ],
    )
    return sums.sum(0)


def lab_planes(linear: Tensor, matrix: Sequence[float]) -> Tensor:
    """Convert linear light into CIELAB.

    Parameters
    ----------
    linear
        (3, h, w) float32.
    matrix
        Nine weights of linear light that give X, Y and Z over those of white.

    Returns
    -------
    Tensor
        (3, h, w) float32: L from 0 to 100, a, b.
    """
    channels, height, width = linear.shape
    _require(channels == 3 and len(matrix) == 9, f"CIELAB of {channels} channels")
    lab = torch.empty(channels, height, width, dtype=torch.float32, device="cpu")
    call(
        "lab_planes",
        [
            Buffer("linear", linear, torch.float32, channels * height * width),
            Buffer("lab", lab, torch.float32, channels * height * width),
            Buffer("matrix", _floats(tuple(matrix)), torch.float32, 9),
            height * width,
        ],
    )
    return lab


def xyb_planes(linear: Tensor, constants: Sequence[float], border: int) -> Tensor:
    """Convert linear light into X, Y and B - Y, between zeros at the left and right.

    Parameters
    ----------
    linear
        (3, h, w) float32.
    constants
        Nine weights of linear light, the bias, and its cube root.
    border
        How many zeros on each side.

    Returns
    -------
    Tensor
        (3, h, w + 2 * border) float32.
    """
    channels, height, width = linear.shape
    _require(
        channels == 3 and len(constants) == 11 and border >= 0,
        f"XYB of {channels} channels with a border of {border}",
    )
    planes = torch.empty(3, height, width + 2 * border, dtype=torch.float32, device="cpu")
    call(
        "xyb_planes",
        [
            Buffer("linear", linear, torch.float32, channels * height * width),
            Buffer("planes", planes, torch.float32, planes.numel()),
            Buffer("constants", _floats(tuple(constants)), torch.float32, 11),
            *(height, width, border),
        ],
    )
    return planes


def xyb_sums(reference: Tensor, output: Tensor, window: Sequence[float], constant: float) -> Tensor:
    """Sum SSIMULACRA 2's errors of structure, ringing and blurring where the blur fits.

    Parameters
    ----------
    reference, output
        (C, h, w) float32 of one image each, at least 9x9.
    window
        The nine weights of the blur along an axis.
    constant
        What is added to the variances.

    Returns
    -------
    Tensor
        (C, 6) float64: the sums of the three maps, and of their fourth powers.
    """
    channels, height, width = output.shape
    down, across = height - _XYB_WINDOW + 1, width - _XYB_WINDOW + 1
    _require(
        len(window) == _XYB_WINDOW and min(channels, down, across) > 0,
        f"a blur of {len(window)} on {channels} planes of {height}x{width}",
    )
    sums = torch.empty(channels, down, _XYB_SUMS, dtype=torch.float64, device="cpu")
    call(
        "xyb_sums",
        [
            Buffer("reference", reference, torch.float32, channels * height * width),
            Buffer("output", output, torch.float32, channels * height * width),
            Buffer("constants", _floats((*window, constant)), torch.float32, _XYB_WINDOW + 1),
            Buffer("sums", sums, torch.float64, sums.numel()),
            *(channels, down, across),
        ],
    )
    return sums.sum(1)


def winograd_pack(weight: Tensor) -> Tensor:
    """Transform a kernel.

    Parameters
    ----------
    weight
        (outputs, inputs, 3, 3) float32; 64 divides outputs, 16 divides inputs.

    Returns
    -------
    Tensor
        (36 * outputs * inputs,) float32, as `winograd_convolve` reads it.
    """
    outputs, inputs = weight.shape[:2]
    _require_channels(outputs, inputs)
    size = _POINTS * outputs * inputs
    kernel = torch.empty(size, dtype=torch.float32, device="cpu")
    call(
        "winograd_pack",
        [
            Buffer("weight", weight, torch.float32, 9 * outputs * inputs),
            Buffer("kernel", kernel, torch.float32, size),
            *(outputs, inputs),
        ],
    )
    return kernel


def winograd_convolve(
    pieces: Sequence[Tensor],
    out: Tensor,
    kernel: Tensor,
    bias: Tensor,
    zeros: Tensor,
    *,
    above: int,
    below: int,
    beside: int,
    rectify: bool,
) -> None:
    """Convolve with a 3x3 kernel and stride 1.

    Parameters
    ----------
    pieces
        One or two (N, h, w, inputs), one below the other, float32 or bfloat16.
    out
        (N, H, W, outputs) of the same type, which is written.
    kernel
        What `winograd_pack` returned.
    bias
        (outputs,) float32.
    zeros
        At least `inputs` zeros, float32.
    above, below, beside
        Rows and columns of zeros around the image.
    rectify
        Cut off below zero as well.
    """
    first, second = pieces if len(pieces) == 2 else (pieces[0], pieces[0][:, :0])
    images, _, width, inputs = first.shape
    high = above + first.shape[1] + second.shape[1] + below - 2
    wide, outputs, dtype = width + 2 * beside - 2, out.shape[3], out.dtype
    _require_channels(outputs, inputs)
    _require(
        dtype in (torch.float32, torch.bfloat16)
        and min(above, below, beside) >= 0
        and second.shape == (images, second.shape[1], width, inputs)
        and out.shape == (images, high, wide, outputs),
        f"{tuple(first.shape)} and {tuple(second.shape)} into {tuple(out.shape)} in {dtype}",
    )
    threads = count_threads()
    room = _room_for(inputs, threads)
    call(
        "winograd_convolve",
        [
            Buffer("first", first, dtype, first.numel()),
            Buffer("second", second, dtype, second.numel()),
            *(first.shape[1], second.shape[1]),
            Buffer("out", out, dtype, images * high * wide * outputs),
            Buffer("kernel", kernel, torch.float32, _POINTS * outputs * inputs),
            Buffer("bias", bias, torch.float32, outputs),
            Buffer("zeros", zeros, torch.float32, inputs),
            Buffer("room", room, torch.float32, call("winograd_room", [inputs], threads)),
            *(images, width, inputs, outputs, above, below, beside),
            *(dtype == torch.bfloat16, rectify),
        ],
        threads,
    )


def _room_for(channels: int, threads: int) -> Tensor:
    """Return room to work in, kept for the next call; each thread of Python has its own."""
    size = call("winograd_room", [channels], threads)
    room: Tensor | None = getattr(_room, "floats", None)
    if room is None or room.numel() < size:
        with torch.inference_mode(False):  # it must also serve calls outside
            room = _room.floats = torch.empty(size, dtype=torch.float32, device="cpu")
    return room


def _require_channels(outputs: int, inputs: int) -> None:
    _require(
        outputs > 0 and inputs > 0 and outputs % _OUTPUTS == 0 and inputs % _INPUTS == 0,
        f"a kernel from {inputs} to {outputs} channels",
    )


@lru_cache(maxsize=64)
def _doubles(values: tuple[float, ...]) -> Tensor:
    """Return constants of a loop in float64."""
    return torch.tensor(values, dtype=torch.float64, device="cpu")


@lru_cache(maxsize=64)
def _floats(values: tuple[float, ...]) -> Tensor:
    """Return constants of a loop in float32."""
    return torch.tensor(values, dtype=torch.float32, device="cpu")


def _require(condition: bool, what: str) -> None:
    """Refuse sizes that a loop is not made for."""
    if not condition:
        raise BufferError(f"the compiled loops are not made for {what}")
