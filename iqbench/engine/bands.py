"""Choose the number of rows per band, from the memory budget and not from the image's size."""

from __future__ import annotations

from dataclasses import dataclass

from iqbench.engine.compute import Compute
from iqbench.engine.grouping import Group
from iqbench.networks.backbone import Backbone

__all__ = ["Plan", "pixels_at_once", "plan_bands"]

# Pixels times images in a band: on a CPU as many as its caches like (measured), on a GPU as many
# as keep it busy.
PIXELS_AT_ONCE = {"cpu": 1 << 16, "cuda": 1 << 24}
# Where no trained network is read: readers of pixels take what their caches like by themselves.
PIXELS_ALONE = 1 << 22
ALIGNMENT = 16
FLOAT = 4
# Temporaries of a pixel metric, in float32 values a pixel and channel: SSIM's moments are float64.
PIXEL_VALUES = 32


@dataclass(frozen=True)
class Plan:
    """How a batch is cut.

    Attributes
    ----------
    height
        Rows of the view.
    rows
        Rows in a band.
    outputs
        Outputs that are pushed together.
    """

    height: int
    rows: int
    outputs: int

    def bands(self) -> list[slice]:
        """Cut the rows into bands."""
        starts = range(0, self.height, self.rows)
        return [slice(start, min(start + self.rows, self.height)) for start in starts]


def plan_bands(
    group: Group,
    backbones: dict[str, Backbone],
    compute: Compute,
    *,
    size: tuple[int, int, int],
    references: int,
    outputs: int,
) -> Plan:
    """Choose the rows of a band and the number of outputs that are pushed together.

    Parameters
    ----------
    group, backbones, compute
        What is computed, and with which budget.
    size
        Channels, height and width of the view.
    references, outputs
        How many images the batch has.

    Returns
    -------
    Plan
        At least one row and one output, even where the budget is too small for that. Where a
        metric reads whole images, all rows, and as many outputs as its measured memory allows:
        one where it was not measured.
    """
    channels, height, width = size
    if group.whole:
        return Plan(height, height, _together(group, compute, height * width, outputs))
    held, passing = _bytes_a_pixel(group, backbones, channels)
    trained = any(backbones[network].trained for network, _ in group.layer_taps)
    limit = pixels_at_once(compute, alone=not trained)
    rows = max(1, min(height, limit // (width * max(1, references))))
    affordable = compute.memory // (width * (held * references + passing * max(1, references)))
    rows = max(1, min(rows, affordable))
    if rows < height:
        # Bands of equal height, none a remnant of a few rows.
        count = -(-height // rows)
        even = -(-height // count)
        aligned = -(-even // ALIGNMENT) * ALIGNMENT
        if even < ALIGNMENT:
            rows = even
        elif aligned <= affordable and 4 * aligned * width * max(1, references) <= 5 * limit:
            rows = min(aligned, height)
        else:
            rows = aligned - ALIGNMENT
    by_cache = limit // (rows * width)
    by_memory = (compute.memory // (rows * width) - held * references) // passing
    return Plan(height, rows, max(1, min(outputs, by_cache, by_memory)))


def pixels_at_once(compute: Compute, *, alone: bool = False) -> int:
    """Return how many pixels times images go together; `alone` where no trained network reads."""
    suits = PIXELS_AT_ONCE.get(compute.device.type, PIXELS_AT_ONCE["cuda"])
    return compute.pixels_at_once or (max(suits, PIXELS_ALONE) if alone else suits)


def _together(group: Group, compute: Compute, pixels: int, outputs: int) -> int:
    """Return how many whole outputs go through at once."""
    metrics = {request.metric for request in group.requests}
    needed = [metric.bytes_a_pixel() if metric.batched() else None for metric in metrics]
    measured = [number for number in needed if number is not None]
    if len(measured) < len(needed):
        return 1
    return max(1, min(outputs, compute.memory // max(1, sum(measured) * pixels)))


def _bytes_a_pixel(group: Group, backbones: dict[str, Backbone], channels: int) -> tuple[int, int]:
    """Estimate the bytes per pixel of a band: held of the reference, passing of an output."""
    side = 256  # any size that all strides divide: densities are wanted
    held = passing = PIXEL_VALUES * channels * FLOAT if group.pixel_taps else 0
    for (network, _), layers in group.layer_taps.items():
        sizes = backbones[network].sizes(layers, side, side)
        values = [size[0] * size[1] * size[2] / side**2 for size in sizes.values()]
        for layer, taps in layers.items():
            depth, high, wide = sizes[layer]
            copies = sum(len(group.readers[tap]) for tap in taps)
            held += int(copies * depth * high * wide / side**2 * FLOAT)
        # A layer's input and output, and a metric's temporaries at the widest.
        passing = max(passing, int(4 * max(values) * FLOAT))
    return max(held, 1), max(passing, 1)
