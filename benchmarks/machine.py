"""What every page of results begins with, and where it is kept."""

from __future__ import annotations

import os
import platform
import re
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe_machine", "keep", "processor"]

PACKAGES = ("iqbench", "torch", "torchvision", "piq", "torchmetrics", "lpips", "scikit-image")
RESULTS = Path(__file__).parent / "results"


def describe_machine(title: str, command: str) -> str:
    """Write the head of a page: when, where, with what."""
    import torch

    versions = ", ".join(f"{package} {_version(package)}" for package in PACKAGES)
    lines = [
        f"# {title}, {_today()}, {processor()}",
        f"- Processor: {processor()}, {torch.get_num_threads()} threads",
        f"- Load average at the start: {os.getloadavg()[0]:.1f}",
        f"- System: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"- Versions: {versions}",
        f"- Command: `{command.strip()}`",
    ]
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def keep(page: str, kind: str, wanted: bool) -> None:
    """Print a page and, if wanted, write it into ``results/``, named by kind, date, processor."""
    print(page)
    if wanted:
        slug = re.sub(r"[^a-z0-9]+", "-", processor().lower()).strip("-")
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{kind}-{_today()}-{slug}.md").write_text(page)


def processor() -> str:
    """Name the processor, with its widest vector instructions on Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    flags = set(text.split())
    vectors = next((f for f in ("amx_tile", "avx512f", "avx2") if f in flags), "")
    return " ".join(filter(None, [name[1] if name else platform.machine(), vectors]))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # iqbench itself may be run from a checkout; a peer may be missing
        return "not installed"


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
