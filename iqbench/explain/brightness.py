"""How scripts scale an output to the brightness of its reference before they score it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from iqbench.explain.gray import INTEGER_TOLERANCE, to_gray
from iqbench.images.picture import Picture
from iqbench.images.rounding import round_half_away
from iqbench.images.tensors import to_tensor
from iqbench.protocols.view import Brightness, View

__all__ = ["BRIGHTNESS", "SCALINGS", "Scaling", "gain", "stored"]

BRIGHTNESS: tuple[Brightness, ...] = get_args(Brightness)
"""The ways that protocols know."""


class Scaling(NamedTuple):
    """A way that no protocol has.

    Attributes
    ----------
    reference, output
        The gray whose mean is taken of each image: a colour of a convention.
    stored
        How the scaled output is stored: as it is, or in 8 bits that are rounded or truncated.
    words
        What reports say of it.
    """

    reference: str
    output: str
    stored: Literal["as it is", "rounded", "truncated"]
    words: str


SCALINGS: Mapping[str, Scaling] = MappingProxyType(
    {
        "reference-uint8": Scaling(
            "gray-opencv", "gray-opencv", "as it is", "of OpenCV's uint8 gray"
        ),
        "reference-bgr-rounded": Scaling(
            *("luma-full-bgr", "luma-full-bgr", "rounded"),
            "red and blue swapped, output rounded to uint8",
        ),
        "reference-truncated": Scaling(
            *("luma-full", "luma-full", "truncated"),
            "output truncated to uint8",
        ),
        "reference-mean-truncated": Scaling(
            *("mean-of-channels", "mean-of-channels", "truncated"),
            "all channels, output truncated to uint8",
        ),
        "reference-bgr-by-mean": Scaling(
            *("luma-full-bgr", "mean-of-channels", "truncated"),
            "gray of the reference, red and blue swapped, over all channels of the output, "
            "truncated to uint8",
        ),
    }
)
"""Ways that no protocol has, by the name in a convention."""


def gain(name: str, reference: Picture, output: Picture) -> float:
    """Return the factor that an output is multiplied by.

    Parameters
    ----------
    name
        One of `BRIGHTNESS` or a key of `SCALINGS`.
    reference, output
        The whole images.
    """
    if name in SCALINGS:
        way = SCALINGS[name]
        mean = _mean(way.output, output)
        return _mean(way.reference, reference) / mean if mean > 0 else 1.0
    (known,) = (item for item in BRIGHTNESS if item == name)
    return View(brightness=known).gain(reference, output)


def stored(name: str, output: Tensor) -> Tensor:
    """Store a scaled output in [0, 1] as a way does."""
    how = SCALINGS[name].stored if name in SCALINGS else "as it is"
    if how == "rounded":
        return round_half_away(output * 255) / 255
    if how == "truncated":
        return torch.floor(output * 255 + INTEGER_TOLERANCE) / 255
    return output


def _mean(gray: str, picture: Picture) -> float:
    """Return the mean of a gray of an image, in [0, 1]."""
    image = to_tensor(picture.pixels, torch.device("cpu"), picture.peak)
    return float(to_gray(gray, image).double().mean())
