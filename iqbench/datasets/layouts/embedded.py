"""Small crops of photographs in scikit-image's wheel: data without a download."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from iqbench.datasets.layout import Layout
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError
from iqbench.images.probe import ImageHeader
from iqbench.images.source import DecodedImage, FileSource, Source

__all__ = ["PHOTOGRAPHS", "EmbeddedLayout", "Photograph"]


@dataclass(frozen=True)
class Photograph:
    """A crop of one of scikit-image's photographs. All are PNG: every decoder reads them alike.

    Attributes
    ----------
    file
        The file in scikit-image's data folder; its stem is the image's id.
    channels
        1 for gray, 3 for RGB.
    top, left, height, width
        The crop; height and width are multiples of 4, so that all demo tasks fit.
    """

    file: str
    channels: int
    top: int
    left: int
    height: int
    width: int


PHOTOGRAPHS = (
    Photograph("astronaut.png", 3, top=16, left=128, height=224, width=192),
    Photograph("brick.png", 1, top=128, left=128, height=192, width=192),
    Photograph("camera.png", 1, top=64, left=144, height=208, width=208),
    Photograph("chelsea.png", 3, top=40, left=120, height=192, width=256),
    Photograph("coffee.png", 3, top=80, left=160, height=192, width=240),
    Photograph("coins.png", 1, top=48, left=64, height=192, width=224),
    Photograph("ihc.png", 3, top=128, left=128, height=176, width=176),
    Photograph("motorcycle_left.png", 3, top=220, left=280, height=192, width=256),
)


class EmbeddedLayout(Layout):
    """The crops of :data:`PHOTOGRAPHS`. It has no options and needs no data root."""

    layout: Literal["embedded"]

    def samples(self, root: Path | None) -> list[Sample]:
        """List the crops, in alphabetical order."""
        del root
        folder = _data_folder()
        return [
            Sample(
                image=photograph.file.removesuffix(".png"),
                reference=CropSource(FileSource(folder / photograph.file), photograph),
            )
            for photograph in PHOTOGRAPHS
        ]


@dataclass(frozen=True)
class CropSource:
    """A crop of a file's pixels, as a source of its own."""

    whole: Source
    crop: Photograph

    @property
    def name(self) -> str:
        """The file and the crop, for messages."""
        crop = self.crop
        return f"{self.whole.name}[{crop.top}:{crop.top + crop.height}, {crop.left}:" + (
            f"{crop.left + crop.width}]"
        )

    def probe(self) -> ImageHeader:
        """Tell the crop's size without decoding."""
        return replace(
            self.whole.probe(),
            height=self.crop.height,
            width=self.crop.width,
            channels=self.crop.channels,
        )

    def size(self) -> int:
        """Return the size of the whole photograph's file."""
        return self.whole.size()

    def read(self) -> DecodedImage:
        """Read the file and cut the crop out.

        Raises
        ------
        IqbenchError
            If the installed scikit-image has another photograph under this name.
        """
        whole = self.whole.read().decode()
        crop = self.crop
        pixels = whole.pixels[crop.top :, crop.left :][: crop.height, : crop.width]
        if pixels.shape != (crop.height, crop.width, crop.channels):
            raise IqbenchError(
                f"{self.whole.name} is not the photograph that iqbench knows",
                hint="Install scikit-image again",
            )
        pixels = pixels.copy()  # a view would keep the whole photograph in memory
        return DecodedImage.of(pixels, self.name)


def _data_folder() -> Path:
    # The files are read by iqbench's own decoder; scikit-image need not be imported for that.
    package = find_spec("skimage")
    if package is None or not package.origin:
        raise IqbenchError(
            "scikit-image is not installed",
            hint="pip install scikit-image: it brings the photographs",
        )
    return Path(package.origin).parent / "data"
