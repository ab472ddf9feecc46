"""How long `iqbench explain` takes: one pair and a hundred pairs of 512x512, PSNR and SSIM.

Each row is a process of its own, from its start to the printed answer. Reported is the mean under a
protocol, with four decimals. Importing torch is timed alone, as no answer can come sooner.

    python benchmarks/explain_times.py [--pairs 1 100] [--rounds 3] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from machine import describe_machine, keep
from workloads import Workload, make_images

import iqbench

SIDE = 512
PROTOCOL = "sr-y:scale=4"
METRICS = ("psnr", "ssim")


def timed(command: Sequence[str]) -> tuple[float, float, str]:
    """Run a process; return its seconds, those of the processors, and what it printed."""
    before, begun = os.times(), time.monotonic()
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    seconds, after = time.monotonic() - begun, os.times()
    used = after.children_user + after.children_system
    return seconds, used - before.children_user - before.children_system, done.stdout


def row(what: str, command: Sequence[str], rounds: int) -> tuple[list[str], str]:
    """Time a command several times; return the cells of a row, and what was printed last."""
    found = [timed(command) for _ in range(rounds)]
    seconds, used = (median(values) for values in list(zip(*found, strict=True))[:2])
    return [what, f"{seconds:.1f}", f"{used:.1f}"], found[-1][2]


def rows_of(pairs: int, rounds: int) -> list[list[str]]:
    """Explain the mean of each metric over so many pairs."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="iqbench-explain-") as name:
        folder = Path(name)
        make_images(Workload("explain", pairs, SIDE, SIDE), 1, folder)
        places = folder / "reference", folder / "methods" / "noise1"
        table = iqbench.evaluate(
            methods=[places[1]],
            reference=places[0],
            metrics=METRICS,
            protocol=PROTOCOL,
            results=folder / "results",
        )
        for metric in METRICS:
            value = table.loc[table["metric"] == metric, "value"].mean()
            given = ["--metric", metric, "--value", f"{value:.4f}", "--scale", "4"]
            command = ["-m", "iqbench", "explain", *map(str, places), *given, "--quiet"]
            cells, _ = row(f"{metric}, {pairs} pairs", command, rounds)
            verdict = json.loads(timed([*command, "--format", "json"])[2])[0]["verdict"]
            rows.append([*cells, verdict])
    return rows


def main() -> None:
    """Print the page, and keep it on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="write the page into results/")
    options = parser.parse_args()
    head = describe_machine(
        "How long explain takes", f"python benchmarks/explain_times.py --rounds {options.rounds}"
    )
    alone, _ = row("import torch alone", ["-c", "import torch"], options.rounds)
    rows = [[*alone, ""]]
    for pairs in options.pairs:
        rows += rows_of(pairs, options.rounds)
    lines = [
        head,
        "",
        f"{SIDE}x{SIDE} pixels; the reported value is the mean under {PROTOCOL} with 4 decimals. "
        f"Medians of {options.rounds} processes.",
        "",
        "| what | seconds | seconds of the processors | verdict |",
        "| --- | ---: | ---: | --- |",
        *(f"| {' | '.join(cells)} |" for cells in rows),
        "",
    ]
    keep("\n".join(lines), "explain-times", options.keep)


if __name__ == "__main__":
    main()
