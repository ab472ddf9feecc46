"""Each metric alone beside the peers': decoded images in, values out, one process.

``python benchmarks/single_metrics.py [--metric dists niqe] [--workload W2] [--rounds 5] [--keep]``

Times are CPU time: the seconds of all threads together. Where other programs run beside, set
``OMP_NUM_THREADS=1``: threads that wait for each other count as well. Rounds are interleaved
(iqbench, peer, peer, iqbench, ...); a turn is as many calls as a tenth of a second takes, at least
one. Networks and weights are ready before the clock starts; each takes uint8 arrays as a decoder
gives them, so what a metric needs to convert is its own cost.
``pip install frame-analytics psnr-hvsm flip-evaluator pypiqe dists-pytorch`` adds these peers.
frame-analytics is compiled: by torch, when a function is first called. NIQE of BasicSR (and mmagic,
which has the same code) and of pyiqa are compared where these packages are found; it suffices that
their sources are on ``PYTHONPATH``. piq's DISTS shrinks the short side to 256 pixels and has
average pooling: it stands beside ours with the same size, and its values differ.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from statistics import median

from checkpoints import write_checkpoints
from machine import describe_machine, keep
from single_peers import Image, Score, peers
from tools.peer import decode
from workloads import WORKLOADS, find_jobs, make_images

TURN = 0.1
"""Seconds of CPU time: nobody scores one pair and goes."""

METHODS = {"dists": (1, 4), "dists:resize=256": (1, 4)}
"""Numbers of outputs of one reference by metric; one where it is not named."""


def ours(columns: list[str]) -> dict[str, Score]:
    """Score by the engine, as ``iqbench evaluate`` does."""
    from iqbench.engine.batch import Batch
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.resources import load_resources
    from iqbench.engine.scorer import Scorer
    from iqbench.images.picture import Picture
    from iqbench.metrics._registry import resolve_metrics
    from iqbench.protocols.presets import resolve_protocol

    compute, protocol = resolve_compute("cpu"), resolve_protocol("rgb")

    def scorer(column: str) -> Score:
        requests = resolve_metrics([column])
        one = Scorer(requests, protocol, load_resources(requests, compute), compute)

        def score(reference: Image, *outputs: Image) -> list[float]:
            pictures = [Picture(image, "", "", 0) for image in (reference, *outputs)]
            batch = Batch(pictures[:1], pictures[1:], [0] * len(outputs))
            values = [outcome.value for found in one.score(batch) for outcome in found.values()]
            assert None not in values
            return [value for value in values if value is not None]

        return score

    return {column: scorer(column) for column in columns}


def measure(
    functions: dict[str, Score], images: list[Image], rounds: int
) -> dict[str, list[float]]:
    """Measure each function in turns, after one turn that is not counted.

    Another begins every round: the first finds the caches as the last left them.
    """
    for function in functions.values():
        turn(function, images)
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(turn(functions[name], images))
    return seconds


def turn(function: Score, images: list[Image]) -> float:
    """Call a function for `TURN`, at least once; return the CPU seconds of a call."""
    calls, start = 0, time.process_time()
    while calls == 0 or time.process_time() - start < TURN:
        function(*images)
        calls += 1
    return (time.process_time() - start) / calls


def line(column: str, seconds: dict[str, list[float]]) -> str:
    """Write the row of a metric: milliseconds, and ours over the fastest peer's within a round."""
    best = min((name for name in seconds if name != "iqbench"), key=lambda k: median(seconds[k]))
    ratios = [a / b for a, b in zip(seconds["iqbench"], seconds[best], strict=True)]
    cells = [f"{1e3 * median(seconds['iqbench']):.1f}"]
    others = (f"{k} {1e3 * median(v):.1f}" for k, v in seconds.items() if k != "iqbench")
    spread = " / ".join(f"{of(ratios):.2f}" for of in (min, median, max))
    return "| " + " | ".join([column, *cells, ", ".join(others), best, spread]) + " |"


def main() -> None:
    warnings.simplefilter("ignore")  # of deprecations between the peers and torch
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metric", nargs="+", help="these columns only")
    parser.add_argument("--workload", choices=list(WORKLOADS), default="W1")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    options = parser.parse_args()
    command = "python benchmarks/single_metrics.py " + " ".join(sys.argv[1:])
    head = describe_machine("Single metrics", command)
    workload = WORKLOADS[options.workload]
    with tempfile.TemporaryDirectory(prefix="iqbench-single-") as name:
        write_checkpoints(Path(name) / "torch")
        os.environ["TORCH_HOME"] = str(Path(name) / "torch")
        methods = max(max(numbers) for numbers in METHODS.values())
        make_images(replace(workload, pairs=1), methods, Path(name) / "images")
        (job,) = find_jobs(Path(name) / "images")
        images = [decode(path) for path in (job.reference, *job.outputs.values())]
        # A metric whose only peer is not installed has nobody to be beside: `peers` leaves it out.
        theirs = peers(options.metric)
        mine = ours(list(theirs))
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.freed_memory import keep_freed_memory

    rows = [
        "| metric | iqbench, CPU ms | peers, CPU ms | fastest peer | ratio: min / median / max |",
        "| --- | --- | --- | --- | --- |",
    ]
    for column, functions in theirs.items():
        for outputs in METHODS.get(column, (1,)):
            label = column if outputs == 1 else f"{column}, {outputs} outputs of a reference"
            print(label, file=sys.stderr, flush=True)
            # As in a run of iqbench; the peers have it as well.
            with keep_freed_memory(resolve_compute("cpu")):
                both = {"iqbench": mine[column], **functions}
                rows.append(line(label, measure(both, images[: outputs + 1], options.rounds)))
    size = (
        f"Images of {workload.height}x{workload.width}, 8-bit RGB; one pair, if not said; medians."
    )
    chosen = dict.fromkeys(metric.partition(":")[0] for metric in options.metric or ())
    name = "-".join(["single-metrics", *chosen])
    keep("\n\n".join([head, size, "\n".join(rows)]) + "\n", name, options.keep)


if __name__ == "__main__":
    main()
