"""PIPAL's Elo scores, CID22's table of paths and BAPPS' choices between two patches."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniatures import bapps, cid22, edit, pipal

from iqbench.datasets.layouts.bapps import _share
from iqbench.datasets.sample import Opinion
from iqbench.errors import IqbenchError


def test_pipal_scores_and_groups(tmp_path: Path) -> None:
    samples = pipal(tmp_path).samples(tmp_path)
    assert [sample.image for sample in samples] == ["A0001", "A0002"]
    outputs = {output.image: output for output in samples[0].outputs}
    assert outputs["A0001_03_01"].opinion == Opinion(1435.0, None, "higher")
    assert outputs["A0001_03_01"].distortion == "GAN-based super-resolution"
    assert outputs["A0001_06_00"].distortion == "traditional distortions"


def test_pipal_folders_may_be_called_otherwise(tmp_path: Path) -> None:
    made = pipal(tmp_path)
    folder = tmp_path / "PIPAL"
    before = [out.image for one in made.samples(tmp_path) for out in one.outputs]
    (folder / "Train_Distort" / "part").mkdir(parents=True)
    (folder / "Distortion_2").rename(folder / "Train_Distort" / "Distortion_2")
    (folder / "Distortion_3").rename(folder / "Distortion3")
    assert [out.image for one in made.samples(tmp_path) for out in one.outputs] == before


def test_a_distorted_image_in_two_folders_is_refused(tmp_path: Path) -> None:
    made = pipal(tmp_path)
    (tmp_path / "PIPAL" / "Distortion_4").mkdir()
    (tmp_path / "PIPAL" / "Distortion_4" / "a0001_00_00.BMP").touch()
    with pytest.raises(IqbenchError, match=r"twice: Distortion_2/A0001_00_00\.bmp and"):
        made.samples(tmp_path)


def test_references_in_place_of_distorted_images_are_recognised(tmp_path: Path) -> None:
    made = pipal(tmp_path)
    folder = tmp_path / "PIPAL"
    (folder / "Train_Ref").rename(folder / "between")
    (folder / "Distortion_2").rename(folder / "Train_Ref")
    (folder / "between").rename(folder / "Distortion_2")
    with pytest.raises(IqbenchError, match="look swapped"):
        made.samples(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("A0001_00_01.bmp,1405.0000", "A0001_00_00.bmp,1405", "has an opinion already"),
        ("A0001_00_01.bmp", "A0002_00_01.bmp", "not of the reference that the file is named after"),
        (
            "A0001_00_01.bmp",
            "A0001_07_01.bmp",
            "line 2: 'A0001_07_01.bmp' is not a distorted image",
        ),
        ("A0001_00_01.bmp,1405.0000", "A0001_00_01.bmp", "line 2: '' is not a number"),
        ("1405.0000", "0.71", r"line 2: opinion 0\.71 is outside the scale, 500 to 2500"),
    ],
)
def test_a_wrong_line_of_pipal_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    made = pipal(tmp_path)
    edit(tmp_path / "PIPAL" / "Train_Label" / "A0001.txt", old, new)
    with pytest.raises(IqbenchError, match=message):
        made.samples(tmp_path)


def test_missing_scores_of_a_reference_leave_its_images_unmatched(tmp_path: Path) -> None:
    made = pipal(tmp_path, references=5)
    (tmp_path / "PIPAL" / "Train_Label" / "A0005.txt").unlink()
    with pytest.raises(IqbenchError, match=r"14 images .* no opinion in Train_Label"):
        made.samples(tmp_path)


def test_cid22_rows_and_encoders(tmp_path: Path) -> None:
    samples = cid22(tmp_path).samples(tmp_path)
    assert [sample.image for sample in samples] == ["159550", "1025469"]
    outputs = {output.image: output for output in samples[0].outputs}
    output = outputs["compressed/159550/159550_JPEG_XL_q60"]
    assert output.opinion == Opinion(70.0, None, "higher")
    assert output.distortion == "JPEG_XL"
    assert len(outputs) == 6  # the reference is none of them


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",Reference,", ",JPEG,", "line 2: reference and distorted image are the same, but the en"),
        ("_JPEG_q30.jpg,JPEG,", "_JPEG_q30.jpg,Reference,", "are not the same, but the encoder"),
        ("1025469_JPEG_q60.jpg", "1025469_JPEG_q30.jpg", "has an opinion already"),
        ("1025469_JPEG_q60.jpg", "../../../secret.jpg", r"missing .*secret\.jpg"),
        ("MCOS", "MOS", "has no column 'MCOS'"),
        ("0.750,55.00", "0.750,550", "outside the scale"),
        ("0.750,55.00", "few,55.00", "'few' is not a number"),
    ],
)
def test_a_wrong_row_of_cid22_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    made = cid22(tmp_path)
    edit(tmp_path / "CID22_validation_set" / "CID22_validation_set.csv", old, new)
    with pytest.raises(IqbenchError, match=message):
        made.samples(tmp_path)


def test_opinions_that_fall_with_the_bits_are_recognised(tmp_path: Path) -> None:
    made = cid22(tmp_path)
    path = tmp_path / "CID22_validation_set" / "CID22_validation_set.csv"
    edit(path, ",55.00,", ",95.00,")
    with pytest.raises(IqbenchError, match="look reversed") as caught:
        made.samples(tmp_path)
    assert "images of more bits than the median" in caught.value.message


def test_bapps_choices_are_shares_of_the_two_patches(tmp_path: Path) -> None:
    samples = bapps(tmp_path).samples(tmp_path)
    assert [sample.image for sample in samples[:3]] == ["cnn/000000", "cnn/000001", "color/000000"]
    first, second = samples[1].outputs  # 0.6 of the people prefer p1
    assert (first.method, first.image) == ("p0", "cnn/000001")
    assert (second.method, second.image) == ("p1", "cnn/000001")
    assert first.opinion == Opinion(pytest.approx(0.4), None, "choice")
    assert second.opinion == Opinion(0.6, None, "choice")
    assert first.distortion == second.distortion == "cnn"
    assert samples[1].reference.name.endswith("cnn/ref/000001.png")
    assert first.source.name.endswith("cnn/p0/000001.png")


def test_bapps_sub_sets_are_chosen_and_looked_for(tmp_path: Path) -> None:
    made = bapps(tmp_path)
    samples = made.samples(tmp_path, subsets=["superres", "cnn"])
    assert [sample.image for sample in samples] == [
        *("superres/000000", "superres/000001", "cnn/000000", "cnn/000001")
    ]
    with pytest.raises(IqbenchError, match="no sub-set mix"):
        made.samples(tmp_path, subsets=["cnn", "mix"])


@pytest.mark.parametrize("place", ["ref/000001.png", "p0/000001.png", "judge/000001.npy"])
def test_a_choice_without_one_of_its_files_is_named(tmp_path: Path, place: str) -> None:
    made = bapps(tmp_path)
    (tmp_path / made.folder / "deblur" / place).unlink()
    with pytest.raises(IqbenchError, match=f"1 of 2 files are missing .*: deblur/{place}"):
        made.samples(tmp_path)


def array(value: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, value, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array(np.float32([1.2])), r"1\.2 is not a share of people"),
        (array(np.float32([np.nan])), "nan is not a share of people"),
        (array(np.float32([0.2, 0.4])), "not an array of one number"),
        (array(np.array(["a"])), "not an array of one number"),
        (array(np.array([{"a": 1}], dtype=object)), "not an array of one number"),
        (array(np.float32([0.4]))[:-2], "not an array of one number"),
        (b"", "not an array of one number"),
        (b"\x80\x04N.", "not an array of one number"),  # a pickle
        (b"0.4\n", "not an array of one number"),
        (
            array(np.float32([0.4])).replace(b"NUMPY\x01", b"NUMPY\x02"),
            "not an array of one number",
        ),
        (b"\x93NUMPY\x01\x00\xb8\x0b" + b"-" * 3000, "not an array of one number"),
    ],
)
def test_what_is_no_share_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    made = bapps(tmp_path)
    (tmp_path / made.folder / "color" / "judge" / "000001.npy").write_bytes(content)
    with pytest.raises(IqbenchError, match=message) as caught:
        made.samples(tmp_path)
    assert "000001.npy" in caught.value.message


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_shares_may_be_stored_in_any_shape_of_one_number(
    tmp_path: Path, shape: tuple[int, ...], kind: type
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones(shape, dtype=kind))
    assert _share(path) == 1


def test_shares_written_by_python_2_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(array(np.float32([0.4])).replace(b"(1,)", b"(1L,)").replace(b"  \n", b" \n"))
    assert _share(path) == pytest.approx(0.4)


@settings(max_examples=100)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_share_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, headed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "share.npy"
    path.write_bytes(array(np.float32([0.4]))[:128] + content if headed else content)
    try:
        share = _share(path)
    except IqbenchError:
        return
    assert 0 <= share <= 1
