"""iqbench on a GPU: pairs per second from files to the table, beside the floor and the peers.

``python benchmarks/gpu.py --pairs 480 --precision exact tf32 bf16 --methods 1 4 --peer piq --keep``

The floor of a workload is the larger of two times: of its convolutions' multiplications and
additions at the rate of a large matrix product in the chosen precision, and of decoding its files
in as many threads as there are cores. `--profile` tells how much of the time the GPU computes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from floor import gigaflops
from machine import describe_machine, keep
from side_by_side import OURS, PEERS, Bench
from workloads import WORKLOADS, Workload, make_images

PRECISIONS = ("exact", "tf32", "bf16")
SIZE = 8192


def measure_rates() -> dict[str, float]:
    """Return GFLOP/s of a large matrix product in each precision."""
    import torch

    found = {}
    for precision in PRECISIONS:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        left, right = (torch.randn(SIZE, SIZE, device="cuda", dtype=dtype) for _ in range(2))
        best = float("inf")
        for _ in range(12):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            torch.matmul(left, right)
            end.record()
            torch.cuda.synchronize()
            best = min(best, start.elapsed_time(end) / 1e3)
        found[precision] = 2e-9 * SIZE**3 / best
    return found


def measure_decoding(paths: list[Path]) -> float:
    """Return how many files per second OpenCV decodes, with one thread per core."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    contents = [path.read_bytes() for path in paths]

    def decode(data: bytes) -> None:
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(decode, contents))
        start = time.perf_counter()
        for _ in range(4):
            list(pool.map(decode, contents))
        return 4 * len(contents) / (time.perf_counter() - start)


def make_copies(base: Path, folder: Path, pairs: int) -> None:
    """Give the pairs of a workload further names until there are so many."""
    references = sorted((base / "reference").iterdir())
    for number in range(pairs):
        source = references[number % len(references)]
        for path in (source, *sorted(base.glob(f"methods/*/{source.name}"))):
            target = folder / path.relative_to(base).with_name(f"{number:05d}.png")
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


def rate(report: dict[str, Any]) -> float:
    """Return outputs a second after the first scores."""
    first, end = report["first"], report["end"]
    return float((end["outputs"] - first["outputs"]) / (end["seconds"] - first["seconds"]))


def trial(bench: Bench, tool: str, images: Path, precision: str, number: int) -> dict[str, Any]:
    """Run one tool once on the GPU, in a process of its own."""
    os.environ["BENCH_DEVICE"] = "cuda"
    print(f"{images.name}, {precision}: {tool}", file=sys.stderr, flush=True)
    return replace(bench, precision=precision).run(tool, images, number)


def section(bench: Bench, workload: Workload, methods: int, options: argparse.Namespace) -> str:
    """Measure a workload and write its table."""
    base = bench.folder / f"base-{workload.name}-{methods}"
    images = bench.folder / f"{workload.name}-{methods}"
    make_images(workload, methods, base)
    make_copies(base, images, options.pairs)
    rates, decoded = measure_rates(), measure_decoding(sorted(base.rglob("*.png")))
    files = 1 + 1 / methods
    work = gigaflops(workload.height, workload.width, methods)
    head = "tool | precision | pairs/s | first score, s | peak of the host, MiB | floor, pairs/s"
    lines = [f"| {head} | of floor |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for number, precision in enumerate(options.precision):
        floor = min(rates[precision] / work, decoded / files)
        bound = "decoding" if decoded / files < rates[precision] / work else "convolutions"
        runs = [
            trial(bench, OURS, images, precision, 10 * number + again)
            for again in range(options.rounds)
        ]
        best = max(map(rate, runs))
        told = " / ".join(f"{value:.0f}" for value in sorted(map(rate, runs)))
        lines.append(
            f"| {OURS} | {precision} | {told} | {runs[-1]['first']['seconds']:.1f} | "
            f"{runs[-1]['peak_mib']:.0f} | {floor:.0f} ({bound}) | {best / floor:.0%} |"
        )
    for number, peer in enumerate(options.peer):
        few = bench.folder / f"few-{workload.name}-{methods}"
        if not few.exists():
            make_copies(base, few, min(options.pairs, 48))
        run = trial(bench, peer, few, "exact", number)
        lines.append(
            f"| {peer} | exact | {rate(run):.1f} | {run['first']['seconds']:.1f} | "
            f"{run['peak_mib']:.0f} | | |"
        )
    told = ", ".join(f"{name} {value / 1e3:.0f}" for name, value in rates.items())
    return "\n".join(
        [
            f"## {workload.name}: {options.pairs} pairs {workload.height}x{workload.width}, "
            f"{methods} method{'s' if methods > 1 else ''}\n",
            *lines,
            f"\nMatrix products, TFLOP/s: {told}. Decoding: {decoded:.0f} files/s in "
            f"{os.cpu_count()} threads. Convolutions: {work:.0f} GFLOP an output.",
        ]
    )


def tell_profile(bench: Bench, workload: Workload, precision: str) -> str:
    """Score some pairs under torch.profiler; say how long the GPU computed, and what."""
    base = bench.folder / f"profile-{precision}"
    make_images(replace(workload, pairs=24), 1, base / "few")
    make_copies(base / "few", base / "many", 240)
    code = f"import gpu, pathlib; gpu.profile_run(pathlib.Path({str(base)!r}), {precision!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        env=bench.environment(),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return f"## Where the GPU's time goes, {workload.name}, {precision}\n\n{done.stdout}"


def profile_run(folder: Path, precision: str) -> None:
    """Warm up, then score under the profiler and print the kernels that take longest."""
    from torch.profiler import ProfilerActivity, profile

    from iqbench.api import Evaluation, run_evaluation

    def run(images: str, results: str) -> None:
        run_evaluation(
            Evaluation(
                methods_in=folder / images / "methods",
                reference=folder / images / "reference",
                results=folder / results / precision,
                device="cuda",
                precision=precision,
            )
        )

    run("few", "warm")
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiler:
        start = time.perf_counter()
        run("many", "results")
        wall = time.perf_counter() - start
    busy: dict[str, tuple[float, int]] = {}
    spans = []
    for event in profiler.events():
        if str(event.device_type).endswith("CUDA"):
            seconds, count = busy.get(event.name, (0.0, 0))
            busy[event.name] = seconds + event.device_time_total / 1e6, count + 1
            spans.append((event.time_range.start, event.time_range.end))
    print(f"240 pairs in {wall:.2f} s; the GPU was busy {_union(spans) / 1e6 / wall:.0%} of it.\n")
    print("| kernel | ms a pair | launches a pair |\n| --- | --- | --- |")
    ranked = sorted(busy.items(), key=lambda item: -item[1][0])
    for name, (seconds, count) in islice(ranked, 22):
        label = name.replace("|", "/")[:90]
        print(f"| `{label}` | {seconds * 1e3 / 240:.4f} | {count / 240:.2f} |")


def _union(spans: list[tuple[float, float]]) -> float:
    """Return the length that spans cover together."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=list(WORKLOADS), default="W1")
    parser.add_argument("--pairs", type=int, default=480, help="references; files are linked")
    parser.add_argument("--precision", nargs="*", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--methods", nargs="+", type=int, choices=(1, 4), default=[1])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peer", nargs="*", choices=PEERS, default=[])
    parser.add_argument("--profile", nargs="*", choices=PRECISIONS, default=[])
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    return parser.parse_args()


def main() -> None:
    import torch

    options = _parse()
    sections = []
    with tempfile.TemporaryDirectory(prefix="iqbench-benchmark-") as name:
        bench = Bench(Path(name), None)
        if options.peer:
            code = "import checkpoints, pathlib, sys; "
            code += "checkpoints.write_checkpoints(pathlib.Path(sys.argv[1]))"
            bench.python("-c", code, str(bench.folder / "torch"))
        workload = WORKLOADS[options.workload]
        for methods in options.methods:
            if options.precision or options.peer:
                sections.append(section(bench, workload, methods, options))
                print(sections[-1], file=sys.stderr, flush=True)
        sections += [tell_profile(bench, workload, precision) for precision in options.profile]
    command = "python benchmarks/gpu.py " + " ".join(sys.argv[1:])
    head = describe_machine(f"On {torch.cuda.get_device_name()}", command)
    keep("\n\n".join([head, *sections]) + "\n", "gpu", options.keep)


if __name__ == "__main__":
    main()
