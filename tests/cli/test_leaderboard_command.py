"""`iqbench leaderboard`: from a results folder to a table on stdout or in a file."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_columns import as_stated
from made_manifest import MANIFEST

from iqbench.cli.leaderboard import leaderboard
from iqbench.errors import IqbenchError
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.signature import signature
from iqbench.results.store import Store

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2),
        "lpips-alex": ColumnInfo("lower", 4),
        "tv-output": ColumnInfo("none", 4, headline=False),
    }
)
VALUES = {
    ("set5", "bicubic"): {"psnr": 28.0, "lpips-alex": 0.3, "tv-output": 1.0},
    ("set5", "edsr"): {"psnr": 32.0, "lpips-alex": 0.4, "tv-output": 2.0},
    ("set14", "edsr"): {"psnr": 26.0, "lpips-alex": 0.2},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets; swinir has one of two images of set5."""
    root = tmp_path_factory.mktemp("results")
    tasks = {"set5": "super-resolution", "set14": "super-resolution"}
    with Store(root).writer(MANIFEST, COLUMNS, tasks) as writer:
        for (dataset, method), values in VALUES.items():
            protocol = "sr-y:scale=4" if dataset == "set14" else "rgb"
            for image in "ab":
                row = ImageRow(dataset, method, image, "ref", f"{method}{image}")
                writer.add_image(row)
                writer.add_scores(
                    ScoreRow(
                        *(dataset, method, image, metric, value, None),
                        signature(
                            {"metric": metric, "protocol": protocol}
                            | ({"precision": "bf16"} if metric == "lpips-alex" else {})
                        ),
                        protocol,
                        row.pair,
                    )
                    for metric, value in values.items()
                )
        row = ImageRow("set5", "swinir", "a", "ref", error="no output for a")
        writer.add_image(row)
    return root


def run(*arguments: str | Path, width: int = 80) -> Result:
    return CliRunner().invoke(
        leaderboard,
        [str(argument) for argument in arguments],
        env={"COLUMNS": str(width)},
        catch_exceptions=False,
    )


def rows(*arguments: str | Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").stdout)))


def test_a_table_a_dataset_goes_to_stdout(results: Path) -> None:
    done = run(results)
    assert done.exit_code == 0
    assert done.stderr == ""
    set5, set14 = done.stdout.split("set14")
    assert "set5  rgb, 2 images, ranked by psnr" in set5
    assert set5.index("edsr") < set5.index("bicubic") < set5.index("swinir")
    assert "0/2 images" in set5
    assert "sr-y:scale=4, 2 images" in set14


def test_headlines_alone_unless_all_are_asked_for(results: Path) -> None:
    short, long = run(results).stdout, run(results, "--columns", "all").stdout
    assert "tv-output" not in short
    assert "1 more column: --columns all" in short
    assert "tv-output" in long
    assert "more column" not in long


def test_programs_get_all_columns_unless_headlines_are_asked_for(results: Path) -> None:
    assert "tv-output" in rows(results)[0]
    assert "tv-output" not in rows(results, "--columns", "headline")[0]


def test_a_metric_that_is_named_is_shown(results: Path) -> None:
    found = run(results, "--metric", "tv-output").stdout
    assert "tv-output" in found
    assert "psnr" not in found


def test_completeness_is_judged_by_what_is_shown(results: Path) -> None:
    def complete(*options: str) -> str:
        return rows(results, "--method", "edsr", "--dataset", "set5", *options)[0]["complete"]

    assert complete("--metric", "psnr") == "True"
    assert complete() == "True"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--dataset", "set14"], [("set14", "edsr", "1")]),
        (["--protocol", "sr-y:scale=4"], [("set14", "edsr", "1")]),
        (["--method", "bicubic"], [("set5", "bicubic", "1")]),
        (
            ["--dataset", "set5", "--method", "bicubic", "--method", "edsr"],
            [("set5", "edsr", "1"), ("set5", "bicubic", "2")],
        ),
        (
            ["--dataset", "set5", "--sort", "lpips-alex"],
            [("set5", "bicubic", "1"), ("set5", "edsr", "2"), ("set5", "swinir", "")],
        ),
    ],
)
def test_filters_and_sorting(
    results: Path, options: list[str], expected: list[tuple[str, str, str]]
) -> None:
    found = rows(results, *options)
    assert [(row["dataset"], row["method"], row["rank"]) for row in found] == expected


def test_precision_keeps_what_does_not_depend_on_it(results: Path) -> None:
    assert {"psnr", "lpips-alex"} <= set(rows(results, "--precision", "bf16")[0])


def test_json_is_a_list_of_rows(results: Path) -> None:
    first = json.loads(run(results, "--format", "json").stdout)[0]
    assert (first["method"], first["rank"], first["psnr"]) == ("edsr", 1, 32.0)


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("board.md", "### set5"),
        ("board.csv", "dataset,task,protocol,ranked_by,rank,rank_low,rank_high,tie"),
        ("board.json", "[\n"),
        ("board.txt", "set5  rgb"),
        ("board.tex", "% needs"),
        ("board.html", "<!DOCTYPE html>"),
    ],
)
def test_a_file_is_written_as_its_suffix_says(
    results: Path, tmp_path: Path, name: str, beginning: str
) -> None:
    done = run(results, "-o", tmp_path / name)
    assert done.stdout == ""
    assert done.stderr == f"wrote {tmp_path / name}\n"
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(beginning)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "pnsr"], r"unknown metric 'pnsr'\. Did you mean 'psnr'"),
        (["--method", "esdr"], r"unknown method 'esdr'\. Did you mean 'edsr'"),
        (["--sort", "lpips"], r"unknown metric to sort by 'lpips'\. Did you mean 'lpips-alex'"),
        (["--sort", "tv-output"], "tv-output has no direction"),
    ],
)
def test_what_is_not_there_is_refused(results: Path, options: list[str], message: str) -> None:
    with pytest.raises(IqbenchError, match=message):
        run(results, *options)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("lpips-alex,psnr", ["lpips-alex", "psnr"]),
        ("tv-output, psnr", ["tv-output", "psnr"]),
        ("headline", ["psnr", "lpips-alex"]),
        ("all", ["psnr", "lpips-alex", "tv-output"]),
    ],
)
def test_columns_stand_in_the_order_in_which_they_are_named(
    results: Path, columns: str, expected: list[str]
) -> None:
    names = list(rows(results, "--columns", columns, "--no-intervals")[0])
    metrics = names[names.index("complete") + 1 : names.index("missing")]
    assert [name for name in metrics if not name.endswith(("_infinite", "_rank"))] == expected


def test_the_first_column_that_is_named_ranks(results: Path) -> None:
    found = rows(results, "--columns", "lpips-alex,psnr", "--dataset", "set5")
    assert [(row["method"], row["ranked_by"]) for row in found][:2] == [
        ("bicubic", "lpips-alex"),
        ("edsr", "lpips-alex"),
    ]


def test_averages_over_datasets(results: Path) -> None:
    found = rows(results, "--by", "task", "--columns", "psnr")
    assert [(row["task"], row["method"], row["rank"], row["n"]) for row in found] == [
        ("super-resolution", "edsr", "1", "2"),
        ("super-resolution", "bicubic", "", "1"),
        ("super-resolution", "swinir", "", "0"),
    ]
    assert {row["scope"] for row in rows(results, "--by", "overall")} == {"overall"}
    assert {row["dataset"] for row in rows(results, "--by", "dataset")} == {"set5", "set14"}


def test_averages_without_intervals(results: Path) -> None:
    assert "±" not in run(results, "--no-intervals").stdout
    names = rows(results, "--by", "overall", "--no-intervals")[0]
    assert "average_rank" in names
    assert not [name for name in names if name.endswith(("_low", "_high"))]


def test_pairs_of_methods(results: Path) -> None:
    (row,) = rows(results, "--pairs")
    assert (row["method"], row["other"], row["wins"], row["losses"]) == (
        "edsr",
        "bicubic",
        "2",
        "0",
    )
    assert "edsr" in run(results, "--pairs").stdout


def test_images_at_the_ends(results: Path) -> None:
    found = rows(results, "--by-image", "--top", "1", "--method", "edsr", "--dataset", "set5")
    assert [(row["what"], row["image"], row["value"]) for row in found] == [
        ("worst", "a", "32.0"),
        ("best", "a", "32.0"),
    ]
    assert "worst and best images" in run(results, "--by-image").stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--columns", "pnsr"], r"unknown metric 'pnsr'\. Did you mean 'psnr'"),
        (["--front", "psnr,lpips"], r"unknown metric of the front 'lpips'"),
        (["--pairs", "--dataset", "set14"], "no dataset has two methods with a rank"),
        (["--by-image", "--metric", "tv-output"], "no dataset has a column to rank its images by"),
        (["--by", "overall", "--dataset", "set14"], "takes at least two that rank their methods"),
        (["--diagram", "x.svg"], "needs at least 5 datasets and 3 methods"),
    ],
)
def test_what_cannot_be_shown_says_why(
    results: Path, options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IqbenchError, match=message):
        run(results, *options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pairs", "--by-image"], "ask for one"),
        (["--pairs", "--by", "task"], "ask for one"),
        (["--top", "3"], "--top belongs to --by-image"),
        (["--front", "psnr"], "two metrics are needed"),
    ],
)
def test_options_that_do_not_go_together(results: Path, options: list[str], message: str) -> None:
    done = run(results, *options)
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.fixture
def five_datasets(tmp_path: Path) -> Path:
    """Three methods on five datasets, of an unknown task."""
    root = tmp_path / "five"
    with Store(root).writer(MANIFEST, COLUMNS) as writer:
        for number in range(5):
            for place, method in enumerate(("a", "b", "c")):
                row = ImageRow(f"d{number}", method, "x", "ref", method)
                writer.add_image(row)
                score = (row.dataset, method, "x", "psnr", 30.0 - place, None)
                writer.add_scores([ScoreRow(*score, "metric=psnr", "rgb", row.pair)])
    return root


def test_a_diagram_of_five_datasets(five_datasets: Path, tmp_path: Path) -> None:
    done = run(five_datasets, "--by", "overall", "--diagram", tmp_path / "cd.svg")
    assert "overall  mean over 5 datasets" in done.stdout
    assert done.stderr == f"wrote {tmp_path / 'cd.svg'}\n"
    assert "</svg>" in (tmp_path / "cd.svg").read_text(encoding="utf-8")


def test_without_a_task_there_is_no_average_by_task(five_datasets: Path) -> None:
    with pytest.raises(IqbenchError, match="no run has said what the task of a dataset is"):
        run(five_datasets, "--by", "task")


def test_equal_tables_give_equal_leaderboards(results: Path) -> None:
    assert run(results, "--format", "csv").stdout == run(results, "--format", "csv").stdout


def test_without_results_the_error_says_how_to_make_some(tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match=r"no results folder .*iqbench evaluate"):
        run(tmp_path / "results")


def test_the_help_has_examples() -> None:
    assert "iqbench leaderboard --dataset Set5" in run("--help").stdout


@pytest.mark.parametrize("number", ["ranks", "±", "tie", "front", "average rank", "p Holm"])
def test_the_help_defines_every_number(number: str) -> None:
    assert number in run("--help", width=100).stdout


def test_reading_tables_needs_no_torch() -> None:
    script = (
        "import sys, iqbench.cli.leaderboard\n"
        "assert not {'pandas', 'rich', 'pyarrow', 'numpy'} & set(sys.modules)\n"
        "import iqbench.boards.board, iqbench.boards.document, iqbench.results.store\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
