"""Published means in leaderboards: marked, without tests, and ranked under one protocol only."""

from __future__ import annotations

import json
import math
import re
import shutil

import pytest
from made_folders import Made
from made_tables import publish as publish_means
from made_tables import write_results

from iqbench.boards.board import read_board
from iqbench.boards.composites import read_composites
from iqbench.boards.document import render_leaderboard
from iqbench.boards.views import render_view
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.results.importing import import_values
from iqbench.results.published import read_published


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two methods of about 34 and 26 dB."""
    made = Made(tmp_path_factory.mktemp("published"))
    images = [f"i{number}" for number in range(8)]
    made.references(images)
    made.method("near", images, amount=6)
    made.method("far", images, amount=16)
    made.evaluate(metrics=("psnr", "ssim"))
    return made.results


@pytest.fixture
def publish(results, tmp_path):
    """Import rows for the length of a test."""

    def write(*rows, **options):
        file = tmp_path / "published.csv"
        lines = [",".join(map(str, row)) for row in rows]
        head = "method,dataset,metric,value,protocol,source"
        file.write_text("\n".join([head, *lines]) + "\n")
        return import_values(file, results, **options)

    yield write
    (results / "published.jsonl").unlink(missing_ok=True)


def read(results, *composites, **choice):
    found = read_board(results, {}, composites=read_composites(composites), **choice)
    return found, found.table.frame.set_index("method")


def test_a_mean_under_the_same_protocol_is_ranked(results, publish):
    _, before = read(results)
    publish(("Paper", "hr", "psnr", 30, "rgb", "Nobody 2020"))
    found, board = read(results)
    assert board["rank"].to_dict() == {"near": 1, "Paper": 2, "far": 3}
    assert board["psnr_rank"].to_dict() == {"near": 1, "Paper": 2, "far": 3}
    assert board.loc["Paper", ["psnr", "published"]].tolist() == [30, "Nobody 2020"]
    assert math.isnan(board.loc["Paper", "psnr_low"])
    assert math.isnan(board.loc["Paper", "ssim"])
    assert board["rank_low"].isna().all()
    # What tests say of the others is as it was.
    for name in ("psnr", "psnr_low", "p_vs_best", "tie", "n"):
        assert board.loc["far", name] == before.loc["far", name]
    assert list(found.pairs()["method"]) == ["near"]


@pytest.mark.parametrize("protocol", ["", "sr-y:scale=4"])
def test_a_mean_under_another_protocol_is_shown_and_not_ranked(results, publish, protocol):
    _, before = read(results)
    done = publish(("Paper", "hr", "psnr", 99, protocol, "Nobody 2020"))
    assert bool(done.notes) == (not protocol)
    found, board = read(results)
    assert board["rank"].fillna(0).to_dict() == {"near": 1, "far": 2, "Paper": 0}
    assert board.loc["Paper", "psnr"] == 99
    assert board["rank_low"].dropna().tolist() == before["rank_low"].tolist()
    text = render_view(found, None, "table")
    assert "Not ranked: published means whose protocol is not the same" in text


def test_versions_of_a_protocol_are_one(results, publish):
    publish(("Paper", "hr", "psnr", 30, "rgb/1", "Nobody 2020"))
    assert read(results)[1].loc["Paper", "rank"] == 2


@pytest.mark.parametrize("format", ["table", "markdown", "latex", "html"])
def test_every_format_marks_it(results, publish, format):
    publish(("Paper", "hr", "psnr", 30, "rgb", "Nobody 2020"))
    text = render_view(read(results)[0], None, format)
    assert "Paper" in text
    assert "published" in text


@pytest.mark.parametrize("format", ["table", "markdown", "latex", "html", "word"])
def test_rows_of_other_datasets_are_not_marked(tmp_path, format):
    made = Made(tmp_path)
    for dataset in ("first", "second"):
        made.references(folder=dataset)
        made.method("near")
        made.evaluate(reference=tmp_path / dataset)
    file = tmp_path / "published.csv"
    file.write_text("method,dataset,metric,value,protocol,source\nPaper,second,psnr,30,rgb,N\n")
    import_values(file, made.results)
    found = read_board(made.results, {})
    assert found.table.frame["published"].tolist() == ["", "", "N"]
    assert {"first", "second"} == set(found.table.frame["dataset"])
    pages = found.table.part(found.table.frame[found.table.frame["dataset"] == "first"])
    assert "published" not in render_leaderboard(pages, format, intervals=False)


def test_the_best_mark_of_a_published_mean_is_at_its_value(tmp_path):
    made = Made(tmp_path)
    images = ["a", "b", "c"]
    made.references(images)
    made.method("near", images, amount=6)
    made.method("far", images, amount=16)
    shutil.copy(tmp_path / "hr" / "a.png", tmp_path / "out" / "near" / "a.png")
    made.evaluate()
    file = tmp_path / "published.csv"
    file.write_text("method,dataset,metric,value,protocol,source\nPaper,hr,psnr,99,rgb,N\n")
    import_values(file, made.results)
    text = render_view(read_board(made.results, {}), None, "markdown")
    assert "| 1 | Paper (published) | **99.00** | - |" in text
    assert text.count("**") == 2


def test_a_row_of_a_method_that_is_scored_here_has_a_name_of_its_own(results, publish):
    publish(("near", "hr", "psnr", 30, "rgb", "Nobody 2020"))
    _, board = read(results)
    assert board["rank"].to_dict() == {"near": 1, "near (published)": 2, "far": 3}


EXACT = [math.inf] * 3
PSNR = {"gt": EXACT, "one": [30, 31, math.inf], "none": [30, 31, 32], "few": [29, 31, 32]}


@pytest.mark.parametrize(
    ("values", "mean", "order"),
    [
        # Measured methods stay in their order: infinite values decide among equal means.
        (PSNR, 30.5, [["gt"], ["one"], ["none", "Paper"], ["few"]]),
        (PSNR, 31, [["gt"], ["Paper"], ["one"], ["none"], ["few"]]),
        (PSNR, 1, [["gt"], ["one"], ["none"], ["few"], ["Paper"]]),
        ({"a": [1, 2], "b": [2, 3]}, 2.5, [["b", "Paper"], ["a"]]),
        # No image is finite for both: the numbers of infinite values decide.
        ({"a": [math.inf, 2], "b": [3, math.inf]}, 2.5, [["a", "b"], ["Paper"]]),
        ({"a": [math.inf, 2, 2], "b": [3, *EXACT[:2]]}, 9, [["b"], ["a"], ["Paper"]]),
    ],
)
def test_it_changes_no_order_of_methods_that_are_scored(tmp_path, values, mean, order):
    write_results(
        tmp_path / "results",
        {("set5", method, "psnr"): of_images for method, of_images in values.items()},
        images=len(next(iter(values.values()))),
    )
    publish_means(tmp_path / "results", ("Paper", "set5", "psnr", mean, "rgb", "Nobody 2020"))
    found = read_board(tmp_path / "results", {})
    ranks = found.table.frame.set_index("method")["rank"].to_dict()
    want = {name: 1 + sum(map(len, order[:at])) for at, one in enumerate(order) for name in one}
    assert ranks == want
    paper = json.loads(render_view(found, "paper", "json"))
    assert {row["method"] for row in paper} == set(want)
    table = render_view(found, "paper", "markdown")
    for name in order[0]:
        assert re.search(rf"^\| {name} \| \*\*", table, re.MULTILINE)


def test_it_may_be_on_the_front(results, publish):
    publish(
        ("Paper", "hr", "psnr", 20, "rgb", "Nobody 2020"),
        ("Paper", "hr", "ssim", 0.9999, "rgb", "Nobody 2020"),
    )
    _, board = read(results, front=("psnr", "ssim"))
    assert board["front"].to_dict() == {"near": True, "far": False, "Paper": True}


def test_composite_scores_mix_published_and_own_means(results, publish):
    publish(
        ("Paper", "hr", "psnr", 50, "rgb", "Nobody 2020"),
        ("Paper", "hr", "ssim", 0.5, "rgb", "Nobody 2020"),
        ("Half", "hr", "psnr", 60, "rgb", "Nobody 2021"),
    )
    _, board = read(results, "mix = 'psnr' + 10 * 'ssim'", sort="mix")
    assert board.loc["Paper", "mix"] == 55
    assert math.isnan(board.loc["Half", "mix"])
    assert board["rank"].fillna(0).to_dict() == {"Paper": 1, "near": 2, "far": 3, "Half": 0}
    _, board = read(results, "r (lower) = rank('psnr') + rank('ssim')", sort="r")
    assert board["r"].dropna().to_dict() == {"near": 3 + 1, "Paper": 2 + 3, "far": 4 + 2}


def test_another_import_replaces_the_same_mean(results, publish):
    publish(("Paper", "hr", "psnr", 30, "rgb", "Nobody 2020"))
    publish(("Paper", "hr", "psnr", 31, "rgb", "Nobody 2021"))
    (mean,) = read_published(results)
    assert (mean.value, mean.source) == (31, "Nobody 2021")


def test_a_metric_that_the_tables_lack_is_reported(results, publish):
    publish(("Paper", "hr", "musiq", 30, "rgb", "Nobody 2020"))
    with pytest.warns(IqbenchWarning, match="the published musiq of Paper is not shown on 'hr'"):
        read(results)[1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("", "hr", "psnr", 1, "rgb", "N"), "line 2: no method is named"),
        (("P", "hr", "psnr", 1, "rgb", ""), "line 2: no source is named"),
        (("P", "hr", "psnr", "", "rgb", "N"), "line 2: there is no value of psnr"),
        (("P", "hr", "psnr", "x", "rgb", "N"), "line 2: psnr is not a number: 'x'"),
    ],
)
def test_what_is_wrong_is_named(publish, results, row, message):
    with pytest.raises(IqbenchError, match=message):
        publish(row)
    assert read_published(results) == []
    with pytest.raises(IqbenchError, match="line 3: psnr of P on hr is already given in line 2"):
        publish(*[("P", "hr", "psnr", 1, "rgb", "N")] * 2)


def test_a_damaged_file_is_named_with_its_line(publish, results):
    publish(("P", "hr", "psnr", 1, "rgb", "N"))
    file = results / "published.jsonl"
    file.write_text(file.read_text() + json.dumps({"method": "Q"}) + "\n")
    with pytest.raises(IqbenchError, match=r"published\.jsonl, line 2"):
        read(results)
