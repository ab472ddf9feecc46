"""PIPAL's training set: references, distorted images and Elo scores, as in its archives."""

from __future__ import annotations

import re
from typing import Literal

from iqbench.datasets.file_index import FileIndex, base_name, join
from iqbench.datasets.layout import BelowRoot
from iqbench.datasets.opinions.layout import RatedLayout
from iqbench.datasets.opinions.rated_images import Rating, rated_samples
from iqbench.datasets.opinions.tables import Scale, number, read_lines
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError

__all__ = ["DISTORTIONS", "PipalLayout"]

DISTORTIONS = {
    "00": "traditional super-resolution",
    "01": "PSNR-oriented super-resolution",
    "02": "super-resolution with kernel mismatch",
    "03": "GAN-based super-resolution",
    "04": "denoising",
    "05": "super-resolution and denoising jointly",
    "06": "traditional distortions",
}
"""First number in the file's name to distortion."""

_SCALE = Scale(500, 2500, "higher")
_NAME = re.compile(r"(A[0-9]{4})_([0-9]{2})_([0-9]{2})\.bmp", re.IGNORECASE)


class PipalLayout(RatedLayout):
    """Read ``Train_Ref.zip``, ``Distortion_1.zip`` ... and ``Train_Label.zip``, unpacked together.

    ::

        Train_Ref/A0001.bmp ...
        Distortion_1/A0001_00_00.bmp ...   reference, group of distortions, number in the group
        Train_Label/A0001.txt ...          A0001_00_00.bmp,1448.9595

    Distorted images are taken from wherever they lie: the folders are called differently where the
    dataset is offered. High Elo scores are good; they start at 1400 and compare the distorted
    images of one reference. Ids of images are the names without suffix: ``A0001_00_00``.

    Attributes
    ----------
    folder
        Holds all that, below the data root.
    references, labels
        The folders of references and of scores, below it.

    Notes
    -----
    Source: the archives themselves; Gu et al. 2020, doi:10.1007/978-3-030-58621-8_37. The 40 kinds
    of distortion are not named in the files: their seven groups are, by numbers, and are told apart
    by how many variants each has in table 10 of arXiv:2011.15002: 12, 16, 10, 24, 13, 14 and 27.
    """

    layout: Literal["pipal"]
    folder: BelowRoot = "PIPAL"
    references: BelowRoot = "Train_Ref"
    labels: BelowRoot = "Train_Label"

    @property
    def landmark(self) -> str:
        """The scores of the first reference."""
        return join(self.labels, "A0001.txt")

    def read(self, tree: FileIndex) -> list[Sample]:
        """Pair images with the lines of all files of scores."""
        images = self._images(tree)
        ratings = [
            self._rating(where, line, label, images)
            for label in sorted(tree.files(self.labels))
            if label.lower().endswith(".txt")
            for where, line in read_lines(tree.path(label))
        ]
        # Folders of other sets, without opinions, may lie beside.
        folders = {rating.distorted.rpartition("/")[0] or "." for rating in ratings}
        return rated_samples(tree, ratings, self.labels, judged=sorted(folders))

    def _images(self, tree: FileIndex) -> dict[str, str]:
        """Find the distorted images wherever they lie, by name in lower case."""
        images: dict[str, str] = {}
        references = f"{self.references.casefold()}/"
        for name in tree.images("."):
            base = base_name(name)
            if name.casefold().startswith(references) or not _NAME.fullmatch(base):
                continue
            other = images.setdefault(base.casefold(), name)
            if other != name:
                raise IqbenchError(
                    f"{base} is in {tree.folder} twice: {min(name, other)} and {max(name, other)}",
                    hint="Keep one of them",
                )
        return images

    def _rating(self, where: str, line: str, label: str, images: dict[str, str]) -> Rating:
        name, _, value = (part.strip() for part in line.partition(","))
        match = _NAME.fullmatch(name)
        if not match or match[2] not in DISTORTIONS:
            raise IqbenchError(
                f"{where}: {name[:40]!r} is not a distorted image of PIPAL's training set",
                hint="Lines are a name such as A0001_00_00.bmp, a comma and a score",
            )
        if f"{match[1]}.txt".casefold() != base_name(label).casefold():
            raise IqbenchError(
                f"{where}: {name} is not of the reference that the file is named after",
                hint="Take the files of scores as they are distributed",
            )
        return Rating(
            image=name[:-4],
            distorted=images.get(name.casefold(), f"Distortion_*/{name}"),
            reference=join(self.references, f"{match[1]}.bmp"),
            opinion=_SCALE.opinion(number(value, where), None, where),
            distortion=DISTORTIONS[match[2]],
            where=where,
        )
