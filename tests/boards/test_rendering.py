"""Tables for people and programs, with names of any kind."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_columns import as_stated

from iqbench.boards.document import render_leaderboard
from iqbench.boards.means_table import MeansTable
from iqbench.document.files import export_frame, write_text
from iqbench.document.model import Document, Entry, Section, TableColumn, direction_arrow
from iqbench.document.records import FORMATS, render_records
from iqbench.document.render import render
from iqbench.document.terminal import Window
from iqbench.document.text import escape_latex, escape_markdown, fold_heading, number, printable
from iqbench.errors import IqbenchError
from iqbench.results.schema import ColumnInfo

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2),
        "perceptual-vgg16-sum-l1": ColumnInfo("lower", 4),
        "tv-ratio": ColumnInfo("target:1", 3),
        "tv-output": ColumnInfo("none", 4),
    }
)


def board(**changes: Any) -> pd.DataFrame:
    """Make a leaderboard of three methods, the last of them incomplete."""
    columns: dict[str, Any] = {
        "dataset": "Set5",
        "protocol": "sr-y:scale=4",
        "ranked_by": "psnr",
        "rank": pd.array([1, 2, None], dtype="Int64"),
        "method": ["edsr", "bicubic", "swinir"],
        "n": [5, 5, 3],
        "expected": 5,
        "complete": [True, True, False],
        "psnr": [math.inf, 28.4231, 33.0],
        "psnr_infinite": [5, 0, 0],
        "psnr_rank": pd.array([1, 2, None], dtype="Int64"),
        "perceptual-vgg16-sum-l1": [0.25, 0.5, 0.125],
        "perceptual-vgg16-sum-l1_rank": pd.array([1, 2, None], dtype="Int64"),
        "tv-ratio": [0.9, 0.5, 1.0],
        "tv-ratio_distance": [0.11, 0.5, 0.1],
        "tv-ratio_rank": pd.array([1, 2, None], dtype="Int64"),
        "tv-output": [1.0, 2.0, 0.00001],
        "missing": ["", "", "psnr 2, tv-ratio 2"],
        "undefined": ["", "tv-ratio 1", ""],
    }
    return pd.DataFrame({**columns, **changes})


def shown(frame: pd.DataFrame, format: str = "table", **options: Any) -> str:
    return render_leaderboard(MeansTable(frame, COLUMNS), format, **options)


def test_a_leaderboard_in_a_terminal() -> None:
    assert shown(board(), hidden=3, window=Window(80)).split("\n") == [
        "Set5  sr-y:scale=4, 5 images, ranked by psnr",
        "",
        "                       perceptual-",
        "                        vgg16-sum-       tv-    tv-ratio",
        "#  method      psnr ↑         l1 ↓  ratio →1  distance ↓  tv-output",
        "───────────────────────────────────────────────────────────────────",
        "1  edsr          inf*      0.2500*     0.900      0.110*     1.0000",
        "2  bicubic      28.42       0.5000     0.500       0.500     2.0000",
        "",
        "-  swinir       33.00       0.1250     1.000       0.100    1.0e-05",
        "   3/5 images",
        "",
        "5 images are too few for any difference to be significant",
        "undefined and left out of the mean: tv-ratio 1 (bicubic)",
        "",
        "* best of the complete methods",
        "Not ranked: incomplete methods; the reasons are in column error of iqbench",
        "export -o scores.csv, and iqbench evaluate goes on with what is still to do",
        "3 more columns: --columns all",
        "",
    ]


def test_each_protocol_of_a_dataset_stands_once_above_its_table() -> None:
    frame = board(protocol=["rgb + sr-y:scale=4", "rgb", ""])
    assert shown(frame).splitlines()[0] == "Set5  rgb, sr-y:scale=4, 5 images, ranked by psnr"


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_no_line_is_wider_than_the_window(width: int) -> None:
    wide = {f"metric-{number}-of-{'x' * number}": float(number) for number in range(12)}
    text = render_leaderboard(MeansTable(board(**wide), COLUMNS), "table", window=Window(width))
    assert max(len(line) for line in text.split("\n")) <= width
    # Every piece repeats the names.
    assert text.count("edsr") == text.count("#")


def test_in_colour_the_best_is_bold_instead_of_starred() -> None:
    text = shown(board(), window=Window(80, color=True))
    assert re.search(r"\x1b\[1;32m\s*0\.2500\x1b\[0m", text)
    assert "*" not in text
    assert re.sub(r"\x1b\[[0-9;]*m", "", text).count("0.2500") == 1


def test_a_leaderboard_in_markdown_sets_incomplete_methods_apart() -> None:
    text = shown(board(), "markdown", hidden=1)
    ranked, unranked = text.split("Incomplete, not ranked:")
    assert "| 1 | edsr | **inf** | **0.2500** | 0.900 | **0.110** | 1.0000 |" in ranked
    assert "| psnr ↑ | perceptual-vgg16-sum-l1 ↓ | tv-ratio →1 | tv-ratio distance ↓ |" in ranked
    assert "| - | swinir (3/5 images) | 33.00 | 0.1250 | 1.000 | 0.100 | 1.0e-05 |" in unranked
    assert "1 more column: --columns all" in unranked


def test_a_leaderboard_of_incomplete_methods_alone() -> None:
    frame = board().iloc[2:]
    assert "ranked by" not in shown(frame)
    assert "3/5 images" in shown(frame)
    assert "swinir (3/5 images)" in shown(frame, "markdown")


def test_values_missing_of_images_that_are_there_are_named() -> None:
    frame = board(n=5)
    assert "swinir lacks values: psnr 2, tv-ratio 2" in shown(frame)
    assert "lacks values" not in shown(board())


def test_where_columns_lack_different_numbers_of_images_each_is_counted() -> None:
    frame = board()
    frame.loc[2, "missing"] = "psnr 2, tv-ratio 2"  # 3/5 images says it
    assert "lacks values" not in shown(frame)
    frame.loc[2, "missing"] = "psnr 4, tv-ratio 2"
    assert "swinir lacks values: psnr 4, tv-ratio 2" in shown(frame)


def test_values_that_every_method_lacks_are_reported_once() -> None:
    text = shown(board(undefined="tv-ratio 1"))
    assert text.count("undefined and left out") == 1
    assert "tv-ratio 1 (every method)" in text


def test_a_column_that_a_dataset_does_not_have_is_not_shown_there() -> None:
    other = board(dataset="Set14", **{"tv-output": math.nan})
    first, second = shown(pd.concat([board(), other], ignore_index=True)).split("Set14")
    assert "tv-output" in first
    assert "tv-output" not in second


def test_csv_and_json_hold_the_whole_board() -> None:
    rows = list(csv.DictReader(io.StringIO(shown(board(), "csv"))))
    assert rows[0]["psnr"] == "inf"
    assert rows[1]["psnr"] == "28.4231"
    assert rows[2]["rank"] == ""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    first, _, last = json.loads(shown(board(), "json"), parse_constant=refuse)
    assert list(first) == list(board().columns)
    assert (first["psnr"], first["rank"], first["complete"]) == ("inf", 1, True)
    assert (last["rank"], last["complete"], last["missing"]) == (None, False, "psnr 2, tv-ratio 2")


HOSTILE = "[red]<script>|*_`\x1b[31m\u202eevil\n"


@pytest.mark.parametrize("format", ["table", "markdown"])
def test_names_cannot_break_the_table(format: str) -> None:
    text = shown(board(method=[HOSTILE, "b", "c"], dataset=HOSTILE), format)
    assert "\x1b" not in text
    assert "\u202e" not in text
    if format == "markdown":
        assert "<script>" not in text
        rows = [line for line in text.split("\n") if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}
    else:
        assert "[red]<script>|*_`\\x1b[31m\\u202eevil\\n" in text


@settings(derandomize=True)
@given(st.text(max_size=20))
def test_any_name_stays_one_printable_line(name: str) -> None:
    assert printable(name).isprintable()
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<>*`\[]", escape_markdown(name))


def test_numbers_for_people() -> None:
    assert number(28.4231, 2) == "28.42"
    assert number(0.0, 2) == "0.00"
    assert number(0.00001, 4) == "1.0e-05"
    assert number(12345.678) == "1.235e+04"
    assert [number(-0.0, 2), number(-0.0), number(-0.004, 2)] == ["0.00", "0", "-4.0e-03"]
    # No digit but zeros would be shown; and none of more digits than a double has is known.
    assert [number(0.5, 0), number(-5e-7, 6), number(1.5, 0)] == ["5.0e-01", "-5.0e-07", "2"]
    assert [number(1.25e15, 0), number(-1.7e308, 4)] == ["1250000000000000", "-1.7e+308"]
    assert [number(math.inf, 2), number(-math.inf), number(math.nan), number(None)] == [
        "inf",
        "-inf",
        "-",
        "-",
    ]


def test_headings_fold_at_hyphens_and_keep_their_arrow() -> None:
    assert fold_heading("psnr ↑") == ["psnr ↑"]
    assert fold_heading("perceptual-vgg16-sum-l1 ↓") == ["perceptual-", "vgg16-sum-", "l1 ↓"]
    assert fold_heading("psnr [view=luma] →1") == ["psnr", "[view=luma] →1"]


def test_arrows() -> None:
    assert [direction_arrow(info) for info in COLUMNS.values()] == ["↑", "↓", "→1", ""]


RECORDS = pd.DataFrame(
    {
        "metric": pd.Categorical(["psnr", "tv|x"]),
        "value": [math.inf, math.nan],
        "count": [3, 4],
        "fine": [True, False],
        "error": [None, "undefined: flat"],
    }
)


def test_any_records_in_a_terminal() -> None:
    assert render_records(RECORDS, "table").split("\n") == [
        "metric  value  count  fine  error",
        "───────────────────────────────────────────",
        "psnr      inf      3  yes   -",
        "tv|x        -      4  no    undefined: flat",
        "",
    ]


def test_any_records_in_markdown() -> None:
    assert render_records(RECORDS, "markdown") == (
        "| metric | value | count | fine | error |\n"
        "| --- | ---: | ---: | --- | --- |\n"
        "| psnr | inf | 3 | yes | - |\n"
        "| tv\\|x | - | 4 | no | undefined: flat |\n"
    )


def test_any_records_for_programs() -> None:
    assert render_records(RECORDS, "csv").split("\n")[1:] == [
        "psnr,inf,3,True,",
        "tv|x,,4,False,undefined: flat",
        "",
    ]
    assert json.loads(render_records(RECORDS, "json")) == [
        {"metric": "psnr", "value": "inf", "count": 3, "fine": True, "error": None},
        {"metric": "tv|x", "value": None, "count": 4, "fine": False, "error": "undefined: flat"},
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_no_records_at_all(format: str) -> None:
    assert render_records(RECORDS[:0], format).endswith("\n")


@pytest.mark.parametrize("name", ["=1+2", "+1", "-1", "@sum", "'x"])
def test_a_csv_for_a_spreadsheet_holds_no_formula(name: str) -> None:
    rows = pd.DataFrame({"method": [name, "plain"], name: [-1.5, math.inf]})
    assert render_records(rows, "csv") == f"method,{name}\n{name},-1.5\nplain,inf\n"
    assert render_records(rows, "spreadsheet") == (f"method,'{name}\n'{name},-1.5\nplain,inf\n")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("-0.16540 to -0.13941", "$-$0.16540 to $-$0.13941"),
        ("0.1 [-1, -2]", "0.1 [$-$1, $-$2]"),
        ("-inf", "$-\\infty$"),
        ("1e-05", "1e-05"),
        ("2026-11-29", "2026-11-29"),
    ],
)
def test_every_sign_of_a_number_is_a_minus_in_latex(text: str, written: str) -> None:
    column = TableColumn("value", "difference", [Entry(text, value=0.0)])
    document = Document([Section("set5", columns=[column])])
    assert f"    {written} \\\\\n" in render(document, "latex")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(IqbenchError, match=r"unknown format 'jsno'. Did you mean 'json'"):
        render_records(RECORDS, "jsno")


@pytest.mark.usefixtures("capsys")  # so that stdout is not a terminal
def test_the_window_of_a_pipe_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert Window.of_stdout().width > 1000
    monkeypatch.setenv("COLUMNS", "90")
    assert Window.of_stdout() == Window(90, color=False)


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "board.md"
    write_text(target, "old\n")

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            write_text(target, "new\n")
    assert target.read_text() == "old\n"
    write_text(target, "→ new\n")
    assert target.read_bytes() == "→ new\n".encode()
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match=r"cannot write .*none.*board.md") as caught:
        write_text(tmp_path / "none" / "board.md", "x")
    assert "Choose another place" in caught.value.hint


def test_frames_are_exported_by_suffix(tmp_path: Path) -> None:
    export_frame(RECORDS, tmp_path / "a.csv")
    export_frame(RECORDS, tmp_path / "a.parquet")
    assert pd.read_csv(tmp_path / "a.csv")["value"].tolist()[0] == math.inf
    assert pd.read_parquet(tmp_path / "a.parquet")["count"].tolist() == [3, 4]
    with pytest.raises(IqbenchError, match=r"cannot tell the format of .*a.xlsx"):
        export_frame(RECORDS, tmp_path / "a.xlsx")


def test_names_that_are_far_too_long_do_not_make_a_table_wide() -> None:
    name = "begin" + "x" * 10_000 + "end"
    frame = pd.DataFrame({"method": [name], name: [1.0]})
    shown = render_records(frame, "table")
    assert max(map(len, shown.splitlines())) < 150
    assert shown.count("begin") == shown.count("...") == 2
    assert len(escape_latex(name)) <= 200
