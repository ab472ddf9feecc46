"""FID beside pytorch-fid: the network's pass, and from files to the value.

``python benchmarks/sets.py [--images 64] [--rounds 3] [--keep]``, after ``pip install pytorch-fid``

Both have the same weights. The pass is timed in one process, in turns, on images that are 299x299
already. From files to the value each command is a process of its own: both have the references'
features (pytorch-fid: their statistics) from an earlier run, and score another method. iqbench then
scores a third, whose images alone are new.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from checkpoints import write_fid_checkpoint
from machine import describe_machine, keep
from single_metrics import turn
from workloads import Workload, make_images

if TYPE_CHECKING:
    from iqbench.metrics._feature_sets import Moments

BATCHES = (1, 8)
METHODS = 3
FID = ["--metric", "fid:resizer=pytorch"]
"""The resizer that pytorch-fid has, so that both values are of the same definition."""


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Write minimum, median and maximum."""
    return " / ".join(form.format(of(values)) for of in (min, median, max))


def network_passes(rounds: int) -> str:
    """Time both networks on batches; return the section."""
    import torch
    from pytorch_fid.inception import InceptionV3

    from iqbench.networks.inception import load_inception

    mine = load_inception(torch.device("cpu"))
    theirs = InceptionV3([3], resize_input=False, normalize_input=False).eval()
    rows = [
        "| images at once | iqbench, ms | pytorch-fid, ms | iqbench over it |",
        "| --- " * 4 + "|",
    ]
    generator = torch.Generator().manual_seed(0)
    for images in BATCHES:
        batch = torch.rand(images, 3, 299, 299, generator=generator) * 2 - 1
        calls: dict[str, Callable[[], object]] = {
            "iqbench": partial(mine, batch.contiguous(memory_format=torch.channels_last)),
            "pytorch-fid": partial(theirs, batch),
        }
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        with torch.inference_mode():
            found, expected = mine(batch), theirs(batch)[0].flatten(1)
            error = float((found - expected).norm() / expected.norm())
            for _ in range(rounds):
                for name, call in calls.items():
                    seconds[name].append(turn(call, []) / images)
        ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
        cells = [f"{1e3 * median(values):.1f}" for values in seconds.values()]
        rows.append(f"| {images} | {' | '.join(cells)} | {spread(ratios)} |")
    found_error = f"The features of both differ by {error:.1e} of their norm."
    return "\n\n".join(["## The network's pass, an image of 299x299", "\n".join(rows), found_error])


@dataclass(frozen=True)
class Command:
    """What a process took.

    Attributes
    ----------
    wall, cpu
        Seconds.
    text
        What it printed.
    """

    wall: float
    cpu: float
    text: str


def run(*arguments: str) -> Command:
    """Run a Python process to its end."""
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    after = os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return Command(time.perf_counter() - started, cpu, done.stdout)


def score(images: Path, results: Path, method: str) -> Command:
    """Let iqbench score a method."""
    output = f"{method}={images / 'methods' / method}"
    where = ["--reference", str(images / "reference"), "--results", str(results)]
    code = "import sys; from iqbench.cli.entry import main; sys.exit(main())"
    return run("-c", code, "evaluate", "--method", output, *where, *FID)


def from_files(images: Path, rounds: int) -> str:
    """Time the commands; return the section."""
    statistics = images / "reference.npz"
    peer = ["-m", "pytorch_fid", "--device", "cpu"]
    run(*peer, "--save-stats", str(images / "reference"), str(statistics))
    kinds = ("iqbench, first method", "iqbench, second", "iqbench, third", "iqbench, again")
    found: dict[str, list[Command]] = {name: [] for name in (*kinds, "pytorch-fid")}
    for number in range(rounds):
        results = images / f"results{number}"
        for kind, method in zip(kinds, ("noise1", "noise2", "noise3", "noise3"), strict=True):
            found[kind].append(score(images, results, method))
        found["pytorch-fid"].append(run(*peer, str(statistics), str(images / "methods" / "noise2")))
    rows = ["| command | s | CPU s |", "| --- | --- | --- |"]
    rows += [
        f"| {name} | {spread([one.wall for one in runs])} | {spread([one.cpu for one in runs])} |"
        for name, runs in found.items()
    ]
    for what, get in (("s", lambda one: one.wall), ("CPU s", lambda one: one.cpu)):
        pairs = zip(found["iqbench, second"], found["pytorch-fid"], strict=True)
        ratios = spread([get(a) / get(b) for a, b in pairs])
        rows.append(f"\n{what}, iqbench's second method over pytorch-fid: {ratios}.")
    run(*peer, "--save-stats", str(images / "methods" / "noise2"), str(images / "noise2.npz"))
    return "\n".join(rows) + "\n\n" + agreement(images, found["pytorch-fid"][0])


def agreement(images: Path, theirs: Command) -> str:
    """Compare the values of both, and iqbench's formula on the moments of pytorch-fid."""
    from iqbench import load_scores
    from iqbench.metrics._set_distances import frechet_of_moments

    scores = load_scores(images / "results0", scope="set")
    (mine,) = scores.loc[scores.method == "noise2", "value"]
    value = float(re.findall(r"FID:\s+([\d.e+-]+)", theirs.text)[-1])
    closed = frechet_of_moments(*(moments(images, name) for name in ("reference", "noise2"))).value
    return (
        f"Values of the second method: iqbench {mine:.4f}, pytorch-fid {value:.4f}, iqbench's "
        f"formula on pytorch-fid's means and covariances {closed:.4f}."
    )


def moments(images: Path, name: str) -> Moments:
    """Read what pytorch-fid saved of a set."""
    from iqbench.metrics._feature_sets import Moments

    n = len(list((images / "methods" / "noise2").iterdir()))
    with np.load(images / f"{name}.npz") as saved:
        return Moments(n, saved["mu"], saved["sigma"] * (n - 1))


def main() -> None:
    warnings.simplefilter("ignore")  # of deprecations between the peers and torch
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    options = parser.parse_args()
    head = describe_machine("FID", "python benchmarks/sets.py " + " ".join(sys.argv[1:]))
    with tempfile.TemporaryDirectory(prefix="iqbench-sets-") as name:
        folder = Path(name)
        write_fid_checkpoint(folder / "torch")
        os.environ |= {"TORCH_HOME": str(folder / "torch"), "PYTHONWARNINGS": "ignore"}
        workload = Workload("sets", options.images, 321, 481)
        make_images(workload, METHODS, folder)
        title = f"## From files to the value, {workload}"
        parts = [head, network_passes(options.rounds), title, from_files(folder, options.rounds)]
    keep("\n\n".join(parts) + "\n", "sets", options.keep)


if __name__ == "__main__":
    main()
