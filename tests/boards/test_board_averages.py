"""Averages over datasets, pairs of methods and single images beside a leaderboard."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd
import pytest
from made_boards import COLUMNS, board, shown

from iqbench.boards.board import Board
from iqbench.boards.pair_tables import image_sections, pair_sections
from iqbench.boards.views import render_view
from iqbench.document.model import Document
from iqbench.document.render import render
from iqbench.document.terminal import Window


def overall(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "scope": ["task", "task", "overall", "overall"],
        "task": ["deblurring", "deblurring", "", ""],
        "datasets": [1, 1, 2, 2],
        "ranked_by": "psnr",
        "rank": pd.array([1, 2, 1, 2], dtype="Int64"),
        "average_rank": [1.0, 2.0, 1.25, 1.75],
        "average_rank_low": [1.0, 2.0, 1.0, 1.5],
        "average_rank_high": [1.0, 2.0, 1.5, 2.0],
        "tie": "",
        "method": ["a", "b", "a", "b"],
        "n": [1, 1, 2, 2],
        "expected": [1, 1, 2, 2],
        "complete": True,
        "psnr": [30.0, 29.0, 28.0, 29.0],
        "psnr_rank": [1, 2, 2, 1],
    }
    return pd.DataFrame({**columns, **changes})


def test_averages_stand_below_the_datasets_where_they_say_something_new() -> None:
    text = shown(board(), overall=overall(), window=Window(80))
    assert text.index("Set14") < text.index("overall  mean over 2 datasets")
    assert "deblurring" not in text
    assert "no critical difference of ranks: it needs 5 datasets" in text
    assert "overall" not in shown(board(), overall=overall(complete=[True, True, True, False]))


def test_the_averages_of_one_task_are_not_said_twice() -> None:
    both = overall(datasets=2, task=["sr", "sr", "", ""])
    assert shown(board(), overall=both).count("mean over 2 datasets") == 1
    assert shown(both).count("mean over 2 datasets") == 2


def test_averages_alone() -> None:
    text = shown(overall(), window=Window(80))
    assert "deblurring  mean over 1 dataset, ranked by average rank in psnr" in text
    assert re.search(r"1  a +1\.25  ±0\.25 +28\.00\n", text)
    assert re.search(r"2  b +1\.75  ±0\.25 +29\.00\*", text)


def test_a_method_that_is_not_everywhere_says_where_it_is() -> None:
    frame = overall(n=[1, 1, 2, 1], complete=[True, True, True, False])
    text = shown(frame, window=Window(80))
    assert "1/2 datasets" in text
    assert "Not ranked: methods that are not complete on all datasets" in text


PAIRS = pd.DataFrame(
    {
        "dataset": "Set5",
        "metric": "psnr",
        "method": ["a", "a"],
        "other": ["b", "c"],
        "n": 20,
        "wins": [12, 20],
        "losses": [8, 0],
        "draws": 0,
        "infinite_gains": [2, 0],
        "infinite_losses": [1, 0],
        "gain": [0.123, 2.0],
        "p_value": [0.4, 2e-6],
        "p_holm": [0.4, 4e-6],
        "significant": [False, True],
        "effect": [0.25, 1.0],
    }
)


def test_pairs_mark_what_is_significant() -> None:
    text = render(Document(list(pair_sections(PAIRS, COLUMNS))), "table", window=Window(80))
    assert text.split("\n") == [
        "Set5  psnr ↑, 20 images",
        "",
        "method  other  wins  losses  draws   gain                     p Holm  effect",
        "────────────────────────────────────────────────────────────────────────────",
        "a       b        12       8      0   0.12  (+2 inf, -1 inf)    0.400    0.25",
        "a       c        20       0      0  2.00*                    4.0e-06    1.00",
        "",
        "* significant at 5 % after Holm's correction",
        "",
    ]


IMAGES = pd.DataFrame(
    {
        "dataset": "Set5",
        "metric": "psnr",
        "what": ["worst", "ahead"],
        "method": "a",
        "other": [math.nan, "b"],
        "image": ["baby|", "bird"],
        "value": [20.0, math.inf],
        "other_value": [math.nan, 30.0],
        "gain": [math.nan, math.inf],
    }
)


@pytest.mark.parametrize("format", ["table", "markdown", "latex", "html"])
def test_images_at_the_ends_and_where_two_part(format: str) -> None:
    text = render(Document(list(image_sections(IMAGES, COLUMNS))), format)
    assert text.index("worst and best images") < text.index("furthest from b")
    assert "bird" in text
    assert "±" not in text
    if format == "markdown":
        assert "| a | worst | baby\\| | 20.00 |" in text


def test_a_section_with_nothing_to_show_says_so() -> None:
    found = Board([])
    assert render_view(found, "second-ahead", "table") == (
        "Images on which the second method is ahead\n\nThere is none on any dataset.\n"
    )
    assert render_view(found, "second-ahead", "csv") == "section\n"
