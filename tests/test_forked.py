"""A forked process computes, whatever its parent has computed before; fork is usual on Linux.

OpenMP and OpenCV keep threads that do not follow into a forked process; whoever hands work to them
there waits without end. Each test is a fresh process that computes in several threads, then forks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

PIXELS = ["psnr", "psnr-b", "ssim", "ssim:padding=zero", "ms-ssim", "tv-ratio", "tv-residual"]
COLUMNS = 8  # MS-SSIM has two
SIZE = 640, 480  # large enough for every library to use its threads

BEGIN = """
import json, multiprocessing, os, signal, sys, traceback
import numpy as np

METRICS = json.loads(sys.argv[1])

def forked(work):
    # Returns what work() gives in a forked process; one that hangs is ended.
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(60)
            os.write(writing, json.dumps(work()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0, "the forked process failed"
    with os.fdopen(reading) as answer:
        return json.load(answer)

def measure():
    import iqbench
    return iqbench.measure("reference.png", "output.png", metrics=METRICS)["value"].tolist()

def use_threads():
    import cv2, torch
    torch.set_num_threads(2)
    torch.rand(2000, 2000).exp().sum()
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 0)
"""


@pytest.fixture
def run(tmp_path):
    """Run Python code in a folder with two pictures, and return what it prints as JSON."""
    generator = np.random.default_rng(0)
    reference = generator.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    noise = generator.integers(-9, 10, reference.shape)
    output = (reference.astype(int) + noise).clip(0, 255).astype(np.uint8)
    for name, pixels in (("reference", reference), ("output", output)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")

    def run(code, metrics=PIXELS):
        environment = {key: value for key, value in os.environ.items() if "_NUM_THREADS" not in key}
        paths = [str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")]
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + code, json.dumps(metrics)],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


SEQUENCES = {
    "the parent has measured": "use_threads(); measure()",
    "the parent has imported iqbench only": "import iqbench; use_threads()",
    "the parent has never heard of iqbench": "use_threads()",
}


@pytest.mark.parametrize("before", SEQUENCES.values(), ids=SEQUENCES.keys())
def test_a_forked_process_measures_what_its_parent_measures(run, before):
    found = run(f"{before}\nchild = forked(measure)\nprint(json.dumps([child, measure()]))")
    assert len(found[0]) == COLUMNS
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_a_process_is_forked_while_a_thread_of_its_parent_measures(run):
    code = """
import threading
use_threads()
parent, enough = measure(), threading.Event()

def go_on():
    while not enough.is_set():
        measure()

thread = threading.Thread(target=go_on)
thread.start()
children = [forked(measure) for _ in range(3)]
enough.set()
thread.join()
print(json.dumps([parent, *children]))
"""
    parent, *children = run(code, ["psnr", "ssim"])
    assert children == [parent] * 3


@pytest.mark.usefixtures("pretrained_networks")
def test_networks_work_in_a_forked_process(run):
    code = """
use_threads()
parent = measure()
print(json.dumps([parent, forked(measure), forked(lambda: forked(measure))]))
"""
    parent, child, grandchild = run(code, ["lpips-alex", "perceptual:layers=relu2_2"])
    assert child == pytest.approx(parent, rel=1e-5)
    assert grandchild == child


def test_a_pool_of_forked_processes_measures(run):
    code = """
use_threads()
parent = measure()
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = [pool.apply_async(measure) for _ in range(4)]
    print(json.dumps([parent, *(one.get(timeout=60) for one in found)]))
"""
    parent, *children = run(code)
    assert children == [pytest.approx(parent, rel=1e-12)] * 4


def test_a_forked_process_evaluates_folders(run):
    code = """
import pathlib, shutil
for folder, name in (("hr", "reference"), ("mine", "output")):
    pathlib.Path(folder).mkdir()
    for number in range(6):
        shutil.copy(f"{name}.png", f"{folder}/{number}.png")

def evaluate():
    import iqbench
    frame = iqbench.evaluate(methods=["mine"], reference="hr", metrics=METRICS,
                             results=f"results{os.getpid()}")
    return frame["value"].tolist()

use_threads()
parent = evaluate()
print(json.dumps([parent, forked(evaluate)]))
"""
    parent, child = run(code)
    assert len(child) == 6 * COLUMNS
    assert child == pytest.approx(parent, rel=1e-12)


def test_functions_and_gradients_work_in_a_forked_process_and_in_its_threads(run):
    code = """
import threading
import torch
from iqbench import functional, losses

def score():
    generator = torch.Generator().manual_seed(0)
    reference, output = (torch.rand(4, 3, 300, 300, generator=generator) for _ in range(2))
    output.requires_grad_()
    value = (1 - functional.ssim(reference, output)).sum() + losses.TVLoss()(output)
    value.backward()
    return [value.item(), output.grad.double().abs().sum().item()]

def in_a_thread_first():
    found = []
    thread = threading.Thread(target=lambda: found.append(score()))
    thread.start()
    thread.join()
    assert found[0] == score()
    return found[0]

use_threads()
parent = score()
print(json.dumps([parent, forked(score), forked(in_a_thread_first)]))
"""
    parent, child, threaded = run(code)
    assert child == pytest.approx(parent, rel=1e-6)
    assert threaded == pytest.approx(parent, rel=1e-6)


def test_workers_of_a_data_loader_score(run):
    code = """
import torch
from iqbench import functional

class Scores(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        reference, output = torch.full((2, 1, 1, 256, 256), index / 8)
        return functional.psnr(reference, output + 0.1)[0], measure()[0]

use_threads()
measure()
loader = torch.utils.data.DataLoader(Scores(), num_workers=2, multiprocessing_context="fork")
print(json.dumps([[float(value) for value in pair] for pair in loader]))
"""
    found = run(code)
    assert [row[0] for row in found] == pytest.approx([20.0] * 4, abs=1e-3)
    assert len({row[1] for row in found}) == 1


def test_a_forked_process_that_asks_for_threads_again_does_not_hang(run):
    code = """
import torch
use_threads()
measure()

def ask_for_threads():
    torch.set_num_threads(4)
    values = measure()
    torch.set_num_threads(3)
    assert measure() == values
    return torch.get_num_threads()

print(json.dumps([forked(ask_for_threads), torch.get_num_threads()]))
"""
    assert run(code, ["ssim"]) == [1, 2]


def test_a_lock_that_another_thread_held_at_the_fork_is_open_in_the_child(run):
    """The compute of a property, and a lock: each is held while the process is forked."""
    code = """
import threading
from iqbench.forks import ForkLock, cached_property

held, ended = threading.Event(), threading.Event()
lock, waits = ForkLock(), True

class Holder:
    @cached_property
    def value(self):
        if waits:
            held.set()
            ended.wait()
        return 1

def hold():
    with lock:
        Holder().value

def use():
    global waits
    waits = False
    with lock:
        return Holder().value

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = forked(use)
ended.set()
thread.join()
print(json.dumps([child, use()]))
"""
    assert run(code) == [1, 1]
