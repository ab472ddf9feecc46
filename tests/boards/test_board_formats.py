"""Leaderboards in a terminal, in Markdown and for programs: the columns beside the means."""

from __future__ import annotations

import re

import pandas as pd
from made_boards import board, shown

from iqbench.document.terminal import Window


def test_a_wide_terminal_shows_all_there_is() -> None:
    assert shown(board(), window=Window(100)).split("\n")[:11] == [
        "Set14  sr-y:scale=4, 14 images, ranked by psnr",
        "",
        "                                     lpips-",
        "#  method       tie  psnr ↑          alex ↓           front  ranks",
        "──────────────────────────────────────────────────────────────────",
        "1  swinir       a    28.90*  ±1.10   0.2500  ±0.0100  ●      1-2",
        "2  edsr         a     28.80  ±0.95   0.3000  ±0.0100         1-2",
        "3  bi_cubic           26.00  ±0.45  0.2000*           ●      3",
        "",
        "-  new                33.00  ±1.00   0.1000",
        "   3/14 images",
    ]


def test_extras_are_left_out_where_they_do_not_fit() -> None:
    widths = {width: shown(board(), window=Window(width)) for width in (32, 42, 62, 100)}
    assert "tie" not in widths[32]
    assert "tie" in widths[42]
    assert "±" not in widths[42]
    assert "±" in widths[62]
    assert "ranks" not in widths[62]
    for width, text in widths.items():
        assert max(map(len, text.split("\n"))) <= width


def test_every_dataset_shows_the_same_extras() -> None:
    long = board(dataset="Set5", method=["x" * 30, "b", "c", "d"])
    text = shown(pd.concat([board(), long], ignore_index=True), window=Window(62))
    assert "±" not in text
    assert "tie" in text


def test_a_window_without_limit_shows_no_intervals_unless_asked_for() -> None:
    assert "±" not in shown(board())
    assert "ranks" not in shown(board())
    assert "±1.10" in shown(board(), intervals=True)
    assert "±" not in shown(board(), intervals=False, window=Window(100))


def test_an_interval_stays_beside_its_value_where_the_table_is_broken() -> None:
    text = shown(board(), intervals=True, window=Window(34))
    for line in text.split("\n"):
        assert not re.match(r"^[0-9] +\w+ +±", line)
    assert "28.90*  ±1.10" in text


def test_marks_that_are_shown_are_explained_and_no_others() -> None:
    text = shown(board(), window=Window(100))
    assert "tie: not significantly worse than the best method with that letter" in text
    assert "front: no method is better in both psnr and lpips-alex" in text
    plain = shown(board(tie="", front=pd.NA), window=Window(100), intervals=False)
    assert "tie" not in plain
    assert "front" not in plain


def test_an_interval_that_is_open_or_unknown_is_not_shown() -> None:
    text = shown(board(), intervals=True)
    for method in ("bi_cubic", "new"):
        assert next(line for line in text.split("\n") if method in line).count("±") == 1


def test_markdown_has_ties_and_the_front() -> None:
    text = shown(board(), "markdown")
    assert "| \\# | method | tie | psnr ↑ | lpips-alex ↓ | front |" in text
    assert "| 1 | swinir | a | **28.90** | 0.2500 | ● |" in text
    assert "| 1 | swinir | a | **28.90** ±1.10 | 0.2500 ±0.0100 | ● | 1-2 |" in shown(
        board(), "markdown", intervals=True
    )


def test_programs_get_intervals_unless_they_are_not_wanted() -> None:
    assert "psnr_low" in shown(board(), "csv")
    plain = shown(board(), "csv", intervals=False).split("\n")[0]
    assert "psnr" in plain
    assert "_low" not in plain
    assert "_high" not in plain
