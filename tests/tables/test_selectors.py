"""Every command accepts and refuses the same selectors."""

import json
import re
from collections import Counter

import pandas as pd
import pytest
from click.testing import CliRunner
from golden_run import make_results
from hypothesis import given, settings
from hypothesis import strategies as st

import iqbench
from iqbench.cli.main import cli
from iqbench.correlation.correlations import read_correlations
from iqbench.errors import IqbenchError
from iqbench.results.current import current_scores
from iqbench.results.selector import split_assignment
from iqbench.stats.influence import Bootstrap

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
def test_every_command_filters_by_selectors_and_refuses_unknown_ones(
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


RGB = "psnr[protocol=rgb]"
SIBLINGS = [
    ([RGB, "ssim", LUMA], ["psnr [protocol=rgb/1]", "ssim", HEADING]),
    ([LUMA, "ssim", RGB], [HEADING, "ssim", "psnr [protocol=rgb/1]"]),
    ([HEADING, RGB], [HEADING, "psnr [protocol=rgb/1]"]),
]


def columns_in(names):
    """Those that hold values, in their order."""
    return [name for name in names if re.fullmatch(r"(psnr|ssim|mix)( \[.*\])?", name)]


@pytest.mark.parametrize(("asked", "shown"), SIBLINGS)
def test_columns_of_one_metric_stand_in_the_order_in_which_they_are_named(results, asked, shown):
    new, only, columns = results / "new", ("--dataset", "set14"), ",".join(asked)
    (row, *_) = records("leaderboard", new, *only, "--columns", columns)
    assert columns_in(row) == shown
    named = [text for one in asked for text in ("--metric", one)]
    (row, *_) = records("leaderboard", new, *only, *named)
    assert columns_in(row) == shown
    (row, *_) = records("leaderboard", new, *only, "--layout", "paper", "--columns", columns)
    assert list(row) == ["method", *(f"set14 \u00d74 {name}" for name in shown), "note"]
    wide = iqbench.load_scores(new, wide=True, columns=asked, filters={"dataset": "set14"})
    assert list(wide.columns) == shown
    rows = records("correlate", new, *only, "--columns", columns, "--resamples", 0)
    pairs = [(one["first"], one["second"]) for one in rows if one["kind"] == "metrics"]
    assert list(dict.fromkeys(name for pair in pairs for name in pair)) == shown


@pytest.mark.parametrize("command", [("check",), ("compare",)])
@pytest.mark.parametrize(("asked", "shown"), SIBLINGS)
def test_comparisons_stand_in_the_order_in_which_metrics_are_named(results, command, asked, shown):
    sides = {
        "check": ("check", results / "new", "--baseline", results / "old"),
        "compare": ("compare", results / "old", results / "new"),
    }
    named = [text for one in asked for text in ("--metric", one)]
    rows = records(*sides[command[0]], "--dataset", "set14", "--method", "edsr", *named)
    told = [(row["metric"], "rgb" if "protocol=rgb" in row["signature"] else "y") for row in rows]
    expected = [(name.partition(" ")[0], "rgb" if "rgb" in name else "y") for name in shown]
    assert told == expected


def test_a_page_shows_columns_in_the_order_in_which_they_are_named(results, tmp_path):
    page = tmp_path / "report.html"
    columns = ("--columns", f"{LUMA},ssim,{RGB}", "--dataset", "set14")
    run("report", results / "new", "-o", page, *columns, "--no-pictures")
    heads = re.findall(r'<th scope="col"[^>]*data-metric="([^"]*)"', page.read_text("utf-8"))
    order = columns_in(dict.fromkeys(heads))
    assert order[:3] == [HEADING, "ssim", "psnr [protocol=rgb/1]"]


def test_composites_are_chosen_ordered_and_made_of_single_columns(results):
    mix = f"mix = '{LUMA}' / 50 + '{RGB}'"
    options = ("--dataset", "set14", "--composite", mix, "--columns", f"mix,{LUMA},{RGB}")
    first, *_ = records("leaderboard", results / "new", *options, "--sort", "mix")
    assert columns_in(first) == ["mix", HEADING, "psnr [protocol=rgb/1]"]
    assert first["mix"] == first[HEADING] / 50 + first["psnr [protocol=rgb/1]"]
    assert first["ranked_by"] == "mix"
    with pytest.raises(IqbenchError, match="psnr has several columns on dataset set14"):
        run("leaderboard", results / "new", "--composite", "mix = 'psnr' + 'ssim'")


def test_pairs_images_sections_and_averages_are_of_the_column_that_is_named(results):
    new, only = results / "new", ("--dataset", "set14", "--sort", RGB)
    assert {row["metric"] for row in records("leaderboard", new, *only, "--pairs")} == {
        "psnr [protocol=rgb/1]"
    }
    assert {row["metric"] for row in records("leaderboard", new, *only, "--by-image")} == {
        "psnr [protocol=rgb/1]"
    }
    rows = records("leaderboard", new, "--by", "overall", "--columns", RGB, "--sort", RGB)
    assert {row["ranked_by"] for row in rows} == {"psnr"}


def test_a_direction_is_of_one_column_whatever_its_heading_says(results):
    def directions(selector):
        told = read_correlations(
            *(results / "new", {"dataset": ("set5",)}),
            directions={selector: "lower"},
            bootstrap=Bootstrap(0.95, 0, 0),
        )
        return told.directions["psnr"], told.directions["ssim"]

    # On set5 there is one psnr, so that its heading does not say the protocol.
    assert directions(RGB) == directions("psnr") == ("lower", "higher")
    with pytest.raises(IqbenchError, match="unknown metric"):
        directions(LUMA)


def test_columns_of_a_file_of_opinions_are_chosen_by_selectors(tmp_path):
    file = tmp_path / "mos.csv"
    values = {HEADING: [1, 2, 3, 5, 4, 6], "psnr [protocol=rgb/1]": [2, 1, 3, 4, 5, 6]}
    pd.DataFrame({"image": list("abcdef"), "mos": range(6), **values}).to_csv(file, index=False)
    rows = records("correlate", "--mos", file, "--metric", LUMA, "--resamples", 0)
    assert {row["first"] for row in rows if row["kind"] == "opinion"} == {HEADING}
    with pytest.raises(IqbenchError, match="unknown metric"):
        run("correlate", "--mos", file, "--metric", "psnr[protocol=gray]")


def test_the_long_form_says_where_metrics_are_columns(results):
    with pytest.raises(IqbenchError, match="unknown column 'psnr") as no:
        iqbench.load_scores(results / "new", columns=["psnr"])
    assert "Only the wide form has metrics as columns" in no.value.hint


@settings(derandomize=True)
@given(
    st.text("ab[]=,:", max_size=12).filter(lambda text: text.count("[") == text.count("]")),
    st.text("cd=[]", max_size=6),
)
def test_what_is_assigned_begins_after_the_brackets(inside, value):
    if "]" in inside and inside.index("]") < inside.find("["):
        inside = ""
    assert split_assignment(f"psnr[{inside}]={value}") == (f"psnr[{inside}]", value)
    assert split_assignment("psnr[protocol=rgb]") == ("psnr[protocol=rgb]", "")


def test_a_name_of_a_metric_keeps_what_tells_its_columns_apart(results):
    arguments = ("leaderboard", results / "new", "--dataset", "set14", "--layout", "paper")
    columns = ("--columns", f"{RGB},{LUMA}", "--name", "psnr=PSNR")
    (first, *_) = records(*arguments, *columns)
    assert list(first)[1:3] == [
        "set14 \u00d74 PSNR [protocol=rgb/1]",
        "set14 \u00d74 PSNR [protocol=sr-y:scale=4/1]",
    ]
    (first, *_) = records(*arguments, *columns, "--name", f"{LUMA}=PSNR-Y")
    assert list(first)[2] == "set14 \u00d74 PSNR-Y"


@pytest.fixture
def readings(results, tmp_path, monkeypatch):
    """A function that makes a report and counts how often each folder of scores was read."""
    asked = []

    def counted(folder, images):
        asked.append(folder)
        return current_scores(folder, images)

    def read():
        arguments = ("-o", tmp_path / "page.html", "--columns", "ssim", "--no-pictures")
        assert run("report", results / "new", *arguments).exit_code == 0
        return Counter(asked)

    monkeypatch.setattr("iqbench.results.read.current_scores", counted)
    return read


def test_a_page_reads_the_scores_once(readings, monkeypatch):
    monkeypatch.setattr("iqbench.correlation.correlations.has_opinions", lambda *_: False)
    assert list(readings().values()) == [1] * 6


def test_agreement_with_people_reads_them_once_more(readings):
    assert list(readings().values()) == [2] * 6


def test_a_report_shows_the_columns_at_first_that_are_named(results, tmp_path):
    page = tmp_path / "report.html"
    arguments = ("--columns", f"lpips-alex,{LUMA}", "--sort", "lpips-alex", "--no-pictures")
    assert run("report", results / "new", "-o", page, *arguments).exit_code == 0
    assert 'data-metric="lpips-alex"' in page.read_text(encoding="utf-8")
