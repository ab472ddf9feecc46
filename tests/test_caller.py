"""No setting of the calling process is changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

PROGRAM = """
import hashlib, locale, logging, os, pickle, random, signal, socket, sys, threading, warnings
import cv2, imagecodecs, numpy as np, pandas, pyarrow.dataset, torch

if len(sys.argv) > 1:
    sys.argv.clear()  # as where a program embeds Python

def digest(thing):
    return hashlib.sha256(pickle.dumps(thing)).hexdigest()

def state():
    backends = torch.backends
    return {
        "torch threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch types": (torch.get_default_dtype(), torch.get_default_device()),
        "torch modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
                        torch.are_deterministic_algorithms_enabled(),
                        torch.is_autocast_enabled("cpu")),
        "torch precision": (torch.get_float32_matmul_precision(), backends.cudnn.benchmark,
                            backends.cudnn.deterministic, backends.mkldnn.enabled),
        "random numbers": (digest(torch.get_rng_state().numpy()), digest(random.getstate()),
                           digest(np.random.get_state())),
        "opencv": (cv2.getNumThreads(), cv2.useOptimized(),
                   cv2.utils.logging.getLogLevel()),
        "numpy": (tuple(np.geterr().items()), np.get_printoptions()["precision"]),
        "pandas": (pandas.get_option("display.max_rows"), pandas.get_option("display.precision")),
        "warnings": list(warnings.filters),
        "signals": {name: signal.getsignal(name) for name in signal.valid_signals()
                    if name not in (signal.SIGKILL, signal.SIGSTOP)},
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "locale": locale.setlocale(locale.LC_ALL),
        "logging": (logging.root.level, list(logging.root.handlers)),
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook),
        "limits": (sys.getrecursionlimit(), socket.getdefaulttimeout()),
        "threads": {thread.name for thread in threading.enumerate()},
    }

torch.manual_seed(1); random.seed(1); np.random.seed(1)
torch.set_num_threads(2)
cv2.setNumThreads(2)
cv2.utils.logging.setLogLevel(4)
torch.set_float32_matmul_precision("high")
warnings.simplefilter("always")
before = state()

def unchanged(after):
    found = state()
    changed = [key for key in before if before[key] != found[key]]
    assert not changed, f"{after}: {[(key, before[key], found[key]) for key in changed]}"

import iqbench
unchanged("import")
from iqbench import functional, losses
from iqbench.engine import freed_memory

def refuse():
    raise AssertionError("malloc was set up")

freed_memory._glibc = refuse
unchanged("import of all")
METRICS = ["psnr", "psnr-b", "ssim", "ms-ssim", "tv-ratio", "gmsd"]
iqbench.measure("hr/a.png", "mine/a.png", metrics=METRICS)
unchanged("measure")
iqbench.evaluate(methods=["mine"], reference="hr", metrics=METRICS, results="results")
unchanged("evaluate")
try:
    iqbench.measure("hr/a.png", "mine/broken.png")
except Exception:
    unchanged("an error")
else:
    raise AssertionError("a broken picture was measured")
image = torch.ones(1, 3, 200, 200)
image.requires_grad_()
before["random numbers"] = state()["random numbers"]
for name in ("psnr", "ssim", "ms_ssim", "tv_ratio", "ssim_map"):
    getattr(functional, name)(image * 0.5, image * 0.25).nansum().backward()
losses.TVLoss()(image).backward()
assert image.grad is not None
unchanged("functions and losses")
print("unchanged")
"""


def run(folder, *arguments):
    generator = np.random.default_rng(0)
    reference = generator.integers(0, 256, (190, 181, 3), dtype=np.uint8)
    for name, pixels in (("hr", reference), ("mine", reference // 2)):
        (folder / name).mkdir()
        Image.fromarray(pixels).save(folder / name / "a.png")
    (folder / "mine" / "broken.png").write_bytes((folder / "mine" / "a.png").read_bytes()[:999])
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_nothing_is_left_changed(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "unchanged"


def test_a_program_without_arguments_is_served_as_well(tmp_path):
    done = run(tmp_path, "without arguments")
    assert done.returncode == 0, done.stderr
