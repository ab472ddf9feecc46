"""`iqbench status`: the progress of runs, also after they died."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict, replace

import pytest

from iqbench.engine import run_progress
from iqbench.errors import IqbenchError
from iqbench.results.progress import read_progress
from iqbench.results.run_records import FOLDER, Planned, RunRecord, read_run_records

RECORD = RunRecord(
    command="iqbench evaluate",
    shard="1/2",
    host=platform.node(),
    process=os.getpid(),
    begun=time.time() - 10,
    updated=time.time(),
    state="running",
    plan=(Planned("hr", "one", 1000, 300, 2), Planned("hr", "two", 1000)),
    recent=(50.0, 200),
)


class Watcher:
    """A reporter that looks at the results each time that something is done."""

    def __init__(self, results):
        self.results = results
        self.seen = []

    def begin(self, what, total):
        pass

    def advance(self, done):
        self.seen.append(read_progress(self.results))


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """Note each step."""
    monkeypatch.setattr(run_progress, "_EVERY_SECONDS", -1.0)


def counts(found):
    return {
        (one.dataset, one.method): (one.expected, one.done, one.failed, one.remaining)
        for one in found.methods
    }


class TestWhileRunsGoOn:
    def test_what_is_done_and_what_remains(self, folders):
        (folders.root / "out/one/c.png").write_bytes(b"no image")
        (folders.root / "out/two/a.png").unlink()
        watcher = Watcher(folders.results)
        folders.evaluate(reporter=watcher)
        first = counts(watcher.seen[0])
        assert first["hr", "one"] == (3, 0, 0, 3)
        assert first["hr", "two"] == (3, 0, 1, 2)
        assert sum(len(one.runs) for one in watcher.seen) == len(watcher.seen)
        assert counts(read_progress(folders.results)) == {
            ("hr", "one"): (3, 2, 1, 0),
            ("hr", "two"): (3, 2, 1, 0),
        }

    def test_images_that_are_scored_again_count_as_remaining(self, folders):
        folders.evaluate()
        watcher = Watcher(folders.results)
        folders.evaluate(recompute=True, reporter=watcher)
        assert counts(watcher.seen[0])["hr", "one"] == (3, 0, 0, 3)
        remaining = [one.remaining for one in watcher.seen]
        assert remaining == sorted(remaining, reverse=True)

    def test_several_runs_at_once_are_added(self, folders):
        seen = []

        class Other(Watcher):
            def advance(self, done):
                if not seen:
                    watcher = Watcher(self.results)
                    folders.evaluate(shard="2/2", reporter=watcher)
                    seen.extend(watcher.seen)

        names = [f"i{number}" for number in range(6)]
        folders.references(names)
        folders.method("one", names)
        folders.evaluate(shard="1/2", reporter=Other(folders.results))
        assert {len(one.runs) for one in seen} == {2}
        assert all(run.alive for run in seen[0].runs)
        total = sum(run.expected for run in seen[0].runs)
        assert total == sum(one.expected for one in seen[0].methods if one.method == "one") + 3

    def test_a_run_that_has_only_begun(self, tmp_path, iqbench):
        RECORD.write(tmp_path / "results" / FOLDER / "1-a.json")
        ran = iqbench("status", tmp_path / "results", "--format", "json")
        rows = {row["method"]: row for row in json.loads(ran.out)}
        assert rows["one"]["remaining"] == 698
        assert rows["one"]["rate"] + rows["two"]["rate"] == pytest.approx(4.0)
        assert rows["one"]["left"] == pytest.approx(698 / rows["one"]["rate"])
        run = rows[None]
        assert (run["state"], run["shard"]) == ("running", RECORD.shard or "all")
        assert (run["host"], run["process"]) == (RECORD.host, RECORD.process)
        assert run["left"] == pytest.approx(run["remaining"] / run["rate"])

    @pytest.mark.parametrize(
        ("runs", "said"), [(0, "no run goes on"), (1, "1 run goes on"), (2, "2 runs go on")]
    )
    def test_a_run_without_a_score_yet_goes_on(self, folders, iqbench, runs, said):
        folders.evaluate(shard="1/2")
        for number in range(runs):
            new = replace(RECORD, begun=RECORD.updated, recent=(0.0, 0))
            replace(new, plan=(Planned("hr", "one", 3),)).write(
                folders.results / FOLDER / f"{number}-a.json"
            )
        ran = iqbench("status")
        assert ran.out.splitlines()[0].endswith(f"remaining, {said}")


class TestRecords:
    def test_the_rate_is_that_of_the_last_minute(self):
        assert RECORD.rate == 4.0
        young = replace(RECORD, recent=(0.0, 0), begun=RECORD.updated - 100)
        assert young.rate == pytest.approx(3.02)

    def test_a_process_that_is_dead_has_stopped(self):
        assert RECORD.told_state == "running"
        dead = replace(RECORD, process=2**22 + 1)
        assert (dead.told_state, dead.alive) == ("stopped", False)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")
    def test_another_process_with_its_number_is_not_the_run(self):
        assert replace(RECORD, begun=time.time() - 10**6).told_state == "stopped"

    def test_a_run_elsewhere_has_stopped_when_it_is_silent(self):
        other = replace(RECORD, host="another", updated=time.time())
        assert other.told_state == "running"
        assert replace(other, updated=time.time() - 3600).told_state == "stopped"

    def test_the_end_of_a_run_is_recorded(self, folders):
        class Stops(Watcher):
            def advance(self, done):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            folders.evaluate(reporter=Stops(folders.results))
        (record,) = read_run_records(folders.results)
        assert record.state == "stopped: KeyboardInterrupt"

    def test_records_of_yesterday_are_deleted_by_the_next_run(self, folders):
        file = folders.results / FOLDER / "1-a.json"
        replace(RECORD, state="stopped: x", updated=time.time() - 2 * 86400).write(file)
        folders.evaluate()
        assert not file.exists()
        assert read_run_records(folders.results) == []

    def test_what_a_later_release_notes_too_is_ignored(self, folders):
        folders.evaluate()
        noted = asdict(RECORD) | {"later": 1}
        noted["plan"] = [asdict(one) | {"later": 1} for one in RECORD.plan]
        (folders.results / FOLDER / "1-a.json").write_text(json.dumps(noted))
        assert read_run_records(folders.results) == [RECORD]

    @pytest.mark.parametrize(
        "noted",
        [
            *({"process": value} for value in (0, -1, 1.5, True, 10**30, "1", None)),
            *({"begun": value} for value in (float("nan"), float("inf"), -1, "now", 1e300)),
            *({"recent": value} for value in ([], [1], [float("nan"), 1], [1, 10**400], [-1, 1])),
            *(
                {
                    "plan": [
                        {"dataset": "hr", "method": "a", "expected": value, "done": 0, "failed": 0}
                    ]
                }
                for value in (-1, 1.5, True, float("nan"), 10**400, None)
            ),
            *({"command": value} for value in ("\ud800", 1, None)),
        ],
        ids=str,
    )
    def test_outputs_without_a_record_of_a_run_are_named(self, folders, noted):
        file = folders.results / FOLDER / "1-a.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(asdict(RECORD) | noted))
        with pytest.raises(IqbenchError, match=r"1-a\.json, the record of a run"):
            read_run_records(folders.results)

    @pytest.mark.parametrize("content", ["{", "{}", '{"plan": [1]}', "[]", "[" * 100_000])
    def test_a_damaged_one_is_named(self, folders, iqbench, content):
        folders.evaluate()
        file = folders.results / FOLDER / "1-a.json"
        file.write_text(content)
        ran = iqbench("status")
        assert ran.code == 2
        assert file.name in ran.err
        assert iqbench("leaderboard").code == 0


class TestCommand:
    @pytest.mark.parametrize("format", ["table", "markdown", "csv", "json", "latex", "html"])
    def test_every_format(self, folders, iqbench, format):
        folders.evaluate()
        ran = iqbench("status", "--format", format)
        assert ran.code == 0
        assert "two" in ran.out

    def test_the_head_says_it_in_a_line(self, folders, iqbench):
        folders.evaluate()
        assert iqbench("status").out.startswith("6 of 6 images done, 0 failed, 0 remaining\n")

    def test_filters(self, folders, iqbench):
        folders.evaluate()
        rows = json.loads(iqbench("status", "--format", "json", "--method", "two").out)
        assert [row["method"] for row in rows] == ["two"]
        assert iqbench("status", "--method", "three").code == 2

    def test_nothing_there(self, made, iqbench):
        assert iqbench("status", "nowhere").code == 2
