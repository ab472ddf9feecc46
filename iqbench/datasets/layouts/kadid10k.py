"""KADID-10k: references, distorted images and opinions, as unpacked from its archive."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from iqbench.datasets.file_index import FileIndex, join
from iqbench.datasets.layout import BelowRoot
from iqbench.datasets.opinions.layout import RatedLayout
from iqbench.datasets.opinions.rated_images import Rating, check_levels, rated_samples
from iqbench.datasets.opinions.tables import Scale, number, read_csv
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError

__all__ = ["DISTORTIONS", "Kadid10kLayout"]

DISTORTIONS = (
    "Gaussian blur",
    "lens blur",
    "motion blur",
    "color diffusion",
    "color shift",
    "color quantization",
    "color saturation in HSV",
    "color saturation in Lab",
    "JPEG2000 compression",
    "JPEG compression",
    "white noise",
    "white noise in color component",
    "impulse noise",
    "multiplicative noise",
    "denoising",
    "brighten",
    "darken",
    "mean shift",
    "jitter",
    "non-eccentricity patch",
    "pixelate",
    "quantization",
    "color block",
    "high sharpen",
    "contrast change",
)
"""Distortions, in the order of the number in the file's name."""

_SCALE = Scale(1, 5, "higher")
_NAME = re.compile(r"(I[0-9]{2})_([0-9]{2})_([0-9]{2})\.png", re.IGNORECASE)


class Kadid10kLayout(RatedLayout):
    """Read the unpacked archive ``kadid10k.zip``.

    ::

        images/I01.png ... I01_01_01.png ...   reference, kind of distortion, level
        dmos.csv                               dist_img,ref_img,dmos,var

    Ids of images are the names without suffix: ``I01_01_01``.

    Attributes
    ----------
    folder
        Holds all that, below the data root.
    references, distorted
        The folders of images, below it; the archive has one for both.

    Notes
    -----
    Two columns are not what they are called. ``dmos`` is a mean opinion from 1 to 5 and rises with
    quality. ``var`` is a standard deviation: whole opinions whose mean is 4.57 have a standard
    deviation of at least 0.495, and the file has 0.496; 1207 of its 10125 rows meet that least
    value, and some exceed the greatest possible variance.

    Source: the archive's own ``dmos.csv``; Lin, Hosu and Saupe 2019,
    doi:10.1109/QoMEX.2019.8743252, whose table of distortions numbers them.
    """

    layout: Literal["kadid10k"]
    folder: BelowRoot = "kadid10k"
    references: BelowRoot = "images"
    distorted: BelowRoot = "images"

    @property
    def landmark(self) -> str:
        """The file of opinions."""
        return "dmos.csv"

    def read(self, tree: FileIndex) -> list[Sample]:
        """Pair images with the rows of opinions."""
        table = self.landmark
        rows = read_csv(tree.path(table), ("dist_img", "ref_img", "dmos", "var"))
        ratings = [self._rating(where, row) for where, row in rows]
        check_levels(ratings, table)
        return rated_samples(tree, ratings, table, judged=[self.distorted])

    def _rating(self, where: str, row: Mapping[str, str]) -> Rating:
        name, reference = row["dist_img"], row["ref_img"]
        match = _NAME.fullmatch(name)
        if not match or not 1 <= int(match[2]) <= len(DISTORTIONS):
            raise IqbenchError(
                f"{where}: {name[:40]!r} is not a distorted image of KADID-10k",
                hint="Names are such as I01_01_01.png: reference, distortion 1 to "
                f"{len(DISTORTIONS)}, level",
            )
        if reference.casefold() != f"{match[1]}.png".casefold():
            raise IqbenchError(
                f"{where}: {reference[:40]!r} is not the reference of {name}",
                hint="Take the file of opinions as it is distributed: its columns do not fit",
            )
        return Rating(
            image=name[:-4],
            distorted=join(self.distorted, name),
            reference=join(self.references, reference),
            opinion=_SCALE.opinion(number(row["dmos"], where), number(row["var"], where), where),
            distortion=DISTORTIONS[int(match[2]) - 1],
            where=where,
            level=int(match[3]),
        )
