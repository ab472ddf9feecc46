"""Scores of two different references are never mixed: in no rank, mean, pair or plot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from made_columns import as_stated
from made_manifest import MANIFEST

from iqbench.boards.board import Board, read_board
from iqbench.boards.dataset_board import BoardOptions
from iqbench.cli.correlate import correlate
from iqbench.cli.export import export
from iqbench.cli.leaderboard import leaderboard as leaderboard_command
from iqbench.errors import IqbenchWarning
from iqbench.page.contents import read_contents
from iqbench.results.read import load_columns, load_images, load_scores
from iqbench.results.references import stale_rows
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.store import Store

COLUMNS = as_stated({"psnr": ColumnInfo("higher", 2), "ssim": ColumnInfo("higher", 4)})
IMAGES = [f"image{number}" for number in range(8)]


def score(
    root: Path,
    method: str,
    psnr: float,
    references: str | Mapping[str, str] = "old",
    dataset: str = "set",
) -> None:
    """Score a method as one run does: against files of these names."""
    with Store(root).writer(MANIFEST, COLUMNS) as writer:
        for number, image in enumerate(IMAGES):
            version = references if isinstance(references, str) else references.get(image, "old")
            row = ImageRow(dataset, method, image, f"{version}-{image}", f"{method}-{image}")
            writer.add_image(row)
            writer.add_scores(
                ScoreRow(
                    dataset, method, image, name, value, None, f"metric={name}", "rgb", row.pair
                )
                for name, value in (("psnr", psnr + number), ("ssim", psnr / 50 + number % 3))
            )


def run(command: Any, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)


def board(results: Path, *options: str) -> dict[str, dict[str, Any]]:
    shown = run(leaderboard_command, results, "--format", "json", *options)
    return {row["method"]: row for row in json.loads(shown.stdout)}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A and C against the old references; the truth is corrected; B against the new ones."""
    root = tmp_path / "results"
    score(root, "A", 32.0)
    score(root, "C", 31.0)
    score(root, "B", 30.0, "new")
    return root


def test_only_methods_of_the_newest_reference_are_ranked(results: Path) -> None:
    rows = board(results)
    assert {name: row["rank"] for name, row in rows.items()} == {"B": 1, "A": None, "C": None}
    assert {name: row["other_reference"] for name, row in rows.items()} == {"B": 0, "A": 8, "C": 8}
    assert rows["A"]["complete"] is False
    assert rows["A"]["psnr"] is None


@pytest.mark.parametrize("format", ["table", "markdown", "csv", "json", "latex", "html"])
def test_every_format_warns_on_stderr(results: Path, format: str) -> None:
    shown = run(leaderboard_command, results, "--format", format)
    assert "warning: A on set: 8 images scored against other reference images" in shown.stderr
    assert "Score all methods of the dataset again: iqbench evaluate" in shown.stderr
    assert "B on set" not in shown.stderr


def test_tables_for_people_say_it_too(results: Path) -> None:
    text = " ".join(run(leaderboard_command, results).stdout.split())
    assert "A: 8 images scored against other reference images than the newest, left out" in text
    assert "0/8 images" in text
    assert "Not ranked: incomplete methods, for the reasons given above" in text


def test_no_pair_is_of_two_references(results: Path) -> None:
    score(results, "D", 29.0, "new")
    shown = run(leaderboard_command, results, "--pairs", "--format", "json")
    assert [(row["method"], row["other"]) for row in json.loads(shown.stdout)] == [("B", "D")]


def test_methods_of_the_old_reference_can_be_compared_with_each_other(results: Path) -> None:
    shown = run(leaderboard_command, results, "--method", "A", "--method", "C", "--format", "json")
    assert [(row["method"], row["rank"]) for row in json.loads(shown.stdout)] == [
        ("A", 1),
        ("C", 2),
    ]
    assert shown.stderr == ""


def test_scoring_all_again_mends_it(results: Path) -> None:
    score(results, "A", 20.0, "new")
    score(results, "C", 33.0, "new")
    assert {name: row["rank"] for name, row in board(results).items()} == {"C": 1, "B": 2, "A": 3}


def test_one_corrected_image_leaves_the_others_but_no_rank(tmp_path: Path) -> None:
    score(tmp_path, "A", 32.0)
    score(tmp_path, "B", 30.0, {"image3": "new"})
    rows = board(tmp_path)
    assert (rows["A"]["other_reference"], rows["A"]["n"], rows["A"]["rank"]) == (1, 7, None)
    assert rows["A"]["missing"] == "psnr 1, ssim 1"
    assert rows["A"]["psnr"] == pytest.approx(np.mean([32 + n for n in range(8) if n != 3]))
    assert rows["B"]["rank"] == 1


def test_methods_that_lack_an_output_say_nothing_of_its_reference(tmp_path: Path) -> None:
    score(tmp_path, "A", 32.0)
    with Store(tmp_path).writer(MANIFEST, COLUMNS) as writer:
        for image in IMAGES:
            writer.add_image(ImageRow("set", "B", image, error="missing output"))
    assert board(tmp_path)["A"]["rank"] == 1
    assert stale_rows(load_images(tmp_path)).rows.empty


def test_an_image_of_the_same_name_in_another_dataset_has_its_own_reference(tmp_path: Path) -> None:
    score(tmp_path, "A", 32.0, "x", dataset="one")
    score(tmp_path, "A", 32.0, "y", dataset="two")
    assert stale_rows(load_images(tmp_path)).rows.empty


def test_tables_that_were_brought_together_from_two_machines(tmp_path: Path) -> None:
    score(tmp_path / "one", "A", 32.0, "old")
    score(tmp_path / "two", "B", 30.0, "new")
    shutil.copytree(tmp_path / "one", tmp_path / "both")
    shutil.copytree(tmp_path / "two", tmp_path / "both", dirs_exist_ok=True)
    rows = board(tmp_path / "both")
    assert {name: row["rank"] for name, row in rows.items()} == {"B": 1, "A": None}


def test_the_newest_reference_is_that_of_the_row_written_last(tmp_path: Path) -> None:
    """Not the most frequent one, and not that of the method whose name comes last."""
    score(tmp_path, "Z", 32.0)
    score(tmp_path, "Y", 32.0)
    score(tmp_path, "A", 30.0, "new")
    assert stale_rows(load_images(tmp_path)).counts == {"Y": 8, "Z": 8}


def test_a_part_may_be_called_by_any_number(tmp_path: Path) -> None:
    score(tmp_path, "A", 32.0)
    (part,) = (tmp_path / "images").glob("*/*/*.parquet")
    part.rename(part.with_name(f"{10**30}{part.name[20:]}"))
    assert load_images(tmp_path)["written"].notna().all()


def test_averages_over_datasets_leave_such_methods_out(tmp_path: Path) -> None:
    for dataset in ("one", "two"):
        for method in "AB":
            score(tmp_path, method, 30.0, dataset=dataset)
    score(tmp_path, "C", 29.0, "new", dataset="one")
    score(tmp_path, "C", 29.0, dataset="two")
    with pytest.warns(IqbenchWarning):
        overall = read_board(tmp_path, {}).overall.frame.set_index("method")
    assert overall["complete"].to_dict() == {"C": True, "A": False, "B": False}
    assert overall.loc["A", ["psnr", "average_rank"]].isna().all()


def test_python_users_are_warned_and_get_the_same(results: Path) -> None:
    tables = load_scores(results), load_images(results), load_columns(results)
    with pytest.warns(IqbenchWarning) as warned:
        found = Board.of(*tables).table.frame
    assert [str(one.message).partition(" images")[0] for one in warned] == [
        "A on set: 8",
        "C on set: 8",
    ]
    assert found.set_index("method")["other_reference"].to_dict() == {"B": 0, "A": 8, "C": 8}
    chosen = Board.of(*tables, BoardOptions(methods=["A", "C"])).table.frame
    assert chosen["rank"].tolist() == [1, 2]


def test_metrics_are_correlated_over_one_reference(results: Path) -> None:
    shown = run(correlate, results, "--format", "csv")
    assert "warning: A on set: 8 images" in shown.stderr
    alone = run(correlate, results, "--method", "B", "--format", "csv")
    assert shown.stdout == alone.stdout
    assert alone.stderr == ""


def test_only_what_was_asked_for_is_warned_of(results: Path) -> None:
    score(results, "A", 30.0, dataset="other")
    score(results, "B", 30.0, dataset="other")
    for command in (leaderboard_command, correlate):
        assert "warning" not in run(command, results, "--dataset", "other").stderr


def test_an_export_has_all_scores_and_says_which_do_not_go_together(
    results: Path, tmp_path: Path
) -> None:
    shown = run(export, results, "-o", tmp_path / "scores.csv")
    assert "warning: A on set: 8 images scored against other reference images" in shown.stderr
    assert "and written beside the others" in shown.stderr
    assert set(pd.read_csv(tmp_path / "scores.csv")["method"]) == {"A", "B", "C"}


def test_a_report_neither_correlates_nor_shows_them(results: Path) -> None:
    with pytest.warns(IqbenchWarning):
        contents = read_contents(results, {})
    context = contents.context()
    (one,) = contents.found.datasets
    assert one.scores.methods == ["B"]
    (_, (pooled, *_)) = context["matrices"][0]
    alone = read_contents(results, {"method": ("B",)}).context()["matrices"][0][1][0]
    assert pooled == alone


def test_tables_without_digests_are_believed() -> None:
    images = pd.DataFrame({"dataset": "d", "method": ["a", "b"], "image": "i"})
    assert stale_rows(images).rows.empty
    digests = images.assign(reference_digest=["x", None], written=[1, 2])
    assert stale_rows(digests).rows.empty
