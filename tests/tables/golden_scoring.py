"""Every command that scores, lists or prepares, on small made images, as text to be compared.

``python tests/tables/golden_scoring.py`` writes what the commands say now into
``expected_scoring/``: look at the difference before you commit it. golden_run.py does the same for
the commands that read tables.
"""

from __future__ import annotations

import csv
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from commands import said

from iqbench.images.write import write_png

EXPECTED = Path(__file__).with_name("expected_scoring")

_METRICS = ("--metric", "psnr", "--metric", "ssim", "--metric", "tv")
_PAIR = ("measure", "hr/a.png", "good/a.png", "--device", "cpu")
_RUN = ("evaluate", "--reference", "hr", *_METRICS, "--method", "good", "--device", "cpu")
_EXPLAINED = ("explain", "hr/a.png", "good/a.png", "--metric", "psnr", "--value", "36.0639")

COMMANDS: dict[str, tuple[str, ...]] = {
    "unknown-command": ("evalute",),
    "measure": (*_PAIR, *_METRICS),
    "measure-luma": (*_PAIR, *_METRICS, "--protocol", "sr-y:scale=2", "--format", "csv"),
    "measure-json": (*_PAIR, *_METRICS[:4], "--format", "json"),
    "measure-nothing": ("measure", "--metric", "tv"),
    "measure-maps": (*_PAIR, *_METRICS[:4], "--maps", "maps", "--map", "ssim", "--raw"),
    "measure-sizes": ("measure", "hr/a.png", "bad/a.png", "--metric", "psnr"),
    "evaluate": _RUN,
    "evaluate-again": _RUN,
    "evaluate-more": (*_RUN, "--method", "bad"),
    "evaluate-nothing": ("evaluate", "--reference", "hr"),
    "evaluate-unknown": (*_RUN, "--metric", "pnsr"),
    "evaluated": ("leaderboard", "results", "--columns", "all", "--format", "csv"),
    "import": ("import", "params.csv"),
    "import-wrong": ("import", "wrong.csv"),
    "results-verify": ("results", "verify", "results"),
    "status": ("status", "results"),
    "results-merge": ("results", "merge", "results", "results", "-o", "merged"),
    "explain": _EXPLAINED,
    "explain-markdown": (*_EXPLAINED, "--format", "markdown"),
    "site": ("site", "results", "-o", "public"),
    "degrade": ("degrade", "noise:sigma=10", "hr", "-o", "noisy"),
    "metrics-show": ("metrics", "show", "ssim:window=uniform"),
    "metrics-unknown": ("metrics", "show", "pnsr"),
    "protocols-list": ("protocols", "list"),
    "protocols-show": ("protocols", "show", "sr-y"),
    "datasets-show": ("datasets", "show", "Set5-x4"),
    "datasets-verify": ("datasets", "verify", "demo-denoise"),
    "weights-list": ("weights", "list"),
    "weights-fetch": ("weights", "fetch", "vgg16"),
    "doctor": ("doctor", "--device", "cpu", "--format", "csv"),
    "demo": ("demo", "--help"),
}
"""Arguments by name, in the order in which the commands run."""

_MACHINE = ("versions", "device", "precision", "weights")
"""Parts of doctor that say what is on a machine."""


def make_images(folder: Path) -> None:
    """Write references, good and bad outputs, and files of values of other tools."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        rows = np.linspace(20, 200, 48)[:, None, None]
        reference = (rows + random.normal(0, 8, (48, 64, 3))).clip(0, 255).astype(np.uint8)
        near = (reference + random.normal(0, 4, reference.shape)).clip(0, 255).astype(np.uint8)
        write_png(folder / "hr" / f"{name}.png", reference)
        write_png(folder / "good" / f"{name}.png", near)
    write_png(folder / "bad" / "a.png", near[:40])
    (folder / "params.csv").write_text("method,metric,value,direction\ngood,params,1000,lower\n")
    (folder / "wrong.csv").write_text("method,metric,value\ngood,params,many\n")


def run_everything(folder: Path) -> Iterator[tuple[str, str]]:
    """Make images there, run every command, and give each name with its text."""
    make_images(folder)
    back = Path.cwd()
    os.chdir(folder)
    places = {"IQBENCH_CACHE": "cache", "IQBENCH_OFFLINE": "1", "COLUMNS": "100"}
    try:
        with mock.patch.dict(os.environ, places):
            os.environ.pop("IQBENCH_DATA", None)
            os.environ.pop("IQBENCH_WEIGHTS", None)
            for name, arguments in COMMANDS.items():
                code, output, messages = said(*arguments)
                if name == "doctor":
                    output = _verdicts(output)
                if name == "status":  # the rate depends on the clock
                    output = output.partition("\n")[0] + "\n"
                if name == "site":  # its size follows the code of the pages
                    messages = re.sub(r"\d+ files, [\d.]+ MB, ", "", messages)
                yield f"{name}.txt", f"{output}-- stderr\n{messages}-- exit {code}\n"
    finally:
        os.chdir(back)


def _verdicts(rows: str) -> str:
    """Keep part, check and status of what does not depend on the machine."""
    kept = (row[:3] for row in csv.reader(rows.splitlines()) if row[0] not in _MACHINE)
    return "".join(f"{' | '.join(row)}\n" for row in kept)


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    for path in EXPECTED.iterdir():
        path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in run_everything(Path(folder)):
            (EXPECTED / name).write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name}\n")
