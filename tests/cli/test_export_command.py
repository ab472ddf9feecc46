"""`iqbench export`: all current scores in one file."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from made_columns import as_stated

from iqbench.cli.export import export
from iqbench.errors import IqbenchError
from iqbench.results.schema import ColumnInfo, ImageRow, Manifest, ScoreRow
from iqbench.results.store import Store


@pytest.fixture
def results(tmp_path: Path) -> Path:
    facts = dict.fromkeys(
        ["iqbench", "python", "torch", "platform", "device", "precision", "command", "time"], "x"
    )
    columns = as_stated({"psnr": ColumnInfo("higher", 2), "ssim": ColumnInfo("higher", 4)})
    with Store(tmp_path / "results").writer(Manifest(**facts), columns) as writer:
        for image, value in (("a", 30.0), ("b", 31.0)):
            row = ImageRow("set5", "001", image, "ref", "out")
            writer.add_image(row)
            writer.add_scores(
                [
                    ScoreRow("set5", "001", image, "psnr", value, None, "m=psnr", "rgb", row.pair),
                    ScoreRow("set5", "001", image, "ssim", None, "broken", "m=s", "rgb", row.pair),
                ]
            )
    return tmp_path / "results"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(
        export, [str(argument) for argument in arguments], catch_exceptions=False
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_long_and_wide_forms(results: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"scores.{suffix}"

    def exported(*options: str) -> pd.DataFrame:
        done = run(results, *options, "-o", target)
        assert done.stdout == ""
        assert str(target) in done.stderr
        if suffix == "parquet":
            return pd.read_parquet(target)
        return pd.read_csv(target, dtype={"method": str})

    long = exported()
    assert long["value"].isna().tolist() == [False, True, False, True]
    assert long["error"].dropna().tolist() == ["broken", "broken"]
    assert set(long["method"]) == {"001"}
    wide = exported("--wide")
    assert list(wide) == ["dataset", "method", "image", "psnr", "ssim"]
    assert wide["psnr"].tolist() == [30.0, 31.0]
    assert len(exported("--metric", "psnr")) == 2


def test_another_suffix_is_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match=r"Let it end in \.csv or \.parquet"):
        run(results, "-o", tmp_path / "scores.xlsx")


def test_where_to_write_has_to_be_said(results: Path) -> None:
    done = run(results)
    assert done.exit_code == 2
    assert "--output" in done.stderr


def test_the_help_has_examples() -> None:
    assert "iqbench export --wide -o scores.csv" in run("--help").stdout


def test_a_csv_for_a_spreadsheet_has_no_formula_and_no_control_character(made, iqbench):
    import pandas as pd

    made.references()
    names = ["=cmd|'calc'!A0", "+1x", "-1x", "@sum", "'quoted", "plain"]
    for name in names:
        made.method(name)
    made.evaluate()
    assert iqbench("export", "-o", "plain.csv").code == 0
    assert set(pd.read_csv("plain.csv")["method"]) == set(names)
    assert iqbench("export", "--spreadsheet", "-o", "quoted.csv").code == 0
    quoted, plain = pd.read_csv("quoted.csv"), pd.read_csv("plain.csv")
    assert not quoted["method"].str.match(r"[=+@-]").any()
    assert set(quoted["method"].str.removeprefix("'")) == set(names)
    assert sorted(quoted["value"]) == sorted(plain["value"])
    ran = iqbench("export", "--spreadsheet", "-o", "x.parquet")
    assert (ran.code, "is for a CSV" in ran.err) == (2, True)


def test_a_file_without_a_suffix_needs_a_format(results: Path, tmp_path: Path) -> None:
    target = tmp_path / "scores"
    with pytest.raises(IqbenchError, match=r"end in \.csv or \.parquet, or give --format"):
        run(results, "-o", target)
    run(results, "-o", target, "--format", "csv")
    assert pd.read_csv(target)["value"].dropna().tolist() == [30.0, 31.0]
    run(results, "-o", target, "--format", "parquet")
    assert pd.read_parquet(target)["value"].dropna().tolist() == [30.0, 31.0]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no named pipes in its file system")
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_pipe_gets_what_a_file_gets(results: Path, tmp_path: Path, format: str) -> None:
    whole = tmp_path / f"scores.{format}"
    run(results, "-o", whole)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as threads:
        content = threads.submit(pipe.read_bytes)
        run(results, "-o", pipe, "--format", format)
        assert content.result(60) == whole.read_bytes()
    assert pipe.is_fifo()
