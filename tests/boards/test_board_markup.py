"""Leaderboards in LaTeX, Markdown and HTML."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_boards import HOSTILE, board, shown

from iqbench.document.latex import latex_tables
from iqbench.document.model import Document, Entry, Section, TableColumn, texts
from iqbench.document.render import render
from iqbench.document.text import escape_html, escape_latex, escape_markdown


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


def remarked(title: str, *remarks: str) -> Section:
    return Section(title, [], [texts("method", ["a"])], remarks=list(remarks))


def test_latex_says_below_a_table_what_its_numbers_leave_out() -> None:
    table = latex_tables([remarked("Set14", "fid_1: of 14 images", "psnr: 3 % undefined")])
    assert table.partition("\\end{tabular}\n")[2] == (
        "  \\par\\smallskip{\\footnotesize fid\\_1: of 14 images\\par}\n"
        "  \\par\\smallskip{\\footnotesize psnr: 3 \\% undefined\\par}\n"
        "\\end{table}\n"
    )


def test_latex_says_of_which_dataset_a_remark_is_where_several_share_a_table() -> None:
    both = pd.concat([board(), board(dataset="Set5")], ignore_index=True).assign(
        fid=9.5, fid_n=14, fid_reference_set="photos", fid_reference_n=20
    )
    text = shown(both, "latex")
    for dataset in ("Set14", "Set5"):
        assert f"\\textit{{{dataset}}}: fid: of 14 images against photos (20 images)" in text


def test_words_without_a_table_are_comments_in_latex() -> None:
    section = Section("Nothing", remarks=["there is\nno 1 % of it"])
    text = latex_tables([section], below=["2 more columns"])
    assert text.splitlines()[1:] == [
        "% there is\\textbackslash{}nno 1 \\% of it",
        "% 2 more columns",
    ]


def test_infinity_and_minus_in_latex() -> None:
    text = shown(board(psnr=[math.inf, 3.0, -2.0, math.nan]), "latex")
    assert "\\textbf{\\boldmath$\\infty$}" in text
    assert "$-$2.00" in text
    assert "new (3/14 images) & - &" in text


def test_minus_infinity_is_a_formula_in_latex() -> None:
    entries = [Entry("-inf", value=-math.inf), Entry("inf", value=math.inf, place=1)]
    names = TableColumn("method", "method", [Entry("inf"), Entry("b-inf")])
    section = Section("t", columns=[names, TableColumn("value", "psnr", entries)])
    text = latex_tables([section])
    assert "inf & $-\\infty$ \\\\" in text
    assert "b-inf & \\textbf{\\boldmath$\\infty$} \\\\" in text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("- item", r"\- item"),
        ("+ plus", r"\+ plus"),
        ("===", r"\==="),
        ("---", r"\---"),
        ("1. first", r"1\. first"),
        ("2) second", r"2\) second"),
        ("* star", r"\* star"),
        ("# hash", r"\# hash"),
        ("3.5 of 4", "3.5 of 4"),
        ("edsr-x4+", "edsr-x4+"),
    ],
)
def test_a_sentence_that_begins_with_a_name_begins_no_list_in_markdown(
    name: str, written: str
) -> None:
    text = shown(board(method=[name, "b", "c", "d"], undefined=["psnr 2", "", "", ""]), "markdown")
    assert f"undefined and left out of the mean: psnr 2 ({escape_markdown(name)})" in text
    section = Section("set5", facts=[name], columns=[texts("a", ["b"])], remarks=[f"{name} lacks"])
    lines = [
        line.rstrip() for line in render(Document([section], notes=[name]), "markdown").splitlines()
    ]
    assert (lines[2], lines[-3], lines[-1]) == (written, f"{written} lacks", written)


def test_every_table_has_a_label_of_its_own_in_latex() -> None:
    titles = ["a", "a", "a-2", "A", "日本", "", "日本"]
    sections = [Section(title, columns=[texts("x", ["y"])]) for title in titles]
    labels = re.findall(r"\\label\{tab:([^}]*)\}", latex_tables(sections))
    assert labels == ["a", "a-2", "a-2-2", "a-3", "scores", "scores-2", "scores-3"]


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
    cells = [cell.strip() for cell in page.cells]
    assert cells[:7] == ["#", "method", "tie", "front", "ranks", "psnr ↑", "lpips-alex ↓"]
    assert cells[7:14] == ["1", "swinir", "a", "●", "1-2", "28.90 ±1.10", "0.2500 ±0.0100"]
    assert re.search(r'class="value number best shaded"[^>]*>28.90 ', text)
    assert re.search(r'class="value number second shaded"[^>]*>28.80 ', text)
    assert re.search(r'data-value="28.9"[^>]*>28.90 ', text)  # tables are sorted by values
    assert 'title="Peak signal-to-noise ratio, dB"' in text
    assert "2 more columns" in text
    assert not {"link", "img", "iframe"} & page.tags
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=.?https?:", text)


def test_html_without_intervals() -> None:
    text = shown(board(), "html", intervals=False)
    assert "±" not in text
    assert "1-2" not in text


def test_names_mean_themselves_in_html() -> None:
    text = shown(board(method=[HOSTILE, "\"'", "c", "d"], dataset=HOSTILE), "html")
    page = Page(text)
    assert text.count("<script>") == shown(board(), "html").count("<script>")
    assert HOSTILE.replace("\x1b", "\\x1b").replace("\n", "\\n") in page.cells
    assert escape_html("\"'<&>") == "&quot;&#x27;&lt;&amp;&gt;"
