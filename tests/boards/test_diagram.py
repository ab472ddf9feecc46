"""The critical-difference diagram: one description, in files and in pages."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from iqbench.boards import diagram
from iqbench.boards.board import Board
from iqbench.boards.critical import critical_difference
from iqbench.document.drawing import draw
from iqbench.document.figure import Ranks
from iqbench.document.plotly_traces import for_plotly

NAMES = ["edsr", "a_$x$ <&>", "{label}", "\x1b"]
RANKS = pd.DataFrame([np.roll([1.0, 2.0, 3.0, 4.0], turn // 5) for turn in range(6)], columns=NAMES)


def described(ranks: pd.DataFrame) -> Ranks:
    class Ranked(Board):
        def ranks(self) -> pd.DataFrame:
            return ranks

    return diagram.ranks_of(Ranked([]))


def test_a_diagram_names_methods_ranks_and_the_difference() -> None:
    found = critical_difference(RANKS)
    text = draw(described(RANKS), "svg").decode()
    assert text.lstrip().startswith("<?xml")
    assert "a_$x$ &lt;&amp;&gt;" in text
    assert "{label}" in text
    assert "\\x1b" in text
    assert "\x1b" not in text
    assert f"critical difference {found.difference:.2f} (Nemenyi, 5 %)" in text
    for rank in found.average:
        assert f"{rank:.2f}" in text


@pytest.mark.parametrize(
    ("format", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]
)
def test_a_diagram_is_the_same_each_time_in_every_format(format: str, magic: bytes) -> None:
    first, second = (draw(described(RANKS), format) for _ in range(2))
    assert first == second
    assert first.startswith(magic)


def test_bars_join_the_methods_that_do_not_differ() -> None:
    """Ranks 1 to 6 on twenty datasets: what lies within the critical difference is joined."""
    ranks = pd.DataFrame([np.arange(1.0, 7.0)] * 20, columns=list("abcdef"))
    found = critical_difference(ranks)
    assert 1 < found.difference < 2
    assert described(ranks).joined == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    alike = pd.DataFrame([np.roll(np.arange(1.0, 7.0), turn) for turn in range(6)])
    assert described(alike).joined == [(0, 5)]
    apart = pd.DataFrame([np.arange(1.0, 4.0)] * 60)
    assert described(apart).joined == []


def test_names_stand_at_both_sides_the_best_and_the_worst_at_the_top() -> None:
    figure = Ranks("ranks", "", list("abcde"), np.array([1.0, 2.0, 3.0, 4.0, 5.0]), [])
    labels = figure.labels
    assert [label.side for label in labels] == ["left"] * 3 + ["right"] * 2
    heights = [label.y for label in labels]
    assert heights[0] == heights[4] > heights[1] == heights[3] > heights[2] > -figure.height


def test_a_page_shows_the_same_and_takes_no_name_for_markup() -> None:
    figure = described(RANKS)
    shown = for_plotly(figure)
    texts = json.dumps(shown)
    assert "a_$x$ &lt;&amp;&gt;" in texts
    assert [len(trace["x"]) for trace in shown["traces"]] == [4 * 4, 3 * len(figure.joined)]
