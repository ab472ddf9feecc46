"""A campaign counts cases, continues after a crash, and reports what was wrong."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from types import ModuleType

import campaign
import pytest
from children import Child, Ended, command, problem

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


def fail_at_three(module, seed, count):
    """Stand for a batch: that of seed 3 has one wrong outcome."""
    wrong = ["seed 3, something"] if seed == 3 else []
    return Counter(tried=count, wrong=len(wrong), fine=count - len(wrong)), wrong


def die(*arguments):
    os._exit(9)


def sleep(*arguments):
    time.sleep(60)


def test_batches_have_successive_seeds_and_their_counts_are_added(monkeypatch, capsys):
    monkeypatch.setattr(campaign, "_batch", fail_at_three)
    found = campaign.campaign("tables", seed=1, count=120, minutes=1)
    assert found.tried == 120
    assert found.wrong == ["seed 3, something"]
    assert found.outcomes == {"fine": 119, "wrong": 1}
    assert capsys.readouterr().out == "tables: seed 3, something\n"


def test_no_batch_begins_when_the_time_is_over():
    assert campaign.campaign("tables", seed=1, count=120, minutes=0).tried == 0


@pytest.mark.parametrize(("batch", "how"), [(die, "dies with exit code 9"), (sleep, "hangs")])
def test_a_batch_that_crashes_or_hangs_is_wrong_and_the_campaign_goes_on(monkeypatch, batch, how):
    monkeypatch.setattr(campaign, "_batch", batch)
    monkeypatch.setattr(campaign, "BATCH_SECONDS", 0.3)
    found = campaign.campaign("tables", seed=1, count=100, minutes=1)
    assert found.tried == 100
    assert [how in line for line in found.wrong] == [True, True]


@pytest.mark.parametrize(("wrong", "code"), [([], 0), (["something"], 1)])
def test_the_table_has_the_figures_and_the_exit_code_says_whether_all_held(
    monkeypatch, capsys, wrong, code
):
    figures = campaign.Figures(2000, Counter(refused=1500, alike=500 - len(wrong)), wrong, 90.0)
    monkeypatch.setattr(campaign, "campaign", lambda kind, **options: figures)
    assert campaign.main(["--kind", "images"]) == code
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith(f"| mutated images | 2,000 | {2000 - len(wrong):,} | {len(wrong)} |")
    assert row.endswith("refused 1,500 | 1.5 |")


@pytest.mark.parametrize("kind", campaign.KINDS)
def test_every_kind_says_what_may_not_be(kind):
    module = __import__(campaign.KINDS[kind].module)
    assert isinstance(module, ModuleType)
    assert module.WRONG
    assert callable(module.run)


def write(text):
    sys.stderr.write(text)


def test_a_command_in_a_child_prints_and_exits_as_ever(tmp_path):
    ended = Child(command, ["leaderboard", "nowhere"], str(tmp_path)).wait()
    assert ended.code == 2
    assert ended.stderr.startswith("error: ")
    assert problem(ended, named="nowhere") == ""
    assert "names no file" in problem(ended, named="elsewhere")


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (Ended(None, "", ""), "hangs"),
        (Ended(70, "", "error: internal error: a"), "exits with 70"),
        (Ended(-11, "", ""), "exits with -11"),
        (Ended(0, "", "libpng warning: something\n"), "prints 'libpng"),
        (Ended(2, "", "Traceback (most recent call last):\n"), "prints 'Traceback"),
        (Ended(2, "", "error: a\x1b[2J\n"), "a control character"),
        (Ended(2, "", ""), "says nothing"),
    ],
)
def test_every_fault_of_a_command_is_seen(ended, why):
    assert why in problem(ended)


def test_what_a_child_prints_below_python_is_caught():
    ended = Child(os.write, 2, b"a C library").wait()
    assert ended.stderr == "a C library"
    assert ended.result == len("a C library")
