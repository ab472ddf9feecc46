"""Names in figures are shortened to the space that they have, and stay different."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import fontManager

from iqbench.document.drawing import FigureStyle, draw
from iqbench.document.figure import (
    Axis,
    Boxes,
    BoxPanel,
    Dumbbells,
    Figure,
    Front,
    FrontPanel,
    Heatmap,
    Panel,
    Ranks,
    Scatter,
    Spot,
)
from iqbench.document.text import shortened
from iqbench.errors import IqbenchWarning


def test_the_middle_is_left_out() -> None:
    assert shortened(["short", "0123456789abcdef"], 10) == ["short", "012345…def"]


def test_names_that_differ_in_the_middle_are_shown_from_there() -> None:
    names = [f"{'a' * 30}{letter}{'b' * 30}" for letter in "xyx"]
    assert shortened(names, 10) == ["…xbbbbb…bb", "…ybbbbb…bb", "…xbbbbb…bb"]


@settings(derandomize=True, max_examples=200)
@given(
    st.lists(st.text("ab", max_size=40), max_size=12).map(lambda names: ["", *names]),
    st.integers(1, 20),
)
def test_names_that_differ_still_differ(names: list[str], most: int) -> None:
    found = shortened(names, most)
    assert len(found) == len(names)
    assert len(set(zip(names, found, strict=True))) == len(set(names)) == len(set(found))
    for name, text in zip(names, found, strict=True):
        assert text == name or len(text) <= max(most, 5)


def long_names(count: int) -> list[str]:
    return [f"{'x' * 60} $a^2$ {'y' * 60} {number}" for number in range(count)]


def figures(count: int) -> list[Figure]:
    """Make a figure of each kind that has names, all of them long."""
    names, title = long_names(count), "z" * 150
    values = np.linspace(1.0, 2.0, count)
    axis = Axis(f"{'w' * 120} ↑", "psnr")
    spots = [
        Spot(name, ((value, value, value), (value, np.nan, np.nan)), place == 0, place < 2)
        for place, (name, value) in enumerate(zip(names, values, strict=True))
    ]
    square = np.eye(count)
    return [
        Boxes("boxes", title, [BoxPanel(title, axis, names, [values] * count)]),
        Scatter("scatter", title, [Panel(axis, axis, values, values, None, title, names)], names),
        Front("front", title, [FrontPanel(title, (axis, axis), spots)]),
        Heatmap("spearman", title, names, names, square),
        Dumbbells("gaps", title, names, {"a": values, "b": values}, "w" * 120),
        Ranks("ranks", title, names, values, []),
    ]


@pytest.mark.parametrize("size", [None, (3.4, 2.4)])
@pytest.mark.parametrize("count", [1, 12])
def test_long_and_many_names_leave_room_for_what_is_drawn(
    count: int, size: tuple[float, float] | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where axes have no room
        for figure in figures(count):
            drawn = draw(figure, "svg", FigureStyle(size, title=False)).decode()
            assert "x" * 60 not in drawn, figure.name
            assert "…" in drawn, figure.name


def test_a_figure_of_a_stated_size_counts_the_groups_that_it_does_not_name() -> None:
    names = [f"group {number}" for number in range(120)]
    values = np.arange(120.0)
    panel = Panel(Axis("x"), Axis("y"), values, values, None, "", names)
    figure = Scatter("scatter", "", [panel], names)
    whole, small = (draw(figure, "svg", FigureStyle(size)).decode() for size in (None, (3.4, 2.4)))
    assert ">group 119<" in whole
    assert " more<" not in whole
    shown = small.count(">group ")
    assert 0 < shown < 120
    assert f">and {120 - shown} more<" in small


def test_characters_that_no_font_has_are_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = [one for one in fontManager.ttflist if one.name == "DejaVu Sans"]
    monkeypatch.setattr(fontManager, "ttflist", known)
    sign = "日"
    figure = Boxes(
        "boxes", "", [BoxPanel("", Axis("x"), [sign, f"{sign} a"], [np.arange(3.0)] * 2)]
    )
    with pytest.warns(IqbenchWarning, match="no installed font has the signs") as told:
        draw(figure, "png")
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "a<" in draw(figure, "svg").decode()
