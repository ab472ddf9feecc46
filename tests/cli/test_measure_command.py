"""`iqbench measure`: values of one pair on stdout, and everything else on stderr."""

from __future__ import annotations

import base64
import json
import math
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from made_folders import noisy, picture
from PIL import Image

from iqbench import functional
from iqbench.document.plotly_traces import for_plotly
from iqbench.images.tensors import to_tensor
from iqbench.images.write import write_png
from iqbench.maps import difference_maps, maps_figure, render
from iqbench.results.signature import parse_signature

PIXELS = ("--metric", "psnr", "--metric", "ssim", "--metric", "tv")


@pytest.fixture
def pair(made):
    write_png(Path("r.png"), picture(0))
    write_png(Path("o.png"), noisy(picture(0)))
    return "r.png", "o.png"


def test_a_table_for_people(pair, iqbench):
    ran = iqbench("measure", *pair, *PIXELS)
    assert ran.code == 0
    assert ran.err == ""
    assert "\x1b" not in ran.out
    heading, _, *lines = ran.out.splitlines()
    assert heading.split() == ["metric", "value"]
    values = {line.rsplit(maxsplit=1)[0]: line.split()[-1] for line in lines}
    value = functional.psnr(*(to_tensor(p, torch.device("cpu")) for p in _pixels()))
    assert values["psnr ↑"] == f"{float(value):.2f}"
    assert "tv-ratio →1" in values
    assert "tv-iso-output" in values
    assert float(values["tv-residual ↓"]) > 0


def _pixels():
    return picture(0), noisy(picture(0))


def test_json_for_programs(pair, iqbench):
    ran = iqbench("measure", *pair, *PIXELS, "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    rows = json.loads(ran.out)
    assert {"metric", "value", "error", "signature"} <= set(rows[0])
    by_metric = {row["metric"]: row for row in rows}
    assert len(by_metric) == len(rows) == 10
    value = functional.ssim(*(to_tensor(p, torch.device("cpu")) for p in _pixels()))
    assert by_metric["ssim"]["value"] == pytest.approx(float(value), abs=1e-6)
    assert by_metric["ssim"]["error"] is None
    assert parse_signature(by_metric["ssim"]["signature"])["view"] == "rgb"


def test_the_protocol_is_the_one_given(pair, iqbench):
    ran = iqbench("measure", *pair, *PIXELS, "--protocol", "sr-y:scale=4", "--format", "json")
    by_metric = {row["metric"]: parse_signature(row["signature"]) for row in json.loads(ran.out)}
    assert by_metric["psnr"]["view"] == "luma-studio,uint8,modcrop4,crop4,gray-expand"
    assert by_metric["tv-ratio"]["view"] == "rgb,uint8,modcrop4,crop4"


def test_psnr_of_equal_images_is_infinite(pair, iqbench):
    ran = iqbench("measure", "r.png", "r.png", "--metric", "psnr")
    assert ran.code == 0
    assert ran.out.split()[-1] == "inf"
    (row,) = json.loads(
        iqbench("measure", "r.png", "r.png", "--metric", "psnr", "--format", "json").out
    )
    assert (row["value"], row["error"]) == ("inf", None)
    assert math.isinf(float(row["value"]))


def test_what_is_undefined_has_a_note_and_is_no_failure(pair, iqbench):
    write_png(Path("flat.png"), np.full((24, 32, 3), 90, np.uint8))
    ran = iqbench("measure", "flat.png", "o.png", "--metric", "tv")
    assert ran.code == 0
    (line,) = (line for line in ran.out.splitlines() if line.startswith("tv-ratio"))
    assert "undefined: " in line
    rows = json.loads(iqbench("measure", "flat.png", "o.png", *PIXELS, "--format", "json").out)
    (ratio,) = (row for row in rows if row["metric"] == "tv-ratio")
    assert ratio["value"] is None
    assert ratio["error"].startswith("undefined: ")


@pytest.mark.usefixtures("pretrained_networks")
def test_all_default_metrics_at_once(pair, iqbench):
    rows = json.loads(iqbench("measure", *pair, "--format", "json", "--device", "cpu").out)
    metrics = [row["metric"] for row in rows]
    assert metrics[:2] == ["psnr", "ssim"]
    assert metrics[-2:] == ["lpips-alex", "lpips-vgg"]
    assert all(isinstance(row["value"], float) for row in rows if row["error"] is None)


@pytest.mark.parametrize(
    ("prepare", "arguments", "message"),
    [
        (None, ("r.png", "none.png"), "none.png does not exist"),
        (None, ("none.png", "o.png"), "none.png does not exist"),
        (None, ("r.png", "."), "is a folder. Give an image file"),
        (
            lambda: write_png(Path("x.png"), picture(0, 48, 64)),
            ("r.png", "x.png"),
            "x.png has 64x48 pixels, its reference r.png has 32x24. Nothing is resized",
        ),
        (lambda: Path("x.png").write_bytes(b""), ("r.png", "x.png"), "x.png is empty (0 bytes)"),
        (
            lambda: Path("x.png").write_bytes(Path("o.png").read_bytes()[:-20]),
            ("r.png", "x.png"),
            "x.png ",
        ),
        (
            lambda: Image.fromarray(picture(0)[..., [0, 1, 2, 0]]).save("x.png"),
            ("r.png", "x.png"),
            "x.png has transparency",
        ),
        (None, ("r.png", "o.png", "--metric", "lpisp"), "Did you mean 'lpips'?"),
        (None, ("r.png", "o.png", "--protocol", "sr-y"), "needs its parameter 'scale'"),
        (None, ("r.png", "o.png", "--format", "xml"), "'xml' is not one of"),
        (None, ("r.png",), "need references, and r.png is given without one. Give a reference and"),
        (None, (), "no image is given. Give a reference and an output, or an output alone"),
    ],
)
def test_wrong_input_exits_2_with_one_sentence(pair, iqbench, prepare, arguments, message):
    if prepare:
        prepare()
    metric = () if "--metric" in arguments else PIXELS
    ran = iqbench("measure", *arguments, *metric)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_without_weights_it_says_how_to_go_on(pair, iqbench, monkeypatch, tmp_path):
    for variable in ("IQBENCH_WEIGHTS", "IQBENCH_CACHE"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    ran = iqbench("measure", *pair)
    assert ran.code == 2
    assert "Metrics without weights run: --metric psnr" in ran.err
    assert iqbench("measure", *pair, *PIXELS).code == 0


def test_colours_only_on_a_terminal_and_never_against_no_color(pair, iqbench, monkeypatch):
    assert "\x1b" not in iqbench("measure", *pair, *PIXELS).out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in iqbench("measure", *pair, *PIXELS).out


PICTURES = ("--map", "absolute-error", "--map", "ssim", "--map", "tv-aniso")


def _size(path):
    with Image.open(path) as image:
        return image.size


def test_maps_are_written_and_named_on_stderr(pair, iqbench):
    ran = iqbench("measure", *pair, *PIXELS, "--format", "json", "--maps", "m/new", *PICTURES)
    assert ran.code == 0
    plain = iqbench("measure", *pair, *PIXELS, "--format", "json")
    assert ran.out == plain.out
    names = ("absolute-error", "ssim", "tv-aniso")
    assert sorted(path.name for path in Path("m/new").iterdir()) == [f"{n}.png" for n in names]
    lines = ran.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        str(Path(f"m/new/{n}.png")) for n in names
    ]
    assert "black 0 to yellow 0." in lines[0]
    assert "yellow 0 to black 1; gray: no value" in lines[1]
    assert "smoother" in lines[2]
    for name in names:
        assert _size(f"m/new/{name}.png") == (32, 24)


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_maps_are_one_figure_of_a_stated_size_beside_the_images(pair, iqbench, format):
    arguments = ("--map", "ssim", "--map", "absolute-error", "--figure-size", "12x4cm")
    ran = iqbench("measure", *pair, *PIXELS, *arguments, "--figure", f"m.{format}")
    assert ran.code == 0
    assert ran.err == f"wrote m.{format}\n"
    content = Path(f"m.{format}").read_bytes()
    if format == "png":
        with Image.open(f"m.{format}") as image:
            assert image.size == (int(12 / 2.54 * 200), int(4 / 2.54 * 200))
    elif format == "svg":
        for words in (b">reference<", b">output<", b">ssim, mean 0.", b">absolute-error, mean 0."):
            assert words in content
    else:
        assert content.startswith(b"%PDF")


def test_the_pictures_of_a_figure_are_the_images_and_the_maps(pair):
    maps = difference_maps(*pair, maps=["absolute-error"])
    figure = maps_figure(*map(Path, pair), maps)
    shown, _, painted = figure.panels
    np.testing.assert_array_equal(shown.pixels, picture(0))
    np.testing.assert_array_equal(painted.pixels, render(maps[0]))
    assert (painted.low, painted.high) == (maps[0].low, maps[0].high)
    first = for_plotly(figure)["traces"][0]["source"].partition("base64,")[2]
    with Image.open(BytesIO(base64.b64decode(first))) as image:
        np.testing.assert_array_equal(np.asarray(image), picture(0))


def test_a_figure_does_not_replace_the_images_that_it_is_made_from(pair, iqbench):
    before = Path("r.png").read_bytes()
    ran = iqbench("measure", *pair, *PIXELS, "--map", "ssim", "--figure", "r.png")
    assert ran.code == 2
    assert "a figure would replace r.png" in ran.err
    assert Path("r.png").read_bytes() == before
    assert iqbench("measure", "o.png", "--metric", "tv", "--figure", "m.png").code == 2


def test_raw_maps_are_arrays_whose_mean_is_the_value(pair, iqbench):
    arguments = ("--metric", "ssim", "--format", "json", "--maps", "m", "--map", "ssim", "--raw")
    (row,) = json.loads(iqbench("measure", *pair, *arguments).out)
    values = np.load("m/ssim.npy", allow_pickle=False)
    assert values.shape == (24, 32)
    assert values.dtype == np.float32
    assert float(np.nanmean(values)) == pytest.approx(row["value"], abs=1e-6)


def test_maps_show_what_the_protocol_sees(pair, iqbench):
    arguments = ("--protocol", "sr-y:scale=4", "--maps", "m", "--map", "absolute-error")
    ran = iqbench("measure", *pair, *PIXELS, *arguments)
    assert "on 24x16 of 32x24 pixels, from column 4 and row 4 on" in ran.err
    assert _size("m/absolute-error.png") == (24, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--maps", "m", "--map", "sism"), "unknown map 'sism'. Did you mean 'ssim'?"),
        (("--map", "ssim"), "--map and --raw need --maps DIR"),
        (("--raw",), "--map and --raw need --maps DIR"),
        (("--maps", "r.png", "--map", "ssim"), "is a file"),
    ],
)
def test_wrong_options_of_maps_exit_2_and_write_nothing(pair, iqbench, arguments, message):
    ran = iqbench("measure", *pair, *PIXELS, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert sorted(path.name for path in Path().iterdir()) == ["o.png", "r.png"]


def test_a_map_never_replaces_the_image_it_is_made_from(pair, iqbench):
    before = Path("r.png").rename("ssim.png").read_bytes()
    ran = iqbench("measure", "ssim.png", "o.png", *PIXELS, "--maps", ".", "--map", "ssim")
    assert ran.code == 2
    assert "a map would replace ssim.png, one of its images" in ran.err
    assert Path("ssim.png").read_bytes() == before


class TestPeak:
    """What sample value was taken as white is said."""

    @pytest.fixture
    def dark(self, made):
        """Twelve bits in files of 16, without a note."""
        sides = picture(0, dtype=np.uint16) >> 4, noisy(picture(0, dtype=np.uint16) >> 4, 1, 40)
        for name, pixels in zip(("r.png", "o.png"), sides, strict=True):
            write_png(Path(name), pixels)
        return sides

    def test_files_of_16_bits(self, dark, iqbench):
        ran = iqbench("measure", "r.png", "o.png", "--metric", "psnr")
        assert ran.code == 0
        assert ran.out.splitlines()[-1] == "Sample value of white: 65535"
        assert ran.err.startswith("warning: o.png: no sample of the 16-bit files exceeds 4095")

    def test_a_given_one(self, dark, iqbench):
        options = ("--metric", "psnr", "--peak", "4095", "--format", "json")
        ran = iqbench("measure", "r.png", "o.png", *options)
        (row,) = json.loads(ran.out)
        assert (ran.code, ran.err, row["peak"]) == (0, "", "4095")
        assert parse_signature(row["signature"])["peak"] == "4095"
        error = np.square(dark[0].astype(float) - dark[1]).mean()
        assert row["value"] == pytest.approx(10 * math.log10(4095**2 / error), abs=1e-4)

    def test_warnings_are_not_printed_where_quiet_is_asked_for(self, dark, iqbench):
        assert iqbench("--quiet", "measure", "r.png", "o.png", "--metric", "psnr").err == ""

    @pytest.mark.parametrize("peak", ["0", "65536", "white"])
    def test_what_is_none_is_refused(self, dark, iqbench, peak):
        ran = iqbench("measure", "r.png", "o.png", "--peak", peak)
        assert ran.code == 2
        assert "--peak" in ran.err


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gray_output_of_a_colour_reference_is_read_as_it_is_said(made, iqbench, channels):
    write_png(Path("r.png"), picture(0))
    write_png(Path("o.png"), np.repeat(picture(0)[..., :1], channels, axis=2))
    asked = ("measure", "r.png", "o.png", "--metric", "psnr", "--protocol", "derain-y")
    refused = iqbench(*asked)
    assert refused.code != 0
    assert "--gray-output luma or --gray-output expand" in refused.err
    values = {}
    for reading in ("luma", "expand"):
        ran = iqbench(*asked, "--gray-output", reading, "--format", "json")
        assert (ran.code, ran.err) == (0, "")
        (row,) = json.loads(ran.out)
        assert parse_signature(row["signature"])["gray-output"] == reading
        values[reading] = row["value"]
    assert values["luma"] != values["expand"]


@pytest.mark.parametrize(
    ("suffix", "beginning"),
    [
        (".md", "| metric | value |"),
        (".csv", "metric,value,error,direction,signature,peak"),
        (".json", "["),
        (".tex", "% needs"),
        (".html", "<!DOCTYPE html>"),
        (".txt", "metric"),
    ],
)
def test_values_of_a_pair_are_written_in_the_format_of_the_suffix(
    iqbench, pair, suffix, beginning, tmp_path
):
    file = tmp_path / f"values{suffix}"
    ran = iqbench("measure", *pair, "--metric", "psnr", "-o", file)
    assert (ran.code, ran.out) == (0, "")
    assert f"wrote {file}" in ran.err
    text = file.read_text("utf-8")
    assert text.startswith(beginning)
    assert "psnr" in text


def test_an_image_that_is_measured_is_not_written_over(pair, iqbench, tmp_path):
    reference, output = pair
    before = Path(reference).read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(Path(reference).resolve())
    for file in (reference, link):
        ran = iqbench("measure", reference, output, "--metric", "psnr", "-o", file)
        assert ran.code == 2
        assert f"{file} is given as REFERENCE too, and would be written over" in ran.err
    assert Path(reference).read_bytes() == before
    for _ in range(2):  # a file of results may be written again
        ran = iqbench("measure", reference, output, "--metric", "psnr", "-o", tmp_path / "t.csv")
        assert ran.code == 0
