"""The loops in C as Python functions, which check all buffers before the call.

If a buffer does not have the type, the size and the device that the loop expects, a ``BufferError``
is raised and nothing is computed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from iqbench.native.library import Buffer, call, count_threads

__all__ = [
    "WINDOWS",
    "block_errors",
    "channel_moments",
    "congruencies",
    "feature_sums",
    "filtered_spectra",
    "gradient_lengths",
    "haar_coefficients",
    "haar_sums",
    "joint_roots",
    "l2_pool",
    "lab_planes",
    "linear_light",
    "luma_plane",
    "medians",
    "mixed_means",
    "oriented_parts",
    "pixel_sums",
    "resize_bilinear",
    "root_distances",
    "salient_places",
    "sign_sums",
    "similarity_map",
    "similarity_sums",
    "unlike_sums",
    "weighted_sums",
    "window_sums",
    "winograd_convolve",
    "winograd_pack",
    "xyb_planes",
    "xyb_sums",
]

PIXEL_SUMS = 13
"""The number of sums of `pixel_sums`, as in pixels.c."""

WINDOWS = (7, 11)
"""The sizes that `similarity_sums` supports."""

_MOMENTS = 5
_LOCAL = 7
_KINDS, _SIGNS = 5, 5
_BLOCK, _BLOCKS = 64, 64
_MOST_CHANNELS = 4
_XYB_WINDOW, _XYB_SUMS = 9, 6
_MOST_SUMMED = 6144
_SCALES, _ORIENTATIONS = 4, 4
_WAVELETS, _HAAR_REACH = 6, 7
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
        (C,) float32 for the third; None if it is not wanted.
    wanted
        Which of the three sums to compute.

    Returns
    -------
    Tensor
        (3,) float64; 0 for unwanted sums.
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
    """Compute the sums for PSNR and total variation.

    Parameters
    ----------
    reference, output
        (h, w, C) float32 of one image each.
    wanted
        Which of the `PIXEL_SUMS` sums to compute, in the order of pixels.c.
    own
        The number of rows for sums that do not need the next row.

    Returns
    -------
    Tensor
        (13,) float64; 0 for unwanted sums.
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
    """Sum SSIM, and contrast times structure, over the valid positions of a window.

    Parameters
    ----------
    reference, output
        (h, w, C) float32 of one image each, C at most 4, at least as large as the window.
    window
        (size + 4,) float64: weights along an axis, the moment correction, both constants, the
        smallest contrast times structure (0, or minus infinity).
    size
        Size of the window, 7 or 11.
    parts
        Whether to compute contrast times structure.

    Returns
    -------
    Tensor
        (2, C) float64; the second is 0 if not wanted.
    """
    height, width, channels = output.shape
    down, across = _positions(output, size)
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


def similarity_map(reference: Tensor, output: Tensor, window: Tensor, size: int) -> Tensor:
    """Return SSIM at each position where a window fits, summed over the channels.

    Parameters
    ----------
    reference, output, window, size
        As of `similarity_sums`.

    Returns
    -------
    Tensor
        (h - size + 1, w - size + 1) float64.
    """
    height, width, channels = output.shape
    found = torch.empty(*_positions(output, size), dtype=torch.float64, device="cpu")
    call(
        "similarity_map",
        [
            Buffer("reference", reference, torch.float32, height * width * channels),
            Buffer("output", output, torch.float32, height * width * channels),
            Buffer("window", window, torch.float64, size + 4),
            Buffer("map", found, torch.float64, found.numel()),
            *(height, width, channels, size),
        ],
    )
    return found


def _positions(image: Tensor, size: int) -> tuple[int, int]:
    """Return how many rows and columns of positions there are where a window fits."""
    height, width, channels = image.shape
    down, across = height - size + 1, width - size + 1
    _require(
        size in WINDOWS and 1 <= channels <= _MOST_CHANNELS and min(down, across) > 0,
        f"windows of {size} on {height}x{width} pixels of {channels} channels",
    )
    return down, across


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
    # The sums are those of differences from the first position.
    x, y, xx, yy, xy = sums.sum(0)
    first = torch.stack([reference[0, 0], output[0, 0]]).double()
    squares = torch.stack([xx - x * x / positions, yy - y * y / positions, xy - x * y / positions])
    return first + torch.stack([x, y]) / positions, squares


def l2_pool(pieces: Sequence[Tensor], out: Tensor, *, above: int) -> None:
    """Pool by the root of squares, filtered with [1 2 1]/4 along both axes with stride 2.

    Parameters
    ----------
    pieces
        One or two (N, h, w, C) float32, from top to bottom, with zero padding.
    out
        (N, H, (w + 1) // 2, C) float32, the output.
    above
        The number of rows of zeros above the first window, 0 or 1.
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
    """Filter an image with a 7x7 window; products and sums are rounded in the window's order.

    Parameters
    ----------
    image
        (h + 6, w + 6) float64.
    window
        (7, 7) float64.

    Returns
    -------
    Tensor
        (h, w) float64, on valid positions.
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
    """Sum the values of blocks, and their products with shifted blocks, by sign.

    Parameters
    ----------
    blocks
        (B, side, side) float64.

    Returns
    -------
    Tensor
        (B, 5, 5) float64. Kinds: the values; their products with the block shifted cyclically to
        the right, down, down and right, down and left. Sums: the number of negative values, their
        squares, the number of positive values, their squares, the absolute values.
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
    """Compute a weighted sum of red, green and blue in float64.

    Parameters
    ----------
    image
        (h, w, 3) float32.
    constants
        Three weights, a factor and a summand for their sum, and a final divisor.
    rounded
        Whether to round the sum, half up, before the division.

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
    """Convert sRGB values to linear light.

    Parameters
    ----------
    values
        Any shape, float32, contiguous.

    Returns
    -------
    Tensor
        The same shape; the relative error is at most 5e-7, as without the loop.
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
    """Sum the weighted squared errors of DCT coefficients, and their unmasked parts.

    Parameters
    ----------
    reference, output
        (..., 64) float32: the pixels of 8x8 blocks of one image each.
    constants
        (4, 64) float32: the DCT of eight values, one coefficient per row; for each coefficient the
        squared sensitivity, the masking factor and its inverse. The latter two are 0 for the first.

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


def lab_planes(linear: Tensor, matrix: Sequence[float], slope: float = 7.787) -> Tensor:
    """Convert linear light to CIELAB.

    Parameters
    ----------
    linear
        (3, h, w) float32.
    matrix
        Nine weights of linear light that give X, Y and Z relative to white.
    slope
        The slope of the linear part near black.

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
            Buffer("constants", _floats((*matrix, slope)), torch.float32, 10),
            height * width,
        ],
    )
    return lab


def xyb_planes(linear: Tensor, constants: Sequence[float], border: int) -> Tensor:
    """Convert linear light to X, Y and B - Y, with zeros on the left and right.

    Parameters
    ----------
    linear
        (3, h, w) float32.
    constants
        Nine weights of linear light, the bias, and its cube root.
    border
        The number of zeros on each side.

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
    """Sum SSIMULACRA 2's errors of structure, ringing and blurring on valid positions.

    Parameters
    ----------
    reference, output
        (C, h, w) float32 of one image each, at least 9x9.
    window
        The nine weights of the blur along an axis.
    constant
        A constant that is added to the variances.

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


def mixed_means(
    images: Tensor, matrix: Tensor, factor: int, *, before: int, size: tuple[int, int]
) -> Tensor:
    """Average square blocks of images, and mix their channels.

    Parameters
    ----------
    images
        (N, h, w, C) float32, C at most 4, with zero padding.
    matrix
        (P, C) float32: each row has the weights of the channels in a plane.
    factor
        Side of a block.
    before
        Rows and columns of padding in the first block.
    size
        Numbers of blocks along both axes; each contains at least one pixel of the image.

    Returns
    -------
    Tensor
        (N, P, *size) float32.
    """
    count, height, width, channels = images.shape
    planes, (high, wide) = len(matrix), size
    covered = [
        blocks > 0 and (blocks - 1) * factor - before < side
        for blocks, side in zip(size, (height, width), strict=True)
    ]
    _require(
        1 <= channels <= _MOST_CHANNELS
        and 1 <= factor <= _MOST_SUMMED // channels
        and 0 <= before < factor
        and all(covered),
        f"blocks of {factor} from {before} before {tuple(images.shape)} into {planes} of {size}",
    )
    out = torch.empty(count, planes, high, wide, dtype=torch.float32, device="cpu")
    call(
        "mixed_means",
        [
            Buffer("images", images, torch.float32, images.numel()),
            Buffer("matrix", matrix, torch.float32, planes * channels),
            Buffer("out", out, torch.float32, out.numel()),
            *(count, height, width, channels, planes, factor, before, high, wide),
        ],
    )
    return out


def gradient_lengths(
    planes: Tensor, kind: Literal["prewitt", "scharr"], *, above: int = 1, below: int = 1
) -> Tensor:
    """Compute the lengths of gradients.

    Parameters
    ----------
    planes
        (P, h, w) float32, with zeros on the left and right.
    kind
        The 3x3 filters; both have a sum of absolute weights of 1 on each side.
    above, below
        The numbers of rows of zeros above and below, 0 or 1.

    Returns
    -------
    Tensor
        (P, above + h + below - 2, w) float32.
    """
    count, height, width = planes.shape
    high = above + height + below - 2
    _require(
        above in (0, 1) and below in (0, 1) and high > 0 and kind in ("prewitt", "scharr"),
        f"gradients by {kind} of {tuple(planes.shape)}, {above} above and {below} below",
    )
    out = torch.empty(count, high, width, dtype=torch.float32, device="cpu")
    call(
        "gradient_lengths",
        [
            Buffer("planes", planes, torch.float32, planes.numel()),
            Buffer("out", out, torch.float32, out.numel()),
            *(count, height, width, above, high, kind == "scharr"),
        ],
    )
    return out


def filtered_spectra(spectrum: Tensor, filters: Tensor) -> Tensor:
    """Multiply a spectrum by filters.

    Parameters
    ----------
    spectrum
        (h, w) complex64.
    filters
        (F, h, w) float32.

    Returns
    -------
    Tensor
        (F, h, w) complex64.
    """
    number, height, width = filters.shape
    count = height * width
    out = torch.empty(number, height, width, dtype=torch.complex64, device="cpu")
    call(
        "filtered_spectra",
        [
            Buffer("spectrum", spectrum, torch.complex64, count),
            Buffer("filters", filters, torch.float32, number * count),
            Buffer("out", out, torch.complex64, number * count),
            *(number, count),
        ],
    )
    return out


def oriented_parts(
    answers: Tensor, squares: Tensor, along: Tensor, amplitude: Tensor, *, first: bool
) -> None:
    """Compute the parts of phase congruency from the filter responses of one orientation.

    Parameters
    ----------
    answers
        (4, h, w) complex64 responses: one per scale, the finest first.
    squares, along
        (h, w) float32, outputs: the squared lengths at the finest scale; the sum along the mean
        direction minus the sum across it.
    amplitude
        (h, w) float32: the lengths are added to it.
    first
        Whether to write the lengths instead of adding them.
    """
    scales, *size = answers.shape
    count = size[0] * size[1]
    _require(scales == _SCALES and count > 0, f"answers of {tuple(answers.shape)}")
    call(
        "oriented_parts",
        [
            Buffer("answers", answers, torch.complex64, scales * count),
            Buffer("squares", squares, torch.float32, count),
            Buffer("along", along, torch.float32, count),
            Buffer("amplitude", amplitude, torch.float32, count),
            *(count, first),
        ],
    )


def medians(planes: Tensor) -> Tensor:
    """Return the median of each plane.

    Parameters
    ----------
    planes
        (P, n) float32, none negative; n at least 1.

    Returns
    -------
    Tensor
        (P,) float32; for an even number, the mean of the middle two.
    """
    count, size = planes.shape
    _require(size > 0, "a median of nothing")
    out = torch.empty(count, dtype=torch.float32, device="cpu")
    call(
        "medians",
        [
            Buffer("planes", planes, torch.float32, count * size),
            Buffer("out", out, torch.float32, count),
            *(count, size),
        ],
    )
    return out


def congruencies(along: Tensor, thresholds: Tensor, amplitude: Tensor) -> Tensor:
    """Sum the excess over thresholds over all orientations, divided by the amplitude.

    Parameters
    ----------
    along
        (4, h, w) float32.
    thresholds
        (4,) float32.
    amplitude
        (h, w) float32.

    Returns
    -------
    Tensor
        (h, w) float32; 0 where the amplitude is 0.
    """
    orientations, height, width = along.shape
    _require(orientations == _ORIENTATIONS, f"{orientations} orientations")
    count = height * width
    out = torch.empty(height, width, dtype=torch.float32, device="cpu")
    call(
        "congruencies",
        [
            Buffer("along", along, torch.float32, orientations * count),
            Buffer("thresholds", thresholds, torch.float32, orientations),
            Buffer("amplitude", amplitude, torch.float32, count),
            Buffer("out", out, torch.float32, count),
            count,
        ],
    )
    return out


def weighted_sums(
    weights: tuple[Tensor, Tensor],
    slopes: tuple[Tensor, Tensor],
    colours: tuple[Tensor, Tensor] | None,
    constants: Tensor,
) -> Tensor:
    """Sum similarities of two images with the larger of their weights.

    Parameters
    ----------
    weights, slopes
        (h, w) float32 of each image.
    colours
        (2, h, w) float32 of each image; None for gray.
    constants
        (6,) float32: the constants of the similarities of weights, slopes and colours; the
        exponents of those of slopes and colours; the cosine of pi times the last one.

    Returns
    -------
    Tensor
        (3,) float64: sums of the weights; of their product with the similarity of weights and
        slopes; and of this product with the similarity of colours.
    """
    count = weights[0].numel()
    blocks = call("weighted_blocks", [count])
    sums = torch.empty(blocks, 3, dtype=torch.float64, device="cpu")
    pairs = [("weights", weights, count), ("slopes", slopes, count)]
    pairs.append(("colours", colours or slopes, 2 * count if colours else count))
    call(
        "weighted_sums",
        [
            *(
                Buffer(name, plane, torch.float32, size)
                for name, pair, size in pairs
                for plane in pair
            ),
            Buffer("constants", constants, torch.float32, 6),
            Buffer("sums", sums, torch.float64, blocks * 3),
            *(count, colours is None),
        ],
    )
    return sums.sum(0)


def resize_bilinear(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize bilinearly with aligned corners.

    Parameters
    ----------
    images
        (N, h, w, C) float32.
    size
        Rows and columns of the result.

    Returns
    -------
    Tensor
        (N, C, *size) float32.
    """
    count, height, width, channels = images.shape
    _require(min(height, width, channels, *size) > 0, f"{tuple(images.shape)} to {size} pixels")
    _require(width * channels < 1 << 31, f"rows of {width} pixels")
    out = torch.empty(count, channels, *size, dtype=torch.float32, device="cpu")
    places = [_aligned(had, new) for had, new in zip((height, width), size, strict=True)]
    call(
        "resize_bilinear",
        [
            Buffer("images", images, torch.float32, images.numel()),
            *(
                Buffer(name, part, part.dtype, side)
                for name, pair, side in zip(("down", "across"), places, size, strict=True)
                for part in pair
            ),
            Buffer("out", out, torch.float32, out.numel()),
            *(count, height, width, channels, *size),
        ],
    )
    return out


def _aligned(had: int, new: int) -> tuple[Tensor, Tensor]:
    """Return for each new position the old one before it (int32) and the offset (float32)."""
    step = (had - 1) / (new - 1) if new > 1 else 0.0
    places = torch.arange(new, dtype=torch.float64, device="cpu") * step
    before = places.floor().clamp_(0, max(had - 2, 0))
    return before.int(), (places - before).float()


def salient_places(
    answers: Tensor,
    lab: Tensor,
    centre: Tensor,
    lowest: Tensor,
    scales: Tensor,
) -> Tensor:
    """Multiply the length of three filter responses by closeness to the centre and by warmth.

    Parameters
    ----------
    answers, lab
        (3, h, w) float32; the second L, a and b.
    centre
        (h, w) float32.
    lowest, scales
        (2,) float32: offsets that are subtracted from a and b, and factors; warmth is
        1 - exp(-(a^2 + b^2)) of the results.

    Returns
    -------
    Tensor
        (h, w) float32.
    """
    _require(len(answers) == len(lab) == 3, f"{len(answers)} answers of {len(lab)} channels")
    out = torch.empty(centre.shape, dtype=torch.float32, device="cpu")
    count = out.numel()
    call(
        "salient_places",
        [
            Buffer("answers", answers, torch.float32, 3 * count),
            Buffer("lab", lab, torch.float32, 3 * count),
            Buffer("centre", centre, torch.float32, count),
            Buffer("lowest", lowest, torch.float32, 2),
            Buffer("scales", scales, torch.float32, 2),
            Buffer("out", out, torch.float32, count),
            count,
        ],
    )
    return out


def haar_coefficients(image: Tensor) -> Tensor:
    """Transform luma, or luma and two colours, by small Haar wavelets.

    Parameters
    ----------
    image
        (C, h + 7, w) float32, C 1 or 3, with three rows before the first position and four after
        the last; zero padding on the left and right.

    Returns
    -------
    Tensor
        (6 or 8, h, w) float32: absolute wavelet coefficients of luma with 2, 4 and 8 pixels, each
        vertical and horizontal; absolute means over 2x2 of colours.
    """
    channels, rows, width = image.shape
    height = rows - _HAAR_REACH
    _require(channels in (1, 3) and min(height, width) > 0, f"wavelets of {tuple(image.shape)}")
    found = _WAVELETS + channels - 1
    out = torch.empty(found, height, width, dtype=torch.float32, device="cpu")
    call(
        "haar_coefficients",
        [
            Buffer("image", image, torch.float32, image.numel()),
            Buffer("out", out, torch.float32, out.numel()),
            *(channels, height, width),
        ],
    )
    return out


def haar_sums(first: Tensor, second: Tensor, constants: Tensor) -> Tensor:
    """Sum the weighted similarity of Haar coefficients.

    Parameters
    ----------
    first, second
        (6 or 8, h, w) float32 of each image, from `haar_coefficients`.
    constants
        (2,) float32: the constant of the similarity, and its factor in the sigmoid.

    Returns
    -------
    Tensor
        (2,) float64: the weighted similarities, and the weights.
    """
    found, height, width = first.shape
    _require(found in (_WAVELETS, _WAVELETS + 2), f"{found} coefficients")
    count = height * width
    blocks = call("haar_blocks", [count])
    sums = torch.empty(blocks, 2, dtype=torch.float64, device="cpu")
    call(
        "haar_sums",
        [
            Buffer("first", first, torch.float32, found * count),
            Buffer("second", second, torch.float32, found * count),
            Buffer("constants", constants, torch.float32, 2),
            Buffer("sums", sums, torch.float64, 2 * blocks),
            *(count, found > _WAVELETS),
        ],
    )
    return sums.sum(0)


def unlike_sums(first: Tensor, second: Tensor, constants: Tensor) -> Tensor:
    """Sum one minus the similarity of slopes, and its square.

    Parameters
    ----------
    first, second
        (h, w) float32 of each image.
    constants
        (2,) float32: the constant of the similarity, and the masking.

    Returns
    -------
    Tensor
        (2,) float64.
    """
    count = first.numel()
    blocks = call("deviation_blocks", [count])
    sums = torch.empty(blocks, 2, dtype=torch.float64, device="cpu")
    call(
        "unlike_sums",
        [
            Buffer("first", first, torch.float32, count),
            Buffer("second", second, torch.float32, count),
            Buffer("constants", constants, torch.float32, 2),
            Buffer("sums", sums, torch.float64, 2 * blocks),
            count,
        ],
    )
    return sums.sum(0)


def joint_roots(
    planes: tuple[Tensor, Tensor], slopes: tuple[Tensor, Tensor, Tensor], constants: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute the fourth root of the joint similarity of slopes and colours.

    Parameters
    ----------
    planes
        (3, h, w) float32 of each image: luma, which is not used, and two colours.
    slopes
        (h, w) float32 of each image, and of their mean.
    constants
        (4,) float32: constants for slopes, for slopes and those of the mean, and for colours; the
        weight of slopes.

    Returns
    -------
    tuple of Tensor
        (h, w) float32, the roots; the root of a negative number, which is on the diagonal of the
        complex plane, is stored as its negated length. And (2,) float64, the sums of their real
        and imaginary parts.
    """
    count = slopes[0].numel()
    blocks = call("deviation_blocks", [count])
    roots = torch.empty(slopes[0].shape, dtype=torch.float32, device="cpu")
    sums = torch.empty(blocks, 2, dtype=torch.float64, device="cpu")
    call(
        "joint_roots",
        [
            *(Buffer("planes", image, torch.float32, 3 * count) for image in planes),
            *(Buffer("slopes", plane, torch.float32, count) for plane in slopes),
            Buffer("constants", constants, torch.float32, 4),
            Buffer("roots", roots, torch.float32, count),
            Buffer("sums", sums, torch.float64, 2 * blocks),
            count,
        ],
    )
    return roots, sums.sum(0)


def root_distances(roots: Tensor, mean: Tensor) -> Tensor:
    """Sum the distances of roots from their mean.

    Parameters
    ----------
    roots
        (h, w) float32, from `joint_roots`.
    mean
        (2,) float32: the real and the imaginary part of the mean.

    Returns
    -------
    Tensor
        () float64.
    """
    count = roots.numel()
    blocks = call("deviation_blocks", [count])
    sums = torch.empty(blocks, dtype=torch.float64, device="cpu")
    call(
        "root_distances",
        [
            Buffer("roots", roots, torch.float32, count),
            Buffer("mean", mean, torch.float32, 2),
            Buffer("sums", sums, torch.float64, blocks),
            count,
        ],
    )
    return sums.sum()


def winograd_pack(weight: Tensor) -> Tensor:
    """Transform a kernel.

    Parameters
    ----------
    weight
        (outputs, inputs, 3, 3) float32; outputs is a multiple of 64, inputs a multiple of 16.

    Returns
    -------
    Tensor
        (36 * outputs * inputs,) float32, for `winograd_convolve`.
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
        One or two (N, h, w, inputs), from top to bottom, float32 or bfloat16.
    out
        (N, H, W, outputs) of the same type, the output.
    kernel
        The result of `winograd_pack`.
    bias
        (outputs,) float32.
    zeros
        At least `inputs` zeros, float32.
    above, below, beside
        Rows and columns of zeros around the image.
    rectify
        Whether to set negative values to zero.
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
    """Return a work buffer, which is cached for each Python thread."""
    size = call("winograd_room", [channels], threads)
    room: Tensor | None = getattr(_room, "floats", None)
    if room is None or room.numel() < size:
        with torch.inference_mode(False):  # calls outside of inference mode use it too
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
    """Raise an error for sizes that a loop does not support."""
    if not condition:
        raise BufferError(f"the compiled loops do not support {what}")
