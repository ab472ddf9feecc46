"""`iqbench export`: all current scores in one file."""

from __future__ import annotations

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from made_columns import as_stated
from made_manifest import MANIFEST

from iqbench.cli.export import export
from iqbench.document.files import export_frame, export_frames
from iqbench.errors import IqbenchError
from iqbench.results.read import iter_scores, load_scores
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.store import Store


@pytest.fixture
def results(tmp_path: Path) -> Path:
    columns = as_stated({"psnr": ColumnInfo("higher", 2), "ssim": ColumnInfo("higher", 4)})
    with Store(tmp_path / "results").writer(MANIFEST, columns) as writer:
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


def test_a_line_of_json_a_row(results: Path, tmp_path: Path) -> None:
    run(results, "-o", tmp_path / "scores.jsonl")
    lines = (tmp_path / "scores.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines[:2]] == [
        {
            **{"dataset": "set5", "method": "001", "image": "a", "metric": "psnr", "value": 30.0},
            **{"error": None, "signature": "m=psnr", "protocol": "rgb"},
        },
        {
            **{"dataset": "set5", "method": "001", "image": "a", "metric": "ssim", "value": None},
            **{"error": "broken", "signature": "m=s", "protocol": "rgb"},
        },
    ]
    run(results, "--wide", "--format", "jsonl", "-o", tmp_path / "wide")
    wide = (tmp_path / "wide").read_text(encoding="utf-8").splitlines()
    assert json.loads(wide[0]) == {
        **{"dataset": "set5", "method": "001", "image": "a", "psnr": 30.0, "ssim": None},
    }


class TestPieces:
    """Results of many methods are written piece by piece; readers see no joints."""

    @pytest.fixture
    def many(self, tmp_path: Path) -> Path:
        """Make two datasets, whose methods have other metrics, images and signatures each."""
        columns = as_stated({"psnr": ColumnInfo("higher", 2), "lpips": ColumnInfo("lower", 4)})
        with Store(tmp_path / "results").writer(MANIFEST, columns) as writer:
            for dataset in ("Set5", "a set"):
                for method, metrics in (("b", ["psnr"]), ("A", ["psnr", "lpips"]), ("é", ["tv"])):
                    for image in ("2", "10") if method == "b" else ("10", "clip/1"):
                        row = ImageRow(dataset, method, image, "ref", f"{method}{image}")
                        writer.add_image(row)
                        writer.add_scores(
                            ScoreRow(
                                *(dataset, method, image, metric),
                                *(math.inf if method == "b" else len(dataset) / 7, None),
                                *(f"metric={metric}|protocol={protocol}/1", protocol, row.pair),
                            )
                            for metric in metrics
                            for protocol in ("rgb", "y")[: 1 + (dataset == "Set5")]
                        )
        return tmp_path / "results"

    @pytest.mark.parametrize("wide", [False, True])
    @pytest.mark.parametrize("chosen", [None, {"metric": "psnr"}, {"dataset": "a set"}])
    def test_together_they_are_the_scores(self, many: Path, wide: bool, chosen: object) -> None:
        whole = load_scores(many, wide=wide, filters=chosen)
        pieces = list(iter_scores(many, wide=wide, filters=chosen))
        assert len(pieces) > 1
        pd.testing.assert_frame_equal(
            pd.concat([piece.astype(object) for piece in pieces], ignore_index=True),
            (whole.reset_index() if wide else whole).astype(object),
        )

    def test_columns_are_those_that_were_asked_for(self, many: Path) -> None:
        names = ["psnr[protocol=y]", "tv[protocol=rgb]"]
        for piece in iter_scores(many, wide=True, columns=names):
            assert list(piece)[3:] == ["psnr [protocol=y/1]", "tv [protocol=rgb/1]"]
        with pytest.raises(IqbenchError, match="ssim"):
            list(iter_scores(many, wide=True, columns=["ssim"]))

    @pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
    def test_every_format_holds_all_of_them(self, many: Path, tmp_path: Path, suffix: str) -> None:
        target = tmp_path / f"scores.{suffix}"
        assert f"wrote {len(load_scores(many))} rows" in run(many, "-o", target).stderr
        read = {
            "csv": lambda: pd.read_csv(target, dtype={"image": str}),
            "parquet": lambda: pd.read_parquet(target),
            "jsonl": lambda: pd.DataFrame(map(json.loads, target.read_text("utf-8").splitlines())),
        }[suffix]()
        told = read.astype({"value": float, "error": object}).fillna({"error": ""})
        wanted = load_scores(many).astype({"error": object}).fillna({"error": ""})
        pd.testing.assert_frame_equal(told, wanted, check_dtype=False, check_categorical=False)

    @pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
    def test_a_failed_write_leaves_the_old_file(self, tmp_path: Path, suffix: str) -> None:
        target = tmp_path / f"scores.{suffix}"
        target.write_text("old")

        def pieces():
            yield pd.DataFrame({"value": [1.0]})
            raise IqbenchError("a part is damaged")

        with pytest.raises(IqbenchError, match="a part is damaged"):
            export_frames(pieces(), target)
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_damaged_part_leaves_no_file(self, many: Path, tmp_path: Path) -> None:
        *_, last = sorted((many / "scores").glob("*/*/*.parquet"))
        last.write_bytes(last.read_bytes()[:-9])
        with pytest.raises(IqbenchError, match="is not the file that was written"):
            run(many, "-o", tmp_path / "scores.csv")
        assert not (tmp_path / "scores.csv").exists()

    @given(st.lists(st.lists(st.floats(width=64), max_size=4), min_size=1, max_size=4))
    @settings(max_examples=20)
    def test_pieces_of_any_size_are_one_table(self, tmp_path_factory, values) -> None:
        folder = tmp_path_factory.mktemp("pieces")
        pieces = [
            pd.DataFrame({"name": pd.Categorical([f"n{place}"] * len(part)), "value": part})
            for place, part in enumerate(np.array(one, dtype=np.float64) for one in values)
        ]
        whole = pd.concat([piece.astype({"name": object}) for piece in pieces], ignore_index=True)
        for suffix in ("csv", "jsonl"):
            parts, one = folder / f"parts.{suffix}", folder / f"one.{suffix}"
            assert export_frames(iter(pieces), parts) == len(whole)
            export_frame(whole, one)
            assert parts.read_bytes() == one.read_bytes()
        export_frames(iter(pieces), folder / "parts.parquet")
        read = pd.read_parquet(folder / "parts.parquet").astype({"name": object})
        pd.testing.assert_frame_equal(read, whole, check_dtype=False)

    def test_small_pieces_share_a_group_of_rows(self, tmp_path: Path) -> None:
        pieces = (pd.DataFrame({"value": [float(number)]}) for number in range(100))
        export_frames(pieces, tmp_path / "a.parquet")
        assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 1


def test_another_suffix_is_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match=r"ends in \.csv, \.parquet or \.jsonl"):
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
    with pytest.raises(IqbenchError, match=r"\.parquet or \.jsonl, or give --format"):
        run(results, "-o", target)
    run(results, "-o", target, "--format", "csv")
    assert pd.read_csv(target)["value"].dropna().tolist() == [30.0, 31.0]
    run(results, "-o", target, "--format", "parquet")
    assert pd.read_parquet(target)["value"].dropna().tolist() == [30.0, 31.0]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no named pipes in its file system")
@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
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
