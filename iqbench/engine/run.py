"""The loop: references, methods, metrics, rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from iqbench.datasets.matching.bitstreams import FOLDER, TABLE, Bitstream, find_bitstreams
from iqbench.datasets.storage.paths import Place
from iqbench.engine.batching import Work, batch_of, join
from iqbench.engine.compute import Compute
from iqbench.engine.file_warnings import FileWarnings
from iqbench.engine.freed_memory import keep_freed_memory
from iqbench.engine.grouping import Outcome
from iqbench.engine.ledger import Ledger, Summary
from iqbench.engine.observations import Scores, reason_of
from iqbench.engine.origins import check_origins, origins_of
from iqbench.engine.plan import Absence, Assignment, DatasetPlan, RunPlan
from iqbench.engine.reading import Output, ReadJob, job_cost, pin, read_job
from iqbench.engine.reference_sets import SetImages, read_reference_set
from iqbench.engine.reporter import Reporter, SilentReporter
from iqbench.engine.resources import Resources
from iqbench.engine.scorer import Scorer
from iqbench.engine.sets import FEW, SetRun, set_columns
from iqbench.engine.signatures import Signatures
from iqbench.engine.unchanged import unchanged_files
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.images.source import Alpha, Source
from iqbench.loader import work_ahead
from iqbench.metrics._base import Metric
from iqbench.results.changes import settle_changes
from iqbench.results.schema import FORMAT, Manifest, SetRow
from iqbench.results.store import Current, Store, Writer

__all__ = ["RunSettings", "run"]

# A GPU computes while the next batch is set going; a CPU has nobody to wait for.
AHEAD = {"cuda": 1}


@dataclass(frozen=True)
class RunSettings:
    """How a run is done.

    Attributes
    ----------
    compute
        Device, precision, memory budget.
    workers
        Threads that read and decode ahead.
    alpha
        What to do with transparency.
    recompute
        Compute everything again.
    own_process
        Whether the process serves this run alone: malloc may then be set up for it, which cannot
        be undone. A program that calls iqbench keeps its malloc.
    replace
        Let datasets and methods replace others of their names.
    """

    compute: Compute
    workers: int
    alpha: Alpha = "error"
    recompute: bool = False
    own_process: bool = False
    replace: bool = False


def run(
    plan: RunPlan,
    store: Store,
    *,
    manifest: Manifest,
    resources: Resources,
    settings: RunSettings,
    reporter: Reporter | None = None,
) -> Summary:
    """Compute what is missing, changed or failed before, and write it.

    Whatever ends the run, what was scored until then is in the tables.

    Parameters
    ----------
    plan
        What is to be scored.
    store
        Where results are, and go.
    manifest
        What the run is made with.
    resources
        Networks and trained parameters.
    settings
        How it is done.
    reporter
        Is told how far the run is.

    Returns
    -------
    Summary
        Counts and failures.
    """
    settle_changes(store.root)
    replaced = check_origins(plan, store, replace=settings.replace)
    summary = Summary(warnings=[*plan.warnings, *(one.sentence for one in replaced)])
    reporter = reporter or SilentReporter()
    closed_sets: list[SetRow] = []
    reference_sets: dict[Place, SetImages] = {}
    for found in {item.reference_set for item in plan.datasets if item.reference_set}:
        reporter.begin(f"reference set {found.name}", len(found.images))
        reference_sets[found.folder] = read_reference_set(
            found, settings.compute, settings.workers, reporter.advance
        )
    with (
        keep_freed_memory(settings.compute) if settings.own_process else nullcontext(),
        store.writer(manifest, plan.columns, plan.tasks, origins_of(plan, store.root)) as writer,
    ):
        open_dataset = partial(
            _DatasetRun,
            store=store,
            writer=writer,
            resources=resources,
            settings=settings,
            summary=summary,
            reference_sets=reference_sets,
            replaced={one.dataset for one in replaced},
        )
        # All datasets first: tables that cannot be read or written stop a run before it computes.
        # What they hold is read again below, so that one dataset's is in memory at a time.
        ledgers = {
            dataset_plan.dataset.name: open_dataset(dataset_plan).announce()
            for dataset_plan in plan.datasets
        }
        for one in replaced:
            ledgers[one.dataset].remove(one.method, one.images)
        for absence in plan.absences:
            name = absence.dataset
            ledger = ledgers.get(name) or Ledger(name, "", Signatures(), writer, summary, {})
            known = store.current(name, absence.method)
            unchanged = _unchanged_of(absence, known, plan)
            ledger.withdraw(absence, known, unchanged, plan.shard)
        writer.flush()
        for dataset_plan in plan.datasets:
            one_dataset = open_dataset(dataset_plan)
            one_dataset.observe_references(reporter)
            reporter.begin(dataset_plan.dataset.name, dataset_plan.size)
            one_dataset.score(reporter.advance)
            closed_sets += one_dataset.close_sets()
    summary.warnings.extend(_warning_of_small_sets(closed_sets))
    summary.warnings.extend(_warning_of_open_sets(plan))
    if writer.upgraded:
        summary.warnings.append(
            f"tables in {store.root} were merged into format {FORMAT}: releases of iqbench that "
            "write an earlier format cannot read them any more"
        )
    return summary


def _unchanged_of(absence: Absence, known: Current, plan: RunPlan) -> Mapping[str, Source]:
    """Find the files that a method was scored from, of a dataset for which it has no folder now."""
    folder = plan.folders.get(absence.method)
    if folder is None or not known.images:
        return {}
    taken: set[Source] = set()
    references: dict[str, Source] = {}
    for item in plan.datasets:
        if absence.method in item.assignments:
            taken |= item.assignments[absence.method].files
        if item.dataset.name == absence.dataset:
            references = item.dataset.references
    return unchanged_files(folder, known.images, taken, references)


class _DatasetRun:
    """One dataset of a run."""

    def __init__(
        self,
        plan: DatasetPlan,
        *,
        store: Store,
        writer: Writer,
        resources: Resources,
        settings: RunSettings,
        summary: Summary,
        reference_sets: Mapping[Place, SetImages],
        replaced: Collection[str],
    ) -> None:
        self._plan = plan
        self._replaced = plan.dataset.name in replaced
        self._store = store
        self._name = plan.dataset.name
        self._resources = resources
        self._settings = settings
        self._summary = summary
        self._signatures = plan.signatures(resources, settings.compute)
        self._current: dict[str, Current] = {
            method: store.current(self._name, method) for method in plan.assignments
        }
        self._ledger = Ledger(
            self._name, plan.protocol.spec, self._signatures, writer, summary, self._current
        )
        self._writer = writer
        self._store = store
        found = plan.reference_set
        reference_set = None if found is None else reference_sets[found.folder]
        self._sets = SetRun(
            set_columns(
                plan.requests,
                plan.protocol,
                None if reference_set is None else reference_set.digest,
            ),
            store.root,
            settings.compute,
            recompute=settings.recompute,
            shared=plan.dataset.brings_outputs,
            reference_set=reference_set,
        )
        self._scorers: dict[frozenset[str], Scorer] = {}
        self._doubts = FileWarnings(plan.dataset.published())

    def announce(self) -> Ledger:
        """Enter what is missing, what is still to come and what the dataset no longer has."""
        for method, assignment in self._assignments().items():
            known = self._current[method].images
            of_shard = self._plan.of_shard({*known, *assignment.images})
            unchanged = self._unchanged(method, assignment, of_shard)
            self._ledger.announce(method, assignment, unchanged, of_shard)
        return self._ledger

    def _assignments(self) -> Mapping[str, Assignment]:
        """Return what each method is to be scored on, and what it lacks.

        Without references nothing but earlier runs says which other images there are: what a
        method lacks of these is missing, and no image is removed.
        """
        dataset, found = self._plan.dataset, self._plan.assignments
        if dataset.has_references or self._replaced:
            return found
        ids: set[str] = set()
        for method in self._store.origins(self._name):
            if not (self._settings.replace and method in found):
                ids |= self._store.current(self._name, method).images.keys()
        ids -= {sample.image for sample in dataset.samples}
        return {
            method: replace(
                one,
                images=[*one.images, *sorted(ids)],
                problems={
                    **one.problems,
                    **{id_: f"missing output: no {id_}.* in {one.folder}" for id_ in ids},
                },
            )
            for method, one in found.items()
        }

    def _unchanged(
        self, method: str, assignment: Assignment, of_shard: Collection[str]
    ) -> Mapping[str, Source]:
        """Find the files of missing outputs that were scored under other names."""
        known = self._current[method].images
        missing = {
            image: known[image]
            for image, why in assignment.problems.items()
            if image in known and image in of_shard and why.startswith("missing output")
        }
        if assignment.folder is None or not missing:
            return {}
        references = self._plan.dataset.references
        return unchanged_files(assignment.folder, missing, assignment.files, references)

    def observe_references(self, reporter: Reporter) -> None:
        """Extract the features of the reference set that the tables lack."""
        found = self._plan.reference_set
        if found is None:
            return
        reporter.begin(f"reference set {found.name}", len(found.images))
        settings = self._settings
        self._sets.observe_references(
            self._plan.protocol, settings.alpha, settings.workers, reporter.advance
        )

    def score(self, advance: Callable[[int], None]) -> None:
        """Read ahead, score, write."""
        read = partial(
            read_job,
            signatures=self._signatures,
            current=self._current,
            protocol=self._plan.protocol,
            views=self._plan.views,
            alpha=self._settings.alpha,
            recompute=self._settings.recompute,
            bitstreams=self._bitstreams(),
            lacking=self._sets.lacking,
        )
        on_gpu = self._settings.compute.device.type == "cuda"
        jobs = work_ahead(
            self._plan.jobs,
            (lambda job: pin(read(job))) if on_gpu else read,
            cost=job_cost,
            workers=self._settings.workers,
            budget=self._settings.compute.memory // 4,
        )
        ahead = AHEAD.get(self._settings.compute.device.type, 0)
        waiting: deque[_Started] = deque()
        # Closed at once whatever happens, so that no thread goes on reading.
        with closing(jobs), self._sets.flushed():
            for works in join(self._settle(jobs, advance), self._settings.compute.device):
                waiting.append(self._start(works))
                if len(waiting) > ahead:
                    advance(self._finish(waiting.popleft()))
            while waiting:
                advance(self._finish(waiting.popleft()))
        self._summary.warnings.extend(self._doubts.warnings(self._name))

    def _settle(self, jobs: Iterable[ReadJob], advance: Callable[[int], None]) -> Iterator[Work]:
        """Enter what failed, count what is known, and give what is left to score."""
        for job in jobs:
            left = []
            self._doubts.see(job.outputs)
            for output in job.outputs:
                if output.error:
                    self._ledger.fail(output, output.error)
                    self._sets.keep(output)  # it may have features without fitting its reference
                elif output.picture:
                    left.append(output)
                else:
                    self._ledger.keep(output)
                    self._sets.keep(output)
            # Outputs that miss the same columns are scored together: as a rule, all of them.
            together: dict[object, list[Output]] = {}
            for output in left:
                kind = Work.of(job, [output]).kind
                together.setdefault((kind, output.peaks), []).append(output)
            advance(len(job.outputs) - len(left))
            for outputs in together.values():
                yield Work.of(job, outputs)

    def _start(self, works: list[Work]) -> _Started:
        """Set a batch going."""
        outputs = [output for work in works for output in work.outputs]
        columns = works[0].columns
        if works[0].reference is None:
            columns &= self._signatures.alone
        scorer = self._scorer(columns)
        batch = batch_of(works)
        self._doubts.see_size(scorer.whole_columns, batch.references[0], self._settings.compute)
        try:
            return _Started(outputs, scorer.start(batch))
        except IqbenchError as error:
            return _Started(outputs, error)
        except MemoryError:
            return _Started(outputs, IqbenchError("there is not enough memory to score the image"))

    def _finish(self, started: _Started) -> int:
        """Enter the rows of a batch; return how many outputs it had."""
        if isinstance(started.scores, IqbenchError):
            for output in started.outputs:
                self._ledger.fail(output, str(started.scores))
            return len(started.outputs)
        batch, found = started.scores.batch, started.scores.finish()
        for output, picture, outcomes, owner in zip(
            started.outputs, batch.outputs, found, batch.owners, strict=True
        ):
            if not output.alone:
                self._doubts.see_pixels(output.image, batch.references[owner], picture)
            counted = self._count_bits(output, picture)
            self._ledger.score(output, picture, outcomes | counted | self._unfit(output))
            reference = None if output.alone else batch.references[owner]
            without = self._sets.observe(output, reference, picture)
            if without:
                error = "; ".join(f"{name}: {why}" for name, why in without.items())
                self._ledger.note(output, error)
        return len(started.outputs)

    def _unfit(self, output: Output) -> dict[str, Outcome]:
        """Say why an output without a reference that fits lacks the values that need it."""
        if not output.alone:
            return {}
        signatures = self._signatures
        read = signatures.alone | signatures.bitstreams
        needing = signatures.plain.keys() & output.columns - read
        return {
            column: Outcome(None, output.unfit or signatures.why_not_alone(column))
            for column in needing
        }

    def _bitstreams(self) -> Mapping[str, Mapping[str, Bitstream]]:
        """Return the bitstreams that values are counted from: now, or in an earlier run.

        A bitstream that changed makes an earlier value stale, whatever this run computes.
        """
        found = dict(self._plan.bitstreams)
        for method, assignment in self._plan.assignments.items():
            known = self._current[method].images.values()
            counted = any(state.bitstream_digest is not None for state in known)
            if counted and method not in found and assignment.folder is not None:
                found[method] = find_bitstreams(assignment.folder)
        return found

    def close_sets(self) -> list[SetRow]:
        """Compute the values of whole sets, when all their images are in the tables."""
        if not self._sets.columns:
            return []
        self._writer.flush()
        expected = {name: len(one.images) for name, one in self._plan.assignments.items()}
        if not self._plan.shard.whole:
            self._leave_sets_open(expected)
            return []
        alone = self._plan.reference_set is not None
        members = {
            name: self._store.members(self._name, name, outputs_alone=alone) for name in expected
        }
        closed = self._sets.close(self._name, self._plan.protocol.spec, expected, members)
        for method, rows in closed.items():
            self._writer.write_sets(rows)
            self._summary.warnings.extend(_set_warnings(self._name, method, rows))
            self._summary.sets |= {
                (self._name, method, row.metric): row.error for row in rows if row.error is not None
            }
        return [row for rows in closed.values() for row in rows]

    def _leave_sets_open(self, expected: Mapping[str, int]) -> None:
        """Note which values are to be computed once the features of all shards are together.

        Values that the tables have stay: readers know themselves whether they are of the images
        of now.
        """
        rows = self._sets.leave_open(self._name, self._plan.protocol.spec, expected)
        for method, of_method in rows.items():
            known = self._store.set_columns(self._name, method)
            self._writer.write_sets(
                [row for row in of_method if (row.metric, row.signature) not in known]
            )

    def _count_bits(self, output: Output, picture: Picture) -> dict[str, Outcome]:
        """Score an output's bitstream, where some metric reads it."""
        found: dict[str, Outcome] = {}
        for request in self._plan.requests:
            name, metric = request.column.name, request.metric
            if metric.needs != "bitstream" or name not in output.columns:
                continue
            if output.bits is not None:
                found[name] = _bitstream_outcome(metric, output.bits.bytes, picture)
            else:
                image = output.image
                folder = self._plan.assignments[image.method].folder or self._name
                why = f"no bitstream: {folder} has no {FOLDER}/{image.image}.* or {TABLE}"
                found[name] = Outcome(None, output.no_bits or why)
        return found

    def _scorer(self, columns: frozenset[str]) -> Scorer:
        """Return the scorer of some columns, made once."""
        if columns not in self._scorers:
            requests = [item for item in self._plan.requests if item.column.name in columns]
            self._scorers[columns] = Scorer(
                requests, self._plan.protocol, self._resources, self._settings.compute
            )
        return self._scorers[columns]


def _set_warnings(dataset: str, method: str, rows: list[SetRow]) -> Iterator[str]:
    """Say which sets lack images."""
    for row in rows:
        if row.error is None and row.n < row.expected:
            where = f"{dataset} / {method}: {row.metric}"
            yield f"{where} is of {row.n} of {row.expected} images: the method is not ranked"


def _warning_of_small_sets(rows: Sequence[SetRow]) -> Iterator[str]:
    """Say once for a run what it costs that sets are small."""
    small = [
        row for row in rows if row.error is None and row.n < FEW and row.metric.startswith("fid")
    ]
    if small:
        first, *others = small
        where = f"{first.dataset} / {first.method}" + (f" and {len(others)} more" if others else "")
        least, most = min(row.n for row in small), max(row.n for row in small)
        number = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        yield (
            f"fid of {where} is of {number} images: with fewer than {FEW:,} it is too large, and "
            "can be compared with values of as many images only"
        )


def _warning_of_open_sets(plan: RunPlan) -> Iterator[str]:
    """Say which values a shard does not compute."""
    if plan.shard.whole:
        return
    names = {
        request.column.name
        for item in plan.datasets
        for request in item.requests
        if request.metric.scope == "set"
    }
    if names:
        yield (
            f"{', '.join(sorted(names))}: a shard keeps features only. Values are computed by "
            "iqbench results merge, or by iqbench evaluate without --shard in the same folder"
        )


def _bitstream_outcome(metric: Metric, size: int, output: Picture) -> Outcome:
    try:
        return Outcome(metric.bitstream_value(size, output.height, output.width))
    except Exception as error:  # a metric's own code, which may be another package's
        return Outcome(None, reason_of(metric, error))


class _Started(NamedTuple):
    """A batch under way, or why it could not be scored."""

    outputs: list[Output]
    scores: Scores | IqbenchError
