"""The table of a paper: one row per method, groups of columns, marks for the best values."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scores import frames
from made_tables import COLUMNS, publish, write_results

from iqbench.boards.board import Board, read_board
from iqbench.boards.paper import paper_document
from iqbench.boards.table_layout import TableLayout, read_table_layout
from iqbench.cli.main import cli
from iqbench.document.model import Section
from iqbench.document.render import render
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.results.importing import import_values

SR = {"Set5-x4": "sr-y:scale=4", "Set14-x4": "sr-y:scale=4"}
SCORES = {
    ("Set5-x4", "bicubic", "psnr"): (28.0, 29.0),
    ("Set5-x4", "bicubic", "ssim"): (0.8, 0.82),
    ("Set5-x4", "edsr", "psnr"): (32.0, 33.0),
    ("Set5-x4", "edsr", "ssim"): (0.9, 0.92),
    ("Set14-x4", "bicubic", "psnr"): (26.0, 26.5),
    ("Set14-x4", "bicubic", "ssim"): (0.7, 0.72),
    ("Set14-x4", "edsr", "psnr"): (28.0, 28.5),
    ("Set14-x4", "edsr", "ssim"): (0.78, 0.8),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("paper") / "results", SCORES, SR)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder that a test may add to."""
    return write_results(tmp_path / "results", SCORES, SR)


def run(*arguments: str | Path) -> Result:
    told = [str(one) for one in arguments]
    return CliRunner().invoke(cli, ["leaderboard", *told], catch_exceptions=False)


def table(results: Path, **layout: object) -> Section:
    chosen = TableLayout(**layout)
    shown = chosen.columns or "headline"
    board = read_board(results, chosen.filters({}), shown=shown, intervals=False)
    (section,) = paper_document(board, chosen).sections
    return section


def cells(section: Section) -> dict[str, dict[str, str]]:
    """By method and column: the text, with its marks."""
    first, *others = section.columns
    marks = {0: "", 1: "*", 2: "+"}
    return {
        entry.text: {
            column.full_heading: column.entries[row].text
            + marks[column.entries[row].place]
            + (f" ({note})" if (note := column.entries[row].note) else "")
            for column in others
        }
        for row, entry in enumerate(first.entries)
    }


def test_latex_is_what_a_paper_takes(results: Path) -> None:
    arguments = ("--name", "psnr=PSNR", "--name", "ssim=SSIM", "--name", "edsr=EDSR")
    told = run(results, "--layout", "paper", *arguments, "--format", "latex").stdout
    assert told == (
        r"""% needs \usepackage{booktabs}
\begin{table}[t]
  \centering
  \caption{Mean scores on Set5 $\times$4, Set14 $\times$4. \textbf{Bold}: best of the column. """
        r"""\underline{Underlined}: second best.}
  \label{tab:mean-scores-on-set5-4-set14-4}
  \begin{tabular}{lrrrr}
    \toprule
     & \multicolumn{2}{c}{Set5 $\times$4} & \multicolumn{2}{c}{Set14 $\times$4} \\
    \cmidrule(lr){2-3} \cmidrule(lr){4-5}
    Method & PSNR $\uparrow$ & SSIM $\uparrow$ & PSNR $\uparrow$ & SSIM $\uparrow$ \\
    \midrule
    EDSR & \textbf{32.50} & \textbf{0.9100} & \textbf{28.25} & \textbf{0.7900} \\
    bicubic & \underline{28.50} & \underline{0.8100} & \underline{26.25} & \underline{0.7100} \\
    \bottomrule
  \end{tabular}
\end{table}
"""
    )


def test_the_caption_the_label_and_the_width_are_as_the_user_says(results: Path) -> None:
    told = run(
        *(results, "--layout", "paper", "--format", "latex", "--no-arrows", "--wide"),
        *(
            "--size",
            "scriptsize",
            "--caption",
            r"50% of \LaTeX & others",
            "--label",
            "tab:sr",
            "--decimals",
            "1",
        ),
    ).stdout
    assert r"\caption{50\% of \textbackslash{}LaTeX \& others}" in told
    assert r"\label{tab:sr}" in told
    assert r"\begin{table*}[t]" in told
    assert "  \\scriptsize\n  \\begin{tabular}" in told
    assert r"\end{table*}" in told
    assert "uparrow" not in told
    assert r"\textbf{32.5} & \textbf{0.9}" in told


def test_rows_stand_in_the_order_that_is_given_once(results: Path) -> None:
    assert list(cells(table(results))) == ["edsr", "bicubic"]  # by average rank
    assert list(cells(table(results, order=("bicubic",)))) == ["bicubic", "edsr"]
    told = run(results, "--layout", "paper", "--order", "bicubic,edsr", "--format", "csv").stdout
    assert [row["method"] for row in csv.DictReader(io.StringIO(told))] == ["bicubic", "edsr"]
    assert list(cells(table(results, methods=("bicubic",)))) == ["bicubic"]


def test_datasets_and_columns_stand_in_the_order_that_is_given(results: Path) -> None:
    section = table(results, datasets=("Set14-x4", "Set5-x4"), columns=("ssim", "psnr"))
    assert [column.full_heading for column in section.columns] == [
        *("Method", "Set14 \u00d74 ssim ↑", "Set14 \u00d74 psnr ↑"),
        *("Set5 \u00d74 ssim ↑", "Set5 \u00d74 psnr ↑"),
    ]
    alone = table(results, datasets=("Set14-x4",), columns=("psnr[protocol=sr-y:scale=4]",))
    assert [column.full_heading for column in alone.columns[1:]] == ["Set14 \u00d74 psnr ↑"]


def test_scales_of_one_dataset_stand_below_its_name(tmp_path: Path) -> None:
    scores = {
        (f"{dataset}-x{scale}", "m", "psnr"): (30.0 - scale, 30.0)
        for dataset in ("Set5", "Set14")
        for scale in (10, 2, 4)
    }
    protocols = {dataset: f"sr-y:scale={dataset.partition('x')[2]}" for dataset, _, _ in scores}
    section = table(write_results(tmp_path / "results", scores, protocols))
    assert section.group_rows == [
        [("", 1), ("Set5", 3), ("Set14", 3)],
        [("", 1), *[(f"\u00d7{scale}", 1) for _ in range(2) for scale in (2, 4, 10)]],
    ]
    latex = render_(section, "latex")
    assert r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}" in latex
    assert r"\multicolumn{3}{c}{Set5} & \multicolumn{3}{c}{Set14}" in latex
    named = table(tmp_path / "results", names={"Set5": "Five", "Set14-x2": "Fourteen"})
    assert [text for text, _ in named.group_rows[0]] == ["", "Five", "Fourteen", "Set14"]


def render_(section: Section, format: str) -> str:
    from iqbench.document.model import Document

    return render(Document([section]), format)


def test_a_scale_in_a_name_that_the_protocol_contradicts_stays_in_the_name(tmp_path: Path) -> None:
    scores = {("Set5-x4", "m", "psnr"): (30.0, 31.0), ("x4", "m", "psnr"): (30.0, 31.0)}
    root = write_results(tmp_path / "results", scores, {"Set5-x4": "sr-y:scale=2"})
    groups = [column.groups for column in table(root).columns[1:]]
    assert groups == [("Set5-x4 \u00d72",), ("x4",)]


def test_the_best_are_marked_across_own_published_and_imported_rows(
    own: Path, tmp_path: Path
) -> None:
    publish(own, ("SwinIR", "Set5-x4", "psnr", 33.5, "sr-y:scale=4", "Liang 2021"))
    tool = tmp_path / "tool.csv"
    tool.write_text(
        "dataset,method,image,metric,value,protocol\n"
        + "".join(f"Set5-x4,tool,image{at},psnr,33.0,sr-y:scale=4\n" for at in range(2))
    )
    import_values(tool, own)
    found = cells(table(own, columns=("psnr",)))
    assert {name: row["Set5 \u00d74 psnr ↑"] for name, row in found.items()} == {
        "SwinIR": "33.50*",
        "tool": "33.00+",
        "edsr": "32.50",
        "bicubic": "28.50",
    }
    assert found["SwinIR"]["Set14 \u00d74 psnr ↑"] == "-"
    assert found["edsr"]["Set14 \u00d74 psnr ↑"] == "28.25*"
    remarks = table(own, columns=("psnr",)).remarks
    assert "published, not scored here: SwinIR (Liang 2021)" in remarks
    assert "imported from tool.csv: psnr of tool" in remarks


@pytest.mark.parametrize("protocol", ["", "rgb"])
def test_values_of_another_protocol_are_shown_and_not_compared(own: Path, protocol: str) -> None:
    publish(own, ("SwinIR", "Set5-x4", "psnr", 33.5, protocol, "Liang 2021"))
    found = cells(table(own, columns=("psnr",), datasets=("Set5-x4",)))
    column = "Set5 \u00d74 psnr ↑"
    assert found["SwinIR"][column] == "33.50 (†)"
    assert found["edsr"][column] == "32.50*"
    remarks = table(own, columns=("psnr",)).remarks
    assert any("its protocol is another or not stated; not compared" in text for text in remarks)
    told = run(
        *(own, "--layout", "paper", "--columns", "psnr", "--dataset", "Set5-x4"),
        *("--any-protocol", "--format", "markdown"),
    ).stdout
    assert "| SwinIR | **33.50** |" in told
    assert "| edsr | <ins>32.50</ins> |" in told
    assert "compared whatever protocol they state" in told


def test_imported_values_without_a_protocol_stand_in_the_column_and_are_not_compared(
    own: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "tool.csv"
    tool.write_text("dataset,method,image,psnr\nSet5-x4,tool,image0,40\nSet5-x4,tool,image1,40\n")
    import_values(tool, own)
    layout = {"columns": ("psnr",), "datasets": ("Set5-x4",)}
    assert cells(table(own, **layout))["tool"] == {"Set5 \u00d74 psnr ↑": "40.00 (†)"}
    compared = cells(table(own, **layout, any_protocol=True))
    assert compared["tool"] == {"Set5 \u00d74 psnr ↑": "40.00*"}


def test_a_method_that_is_both_scored_and_imported_keeps_both_columns(
    own: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "tool.csv"
    tool.write_text("dataset,method,image,psnr\nSet5-x4,edsr,image0,40\nSet5-x4,edsr,image1,40\n")
    import_values(tool, own)
    found = cells(table(own, columns=("psnr",), datasets=("Set5-x4",)))["edsr"]
    assert sorted(text.rstrip("*+") for text in found.values()) == ["32.50", "40.00"]


def test_a_mean_of_some_images_is_shown_and_not_compared(tmp_path: Path) -> None:
    scores = {("Set5", "full", "psnr"): (20.0, 22.0), ("Set5", "part", "psnr"): (40.0,)}
    root = write_results(tmp_path / "results", scores)
    section = table(root)
    assert cells(section) == {
        "full": {"Set5 psnr ↑": "21.00"},
        "part": {"Set5 psnr ↑": "40.00 (1/2)"},
    }
    assert section.remarks == ["n/m: a mean over n of m images; not compared"]


def test_what_is_infinite_is_counted_and_ranks_as_in_the_leaderboard(tmp_path: Path) -> None:
    scores = {
        ("Set5", "one", "psnr"): (30.0, 20.0),
        ("Set5", "two", "psnr"): (29.0, math.inf),
    }
    root = write_results(tmp_path / "results", scores)
    assert cells(table(root)) == {
        "one": {"Set5 psnr ↑": "25.00*"},  # on the image that is finite for both
        "two": {"Set5 psnr ↑": "29.00+ (+1 inf)"},
    }


def test_a_column_without_direction_marks_nothing(tmp_path: Path) -> None:
    scores = {("Set5", name, "tv-output"): (value, value) for name, value in (("a", 1), ("b", 2))}
    root = write_results(tmp_path / "results", scores)
    assert cells(table(root, columns=("tv-output",))) == {
        "a": {"Set5 tv-output": "1.0000"},
        "b": {"Set5 tv-output": "2.0000"},
    }


def test_costs_stand_once_before_the_datasets(own: Path, tmp_path: Path) -> None:
    costs = tmp_path / "costs.csv"
    costs.write_text("method,params\nbicubic,0\nedsr,43\n")
    import_values(costs, own)
    section = table(own, columns=("params", "psnr"))
    assert [column.full_heading for column in section.columns] == [
        *("Method", "params ↓", "Set5 \u00d74 psnr ↑", "Set14 \u00d74 psnr ↑"),
    ]
    assert cells(section)["edsr"]["params ↓"] == "43"  # a cost is not marked
    latex = render_(section, "latex")
    assert r" &  & \multicolumn{1}{c}{Set5 $\times$4}" in latex
    assert r"\cmidrule(lr){3-3} \cmidrule(lr){4-4}" in latex


def test_names_decimals_and_citations_are_by_method_dataset_and_selector(results: Path) -> None:
    section = table(
        results,
        names={
            "edsr": "EDSR",
            "Set5-x4": "Set5",
            "Set14": "Fourteen",
            "psnr": "P",
            "psnr[protocol=sr-y:scale=4]": "PSNR-Y",
        },
        decimals={"psnr": 1, "ssim": 3},
        cite={"edsr": "lim2017:edsr"},
    )
    assert cells(section)["EDSR"] == {
        "Set5 PSNR-Y ↑": "32.5*",
        "Set5 ssim ↑": "0.910*",
        "Fourteen \u00d74 PSNR-Y ↑": "28.2*",
        "Fourteen \u00d74 ssim ↑": "0.790*",
    }
    assert r"    EDSR~\cite{lim2017:edsr} &" in render_(section, "latex")
    assert "lim2017" not in render_(section, "markdown")


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ({"order": ("esdr",)}, "unknown method of the table 'esdr'. Did you mean 'edsr'"),
        ({"names": {"edsr": "bicubic"}}, "two rows of the table would be called 'bicubic'"),
        ({"names": {"ssim": "psnr"}}, "two columns of the table would be called"),
        ({"datasets": ("Set6-x4",)}, "unknown dataset 'Set6-x4'"),
        ({"columns": ("pnsr",)}, "unknown metric 'pnsr'"),
        ({"methods": ("esdr",)}, "unknown method 'esdr'"),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    results: Path, layout: dict[str, object], problem: str
) -> None:
    with pytest.raises(IqbenchError, match=re.escape(problem)):
        table(results, **layout)


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ({"names": {"pnsr": "PSNR"}}, "name of 'pnsr' is not used.* Did you mean 'psnr'"),
        ({"names": {"Set15-x4": "A"}}, "name of 'Set15-x4' is not used.* Did you mean 'Set5-x4'"),
        ({"cite": {"esdr": "key"}}, "citation of 'esdr' is not used.* Did you mean 'edsr'"),
        ({"decimals": {"psnr[view=luma]": 1}}, "number of decimals of 'psnr.* is not used"),
    ],
)
def test_what_is_said_of_something_else_is_not_used_with_a_warning(
    results: Path, layout: dict[str, object], problem: str
) -> None:
    with pytest.warns(IqbenchWarning, match=problem):
        assert table(results, **layout).rows == 2


FILE = """\
caption: >
  Super-resolution,
  PSNR and SSIM.
label: tab:sr
methods: [bicubic, edsr]
datasets: [Set14-x4]
columns: [psnr, "ssim[protocol=sr-y:scale=4]"]
names: {psnr: PSNR, edsr: EDSR}
decimals: {psnr: 1}
cite: {edsr: lim2017}
arrows: false
wide: true
"""


def test_a_file_says_all_of_it_and_options_come_before_it(results: Path, tmp_path: Path) -> None:
    file = tmp_path / "table.yaml"
    file.write_text(FILE)
    told = run(results, "--table", file, "--format", "latex").stdout
    assert r"\caption{Super-resolution, PSNR and SSIM.}" in told
    assert r"\label{tab:sr}" in told
    assert "Method & PSNR & ssim \\\\" in told
    assert told.index("bicubic") < told.index(r"EDSR~\cite{lim2017}")
    assert r"\textbf{28.2} & \textbf{0.7900}" in told
    assert r"\begin{table*}" in told
    more = ("--caption", "Other", "--columns", "ssim", "--order", "edsr", "--method", "edsr")
    with pytest.raises(IqbenchError, match="unknown method of the table 'bicubic'"):
        run(results, "--table", file, *more)
    ran = run(results, "--table", file, *more[:4], "--no-wide", "--format", "latex")
    assert "name of 'psnr' is not used" in ran.stderr
    told = ran.stdout
    assert r"\caption{Other}" in told
    assert "PSNR" not in told.replace("PSNR and SSIM", "")
    assert r"\begin{table}" in told


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("captoin: x", r"table\.yaml: unknown key 'captoin'\. Did you mean 'caption'"),
        ("label: '}'", r"table\.yaml: key 'label'"),
        ("label: a\\b", r"table\.yaml: key 'label'"),
        ("cite: {edsr: 'a}\\input{b'}", r"table\.yaml: key 'cite\.edsr'"),
        ("decimals: -1", r"table\.yaml: key 'decimals"),
        ("decimals: {psnr: 99}", r"table\.yaml: key 'decimals\.psnr': "),
        ("decimals: 99", r"table\.yaml: key 'decimals': should be less than or equal to 12"),
        ("decimals: true", r"table\.yaml: key 'decimals': should be a valid integer"),
        ("decimals: {psnr: true}", r"table\.yaml: key 'decimals\.psnr': should be a valid integer"),
        ("order: 3", r"table\.yaml: key 'order': should be a list"),
        ("names: {3: x}", r"table\.yaml: key 'names\.3': should be a valid string"),
        ("methods: edsr", r"table\.yaml: key 'methods'"),
        ("methods: [1]", r"table\.yaml: key 'methods\.0'"),
        ("names: [psnr]", r"table\.yaml: key 'names': should be keys with values"),
        ("arrows: maybe", r"table\.yaml: key 'arrows'"),
        ("- a", r"table\.yaml must hold keys with values, not a list"),
        ("", r"table\.yaml must hold keys with values, not empty"),
        ("caption: a\ncaption: b", "key 'caption' is there a second time"),
        ("caption: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_name_and_key(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "table.yaml"
    file.write_text(text)
    with pytest.raises(IqbenchError, match=problem):
        read_table_layout(file)
    with pytest.raises(IqbenchError, match=r"table file .*none\.yaml does not exist"):
        read_table_layout(tmp_path / "none.yaml")


def test_options_of_a_paper_are_refused_without_it(results: Path) -> None:
    for options in (("--caption", "x"), ("--name", "a=b"), ("--no-arrows",), ("--any-protocol",)):
        told = run(results, *options)
        assert told.exit_code == 2
        assert f"{options[0].replace('--no-', '--')} belongs to --layout paper" in told.stderr
    assert run(results, "--layout", "paper", "--pairs").exit_code == 2
    assert run(results, "--layout", "paper", "--name", "psnr").exit_code == 2
    assert run(results, "--layout", "paper", "--decimals", "psnr=x").exit_code == 2


def test_programs_get_numbers_in_full(results: Path, tmp_path: Path) -> None:
    rows = json.loads(run(results, "--layout", "paper", "--format", "json").stdout)
    assert rows[1]["method"] == "bicubic"
    assert rows[1]["Set14 \u00d74 ssim"] == np.mean([0.7, 0.72])
    assert list(rows[0]) == [
        *("method", "Set5 \u00d74 psnr", "Set5 \u00d74 ssim", "Set14 \u00d74 psnr"),
        "Set14 \u00d74 ssim",
    ]
    part = write_results(tmp_path / "part", {("Set5", "part", "psnr"): (40.0,)})
    (row,) = json.loads(run(part, "--layout", "paper", "--format", "json").stdout)
    assert row == {"method": "part", "Set5 psnr": 40.0, "note": "Set5 psnr: 1/2"}


def test_a_terminal_shows_groups_above_columns_and_marks_the_second(results: Path) -> None:
    lines = run(results, "--layout", "paper").stdout.splitlines()
    assert lines[0] == "Mean scores on Set5 \u00d74, Set14 \u00d74"
    assert lines[2].split() == [*["Set5", "\u00d74"] * 2, *["Set14", "\u00d74"] * 2]
    assert lines[3].split() == ["Method", *["psnr", "↑", "ssim", "↑"] * 2]
    assert "edsr" in lines[5]
    assert lines[6].split() == ["bicubic", "28.50+", "0.8100+", "26.25+", "0.7100+"]
    assert lines[-2:] == ["* best of the column", "+ second best"]


def test_word_gets_plain_tables_without_scripts(results: Path, tmp_path: Path) -> None:
    file = tmp_path / "table.doc"
    run(results, "--layout", "paper", "-o", file)
    told = file.read_text("utf-8")
    assert "<script" not in told
    assert "<style" not in told
    assert '<td colspan="2"' in told
    assert "<b>32.50</b>" in told
    assert "<u>28.50</u>" in told


def test_html_has_groups_of_columns(results: Path) -> None:
    told = run(results, "--layout", "paper", "--format", "html").stdout
    assert told.count('<th scope="colgroup" colspan="2">') == 2


def test_intervals_are_shown_where_they_are_asked_for(results: Path) -> None:
    assert "±" not in run(results, "--layout", "paper").stdout
    told = run(results, "--layout", "paper", "--intervals", "--format", "latex").stdout
    assert r"\textbf{32.50} $\pm$ 0.50" in told


HOSTILE = "[a]&b_c%d$e#f{g}h~i^j\\k<script>\x1b\n"


@pytest.mark.parametrize("format", ["table", "markdown", "latex", "html", "word"])
def test_names_cannot_break_the_table(tmp_path: Path, format: str) -> None:
    scores = {("Set5", name, "psnr"): (value, value) for name, value in (("a", 1.0), ("b", 2.0))}
    root = write_results(tmp_path / "results", scores)
    told = render_(
        table(root, names={"a": HOSTILE, "Set5": HOSTILE, "psnr": HOSTILE}, caption=HOSTILE), format
    )
    assert "\x1b" not in told
    assert format in ("table", "latex") or "<script>\\" not in told
    if format == "latex":
        bare = re.sub(r"\\(?:[a-z]+\{\}|[{}#$%&_])", "", told)
        assert bare.count("{") == bare.count("}")
        rows = [line for line in bare.splitlines() if line.endswith("\\\\")]
        assert {line.count("&") for line in rows} == {1}


@settings(derandomize=True, max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda pair: tuple(map(float, pair))),
        min_size=1,
        max_size=6,
    )
)
def test_marks_are_those_of_the_means(values: list[tuple[float, float]]) -> None:
    given_ = {("Set5", f"m{at}", "psnr"): pair for at, pair in enumerate(values)}
    board = Board.of(*frames(given_), COLUMNS)
    (section,) = paper_document(board).sections
    means = sorted({sum(pair) for pair in values}, reverse=True)
    for name, row in cells(section).items():
        mean = sum(values[int(name[1:])])
        place = means.index(mean) + 1 if len(means) > 1 and mean in means[:2] else 0
        assert row["Set5 psnr ↑"] == f"{mean / 2:.2f}" + {0: "", 1: "*", 2: "+"}[place]
