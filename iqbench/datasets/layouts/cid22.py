"""CID22 (Cloudinary Image Dataset 2022): its validation set, as unpacked from its archives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import ClassVar, Literal

from iqbench.datasets.file_index import FileIndex
from iqbench.datasets.files import split_suffix
from iqbench.datasets.layout import BelowRoot
from iqbench.datasets.opinions.layout import RatedLayout
from iqbench.datasets.opinions.rated_images import Rating, check_order, rated_samples
from iqbench.datasets.opinions.tables import Scale, number, read_csv
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError

__all__ = ["Cid22Layout"]

_COLUMNS = ("reference_img", "distorted_img", "encoder", "bpp", "MCOS")
_SCALE = Scale(-10, 110, "higher")


class Cid22Layout(RatedLayout):
    """Read the archives of images and of annotations, unpacked into one folder.

    ::

        original/1025469.png ...
        compressed/...              wherever the table says
        CID22_validation_set.csv    reference_img, distorted_img, encoder, setting, bpp, MCOS,
                                    RMOS, Elo, nb_pc_opinions

    MCOS, from about 0 to 100, is the opinion: high is good. Rows of the encoder Reference are the
    originals themselves and are left out: 49 of 4341, and so are images that the table does not
    name. Ids of images are the paths that it has, without suffix. The encoder is the kind of
    distortion.

    Attributes
    ----------
    folder
        Holds all that, below the data root.
    opinions
        The table, below it.

    Notes
    -----
    Source: the table itself; Sneyers, Ben Baruch and Vaxman 2023, "CID22: Large-scale subjective
    quality assessment for high fidelity image compression", https://cloudinary.com/labs/cid22.
    """

    may_have_unrated: ClassVar[bool] = True

    layout: Literal["cid22"]
    folder: BelowRoot = "CID22_validation_set"
    opinions: BelowRoot = "CID22_validation_set.csv"

    @property
    def landmark(self) -> str:
        """The file of opinions."""
        return self.opinions

    def read(self, tree: FileIndex) -> list[Sample]:
        """Pair images with the rows of the table."""
        rows = read_csv(tree.path(self.opinions), _COLUMNS)
        ratings: list[Rating] = []
        bits: list[float] = []
        for where, row in rows:
            is_original = row["reference_img"] == row["distorted_img"]
            if is_original != (row["encoder"] == "Reference"):
                raise IqbenchError(
                    f"{where}: reference and distorted image are {'' if is_original else 'not '}"
                    f"the same, but the encoder is {row['encoder'][:40]!r}",
                    hint="Take the table as it is distributed",
                )
            if not is_original:
                ratings.append(self._rating(where, row))
                bits.append(number(row["bpp"], where))
        self._check_bits(ratings, bits)
        return rated_samples(tree, ratings, self.opinions)

    def _rating(self, where: str, row: Mapping[str, str]) -> Rating:
        return Rating(
            image=split_suffix(row["distorted_img"])[0],
            distorted=row["distorted_img"],
            reference=row["reference_img"],
            opinion=_SCALE.opinion(number(row["MCOS"], where), None, where),
            distortion=row["encoder"],
            where=where,
        )

    def _check_bits(self, ratings: Sequence[Rating], bits: Sequence[float]) -> None:
        """Refuse opinions that fall where more bits are spent on a picture."""
        of_reference: dict[str, list[float]] = {}
        for rating, count in zip(ratings, bits, strict=True):
            of_reference.setdefault(rating.reference, []).append(count)
        middle = {name: median(counts) for name, counts in of_reference.items()}
        many: list[float] = []
        few: list[float] = []
        for rating, count in zip(ratings, bits, strict=True):
            if count != middle[rating.reference]:
                side = many if count > middle[rating.reference] else few
                side.append(rating.opinion.mos)
        what = "images of more bits than the median", "those of fewer"
        check_order(many, few, _SCALE.direction, self.opinions, what)
