"""LIVE and CSIQ: opinions in MATLAB files and in a workbook."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from miniatures import CSIQ_COLUMNS, csiq, csiq_rows, edit, live, table
from scipy.io import savemat

from iqbench.datasets.sample import Opinion
from iqbench.errors import IqbenchError

SIZES = [4, 3, 3, 3, 3]


def test_live_opinions_go_by_the_order_of_folders_and_numbers(tmp_path: Path) -> None:
    samples = live(tmp_path).samples(tmp_path)
    assert [sample.image for sample in samples] == ["buildings", "womanhat"]
    outputs = {output.image: output for sample in samples for output in sample.outputs}
    assert outputs["jp2k/img3"].opinion == Opinion(60.0, None, "lower")
    assert outputs["jpeg/img1"].opinion == Opinion(20.0, None, "lower")
    assert outputs["jpeg/img1"].distortion == "JPEG compression"
    assert "jp2k/img4" not in outputs  # a copy of its reference
    assert [output.image for output in samples[1].outputs] == [
        *("fastfading/img1", "gblur/img1", "jp2k/img1", "jp2k/img3", "jpeg/img1", "wn/img1")
    ]


def test_live_spread_is_that_of_single_opinions(tmp_path: Path) -> None:
    samples = live(tmp_path).samples(tmp_path, raters=16.0)
    assert {out.opinion.std for one in samples for out in one.outputs if out.opinion} == {10.0}


def test_a_folder_exchanged_with_that_of_the_references_is_told_by_what_is_missing(
    tmp_path: Path,
) -> None:
    made = live(tmp_path)
    folder = tmp_path / "databaserelease2"
    for old, new in (("refimgs", "aside"), ("jpeg", "refimgs"), ("aside", "jpeg")):
        (folder / old).rename(folder / new)
    with pytest.raises(IqbenchError, match=r"2 of 2 reference images .* There is jpeg/buildings"):
        made.samples(tmp_path)


def test_opinions_of_the_first_release_have_no_spread(tmp_path: Path) -> None:
    samples = live(tmp_path).samples(tmp_path, opinions="dmos.mat", raters=16.0)
    assert {out.opinion.std for one in samples for out in one.outputs if out.opinion} == {None}


def test_entries_and_images_must_be_as_many(tmp_path: Path) -> None:
    made = live(tmp_path)
    with pytest.raises(IqbenchError, match="has 16 entries, the five folders should have 17"):
        made.samples(tmp_path, sizes=[4, 3, 3, 3, 4])
    folder = tmp_path / "databaserelease2"
    savemat(folder / "refnames_all.mat", {"refnames_all": np.array([["a.bmp"]], dtype=object)})
    with pytest.raises(IqbenchError, match=r"refnames_all\.mat has 1 entries"):
        made.samples(tmp_path)


def test_a_mos_in_place_of_the_dmos_is_recognised(tmp_path: Path) -> None:
    dmos = [0.0 if k == 3 or k % 3 == 0 else 20.0 for k in range(16)]
    made = live(tmp_path, dmos_new=[100 - value for value in dmos])
    with pytest.raises(IqbenchError, match="look reversed: lower should be better") as caught:
        made.samples(tmp_path)
    assert "the mean of copies of references is" in caught.value.message


def test_opinions_of_another_order_are_recognised_by_the_lists_of_the_folders(
    tmp_path: Path,
) -> None:
    made = live(tmp_path)
    edit(tmp_path / "databaserelease2" / "wn" / "info.txt", "womanhat.bmp img1", "lake.bmp img1")
    with pytest.raises(IqbenchError, match=r"info\.txt, line 1: img1\.bmp is of lake\.bmp"):
        made.samples(tmp_path)


def test_the_lists_of_the_folders_may_be_missing(tmp_path: Path) -> None:
    made = live(tmp_path)
    for path in (tmp_path / "databaserelease2").glob("*/info.txt"):
        path.unlink()
    assert len(made.samples(tmp_path)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"orgs": [2] * 16}, "'orgs' of .* is not 0 or 1"),
        ({"dmos_new": [500.0] * 16}, r"entry 1: opinion 500 is outside the scale, -10 to 120"),
        ({"dmos_new": [float("nan")] * 16}, "'dmos_new' does not hold finite numbers"),
        ({"dmos_new": "text"}, "'dmos_new' does not hold finite numbers"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(IqbenchError, match=message):
        live(tmp_path, **changes).samples(tmp_path)


def test_csiq_reads_the_workbook(tmp_path: Path) -> None:
    samples = csiq(tmp_path).samples(tmp_path)
    assert [sample.image for sample in samples] == ["1600", "boston"]
    outputs = {output.image: output for sample in samples for output in sample.outputs}
    assert outputs["awgn/1600.AWGN.2"].opinion == Opinion(0.2, 0.05, "lower")
    assert outputs["jpeg2000/boston.jpeg2000.1"].distortion == "JPEG2000 compression"


def test_csiq_reads_the_sheet_saved_as_csv_alike(tmp_path: Path) -> None:
    made = csiq(tmp_path)
    assert made.samples(tmp_path, opinions="csiq.DMOS.csv") == made.samples(tmp_path)


def test_without_openpyxl_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = csiq(tmp_path)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(IqbenchError, match="openpyxl is not installed") as caught:
        made.samples(tmp_path)
    assert "pip install openpyxl" in caught.value.hint
    assert "all_by_image as CSV" in caught.value.hint
    assert len(made.samples(tmp_path, opinions="csiq.DMOS.csv")) == 2


def test_archives_unpacked_without_their_folders_are_read_too(tmp_path: Path) -> None:
    made = csiq(tmp_path)
    folder = tmp_path / "CSIQ"
    for path in [*(folder / "src_imgs").iterdir(), *(folder / "dst_imgs").iterdir()]:
        path.rename(folder / path.name)
    assert len(made.samples(tmp_path, references=".", distorted=".")) == 2


def test_swapped_folders_of_csiq_are_recognised(tmp_path: Path) -> None:
    made = csiq(tmp_path)
    with pytest.raises(IqbenchError, match="look swapped"):
        made.samples(tmp_path, references="dst_imgs", distorted="src_imgs")


def test_images_without_opinions_are_left_out(tmp_path: Path) -> None:
    rows = csiq_rows()[:-1]
    samples = csiq(tmp_path, rows=rows).samples(tmp_path)
    assert sum(len(sample.outputs) for sample in samples) == len(rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["boston", 1, "noise", 1, 0.05, 0.1], r"row 29: boston\.AWGN\.1\.png has an opinion"),
        (["boston", 1, "rain", 1, 0.05, 0.1], "row 29: 'rain' is not a distortion of CSIQ"),
        (["boston", 1, "noise", 3, 0.05, 4.0], "row 29: opinion 4 is outside the scale, 0 to 1"),
        (["boston", 1, "noise", 3, None, 0.1], "row 29: '' is not a number"),
        (["boston", 1, "noise", 3, 0.05, "#REF!"], "row 29: '#REF!' is not a number"),
        (["paris", 1, "noise", 1, 0.05, 0.1], r"1 of 3 reference images .* missing .*paris\.png"),
        (["../boston", 1, "noise", 1, 0.05, 0.1], "missing"),
    ],
)
def test_a_wrong_row_of_csiq_is_named(tmp_path: Path, row: list[object], message: str) -> None:
    made = csiq(tmp_path, rows=[*csiq_rows(), row])
    with pytest.raises(IqbenchError, match=message):
        made.samples(tmp_path)


def test_quality_in_place_of_dmos_is_recognised(tmp_path: Path) -> None:
    rows = [[*row[:-1], 1 - row[-1]] for row in csiq_rows()]
    with pytest.raises(IqbenchError, match="look reversed: lower should be better"):
        csiq(tmp_path, rows=rows).samples(tmp_path)


def test_a_workbook_that_is_none_or_lacks_the_table_is_refused(tmp_path: Path) -> None:
    from openpyxl import Workbook

    made = csiq(tmp_path)
    path = tmp_path / "CSIQ" / "csiq.DMOS.xlsx"
    path.write_bytes(b"no archive")
    with pytest.raises(IqbenchError, match="not a workbook, or damaged"):
        made.samples(tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "no workbook either")
    with pytest.raises(IqbenchError, match="not a workbook, or damaged"):
        made.samples(tmp_path)
    book = Workbook()
    book.save(path)
    with pytest.raises(IqbenchError, match="has no sheet 'all_by_image'"):
        made.samples(tmp_path)
    book.create_sheet("all_by_image")
    book.save(path)
    with pytest.raises(IqbenchError, match="lacks the columns image, dst_type"):
        made.samples(tmp_path)


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    made = csiq(tmp_path)
    path = tmp_path / "CSIQ" / "csiq.DMOS.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(2**26 + 1))
    assert path.stat().st_size < 2**20
    with pytest.raises(IqbenchError, match="too many for a table of opinions"):
        made.samples(tmp_path)


def test_csiq_columns_are_those_of_the_workbook(tmp_path: Path) -> None:
    made = csiq(tmp_path)
    table(tmp_path / "CSIQ" / "csiq.DMOS.csv", CSIQ_COLUMNS[:-1], [["1600", 1, "noise", 1, 0.1]])
    with pytest.raises(IqbenchError, match="has no column 'dmos'"):
        made.samples(tmp_path, opinions="csiq.DMOS.csv")
