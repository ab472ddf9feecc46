"""Triton kernels: sums over the maps of several metrics, in one pass over both images.

Images are channels-last, as everywhere in the engine. A program sums a block of one image in
float32 (SSIM: float64) and stores its sums. The sums of blocks are then added in float64, in an
order that does not depend on other images of the batch.
"""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["feature_sums", "filter_down", "pixel_sums", "similarity_sums"]


@triton.jit
def feature_sums(
    reference,
    output,
    owners,
    weight,
    sums,
    positions,
    channels,
    epsilon,
    ABSOLUTE: tl.constexpr,
    SQUARED: tl.constexpr,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """Sum |a - b|, (a - b)^2, and the weighted squared difference at unit length over channels."""
    image = tl.program_id(1).to(tl.int64)
    cell = image * tl.num_programs(0) + tl.program_id(0)
    cells = tl.num_programs(0) * tl.num_programs(1)
    place = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    channel = tl.arange(0, WIDTH)
    inside = (place[:, None] < positions) & (channel[None, :] < channels)
    offset = place[:, None].to(tl.int64) * channels + channel[None, :]
    first = reference + tl.load(owners + image).to(tl.int64) * positions * channels
    second = output + image * positions * channels
    a = tl.load(first + offset, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(second + offset, mask=inside, other=0.0).to(tl.float32)
    if ABSOLUTE:
        tl.store(sums + cell, tl.sum(tl.sum(tl.abs(a - b), 1), 0))
    if SQUARED:
        tl.store(sums + cells + cell, tl.sum(tl.sum((a - b) * (a - b), 1), 0))
    if UNIT:
        weights = tl.load(weight + channel, mask=channel < channels, other=0.0)
        a = a / (tl.sqrt(tl.sum(a * a, 1)) + epsilon)[:, None]
        b = b / (tl.sqrt(tl.sum(b * b, 1)) + epsilon)[:, None]
        found = tl.sum((a - b) * (a - b) * weights[None, :], 1)
        tl.store(sums + 2 * cells + cell, tl.sum(found, 0))


@triton.jit
def pixel_sums(
    reference,
    output,
    owners,
    sums,
    height,
    width,
    channels,
    own,
    PSNR: tl.constexpr,
    TV: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Sum squared errors and differences of neighbours; the order is that of `PIXEL_SUMS`.

    `own` is the number of rows for sums that do not need the next row: the last row of a band is
    also the first of the next band.
    """
    image = tl.program_id(1).to(tl.int64)
    cell = image * tl.num_programs(0) + tl.program_id(0)
    cells = tl.num_programs(0) * tl.num_programs(1)
    row_size = width * channels
    offset = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = offset // row_size
    along = offset - row * row_size
    first = reference + tl.load(owners + image).to(tl.int64) * height * row_size + offset
    second = output + image * height * row_size + offset
    alone = row < own
    a = tl.load(first, mask=row < height, other=0.0)
    b = tl.load(second, mask=row < height, other=0.0)
    if PSNR:
        error = tl.where(alone, a - b, 0.0)
        tl.store(sums + cell, tl.sum(error * error, 0))
    if TV:
        beside = (row < height) & (along < row_size - channels)
        below = row < height - 1
        dx_a = tl.where(beside, tl.load(first + channels, mask=beside, other=0.0) - a, 0.0)
        dx_b = tl.where(beside, tl.load(second + channels, mask=beside, other=0.0) - b, 0.0)
        dy_a = tl.where(below, tl.load(first + row_size, mask=below, other=0.0) - a, 0.0)
        dy_b = tl.where(below, tl.load(second + row_size, mask=below, other=0.0) - b, 0.0)
        both = beside & below
        iso_a = tl.where(both, tl.sqrt(dx_a * dx_a + dy_a * dy_a), 0.0)
        iso_b = tl.where(both, tl.sqrt(dx_b * dx_b + dy_b * dy_b), 0.0)
        dx_a = tl.where(alone, dx_a, 0.0)
        dx_b = tl.where(alone, dx_b, 0.0)
        tl.store(sums + cells + cell, tl.sum(tl.abs(dx_a), 0))
        tl.store(sums + 2 * cells + cell, tl.sum(dx_a * dx_a, 0))
        tl.store(sums + 3 * cells + cell, tl.sum(tl.abs(dy_a), 0))
        tl.store(sums + 4 * cells + cell, tl.sum(dy_a * dy_a, 0))
        tl.store(sums + 5 * cells + cell, tl.sum(iso_a, 0))
        tl.store(sums + 6 * cells + cell, tl.sum(tl.abs(dx_b), 0))
        tl.store(sums + 7 * cells + cell, tl.sum(dx_b * dx_b, 0))
        tl.store(sums + 8 * cells + cell, tl.sum(tl.abs(dy_b), 0))
        tl.store(sums + 9 * cells + cell, tl.sum(dy_b * dy_b, 0))
        tl.store(sums + 10 * cells + cell, tl.sum(iso_b, 0))
        tl.store(sums + 11 * cells + cell, tl.sum(tl.abs(dx_b - dx_a), 0))
        tl.store(sums + 12 * cells + cell, tl.sum(tl.abs(dy_b - dy_a), 0))


@triton.jit
def filter_down(
    reference,
    output,
    owners,
    window,
    moments,
    height,
    row_size,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Filter a, b, a^2, b^2 and ab along the columns, in float64; (5, N, rows, row_size)."""
    image = tl.program_id(1).to(tl.int64)
    rows = height - SIZE + 1
    offset = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offset < rows * row_size
    first = reference + tl.load(owners + image).to(tl.int64) * height * row_size + offset
    second = output + image * height * row_size + offset
    mean_a = tl.zeros((BLOCK,), tl.float64)
    mean_b = tl.zeros((BLOCK,), tl.float64)
    square_a = tl.zeros((BLOCK,), tl.float64)
    square_b = tl.zeros((BLOCK,), tl.float64)
    product = tl.zeros((BLOCK,), tl.float64)
    for shift in tl.static_range(SIZE):
        weight = tl.load(window + shift)
        a = tl.load(first + shift * row_size, mask=inside, other=0.0).to(tl.float64)
        b = tl.load(second + shift * row_size, mask=inside, other=0.0).to(tl.float64)
        mean_a += weight * a
        mean_b += weight * b
        square_a += weight * (a * a)
        square_b += weight * (b * b)
        product += weight * (a * b)
    target = moments + image * rows * row_size + offset
    step = tl.num_programs(1).to(tl.int64) * rows * row_size
    tl.store(target, mean_a, mask=inside)
    tl.store(target + step, mean_b, mask=inside)
    tl.store(target + 2 * step, square_a, mask=inside)
    tl.store(target + 3 * step, square_b, mask=inside)
    tl.store(target + 4 * step, product, mask=inside)


@triton.jit
def similarity_sums(
    moments,
    window,
    sums,
    rows,
    row_size,
    channels,
    constants,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Filter the moments along the rows and sum the SSIM map."""
    image = tl.program_id(1).to(tl.int64)
    kept = row_size - (SIZE - 1) * channels
    offset = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = offset // kept
    inside = row < rows
    start = moments + (image * rows + row) * row_size + (offset - row * kept)
    step = tl.num_programs(1).to(tl.int64) * rows * row_size
    mean_a = tl.zeros((BLOCK,), tl.float64)
    mean_b = tl.zeros((BLOCK,), tl.float64)
    square_a = tl.zeros((BLOCK,), tl.float64)
    square_b = tl.zeros((BLOCK,), tl.float64)
    product = tl.zeros((BLOCK,), tl.float64)
    for shift in tl.static_range(SIZE):
        weight = tl.load(window + shift)
        place = start + shift * channels
        mean_a += weight * tl.load(place, mask=inside, other=0.0)
        mean_b += weight * tl.load(place + step, mask=inside, other=0.0)
        square_a += weight * tl.load(place + 2 * step, mask=inside, other=0.0)
        square_b += weight * tl.load(place + 3 * step, mask=inside, other=0.0)
        product += weight * tl.load(place + 4 * step, mask=inside, other=0.0)
    # Triton passes numbers as float32, but these must be float64.
    factor = tl.load(constants)
    small = tl.load(constants + 1)
    smaller = tl.load(constants + 2)
    floor = tl.load(constants + 3)
    variance_a = (square_a - mean_a * mean_a) * factor
    variance_b = (square_b - mean_b * mean_b) * factor
    covariance = (product - mean_a * mean_b) * factor
    luminance = (2 * mean_a * mean_b + small) / (mean_a * mean_a + mean_b * mean_b + small)
    structure = (2 * covariance + smaller) / (variance_a + variance_b + smaller)
    structure = tl.where(structure < floor, floor, structure)
    found = tl.where(inside, luminance * structure, 0.0)
    tl.store(sums + image * tl.num_programs(0) + tl.program_id(0), tl.sum(found, 0))
