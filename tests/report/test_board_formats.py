"""Leaderboards in LaTeX and HTML, and what a terminal shows beside the means."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.report.board import render_leaderboard, render_sections
from iqbench.report.pair_sections import image_sections, pair_sections
from iqbench.report.terminal import Window
from iqbench.report.text import escape_html, escape_latex
from iqbench.results.schema import ColumnInfo

COLUMNS = {
    "psnr": ColumnInfo("higher", 2, summary="Peak signal-to-noise ratio, dB"),
    "lpips-alex": ColumnInfo("lower", 4),
}


def board(**changes: Any) -> pd.DataFrame:
    """Make a leaderboard of four methods, the last of them incomplete."""
    columns: dict[str, Any] = {
        "dataset": "Set14",
        "task": "super-resolution",
        "protocol": "sr-y:scale=4",
        "ranked_by": "psnr",
        "rank": pd.array([1, 2, 3, None], dtype="Int64"),
        "rank_low": pd.array([1, 1, 3, None], dtype="Int64"),
        "rank_high": pd.array([2, 2, 3, None], dtype="Int64"),
        "tie": ["a", "a", "", ""],
        "front": pd.array([True, False, True, None], dtype="boolean"),
        "front_by": "psnr, lpips-alex",
        "method": ["swinir", "edsr", "bi_cubic", "new"],
        "n": [14, 14, 14, 3],
        "expected": 14,
        "complete": [True, True, True, False],
        "psnr": [28.9, 28.8, 26.0, 33.0],
        "psnr_low": [27.9, 27.9, 25.5, 32.0],
        "psnr_high": [30.1, 29.8, 26.4, 34.0],
        "lpips-alex": [0.25, 0.3, 0.2, 0.1],
        "lpips-alex_low": [0.24, 0.29, 0.1, math.nan],
        "lpips-alex_high": [0.26, 0.31, math.inf, math.nan],
        "missing": ["", "", "", "psnr 11, lpips-alex 11"],
        "undefined": "",
    }
    return pd.DataFrame({**columns, **changes})


def shown(frame: pd.DataFrame, format: str = "table", **options: Any) -> str:
    return render_leaderboard(frame, COLUMNS, format, **options)


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
    assert "tie: no significant difference from the best method with that letter" in text
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


def test_latex_is_a_booktabs_table_with_the_best_bold_and_the_second_underlined() -> None:
    assert shown(board(), "latex") == (
        "% needs \\usepackage{booktabs}\n"
        "\\begin{table}[t]\n"
        "  \\centering\n"
        "  \\caption{Set14 (sr-y:scale=4, 14 images, ranked by psnr). \\textbf{Bold}: best of the"
        " complete methods. \\underline{Underlined}: second best.}\n"
        "  \\label{tab:set14}\n"
        "  \\begin{tabular}{lrr}\n"
        "    \\toprule\n"
        "    method & psnr $\\uparrow$ & lpips-alex $\\downarrow$ \\\\\n"
        "    \\midrule\n"
        "    swinir & \\textbf{28.90} & \\underline{0.2500} \\\\\n"
        "    edsr & \\underline{28.80} & 0.3000 \\\\\n"
        "    bi\\_cubic & 26.00 & \\textbf{0.2000} \\\\\n"
        "    \\addlinespace\n"
        "    new (3/14 images) & 33.00 & 0.1000 \\\\\n"
        "    \\bottomrule\n"
        "  \\end{tabular}\n"
        "\\end{table}\n"
    )


def test_datasets_of_equal_columns_share_a_latex_table() -> None:
    both = pd.concat([board(), board(dataset="Set5")], ignore_index=True)
    text = shown(both, "latex", intervals=True)
    assert text.count("\\begin{table}") == 1
    assert "\\multicolumn{3}{l}{\\textit{Set5 (sr-y:scale=4, 14 images" in text
    assert "\\textbf{28.90} $\\pm$ 1.10" in text
    assert "\\label{tab:set14-set5}" in text
    other = pd.concat([board(), board(dataset="Set5", psnr=math.nan)], ignore_index=True)
    assert shown(other, "latex").count("\\begin{table}") == 2


def test_a_latex_table_is_no_longer_than_a_page() -> None:
    """A dataset takes five lines here, and a page holds 45."""
    many = pd.concat([board(dataset=f"set{number:02}") for number in range(11)], ignore_index=True)
    first, second = shown(many, "latex").split("\\end{table}")[:2]
    assert "set08 (" in first
    assert "set09 (" in second
    assert "\\label{tab:set09-set10}" in second


def test_infinity_and_minus_in_latex() -> None:
    text = shown(board(psnr=[math.inf, 3.0, -2.0, math.nan]), "latex")
    assert "\\textbf{\\boldmath$\\infty$}" in text
    assert "$-$2.00" in text
    assert "new (3/14 images) & - &" in text


HOSTILE = "[a]&b_c%d$e#f{g}h~i^j\\k<script>\x1b\n"


def test_names_mean_themselves_in_latex() -> None:
    text = shown(board(method=[HOSTILE, "b", "c", "d"], dataset=HOSTILE), "latex")
    escaped = (
        "[a]\\&b\\_c\\%d\\$e\\#f\\{g\\}h\\textasciitilde{}i\\textasciicircum{}j"
        "\\textbackslash{}k\\textless{}script\\textgreater{}\\textbackslash{}x1b"
        "\\textbackslash{}n"
    )
    assert f"    {{}}{escaped} & " in text
    assert escape_latex("*") == "{}*"  # not the star of the row before


@given(st.text(max_size=20))
def test_any_name_is_one_line_without_open_groups_in_latex(name: str) -> None:
    text = escape_latex(name)
    assert text.isprintable()
    bare = re.sub(r"\\[{}#$%&_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"[#%&_~^]", bare)


class Page(HTMLParser):
    """The text of the cells of a page, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def test_html_is_one_page_that_needs_nothing_else() -> None:
    text = shown(board(), "html", hidden=2)
    page = Page(text)
    assert page.open == []
    assert page.cells[:7] == ["#", "method", "tie", "front", "ranks", "psnr ↑", "lpips-alex ↓"]
    assert page.cells[7:14] == ["1", "swinir", "a", "●", "1-2", "28.90 ±1.10", "0.2500 ±0.0100"]
    assert '<span class="best">28.90</span>' in text
    assert '<span class="second">28.80</span>' in text
    assert 'title="Peak signal-to-noise ratio, dB"' in text
    assert "2 more columns" in text
    assert not {"script", "link", "img", "iframe"} & page.tags
    assert "http" not in text


def test_html_without_intervals() -> None:
    text = shown(board(), "html", intervals=False)
    assert "±" not in text
    assert "1-2" not in text


def test_names_mean_themselves_in_html() -> None:
    text = shown(board(method=[HOSTILE, "\"'", "c", "d"], dataset=HOSTILE), "html")
    page = Page(text)
    assert "script" not in page.tags
    assert HOSTILE.replace("\x1b", "\\x1b").replace("\n", "\\n") in page.cells
    assert escape_html("\"'<&>") == "&quot;&#x27;&lt;&amp;&gt;"


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
    }
    return pd.DataFrame({**columns, **changes})


def test_averages_stand_below_the_datasets_where_they_say_something_new() -> None:
    text = shown(board(), overall=overall(), window=Window(80))
    assert text.index("Set14") < text.index("overall  mean over 2 datasets")
    assert "deblurring" not in text
    assert "no critical difference of ranks: it takes 5 datasets" in text
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
        "gain": [0.123, 2.0],
        "p_value": [0.4, 2e-6],
        "p_holm": [0.4, 4e-6],
        "significant": [False, True],
        "effect": [0.25, 1.0],
    }
)


def test_pairs_mark_what_is_significant() -> None:
    text = render_sections(list(pair_sections(PAIRS, COLUMNS)), "table", window=Window(80))
    assert text.split("\n") == [
        "Set5  psnr ↑, 20 images",
        "",
        "method  other  wins  losses  draws   gain   p Holm  effect",
        "──────────────────────────────────────────────────────────",
        "a       b        12       8      0   0.12    0.400    0.25",
        "a       c        20       0      0  2.00*  4.0e-06    1.00",
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
    text = render_sections(list(image_sections(IMAGES, COLUMNS)), format)
    assert text.index("worst and best images") < text.index("furthest from b")
    assert "bird" in text
    assert "±" not in text
    if format == "markdown":
        assert "| a | worst | baby\\| | 20.00 |" in text
