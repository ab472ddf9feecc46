"""A second run: nothing is computed twice, nothing stale is shown, whatever ended the first."""

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
from made_folders import IMAGES, PIXEL_METRICS, Made, noisy, picture

from iqbench.engine.scorer import Scorer
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.report.overview import read_leaderboard
from iqbench.results.read import load_images, load_runs, load_scores


@pytest.fixture
def scored(made, decoded) -> Made:
    """Two methods, scored; ``decoded`` hears of what comes after."""
    made.references()
    for name in ("one", "two"):
        made.method(name)
    made.evaluate()
    decoded.clear()
    return made


@pytest.fixture
def computed(monkeypatch) -> list[tuple[int, frozenset[str]]]:
    """For each batch that is scored the number of outputs and the columns."""
    batches = []
    start = Scorer.start

    def listen(self, batch):
        found = start(self, batch)
        batches.append((len(batch.outputs), frozenset(found.names)))
        return found

    monkeypatch.setattr(Scorer, "start", listen)
    return batches


PSNR = frozenset({"psnr"})


class TestWhatIsComputedAgain:
    def test_nothing(self, scored, decoded, computed):
        before = scored.files()
        summary = scored.evaluate()
        assert (summary.scored, summary.current) == (0, 6)
        assert decoded == computed == []
        assert scored.files() == before

    def test_everything_if_asked_for(self, scored, computed):
        before = scored.scores()
        assert scored.evaluate(recompute=True).scored == 6
        assert computed == [(2, PSNR)] * 3
        assert scored.scores().equals(before)

    def test_a_changed_output(self, scored, decoded, computed):
        old = scored.values()
        write_png(scored.root / "out/two/b.png", noisy(picture(1), 99))
        summary = scored.evaluate()
        assert (summary.scored, summary.current) == (1, 5)
        assert sorted(decoded) == ["hr/b.png", "two/b.png"]
        assert computed == [(1, PSNR)]
        new = scored.values()
        assert new.pop(("two", "b")) != old.pop(("two", "b"))
        assert new == old

    def test_a_changed_reference_for_all_methods(self, scored, decoded, computed):
        old = scored.values()
        write_png(scored.root / "hr/b.png", noisy(picture(1), 99))
        assert scored.evaluate().scored == 2
        assert sorted(decoded) == ["hr/b.png", "one/b.png", "two/b.png"]
        assert computed == [(2, PSNR)]
        assert {key for key, value in scored.values().items() if value != old[key]} == {
            *(("one", "b"), ("two", "b"))
        }

    def test_a_file_that_was_only_touched_is_not(self, scored, decoded):
        os.utime(scored.root / "out/two/b.png", (1, 1))
        assert scored.evaluate().current == 6
        assert decoded == []

    def test_a_new_metric_alone(self, scored, computed):
        old = scored.values()
        assert scored.evaluate(metrics=("psnr", "ssim")).scored == 6
        assert computed == [(2, frozenset({"ssim"}))] * 3
        assert scored.values() == old
        assert len(scored.values("ssim")) == 6

    def test_a_new_method_alone(self, scored, decoded):
        scored.method("three")
        summary = scored.evaluate()
        assert (summary.scored, summary.current) == (3, 6)
        assert sorted(decoded) == sorted(f"{f}/{i}.png" for f in ("hr", "three") for i in IMAGES)

    def test_a_new_image_alone(self, scored, decoded):
        images = (*IMAGES, "d")
        scored.references(images)
        for name in ("one", "two"):
            scored.method(name, images)
        assert scored.evaluate().scored == 2
        assert sorted(decoded) == ["hr/d.png", "one/d.png", "two/d.png"]

    def test_outputs_that_miss_different_columns_of_one_image(self, scored, computed):
        scored.evaluate(scored.root / "out/one", metrics=("ssim",))
        computed.clear()
        assert scored.evaluate(metrics=("psnr", "ssim")).scored == 3
        assert computed == [(1, frozenset({"ssim"}))] * 3

    def test_what_failed_is_tried_again(self, scored):
        path = scored.root / "out/two/b.png"
        whole = path.read_bytes()
        path.write_bytes(whole[:-9])
        for _ in range(2):
            (failure,) = scored.evaluate().failures
            assert str(path) in failure.error
            assert scored.values()["two", "b"] is None
        path.write_bytes(whole)
        summary = scored.evaluate()
        assert (summary.scored, summary.failures) == (1, [])
        assert scored.values()["two", "b"] is not None
        assert scored.errors() == {}

    def test_what_was_missing_is_scored_once_it_is_there(self, scored):
        scored.method("three", images=("a", "b"))
        assert len(scored.evaluate().failures) == 1
        scored.method("three")
        assert scored.evaluate().scored == 1
        assert scored.errors() == {}


class TestNothingStale:
    def test_a_vanished_output_takes_its_score_along(self, scored):
        (scored.root / "out/two/b.png").unlink()
        (failure,) = scored.evaluate().failures
        assert failure.error.startswith("missing output")
        assert scored.values()["two", "b"] is None
        board = read_leaderboard(scored.results, {}).board.set_index("method")
        assert board["complete"].to_dict() == {"one": True, "two": False}
        assert board["n"].to_dict() == {"one": 3, "two": 2}

    def test_so_do_scores_of_metrics_that_are_not_asked_for_this_time(self, scored):
        (scored.root / "out/two/b.png").unlink()
        scored.evaluate(metrics=("ssim",))
        assert ("two", "b") not in scored.values("psnr")

    def test_so_do_the_outputs_of_a_method_that_vanished_one_and_all(self, scored):
        for path in (scored.root / "out/two").iterdir():
            path.unlink()
        summary = scored.evaluate()
        assert [(failure.method, failure.image) for failure in summary.failures] == [
            *(("two", "a"), ("two", "b"), ("two", "c"))
        ]
        assert "did not attempt dataset 'hr'" in summary.failures[0].error
        assert [scored.values()["two", image] for image in "abc"] == [None] * 3
        board = read_leaderboard(scored.results, {}).board.set_index("method")
        assert board["complete"].to_dict() == {"one": True, "two": False}
        scored.method("two")
        assert scored.evaluate().scored == 3

    def test_even_where_no_method_has_anything_left_for_the_dataset(self, scored, tmp_path):
        scored.references(folder="sets/more")
        scored.references(folder="sets/hr")
        file = tmp_path / "sets.yaml"
        file.write_text(
            "root: sets\ndatasets:\n"
            "  hr: {data: {layout: folder, references: hr}}\n"
            "  more: {data: {layout: folder, references: more}}\n"
        )
        for name in ("one", "two"):
            scored.method(name, folder=f"{name}/more")
        both = {"datasets": ("hr", "more"), "datasets_file": file}
        assert len(scored.evaluate(**both).failures) == 6
        assert set(scored.scores()["dataset"]) == {"more"}

    def test_a_method_that_was_never_scored_on_a_dataset_is_no_failure(self, scored):
        (scored.root / "out/three").mkdir()
        summary = scored.evaluate()
        assert summary.failures == []
        assert summary.warnings[0].startswith("method 'three' did not attempt dataset 'hr'")

    def test_a_vanished_reference_takes_its_image_along(self, scored):
        (scored.root / "hr/b.png").unlink()
        summary = scored.evaluate()
        assert (summary.current, summary.failures) == (4, [])
        assert {image for _, image in scored.values()} == {"a", "c"}
        board = read_leaderboard(scored.results, {}).board
        assert board["complete"].all()
        assert set(board["expected"]) == {2}

    def test_a_broken_output_takes_its_score_along(self, scored):
        (scored.root / "out/two/b.png").write_bytes(b"")
        scored.evaluate()
        assert scored.values()["two", "b"] is None

    def test_a_broken_reference_takes_the_scores_of_all_methods_along(self, scored):
        (scored.root / "hr/b.png").write_bytes(b"")
        scored.evaluate()
        assert {key for key, value in scored.values().items() if value is None} == {
            *(("one", "b"), ("two", "b"))
        }

    def test_what_is_known_of_the_same_files_survives_a_run_that_cannot_score_them(
        self, scored, monkeypatch
    ):
        old = scored.values()
        monkeypatch.setenv("IQBENCH_MAX_PIXELS", "100")
        assert len(scored.evaluate(metrics=("psnr", "ssim")).failures) == 6
        assert scored.values() == old


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
        "error", [KeyboardInterrupt, RuntimeError, MemoryError], ids=lambda error: error.__name__
    )
    def test_what_was_scored_until_then_is_kept(self, made, monkeypatch, computed, error):
        made.references()
        made.method()

        def fail():
            raise error

        self.interrupt_at(monkeypatch, 3, fail)
        with pytest.raises(error):
            made.evaluate()
        assert len(made.values()) == 2
        assert made.errors() == {("mine", "c"): "not scored yet"}
        assert not read_leaderboard(made.results, {}).board["complete"].any()
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
        board = read_leaderboard(copy, {}).board.set_index("method")
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
