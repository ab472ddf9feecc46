"""Workers of a Ray cluster: the same tables after any process is killed; no processes remain."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from made_folders import Made
from made_workers import MADE, METRICS, awkward_files, same

from iqbench.errors import IqbenchError
from iqbench.metrics import _registry

ray = pytest.importorskip("ray", reason="the package ray is not installed")

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]

SEED = 18
TESTS = f"{Path(__file__).parents[1]}:{Path(__file__).parent}"
SECONDS = 240

# As the command line, but rows are written at once, so that a killed driver leaves some.
COMMAND = """
import sys
sys.path[:0] = sys.argv.pop(1).split(":")
from made_workers import MADE
from iqbench.metrics import _registry
from iqbench.results import store
store.FLUSH_ROWS = 10
known = {**_registry.metric_classes(), **MADE}
_registry.metric_classes = lambda: known
from iqbench.cli.main import main
main(sys.argv[1:])
"""


def processes(words: str) -> set[int]:
    """The living processes whose command line holds some words."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (path.parent / "stat").read_text().rpartition(")")[2].split()[0]
            if words in text and state != "Z":
                found.add(int(path.parent.name))
    return found


def actors() -> set[int]:
    return processes("ray::RayWorker")


def wait_for(what, seconds=SECONDS):
    """Wait until something is true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.fixture(autouse=True)
def _made_metrics(monkeypatch):
    known = {**_registry.metric_classes(), **MADE}
    monkeypatch.setattr(_registry, "metric_classes", lambda: known)


@contextmanager
def cluster():
    """A cluster on this machine, whose nodes can be added and removed."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        yield made
    finally:
        made.shutdown()


@pytest.fixture
def made(tmp_path) -> Made:
    """A run of half a minute for one worker."""
    made = Made(tmp_path)
    images = [f"i{number}" for number in range(60)]
    made.references(images)
    for method in ("one", "two"):
        made.method(method, images)
    return made


STARTED: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def _ended():
    """No run outlives its test."""
    yield
    for run in STARTED:
        run.kill()
        run.communicate()
    STARTED.clear()


def start(made: Made, address: str, seconds: float = 0.25) -> subprocess.Popen:
    options = ["--methods-in", str(made.root / "out"), "--reference", str(made.root / "hr")]
    options += ["--results", str(made.results), "--device", "cpu"]
    for metric in ("psnr", "ssim", "palette", f"slow:seconds={seconds}"):
        options += ["--metric", metric]
    run = subprocess.Popen(
        [
            sys.executable,
            "-c",
            COMMAND,
            TESTS,
            "evaluate",
            *options,
            "--executor",
            f"ray:{address}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=made.root,
    )
    STARTED.append(run)
    return run


def written(made: Made) -> int:
    """How many values are in the tables, while a run goes on."""
    try:
        return int(made.scores()["value"].notna().sum())
    except (IqbenchError, FileNotFoundError):
        return 0


def test_tables_are_equal_to_the_bit_and_as_much_is_said(tmp_path):
    before = processes("raylet")
    made = awkward_files(tmp_path)
    said = {}
    for executor in ("inline", "ray:local"):
        said[executor] = made.evaluate(
            metrics=METRICS, results=tmp_path / executor, executor=executor
        )
    same(tmp_path / "inline", tmp_path / "ray:local")
    inline, spread = said.values()
    assert (inline.scored, inline.current) == (spread.scored, spread.current)
    assert inline.failures == spread.failures
    assert inline.messages == spread.messages
    assert not ray.is_initialized()
    assert not actors()
    wait_for(lambda: processes("raylet") <= before)


def test_tables_equal_those_of_an_undisturbed_run_after_any_kill(made):
    chance = random.Random(SEED)
    kinds = ["worker", "node", "driver", "worker", "driver", "node"]
    chance.shuffle(kinds)
    metrics = ("psnr", "ssim", "palette", "slow:seconds=0")
    made.evaluate(metrics=metrics, results=made.root / "undisturbed")
    done = []
    with cluster() as nodes:
        other = nodes.add_node(num_cpus=1)
        run = start(made, nodes.address)
        for kind in kinds:
            wait_for(lambda run=run: actors() or run.poll() is not None)
            time.sleep(chance.uniform(0.2, 2.5))
            if run.poll() is not None:
                break
            if kind == "worker" and (living := sorted(actors())):
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(living), signal.SIGKILL)
            elif kind == "node":
                nodes.remove_node(other, allow_graceful=False)
                other = nodes.add_node(num_cpus=1)
            else:
                run.kill()
                run.communicate()
                STARTED.remove(run)
                run = start(made, nodes.address)
            done.append(kind)
        said, _ = run.communicate(timeout=SECONDS)
        assert run.returncode == 0, said.decode()
    assert len(set(done)) == 3, done
    same(made.root / "undisturbed", made.results)


def test_a_node_that_joins_is_used(made):
    with cluster() as nodes:
        run = start(made, nodes.address)
        wait_for(lambda: written(made))
        assert len(actors()) == 1
        nodes.add_node(num_cpus=1)
        wait_for(lambda: len(actors()) == 2 or run.poll() is not None)
        assert run.poll() is None
        said, _ = run.communicate(timeout=SECONDS)
        assert run.returncode == 0, said.decode()
    assert len(made.scores()) == 60 * 2 * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_an_interrupted_run_keeps_what_is_done_and_leaves_no_process(made, number):
    before = processes("raylet") | processes("gcs_server")
    run = start(made, "local")
    wait_for(lambda: written(made))
    run.send_signal(number)
    said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 130, said.decode()
    assert b"Traceback" not in said
    assert b"interrupted" in said
    wait_for(lambda: not actors() and processes("raylet") | processes("gcs_server") <= before)
    kept = made.scores()["value"].notna().sum()
    assert 0 < kept < 60 * 2 * 3


def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path):
    made = Made(tmp_path)
    made.references()
    made.method()
    with pytest.raises(IqbenchError, match=r"there is no Ray cluster at '127.0.0.1:9'"):
        made.evaluate(executor="ray:127.0.0.1:9")
    assert not made.results.exists()


def test_a_callers_own_cluster_is_used_and_stays(tmp_path):
    made = Made(tmp_path)
    made.references()
    made.method()
    ray.init(address="local", num_cpus=1, log_to_driver=False)
    try:
        made.evaluate(executor="ray:cpus=1")
        assert ray.is_initialized()
        assert len(made.values()) == 3
    finally:
        ray.shutdown()


SHIMS = {
    "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "scontrol": "echo localhost",
    "hostname": "echo 127.0.0.1",
    "iqbench": f'exec {sys.executable} -c "from iqbench.cli.main import main; main()" "$@"',
}
"""What stands for SLURM on one machine."""


def test_the_script_for_slurm_runs_on_one_machine(tmp_path):
    made = Made(tmp_path)
    made.references()
    made.method()
    (tmp_path / "bin").mkdir()
    for name, line in SHIMS.items():
        shim = tmp_path / "bin" / name
        shim.write_text(f"#!/usr/bin/env bash\n{line}\n")
        shim.chmod(0o755)
    script = Path(__file__).parents[2] / "examples" / "slurm_ray.sh"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = os.pathsep.join([str(tmp_path / "bin"), str(Path(sys.executable).parent)])
    done = subprocess.run(
        ["bash", str(script), "--method", "out/mine", "--reference", "hr", "--metric", "psnr"],
        cwd=tmp_path,
        env=os.environ
        | {
            "PATH": os.pathsep.join([here, os.environ["PATH"]]),
            "SLURM_JOB_NODELIST": "localhost",
            "RAY_PORT": str(port),
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 scored" in done.stderr
    assert len(made.values()) == 3
    wait_for(lambda: not processes(f"--port={port}"))
