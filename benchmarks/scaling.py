"""Time and memory against image size: one pair after the other, default metrics, CPU.

``python benchmarks/scaling.py [--megapixels 0.25 1 2.8 8 32] [--memory-only 100] [--keep]``

Each size is a process of its own that scores two pairs; the time is that of the second, from its
file to its row. Sizes under ``--memory-only`` score one pair, for the peak memory alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from math import sqrt
from pathlib import Path

from machine import describe_machine, keep
from side_by_side import Bench
from workloads import Workload, make_images

SIZES = (0.25, 1.0, 2.8, 8.0, 32.0)


def workload(megapixels: float, pairs: int) -> Workload:
    """Describe images of three by four."""
    side = sqrt(megapixels * 1e6 / 12)
    return Workload(f"{megapixels:g} MP", pairs, 16 * round(3 * side / 16), 16 * round(side / 4))


def row(bench: Bench, megapixels: float, pairs: int) -> tuple[float | None, str]:
    """Score pairs of one size; return seconds a megapixel and the line of the table."""
    images = bench.folder / f"{megapixels:g}"
    size = workload(megapixels, pairs)
    make_images(size, 1, images)
    report = bench.run("iqbench", images, 0)
    pixels = size.height * size.width / 1e6
    decoded = 2 * 3 * pixels * 1e6 / 2**20
    took = None
    if pairs > 1:
        took = (report["end"]["seconds"] - report["first"]["seconds"]) / (pairs - 1) / pixels
    cells = [
        f"{size.height}x{size.width}",
        f"{pixels:.2f}",
        "" if took is None else f"{took * pixels:.2f}",
        "" if took is None else f"{took:.2f}",
        f"{report['peak_mib']:.0f}",
        f"{decoded:.0f}",
    ]
    return took, "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="*", default=SIZES)
    parser.add_argument("--memory-only", type=float, nargs="*", default=[])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    options = parser.parse_args()
    head = ["size", "MP", "s a pair", "s a MP", "peak, MiB", "both images decoded, MiB"]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    times = []
    with tempfile.TemporaryDirectory(prefix="iqbench-scaling-") as name:
        bench = Bench(Path(name), options.threads)
        command = "python benchmarks/scaling.py " + " ".join(sys.argv[1:])
        title = describe_machine("Scaling", command)
        for megapixels, pairs in [
            *((size, 2) for size in options.megapixels),
            *((size, 1) for size in options.memory_only),
        ]:
            print(f"{megapixels:g} megapixels", file=sys.stderr, flush=True)
            took, line = row(bench, megapixels, pairs)
            lines.append(line)
            times += [] if took is None else [took]
    parts = [title, "\n".join(lines)]
    if len(times) > 1:
        parts.append(
            f"Seconds a megapixel: {min(times):.2f} to {max(times):.2f}, "
            f"largest over smallest {max(times) / min(times):.2f}; "
            f"largest size over smallest size {times[-1] / times[0]:.2f}."
        )
    keep("\n\n".join(parts) + "\n", "scaling", options.keep)


if __name__ == "__main__":
    main()
