"""Runs that are interrupted, killed or simultaneous lose nothing, and can be resumed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
from made_folders import PIXEL_METRICS, Made

from iqbench.boards.board import read_board
from iqbench.engine.scorer import Scorer
from iqbench.errors import IqbenchError
from iqbench.results.read import load_images, load_runs, load_scores


class TestInterrupted:
    def interrupt_at(self, monkeypatch, number, how):
        start = Scorer.start
        calls = []

        def stop(self, batch):
            calls.append(batch)
            if len(calls) == number:
                how()
            return start(self, batch)

        monkeypatch.setattr(Scorer, "start", stop)

    @pytest.mark.parametrize(
        "error", [KeyboardInterrupt, RuntimeError], ids=lambda error: error.__name__
    )
    def test_earlier_scores_are_kept(self, made, monkeypatch, computed, error):
        made.references()
        made.method()

        def fail():
            raise error

        self.interrupt_at(monkeypatch, 3, fail)
        with pytest.raises(error):
            made.evaluate()
        assert len(made.values()) == 2
        assert made.errors() == {("mine", "c"): "not scored yet"}
        assert not read_board(made.results, {}).table.frame["complete"].any()
        computed.clear()
        assert made.evaluate().scored == 1
        assert len(computed) == 1
        assert len(load_runs(made.results)) >= 1

    def test_no_thread_is_left_behind(self, made, monkeypatch):
        images = [f"i{n}" for n in range(40)]
        made.references(images)
        made.method(images=images)

        def fail():
            raise RuntimeError

        self.interrupt_at(monkeypatch, 2, fail)
        with pytest.raises(RuntimeError):
            made.evaluate()
        assert [t for t in threading.enumerate() if t.name.startswith("iqbench-load")] == []

    def test_results_that_can_no_longer_be_written_end_the_run(self, made, monkeypatch):
        made.references()
        made.method()
        folder = made.results / "scores"
        self.interrupt_at(monkeypatch, 2, lambda: folder.write_text("in the way"))
        with pytest.raises(IqbenchError, match="cannot write results to"):
            made.evaluate()
        folder.unlink()
        monkeypatch.undo()
        made.evaluate()
        assert len(made.values()) == 3


# Imports once, then forks for every run: a run starts at once, so kills hit all of its stages.
DRIVER = """
import json, os, shutil, signal, sys, time, traceback
import pandas, torch
from iqbench.api import Evaluation, run_evaluation
from iqbench.engine import manifest, run as _
from iqbench.metrics._registry import resolve_metrics
from iqbench.results import store
from pathlib import Path

torch.set_num_threads(1)
resolve_metrics(["psnr", "ssim", "tv"])

def start(options, tell):
    child = os.fork()
    if child:
        return child
    code = 1
    store.FLUSH_ROWS = options["rows"]
    try:
        reference, results = Path(options["reference"]), Path(options["results"])
        summary = run_evaluation(Evaluation(
            methods=options["methods"], reference=reference, results=results,
            metrics=["psnr", "ssim", "tv"], device="cpu", workers=2,
        ))
        # In one write: runs side by side share the pipe.
        if tell:
            os.write(1, f"{json.dumps([summary.scored, summary.current])}\\n".encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)

for step in json.load(sys.stdin):
    began = time.monotonic()
    # A run that ends before it is killed tells nothing.
    children = [start(options, step.get("kill") is None) for options in step["runs"]]
    if step.get("kill") is not None:
        time.sleep(step["kill"] * whole)
        for child in children:
            os.kill(child, signal.SIGKILL)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if step.get("kill") is None and any(codes):
        sys.exit(f"a run failed: {codes}")
    if step.get("kill") is None:
        whole = time.monotonic() - began
    elif Path(results := step["runs"][0]["results"]).is_dir():
        shutil.copytree(results, step["copy"])
"""


def drive(steps) -> list[list[int]]:
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def options(
    made: Made, *methods: str, results: str = "results", rows: int = 100
) -> dict[str, object]:
    return {
        "rows": rows,
        "methods": [str(made.root / "out" / name) for name in methods],
        "reference": str(made.root / "hr"),
        "results": str(made.root / results),
    }


@pytest.fixture(scope="module")
def driven(tmp_path_factory) -> tuple[Made, list[list[int]]]:
    """Killed runs and runs side by side, from one process; and what those printed that ended."""
    if not hasattr(os, "fork"):
        pytest.skip("the driver forks")
    made = Made(tmp_path_factory.mktemp("driven"))
    images = [f"i{number}" for number in range(16)]
    made.references(images)
    for name in ("one", "two"):
        made.method(name, images)
    both = options(made, "one", "two")
    moments = random.Random(4)
    kills = [
        {
            "runs": [both | {"rows": 25}],
            "kill": moments.uniform(0.1, 0.7),  # of the time that a whole run takes
            "copy": str(made.root / f"copy{number}"),
        }
        for number in range(7)
    ]
    steps = [
        {"runs": [options(made, "one", "two", results="undisturbed")]},
        *kills,
        {"runs": [both]},
        {"runs": [options(made, name, results="beside") for name in ("one", "two")]},
        {"runs": [options(made, "one", results="same")] * 2},
    ]
    return made, drive(steps)


def test_a_run_killed_at_any_moment_goes_on_where_it_was(driven):
    made, printed = driven
    final = load_scores(made.root / "undisturbed")
    assert load_scores(made.results).equals(final)
    assert printed[0] == [32, 0]
    assert sum(printed[1]) == 32


def test_until_then_it_shows_as_incomplete_and_nothing_in_it_is_wrong(driven):
    made, _ = driven
    final = load_scores(made.root / "undisturbed")
    columns = final["metric"].nunique()
    keys = ["method", "image", "metric", "value"]
    right = set(final[keys].itertuples(index=False, name=None))
    copies = sorted(path for path in made.root.glob("copy*") if any(path.rglob("*.parquet")))
    assert copies
    for copy in copies:
        kept = load_scores(copy)
        assert set(kept[keys].itertuples(index=False, name=None)) <= right
        board = read_board(copy, {}).table.frame.set_index("method")
        for method, row in board.iterrows():
            assert row["complete"] == ((kept["method"] == method).sum() == 16 * columns)
            assert row["complete"] == pd.notna(row["rank"])


def test_two_runs_side_by_side_on_different_methods_do_not_disturb_each_other(driven):
    made, printed = driven
    assert printed[2:4] == [[16, 0], [16, 0]]
    assert load_scores(made.root / "beside").equals(load_scores(made.root / "undisturbed"))


def test_two_runs_side_by_side_on_the_same_method_leave_each_row_once(driven):
    made, _ = driven
    final = load_scores(made.root / "undisturbed", filters={"method": "one"})
    assert list(load_scores(made.root / "same")["value"]) == list(final["value"])
    assert load_images(made.root / "same")["error"].isna().all()


def test_a_signal_of_the_keyboard_ends_the_run_at_once_and_keeps_what_was_scored(made, monkeypatch):
    made.references()
    made.method()
    TestInterrupted().interrupt_at(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        made.evaluate(metrics=PIXEL_METRICS)
    assert {image for _, image in made.values()} <= {"a", "b"}
    assert Path(made.results / "scores").is_dir()
