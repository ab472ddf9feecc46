"""A reference and an output, seen in any way that a convention asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.explain.brightness import gain, stored
from iqbench.explain.convention import DATA_RANGES, RANGES, Convention
from iqbench.explain.gray import to_gray
from iqbench.explain.prepared import prepare
from iqbench.explain.windows import Windows
from iqbench.forks import cached_property
from iqbench.images.picture import Picture
from iqbench.protocols.gray import arrange
from iqbench.protocols.view import GrayOutput, View

__all__ = ["Extremes", "Pair"]

Result = TypeVar("Result")

CPU = torch.device("cpu")
CHANNELS = {"red": 0, "green": 1, "blue": 2}
KEPT = 6
"""How many results of one kind are kept, where a result is as large as the image."""


@dataclass(frozen=True)
class Extremes:
    """Minimum and maximum of reference and output."""

    reference: tuple[float, float]
    output: tuple[float, float]

    @classmethod
    def full(cls) -> Extremes:
        """Return the extremes of images that use the whole range."""
        return cls((0.0, 1.0), (0.0, 1.0))

    def scale(self, name: str) -> tuple[float, float]:
        """Return a and b of a range: a x + b maps pixels to peak 1; NaN if the range is empty."""
        if name in RANGES:
            scale, offset, _ = RANGES[name]
            return scale, offset
        (low, high), (other_low, other_high) = self.reference, self.output
        peak = {
            "reference-range": high - low,
            "output-range": other_high - other_low,
            "larger-range": max(high - low, other_high - other_low),
            "joint-range": max(high, other_high) - min(low, other_low),
            "reference-maximum": high,
            "output-maximum": other_high,
            "larger-maximum": max(high, other_high),
        }[name]
        return (1 / peak if peak > 0 else float("nan")), 0.0

    def united(self, other: Extremes) -> Extremes:
        """Return the extremes of two pairs together."""
        return Extremes(
            *(
                (min(first[0], second[0]), max(first[1], second[1]))
                for first, second in (
                    (self.reference, other.reference),
                    (self.output, other.output),
                )
            )
        )


class Pair:
    """Two decoded images.

    Parameters
    ----------
    reference, output
        Of one size, at least after a modcrop.
    gray_output
        What a gray output of a colour reference holds, as in `View`; ``error``: both are tried.
    others
        As in `iqbench.explain.prepared.prepare`.
    """

    def __init__(
        self,
        reference: Picture,
        output: Picture,
        gray_output: GrayOutput = "error",
        others: Mapping[str, Callable[[], Picture]] | None = None,
    ) -> None:
        self.reference = reference
        self.output = output
        self._gray_output = gray_output
        self._others = others or {}
        self._large: dict[object, dict[tuple[object, ...], Any]] = {}
        self._small: dict[tuple[object, ...], Any] = {}

    def once(
        self,
        key: tuple[object, ...],
        compute: Callable[[], Result],
        *,
        large: bool = True,
        kept: int = KEPT,
    ) -> Result:
        """Return the stored result of a key, or compute and store it.

        The first item of a key names the kind of the result. Of large results, only the last
        `kept` of each kind are stored: conventions come in an order that needs no earlier ones.
        """
        known = self._large.setdefault(key[0], {}) if large else self._small
        if key in known:
            known[key] = known.pop(key)
            found: Result = known[key]
            return found
        if large and len(known) >= kept:
            del known[next(iter(known))]  # before the next one needs memory
        known[key] = found = compute()
        return found

    @property
    def colour(self) -> bool:
        """Whether its reference is stored with three channels."""
        return self.reference.channels == len(CHANNELS)

    @property
    def gray(self) -> bool:
        """Whether it matters how gray is read: see `iqbench.protocols.gray`."""
        return self.reference.channels == 1 or self.reference.is_gray != self.output.is_gray

    @property
    def deep(self) -> bool:
        """Whether one of the two has more than 8 bits, so that quantising changes it."""
        return 16 in (self.reference.bit_depth, self.output.bit_depth)

    @property
    def equal(self) -> bool:
        """Whether the output has the pixels of its reference."""
        same = self.reference.peak == self.output.peak
        return same and np.array_equal(self.reference.pixels, self.output.pixels)

    @property
    def turned(self) -> bool:
        """Whether one of the two has an EXIF orientation that was applied."""
        return any(picture.orientation != 1 for picture in (self.reference, self.output))

    @property
    def sixteen(self) -> bool:
        """Whether both use samples of 16 bits up to 65535, as far as their files say."""
        return all(picture.peak == 65535 for picture in (self.reference, self.output))

    def untouched(self, modcrop: int) -> bool:
        """Tell whether a modcrop takes nothing away, so that it makes no difference."""
        sides = (self.reference.height, self.reference.width)
        other = (self.output.height, self.output.width)
        return sides == other and not any(side % modcrop for side in sides)

    def spread(self) -> float:
        """Tell roughly how much conventions differ: by how much the error is another in a channel.

        Of every seventh pixel; minus infinity where the two are equal there.
        """
        differences = self._differences
        if differences is None:
            return 0.0
        errors = np.square(differences).mean((0, 1))
        if not errors.all():
            return -np.inf
        weighted = np.square(differences.mean(2)).mean()
        return float(np.log(errors.mean() / max(weighted, 1e-12)) + np.ptp(np.log(errors)))

    def unusual(self) -> tuple[float, float, float]:
        """Return how far the pair is from what is usual, in three ways.

        Returns
        -------
        tuple of float
            The part of all sample values that the reference does not use, below its least and above
            its largest; by how much the means of the two differ, relative to the larger one; and
            the mean squared error of every seventh pixel.
        """
        pixels = self.reference.pixels
        unused = 1 - float(pixels.max() - pixels.min()) / self.reference.peak
        means = [picture.mean / picture.peak for picture in (self.reference, self.output)]
        differences = self._differences
        error = 0.0 if differences is None else float(np.square(differences).mean())
        return unused, abs(means[0] - means[1]) / max(*means, 1e-9), error

    @cached_property
    def _differences(self) -> NDArray[np.float64] | None:
        """The differences of every seventh pixel; None if one image alone is gray."""
        height = min(self.reference.height, self.output.height)
        width = min(self.reference.width, self.output.width)
        first, second = (
            picture.pixels[:height:7, :width:7].astype(np.float64) / picture.peak
            for picture in (self.reference, self.output)
        )
        return first - second if first.shape == second.shape else None

    def rows_and_columns(self, convention: Convention) -> tuple[slice, slice]:
        """Say which part is scored.

        Raises
        ------
        IqbenchError
            If nothing is left, or the two differ in size.
        """
        view = View(modcrop=convention.modcrop, crop=convention.crop)
        window, other = (
            view.window(picture.height, picture.width)
            for picture in self.prepared(convention.prepared)
        )
        if window != other:
            raise IqbenchError(f"the sizes differ after modcrop {convention.modcrop}")
        return (
            slice(window.top, window.top + window.height),
            slice(window.left, window.left + window.width),
        )

    def prepared(self, name: str) -> tuple[Picture, Picture]:
        """Return both images after what was done to them first, a key of `PREPARED`; once."""
        return self.once(
            ("prepared", name),
            lambda: prepare(name, self.reference, self.output, self._others),
            kept=2,
        )

    def seen(self, convention: Convention) -> tuple[Tensor, Tensor]:
        """Return both images as the convention sees them, not yet cropped; computed once.

        Returns
        -------
        tuple of Tensor
            (1, C, H, W) float32 in [0, 1], the part that both have.
        """
        base = "rgb" if convention.colour in (*CHANNELS, "rgb-channels") else convention.colour
        wanted = convention._replace(colour=base)
        reference, output = self.once(("seen", *wanted.seen), lambda: self._convert(wanted), kept=2)
        # A gray image among colour ones is the same in every channel.
        if convention.colour in CHANNELS and reference.shape[1] == len(CHANNELS):
            channel = CHANNELS[convention.colour]
            return reference[:, channel : channel + 1], output[:, channel : channel + 1]
        return reference, output

    def part(self, convention: Convention) -> tuple[Tensor, Tensor]:
        """Return what is scored of both images, (1, C, h, w) in [0, 1]."""
        rows, columns = self.rows_and_columns(convention)
        reference, output = self.seen(convention)
        return reference[:, :, rows, columns], output[:, :, rows, columns]

    def extremes(self, convention: Convention) -> Extremes:
        """Return least and largest values of what is scored."""
        rows, columns = self.rows_and_columns(convention)

        def windows() -> list[tuple[Windows, Windows]]:
            planes = [image[0].numpy() for image in self.seen(convention)]
            return [(Windows(each, np.minimum), Windows(each, np.maximum)) for each in planes]

        sides = self.once(("extremes", *convention.seen), windows)
        reference, output = (
            (float(lows.within(rows, columns).min()), float(highs.within(rows, columns).max()))
            for lows, highs in sides
        )
        return Extremes(reference, output)

    def scale(self, convention: Convention) -> tuple[float, float]:
        """Return a and b of the convention's range: pixels become a x + b with peak 1."""
        from_data = convention.range in DATA_RANGES
        extremes = self.extremes(convention) if from_data else Extremes.full()
        return extremes.scale(convention.range)

    def _convert(self, convention: Convention) -> tuple[Tensor, Tensor]:
        """Convert the colour of both images."""
        colour = convention.colour
        images = self._stored_channels(convention)
        if colour == "bgr":
            images = images[0].flip(1), images[1].flip(1)
        elif colour != "rgb":
            images = to_gray(colour, images[0]), to_gray(colour, images[1])
        # Planes in memory one after the other: parts of a plane are summed quickly.
        return images[0].contiguous(), images[1].contiguous()

    def _stored_channels(self, convention: Convention) -> tuple[Tensor, Tensor]:
        """Return both images before their colour is converted: all gray is made from them."""
        studio = convention.colour.startswith("luma-studio")
        quantise, gray, brightness = convention.quantise, convention.gray, convention.brightness
        # Only MATLAB's Y depends on how gray is read.
        key = ("channels", studio, quantise, gray if studio else "", brightness)
        return self.once((*key, convention.prepared), lambda: self._quantised(convention), kept=2)

    def _quantised(self, convention: Convention) -> tuple[Tensor, Tensor]:
        """Quantise both images, and give the output the brightness that is wanted."""
        view = View(quantise=convention.quantise == "uint8")
        pair = self._arranged(convention)
        height = min(picture.height for picture in pair)
        width = min(picture.width for picture in pair)
        images = []
        for picture, factor in zip(pair, (1.0, gain(convention.brightness, *pair)), strict=True):
            part = replace(picture, pixels=picture.pixels[:height, :width])
            if convention.quantise in REDUCED:
                part = _reduce(part, REDUCED[convention.quantise])
            images.append(view.band(part, slice(0, height), CPU, factor))
        return images[0], stored(convention.brightness, images[1])

    def _arranged(self, convention: Convention) -> tuple[Picture, Picture]:
        """Give both images the channels that the convention converts."""
        studio = convention.colour.startswith("luma-studio")
        expand = convention.gray == "expand" or not studio
        given = self._gray_output
        view = View(
            "luma-studio" if studio else "rgb",
            gray="expand" if expand else "keep",
            gray_output=given if given != "error" else "expand" if expand else "luma",
        )
        first, second = self.prepared(convention.prepared)
        (reference,), (output,) = arrange(view, [first], [second])
        return reference, output


def _reduce(picture: Picture, to_bytes: Callable[[NDArray[np.uint32], int], Any]) -> Picture:
    """Bring 16 bits to 8 without rounding."""
    if picture.pixels.dtype == np.uint8:
        return picture
    pixels = to_bytes(picture.pixels.astype(np.uint32), picture.peak).astype(np.uint8)
    return replace(picture, pixels=pixels, peak=255)


REDUCED: Mapping[str, Callable[[NDArray[np.uint32], int], Any]] = {
    "truncated": lambda samples, peak: samples * 255 // peak,
    "high-byte": lambda samples, peak: samples >> 8,
}
