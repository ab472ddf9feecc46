"""One tool, one process: score a workload from files to a Parquet table, and say what it took.

Started by ``side_by_side.py``; each tool's imports and memory are its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import resource
import sys
import time
from pathlib import Path

from workloads import find_jobs


class Clock:
    """Notes when scores are there; the first is when the set-up is over."""

    def __init__(self, started: float) -> None:
        self._started = started
        self.done = 0
        self.first: dict[str, float] = {}

    def advance(self, outputs: int) -> None:
        """Hear that so many more outputs are scored."""
        if outputs and not self.first:
            self.first = {"outputs": outputs, **self.now()}
        self.done += outputs

    def now(self) -> dict[str, float]:
        """Return seconds since the process was started, and of the processor."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "seconds": time.monotonic() - self._started,
            "cpu": usage.ru_utime + usage.ru_stime,
        }


def peak_mib() -> float:
    """Return the largest resident set, MiB."""
    try:
        # Not getrusage's: on Linux it begins with that of the process which started this one.
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**10
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", required=True, help="name of a module in tools/")
    parser.add_argument("--images", required=True, type=Path)
    parser.add_argument("--table", required=True, type=Path, help="what is written")
    parser.add_argument("--report", required=True, type=Path, help="JSON: what it took")
    parser.add_argument("--started", required=True, type=float, help="monotonic clock at the start")
    options = parser.parse_args()
    clock = Clock(options.started)
    tool = importlib.import_module(f"tools.{options.tool}")
    tool.evaluate(options.images, find_jobs(options.images), options.table, clock.advance)
    report = {
        "first": clock.first,
        "end": {"outputs": clock.done, **clock.now()},
        "peak_mib": peak_mib(),
        "decoded": len(getattr(tool, "decoded", ())),
    }
    options.report.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
