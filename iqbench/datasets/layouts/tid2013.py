"""TID2013 and TID2008: references, distorted images and MOS, as in Tampere's archives."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import Field

from iqbench.datasets.file_index import FileIndex, join
from iqbench.datasets.layout import BelowRoot
from iqbench.datasets.opinions.layout import RatedLayout
from iqbench.datasets.opinions.rated_images import Rating, check_levels, rated_samples
from iqbench.datasets.opinions.tables import Scale, number, read_lines
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError

__all__ = ["DISTORTIONS", "TID2013Layout"]

DISTORTIONS = (
    "additive Gaussian noise",
    "additive noise in color components",
    "spatially correlated noise",
    "masked noise",
    "high frequency noise",
    "impulse noise",
    "quantization noise",
    "Gaussian blur",
    "image denoising",
    "JPEG compression",
    "JPEG2000 compression",
    "JPEG transmission errors",
    "JPEG2000 transmission errors",
    "non-eccentricity pattern noise",
    "local block-wise distortions",
    "mean shift",
    "contrast change",
    "change of color saturation",
    "multiplicative Gaussian noise",
    "comfort noise",
    "lossy compression of noisy images",
    "color quantization with dither",
    "chromatic aberrations",
    "sparse sampling and reconstruction",
)
"""Distortions, in the order of the number in the file's name; the first 17 are TID2008's."""

_SCALE = Scale(0, 9, "higher")
_NAME = re.compile(r"(i[0-9]{2})_([0-9]{2})_([0-9])\.bmp", re.IGNORECASE)


class TID2013Layout(RatedLayout):
    """Read the unpacked archives ``tid2013.rar`` and ``tid2008.rar``.

    ::

        reference_images/I01.BMP ...
        distorted_images/i01_01_1.bmp ...   reference, kind of distortion, level
        mos_with_names.txt                  5.51429 I01_01_1.bmp
        mos_std.txt                         0.13013, in the same order

    The names' case differs between the files and is ignored. MOS is from 0 to 9, high is good.
    Ids of images are the names in lower case: ``i01_01_1``.

    Attributes
    ----------
    folder
        Holds all that, below the data root.
    references, distorted
        The folders of images, below it.
    raters
        How many people judged an image, on average. ``mos_std.txt`` has the standard error of the
        mean: 0.13 on average, and its square is the "MSE of each score" that the readme gives as
        0.018. The standard deviation of single opinions is that times the root of their number.
        Without this key no spread is entered.

    Notes
    -----
    Source: the archives' own ``readme``; Ponomarenko et al. 2015, doi:10.1016/j.image.2014.10.009.
    971 people each compared the 120 distorted images of one of 25 references: 38.84 an image. What
    the ``mos_std.txt`` of TID2008 holds could not be checked: its block names no raters.
    """

    layout: Literal["tid2013"]
    folder: BelowRoot = "tid2013"
    references: BelowRoot = "reference_images"
    distorted: BelowRoot = "distorted_images"
    raters: Annotated[float, Field(ge=1)] | None = None

    @property
    def landmark(self) -> str:
        """The file of opinions."""
        return "mos_with_names.txt"

    def read(self, tree: FileIndex) -> list[Sample]:
        """Pair images with the lines of opinions."""
        table = self.landmark
        lines = read_lines(tree.path(table))
        errors = self._errors(tree, len(lines), table)
        ratings = [
            self._rating(where, line, error)
            for (where, line), error in zip(lines, errors, strict=True)
        ]
        check_levels(ratings, table)
        return rated_samples(tree, ratings, table, judged=[self.distorted])

    def _errors(self, tree: FileIndex, count: int, table: str) -> list[float | None]:
        """Read the standard error of every opinion, where it can be made use of."""
        if self.raters is None:
            return [None] * count
        lines = read_lines(tree.path("mos_std.txt"))
        if len(lines) != count:
            raise IqbenchError(
                f"mos_std.txt has {len(lines)} values, {table} has {count}, in {tree.folder}",
                hint="Unpack the archive again: the two go together line by line",
            )
        return [number(line, where) for where, line in lines]

    def _rating(self, where: str, line: str, error: float | None) -> Rating:
        value, _, name = line.partition(" ")
        name = name.strip()
        match = _NAME.fullmatch(name)
        if not match or not 1 <= int(match[2]) <= len(DISTORTIONS):
            raise IqbenchError(
                f"{where}: {name[:40]!r} is not a distorted image of TID",
                hint="Lines are an opinion and a name such as I01_01_1.bmp: reference, distortion "
                f"1 to {len(DISTORTIONS)}, level",
            )
        std = None if error is None else error * math.sqrt(self.raters or 1)
        return Rating(
            image=name[:-4].lower(),
            distorted=join(self.distorted, name),
            reference=join(self.references, f"{match[1].upper()}.BMP"),
            opinion=_SCALE.opinion(number(value, where), std, where),
            distortion=DISTORTIONS[int(match[2]) - 1],
            where=where,
            level=int(match[3]),
        )
