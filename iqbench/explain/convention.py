"""One way to compute a value: all the settings that papers rarely state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from iqbench.explain.brightness import SCALINGS
from iqbench.explain.prepared import AS_STORED, PREPARED
from iqbench.protocols.view import Gray, View

__all__ = [
    "COLOURS",
    "CROPS",
    "DEEP_RANGES",
    "FIELDS",
    "GRAYS",
    "MODCROPS",
    "OF_EQUAL",
    "QUANTISED",
    "RANGES",
    "RARE_RANGES",
    "SCALES",
    "Convention",
    "encode",
    "join_names",
    "label",
    "phrases",
    "split_names",
]

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "rgb": "RGB",
        "rgb-channels": "mean over the channels' values",
        "luma-studio": "MATLAB's Y",
        "luma-studio-rounded": "MATLAB's Y rounded",
        "luma-studio-truncated": "MATLAB's Y truncated to uint8",
        "luma-studio-bgr": "MATLAB's Y, red and blue swapped",
        "luma-studio-srcnn": "Y as SRCNN-pytorch (64.738, 129.057, 25.064)",
        "luma-full": "full-range Y",
        "luma-full-rounded": "full-range Y rounded",
        "luma-full-truncated": "full-range Y truncated to uint8",
        "luma-studio-bgr-rounded": "MATLAB's Y rounded, red and blue swapped",
        "luma-full-bgr": "full-range Y, red and blue swapped",
        "luma-full-bgr-rounded": "full-range Y rounded, red and blue swapped",
        "luma-709": "gray as scikit-image's rgb2gray (BT.709)",
        "luma-709-truncated": "gray as scikit-image's rgb2gray, truncated to uint8",
        "gray-opencv": "gray as OpenCV's cvtColor",
        "gray-opencv-bgr": "gray as OpenCV's cvtColor, red and blue swapped",
        "luma-2989": "gray as torchvision's rgb_to_grayscale (0.2989, 0.587, 0.114)",
        "luma-2989-truncated": "gray as torchvision's rgb_to_grayscale, truncated to uint8",
        "gray-14-bit": "Y as OpenCV's cvtColor to YCrCb",
        "gray-14-bit-bgr": "Y as OpenCV's cvtColor to YCrCb, red and blue swapped",
        "gray-matlab": "gray as MATLAB's rgb2gray",
        "gray-numpy": "full-range Y rounded half to even, as NumPy rounds",
        "gray-pillow": "gray as Pillow's convert('L')",
        "gray-pillow-ycbcr": "Y as Pillow's convert('YCbCr')",
        "mean-of-channels": "mean of red, green and blue",
        "red": "red alone",
        "green": "green alone",
        "blue": "blue alone",
        "bgr": "red and blue swapped",
    }
)
"""What is read of a colour image, and its name in reports."""

OWN = "own"
RANGES: Mapping[str, tuple[float, float, str]] = MappingProxyType(
    {
        OWN: (1.0, 0.0, "the files' own range as peak"),
        "0..1-peak-2": (0.5, 0.0, "[0,1] with peak 2"),
        "-1..1-peak-2": (1.0, -0.5, "[-1,1] with peak 2"),
        "-1..1-peak-1": (2.0, -1.0, "[-1,1] with peak 1"),
        "peak-256": (255 / 256, 0.0, "peak 256"),
        "10-bit-peak": (65535 / 1023, 0.0, "peak 1023 of 10 bits"),
        "12-bit-peak": (65535 / 4095, 0.0, "peak 4095 of 12 bits"),
        "14-bit-peak": (65535 / 16383, 0.0, "peak 16383 of 14 bits"),
        "peak-219": (255 / 219, 0.0, "peak 219 (235 - 16)"),
        "0..255-peak-1": (255.0, 0.0, "[0,255] with peak 1"),
        "0..1-peak-255": (1 / 255, 0.0, "[0,1] with peak 255"),
        "0..1-as--1..1": (0.5, 0.5, "[0,1] fed as if it were [-1,1]"),
        "0..255-as--1..1": (127.5, 0.5, "[0,255] fed as if it were [-1,1]"),
        "-1..1-as-0..1": (2.0, -1.0, "[-1,1] fed as if it were [0,1]"),
        "0..255-as-0..1": (255.0, 0.0, "[0,255] fed as if it were [0,1]"),
        "0..255": (255.0, 0.0, "pixels in [0,255]"),
        "-1..1": (2.0, -1.0, "pixels in [-1,1]"),
    }
)
"""Ranges and peaks: a and b, by which pixels x in [0,1] become a x + b with peak 1; and a name."""

DEEP_RANGES = ("10-bit-peak", "12-bit-peak", "14-bit-peak")
"""Peaks of samples with fewer bits than the 16 of their file."""

DATA_RANGES: Mapping[str, str] = MappingProxyType(
    {
        "reference-range": "peak = max - min of the reference",
        "output-range": "peak = max - min of the output",
        "larger-range": "peak = larger max - min of the two",
        "joint-range": "peak = max - min of the two together",
        "reference-maximum": "peak = maximum of the reference",
        "output-maximum": "peak = maximum of the output",
        "larger-maximum": "peak = larger maximum of the two",
    }
)
"""Peaks that are computed from the pixels."""

RARE_RANGES = ("joint-range", "output-maximum", "larger-maximum")
"""Peaks that are combined with little else."""

QUANTISED = ("stored", "uint8", "truncated", "high-byte")
"""What is made of samples of 16 bits: nothing, 8 bits that are rounded or truncated, or the high
byte alone, as OpenCV's imread does where nobody asks for 16 bits."""

OF_EQUAL = ("capped", "finite")
"""Means of PSNR that differ only where an image equals its reference."""

GRAYS = get_args(Gray)
CROPS = (0, 1, 2, 3, 4, 6, 8)
MODCROPS = (1, 2, 3, 4, 8)
SCALES = (2, 3, 4, 8)
"""Scales of super-resolution that are tried if none is given."""

FORMS: Mapping[str, str] = MappingProxyType(
    {
        "psnr-epsilon=1e-08": "psnr with 1e-8 added to the MSE",
        "psnr, uint8 differences wrapped around": "psnr of uint8 differences that wrap around",
        "ssim-window=uniform": "ssim with a uniform 7x7 window",
        "ssim, uniform 11x11": "ssim with a uniform 11x11 window",
        **{
            f"ssim, uniform {size}x{size}": f"ssim with a uniform {size}x{size} window"
            for size in (3, 5, 9, 51)
        },
        **{
            f"ssim, {size}x{size}, edges mirrored": (
                f"ssim with a Gaussian {size}x{size} window, edges mirrored"
            )
            for size in (3, 5)
        },
        "ssim, sample covariance": "ssim with sample covariance",
        "ssim, 13x13": "ssim with a Gaussian 13x13 window",
        "ssim, 13x13, sample covariance": "ssim with a Gaussian 13x13 window, sample covariance",
        "ssim, 13x13, edges repeated": "ssim with a Gaussian 13x13 window, edges repeated",
        "ssim, adaptive means": "ssim after downsampling by adaptive means",
        "ssim, single columns": "ssim of each column alone",
        "ssim-structure=clipped": "ssim with negative structure clipped to 0",
        "ssim-padding=zero": "ssim with zeros around the image",
        "ssim-padding=replicate": "ssim with edges replicated",
        "ssim-padding=reflect": "ssim with edges mirrored",
        "ssim-form=3d": "ssim of a volume",
        "ssim-downsample=matlab": "ssim after downsampling as in the authors' script",
        "ssim-downsample=pool": "ssim after downsampling by means",
        "ssim-downsample=pool-structure=clipped": (
            "ssim after downsampling by means, with negative structure clipped to 0"
        ),
        "ms-ssim-odd=zero": "ms-ssim with zeros added at odd sides",
        "ms-ssim-odd=crop": "ms-ssim with odd rows and columns left out",
        "ms-ssim-odd=repeat-first": "ms-ssim with the first row or column repeated at odd sides",
        "lpips-alex": "lpips (AlexNet)",
        "lpips-vgg": "lpips (VGG16)",
        "lpips-squeeze": "lpips (SqueezeNet)",
        "lpips-alex, no trained layers": "lpips (AlexNet, lpips=False)",
        "lpips-vgg, no trained layers": "lpips (VGG16, lpips=False)",
        "lpips-squeeze, no trained layers": "lpips (SqueezeNet, lpips=False)",
        "dists-resize=256": "dists after the shorter side was resized to 256",
    }
)
"""How columns and forms of metrics are written in sentences; others keep their names."""

_PLAIN = {
    ("quantise", "stored"): "not quantised",
    ("quantise", "truncated"): "truncated to uint8",
    ("quantise", "high-byte"): "high byte of 16 bits, as OpenCV's imread gives",
    ("brightness", "own"): "brightness as it is",
    ("brightness", "reference"): "brightness of the reference (GT-mean)",
    ("brightness", "reference-bgr"): "brightness of the reference (GT-mean), red and blue swapped",
    ("brightness", "reference-mean"): "brightness of the reference (GT-mean of all channels)",
    ("gray", "keep"): "gray values as they are",
    ("gray", "expand"): "gray read as three equal channels",
    ("pool", "images"): "mean of the images' values",
    ("pool", "pooled"): "pooled MSE",
    ("pool", "mean-mse"): "PSNR of the mean of the images' MSEs",
    ("pool", "capped"): "mean with 100 for images that equal their references",
    ("pool", "finite"): "mean without images that equal their references",
    ("modcrop", 1): "no modcrop",
    ("crop", 0): "no crop",
}

_WORDS: Mapping[str, Mapping[str, str]] = {
    "colour": COLOURS,
    "brightness": {
        name: f"brightness of the reference (GT-mean: {way.words})"
        for name, way in SCALINGS.items()
    },
    "prepared": PREPARED,
    "range": {**{name: words for name, (*_, words) in RANGES.items()}, **DATA_RANGES},
}


class Convention(NamedTuple):
    """How a value is computed from stored pixels.

    Attributes
    ----------
    metric
        Column of the metric, e.g. ``ssim-window=uniform``, or a form that only other tools have.
    colour
        One of `COLOURS`.
    quantise
        One of `QUANTISED`.
    modcrop, crop
        As in `View`.
    gray
        How MATLAB's Y is made of gray images with one channel: ``keep`` takes their values,
        ``expand`` converts three equal channels.
    brightness
        ``own``, or as in `View`, or a key of `iqbench.explain.brightness.SCALINGS`.
    prepared
        One of `PREPARED`: what was done to the images first.
    range
        One of `RANGES` or `DATA_RANGES`.
    pool
        Over a folder: ``images``, the mean of their values; ``pooled``, of the mean error of all
        pixels; ``mean-mse``, of the mean of the images' errors. Where an image equals its
        reference, so that its PSNR is infinite: ``capped``, the mean with 100 for it; ``finite``,
        the mean of the others.
    """

    metric: str
    colour: str = "rgb"
    quantise: str = "stored"
    modcrop: int = 1
    crop: int = 0
    gray: str = "keep"
    brightness: str = "own"
    prepared: str = AS_STORED
    range: str = OWN
    pool: str = "images"

    @classmethod
    def of_view(cls, metric: str, view: View) -> Convention:
        """Take a preset's view."""
        return cls(
            metric,
            view.colour,
            "uint8" if view.quantise else "stored",
            view.modcrop,
            view.crop,
            view.gray,
            view.brightness,
        )

    @property
    def order(self) -> tuple[object, ...]:
        """Sort key: conventions that share results of computations follow one another."""
        return (
            self.prepared,
            *(self.quantise, self.brightness, self.gray),
            list(COLOURS).index(self.colour),
            self.range,
            self.modcrop,
            self.crop,
            self.metric,
        )

    @property
    def seen(self) -> tuple[str, str, str, str, str]:
        """The settings that the scored pixels depend on, apart from crops."""
        return self.colour, self.quantise, self.gray, self.brightness, self.prepared

    def departures(self, other: Convention) -> list[str]:
        """Return the names of the fields in which this differs from another."""
        rows = zip(FIELDS, self, other, strict=True)
        return [name for name, own, others in rows if own != others]


FIELDS = Convention._fields


def encode(conventions: Sequence[Convention], codes: dict[str | int, int]) -> NDArray[np.int64]:
    """Encode fields as numbers, so that many conventions can be compared at once.

    Parameters
    ----------
    conventions
        The rows.
    codes
        The number of each value; new values are added.

    Returns
    -------
    ndarray
        (conventions, fields).
    """
    table = [[codes.setdefault(value, len(codes)) for value in row] for row in conventions]
    return np.array(table, dtype=np.int64).reshape(len(conventions), len(FIELDS))


def label(name: str, value: str | int) -> str:
    """Return a field's value in words."""
    if (name, value) in _PLAIN:
        return _PLAIN[name, value]
    if name in ("crop", "modcrop"):
        return f"{name} {value}"
    if name in _WORDS:
        return _WORDS[name][str(value)]
    return str(value)


def phrases(metric: str, settings: Mapping[str, Any]) -> list[str]:
    """Describe a convention in words, without the settings that are usual.

    Parameters
    ----------
    metric
        The column or form.
    settings
        Field to value.
    """
    usual = Convention("")
    said = [f"{FORMS.get(metric, metric)} on {label('colour', settings['colour'])}"]
    for name in FIELDS:
        value = settings[name]
        if name in ("metric", "colour") or value == getattr(usual, name):
            continue
        if (name, value) == ("quantise", "uint8"):
            continue  # of 8-bit files this is nothing
        said.append(label(name, value))
    if settings["modcrop"] == 1 and settings["crop"] == 0:
        said.append("no crop")
    return said


def join_names(names: Iterable[str]) -> str:
    """Put names of libraries' functions together, each once."""
    return ", ".join(dict.fromkeys(names))


def split_names(text: str) -> list[str]:
    """Undo `join_names`; commas inside parentheses belong to a name."""
    return [name for name in re.split(r", (?![^(]*\))", text) if name]
