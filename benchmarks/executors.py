"""Compare executors: two workers with one, Ray with this process, and the time to the first score.

Each run is a process of its own. They take turns, round after round, so that all meet the same
machine. A core is a thread that computes and one that reads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from machine import describe_machine, keep
from workloads import Workload, make_images


@dataclass(frozen=True)
class Work:
    """Images and what is computed of them."""

    title: str
    workload: Workload
    metrics: tuple[str, ...]


WORKS = {
    "decode": Work(
        "Bound by decoding: PSNR of large PNG files", Workload("", 60, 1536, 2048), ("psnr",)
    ),
    "network": Work(
        "Bound by networks: LPIPS on VGG16, and perceptual distances",
        Workload("", 60, 512, 768),
        ("lpips:net=vgg", "perceptual"),
    ),
}

SIDES = {
    "inline, 1 core": ("inline", 1),
    "inline, 2 cores": ("inline", 2),
    "1 process": ("processes:1", 1),
    "2 processes": ("processes:2", 2),
    "Ray, 1 worker": ("ray:local,cpus=1,workers=1", 1),
    "Ray, 2 workers": ("ray:local,cpus=1,workers=2", 2),
}
"""Name to executor and cores."""


class Clock:
    """Notes when how many outputs were done."""

    def __init__(self) -> None:
        self.done: list[tuple[float, int]] = []

    def begin(self, what: str, total: int) -> None:
        """Forget what was done before: a reference set, say."""
        self.done.clear()

    def advance(self, done: int) -> None:
        """Note the moment."""
        if done:
            self.done.append((time.time(), done))


def child(options: Mapping[str, object]) -> None:
    """Evaluate, and print the moments."""
    from iqbench.api import Evaluation, run_evaluation

    clock = Clock()
    folder = Path(str(options["folder"]))
    summary = run_evaluation(
        Evaluation(
            methods_in=folder / "methods",
            reference=folder / "reference",
            results=Path(str(options["results"])),
            metrics=tuple(options["metrics"]),
            device="cpu",
            workers=int(str(options["cores"])),
            executor=str(options["executor"]),
        ),
        clock,
        own_process=True,
    )
    print(json.dumps({"done": clock.done, "scored": summary.scored, "end": time.time()}))


def measure(folder: Path, work: Work, side: str) -> dict[str, float]:
    """Run one side; return seconds to the first score and of the whole, and outputs a second."""
    executor, cores = SIDES[side]
    with tempfile.TemporaryDirectory(prefix="iqbench-executors-") as results:
        options = {
            "folder": str(folder),
            "results": results,
            "metrics": work.metrics,
            "cores": cores,
            "executor": executor,
        }
        begun = time.time()
        done = subprocess.run(
            [sys.executable, __file__, "--child", json.dumps(options)],
            env=os.environ | {"OMP_NUM_THREADS": str(cores)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    moments = found["done"]
    (first, at_first), (last, _) = moments[0], moments[-1]
    after = sum(count for _, count in moments) - at_first
    return {
        "first": first - begun,
        "whole": found["end"] - begun,
        "rate": after / (last - first) if last > first else float("nan"),
        "outputs": found["scored"],
    }


def section(work: Work, found: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Write what the rounds gave."""
    rows = [
        "| | first score, s | outputs/s afterwards | whole run, s |",
        "| --- | --- | --- | --- |",
    ]
    rate: dict[str, float] = {}
    whole: dict[str, float] = {}
    for side, rounds in found.items():
        rate[side] = median(one["rate"] for one in rounds)
        whole[side] = median(one["whole"] for one in rounds)
        first = median(one["first"] for one in rounds)
        rows.append(f"| {side} | {first:.1f} | {rate[side]:.2f} | {whole[side]:.1f} |")
    said = [
        f"Efficiency of two {what} (rate over twice that of one): {rate[two] / rate[one] / 2:.0%}."
        for what, one, two in (
            ("processes", "1 process", "2 processes"),
            ("workers of Ray", "Ray, 1 worker", "Ray, 2 workers"),
        )
        if {one, two} <= rate.keys()
    ]
    if {"inline, 1 core", "Ray, 1 worker"} <= rate.keys():
        slower = rate["inline, 1 core"] / rate["Ray, 1 worker"] - 1
        longer = whole["Ray, 1 worker"] - whole["inline, 1 core"]
        said.append(
            f"Overhead of Ray over inline on one core: {slower:.1%} of the rate after the first "
            f"score; {longer:.1f} s of the whole run, with starting a cluster."
        )
    if {"inline, 2 cores", "2 processes"} <= rate.keys():
        gain = rate["2 processes"] / rate["inline, 2 cores"]
        said.append(f"Two processes over threads in one, on two cores: {gain:.2f} times the rate.")
    images = f"{work.workload.pairs} pairs {work.workload.height}x{work.workload.width}"
    return "\n\n".join([f"## {work.title}", f"{images}.", "\n".join(rows), "\n".join(said)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", choices=list(WORKS), nargs="*", default=list(WORKS))
    parser.add_argument("--side", choices=list(SIDES), nargs="*", default=list(SIDES))
    parser.add_argument("--pairs", type=int, help="of each workload; 60 by default")
    parser.add_argument("--size", type=int, help="height and width, for a short look")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    sides = [one for one in options.side if "Ray" not in one or find_spec("ray") is not None]
    command = "python benchmarks/executors.py " + " ".join(sys.argv[1:])
    parts = [describe_machine("Executors", command)]
    for name in options.work:
        given = WORKS[name]
        size = given.workload
        work = Work(
            given.title,
            Workload(
                name,
                options.pairs or size.pairs,
                options.size or size.height,
                options.size or size.width,
            ),
            given.metrics,
        )
        with tempfile.TemporaryDirectory(prefix="iqbench-executors-") as folder:
            make_images(work.workload, 1, Path(folder))
            found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
            for number in range(options.rounds):
                for side in sides if number % 2 else reversed(sides):
                    found[side].append(measure(Path(folder), work, side))
        parts.append(section(work, found))
    keep("\n\n".join(parts) + "\n", "executors", options.keep)


if __name__ == "__main__":
    main()
