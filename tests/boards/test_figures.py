"""Figures of a leaderboard: front, distributions and two metrics, as files of a stated size."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import write_results
from PIL import Image

from iqbench.boards.board import read_board
from iqbench.boards.figures import FIGURES, board_figure
from iqbench.cli.main import cli
from iqbench.document.drawing import FigureStyle, draw
from iqbench.document.figure import Axis, Boxes, Front, Panel, Scatter, group_mark
from iqbench.document.plotly_traces import for_plotly
from iqbench.errors import IqbenchError

SCORES = {
    ("Set14", "bicubic", "psnr"): (26.0, 26.5, 27.0),
    ("Set14", "bicubic", "lpips-alex"): (0.4, 0.5, 0.3),
    ("Set14", "edsr", "psnr"): (28.0, 28.5, np.inf),
    ("Set14", "edsr", "lpips-alex"): (0.3, 0.2, 0.25),
    ("Set5", "$e$<b>", "psnr"): (30.0, 31.0, 32.0),
    ("Set5", "$e$<b>", "lpips-alex"): (0.1, 0.2, 0.3),
    ("Set5", "gan", "psnr"): (25.0, 26.0, 27.0),
    ("Set5", "gan", "lpips-alex"): (0.05, 0.06, 0.07),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("drawn") / "results", SCORES, images=3)


def run(*arguments: str | Path) -> Result:
    told = [str(one) for one in arguments]
    return CliRunner().invoke(cli, ["leaderboard", *told], catch_exceptions=False)


def test_the_front_has_means_and_who_is_on_it(results: Path) -> None:
    front = board_figure(read_board(results, {}), "front")
    assert isinstance(front, Front)
    assert [panel.title for panel in front.panels] == ["Set5", "Set14"]
    first = {spot.name: spot for spot in front.panels[0].spots}
    assert first["gan"].at[0][0] == 26.0
    assert first["gan"].at[1][0] == pytest.approx(0.06)
    assert {name: spot.front for name, spot in first.items()} == {"$e$<b>": True, "gan": True}
    assert {one.name: one.front for one in front.panels[1].spots} == {
        "edsr": True,
        "bicubic": False,
    }
    across, up = front.panels[0].axes
    assert (across.label, across.decimals, across.lower) == ("psnr ↑", 2, False)
    assert (up.label, up.decimals, up.lower) == ("lpips-alex ↓", 4, True)


def test_boxes_have_the_finite_values_in_the_order_of_the_ranks(results: Path) -> None:
    boxes = board_figure(read_board(results, {}), "boxes")
    assert isinstance(boxes, Boxes)
    five, fourteen = boxes.panels
    assert five.rows == ["$e$<b>", "gan"]
    assert [list(values) for values in fourteen.values] == [[28.0, 28.5], [26.0, 26.5, 27.0]]
    assert fourteen.axis.label == "psnr ↑"


def test_two_metrics_are_compared_image_by_image(results: Path) -> None:
    scatter = board_figure(read_board(results, {}, front=("lpips-alex", "psnr")), "scatter")
    assert isinstance(scatter, Scatter)
    five, fourteen = scatter.panels
    assert (five.across.label, five.up.label) == ("lpips-alex ↓", "psnr ↑")
    points = set(zip(fourteen.groups, fourteen.x, fourteen.y, strict=True))
    assert points == {
        *(("bicubic", x, y) for x, y in ((0.4, 26.0), (0.5, 26.5), (0.3, 27.0))),
        *(("edsr", x, y) for x, y in ((0.3, 28.0), (0.2, 28.5))),  # one is infinite
    }


@pytest.mark.parametrize("kind", ["front", "boxes", "scatter"])
@pytest.mark.parametrize(
    ("format", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]
)
def test_a_figure_is_the_same_each_time(
    results: Path, kind: str, format: str, magic: bytes
) -> None:
    figure = board_figure(read_board(results, {}), kind)
    first, second = (draw(figure, format) for _ in range(2))
    assert first == second
    assert first.startswith(magic)


@pytest.mark.parametrize("kind", ["front", "boxes", "scatter"])
def test_names_are_no_mathematics_and_no_markup(results: Path, kind: str) -> None:
    figure = board_figure(read_board(results, {}), kind)
    assert "$e$&lt;b&gt;" in draw(figure).decode()
    assert "$e$&lt;b&gt;" in str(for_plotly(figure))


@pytest.mark.parametrize("kind", ["front", "boxes", "scatter"])
def test_a_figure_has_the_size_and_the_font_that_are_stated(
    results: Path, tmp_path: Path, kind: str
) -> None:
    options = ("--figure-size", "8.5x6cm", "--figure-font", "DejaVu Serif:9", "--no-figure-title")
    names = [f"{kind}={tmp_path / f'a.{format}'}" for format in ("svg", "pdf", "png")]
    told = run(results, *(part for name in names for part in ("--figure", name)), *options)
    assert told.exit_code == 0
    svg = (tmp_path / "a.svg").read_text()
    width, height = (8.5 / 2.54 * 72, 6 / 2.54 * 72)
    size = re.search(r'<svg[^>]* width="([\d.]+)pt" height="([\d.]+)pt"', svg.replace("\n", " "))
    size = size or re.search(r'height="([\d.]+)pt"[^>]*width="([\d.]+)pt"', svg)
    assert size is not None
    assert sorted(map(float, size.groups())) == pytest.approx([height, width], abs=0.01)
    assert "DejaVu Serif" in svg
    assert "9px" in svg
    assert "Perception and fidelity" not in svg
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", (tmp_path / "a.pdf").read_bytes())
    assert box is not None
    assert [float(side) for side in box.groups()] == pytest.approx([width, height], abs=0.01)
    assert b"/Type3" not in (tmp_path / "a.pdf").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (round(8.5 / 2.54 * 200), round(6 / 2.54 * 200))


def test_the_name_of_a_file_says_what_is_drawn(results: Path, tmp_path: Path) -> None:
    names = ("front.svg", "boxes-2.svg", "scatter.svg", "figure1.svg")
    for name in names:
        assert run(results, "--figure", tmp_path / name).exit_code == 0
    texts = [(tmp_path / name).read_text() for name in names]
    titles = ["Perception and fidelity", "Values by image", "Image by image"]
    for title, text in zip([*titles, titles[0]], texts, strict=True):
        assert title in text


def test_what_cannot_be_drawn_is_said_and_nothing_is_written(results: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    for options, words in (
        (("--figure", f"fornt={file}"), "is not one of front"),
        (("--figure", tmp_path / "front.jpg"), "does not end in .svg, .pdf, .png"),
        (("--figure", file, "--figure", file), "is named twice"),
        (("--figure", file, "--figure-size", "8.5"), "is not a size"),
    ):
        told = run(results, *options)
        assert told.exit_code == 2
        assert words in told.stderr
    for options, words in (
        (("--figure", file, "--figure-size", "900x6cm"), "cannot be 354.331 inches"),
        (("--figure", file, "--figure-font", "serif:100"), "cannot have 100 points"),
        (("--figure", file, "--figure-font", "No Such Font"), "unknown font 'No Such Font'"),
        (("--figure", f"scatter={file}", "--metric", "psnr"), "there is no figure scatter"),
        (("--figure", f"ranks={file}"), "a critical difference needs at least 5 datasets"),
    ):
        with pytest.raises(IqbenchError, match=words):
            run(results, *options)
    assert not list(tmp_path.iterdir())
    with pytest.raises(IqbenchError, match="unknown figure 'fornt'"):
        board_figure(read_board(results, {}), "fornt")


def test_every_kind_of_the_command_can_be_drawn() -> None:
    from iqbench.cli.leaderboard import _FIGURES

    assert FIGURES == _FIGURES


def test_groups_of_points_are_told_apart() -> None:
    marks = [group_mark(place) for place in range(56)]
    assert len(set(marks)) == 56
    panel = Panel(Axis("x"), Axis("y"), np.arange(3.0), np.arange(3.0), groups=["b", "a", "b"])
    figure = Scatter("s", "t", [panel, panel], ["a", "b"])
    assert [(name, place, list(x)) for name, place, x, _ in figure.of_group(panel)] == [
        ("a", 0, [1.0]),
        ("b", 1, [0.0, 2.0]),
    ]
    traces = for_plotly(figure)["traces"]
    assert [trace["showlegend"] for trace in traces] == [True, True, False, False]


@settings(derandomize=True, max_examples=20)
@given(st.floats(0.5, 60), st.floats(3, 40))
def test_any_size_in_range_is_taken(side: float, points: float) -> None:
    assert FigureStyle((side, side), font_size=points).settings["font.size"] == points
    with pytest.raises(IqbenchError):
        FigureStyle((side * 200, side))
