"""iqbench and its peers side by side: the same bundle, the same files, the same weights.

Each tool runs in a process of its own, one after the other, round after round (A B C D, A B C D),
so that whatever else the machine does meets them alike. Ratios are taken within a round.
``--before COMMIT`` adds iqbench as it was at a commit, built again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from machine import describe_machine, keep
from render import Trial, render
from workloads import WORKLOADS, Workload, make_images

HERE = Path(__file__).parent
OURS, BEFORE = "iqbench", "before"
PEERS = ("piq", "torchmetrics", "lpips_skimage")


@dataclass(frozen=True)
class Bench:
    """Where everything lies, and how the tools compute.

    Attributes
    ----------
    folder
        For images and tables.
    threads
        Of every tool; None for torch's own choice.
    precision
        Of iqbench.
    metrics
        Of iqbench; none for its default.
    """

    folder: Path
    threads: int | None
    precision: str = "exact"
    metrics: tuple[str, ...] = ()

    def environment(self, tool: str = OURS) -> dict[str, str]:
        """Give peers iqbench's weights in torch's cache, and every tool the same threads."""
        sources = self.before if tool == BEFORE else HERE.parent
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if self.threads else ()
        return {
            **os.environ,
            **dict.fromkeys(variables, str(self.threads)),
            "TORCH_HOME": str(self.folder / "torch"),
            "BENCH_PRECISION": self.precision,
            "BENCH_METRICS": " ".join(self.metrics),
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(sources), os.environ.get("PYTHONPATH")])
            ),
            "PYTHONWARNINGS": "ignore",  # of deprecations between the peers and torch
        }

    @property
    def before(self) -> Path:
        """Where the sources of an earlier commit lie."""
        return self.folder / "before"

    def check_out(self, commit: str) -> None:
        """Take the sources of a commit, and compile their loops."""
        self.before.mkdir()
        archive = subprocess.run(
            ["git", "-C", str(HERE.parent), "archive", commit], check=True, stdout=subprocess.PIPE
        )
        subprocess.run(["tar", "-x", "-C", str(self.before)], input=archive.stdout, check=True)
        code = (
            "import hatch_build as h; [h.compile_library(['gcc'], flags, h.FOLDER / f'{name}.so') "
            "for name, flags in h.PROCESSORS.items()]"
        )
        subprocess.run([sys.executable, "-c", code], cwd=self.before, check=True)

    def python(self, *arguments: str, tool: str = OURS) -> str:
        """Run a script of this folder; return what it prints."""
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command,
            cwd=HERE,
            env=self.environment(tool),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def rates(self) -> dict[str, float]:
        """Measure the machine's floor, GFLOP/s."""
        rates: dict[str, float] = json.loads(self.python("floor.py"))
        return rates

    def trial(self, tool: str, images: Path, number: int) -> Trial:
        """Run one tool once; return what it took and its values."""
        report = self.run(tool, images, number)
        return Trial.of(report, _values(tool, self.table(tool, images, number)))

    def table(self, tool: str, images: Path, number: int) -> Path:
        """Say where a tool writes its scores."""
        return self.folder / f"{images.name}-{tool}-{number}"

    def run(self, tool: str, images: Path, number: int) -> dict[str, Any]:
        """Run one tool once; return what it took."""
        table = self.table(tool, images, number)
        report = table.with_suffix(".json")
        arguments = {
            "--tool": OURS if tool == BEFORE else tool,
            "--images": str(images),
            "--table": str(table),
            "--report": str(report),
            "--started": str(time.monotonic()),
        }
        words = (word for pair in arguments.items() for word in pair)
        self.python("run_tool.py", *words, tool=tool)
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def _values(tool: str, table: Path) -> pd.DataFrame:
    """Read what a tool wrote: one row per output, one column per metric."""
    if tool in (OURS, BEFORE):
        from iqbench import load_scores

        wide = load_scores(table, wide=True).droplevel("dataset")
        return wide.reorder_levels(["image", "method"]).sort_index()
    return pd.read_parquet(table).set_index(["image", "method"]).sort_index()


def run(options: argparse.Namespace) -> str:
    """Run all rounds of all workloads; return the page."""
    sections = []
    with tempfile.TemporaryDirectory(prefix="iqbench-benchmark-") as name:
        bench = Bench(Path(name), options.threads, options.precision, tuple(options.metric))
        if options.before:
            _say(f"building {options.before}")
            bench.check_out(options.before)
        _say("writing the weights where the peers look for them")
        code = "import checkpoints, pathlib, sys; "
        code += "checkpoints.write_checkpoints(pathlib.Path(sys.argv[1]))"
        bench.python("-c", code, str(bench.folder / "torch"))
        command = "python benchmarks/side_by_side.py " + " ".join(sys.argv[1:])
        head = describe_machine("Side by side", command)
        for chosen in options.workload:
            workload = WORKLOADS[chosen]
            if options.pairs:
                workload = replace(workload, pairs=min(options.pairs, workload.pairs))
            for methods in options.methods:
                sections.append(_section(bench, workload, methods, options))
    return "\n\n".join([head, *sections]) + "\n"


def _section(bench: Bench, workload: Workload, methods: int, options: argparse.Namespace) -> str:
    images = bench.folder / f"{workload.name}-{methods}"
    make_images(workload, methods, images)
    tools = (OURS, *((BEFORE,) if options.before else ()), *options.peer)
    trials: dict[str, list[Trial]] = {tool: [] for tool in tools}
    rates: list[dict[str, float]] = []
    for number in range(options.rounds):
        rates.append(bench.rates())
        for tool in tools:
            _say(f"{workload}, {methods} methods, round {number + 1}: {tool}")
            trials[tool].append(bench.trial(tool, images, number))
    return render(workload, methods, trials, rates, ours=OURS)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", nargs="+", choices=list(WORKLOADS), default=["W1"])
    parser.add_argument("--pairs", type=int, help="no more than so many pairs of each workload")
    parser.add_argument("--methods", nargs="+", type=int, choices=(1, 4), default=[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", metavar="COMMIT", help="iqbench of this commit as well")
    parser.add_argument("--metric", nargs="+", default=(), help="of iqbench instead of the default")
    parser.add_argument("--peer", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--precision", choices=("exact", "bf16"), default="exact")
    parser.add_argument("--threads", type=int, help="of every tool; default: torch's own choice")
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    return parser.parse_args()


def main() -> None:
    options = _parse()
    parts = ["side-by-side", *(["before-and-after"] if options.before else []), *options.workload]
    if options.precision != "exact":
        parts.append(options.precision)
    keep(run(options), "-".join(parts).lower(), options.keep)


if __name__ == "__main__":
    main()
