"""TID2013 and KADID-10k: names with reference, distortion and level; matching opinions."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from miniatures import edit, kadid10k, lines, tid2013

from iqbench.datasets.layouts import kadid10k as kadid10k_layout
from iqbench.datasets.layouts import tid2013 as tid2013_layout
from iqbench.datasets.sample import Opinion
from iqbench.errors import IqbenchError


def test_tid_opinions_belong_to_their_images(tmp_path: Path) -> None:
    samples = tid2013(tmp_path).samples(tmp_path)
    assert [sample.image for sample in samples] == ["I01", "I02"]
    outputs = {output.image: output for sample in samples for output in sample.outputs}
    assert list(outputs)[:4] == ["i01_01_1", "i01_01_2", "i01_01_3", "i01_08_1"]
    assert outputs["i02_08_3"].opinion == Opinion(3.918, None, "higher")
    assert outputs["i02_08_3"].distortion == "Gaussian blur"
    assert outputs["i02_17_1"].distortion == "contrast change"
    assert outputs["i02_08_3"].source.name.endswith("distorted_images/i02_08_3.bmp")
    assert samples[0].reference.name.endswith("reference_images/I01.BMP")
    assert samples[1].reference.name.endswith("reference_images/i02.bmp")


def test_tid_spread_is_that_of_single_opinions(tmp_path: Path) -> None:
    # mos_std.txt has the standard error of the mean: times the root of how many people judged.
    samples = tid2013(tmp_path).samples(tmp_path, raters=36.0)
    outputs = [output for sample in samples for output in sample.outputs]
    spreads = [output.opinion.std for output in outputs if output.opinion]
    assert spreads == pytest.approx([6 * (0.1 + 0.01 * line) for line in range(len(outputs))])


def test_tid_without_raters_needs_no_standard_errors(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    (tmp_path / "tid2013" / "mos_std.txt").unlink()
    assert len(made.samples(tmp_path)) == 2
    with pytest.raises(IqbenchError, match=r"no mos_std\.txt"):
        made.samples(tmp_path, raters=36.0)


def test_tid_tables_go_together_line_by_line(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    lines(tmp_path / "tid2013" / "mos_std.txt", ["0.1"] * 17)
    with pytest.raises(IqbenchError, match=r"mos_std\.txt has 17 values.* has 18"):
        made.samples(tmp_path, raters=36.0)


@pytest.mark.parametrize("names", [tid2013_layout.DISTORTIONS, kadid10k_layout.DISTORTIONS])
def test_distortions_are_named_once_each(names: tuple[str, ...]) -> None:
    assert len(names) in (24, 25)
    assert len(set(names)) == len(names)


def test_numbers_of_well_known_distortions() -> None:
    tid, kadid = tid2013_layout.DISTORTIONS, kadid10k_layout.DISTORTIONS
    assert [tid[k - 1] for k in (8, 10, 11)] == [
        "Gaussian blur",
        "JPEG compression",
        "JPEG2000 compression",
    ]
    assert [kadid[k - 1] for k in (1, 9, 10)] == [
        "Gaussian blur",
        "JPEG2000 compression",
        "JPEG compression",
    ]


def swap(folder: Path, one: str, other: str) -> None:
    (folder / one).rename(folder / "between")
    (folder / other).rename(folder / one)
    (folder / "between").rename(folder / other)


def test_swapped_folders_are_recognised(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    swap(tmp_path / "tid2013", "reference_images", "distorted_images")
    with pytest.raises(IqbenchError, match="look swapped") as caught:
        made.samples(tmp_path)
    assert "distorted_images/I01.BMP should be reference_images/I01.BMP" in caught.value.message


def test_many_missing_images_are_counted_and_the_first_named(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    for path in (tmp_path / "tid2013" / "distorted_images").glob("i02_*"):
        path.unlink()
    with pytest.raises(IqbenchError, match=r"9 of 18 distorted images .* and 6 more") as caught:
        made.samples(tmp_path)
    assert "I02_01_1.bmp, " in caught.value.message


def test_an_image_in_another_folder_is_pointed_out(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    folder = tmp_path / "tid2013"
    (folder / "distorted_images" / "i01_01_1.bmp").rename(folder / "i01_01_1.bmp")
    with pytest.raises(IqbenchError) as caught:
        made.samples(tmp_path)
    assert "There is i01_01_1.bmp" in caught.value.hint


def test_a_shorter_table_leaves_images_without_opinion(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    path = tmp_path / "tid2013" / "mos_with_names.txt"
    lines(path, path.read_text().splitlines()[:-2])
    with pytest.raises(IqbenchError, match=r"2 images .* no opinion .*: .*i02_17_2\.bmp"):
        made.samples(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("I01_01_2.bmp", "I01_01_1.bmp", r"line 2: I01_01_1\.bmp has an opinion already"),
        ("I01_01_2.bmp", "i01_01_1.BMP", "has an opinion already"),
        ("I01_01_2.bmp", "cat.bmp", r"line 2: 'cat\.bmp' is not a distorted image"),
        ("I01_01_2.bmp", "I01_25_2.bmp", "is not a distorted image"),
        ("I01_01_2.bmp", "../I01_01_2.bmp", "is not a distorted image"),
        ("I01_01_2.bmp", "", "is not a distorted image"),
        ("4.98900 ", "55.1 ", r"line 2: opinion 55\.1 is outside the scale, 0 to 9"),
        ("4.98900 ", "-0.1 ", "outside the scale"),
        ("4.98900 ", "nan ", "line 2: 'nan' is not a number"),
        ("4.98900 ", "1_0 ", "'1_0' is not a number"),
        ("4.98900 ", "٤ ", "is not a number"),
        ("4.98900 ", "much ", "'much' is not a number"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    made = tid2013(tmp_path)
    edit(tmp_path / "tid2013" / "mos_with_names.txt", old, new)
    with pytest.raises(IqbenchError, match=message) as caught:
        made.samples(tmp_path)
    assert "mos_with_names.txt" in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "has no opinions"), (b"\xff\xfe", "not UTF-8"), (b"1 \0", "is not text")],
)
def test_a_table_that_is_no_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    made = tid2013(tmp_path)
    (tmp_path / "tid2013" / "mos_with_names.txt").write_bytes(content)
    with pytest.raises(IqbenchError, match=message):
        made.samples(tmp_path)


def test_a_table_too_large_to_be_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tid2013(tmp_path)
    monkeypatch.setattr("iqbench.datasets.opinions.tables.MAXIMUM_BYTES", 100)
    with pytest.raises(IqbenchError, match="too many for a table"):
        made.samples(tmp_path)


def test_a_dmos_in_place_of_the_mos_is_recognised(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    path = tmp_path / "tid2013" / "mos_with_names.txt"
    pairs = [line.split() for line in path.read_text().splitlines()]
    lines(path, (f"{9 - float(mos):.5f} {name}" for mos, name in pairs))
    with pytest.raises(IqbenchError, match="look reversed: higher should be better") as caught:
        made.samples(tmp_path)
    assert "the mean of the weakest distortions is 3." in caught.value.message
    assert "DMOS" in caught.value.hint


def test_the_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    made = tid2013(tmp_path)
    before = made.samples(tmp_path)
    path = tmp_path / "tid2013" / "mos_with_names.txt"
    content = path.read_text().splitlines()
    random.Random(0).shuffle(content)
    lines(path, content)
    assert made.samples(tmp_path) == before


def test_kadid_opinions_rise_with_quality_whatever_their_name(tmp_path: Path) -> None:
    samples = kadid10k(tmp_path).samples(tmp_path)
    outputs = {output.image: output for sample in samples for output in sample.outputs}
    # `var` is a standard deviation: see the layout's notes.
    assert outputs["I01_25_02"].opinion == Opinion(2.9, 0.496, "higher")
    assert outputs["I01_25_02"].distortion == "contrast change"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("I01_01_02.png,I01.png", "I01_01_02.png,I02.png", "'I02.png' is not the reference of"),
        ("I01_01_02.png", "I01_26_02.png", "is not a distorted image of KADID-10k"),
        ("dmos,var", "mos,var", "has no column 'dmos'"),
        ("dmos,var", "dmos,dmos,var", "several columns of one name"),
        ("I01_01_02.png,I01.png,2.90", "I01_01_02.png,I01.png,5.9", "line 3: opinion 5.9 is out"),
        ("I01_01_02.png,I01.png", "I01_01_02.png", "line 3: 3 values, but there are 4 columns"),
        ("I01_01_02.png,I01.png", '"I01_01_02.png', "no valid CSV"),
        ("2.90,0.496", "2.90,-0.496", "the standard deviation is -0.496"),
        ("2.90,0.496", "2.90,49.6", "the standard deviation is 49.6, on a scale from 1 to 5"),
    ],
)
def test_a_wrong_row_of_kadid_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    made = kadid10k(tmp_path)
    edit(tmp_path / "kadid10k" / "dmos.csv", old, new)
    with pytest.raises(IqbenchError, match=message) as caught:
        made.samples(tmp_path)
    assert "dmos.csv" in caught.value.message


def test_reversed_opinions_of_kadid_are_recognised(tmp_path: Path) -> None:
    made = kadid10k(tmp_path)
    path = tmp_path / "kadid10k" / "dmos.csv"
    for level in (1, 3):
        edit(path, f"{4.9 - level:.2f},", f"<{level}>,")
    edit(path, "<1>", "1.90")
    edit(path, "<3>", "3.90")
    with pytest.raises(IqbenchError, match="look reversed"):
        made.samples(tmp_path)


def test_images_of_kadid_sorted_into_two_folders_are_read_too(tmp_path: Path) -> None:
    made = kadid10k(tmp_path)
    folder = tmp_path / "kadid10k"
    (folder / "reference_images").mkdir()
    for name in ("I01.png", "I02.png"):
        (folder / "images" / name).rename(folder / "reference_images" / name)
    assert len(made.samples(tmp_path, references="reference_images/")) == 2
