"""What ``dists``, ``niqe`` and ``fid`` cost when they are added to the default bundle.

``python benchmarks/added.py [--pairs 12] [--rounds 3] [--keep]``

Each set of metrics is a process of its own, from files to tables, round after round. What a metric
costs alone holds the decoding of the files and, of ``dists``, the passes that the bundle makes
anyway; added to the bundle it should cost less than that, and no file should be decoded again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

from machine import describe_machine, keep
from sets import spread
from side_by_side import OURS, Bench
from workloads import WORKLOADS, make_images

ADDED = ("dists", "niqe", "fid")


def main() -> None:
    from iqbench.metrics._registry import DEFAULT_METRICS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=list(WORKLOADS), default="W2")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    options = parser.parse_args()
    workload = replace(WORKLOADS[options.workload], pairs=options.pairs)
    bundle = tuple(DEFAULT_METRICS)
    sets = {"the default bundle": bundle}
    sets |= {f"{name} alone": (name,) for name in ADDED}
    sets |= {f"the bundle and {name}": (*bundle, name) for name in ADDED}
    sets["the bundle and all three"] = (*bundle, *ADDED)
    head = describe_machine("Added metrics", "python benchmarks/added.py " + " ".join(sys.argv[1:]))
    seconds: dict[str, list[float]] = {name: [] for name in sets}
    decoded: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="iqbench-added-") as name:
        folder = Path(name)
        make_images(workload, 1, folder / "images")
        for number in range(options.rounds):
            for place, (what, metrics) in enumerate(sets.items()):
                print(f"round {number + 1}: {what}", file=sys.stderr, flush=True)
                bench = Bench(folder, options.threads, metrics=metrics)
                report = bench.run(OURS, folder / "images", number * len(sets) + place)
                outputs = report["end"]["outputs"] - report["first"]["outputs"]
                cpu = report["end"]["cpu"] - report["first"]["cpu"]
                seconds[what].append(cpu / outputs)
                decoded[what] = report["decoded"]
    rows = [
        "| metrics | CPU s a pair | over the bundle, CPU s | files decoded |",
        "| --- " * 4 + "|",
    ]
    for what, values in seconds.items():
        more = [a - b for a, b in zip(values, seconds["the default bundle"], strict=True)]
        over = f"{median(more):.3f}" if "and" in what else ""
        rows.append(f"| {what} | {spread(values, '{:.3f}')} | {over} | {decoded[what]} |")
    note = "Each cell with three numbers: minimum / median / maximum. After the first scores."
    keep("\n\n".join([head, str(workload), "\n".join(rows), note]) + "\n", "added", options.keep)


if __name__ == "__main__":
    main()
