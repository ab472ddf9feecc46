"""Every command takes the same selectors, and refuses the same ones."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner
from golden_run import make_results

import iqbench
from iqbench.cli.main import cli
from iqbench.errors import IqbenchError
from iqbench.results.current import current_scores

LUMA = "psnr[protocol=sr-y:scale=4]"
HEADING = "psnr [protocol=sr-y:scale=4/1]"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("selected")
    make_results(root / "new", loss=0.9)
    make_results(root / "old")
    return root


def run(*arguments):
    return CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


def records(*arguments):
    return json.loads(run(*arguments, "--format", "json").stdout)


def test_a_leaderboard_is_ranked_and_narrowed_by_one_column(results):
    rows = records("leaderboard", results / "new", "--sort", LUMA, "--columns", "ssim")
    ranked = {row["dataset"]: row["ranked_by"] for row in rows}
    assert ranked["set14"] == "psnr"  # the only one of psnr that is shown
    rows = records("leaderboard", results / "new", "--columns", f"ssim,psnr,{LUMA}", "--sort", LUMA)
    assert {row["ranked_by"] for row in rows if row["dataset"] == "set14"} == {HEADING}


def test_a_front_is_spanned_by_one_column(results):
    rows = records(
        "leaderboard", results / "new", "--sort", "ssim", "--front", f"{LUMA},lpips-alex"
    )
    assert {row["front_by"] for row in rows} >= {f"{HEADING}, lpips-alex"}
    with pytest.raises(IqbenchError, match="psnr has several columns on dataset set14"):
        run("leaderboard", results / "new", "--sort", "ssim", "--front", "psnr,lpips-alex")


@pytest.mark.parametrize(
    "arguments",
    [
        ("leaderboard", "new"),
        ("check", "new", "--baseline", "old"),
        ("compare", "old", "new"),
        ("correlate", "new", "--metric", "ssim", "--resamples", "0"),
        ("export", "new", "-o", "scores.csv"),
        ("report", "new", "-o", "report.html", "--no-pictures"),
    ],
)
def test_every_command_filters_by_it_and_refuses_what_means_nothing(
    results, monkeypatch, arguments
):
    monkeypatch.chdir(results)
    assert run(*arguments, "--metric", LUMA).exit_code in (0, 1)
    with pytest.raises(IqbenchError, match=r"no column fits metric 'psnr\[protocol=ycbcr\]'") as no:
        run(*arguments, "--metric", "psnr[protocol=ycbcr]")
    assert "psnr [protocol=sr-y:scale=4/1]" in str(no.value)
    with pytest.raises(IqbenchError, match=r"unknown metric 'psnnr'\. Did you mean 'psnr'"):
        run(*arguments, "--metric", "psnnr")


def test_a_comparison_is_of_one_column(results):
    rows = records("compare", results / "old", results / "new", "--metric", LUMA)
    assert {row["dataset"] for row in rows if row["n"]} == {"set14"}
    assert len([row for row in rows if row["n"]]) == 3


def test_a_margin_is_of_one_column(results):
    sides = ("check", results / "old", "--baseline", results / "old")
    rows = records(*sides, "--margin", f"{LUMA}=0.7", "--margin", "psnr=0.2", "--map", "edsr=edsr")
    margins = {
        (row["dataset"], row["signature"]): row["margin"] for row in rows if row["metric"] == "psnr"
    }
    assert sorted(margins.values()) == [0.2, 0.2, 0.7]
    (luma,) = (keys for keys, margin in margins.items() if margin == 0.7)
    assert "sr-y" in luma[1]
    with pytest.raises(
        IqbenchError, match=r"no column fits metric of a margin 'psnr\[view=gray\]'"
    ):
        run(*sides, "--image-margin", "psnr[view=gray]=1")


def test_correlation_takes_columns_in_their_order(results):
    rows = records(
        *("correlate", results / "new", "--resamples", 0, "--columns", f"{LUMA},lpips-alex"),
    )
    named = {(row["first"], row["second"]) for row in rows if row["kind"] == "metrics"}
    assert named == {("psnr", "lpips-alex")}


def test_a_direction_is_given_by_a_selector(results, tmp_path):
    file = tmp_path / "mos.csv"
    pd.DataFrame({"image": list("abcdef"), "mos": range(6), "q": [5, 4, 2, 3, 1, 0]}).to_csv(file)
    told = run("correlate", "--mos", file, "--metric-direction", "q=lower", "--resamples", 0)
    assert told.exit_code == 0


def test_the_wide_form_takes_selectors(results):
    wide = iqbench.load_scores(results / "new", wide=True, columns=["ssim[protocol=rgb]", LUMA])
    assert list(wide.columns) == ["ssim [protocol=rgb/1]", HEADING]
    long = iqbench.load_scores(results / "new", filters={"metric": LUMA})
    assert set(long["protocol"]) == {"sr-y:scale=4"}
    assert wide[HEADING].notna().sum() == long["value"].notna().sum() == 17
    with pytest.raises(IqbenchError, match=r"no column fits column 'psnr\[view=rgb\]'"):
        iqbench.load_scores(results / "new", wide=True, columns=["psnr[view=rgb]"])


def test_a_page_reads_the_scores_once(results, tmp_path, monkeypatch):
    asked = []

    def counted(folder, images):
        asked.append(folder)
        return current_scores(folder, images)

    monkeypatch.setattr("iqbench.results.read.current_scores", counted)
    arguments = ("--columns", "ssim", "--no-pictures")
    assert run("report", results / "new", "-o", tmp_path / "page.html", *arguments).exit_code == 0
    assert len(asked) == len(set(asked)) == 6


def test_a_report_shows_the_columns_at_first_that_are_named(results, tmp_path):
    page = tmp_path / "report.html"
    arguments = ("--columns", f"lpips-alex,{LUMA}", "--sort", "lpips-alex", "--no-pictures")
    assert run("report", results / "new", "-o", page, *arguments).exit_code == 0
    assert 'data-metric="lpips-alex"' in page.read_text(encoding="utf-8")
