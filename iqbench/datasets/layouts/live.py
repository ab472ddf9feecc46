"""LIVE Image Quality Assessment Database, release 2, as unpacked from its archive."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import Field

from iqbench.datasets.file_index import FileIndex, join
from iqbench.datasets.layout import BelowRoot
from iqbench.datasets.matlab.reading import read_numbers, read_texts
from iqbench.datasets.opinions.layout import RatedLayout
from iqbench.datasets.opinions.rated_images import Rating, check_order, rated_samples
from iqbench.datasets.opinions.tables import Scale, read_lines
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError

__all__ = ["DISTORTIONS", "LiveLayout"]

DISTORTIONS = {
    "jp2k": "JPEG2000 compression",
    "jpeg": "JPEG compression",
    "wn": "white noise",
    "gblur": "Gaussian blur",
    "fastfading": "JPEG2000 over a fast fading channel",
}
"""Folder to distortion, in the order in which the opinions are stored."""

_SIZES = [227, 233, 174, 174, 174]
_SCALE = Scale(-10, 120, "lower")
_REFERENCES = "refnames_all.mat"
_IMAGE = re.compile(r"img([0-9]+)\.bmp", re.IGNORECASE)


class LiveLayout(RatedLayout):
    """Read the unpacked archive ``databaserelease2.zip``.

    ::

        refimgs/buildings.bmp ...
        jp2k/img1.bmp ..., jpeg/, wn/, gblur/, fastfading/
        jp2k/info.txt ...      reference, image, parameter
        dmos_realigned.mat     dmos_new, dmos_std, orgs
        refnames_all.mat       refnames_all

    Entry i of the arrays is image i of the five folders one after the other. Where ``orgs`` is 1
    the image is a copy of the reference and is left out: 203 of 982. DMOS is from about -3 to 112,
    low is good. Ids of images are folder and name without suffix: ``jpeg/img12``.

    Attributes
    ----------
    folder
        Holds all that, below the data root.
    sizes
        How many images each of the five folders has.
    opinions
        The file of opinions; with ``dmos.mat``, the first release, ``dmos`` is read from it, and
        no spread.
    raters
        How many people judged an image, on average. ``dmos_std`` is 2.5 on average of a range of
        114: that is the standard error of the mean, single opinions do not agree that well. Their
        standard deviation is that times the root of their number. Without this key no spread is
        entered.

    Notes
    -----
    Source: the archive's own ``readme.txt``; Sheikh, Sabir and Bovik 2006,
    doi:10.1109/TIP.2006.881959, for the realigned opinions. 20 to 29 people judged each image.
    """

    layout: Literal["live"]
    folder: BelowRoot = "databaserelease2"
    sizes: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=5, max_length=5)] = _SIZES
    opinions: BelowRoot = "dmos_realigned.mat"
    raters: Annotated[float, Field(ge=1)] | None = None

    @property
    def landmark(self) -> str:
        """The file of opinions."""
        return self.opinions

    def read(self, tree: FileIndex) -> list[Sample]:
        """Pair images with the entries of the arrays."""
        means, spreads, copies = self._opinions(tree)
        references = read_texts(tree.path(_REFERENCES), "refnames_all")
        self._check_count(_REFERENCES, len(references))
        names = [
            f"{folder}/img{number}.bmp"
            for folder, size in zip(DISTORTIONS, self.sizes, strict=True)
            for number in range(1, size + 1)
        ]
        self._check_references(tree, names, references)
        ratings, originals = [], []
        for index, name in enumerate(names):
            where = f"{tree.folder / self.opinions}, entry {index + 1}"
            opinion = _SCALE.opinion(means[index], spreads[index], where)
            if copies[index]:
                originals.append(opinion.mos)
                continue
            reference = join("refimgs", references[index])
            kind = DISTORTIONS[name.partition("/")[0]]
            ratings.append(Rating(name[:-4], name, reference, opinion, kind, where))
        distorted = [rating.opinion.mos for rating in ratings]
        what = "copies of references", "distorted images"
        check_order(originals, distorted, _SCALE.direction, self.opinions, what)
        samples = rated_samples(tree, ratings, self.opinions)
        self._refuse_extra(tree, names)
        return samples

    def _opinions(self, tree: FileIndex) -> tuple[list[float], list[float | None], list[bool]]:
        """Read means, standard deviations, and which images are copies of references."""
        first = self.opinions.rpartition("/")[2] == "dmos.mat"
        mean = "dmos" if first else "dmos_new"
        with_spread = not first and self.raters is not None
        names = [mean, "orgs", "dmos_std"] if with_spread else [mean, "orgs"]
        arrays = read_numbers(tree.path(self.opinions), names)
        for values in arrays.values():
            self._check_count(self.opinions, len(values))
        copies = arrays["orgs"]
        if not set(copies.tolist()) <= {0.0, 1.0}:
            raise IqbenchError(f"'orgs' of {self.opinions} in {tree.folder} is not 0 or 1")
        spreads: list[float | None] = [None] * len(copies)
        if with_spread:
            spreads = list((arrays["dmos_std"] * math.sqrt(self.raters or 1)).tolist())
        return arrays[mean].tolist(), spreads, [bool(copy) for copy in copies]

    def _check_count(self, file: str, count: int) -> None:
        if count != sum(self.sizes):
            raise IqbenchError(
                f"{file} has {count} entries, the five folders should have {sum(self.sizes)} "
                "images together",
                hint="Unpack the archive again, or correct `sizes:` in the dataset's block",
            )

    def _check_references(self, tree: FileIndex, names: list[str], references: list[str]) -> None:
        """Compare with the archive's own lists of which image was made of which reference."""
        by_image = dict(zip(names, references, strict=True))
        for folder in DISTORTIONS:
            info = f"{folder}/info.txt"
            for where, line in read_lines(tree.path(info)) if info in tree else ():
                parts = line.split()
                match = _IMAGE.fullmatch(parts[1]) if len(parts) > 1 else None
                stated = by_image.get(f"{folder}/img{int(match[1])}.bmp") if match else None
                if stated and stated.casefold() != parts[0].casefold():
                    raise IqbenchError(
                        f"{where}: {parts[1]} is of {parts[0]}, but {_REFERENCES} says {stated}",
                        hint="Take both as they are distributed: opinions go by their order",
                    )

    def _refuse_extra(self, tree: FileIndex, names: list[str]) -> None:
        known = {name.casefold() for name in names}
        for folder in DISTORTIONS:
            for name in tree.images(folder):
                if name.casefold() not in known:
                    raise IqbenchError(
                        f"{name} in {tree.folder} has no opinion in {self.opinions}",
                        hint="Remove what is not part of the dataset, or correct `sizes:`",
                    )
