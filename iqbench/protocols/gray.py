"""How a view reads gray images: gray references, and gray outputs of colour references.

An image is gray if it has one channel, or three that are equal everywhere. The number of channels
in the file makes no difference, with one exception: some views keep the gray of references with one
channel, because the tables that used them did so, but converted references with three equal
channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError, unknown_name
from iqbench.images.picture import Picture
from iqbench.protocols.view import GrayOutput, View

__all__ = ["LumaInRgbError", "arrange", "check_gray_output", "check_pair", "kind_of_pair"]


class LumaInRgbError(IqbenchError):
    """An output's values are read as luma, and a view needs RGB: there is no value."""


def check_gray_output(gray_output: str) -> GrayOutput:
    """Return the way to read gray outputs; refuse an unknown one."""
    for known in get_args(GrayOutput):
        if gray_output == known:
            reading: GrayOutput = known
            return reading
    raise unknown_name("reading of gray outputs", gray_output, get_args(GrayOutput))


def kind_of_pair(reference: Picture, output: Picture) -> tuple[object, ...]:
    """Say what must be equal for pairs to be arranged together."""
    return reference.is_gray, reference.channels, output.is_gray, output.channels


def arrange(
    view: View, references: Sequence[Picture], outputs: Sequence[Picture]
) -> tuple[list[Picture], list[Picture]]:
    """Give images the channels that a view converts.

    Parameters
    ----------
    view
        Converts three channels and takes one as it is.
    references, outputs
        As decoded; all pairs are of one `kind_of_pair`.

    Returns
    -------
    tuple
        The references and the outputs. No pixel is copied.

    Raises
    ------
    IqbenchError
        If the view cannot compare them without guessing; see `check_pair`.
    """
    reference, output = references[0], outputs[0]
    check_pair(view, reference, output)
    if reference.is_gray and output.is_gray:
        converted = view.reads_luma_otherwise and not _keeps(view, reference)
        channels = (3, 3) if converted else (1, 1)
    elif output.is_gray:
        as_luma = view.reads_luma_otherwise and view.gray_output == "luma"
        channels = (3, 1) if as_luma else (3, 3)
    else:
        channels = (3, 3)
    return (
        [_with_channels(picture, channels[0]) for picture in references],
        [_with_channels(picture, channels[1]) for picture in outputs],
    )


def check_pair(view: View, reference: Picture, output: Picture) -> None:
    """Check that a view can compare a pair without guessing what gray means.

    Raises
    ------
    IqbenchError
        If the output is colour, its reference gray, and the view's luma takes gray as it is; or if
        the output is gray, its reference colour, and nobody says how its values are to be read.
    """
    if reference.is_gray == output.is_gray:
        return
    if reference.is_gray:
        if view.reads_luma_otherwise and _keeps(view, reference):
            raise IqbenchError(
                f"{output.name} is colour, its reference {reference.name} is gray, and the "
                "protocol compares gray values as they are",
                hint="Write the output in gray, or use a protocol that reads gray as three equal "
                "channels (gray: expand), as sr-y does",
            )
        return
    what = f"{output.name} is gray, its reference {reference.name} is colour"
    if view.reads_luma_otherwise and view.gray_output == "error":
        raise IqbenchError(
            f"{what}: its values may be the protocol's luma, or gray of three equal channels, "
            "whose luma is another",
            hint="Say which with --gray-output luma or --gray-output expand "
            "(from Python gray_output=...)",
        )
    if view.colour == "rgb" and view.gray_output == "luma":
        raise LumaInRgbError(f"{what}, and values that are read as luma cannot be compared in RGB")
    if view.colour == "rgb" and output.channels == 1 and view.gray_output == "error":
        raise IqbenchError(
            what,
            hint="Write the output in colour, or read it as three equal channels with "
            "--gray-output expand (from Python gray_output='expand')",
        )


def _keeps(view: View, reference: Picture) -> bool:
    """Tell whether a luma takes the values of a gray reference as they are."""
    return view.gray == "keep" and reference.channels == 1


def _with_channels(picture: Picture, channels: int) -> Picture:
    """Return a gray picture with one or three channels, a colour picture as it is."""
    if picture.channels == channels or not picture.is_gray:
        return picture
    pixels: NDArray[Any] = picture.pixels[..., :1]
    if channels == 3:
        pixels = np.broadcast_to(pixels, (picture.height, picture.width, 3))
    return replace(picture, pixels=pixels)
