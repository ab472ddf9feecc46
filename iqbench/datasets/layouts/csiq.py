"""CSIQ (Categorical Subjective Image Quality): images and DMOS, as on its home page."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from iqbench.datasets.file_index import FileIndex, join
from iqbench.datasets.layout import BelowRoot
from iqbench.datasets.opinions.layout import RatedLayout
from iqbench.datasets.opinions.rated_images import Rating, check_levels, rated_samples
from iqbench.datasets.opinions.tables import MAXIMUM_BYTES, Scale, number, read_csv
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError

__all__ = ["DISTORTIONS", "CsiqLayout"]

DISTORTIONS = {
    "noise": ("awgn", "AWGN", "additive white Gaussian noise"),
    "jpeg": ("jpeg", "JPEG", "JPEG compression"),
    "jpeg 2000": ("jpeg2000", "jpeg2000", "JPEG2000 compression"),
    "fnoise": ("fnoise", "fnoise", "additive pink Gaussian noise"),
    "blur": ("blur", "BLUR", "Gaussian blur"),
    "contrast": ("contrast", "contrast", "global contrast decrement"),
}
"""What the table calls a distortion: its folder, its part of the file's name, and in words."""

_COLUMNS = ("image", "dst_type", "dst_lev", "dmos_std", "dmos")
_SHEET = "all_by_image"
_SCALE = Scale(0, 1, "lower")
_MAXIMUM_ROWS = 10_000
_MAXIMUM_COLUMNS = 64


class CsiqLayout(RatedLayout):
    """Read ``src_imgs.zip`` and ``dst_imgs.zip``, unpacked beside ``csiq.DMOS.xlsx``.

    ::

        src_imgs/1600.png ...
        dst_imgs/awgn/1600.AWGN.1.png ..., blur/, contrast/, fnoise/, jpeg/, jpeg2000/
        csiq.DMOS.xlsx         sheet all_by_image: image, dst_type, dst_lev, dmos_std, dmos ...

    DMOS is from 0 to 1, low is good. Ids of images are folder and name without suffix:
    ``awgn/1600.AWGN.1``. Images without an opinion are left out, as their authors leave them out.

    Attributes
    ----------
    folder
        Holds all that, below the data root.
    references, distorted
        The folders of images, below it; ``.`` where the archives were unpacked without their own.
    opinions
        The file of opinions: the workbook, which needs the package openpyxl, or its sheet
        all_by_image saved as CSV.

    Notes
    -----
    Source: the workbook itself; Larson and Chandler 2010, doi:10.1117/1.3267105.
    """

    may_have_unrated: ClassVar[bool] = True

    layout: Literal["csiq"]
    folder: BelowRoot = "CSIQ"
    references: BelowRoot = "src_imgs"
    distorted: BelowRoot = "dst_imgs"
    opinions: BelowRoot = "csiq.DMOS.xlsx"

    @property
    def landmark(self) -> str:
        """The file of opinions."""
        return self.opinions

    def read(self, tree: FileIndex) -> list[Sample]:
        """Pair images with the rows of opinions."""
        path = tree.path(self.opinions)
        is_workbook = self.opinions.lower().endswith(".xlsx")
        rows = _workbook(path) if is_workbook else read_csv(path, _COLUMNS)
        ratings = [self._rating(where, row) for where, row in rows]
        check_levels(ratings, self.opinions)
        return rated_samples(tree, ratings, self.opinions)

    def _rating(self, where: str, row: Mapping[str, str]) -> Rating:
        if row["dst_type"] not in DISTORTIONS:
            raise IqbenchError(
                f"{where}: {row['dst_type'][:40]!r} is not a distortion of CSIQ",
                hint=f"Known: {', '.join(DISTORTIONS)}",
            )
        folder, token, words = DISTORTIONS[row["dst_type"]]
        level = number(row["dst_lev"], where)
        image = f"{folder}/{row['image']}.{token}.{level:g}"
        opinion = _SCALE.opinion(number(row["dmos"], where), number(row["dmos_std"], where), where)
        return Rating(
            image=image,
            distorted=join(self.distorted, f"{image}.png"),
            reference=join(self.references, f"{row['image']}.png"),
            opinion=opinion,
            distortion=words,
            where=where,
            level=level,
        )


def _workbook(path: Path) -> list[tuple[str, Mapping[str, str]]]:
    """Read the rows of the workbook's sheet below the line that names its columns."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise IqbenchError(
            f"{path} is a workbook, and the package openpyxl is not installed",
            hint="pip install openpyxl; or save its sheet all_by_image as CSV and write "
            "`opinions:` with that file's name into the dataset's block",
        ) from error
    _check_size(path)
    rows: list[tuple[str, Mapping[str, str]]] = []
    places: dict[str, int] = {}
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        if _SHEET not in book.sheetnames:
            raise IqbenchError(f"{path} has no sheet {_SHEET!r}")
        # Bounds: a sheet may declare a million rows and columns, and have none.
        cells = book[_SHEET].iter_rows(
            max_row=_MAXIMUM_ROWS, max_col=_MAXIMUM_COLUMNS, values_only=True
        )
        for count, values in enumerate(cells, start=1):
            texts = [_text(value) for value in values]
            if not places:
                if set(_COLUMNS) <= set(texts):
                    places = {name: texts.index(name) for name in _COLUMNS}
                continue
            row = {name: texts[place] for name, place in places.items()}
            if any(row.values()):
                rows.append((f"{path}, sheet {_SHEET}, row {count}", row))
        book.close()
    except IqbenchError:
        raise
    except Exception as error:  # the reader can raise any error
        raise IqbenchError(
            f"{path} is not a workbook, or damaged", hint="Download it again"
        ) from error
    if not places:
        raise IqbenchError(f"sheet {_SHEET} of {path} lacks the columns {', '.join(_COLUMNS)}")
    return rows


def _check_size(path: Path) -> None:
    """Refuse a workbook that would fill the memory when it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise IqbenchError(
            f"{path} is not a workbook, or damaged", hint="Download it again"
        ) from error
    if size > MAXIMUM_BYTES:
        raise IqbenchError(f"{path} unpacks to {size:,} bytes, too many for a table of opinions")


def _text(value: object) -> str:
    """Spell a cell; the image called 1600 is stored as a number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
