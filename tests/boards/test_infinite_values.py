"""How each format shows infinite values, targets, and scores of other references."""

from __future__ import annotations

import json
import math
import re

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_columns import as_stated
from rich.text import Text

from iqbench.boards.board import Board
from iqbench.boards.dataset_board import BoardOptions
from iqbench.boards.document import render_leaderboard
from iqbench.document.terminal import Window
from iqbench.results.schema import ColumnInfo

COLUMNS = as_stated({"psnr": ColumnInfo("higher", 2), "tv-ratio": ColumnInfo("target:1", 3)})
INF = math.inf

LUCKY = {"lucky": [20.0, 22.0, INF], "best": [30.0, 32.0, 10.0]}
BLACK = {"a": [INF, 30.0], "b": [INF, 31.0]}
PERFECT = {"reference": [INF, INF], "a": [30.0, 30.0]}
DISJOINT = {"a": [INF, 30.0], "b": [40.0, INF]}


def table(values: dict[str, list[float]], metric: str = "psnr", dataset: str = "d") -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": dataset,
                "method": method,
                "image": str(number),
                "metric": metric,
                "value": value,
                "error": None,
                "signature": f"metric={metric}",
                "protocol": "rgb",
            }
            for method, several in values.items()
            for number, value in enumerate(several)
        ]
    )


def shown(values: dict[str, list[float]], format: str, metric: str = "psnr") -> str:
    scores = table(values, metric)
    images = scores[["dataset", "method", "image"]].drop_duplicates()
    board = Board.of(scores, images, COLUMNS, BoardOptions(intervals=False))
    return render_leaderboard(board.table, format, intervals=False, window=Window(100))


@pytest.mark.parametrize(
    ("format", "first", "second"),
    [
        ("table", "1 best 24.00 31.00*", "2 lucky 21.00 (+1 inf) 21.00"),
        ("markdown", "| 1 | best | 24.00 | **31.00** |", "| 2 | lucky | 21.00 (+1 inf) | 21.00 |"),
        ("latex", r"best & 24.00 & \textbf{31.00} \\", r"lucky & 21.00 (+1 $\infty$) & "),
        (
            "html",
            'best shaded" style="--shade:1.000" data-value="31.0" data-metric="psnr">31.00</td>',
            "21.00 <small>(+1 inf)</small>",
        ),
    ],
)
def test_one_infinite_image_is_reported_and_does_not_lead(
    format: str, first: str, second: str
) -> None:
    text = re.sub(" +", " ", shown(LUCKY, format))
    assert text.index(first) < text.index(second)
    assert (
        format == "latex" or "psnr: ranked on the 2 images that are finite for all methods" in text
    )


def test_the_column_that_decides_says_on_how_many_images() -> None:
    assert "| psnr ↑ | psnr ↑ on 2 images |" in shown(LUCKY, "markdown")


def test_programs_get_mean_and_count() -> None:
    rows = json.loads(shown(LUCKY, "json"))
    wanted = ["method", "rank", "psnr", "psnr_infinite", "psnr_compared", "psnr_compared_n"]
    assert [[row[name] for name in wanted] for row in rows] == [
        ["best", 1, 24.0, 0, 31.0, 2],
        ["lucky", 2, 21.0, 1, 21.0, 2],
    ]
    assert "lucky,3,3,True,21.0,21.0,2,1,2" in shown(LUCKY, "csv")


def test_where_all_reproduce_the_same_image_the_mean_decides() -> None:
    text = shown(BLACK, "markdown")
    assert "| 1 | b | **31.00** (+1 inf) |" in text
    assert "on 1 image" not in text
    assert "psnr: means are those of the finite values" in text


def test_a_perfect_method_has_no_finite_mean() -> None:
    text = shown(PERFECT, "markdown")
    assert "| 1 | reference | **inf** |" in text
    assert "| 2 | a | 30.00 |" in text


def test_where_no_image_is_left_the_counts_rank() -> None:
    text = shown(DISJOINT, "table")
    assert "1  a        30.00  (+1 inf)" in text
    assert "1  b        40.00  (+1 inf)" in text
    assert "psnr: no image is finite for all methods: they are ranked by infinite values" in text


@pytest.mark.parametrize("format", ["table", "markdown", "latex", "html"])
def test_the_distance_to_a_target_stands_beside_the_mean_and_is_what_is_best(format: str) -> None:
    text = shown({"wild": [0.5, 1.5], "good": [0.9, 0.9]}, format, "tv-ratio")
    best = {
        "table": "0.100*",
        "markdown": "| good | 0.900 | **0.100** |",
        "latex": r"good & 0.900 & \textbf{0.100}",
        "html": 'data-metric="tv-ratio">0.100</td>',
    }
    assert best[format] in Text.from_ansi(text).plain
    if format == "html":
        assert len(re.findall(r'class="[^"]* best[ "]', text)) == 1
        assert re.search(r' best shaded"[^>]*>0.100<', text)
    assert text.index("0.900") < text.index(">1.000" if format == "html" else "1.000")


def test_averages_over_datasets_say_that_some_images_are_left_out() -> None:
    board = pd.concat(
        [table(LUCKY, dataset=dataset) for dataset in ("one", "two")], ignore_index=True
    )
    images = board[["dataset", "method", "image"]].drop_duplicates()
    overall = Board.of(board, images, COLUMNS, BoardOptions(intervals=False)).overall
    text = render_leaderboard(overall, "markdown")
    assert "| psnr ↑ | psnr ↑ on common images |" in text
    assert "| 1 | best | 1.00 | 24.00 | **31.00** |" in text
    assert "| 2 | lucky | 2.00 | 21.00 (+2 inf) | 21.00 |" in text
    assert "psnr: ranked on the common images that are finite for all methods" in text


values = st.sampled_from([0.5, 0.75, 1.0, 1.25, 1.5, INF, INF, -INF])
"""Infinite ones often enough to leave no image that is finite for all."""


def methods_of(images: int) -> st.SearchStrategy[list[list[float]]]:
    of_one = st.lists(values, min_size=images, max_size=images)
    return st.lists(of_one, min_size=1, max_size=4)


@settings(max_examples=30)
@given(st.integers(1, 4).flatmap(methods_of), st.sampled_from(["psnr", "tv-ratio"]))
@example([[INF, INF, -INF], [INF, -INF, -INF]], "psnr")
@example([[INF, -INF]], "psnr")
def test_the_first_rank_is_bold(several: list[list[float]], metric: str) -> None:
    methods = {f"method{number}": given for number, given in enumerate(several)}
    text = shown(methods, "markdown", metric)
    rows = [line.split(" | ") for line in text.split("\n") if line.startswith("| ")][1:]
    rows = [row for row in rows if row[0].strip("| ").isdigit()]
    ranks = [int(row[0].strip("| ")) for row in rows]
    bold = [any("**" in cell for cell in row) for row in rows]
    assert ranks == sorted(ranks)
    assert bold == [rank == 1 and max(ranks) > 1 for rank in ranks]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"a": [30.0, INF], "b": [31.0, 32.0]}, "ranked on the 1 image that is finite for all"),
        ({"a": [30.0, 31.0, INF], "b": [31.0, 32.0, 5.0]}, "ranked on the 2 images that are"),
    ],
)
def test_the_images_that_rank_are_counted_in_words(values, said: str) -> None:
    assert said in " ".join(shown(values, "table").split())
