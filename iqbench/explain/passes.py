"""Values of metrics with a network; conventions share the pass of a common reference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.explain.convention import Convention
from iqbench.explain.pair import Pair
from iqbench.explain.prepared import reference_of
from iqbench.metrics._base import PIXELS, Maps, Metric, Place, Tap, too_few_pixels
from iqbench.metrics._statistics import Statistic
from iqbench.networks.backbone import Backbone
from iqbench.networks.registry import load_backbone
from iqbench.readers.choose import choose_readers
from iqbench.readers.reader import Owners, Reader

__all__ = ["order", "reference_key", "values"]

CPU = torch.device("cpu")
ONE = Owners((0,), 1, CPU)

KEPT = 512 * 2**20
"""Features of a reference are kept for the next convention if they have at most so many bytes."""

BAND = 1 << 16
"""Pixels that pass through a network at once, so that the features stay in the caches."""

Rows = tuple[str, Tensor]


def reference_key(convention: Convention) -> tuple[object, ...]:
    """Return the settings that the reference depends on: the brightness is the output's alone."""
    return (
        reference_of(convention.prepared),
        *(convention.quantise, convention.gray, convention.colour, convention.range),
        *(convention.modcrop, convention.crop),
    )


def order(convention: Convention) -> tuple[object, ...]:
    """Return a sort key that puts conventions with one network and reference together.

    All networks take turns, so that the time that is left can be told from the time so far.
    """
    return reference_key(convention), convention.metric, convention.order


def values(
    pair: Pair,
    key: tuple[object, ...],
    metric: Metric,
    images: tuple[Tensor, Tensor],
    heads: Mapping[str, Maps],
) -> dict[str, float]:
    """Return a metric's values of two images, under one or several sets of trained parameters.

    The images pass through the network in bands, so that the memory does not grow with their
    height. The features of the last reference are kept if they are small enough.

    Parameters
    ----------
    pair
        Keeps the features of the reference.
    key
        What the reference depends on: references with one key and one shape are equal.
    metric
        With one column, whose taps are pixels and layers of one network.
    images
        Reference and output, (1, C, H, W) float32 of any range.
    heads
        The metric's parameters besides the network, by name.

    Returns
    -------
    dict
        Name of the parameters to value.

    Raises
    ------
    IqbenchError
        If the images are too small for a layer.
    """
    (column,) = metric.columns()
    (name,) = {tap.network for tap in column.taps} - {PIXELS}
    (normalise,) = {tap.normalise for tap in column.taps if tap.network != PIXELS}
    network = load_backbone(name, CPU, torch.float32)
    taps = {PIXELS if tap.network == PIXELS else tap.layer: tap for tap in column.taps}
    layers = [layer for layer in taps if layer != PIXELS]
    reference, output = images
    height, width = reference.shape[2:]
    least = max(network.least_side(layer, taps[layer].smallest) for layer in layers)
    if min(height, width) < least:
        raise IqbenchError(too_few_pixels(column.name, height, width, least))

    def features(image: Tensor) -> Iterator[Rows]:
        return _features(network, network.see(image, normalise=normalise), layers)

    sizes = network.sizes(layers, height, width)
    counts = [math.prod(sizes[layer]) for layer in layers]
    first: Iterable[Rows] = features(reference)
    if 4 * sum(counts) <= KEPT:
        whole = (f"features of {name}", normalise, reference.shape, *key)
        first = pair.once(whole, lambda: list(features(reference)), kept=1)
    readers = {head: _readers(metric, taps, parameters) for head, parameters in heads.items()}
    heights = {layer: rows for layer, (_, rows, _) in sizes.items()} | {PIXELS: height}
    found: dict[str, dict[str, Statistic]] = {head: {} for head in heads}
    tops = dict.fromkeys(taps, 0)
    if PIXELS in taps:
        _observe(readers, found, PIXELS, (reference, output), Place(0, height, height))
    for (layer, seen), (_, other) in zip(first, features(output), strict=True):
        place = Place(tops[layer], seen.shape[2], heights[layer])
        _observe(readers, found, layer, (seen, other), place)
        tops[layer] += seen.shape[2]
    return {
        head: float(
            metric.close(
                column.name,
                {each: statistic.value for each, statistic in found[head].items()},
                parameters,
            )
        )
        for head, parameters in heads.items()
    }


def _features(network: Backbone, image: Tensor, layers: Sequence[str]) -> Iterator[Rows]:
    """Push an image through a network in bands, and yield the rows of each layer."""
    height, width = image.shape[2:]
    image = image.contiguous(memory_format=torch.channels_last)
    step = max(1, BAND // width)
    running = network.begin(layers, (height, width))
    for top in range(0, height, step):
        yield from running.push(image[:, :, top : top + step], last=top + step >= height)


def _readers(metric: Metric, taps: Mapping[str, Tap], parameters: Maps) -> dict[str, Reader]:
    """Return the reader of each layer."""
    found = choose_readers({tap: [metric] for tap in taps.values()}, {metric: parameters}, CPU)
    by_tap = {reader.tap: reader for reader in found}
    return {layer: by_tap[tap] for layer, tap in taps.items()}


def _observe(
    readers: Mapping[str, Mapping[str, Reader]],
    found: Mapping[str, dict[str, Statistic]],
    layer: str,
    rows: tuple[Tensor, Tensor],
    place: Place,
) -> None:
    """Add the statistics of some rows."""
    for head, known in found.items():
        reader = readers[head][layer]
        for item in reader.observe(reader.prepare(rows[0]), ONE, rows[1], place):
            before = known.get(item.name)
            known[item.name] = item.statistic if before is None else before.merge(item.statistic)
