"""An evaluator has the same values on several ranks as in one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import iqbench
from iqbench.metrics._inception_features import InceptionExtractor
from iqbench.networks.weights import Weights

PROGRAM = """
import json, sys, warnings
import torch
import iqbench
from iqbench.metrics._inception_features import InceptionExtractor
from iqbench.networks.weights import Weights

warnings.simplefilter("ignore")
def rows_of(self, image, weights):
    return image.mean(3)[:, :, ::8].flatten(1).numpy()


InceptionExtractor.extract = rows_of
InceptionExtractor.weights = lambda self, folder: Weights("inception", {}, "0123456789ab", "made")

rank, world, folder, mode = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(1)
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world
)
images = torch.load(f"{folder}/images.pt", weights_only=True)
METRICS = ["psnr", "ssim", "fid", "kid"]
evaluator = iqbench.Evaluator(METRICS, "sr-y:scale=4", device="cpu")
number = len(images["output"])
if mode == "padded":  # as DistributedSampler: every rank has as many, the first ones come again
    mine = [place % number for place in range(rank, -(-number // world) * world, world)]
elif mode == "uneven":
    mine = range(number - 1) if rank == 0 else range(number - 1, number) if rank == 1 else []
else:  # all of it on the last rank
    mine = range(number) if rank == world - 1 else []
for place in mine:
    evaluator.update(
        images["output"][place : place + 1], images["reference"][place : place + 1], ids=[place]
    )
evaluator.write(f"{folder}/results", method="mine")
found = {
    "means": evaluator.compute(),
    "images": sorted(evaluator.scores().index),
    "own": len(evaluator.scores(merge=False)),
    "sets": evaluator.scores(scope="set")["n"].tolist(),
}
with open(f"{folder}/{rank}.json", "w") as file:
    json.dump(found, file)
torch.distributed.destroy_process_group()
"""


def rows_of(self, image, weights):
    """A stand-in for Inception: means of some rows."""
    return image.mean(3)[:, :, ::8].flatten(1).numpy()


@pytest.mark.slow  # each process imports torch
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch has no torch.distributed")
@pytest.mark.parametrize(("world", "mode"), [(2, "padded"), (2, "one"), (3, "uneven")])
def test_all_ranks_have_what_one_process_has(tmp_path, monkeypatch, world, mode):
    reference = torch.rand(5, 3, 40, 36)
    output = (reference + 0.05 * torch.randn_like(reference)).clamp(0, 1)
    torch.save({"reference": reference, "output": output}, tmp_path / "images.pt")
    monkeypatch.setattr(InceptionExtractor, "extract", rows_of)
    monkeypatch.setattr(
        InceptionExtractor,
        "weights",
        lambda self, folder: Weights("inception", {}, "0123456789ab", "made"),
    )
    alone = iqbench.Evaluator(["psnr", "ssim", "fid", "kid"], "sr-y:scale=4", device="cpu")
    alone.update(output, reference, ids=range(5))
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(rank), str(world), str(tmp_path), mode],
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(world)]
    for one in found:
        assert one["means"] == pytest.approx(alone.compute(), rel=1e-12)
        assert one["sets"] == [5, 5]
        assert one["images"] == [str(place) for place in range(5)]
    assert sum(one["own"] for one in found) == (6 if mode == "padded" else 5)
    written = iqbench.load_scores(tmp_path / "results", wide=True).loc["validation", "mine"]
    sets = iqbench.load_scores(tmp_path / "results", scope="set").set_index("metric")["value"]
    assert sets["fid"] == pytest.approx(alone.compute()["fid"], rel=1e-12)
    assert written["psnr"].tolist() == alone.scores().loc[list(written.index), "psnr"].tolist()
