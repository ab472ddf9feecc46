"""Small copies of datasets with human opinions, with the files of their archives."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from made_folders import Pixels, noisy, picture
from scipy.io import savemat

from iqbench.datasets.layout import Layout, layouts
from iqbench.datasets.sample import Sample

Write = Callable[[Path, int, int], None]


@dataclass(frozen=True)
class Miniature:
    """A dataset on disk: where, the options of its layout, how large, and one file of each kind."""

    layout: str
    folder: str
    images: int
    outputs: int
    reference: str
    distorted: str
    table: str
    options: dict[str, Any] = field(default_factory=dict)

    def data(self, **options: Any) -> Layout:
        block = {"layout": self.layout, "folder": self.folder, **self.options, **options}
        return layouts()[self.layout].model_validate(block)

    def samples(self, root: Path, **options: Any) -> list[Sample]:
        return self.data(**options).samples(root)


def touch(path: Path, level: int, scene: int) -> None:
    """Leave the file empty: nothing that only lists and pairs may open it."""
    del level, scene
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def paint(path: Path, level: int, scene: int) -> None:
    """Write a small picture of a scene, the noisier the higher the level; 0 is the reference."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels: Pixels = picture(scene, channels=3)
    if level:
        pixels = noisy(pixels, seed=hash_of(path), amount=8 * level)
    done, data = cv2.imencode(path.suffix.lower(), pixels)
    assert done
    path.write_bytes(data.tobytes())


def hash_of(path: Path) -> int:
    return int.from_bytes(f"{path.parent.name}/{path.stem}".lower().encode(), "big") % 2**32


def tid2013(
    root: Path,
    write: Write = touch,
    *,
    references: int = 2,
    distortions: Iterable[int] = (1, 8, 17),
    levels: int = 3,
) -> Miniature:
    """Names of mixed case, as in the archive: I01.BMP, i25.bmp, I01_01_1.bmp in the table only."""
    folder = root / "tid2013"
    rows = []
    for number in range(1, references + 1):
        name = f"i{number:02}"
        own = f"{name}.bmp" if number == 2 else f"{name}.bmp".upper()
        write(folder / "reference_images" / own, 0, number)
        for kind in distortions:
            for level in range(1, levels + 1):
                file = f"{name}_{kind:02}_{level}.bmp"
                write(folder / "distorted_images" / file, level, number)
                rows.append((7 - level - kind / 100 - number / 1000, file.capitalize()))
    lines(folder / "mos_with_names.txt", (f"{mos:.5f} {name}" for mos, name in rows), end="\r\n")
    lines(folder / "mos.txt", (f"{mos:.5f}" for mos, _ in rows))
    lines(folder / "mos_std.txt", (f"{0.1 + 0.01 * n:.5f}" for n, _ in enumerate(rows)))
    touch(folder / "distorted_images" / "Thumbs.db", 0, 0)
    return Miniature(
        "tid2013",
        "tid2013",
        references,
        len(rows),
        "reference_images/I01.BMP",
        "distorted_images/i01_01_2.bmp",
        "mos_with_names.txt",
    )


def kadid10k(root: Path, write: Write = touch) -> Miniature:
    folder = root / "kadid10k"
    rows = []
    for scene, reference in enumerate(("I01", "I02")):
        write(folder / "images" / f"{reference}.png", 0, scene)
        for kind in (1, 25):
            for level in (1, 2, 3):
                name = f"{reference}_{kind:02}_{level:02}.png"
                write(folder / "images" / name, level, scene)
                rows.append([name, f"{reference}.png", f"{4.9 - level:.2f}", "0.496"])
    table(folder / "dmos.csv", ["dist_img", "ref_img", "dmos", "var"], rows)
    return Miniature(
        "kadid10k", "kadid10k", 2, 12, "images/I01.png", "images/I01_25_02.png", "dmos.csv"
    )


def live(root: Path, write: Write = touch, **changes: Any) -> Miniature:
    """Four images in the first folder and three in each other, the last of each a reference."""
    folder = root / "databaserelease2"
    sizes = [4, 3, 3, 3, 3]
    names = ["buildings.bmp", "womanhat.bmp"]
    for scene, name in enumerate(names):
        write(folder / "refimgs" / name, 0, scene)
    dmos, orgs, references = [], [], []
    for kind, size in zip(("jp2k", "jpeg", "wn", "gblur", "fastfading"), sizes, strict=True):
        info = []
        for number in range(1, size + 1):
            copy = number == size
            write(folder / kind / f"img{number}.bmp", 0 if copy else number, number % 2)
            dmos.append(0.0 if copy else 20.0 * number)
            orgs.append(int(copy))
            references.append(names[number % 2])
            info.append(f"{references[-1]} img{number}.bmp {0.5 * number} ")
        lines(folder / kind / "info.txt", info, end="\r\n")
    cells = np.empty((1, len(references)), dtype=object)
    cells[0] = references
    arrays = {"dmos_new": dmos, "dmos_std": [2.5] * len(dmos), "orgs": orgs, **changes}
    savemat(folder / "dmos_realigned.mat", arrays, do_compression=True)
    savemat(folder / "dmos.mat", {"dmos": arrays["dmos_new"], "orgs": arrays["orgs"]})
    savemat(folder / "refnames_all.mat", {"refnames_all": cells})
    return Miniature(
        "live",
        "databaserelease2",
        2,
        11,
        "refimgs/womanhat.bmp",
        "jpeg/img2.bmp",
        "dmos_realigned.mat",
        {"sizes": sizes},
    )


CSIQ_KINDS = {
    "noise": ("awgn", "AWGN"),
    "blur": ("blur", "BLUR"),
    "contrast": ("contrast", "contrast"),
    "fnoise": ("fnoise", "fnoise"),
    "jpeg": ("jpeg", "JPEG"),
    "jpeg 2000": ("jpeg2000", "jpeg2000"),
}
CSIQ_COLUMNS = ["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]


def csiq_rows(factor: float = 1.0) -> list[list[Any]]:
    """One reference is called 1600 and is a number in the workbook."""
    return [
        [reference, index, kind, level, 0.05, factor * level / 10]
        for reference in (1600, "boston")
        for index, kind in enumerate(CSIQ_KINDS, start=1)
        for level in (1, 2)
    ]


def csiq(root: Path, write: Write = touch, rows: list[list[Any]] | None = None) -> Miniature:
    """The workbook has other sheets, and three empty rows and columns before its table."""
    from openpyxl import Workbook

    folder = root / "CSIQ"
    for scene, reference in enumerate(("1600", "boston")):
        write(folder / "src_imgs" / f"{reference}.png", 0, scene)
        for place, token in CSIQ_KINDS.values():
            for level in (1, 2):
                write(
                    folder / "dst_imgs" / place / f"{reference}.{token}.{level}.png", level, scene
                )
    rows = csiq_rows() if rows is None else rows
    book = Workbook()
    book.active.title = "notes"
    sheet = book.create_sheet("all_by_image")
    for line, values in enumerate([CSIQ_COLUMNS, *rows], start=4):
        for column, value in enumerate(values, start=4):
            sheet.cell(line, column, value)
    book.save(folder / "csiq.DMOS.xlsx")
    table(folder / "csiq.DMOS.csv", CSIQ_COLUMNS, rows)
    return Miniature(
        "csiq",
        "CSIQ",
        2,
        24,
        "src_imgs/1600.png",
        "dst_imgs/awgn/1600.AWGN.2.png",
        "csiq.DMOS.xlsx",
    )


def pipal(root: Path, write: Write = touch, *, references: int = 2, variants: int = 2) -> Miniature:
    folder = root / "PIPAL"
    for number in range(1, references + 1):
        reference = f"A{number:04}"
        write(folder / "Train_Ref" / f"{reference}.bmp", 0, number)
        names = [
            f"{reference}_{group:02}_{kind:02}.bmp"
            for group in range(7)
            for kind in range(variants)
        ]
        for name in names:
            write(folder / f"Distortion_{1 + number % 4}" / name, 1, number)
        scores = (f"{name},{1400 + 5 * place:.4f}" for place, name in enumerate(names))
        lines(folder / "Train_Label" / f"{reference}.txt", scores)
    # Sets without published scores may lie beside.
    write(folder / "NTIRE2022_FR_Testing_Dis" / "A0000_10_00.bmp", 1, 0)
    return Miniature(
        "pipal",
        "PIPAL",
        references,
        references * 7 * variants,
        "Train_Ref/A0001.bmp",
        "Distortion_2/A0001_03_01.bmp",
        "Train_Label/A0001.txt",
    )


CID22_COLUMNS = ["reference_img", "distorted_img", "encoder", "setting", "bpp", "MCOS", "RMOS"]


def cid22(root: Path, write: Write = touch) -> Miniature:
    folder = root / "CID22_validation_set"
    rows = []
    for scene, reference in enumerate(("1025469", "159550")):
        original = f"original/{reference}.png"
        write(folder / original, 0, scene)
        rows.append([original, original, "Reference", "", "12.5", "92.1", "0"])
        for encoder, suffix in (("JPEG", "jpg"), ("JPEG_XL", "png")):
            for quality in (30, 60, 90):
                name = f"compressed/{reference}/{reference}_{encoder}_q{quality}.{suffix}"
                write(folder / name, 4 - quality // 30, scene)
                bits, score = f"{quality / 40:.3f}", f"{40 + quality / 2:.2f}"
                rows.append([original, name, encoder, f"q{quality}", bits, score, "1"])
    table(folder / "CID22_validation_set.csv", CID22_COLUMNS, rows)
    return Miniature(
        "cid22",
        "CID22_validation_set",
        2,
        12,
        "original/159550.png",
        "compressed/159550/159550_JPEG_XL_q60.png",
        "CID22_validation_set.csv",
    )


def bapps(root: Path, write: Write = touch) -> Miniature:
    folder = root / "dataset" / "2afc" / "val"
    for subset in ("cnn", "color", "deblur", "frameinterp", "superres", "traditional"):
        for number in range(2):
            for level, place in enumerate(("ref", "p0", "p1")):
                write(folder / subset / place / f"{number:06}.png", level, number)
            judge = folder / subset / "judge" / f"{number:06}.npy"
            judge.parent.mkdir(exist_ok=True)
            np.save(judge, np.array([0.2 + 0.4 * number], dtype=np.float32))
    return Miniature(
        "bapps",
        "dataset/2afc/val",
        12,
        24,
        "color/ref/000001.png",
        "superres/p1/000000.png",
        "cnn/judge/000000.npy",
    )


BUILDERS = {build.__name__: build for build in (tid2013, kadid10k, live, csiq, pipal, cid22, bapps)}


def lines(path: Path, content: Iterable[str], end: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + end for line in content), encoding="utf-8", newline="")


def table(path: Path, columns: list[str], rows: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8", newline="")
