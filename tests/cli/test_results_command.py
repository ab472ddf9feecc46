"""`iqbench results verify`: its messages, and exit code 1 if something differs."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def scored(made):
    made.references()
    made.method("mine")
    made.evaluate()
    return made


def test_intact_tables_are_reported_as_intact(scored, iqbench):
    ran = iqbench("results", "verify")
    assert (ran.code, ran.out) == (0, "results: 2 parts, 6 rows: 2 ok\n")


def test_a_part_that_differs_is_named(scored, iqbench):
    (part,) = scored.results.glob("scores/*/*/*.parquet")
    content = bytearray(part.read_bytes())
    content[99] ^= 1
    part.write_bytes(content)
    ran = iqbench("results", "verify", "results")
    assert ran.code == 1
    assert ran.out.startswith(f"differs: {part} is not the file that was written: ")
    assert ran.out.endswith("results: 2 parts, 3 rows: 1 differs, 1 ok\n")
    rows = json.loads(iqbench("results", "verify", "--format", "json").out)
    assert [row["state"] for row in rows] == ["differs", "ok"]


def test_no_results_are_wrong_input(made, iqbench):
    ran = iqbench("results", "verify", "nowhere")
    assert ran.code == 2
    assert "there are no results in nowhere" in ran.err


def test_a_fifo_among_the_parts_does_not_block(scored, iqbench):
    import os

    (part,) = scored.results.glob("scores/*/*/*.parquet")
    os.mkfifo(part.with_name("x.parquet"))
    for command in (["results", "verify"], ["leaderboard"], ["export", "-o", "x.csv"]):
        ran = iqbench(*command)
        assert ran.code == (1 if command[0] == "results" else 2)
        assert "x.parquet is not a regular file" in ran.out + ran.err


def test_scores_without_the_images_that_they_were_computed_from_are_named(scored, iqbench):
    (folder,) = scored.results.glob("images/*/*")
    folder.rename(folder.with_name("other"))
    ran = iqbench("results", "verify", "results")
    assert ran.code == 1
    assert ran.out.startswith("unreadable: results/scores/")
    assert f"{folder}, which says what they were computed from, is missing or empty" in ran.out


def test_a_problem_without_a_hint_is_one_sentence(scored, iqbench):
    (part,) = scored.results.glob("scores/*/*/*.parquet")
    part.unlink()
    part.mkdir()
    ran = iqbench("results", "verify", "results")
    assert ran.code == 1
    assert ran.out.startswith(f"unreadable: {part} is a folder, not a regular file\n")
