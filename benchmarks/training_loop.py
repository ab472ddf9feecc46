"""Compare `iqbench.Evaluator` with torchmetrics in one validation loop, tensors in memory.

Each side is a process of its own. They take turns, round after round, so that both meet the same
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import pandas as pd
import torch
from checkpoints import write_checkpoints
from machine import describe_machine, keep
from run_tool import peak_mib
from torch import Tensor
from workloads import Workload, find_jobs, make_images

COLUMNS = ("psnr", "ssim", "ms-ssim", "lpips-alex", "lpips-vgg")
SIZES = {
    "equal": Workload("equal", 64, 256, 256),
    "mixed": Workload("mixed", 64, 512, 640, mixed=True),
}
BATCH = 8
"""Images of one size that a loop has at a time; of mixed sizes, it has a list of as many."""

Batch = tuple[Sequence[Tensor], Sequence[Tensor]]
Loop = Callable[[Sequence[Batch]], Mapping[str, float]]


def iqbench_loop(device: str) -> Loop:
    """Return a loop that scores by an evaluator."""
    import iqbench

    evaluator = iqbench.Evaluator(COLUMNS, device=device)

    def loop(batches: Sequence[Batch]) -> Mapping[str, float]:
        evaluator.reset()
        for output, reference in batches:
            evaluator.update(output, reference)
        return evaluator.compute()

    return loop


def torchmetrics_loop(device: str) -> Loop:
    """Return a loop that scores by torchmetrics: images of one size stacked, others one by one."""
    from torchmetrics import MetricCollection
    from torchmetrics.image import (
        LearnedPerceptualImagePatchSimilarity,
        MultiScaleStructuralSimilarityIndexMeasure,
        PeakSignalNoiseRatio,
        StructuralSimilarityIndexMeasure,
    )

    metrics = MetricCollection(
        {
            # The mean over images, as tables have it, not PSNR of the pooled error.
            "psnr": PeakSignalNoiseRatio(data_range=1.0, dim=(1, 2, 3)),
            "ssim": StructuralSimilarityIndexMeasure(data_range=1.0),
            "ms-ssim": MultiScaleStructuralSimilarityIndexMeasure(data_range=1.0),
            "lpips-alex": LearnedPerceptualImagePatchSimilarity("alex", normalize=True),
            "lpips-vgg": LearnedPerceptualImagePatchSimilarity("vgg", normalize=True),
        },
        compute_groups=False,
    ).to(device)

    @torch.inference_mode()
    def loop(batches: Sequence[Batch]) -> Mapping[str, float]:
        metrics.reset()
        for output, reference in batches:
            if len({image.shape for image in output}) == 1:
                metrics.update(torch.stack(list(output)), torch.stack(list(reference)))
                continue
            for one, other in zip(output, reference, strict=True):
                metrics.update(one.unsqueeze(0), other.unsqueeze(0))
        return {name: float(value) for name, value in metrics.compute().items()}

    return loop


SIDES = {"iqbench": iqbench_loop, "torchmetrics": torchmetrics_loop}


def load(folder: Path, device: str) -> list[Batch]:
    """Read images as tensors in [0, 1], in batches."""

    def tensor(path: Path) -> Tensor:
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        return (torch.from_numpy(pixels).permute(2, 0, 1).float() / 255).contiguous().to(device)

    pairs = [
        (tensor(next(iter(job.outputs.values()))), tensor(job.reference))
        for job in find_jobs(folder)
    ]
    parts = (pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH))
    return [tuple(zip(*part, strict=True)) for part in parts]


def serve(side: str, folder: Path, device: str) -> None:
    """Run the loop once for each line on stdin, and say what it took; the first is a warm-up."""
    warnings.simplefilter("ignore")
    batches = load(folder, device)
    loop = SIDES[side](device)
    with suppress(OSError):  # what loading took at its peak is none of the loop
        Path("/proc/self/clear_refs").write_text("5")
    before = peak_mib()
    for _ in sys.stdin:
        begun, cpu = time.perf_counter(), time.process_time()
        means = dict(loop(batches))
        if device != "cpu":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begun
        peak = peak_mib() if device == "cpu" else torch.cuda.max_memory_allocated() / 2**20
        report = {"seconds": seconds, "cpu": time.process_time() - cpu, "means": means}
        print(json.dumps({**report, "mib": peak, "idle": before}), flush=True)


def race(folder: Path, device: str, rounds: int) -> dict[str, list[dict]]:
    """Let both sides take turns; another begins every round. The warm-up is left out."""
    workers = {
        side: subprocess.Popen(
            [
                sys.executable,
                __file__,
                "--serve",
                side,
                "--folder",
                str(folder),
                "--device",
                device,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for side in SIDES
    }
    found: dict[str, list[dict]] = {side: [] for side in SIDES}
    for number in range(rounds + 1):
        order = list(SIDES) if number % 2 else list(reversed(SIDES))
        for side in order:
            worker = workers[side]
            worker.stdin.write("go\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
            if not line:
                raise SystemExit(f"error: {side} ended")
            found[side].append(json.loads(line))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return {side: reports[1:] for side, reports in found.items()}


def evaluated(folder: Path, results: Path) -> dict[str, float]:
    """Return the means that `iqbench.evaluate` gives of the files."""
    import iqbench

    (method,) = (folder / "methods").iterdir()
    scores = iqbench.evaluate(
        methods=[str(method)],
        reference=folder / "reference",
        metrics=COLUMNS,
        results=results,
        device="cpu",
    )
    means: pd.Series = scores.groupby("metric", observed=True)["value"].agg(
        lambda values: float(np.float64(sum(sorted(values))) / len(values))
    )
    return {column: float(means[column]) for column in COLUMNS}


def section(
    workload: Workload, found: Mapping[str, Sequence[dict]], files: Mapping[str, float] | None
) -> str:
    """Write what a race gave."""
    mine, theirs = found["iqbench"], found["torchmetrics"]
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(mine, theirs, strict=True)]
    spread = " / ".join(f"{of(ratios):.2f}" for of in (min, median, max))
    rows = [
        "| | images/s | CPU s an image | peak memory of the loop, MiB | above idle, MiB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for side, reports in found.items():
        rate = workload.pairs / median(report["seconds"] for report in reports)
        peak, idle = reports[-1]["mib"], reports[-1]["idle"]
        cpu = median(report["cpu"] for report in reports) / workload.pairs
        rows.append(f"| {side} | {rate:.2f} | {cpu:.3f} | {peak:.0f} | {peak - idle:.0f} |")
    values = ["| column | iqbench | torchmetrics | iqbench evaluate |", "| --- | --- | --- | --- |"]
    for column in COLUMNS:
        of_files = "" if files is None else f"{files[column]:.10g}"
        ours, other = mine[-1]["means"][column], theirs[-1]["means"][column]
        values.append(f"| {column} | {ours:.10g} | {other:.10g} | {of_files} |")
    return "\n\n".join(
        [
            f"## {workload}",
            f"Rate of iqbench over that of torchmetrics: {spread} (minimum / median / maximum of "
            f"{len(ratios)} rounds).",
            "\n".join(rows),
            "\n".join(values),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", choices=list(SIZES), nargs="*", default=list(SIZES))
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    parser.add_argument("--serve", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.folder, options.device)
        return
    warnings.simplefilter("ignore")
    command = "python benchmarks/training_loop.py " + " ".join(sys.argv[1:])
    parts = [describe_machine("A validation loop", command)]
    with tempfile.TemporaryDirectory(prefix="iqbench-loop-") as name:
        home = Path(name)
        write_checkpoints(home / "torch")
        os.environ["TORCH_HOME"] = str(home / "torch")
        for kind in options.size:
            size = SIZES[kind]
            workload = Workload(size.name, options.images, size.height, size.width, size.mixed)
            make_images(workload, 1, home / kind)
            found = race(home / kind, options.device, options.rounds)
            parts.append(section(workload, found, evaluated(home / kind, home / f"{kind}-results")))
    columns = ", ".join(COLUMNS)
    parts.insert(1, f"Columns: {columns}. Float tensors in memory, {BATCH} at a time.")
    keep("\n\n".join(parts) + "\n", "training-loop", options.keep)


if __name__ == "__main__":
    main()
