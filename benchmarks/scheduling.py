"""Measure what a run costs besides scoring: planning, units, the ledger, tables, merging.

Scoring is replaced by a stub that returns made-up values at once, and files by names, so that what
is left is the driver's own work, which no worker can take from it::

    python benchmarks/scheduling.py --pairs 100000

A pair is a reference and one output. Seconds are those of the processor, so that other work on the
machine counts little; memory is the largest that the process ever had.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

from machine import describe_machine, keep
from run_tool import peak_mib

from iqbench.datasets.dataset import Dataset, DatasetSpec
from iqbench.datasets.files_by_id import FileSamples, FilesById, Ids
from iqbench.datasets.layouts.folder import FolderLayout
from iqbench.engine.compute import Compute, resolve_compute
from iqbench.engine.grouping import Outcome
from iqbench.engine.ledger import Summary
from iqbench.engine.manifest import manifest_of
from iqbench.engine.plan import Assignment, DatasetPlan, FoundOutputs, RunPlan
from iqbench.engine.reading import Output, PictureFacts
from iqbench.engine.run import RunSettings, run
from iqbench.engine.unit_scorer import DatasetContext, ScoredOutput, ScoredPart
from iqbench.engine.units import ReferenceUnit, WorkUnit
from iqbench.images.peaks import Peaks
from iqbench.images.probe import ImageHeader
from iqbench.images.source import FileSource, Source
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import resolve_metrics
from iqbench.protocols.presets import resolve_protocol
from iqbench.results.compact import compact_results
from iqbench.results.store import Store

METHODS = 10
METRICS = ("psnr", "ssim")
FACTS = PictureFacts(512, 768, 3, 8, composited=False)
BYTES = 500_000


def _probe(file: FileSource) -> ImageHeader:
    """Give the header of every file."""
    return ImageHeader("png", FACTS.height, FACTS.width, FACTS.channels, FACTS.bit_depth)


def _size(file: FileSource) -> int:
    """Give the size of every file."""
    return BYTES


def _digest(file: Source) -> str:
    """Name the bytes that there would be."""
    return sha256(file.name.encode()).hexdigest()


@dataclass
class StubExecutor:
    """Returns made-up values of all outputs of a unit at once, but of those that are known."""

    compute: Compute
    digests: Mapping[str | Metric, str] = field(default_factory=dict)
    device: str = "none"
    readers: int = 0
    workers: int = 64
    columns: frozenset[str] = frozenset()

    def open(self, context: DatasetContext) -> None:
        """Note the columns."""
        self.columns = frozenset(context.signatures.plain)

    def close(self, dataset: str) -> None:
        """Forget nothing."""

    def score(self, units: Iterable[WorkUnit]) -> Generator[ScoredPart, None, None]:
        """Give a value of each column of each output."""
        for unit in units:
            assert not isinstance(unit, ReferenceUnit)
            scored, settled = [], []
            for item in unit.items:
                assert item.job.reference is not None
                of_reference = _digest(item.job.reference)
                for image in item.job.outputs:
                    digest = _digest(image.source)
                    output = Output(
                        image,
                        of_reference,
                        digest,
                        BYTES,
                        columns=self.columns,
                        peaks=Peaks(255, 255),
                        facts=FACTS,
                    )
                    if len(unit.known.get((image.method, image.image), ())) == len(self.columns):
                        settled.append(replace(output, columns=frozenset(), facts=None))
                        continue
                    value = int(digest[:8], 16) / 2**32
                    outcomes = {name: Outcome(value) for name in self.columns}
                    scored.append(ScoredOutput(output, outcomes, copied=False, without={}))
            yield ScoredPart(unit.key, scored=tuple(scored), settled=tuple(settled))


def plan_of(pairs: int) -> RunPlan:
    """Plan so many pairs: ten methods on one dataset."""
    ids = Ids(f"image{number:08}" for number in range(pairs // METHODS))

    def files(folder: str) -> FilesById:
        return FilesById(Path(folder), ids, ((image, f"{image}.png") for image in ids))

    spec = DatasetSpec(name="many", data=FolderLayout(layout="folder", references="hr"))
    dataset = Dataset("many", spec, FileSamples(files("hr"), {}))
    assignments = {}
    for number in range(METHODS):
        name = f"method{number}"
        assignments[name] = Assignment(dataset.images, FoundOutputs(name, files(name)))
    protocol = resolve_protocol("rgb")
    requests = resolve_metrics(METRICS)
    return RunPlan((DatasetPlan(dataset, protocol, requests, assignments, {}),))


def measure(pairs: int, results: Path) -> list[tuple[str, float, float]]:
    """Run, run again and compact; give processor seconds and the largest memory after each."""
    found = []

    def note(what: str, since: float) -> None:
        found.append((what, time.process_time() - since, peak_mib()))

    begun = time.process_time()
    plan = plan_of(pairs)
    note("plan", begun)
    executor = StubExecutor(resolve_compute("cpu", "exact", None))
    manifest = manifest_of(executor.compute)

    def run_all() -> Summary:
        return run(
            plan, Store(results), manifest=manifest, executor=executor, settings=RunSettings()
        )

    begun = time.process_time()
    assert run_all().scored == pairs
    note("schedule, enter, write and merge", begun)
    begun = time.process_time()
    assert run_all().current == pairs
    note("run again: all is known", begun)
    begun = time.process_time()
    compact_results(results)
    note("compact", begun)
    return found


def page(pairs: int, rows: list[tuple[str, float, float]], size: int) -> str:
    """Set the page."""
    lines = [
        describe_machine(
            "What a run costs besides scoring", f"python benchmarks/scheduling.py --pairs {pairs}"
        ),
        "",
        f"{pairs:,} pairs of {METHODS} methods, {len(METRICS)} metrics; scoring is a stub. Seconds "
        "of the processor; memory is the largest until then.",
        "",
        "| step | seconds | pairs per second | microseconds per pair | MiB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for what, seconds, mebibytes in rows:
        rate = pairs / max(seconds, 1e-9)
        lines.append(
            f"| {what} | {seconds:.1f} | {rate:,.0f} | {1e6 / rate:.1f} | {mebibytes:,.0f} |"
        )
    lines += ["", f"Tables: {size / 2**20:.1f} MiB, {size / pairs:.0f} bytes per pair.", ""]
    return "\n".join(lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--keep", action="store_true", help="write the page into results/")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="iqbench-scheduling-") as folder:
        results = Path(folder) / "results"
        with patch.multiple(FileSource, probe=_probe, size=_size):
            rows = measure(given.pairs, results)
        size = sum(part.stat().st_size for part in results.rglob("*.parquet"))
    keep(page(given.pairs, rows, size), "scheduling", given.keep)


if __name__ == "__main__":
    main()
