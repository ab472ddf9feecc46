"""What a family of metrics sees of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

__all__ = ["Brightness", "Colour", "View", "Window"]

GRAY = (0.299, 0.587, 0.114)

Colour = Literal["rgb", "luma-studio", "luma-studio-rounded", "luma-full", "luma-full-rounded"]
Brightness = Literal["own", "reference"]


@dataclass(frozen=True)
class Window:
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
        ``rgb`` (gray images stay gray) or a form of luma.
    quantise
        Round values to the 256 of an 8-bit file first.
    modcrop
        Rows and columns beyond a multiple of this are cut off at the right and bottom.
    crop
        Border that is cut off on each side, in pixels.
    brightness
        ``reference``: the output is scaled to the reference's mean brightness, then clipped.
    """

    colour: Colour = "rgb"
    quantise: bool = False
    modcrop: int = 1
    crop: int = 0
    brightness: Brightness = "own"

    def __str__(self) -> str:
        """Spell the view for signatures, e.g. ``luma-studio,uint8,modcrop4,crop4``."""
        parts: list[str] = [self.colour]
        if self.quantise:
            parts.append("uint8")
        if self.modcrop > 1:
            parts.append(f"modcrop{self.modcrop}")
        if self.crop:
            parts.append(f"crop{self.crop}")
        if self.brightness == "reference":
            parts.append("gt-mean")
        return ",".join(parts)

    def window(self, height: int, width: int) -> Window:
        """Say which part of an image is scored.

        Parameters
        ----------
        height, width
            Size of the image as stored, in pixels.

        Returns
        -------
        Window
            The part that remains.

        Raises
        ------
        IqbenchError
            If nothing remains.
        """
        rows = height - height % self.modcrop - 2 * self.crop
        columns = width - width % self.modcrop - 2 * self.crop
        if rows < 1 or columns < 1:
            raise IqbenchError(f"nothing of {width}x{height} pixels is left under the view {self}")
        return Window(self.crop, self.crop, rows, columns)

    def channels(self, stored: int) -> int:
        """Return how many channels are seen of an image with `stored` channels."""
        return stored if self.colour == "rgb" else 1

    def gain(self, reference: Pixels, output: Pixels) -> float:
        """Return by what the output is multiplied before it is scored.

        Parameters
        ----------
        reference, output
            (H, W, C) as stored, the whole images.

        Returns
        -------
        float
            1 unless brightness follows the reference: then the ratio of the mean gray values,
            0.299 R + 0.587 G + 0.114 B. A black output cannot be scaled and is left as it is.
        """
        if self.brightness == "own":
            return 1.0
        mean = _mean_gray(output)
        return _mean_gray(reference) / mean if mean > 0 else 1.0

    def band(
        self,
        pixels: Pixels,
        rows: slice,
        device: torch.device,
        gain: float = 1.0,
    ) -> Tensor:
        """Convert some rows of the window.

        Parameters
        ----------
        pixels
            (H, W, C) as stored, the whole image.
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
        return self.bands([pixels], rows, device, [gain])

    def bands(
        self,
        images: Sequence[Pixels],
        rows: slice,
        device: torch.device,
        gains: Sequence[float],
    ) -> Tensor:
        """Convert the same rows of several images of one size; see `band`.

        Parameters
        ----------
        images
            (H, W, C) each.
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

        # Together, unless their depths differ: each depth is divided by its own maximum.
        if len({pixels.dtype for pixels in images}) > 1:
            single = zip(images, gains, strict=True)
            return torch.cat([self.band(image, rows, device, gain) for image, gain in single])
        window = self.window(*images[0].shape[:2])
        down = slice(window.top + rows.start, window.top + rows.stop)
        along = slice(window.left, window.left + window.width)
        seen = to_tensors([pixels[down, along] for pixels in images], device)
        return self._convert(seen, gains, eight_bits=images[0].dtype == np.uint8)

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


def _mean_gray(pixels: Pixels) -> float:
    """Return the mean gray value in [0, 1]."""
    means = pixels.mean(axis=(0, 1), dtype=np.float64) / np.iinfo(pixels.dtype).max
    return float(means[0] if len(means) == 1 else np.dot(means, GRAY))
