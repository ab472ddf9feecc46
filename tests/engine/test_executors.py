"""All executors write the same tables; if a worker dies, only its units are repeated."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from made_archives import files_below, put_objects, write_zip
from made_folders import IMAGES, Made, noisy, picture
from made_workers import MADE, METRICS, awkward_files, same

import iqbench
from iqbench.engine.compute import resolve_compute
from iqbench.engine.executors.processes import shares
from iqbench.engine.executors.ray_workers import fitting
from iqbench.engine.executors.spec import ExecutorSpec, RayOptions
from iqbench.engine.executors.worker import WorkerSettings
from iqbench.engine.ledger import Summary
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.metrics import _registry
from iqbench.results.read import load_scores

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are for POSIX systems")


@pytest.fixture(autouse=True)
def _made_metrics(monkeypatch):
    known = {**_registry.metric_classes(), **MADE}
    monkeypatch.setattr(_registry, "metric_classes", lambda: known)


def children() -> set[int]:
    """The living processes that this one started."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.add(int(path.parent.name))
    return found


@pytest.fixture(scope="module")
def awkward(tmp_path_factory) -> Made:
    return awkward_files(tmp_path_factory.mktemp("awkward"))


def evaluated(made: Made, executor: str, *methods: str) -> Summary:
    folders = [made.root / "out" / name for name in methods]
    return made.evaluate(*folders, metrics=METRICS, results=made.root / executor, executor=executor)


class TestProcesses:
    def test_tables_are_equal_to_the_bit_and_as_much_is_said(self, awkward):
        inline, spread = (evaluated(awkward, one) for one in ("inline", "processes:2"))
        assert not children()
        same(awkward.root / "inline", awkward.root / "processes:2")
        assert (inline.scored, inline.current) == (spread.scored, spread.current)
        assert inline.failures == spread.failures
        assert inline.messages == spread.messages
        assert any("exactly the pixels" in text for text in inline.messages)

    def test_moments_of_sets_are_the_same_and_images_are_read_again_where_one_changed(
        self, tmp_path
    ):
        made = Made(tmp_path)
        images = [f"i{number}" for number in range(6)]
        made.references(images)
        near = made.method("near", images)
        for amount, executor in ((None, "processes:2"), (60, "processes:1")):
            if amount is not None:
                write_png(near / "i2.png", noisy(picture(2), amount))
            found = []
            for where, kept in (("inline", "keep"), (executor, "moments")):
                results = tmp_path / f"{kept}-results"
                made.evaluate(
                    near, metrics=("palette",), results=results, executor=where, features=kept
                )
                found.append(load_scores(results, scope="set").iloc[0])
            assert found[0]["n"] == found[1]["n"] == 6
            assert found[1]["value"] == pytest.approx(found[0]["value"], rel=1e-9)
        assert len(list((tmp_path / "moments-results" / "moments").glob("*/*.parquet"))) == 2

    def test_an_interrupt_of_the_terminal_does_not_reach_workers_that_start(
        self, tmp_path, monkeypatch, capfd
    ):
        class Interrupted(subprocess.Popen):
            def __init__(self, *args, **options):
                super().__init__(*args, **options)
                self.send_signal(signal.SIGINT)

        monkeypatch.setattr(subprocess, "Popen", Interrupted)
        made = Made(tmp_path)
        made.references()
        made.method()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert made.evaluate(executor="processes:1").scored == len(IMAGES)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
        assert "Traceback" not in capfd.readouterr().err

    @pytest.mark.slow
    def test_what_the_tables_have_is_not_scored_again(self, awkward, tmp_path):
        made = Made(tmp_path)
        shutil.copytree(awkward.root, tmp_path, dirs_exist_ok=True)
        for executor in ("inline", "processes:2"):
            shutil.rmtree(tmp_path / executor, ignore_errors=True)
            first = evaluated(made, executor, "near")
            second = evaluated(made, executor, "near", "far")
            assert second.current == first.scored > 0
        same(made.root / "inline", made.root / "processes:2")


@pytest.mark.slow
def test_an_item_of_very_many_outputs_is_split_among_workers(tmp_path):
    made = Made(tmp_path)
    made.references(["a"])
    for number in range(150):
        write_png(tmp_path / "d" / f"{number}.png", noisy(picture(), number % 149))
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["reference", "output"])
        writer.writerows(["hr/a.png", f"d/{number}.png"] for number in range(150))
    said = []
    for executor in ("inline", "processes:2"):
        options = {"pairs": tmp_path / "pairs.csv", "metrics": ["psnr"], "device": "cpu"}
        with pytest.warns(iqbench.IqbenchWarning) as warned:
            iqbench.evaluate(**options, results=tmp_path / executor, executor=executor)
        said.append([str(one.message) for one in warned])
    first, second = (load_scores(tmp_path / one) for one in ("inline", "processes:2"))
    assert len(first) == 150
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert said[0] == said[1]
    assert any("byte for byte equal to another for the same reference" in text for text in said[0])


@pytest.mark.slow
def test_images_in_an_archive_are_scored_by_workers(tmp_path):
    made = Made(tmp_path)
    made.references()
    folder = made.method()
    (folder / "bitstreams").mkdir()
    for name in IMAGES:
        (folder / "bitstreams" / f"{name}.bin").write_bytes(bytes(40))
    packed = write_zip(tmp_path / "mine.zip", files_below(folder))
    for executor in ("inline", "processes:1"):
        summary = made.evaluate(
            packed, metrics=("psnr", "bpp"), results=tmp_path / executor, executor=executor
        )
        assert summary.scored == 3
    first, second = (load_scores(tmp_path / one) for one in ("inline", "processes:1"))
    assert set(first["metric"]) == {"psnr", "bpp"}
    assert first["value"].notna().all()
    pd.testing.assert_frame_equal(first, second, check_exact=True)


class TestDeadWorkers:
    def run(self, tmp_path, times):
        made = Made(tmp_path)
        images = [f"i{number}" for number in range(5)]
        made.references(images)
        folder = made.method(images=images)
        pixels = picture(2)
        pixels[0, 0] = 0
        write_png(folder / "i2.png", pixels)
        (tmp_path / "deaths").mkdir()
        metric = f"deadly:folder={tmp_path / 'deaths'},times={times}"
        summary = made.evaluate(metrics=[metric, "psnr"], executor="processes:1")
        assert not children()
        return made, summary, len(list((tmp_path / "deaths").iterdir()))

    @pytest.mark.slow
    def test_a_worker_that_dies_once_costs_nothing_but_time(self, tmp_path):
        made, summary, deaths = self.run(tmp_path, 1)
        assert deaths == 1
        assert summary.scored == 5
        assert not summary.failures
        assert all(value is not None for value in made.values("deadly").values())

    @pytest.mark.slow
    def test_an_output_that_always_kills_gets_a_row_that_says_so(self, tmp_path):
        made, summary, deaths = self.run(tmp_path, 1000)
        assert deaths == 4  # three of its unit, one of its own
        assert summary.scored == 4
        assert [failure.image for failure in summary.failures] == ["i2"]
        error = made.errors()["mine", "i2"]
        assert "its worker died 4 times while it was scored" in error
        assert "SIGKILL" in error
        scores = made.scores(image="i2")
        assert set(scores["metric"]) == {"deadly", "psnr"}
        assert scores["error"].tolist() == [error, error]


COMMAND = """
import sys
from iqbench.engine.executors import dispatch
first = []
def tell(pool, units, give_up, dispatch=dispatch.dispatch):
    for part in dispatch(pool, units, give_up):
        yield part
        if part.done and not first:
            first.append(True)
            print("first", flush=True)
from iqbench.engine.executors import processes
processes.dispatch = tell
from iqbench.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=str)
def test_an_interrupted_run_keeps_what_is_done_and_leaves_no_process(tmp_path, number):
    made = Made(tmp_path)
    images = [f"i{number}" for number in range(200)]
    made.references(images, height=200, width=200)
    made.method(images=images, height=200, width=200)
    options = ["--method", str(tmp_path / "out/mine"), "--reference", str(tmp_path / "hr")]
    options += ["--results", str(made.results), "--metric", "ssim", "--metric", "vifp"]
    command = [sys.executable, "-c", COMMAND, "evaluate", *options, "--device", "cpu"]
    run = subprocess.Popen(
        [*command, "--executor", "processes:2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    workers = set()
    assert run.stdout.readline() == b"first\n"
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = path.read_text().rpartition(")")[2].split()
        if int(fields[1]) == run.pid:
            workers.add(int(path.parent.name))
    assert len(workers) == 2
    time.sleep(0.5)
    os.kill(run.pid, number)
    _, said = run.communicate(timeout=60)
    for _ in range(100):
        left = {worker for worker in workers if Path(f"/proc/{worker}").exists()}
        if not left:
            break
        time.sleep(0.1)
    assert not left
    if number == signal.SIGKILL:
        return
    assert run.returncode == 130, said
    assert b"interrupted" in said
    assert b"Traceback" not in said
    kept = len(made.scores(metric="ssim"))
    assert 0 < kept < 200
    summary = made.evaluate(metrics=["ssim", "vifp"])
    assert summary.current == kept
    assert summary.scored == 200 - kept


def test_a_metric_that_exits_fails_on_its_image_and_ends_nothing(tmp_path):
    made = Made(tmp_path)
    made.references()
    method = made.method()
    write_png(method / "b.png", np.zeros_like(picture(1)))
    for executor in ("inline", "processes:1"):
        summary = made.evaluate(
            method,
            metrics=["psnr", "quitting"],
            results=tmp_path / executor,
            executor=executor,
        )
        (failure,) = summary.failures
        assert failure.image == "b"
        assert failure.error.endswith("failed: RuntimeError: it called sys.exit(0)")
        assert load_scores(tmp_path / executor)["value"].notna().sum() == 5
    tables = [load_scores(tmp_path / executor) for executor in ("inline", "processes:1")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_errors_name_the_package_of_a_metric_in_every_executor(tmp_path):
    made = Made(tmp_path)
    made.references("a")
    made.method("mine", "a")
    facts = tmp_path / "plugin" / "broken-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[iqbench.metrics]\nbroken = broken:Broken\n")
    (facts.parent / "broken.py").write_text(
        """
from iqbench.metrics import Column, Metric, Tap

class Broken(Metric):
    name, summary, citation = "broken", "It fails", "none"
    def columns(self):
        return (Column("broken", "lower", self.summary, (Tap(),)),)
    def maps(self, tap, reference, output, parameters):
        raise ValueError("no luck")
"""
    )
    program = """
import sys, warnings, iqbench
warnings.simplefilter("ignore")
for executor in ("inline", "processes:1"):
    scores = iqbench.evaluate(
        methods="out/mine", reference="hr", metrics="broken", results=executor[:4],
        executor=executor,
    )
    print(*scores["error"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(facts.parent), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    said = "metric broken (package broken 1.0) failed: ValueError: no luck"
    assert done.stdout.splitlines() == [said] * 2


def test_processes_that_cannot_all_be_started_are_ended(tmp_path, monkeypatch):
    made = Made(tmp_path)
    made.references()
    before, start, started = children(), subprocess.Popen, []

    def popen(*arguments, **options):
        if started:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(start(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(IqbenchError, match="cannot be started: Resource temporarily unavailable"):
        made.evaluate(made.method(), metrics=["psnr"], executor="processes:2")
    assert started[0].returncode is not None
    assert children() == before


class TestSpecs:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("process", "unknown executor 'process'. Did you mean 'processes'?"),
            ("", "unknown executor ''"),
            ("inline:2", "inline takes no number"),
            ("processes:", "nothing follows the colon"),
            ("processes:0", "not a number from 1 to 100,000"),
            ("processes:-1", "not a number from 1 to 100,000"),
            ("processes:two", "not a number from 1 to 100,000"),
            ("processes:999999", "not a number from 1 to 100,000"),
            ("ray:", "nothing follows the colon"),
            ("ray:cpus=0", "not a number above 0"),
            ("ray:gpus=some", "not a number above 0"),
            ("ray:workers=0", "not a number from 1 to 100,000"),
            ("ray:cpu=1", "Did you mean 'cpus'?"),
            ("ray:one,two", "two addresses"),
        ],
    )
    def test_an_unknown_executor_is_refused_before_anything_is_scored(self, tmp_path, text, said):
        made = Made(tmp_path)
        made.references()
        made.method()
        with pytest.raises(IqbenchError) as caught:
            made.evaluate(executor=text)
        assert said in str(caught.value)
        assert not made.results.exists()

    def test_valid_specs_of_executors_are_read(self):
        assert ExecutorSpec.parse("inline") == ExecutorSpec("inline")
        assert ExecutorSpec.parse("processes") == ExecutorSpec("processes")
        assert ExecutorSpec.parse("processes:3").count == 3

    def test_options_for_ray_are_read(self):
        assert ExecutorSpec.parse("ray").ray == RayOptions()
        given = "ray:ray://head:10001,cpus=2,gpus=0.5,workers=8"
        assert ExecutorSpec.parse(given).ray == RayOptions("ray://head:10001", 2.0, 0.5, 8)
        assert ExecutorSpec.parse("ray:gpus=1").ray == RayOptions(gpus=1.0)

    def test_a_missing_ray_is_one_sentence_with_the_command(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        made = Made(tmp_path)
        made.references()
        made.method()
        with pytest.raises(IqbenchError) as caught:
            made.evaluate(executor="ray")
        assert str(caught.value) == "the package ray is not installed. pip install 'iqbench[ray]'"
        assert not made.results.exists()

    @pytest.mark.parametrize("kind", ["references", "outputs", "reference set"])
    def test_images_in_memory_are_scored_in_this_process(self, tmp_path, kind):
        made = Made(tmp_path)
        places = {
            "references": str(made.references()),
            "outputs": str(made.method()),
            "reference set": str(made.references()),
        }
        places[kind] = put_objects("memory://bucket/x", files_below(Path(places[kind])))
        with pytest.raises(IqbenchError, match="memory://bucket/x is in the memory of this"):
            iqbench.evaluate(
                methods=places["outputs"],
                reference=places["references"],
                reference_set=places["reference set"],
                metrics=["palette"],
                results=str(tmp_path / "results"),
                executor="processes:2",
            )

    def test_objects_that_cannot_be_sent_to_workers_are_refused(self, tmp_path, monkeypatch):
        class Local(MADE["slow"]):
            """Found by no import."""

        module = ModuleType("only_here")
        exec("from made_workers import Slow\nclass Here(Slow): pass", vars(module))
        module.Here.__module__ = "only_here"
        monkeypatch.setitem(sys.modules, "only_here", module)
        made = Made(tmp_path)
        made.references()
        made.method()
        for metric, said in (
            (Local, "AttributeError: Can't pickle local object"),
            (module.Here, "ModuleNotFoundError: No module named 'only_here'"),
        ):
            monkeypatch.setattr(_registry, "metric_classes", lambda m=metric: {"slow": m})
            with pytest.raises(IqbenchError, match=f"cannot be sent to another process: {said}"):
                made.evaluate(metrics=["slow"], executor="processes:1")

    def test_functions_are_computed_in_this_process(self, tmp_path):
        made = Made(tmp_path)
        made.references()
        with pytest.raises(IqbenchError, match=r"mine: methods that are functions") as caught:
            iqbench.evaluate(
                methods={"mine": lambda image: image},
                reference=tmp_path / "hr",
                degradation="noise:sigma=25",
                results=made.results,
                executor="processes:2",
            )
        assert "Leave executor out" in caught.value.hint
        assert not made.results.exists()


class TestNodes:
    """How many workers Ray's nodes take."""

    def test_workers_fit_by_cores_and_gpus(self):
        node = {"CPU": 64.0, "GPU": 4.0}
        assert fitting(node, RayOptions(cpus=8, gpus=0)) == 8
        assert fitting(node, RayOptions(cpus=1, gpus=1)) == 4
        assert fitting(node, RayOptions(cpus=1, gpus=0.1)) == 40
        assert fitting(node, RayOptions(cpus=32, gpus=1)) == 2
        assert fitting({"CPU": 2.0}, RayOptions(cpus=1, gpus=1)) == 0
        assert fitting({}, RayOptions(cpus=1, gpus=0)) == 0


class TestShares:
    """Memory, threads and readers are for a machine, and are divided among its workers."""

    def settings(self, **changed) -> WorkerSettings:
        given = {"memory": 8 << 30, "parts": 1, "threads": 16, "readers": 8} | changed
        return WorkerSettings((), None, "auto", "exact", **given)

    def test_on_a_processor(self):
        compute = resolve_compute("cpu")
        found = shares(self.settings(), compute, "cpu", 4)
        assert [one.device for one in found] == ["cpu"] * 4
        assert {(one.memory, one.parts, one.threads, one.readers) for one in found} == {
            (2 << 30, 4, 4, 2)
        }

    def test_by_default_there_is_one_a_core_up_to_eight(self):
        compute = resolve_compute("cpu")
        assert len(shares(self.settings(threads=2), compute, "auto", None)) == 2
        assert len(shares(self.settings(threads=16), compute, "auto", None)) == 8

    def test_more_than_a_machine_can_start_are_refused(self, monkeypatch):
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        compute = resolve_compute("cpu")
        assert len(shares(self.settings(), compute, "cpu", 64)) == 64
        with pytest.raises(IqbenchError, match="processes:65: at most 64 processes"):
            shares(self.settings(), compute, "cpu", 65)

    def test_each_has_a_thread_and_a_reader(self):
        found = shares(self.settings(memory=None), resolve_compute("cpu"), "cpu", 40)
        assert {(one.memory, one.parts, one.threads, one.readers) for one in found} == {
            (None, 40, 1, 1)
        }

    def test_gpus_have_one_each_or_share(self, monkeypatch):
        import torch

        from iqbench.engine.compute import Compute

        monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
        compute = Compute(torch.device("cuda"), "exact", 1 << 30)
        found = shares(self.settings(memory=None), compute, "auto", None)
        assert [one.device for one in found] == ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]
        assert {one.parts for one in found} == {1}
        found = shares(self.settings(), compute, "cuda", 6)
        assert [one.device for one in found] == [f"cuda:{number % 4}" for number in range(6)]
        assert [one.parts for one in found] == [2, 2, 1, 1, 2, 2]
        alone = Compute(torch.device("cuda:2"), "exact", 1 << 30)
        assert [one.device for one in shares(self.settings(), alone, "cuda:2", None)] == ["cuda:2"]
