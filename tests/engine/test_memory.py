"""Memory is bounded by the budget and not by the image, except for the decoded pixels."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# A process of its own: the high-water mark is the process's. Weights are made up.
SCRIPT = """
import json, resource, sys
import numpy as np, torch
from iqbench.engine.compute import resolve_compute
from iqbench.engine.resources import Resources
from iqbench.engine.batch import Batch
from iqbench.engine.scorer import Scorer
from iqbench.images.picture import Picture
from iqbench.metrics._registry import resolve_metrics
from iqbench.networks.registry import architecture, assemble
from iqbench.protocols.presets import resolve_protocol

torch.set_num_threads(1)
WIDTH = 256
requests = resolve_metrics(["psnr", "ssim", "tv", "perceptual:net=alexnet,layers=relu2"])
shapes = architecture("alexnet").state_dict()
tensors = {name: torch.zeros(like.shape) + 0.01 for name, like in shapes.items()}
parameters = {request.metric: {} for request in requests}
resources = Resources({"alexnet": assemble("alexnet", tensors)}, parameters, {})
compute = resolve_compute("cpu", memory=int(sys.argv[1]))
scorer = Scorer(requests, resolve_protocol("rgb"), resources, compute)

def score(height):
    pixels = np.zeros((height, WIDTH, 3), np.uint8) + np.arange(WIDTH, dtype=np.uint8)[:, None]
    pictures = [Picture(pixels + value, "", "", 0) for value in (0, 1)]
    scorer.score(Batch(pictures[:1], pictures[1:], [0]))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"pixels": 3 * pixels.nbytes, "peak": peak}

print(json.dumps([score(1024), score(16384)]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is POSIX's")
def test_an_image_16_times_as_high_takes_no_more_than_its_own_pixels():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(64 << 20)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    small, large = json.loads(done.stdout)
    growth = large["peak"] - small["peak"]
    # Whole images would take a gigabyte: SSIM alone keeps five float64 moments a value.
    assert growth < large["pixels"] + (64 << 20)
