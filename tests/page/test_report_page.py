"""The contents of a report: found pictures, digests, sizes, names."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_folders import picture
from made_pages import made_results, rated_results
from PIL import Image

import iqbench
from iqbench.boards.board import read_board
from iqbench.document.page import embedded_json
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.images.write import write_png
from iqbench.maps.model import DifferenceMap
from iqbench.page.definitions import definitions_of
from iqbench.page.difference import as_scored, paint
from iqbench.page.find_pictures import Folders
from iqbench.page.image_choice import METHODS, picks_of
from iqbench.page.protocols import protocol_notes
from iqbench.page.report import Appearance, report_page
from iqbench.page.thumbnails import LONGEST, THUMBNAIL, Crop, crop_of, lossless, thumbnail
from iqbench.results.columns import Columns
from iqbench.results.schema import ColumnInfo
from iqbench.results.signature import peak_of, signature

PLAIN = Appearance(images=2, maps=())


def scenes_of(html: str) -> list[dict]:
    found = re.findall(r'<script type="application/json" id="scene-\d+">(.*?)</script>', html)
    return [json.loads(text) for text in found]


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_data_cannot_leave_its_element(value):
    text = str(embedded_json(value))
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


@pytest.mark.usefixtures("without_plotly")
class TestPictures:
    """Which pictures are shown."""

    def test_they_are_found_where_they_were_scored(self, tmp_path):
        made = made_results(tmp_path)
        report = report_page(made.folder, {}, made.places, appearance=PLAIN)
        scenes = scenes_of(report.html)
        assert report.pictures == len(scenes) == 2
        for scene in scenes:
            names = [one["name"] for one in scene["pictures"]]
            assert names[0] == "reference"
            assert set(names[1:]) == {"edsr", "swinir", "bicubic"}
            assert scene["size"] == [56, 40]

    def test_a_file_that_has_changed_is_not_shown_as_the_one_that_was_scored(self, tmp_path):
        made = made_results(tmp_path)
        for image in "abcd":
            write_png(made.output(1, image), picture(99, 40, 56))
        report = report_page(made.folder, {}, made.places, appearance=PLAIN)
        for scene in scenes_of(report.html):
            assert {one["name"] for one in scene["pictures"]} == {"reference", "edsr", "bicubic"}
            assert scene["note"] == "Not all outputs are in this file."
        assert report.left_out == [
            "2 pictures not found, or no longer the one that was scored",
        ]
        assert report.left_out[0] in report.html

    def test_of_several_folders_the_one_with_the_file_that_was_scored_is_taken(self, tmp_path):
        made = made_results(tmp_path / "new")
        other = made_results(tmp_path / "old", loss=1)
        report = report_page(made.folder, {}, [*other.places, *made.places], appearance=PLAIN)
        assert report.left_out == []

    def test_of_a_protocol_that_nobody_knows_here_there_are_no_maps(self, tmp_path):
        made = made_results(tmp_path, protocols={"set5": "of-another-machine"})
        chosen = Appearance(images=1, maps=("absolute-error",), device="cpu")
        report = report_page(made.folder, {}, made.places, appearance=chosen)
        assert report.pictures == 1
        assert report.left_out == ["maps: unknown protocol 'of-another-machine'"]

    def test_without_references_there_are_tables_only(self, tmp_path):
        made = made_results(tmp_path)
        report = report_page(made.folder, {}, [], appearance=PLAIN)
        assert report.pictures == 0
        assert report.left_out[0].startswith("pictures: none lies where it was scored")
        assert 'id="images"' not in report.html
        assert "swinir" in report.html

    def test_a_lone_folder_of_references_is_that_of_a_lone_dataset(self, tmp_path):
        made = made_results(tmp_path)
        place = Folders(outputs=made.places[0].outputs, references=[str(tmp_path / "hr")])
        assert report_page(made.folder, {}, [place], appearance=PLAIN).pictures == 2

    def test_folders_that_are_not_there_are_refused_by_name(self, tmp_path):
        with pytest.raises(IqbenchError, match=r"reference folder .*nowhere does not exist"):
            Folders(references=[f"set5={tmp_path / 'nowhere'}"]).check()


@pytest.mark.usefixtures("without_plotly")
def test_columns_that_are_not_there_are_not_explained(tmp_path):
    several = made_results(tmp_path / "several")
    alone = made_results(tmp_path / "alone", ("edsr",), ("a",))
    found = [
        set(re.findall(r"<b>(tie|front|ranks)</b>", report_page(made.folder, {}).html))
        for made in (several, alone)
    ]
    assert found == [{"front", "ranks"}, {"front"}]


@pytest.mark.usefixtures("without_plotly")
class TestSize:
    """The file stays as small as it has to, and says what it lacks."""

    def test_what_does_not_fit_is_left_out_and_named(self, tmp_path):
        made = made_results(tmp_path, size=(96, 128))
        whole = report_page(made.folder, {}, made.places, appearance=PLAIN)
        full = len(whole.html.encode())
        bare = len(report_page(made.folder, {}, [], appearance=PLAIN).html.encode())
        for size in np.linspace(bare + 3000, full + 3000, 6).astype(int):
            chosen = Appearance(images=2, maps=(), size=int(size))
            report = report_page(made.folder, {}, made.places, appearance=chosen)
            assert len(report.html.encode()) <= size
            if size < full * 0.9:
                assert any("for want of room" in text for text in report.left_out)
                assert "for want of room" in report.html

    def test_values_are_left_out_from_the_last_column_on(self, tmp_path):
        made = made_results(tmp_path, images=[f"image{number:03}" for number in range(60)])
        bare = len(report_page(made.folder, {}, [], appearance=Appearance(images=0)).html)
        chosen = Appearance(images=0, size=bare - 2000)
        report = report_page(made.folder, {}, [], appearance=chosen)
        assert len(report.html.encode()) <= chosen.size
        assert report.left_out[0].startswith("values by image of set5 for want of room")
        assert report.left_out[0].endswith("tv-residual, lpips-alex") or ":" in report.left_out[0]

    def test_tables_that_are_too_large_are_refused(self, tmp_path):
        made = made_results(tmp_path)
        with pytest.raises(IqbenchError, match=r"the tables and plotly\.js alone take"):
            report_page(made.folder, {}, appearance=Appearance(size=10_000))


@pytest.mark.usefixtures("without_plotly")
class TestRoom:
    """Without a number of images, the file is filled up with pictures."""

    def test_all_images_are_shown_that_have_room(self, tmp_path):
        made = made_results(tmp_path, images="abcdefghij")
        report = report_page(made.folder, {}, made.places, appearance=Appearance(maps=()))
        assert report.left_out == []
        assert report.pictures == 10
        scenes = scenes_of(report.html)
        assert {scene["image"] for scene in scenes} == set("abcdefghij")
        assert [bool(scene["reasons"]) for scene in scenes] == [True] * 4 + [False] * 6
        assert "<summary>6 more images</summary>" in report.html
        four = Appearance(images=4, maps=())
        assert report_page(made.folder, {}, made.places, appearance=four).pictures == 4

    def test_pictures_end_where_the_room_does(self, tmp_path):
        made = made_results(tmp_path, images="abcdefghij", size=(96, 128))
        whole = report_page(made.folder, {}, made.places, appearance=Appearance(maps=()))
        chosen = Appearance(maps=(), size=int(len(whole.html.encode()) * 0.8))
        report = report_page(made.folder, {}, made.places, appearance=chosen)
        assert 4 <= report.pictures < 10
        assert len(report.html.encode()) <= chosen.size
        (told,) = report.left_out
        assert re.fullmatch(r"pictures of \d more images? for want of room", told)

    def test_maps_of_chosen_images_come_before_other_images(self, tmp_path):
        made = made_results(tmp_path, images="abcdefghij", size=(96, 128))
        maps = Appearance(maps=("absolute-error",), device="cpu")
        whole = report_page(made.folder, {}, made.places, appearance=maps)
        size = int(len(whole.html.encode()) * 0.8)
        chosen = Appearance(maps=("absolute-error",), device="cpu", size=size)
        scenes = scenes_of(report_page(made.folder, {}, made.places, appearance=chosen).html)
        assert 4 <= len(scenes) < 10
        mapped = [bool(scene["pictures"][1]["maps"]) for scene in scenes]
        assert mapped == [bool(scene["reasons"]) for scene in scenes]


@pytest.mark.usefixtures("without_plotly")
def test_agreement_with_people_is_shown_where_tables_have_opinions(tmp_path):
    assert 'id="people"' not in report_page(made_results(tmp_path / "none").folder, {}).html
    folder = rated_results(tmp_path / "results")
    report = report_page(folder, {}, appearance=Appearance(images=0))
    assert report.left_out == []
    html = report.html.partition('<section id="people">')[2].partition("</section>")[0]
    agreement = iqbench.correlate(folder).opinion.query("distortion == '' and statistic == 'srcc'")
    for value in agreement["value"]:
        assert f"{value:.3f} [" in html
    assert "SRCC by distortion on tid" in html
    assert '<a href="#people">' in report.html
    assert re.findall(r'"name":"(people-\d+-\d+)"', report.html) == ["people-0-0"]
    assert 'id="figure-people-0-0"' in html


def test_large_images_are_shown_in_part_where_they_are_worst():
    pixels = np.zeros((900, 1200, 3), np.uint8)
    worse = pixels.copy()
    worse[700:720, 900:930] = 255
    whole, output = (Picture(one, "", "", 0) for one in (pixels, worse))
    crop = crop_of(whole, [whole, output])
    assert (crop.height, crop.width) == (LONGEST, LONGEST)
    assert crop.top <= 700
    assert crop.top + crop.height >= 720
    assert crop.left <= 900
    assert crop.left + crop.width >= 930
    _, width, height = thumbnail(pixels)
    assert (width, height) == (THUMBNAIL, THUMBNAIL * 3 // 4)


@pytest.mark.parametrize("peak", [1023, 4095, 65535])
def test_pictures_of_16_bits_are_shown_relative_to_their_peak(peak):
    shades = np.array([0, 0.25, 0.5, 1])
    pixels = np.round(shades * peak).astype(np.uint16).reshape(1, 4, 1)
    shown = Image.open(BytesIO(b64decode(lossless(pixels, peak).partition(",")[2])))
    assert np.asarray(shown.convert("L"))[0] == pytest.approx(shades * 255, abs=1)


@pytest.mark.parametrize(
    ("scored", "peaks"),
    [
        ("metric=psnr|view=rgb|peak=4095", (4095, 4095)),
        ("metric=psnr|view=rgb", (65535, 65535)),
        ("metric=psnr|view=rgb|peak=100", (4095, 4095)),  # these samples say that it was another
    ],
)
def test_pairs_are_shown_by_the_peak_that_they_were_scored_by(scored, peaks):
    pixels = np.array([[[1], [4001]]], np.uint16)
    side = Picture(pixels, "", "x.png", 0, noted_bits=12)
    shown = as_scored(side, side, peak_of(scored))
    assert tuple(one.peak for one in shown) == peaks


def test_maps_of_several_outputs_share_their_colours_and_lie_on_the_part_that_is_shown():
    values = np.arange(48, dtype=np.float32).reshape(6, 8) / 48
    maps = [
        DifferenceMap("absolute-error", values * gain, 0.0, gain, "error", top=2, left=3)
        for gain in (1.0, 2.0)
    ]
    first, second = paint(maps, Crop(0, 0, 10, 12))
    assert first.legend == second.legend
    assert first.legend.startswith("black 0 to yellow 1.5")
    gray = np.all(first.pixels == 128, axis=2)
    assert gray[:2].all()
    assert gray[8:].all()
    assert gray[:, :3].all()
    assert not gray[2:8, 3:11].any()
    (inside,) = paint(maps[:1], Crop(4, 5, 3, 3))
    assert not np.all(inside.pixels == 128, axis=2).any()


def test_each_dataset_shows_the_ends_and_what_is_in_dispute(tmp_path):
    made = made_results(tmp_path, images="abcdefgh", datasets=("set5", "other"))
    found = read_board(made.folder, {})
    picks = picks_of(found, 4)
    assert [pick.dataset for pick in picks[:2]] == ["other", "set5"]
    assert len({(pick.dataset, pick.image) for pick in picks}) == 8
    leader = found.datasets[0].ranked()[0]
    assert picks[0].reasons[0][1].startswith(f"worst of {leader}: psnr ")
    told = " ".join(text for pick in picks for _, text in pick.reasons)
    assert "methods are furthest apart" in told
    assert "agree least about the methods: Kendall's W" in told


def test_of_many_methods_the_best_and_the_worst_are_shown(tmp_path):
    methods = [f"m{number}" for number in range(9)]
    made = made_results(tmp_path, methods)
    found = read_board(made.folder, {})
    (one,) = found.datasets
    (pick, *_) = picks_of(found, 1)
    assert len(pick.methods) == METHODS
    values = one.scores.column("psnr")[one.scores.images.index(pick.image)]
    best, worst = one.scores.methods[int(values.argmax())], one.scores.methods[int(values.argmin())]
    assert {best, worst} <= set(pick.methods)


def test_metrics_are_defined_by_their_own_words_and_foreign_ones_by_their_summary():
    columns = Columns(
        {
            "lpips-vgg": ColumnInfo(
                "lower",
                summary="LPIPS v0.1 on vgg16",
                definition="LPIPS v0.1 with the authors' weights.\n\nIts input.",
                citation="Zhang et al. 2018",
            ),
            "sharpness": ColumnInfo("none", summary="Of another package"),
        }
    )
    signatures = {
        "lpips-vgg": ["metric=lpips|version=1|net=vgg"],
        "sharpness": ["metric=sharpness|version=3"],
    }
    found = definitions_of(signatures, columns)
    assert "Zhang et al. 2018" in found["lpips-vgg"].citation
    assert found["lpips-vgg"].paragraphs == ["LPIPS v0.1 with the authors' weights.", "Its input."]
    assert found["lpips-vgg"].signatures == [{"metric": "lpips", "version": "1", "net": "vgg"}]
    assert found["sharpness"].paragraphs == []
    assert found["sharpness"].summary == "Of another package"


@pytest.mark.usefixtures("without_plotly")
def test_ranks_are_those_of_the_leaderboard_whatever_else_is_shown(tmp_path):
    """A column that is not a headline makes no method incomplete."""
    made = made_results(tmp_path, lacking=("swinir",))
    html = report_page(made.folder, {}, appearance=PLAIN).html
    assert 'data-metric="tv-residual"' in html
    board = read_board(made.folder, {}).table.frame
    row = board[board["method"] == "swinir"].iloc[0]
    assert not row["complete"]
    assert "1 of 3 methods incomplete" in html


def test_nothing_is_loaded_from_anywhere(tmp_path):
    """No element of the page asks for a file; plotly.js is inside it, packed."""
    made = made_results(tmp_path)
    html = report_page(made.folder, {}, made.places, appearance=PLAIN).html
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(?!data:)", html)
    assert "default-src 'none'" in html
    assert len(html.encode()) < 3_000_000
    assert Path(made.folder).is_dir()


def test_protocols_are_described_if_they_are_those_that_were_used():
    texts = [
        signature({"metric": "psnr", "version": "1", "protocol": name, "view": "rgb"})
        for name in ("sr-y:scale=4/2", "rgb/1", "rgb/1", "sr-y:scale=4/99", "of-another/1")
    ]
    foreign, rgb, luma, newer = protocol_notes(texts)
    assert rgb.summary == "Pixels as they are"
    assert rgb.views == (("all metrics", "rgb"),)
    assert luma.views == (
        ("fidelity metrics", "luma-studio,uint8,modcrop4,crop4,gray-expand"),
        ("perceptual ones", "rgb,uint8,modcrop4,crop4"),
        ("those without a reference", "rgb"),
    )
    assert "doi:" in luma.citation
    # What is not what is known here under the name is not explained by it.
    assert (foreign.name, foreign.summary, foreign.views) == ("of-another/1", "", ())
    assert (newer.name, newer.summary, newer.views) == ("sr-y:scale=4/99", "", ())


@pytest.mark.usefixtures("without_plotly")
def test_a_card_says_where_images_are_too_few_for_a_test(tmp_path):
    few, enough = (
        report_page(made_results(tmp_path / str(count), images="abcdefghijkl"[:count]).folder, {})
        for count in (4, 12)
    )
    assert re.search(r"leads with psnr [\d.]+ ↑; 4 images are too few for a test</p>", few.html)
    assert "not significantly better" not in few.html
    assert "too few" not in enough.html


@pytest.mark.usefixtures("without_plotly")
def test_a_report_has_the_title_that_it_is_given(tmp_path):
    made = made_results(tmp_path)
    titled = report_page(made.folder, {}, appearance=Appearance(title="A <b> & c", images=0)).html
    assert "<title>iqbench report: A &lt;b&gt; &amp; c</title>" in titled
    assert "iqbench report</span> A &lt;b&gt; &amp; c</h1>" in titled
    assert "<title>iqbench report: results</title>" in report_page(made.folder, {}).html
