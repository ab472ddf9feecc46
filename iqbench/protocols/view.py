"""Views: how an image is prepared for the metrics of one role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Brightness", "Colour", "Gray", "GrayOutput", "Region", "View"]

EIGHT_BITS = 255

Colour = Literal["rgb", "luma-studio", "luma-studio-rounded", "luma-full", "luma-full-rounded"]
Brightness = Literal["own", "reference", "reference-bgr", "reference-mean"]
Gray = Literal["keep", "expand"]
GrayOutput = Literal["error", "luma", "expand"]

GRAYS: Mapping[Brightness, tuple[float, float, float]] = {
    "reference": (0.299, 0.587, 0.114),
    "reference-bgr": (0.114, 0.587, 0.299),
    "reference-mean": (1 / 3, 1 / 3, 1 / 3),
}
"""Weights of red, green and blue in the gray whose mean is an image's brightness."""


@dataclass(frozen=True)
class Region:
    """The rows and columns of an image that are scored."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class View:
    """Quantise, cut to a multiple, cut the border, convert the colour: in this order.

    Attributes
    ----------
    colour
        ``rgb`` or a form of luma. One channel is taken as it is.
    quantise
        Round values to the 256 of an 8-bit file first.
    modcrop
        Rows and columns beyond a multiple of this are cut off at the right and bottom.
    crop
        Border that is cut off on each side, in pixels.
    brightness
        ``reference``: the output is scaled to the reference's mean brightness, then clipped;
        ``reference-bgr``, ``reference-mean``: the same with another brightness, see `GRAYS`.
    gray
        What a studio luma is of a gray reference and its outputs: ``expand``, that of three equal
        channels; ``keep``, of a reference with one channel the values as they are, and an output
        with colours is refused.
    gray_output
        What a gray output of a colour reference holds: ``luma``, the view's own; ``expand``, three
        equal channels; ``error``, it is refused where these differ.
    """

    colour: Colour = "rgb"
    quantise: bool = False
    modcrop: int = 1
    crop: int = 0
    brightness: Brightness = "own"
    gray: Gray = "keep"
    gray_output: GrayOutput = "error"

    @property
    def needs_reference(self) -> bool:
        """Whether what is seen of an output depends on its reference."""
        return self.brightness != "own"

    @property
    def reads_luma_otherwise(self) -> bool:
        """Whether the luma of three equal channels is another number than their value."""
        return self.colour.startswith("luma-studio")

    @property
    def choice_of_gray(self) -> str:
        """How gray outputs of colour references are read, where values depend on it, else ""."""
        chosen = self.reads_luma_otherwise and self.gray_output != "error"
        return self.gray_output if chosen else ""

    def __str__(self) -> str:
        """Spell the view for signatures, e.g. ``luma-studio,uint8,modcrop4,crop4``."""
        parts: list[str] = [self.colour]
        if self.quantise:
            parts.append("uint8")
        if self.modcrop > 1:
            parts.append(f"modcrop{self.modcrop}")
        if self.crop:
            parts.append(f"crop{self.crop}")
        if self.brightness != "own":
            parts.append(self.brightness.replace("reference", "gt-mean"))
        if self.reads_luma_otherwise and self.gray == "expand":
            parts.append("gray-expand")
        return ",".join(parts)

    def window(self, height: int, width: int) -> Region:
        """Say which part of an image is scored.

        Parameters
        ----------
        height, width
            Size of the image as stored, in pixels.

        Returns
        -------
        Region
            The part that remains.

        Raises
        ------
        IqbenchError
            If nothing remains.
        """
        rows = height - height % self.modcrop - 2 * self.crop
        columns = width - width % self.modcrop - 2 * self.crop
        if rows < 1 or columns < 1:
            least = -(-(2 * self.crop + 1) // self.modcrop) * self.modcrop
            raise IqbenchError(
                f"{width}x{height} pixels are too few for the view {self}, which needs at least "
                f"{least}x{least}"
            )
        return Region(self.crop, self.crop, rows, columns)

    def channels(self, stored: int) -> int:
        """Return how many channels are seen of an image with `stored` channels."""
        return stored if self.colour == "rgb" else 1

    def gain(self, reference: Picture, output: Picture) -> float:
        """Return the factor that the output is multiplied by before it is scored.

        Parameters
        ----------
        reference, output
            The whole images.

        Returns
        -------
        float
            1 unless brightness follows the reference: then the ratio of the mean gray values, see
            `GRAYS`. A black output cannot be scaled and is left as it is.
        """
        if self.brightness == "own":
            return 1.0
        weights = GRAYS[self.brightness]
        mean = _mean_gray(output, weights)
        return _mean_gray(reference, weights) / mean if mean > 0 else 1.0

    def band(
        self,
        picture: Picture,
        rows: slice,
        device: torch.device,
        gain: float = 1.0,
    ) -> Tensor:
        """Convert some rows of the window.

        Parameters
        ----------
        picture
            The whole image.
        rows
            Which rows of the window.
        device
            Where the tensor shall be.
        gain
            What `gain` returned for an output.

        Returns
        -------
        Tensor
            (1, C, rows, width) float32 in [0, 1].
        """
        return self.bands([picture], rows, device, [gain])

    def bands(
        self,
        pictures: Sequence[Picture],
        rows: slice,
        device: torch.device,
        gains: Sequence[float],
    ) -> Tensor:
        """Convert the same rows of several images of one size; see `band`.

        Parameters
        ----------
        pictures
            Whole images.
        rows
            Which rows of the window.
        device
            Where the tensor shall be.
        gains
            Of each image.

        Returns
        -------
        Tensor
            (N, 1 or 3, rows, width) float32 in [0, 1].
        """
        import torch

        from iqbench.images.tensors import to_tensors

        first = pictures[0]
        # Together, unless their depths or peaks differ: each is divided by its own.
        if len({(picture.pixels.dtype, picture.peak) for picture in pictures}) > 1:
            single = zip(pictures, gains, strict=True)
            return torch.cat([self.band(picture, rows, device, gain) for picture, gain in single])
        window = self.window(first.height, first.width)
        down = slice(window.top + rows.start, window.top + rows.stop)
        along = slice(window.left, window.left + window.width)
        parts = [picture.pixels[down, along] for picture in pictures]
        seen = to_tensors(parts, device, first.peak)
        return self._convert(seen, gains, eight_bits=first.peak == EIGHT_BITS)

    def _convert(self, image: Tensor, gains: Sequence[float], *, eight_bits: bool) -> Tensor:
        """Quantise, scale to the reference's brightness, convert the colour."""
        from iqbench.images.colour import luma_full, luma_studio
        from iqbench.images.rounding import quantise_uint8

        if self.quantise and not eight_bits:
            image = quantise_uint8(image)
        if any(gain != 1.0 for gain in gains):
            image = image.mul(image.new_tensor(gains)[:, None, None, None]).clamp_(0, 1)
        if self.colour.startswith("luma-full"):
            return luma_full(image, rounded=self.colour == "luma-full-rounded")
        if self.colour == "rgb":
            return image
        return luma_studio(image, rounded=self.colour == "luma-studio-rounded")


def _mean_gray(picture: Picture, weights: tuple[float, float, float]) -> float:
    """Return the mean gray value in [0, 1]."""
    # Row by row: NumPy adds whole rows far faster than the values of single pixels.
    sums = picture.pixels.sum(axis=0, dtype=np.float64).sum(axis=0)
    means = sums / (picture.height * picture.width) / picture.peak
    return float(means[0] if len(means) == 1 else np.dot(means, weights))
