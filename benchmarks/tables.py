"""Measure how long commands that read tables take on millions of rows, and their memory.

Makes a results folder of made-up scores once, then runs each command in a process of its own::

    python benchmarks/tables.py make FOLDER --images 10000
    python benchmarks/tables.py run FOLDER --repeat 3

``FOLDER/new`` has 5 datasets, 10 methods and 10 metrics, so 500 rows for each of ``--images``, if
no other numbers are given; ``FOLDER/old`` has slightly lower values, the baseline of a check. A
leaderboard that has grown for years, as a site::

    python benchmarks/tables.py make FOLDER --datasets 20 --methods 200 --metrics 3 --images 20
    python benchmarks/tables.py run FOLDER --command site

A method that was scored by 20,000 runs, all recorded in its tables::

    python benchmarks/tables.py make FOLDER --datasets 1 --methods 1 --images 20 --runs 20000
    python benchmarks/tables.py run FOLDER --command leaderboard
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from run_tool import peak_mib

if TYPE_CHECKING:
    from iqbench.results.parts import Kind

METRICS = {
    "psnr": ("higher", "fidelity", 30.0, 3.0),
    "ssim": ("higher", "fidelity", 0.8, 0.05),
    "ms-ssim": ("higher", "fidelity", 0.9, 0.03),
    "lpips-alex": ("lower", "perception", 0.3, 0.05),
    "lpips-vgg": ("lower", "perception", 0.35, 0.05),
    "dists": ("lower", "perception", 0.2, 0.04),
    "gmsd": ("lower", "fidelity", 0.1, 0.02),
    "niqe": ("lower", "naturalness", 5.0, 1.0),
    "tv-ratio": ("target:1", "statistic", 0.9, 0.1),
    "vifp": ("higher", "fidelity", 0.5, 0.1),
}

COMMANDS = {
    "load_scores": None,
    "leaderboard": ["leaderboard", "{new}", "--format", "csv", "-o", "{out}.csv"],
    "report": ["report", "{new}", "--no-pictures", "-q", "-o", "{out}.html"],
    "export": ["export", "{new}", "-o", "{out}.csv"],
    "export-wide": ["export", "{new}", "--wide", "-o", "{out}.csv"],
    "export-parquet": ["export", "{new}", "-o", "{out}.parquet"],
    "export-jsonl": ["export", "{new}", "-o", "{out}.jsonl"],
    "correlate": ["correlate", "{new}", "--resamples", "0", "--format", "csv", "-o", "{out}.csv"],
    "site": ["site", "{new}", "-q", "-o", "{out}.site"],
    "check": ["check", "{new}", "--baseline", "{old}", "--format", "csv", "-o", "{out}.csv"],
    "check-html": [
        *("check", "{new}", "--baseline", "{old}", "--format", "csv", "-o", "{out}.csv"),
        *("--html", "{out}.html", "--no-pictures"),
    ],
    "check-update": [
        *("check", "{new}", "--baseline", "{copy}", "--format", "csv", "-o", "{out}.csv"),
        "--update",
    ],
}


def make(root: Path, *, images: int, datasets: int, methods: int, metrics: int, runs: int) -> None:
    """Write both results folders, one dataset and method at a time, each as of many runs."""
    from iqbench.results.parts import write
    from iqbench.results.schema import FORMAT, ColumnInfo, Footer, Manifest
    from iqbench.results.store import Store

    chosen = dict(list(METRICS.items())[:metrics])
    columns = {name: ColumnInfo(way, 4, role=role) for name, (way, role, _, _) in chosen.items()}
    first = datetime(2026, 1, 1, tzinfo=UTC)
    made_with = [
        Manifest(
            iqbench="0.1.0",
            python="3",
            torch="2",
            platform="Linux",
            device="cpu",
            precision="exact",
            command="benchmarks/tables.py",
            time=f"{first + timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}",
            versions={"numpy": "2", "pyarrow": "20"},
        )
        for number in range(runs)
    ]
    random = np.random.default_rng(0)
    for dataset in (f"set{number}" for number in range(datasets)):
        hard = random.normal(size=(images, 1))
        for number in range(methods):
            method = f"method{number:02}"
            gains = hard + 0.1 * number + 0.3 * random.normal(size=(images, metrics))
            for side, moved in (("old", 0.0), ("new", 0.001)):
                store = Store(root / side)
                footer = Footer(FORMAT, dataset, method, made_with, columns)
                for kind, table in _tables(dataset, method, list(chosen), gains + moved).items():
                    write(store.folder(kind, dataset, method), table, footer)


def _tables(
    dataset: str, method: str, metrics: Sequence[str], gains: NDArray[np.float64]
) -> dict[Kind, pa.Table]:
    """Make the rows of a dataset and method: ``gains`` has a row per image, a column per metric."""
    from iqbench.results.schema import IMAGES, SCORES, pair_digest
    from iqbench.results.signature import signature

    names = [f"image{image:06}" for image in range(len(gains))]
    references = [f"r{image}" for image in range(len(gains))]
    outputs = [f"{method}{image}" for image in range(len(gains))]
    pairs = list(map(pair_digest, references, outputs))
    means, spreads = (np.array([METRICS[name][place] for name in metrics]) for place in (2, 3))
    count = len(metrics)
    scores = {
        "image": np.repeat(names, count),
        "metric": list(metrics) * len(names),
        "value": (means + spreads * gains / 2).ravel(),
        "signature": [
            signature({"metric": name, "version": "1", "protocol": "rgb/1"}) for name in metrics
        ]
        * len(names),
        "protocol": ["rgb"] * (count * len(names)),
        "pair": np.repeat(pairs, count),
        "scope": ["image"] * (count * len(names)),
    }
    pictures = {
        "image": names,
        "reference_digest": references,
        "output_digest": outputs,
        "pair": pairs,
    }
    return {
        kind: _filled(schema, {"dataset": dataset, "method": method}, columns)
        for kind, schema, columns in (("images", IMAGES, pictures), ("scores", SCORES, scores))
    }


def _filled(
    schema: pa.Schema, same: Mapping[str, str], columns: Mapping[str, Sequence[Any]]
) -> pa.Table:
    """Make a table of columns, of texts that all rows share, and of nulls."""
    rows = len(columns["image"])
    arrays = []
    for field in schema:
        values = [same[field.name]] * rows if field.name in same else columns.get(field.name)
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        array = pa.nulls(rows, plain) if values is None else pa.array(values, plain)
        arrays.append(array.cast(field.type) if plain != field.type else array)
    return pa.table(arrays, schema=schema)


def one(root: Path, command: str) -> None:
    """Run a command in this process, and print seconds and memory."""
    from iqbench.cli.main import cli
    from iqbench.results.read import load_scores

    places = {"new": root / "new", "old": root / "old", "out": root / f"out-{os.getpid()}"}
    given = COMMANDS[command]
    if given is not None and "{copy}" in given:  # of the baseline, which the command changes
        places["copy"] = root / f"out-{os.getpid()}.old"
        shutil.copytree(places["old"], places["copy"])
    started, before = time.perf_counter(), time.process_time()
    if given is None:
        load_scores(places["new"])
    else:
        cli([text.format(**places) for text in given], standalone_mode=False)
    for path in root.glob(f"out-{os.getpid()}.*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    sys.stdout.write(
        json.dumps(
            {
                "command": command,
                "seconds": round(time.perf_counter() - started, 2),
                "processor": round(time.process_time() - before, 2),
                "mebibytes": round(peak_mib()),
            }
        )
        + "\n"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["make", "run", "one"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--datasets", type=int, default=5)
    parser.add_argument("--methods", type=int, default=10)
    parser.add_argument("--metrics", type=int, choices=range(1, 11), default=10, metavar="1..10")
    parser.add_argument("--runs", type=int, default=1, help="runs recorded for each method")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--command", choices=list(COMMANDS), action="append")
    given = parser.parse_args()
    if given.action == "make":
        make(
            given.folder,
            images=given.images,
            datasets=given.datasets,
            methods=given.methods,
            metrics=given.metrics,
            runs=given.runs,
        )
    elif given.action == "one":
        one(given.folder, given.command[0])
    else:
        for command in given.command or COMMANDS:
            for _ in range(given.repeat):
                arguments = [__file__, "one", str(given.folder), "--command", command]
                subprocess.run([sys.executable, *arguments], check=True)


if __name__ == "__main__":
    main()
