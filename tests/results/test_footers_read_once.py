"""Footers list every run and can be large, so a command reads each of them once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from made_folders import Made
from results_bench import COLUMNS, Bench, manifest

from iqbench.cli.main import cli
from iqbench.results import part_file
from iqbench.results.parts import TableParts, list_parts, merge
from iqbench.results.read import load_runs, load_scores
from iqbench.results.schema import FOOTER_KEY, ImageRow


@pytest.fixture
def results(tmp_path: Path) -> Bench:
    """Two methods with two images."""
    bench = Bench(tmp_path / "results")
    for method in ("edsr", "swinir"):
        for image, value in (("a", 30.0), ("b", 31.0)):
            bench.score(image, f"{method}{image}", value, method=method)
    return bench


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """How often each footer was parsed."""
    counts: Counter[bytes] = Counter()
    adapter = part_file._FOOTER

    class Counting:
        dump_json = adapter.dump_json

        @staticmethod
        def validate_json(text: bytes) -> Any:
            counts[text] += 1
            return adapter.validate_json(text)

    monkeypatch.setattr(part_file, "_FOOTER", Counting)
    return counts


@pytest.mark.parametrize(
    "command",
    [
        ["leaderboard"],
        ["leaderboard", "--by-image"],
        ["report", "--no-pictures", "-q", "-o", "page.html"],
        ["report", "--images", "1", "--maps", "none", "-q", "-o", "page.html"],
        ["correlate"],
        ["export", "-o", "scores.csv"],
        ["results", "list"],
        ["status"],
    ],
    ids=" ".join,
)
def test_a_command_reads_each_footer_once(
    results: Bench,
    reads: Counter[bytes],
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("iqbench.page.report.packed_plotly", lambda: "")
    cli(command, standalone_mode=False)
    # The tables of images and of scores of a method name the same runs and columns.
    assert sorted(reads.values()) == [2, 2]
    assert len(results.parts("images") + results.parts("scores")) == 4


def test_merging_parses_no_footer_that_this_run_wrote(bench: Bench, reads: Counter[bytes]) -> None:
    with bench.store.writer(manifest(), COLUMNS) as writer:
        for image in "abc":
            writer.add_image(ImageRow("set5", "edsr", image, "ref", image))
            writer.flush()
    assert len(bench.parts("images")) == 1
    assert not reads


def test_a_part_has_its_footer_once(bench: Bench) -> None:
    """It is metadata of the file; as metadata of the schema, it would be there twice."""
    bench.score()
    for part in (*bench.parts("images"), *bench.parts("scores")):
        footer = pq.read_metadata(part).metadata[FOOTER_KEY]
        content = part.read_bytes()
        assert content.count(footer) == 1
        # There it would be in base64.
        assert pq.read_schema(part).metadata is None


def test_a_part_that_appears_later_is_read_too(bench: Bench) -> None:
    bench.score("a")
    table = bench.store.table("scores", "set5", "edsr")
    assert table.rows(["image"]).column("image").to_pylist() == ["a"]
    bench.score("b")
    assert table.rows(["image"]).column("image").to_pylist() == ["a", "b"]
    footer = table.footer()
    assert footer is not None
    assert footer.method == "edsr"


def test_parts_that_another_process_merges_are_no_longer_asked_for(bench: Bench) -> None:
    with bench.store.writer(manifest("2026-01-01"), COLUMNS) as writer:
        writer.add_image(ImageRow("set5", "edsr", "a", "ref", "a"))
        writer.flush()
        other = TableParts(bench.store.folder("images", "set5", "edsr"), "images")
        assert other.rows(["image"]).num_rows == 1
        writer.add_image(ImageRow("set5", "edsr", "b", "ref", "b"))
    merge(bench.store.table("images", "set5", "edsr"))
    assert len(list_parts(other.folder)) == 1
    assert other.rows(["image"]).column("image").to_pylist() == ["a", "b"]


def test_runs_of_all_parts_are_told(bench: Bench) -> None:
    for day in (1, 2, 3):
        with bench.store.writer(manifest(f"2026-01-0{day}"), COLUMNS) as writer:
            writer.add_image(ImageRow("set5", "edsr", f"{day}", "ref", "out"))
    assert [run.time for run in load_runs(bench.root)] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert load_scores(bench.root).empty


def test_a_run_reads_the_footers_of_earlier_ones_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: Counter[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    made = Made(Path())
    made.references()
    made.method("mine")
    made.method("yours")
    made.evaluate()
    assert not reads
    made.evaluate()
    assert sorted(reads.values()) == [2, 2]
