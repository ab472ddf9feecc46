"""The class of demo tasks, and common arithmetic of methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Image", "Restore", "Task", "on_floats", "to_floats", "to_image", "untouched"]

Image = NDArray[np.uint8]
"""(H, W, C) uint8, C 1 (gray) or 3 (RGB)."""

Floats = NDArray[np.float64]

Restore = Callable[[Image], Image]
"""A method: takes a degraded image, and returns one of the reference's size; deterministic."""


@dataclass(frozen=True)
class Task:
    """One demo dataset, with its degradation and the methods that restore it.

    Attributes
    ----------
    dataset
        Its name in ``datasets.yaml``.
    degrade
        Takes a reference and a seed, and returns the degraded input.
    methods
        The methods by name; ``input`` is the baseline, the unchanged input.
    """

    dataset: str
    degrade: Callable[[Image, int], Image]
    methods: Mapping[str, Restore]


def untouched(image: Image) -> Image:
    """Return the input, the baseline that every method should beat."""
    return image


def to_floats(image: Image) -> Floats:
    """Convert 0..255 to [0, 1]."""
    return image / 255.0


def to_image(values: Floats, like: Image) -> Image:
    """Convert [0, 1] to 0..255, rounded and clipped, with the channels axis of ``like``."""
    rounded = np.clip(np.floor(values * 255.0 + 0.5), 0, 255).astype(np.uint8)
    return rounded.reshape(*rounded.shape[:2], like.shape[2])


def on_floats(function: Callable[..., Any], **options: Any) -> Restore:
    """Make a method from a scikit-image function on [0, 1] floats, channels-last.

    Parameters
    ----------
    function
        Takes (H, W, C) floats and ``channel_axis``; may drop the axis of a single channel.
    **options
        Passed to the function.
    """

    def restore(image: Image) -> Image:
        return to_image(function(to_floats(image), channel_axis=-1, **options), image)

    return restore
