"""Run the loop over units of work: read images, compute metrics, write rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from iqbench.datasets.matching.bitstreams import Bitstream, find_bitstreams
from iqbench.datasets.storage.paths import Place
from iqbench.engine.executors.executor import Executor, outputs_at_once
from iqbench.engine.file_warnings import FileWarnings
from iqbench.engine.foreign_scores import (
    ForeignScores,
    choose_jobs,
    is_foreign,
    moved_as_a_whole,
)
from iqbench.engine.known_files import KnownFiles
from iqbench.engine.ledger import Ledger, Summary, reasons
from iqbench.engine.origins import Replaced, check_origins, origins_of
from iqbench.engine.plan import Absence, Assignment, DatasetPlan, RunPlan
from iqbench.engine.reference_sets import SetImage, SetImages, read_reference_set
from iqbench.engine.reporter import Reporter, SilentReporter
from iqbench.engine.run_progress import RunProgress
from iqbench.engine.set_columns import set_columns
from iqbench.engine.sets import FEW, SetRun
from iqbench.engine.signatures import Signatures
from iqbench.engine.unchanged import unchanged_files
from iqbench.engine.unit_scorer import DatasetContext, ScoredPart
from iqbench.engine.units import units_of_jobs, units_of_set
from iqbench.images.source import Alpha, Source
from iqbench.results.changes import settle_changes
from iqbench.results.schema import FORMAT, Manifest, Origin, SetRow
from iqbench.results.store import Current, Key, Store, Writer

__all__ = ["RunSettings", "run"]


@dataclass(frozen=True)
class RunSettings:
    """How a run is done.

    Attributes
    ----------
    alpha
        What to do with transparency.
    recompute
        Compute everything again.
    replace
        Let datasets and methods replace others of their names.
    trust_digests
        Whether digests of files at addresses that earlier runs read count; without it, and where
        everything is computed again, all files are read.
    """

    alpha: Alpha = "error"
    recompute: bool = False
    replace: bool = False
    trust_digests: bool = True


def run(
    plan: RunPlan,
    store: Store,
    *,
    manifest: Manifest,
    executor: Executor,
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
    executor
        Scores.
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
    with KnownFiles(trusted=settings.trust_digests and not settings.recompute) as known_files:
        _run(
            plan,
            store,
            manifest=manifest,
            executor=executor,
            settings=settings,
            reporter=reporter,
            summary=summary,
            replaced=replaced,
            known_files=known_files,
        )
    summary.warnings.extend(known_files.warnings)
    return summary


def _run(
    plan: RunPlan,
    store: Store,
    *,
    manifest: Manifest,
    executor: Executor,
    settings: RunSettings,
    reporter: Reporter,
    summary: Summary,
    replaced: Sequence[Replaced],
    known_files: KnownFiles,
) -> None:
    """Compute and write; see `run`."""
    closed_sets: list[SetRow] = []
    reference_sets: dict[Place, SetImages] = {}
    for found in {item.reference_set for item in plan.datasets if item.reference_set}:
        reporter.begin(f"reference set {found.name}", len(found.images))
        reference_sets[found.folder] = read_reference_set(
            found, executor.compute, executor.readers, reporter.advance, known_files
        )
    origins = origins_of(plan, store.place)
    before = {one.dataset.name: store.origins(one.dataset.name) for one in plan.datasets}
    with (
        RunProgress(store.root, plan, summary, manifest.command, reporter) as progress,
        store.writer(manifest, plan.columns, plan.tasks, origins) as writer,
    ):
        open_dataset = partial(
            _DatasetRun,
            store=store,
            writer=writer,
            executor=executor,
            settings=settings,
            summary=summary,
            reference_sets=reference_sets,
            replaced={one.dataset for one in replaced},
            places={method: _MethodFiles.of(plan, method) for method in plan.folders},
            known_files=known_files,
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
            unchanged = _unchanged_of(absence, known, plan, known_files)
            ledger.withdraw(absence, known, unchanged, plan.shard)
        del ledgers
        writer.flush()
        for dataset_plan in plan.datasets:
            one_dataset = open_dataset(dataset_plan)
            executor.open(one_dataset.context())
            one_dataset.observe_references(progress)
            one_dataset.try_foreign_scores(before[dataset_plan.dataset.name], origins)
            progress.begin(dataset_plan.dataset.name, sum(dataset_plan.sizes.values()))
            one_dataset.score(progress.advance)
            closed_sets += one_dataset.close_sets(progress)
            executor.close(dataset_plan.dataset.name)
    summary.warnings.extend(_warning_of_small_sets(closed_sets))
    summary.warnings.extend(_warning_of_open_sets(plan))
    if writer.upgraded:
        summary.warnings.append(
            f"tables in {store.root} were merged into format {FORMAT}: releases of iqbench that "
            "write an earlier format cannot read them any more"
        )


def _unchanged_of(
    absence: Absence, known: Current, plan: RunPlan, known_files: KnownFiles
) -> Mapping[str, Source]:
    """Find the files that a method was scored from, of a dataset for which it has no folder now."""
    if absence.method not in plan.folders or not known.images:
        return {}
    references: dict[str, Source] = {}
    for item in plan.datasets:
        if item.dataset.name == absence.dataset:
            references = item.dataset.references
    place = _MethodFiles.of(plan, absence.method)
    return unchanged_files(place.folder, known.images, place.taken, references, known_files)


@dataclass(frozen=True)
class _MethodFiles:
    """Where a method's outputs lie, of all datasets."""

    folder: Place
    assignments: Sequence[Assignment]

    @classmethod
    def of(cls, plan: RunPlan, method: str) -> _MethodFiles:
        found = (item.assignments.get(method) for item in plan.datasets)
        return cls(plan.folders[method], [assignment for assignment in found if assignment])

    @property
    def taken(self) -> Collection[Source]:
        """The files that a run takes as outputs."""
        return {file for assignment in self.assignments for file in assignment.files}


class _DatasetRun:
    """One dataset of a run."""

    def __init__(
        self,
        plan: DatasetPlan,
        *,
        store: Store,
        writer: Writer,
        executor: Executor,
        settings: RunSettings,
        summary: Summary,
        reference_sets: Mapping[Place, SetImages],
        replaced: Collection[str],
        places: Mapping[str, _MethodFiles],
        known_files: KnownFiles,
    ) -> None:
        self._plan = plan
        self._places = places
        self._known_files = known_files
        self._replaced = plan.dataset.name in replaced
        self._store = store
        self._name = plan.dataset.name
        self._settings = settings
        self._summary = summary
        self._signatures = plan.signatures(executor.digests, executor.compute.precision)
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
            plan,
            set_columns(
                plan.requests,
                plan.protocol,
                executor.digests,
                None if reference_set is None else reference_set.digest,
            ),
            store.root,
            recompute=settings.recompute,
            reference_set=reference_set,
        )
        self._executor = executor
        self._doubts = FileWarnings(plan.dataset.published())
        self._foreign: dict[str, ForeignScores] = {}

    def announce(self) -> Ledger:
        """Enter what is missing, what is still to come and what the dataset no longer has."""
        in_shard = self._plan.has_image
        for method, assignment in self._assignments().items():
            unchanged = self._unchanged(method, assignment, in_shard)
            self._ledger.announce(method, assignment, unchanged, in_shard)
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
        self, method: str, assignment: Assignment, in_shard: Callable[[str], bool]
    ) -> Mapping[str, Source]:
        """Find the files of missing or ambiguous outputs that were scored under other names."""
        known = self._current[method].images
        missing = {
            image: known[image]
            for image, why in assignment.problems.items()
            if image in known
            and in_shard(image)
            and why.startswith(("missing output", "ambiguous output"))
        }
        place = self._places.get(method)
        if assignment.folder is None or place is None or not missing:
            return {}
        references = self._plan.dataset.references
        return unchanged_files(place.folder, missing, place.taken, references, self._known_files)

    def observe_references(self, reporter: Reporter) -> None:
        """Extract the features of the reference set that the tables lack."""
        found = self._plan.reference_set
        if found is None:
            return
        reporter.begin(f"reference set {found.name}", len(found.images))
        missing = self._sets.missing_references()
        reporter.advance(len(found.images) - len(missing))
        most = outputs_at_once(len(missing), self._executor.workers)
        units = units_of_set(self._name, missing, most_images=most)
        with self._sets.flushed(), closing(self._executor.score(units)) as found_features:
            for scored in found_features:
                self._sets.take(scored.features)
                for read in scored.references:
                    self._sets.enter_reference(read)
                reporter.advance(scored.done)
        self._sets.write_references()

    def try_foreign_scores(self, before: Mapping[str, Origin], now: Mapping[Key, Origin]) -> None:
        """Score some outputs again whose values another results folder brought.

        Parameters
        ----------
        before
            By method, where the values of the tables were computed.
        now
            By dataset and method, where this run computes.
        """
        foreign = {
            method: ForeignScores(
                self._name,
                method,
                then,
                self._store.values(self._name, method),
                self._plan.requests,
            )
            for method, then in before.items()
            if method in self._current
            and self._current[method].marks
            and not self._settings.recompute
            and is_foreign(then, now[self._name, method])
        }
        units = units_of_jobs(
            self._name,
            choose_jobs(self._plan.jobs(), foreign),
            known={},
            bitstreams=self._bitstreams() if foreign else {},
        )
        with closing(self._executor.score(units)) as results:
            for one in (one for part in results for one in part.scored):
                found = foreign[one.output.image.method]
                found.compare(one.output, one.outcomes, self._signatures)
        for method, found in foreign.items():
            if found.differing:
                # None of them is believed: all are computed, and compared with what is stored.
                found.forget()
                self._foreign[method] = found
                current = self._current[method]
                self._current[method] = replace(current, marks={}, undefined={})
            elif found.compared and not moved_as_a_whole(found.origin, now[self._name, method]):
                self._summary.warnings.append(found.sentence)

    def score(self, advance: Callable[[int], None]) -> None:
        """Have all units scored, and enter what comes back."""
        failures = len(self._summary.failures)
        units = units_of_jobs(
            self._name,
            self._plan.jobs(),
            known={} if self._settings.recompute else self._current,
            bitstreams=self._bitstreams(),
            known_files=self._known_files,
            most_outputs=outputs_at_once(sum(self._plan.sizes.values()), self._executor.workers),
        )
        # Closed at once whatever happens, so that no thread goes on reading.
        with self._sets.flushed(), closing(self._executor.score(units)) as results:
            for part in results:
                self._enter(part)
                advance(part.done)
        self._summary.put_in_order(
            self._name,
            ((output.method, output.image) for job in self._plan.jobs() for output in job.outputs),
            self._signatures.plain,
            since=failures,
        )
        self._summary.warnings.extend(self._doubts.warnings(self._name))
        self._summary.warnings.extend(
            found.sentence for found in self._foreign.values() if found.differing
        )

    def context(self) -> DatasetContext:
        """Return what the units are scored by."""
        plan = self._plan
        return DatasetContext(
            self._name,
            plan.requests,
            plan.protocol,
            self._signatures,
            self._settings.alpha,
            self._sets.extraction(self._executor.compute),
            {method: str(one.folder or self._name) for method, one in plan.assignments.items()},
        )

    def _enter(self, part: ScoredPart) -> None:
        """Enter what became of some outputs."""
        self._sets.take(part.features)
        self._doubts.see_whole(part.whole)
        for item in part.seen:
            self._doubts.see(item.number, item.outputs, item.start)
            self._known_files.learn(item.learned)
        for output in part.settled:
            if output.error:
                self._ledger.fail(output, output.error)
            else:
                self._ledger.keep(output)
            self._sets.keep(output)  # it may have features without fitting its reference
        for one in part.scored:
            if one.copied:
                self._doubts.see_copy(one.output.image)
            if found := self._foreign.get(one.output.image.method):
                found.compare(one.output, one.outcomes, self._signatures)
            self._ledger.score(one.output, one.outcomes)
            self._sets.keep(one.output, one.without)
            if one.without:
                self._ledger.note(one.output, reasons(one.without))

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

    def close_sets(self, reporter: Reporter) -> list[SetRow]:
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
        again = partial(self._extract_again, reporter)
        closed = self._sets.close(expected, members, again)
        for method in closed.keys() & self._stayed():
            known = self._store.set_values(self._name, method, members[method])
            closed[method] = [
                row for row in closed[method] if (row.metric, row.signature) not in known
            ]
        for method, rows in closed.items():
            self._writer.write_sets(rows)
            self._summary.warnings.extend(_set_warnings(self._name, method, rows))
            self._summary.sets |= {
                (self._name, method, row.metric): row.error for row in rows if row.error is not None
            }
        return [row for rows in closed.values() for row in rows]

    def _extract_again(
        self, reporter: Reporter, images: Sequence[SetImage]
    ) -> Iterator[ScoredPart]:
        """Have features extracted of images that moments need once more."""
        reporter.begin(f"sets of {self._name}", len(images))
        most = outputs_at_once(len(images), self._executor.workers)
        units = units_of_set(self._name, images, most_images=most)
        with closing(self._executor.score(units)) as parts:
            for part in parts:
                yield part
                reporter.advance(part.done)

    def _leave_sets_open(self, expected: Mapping[str, int]) -> None:
        """Note which values are to be computed once the features of all shards are together.

        Values that the tables have stay: readers know themselves whether they are of the images
        of now.
        """
        rows = self._sets.leave_open(expected)
        for method, of_method in rows.items():
            known = self._store.set_columns(self._name, method)
            self._writer.write_sets(
                [row for row in of_method if (row.metric, row.signature) not in known]
            )

    def _stayed(self) -> set[str]:
        """Name the methods that keep scores of outputs which were not found.

        A value of a set that is of these images too is better than one without them.
        """
        return {
            method
            for method, assignment in self._plan.assignments.items()
            for image in assignment.problems
            if image in (known := self._current[method].images)
            and known[image].output_digest is not None
        }


def _set_warnings(dataset: str, method: str, rows: list[SetRow]) -> Iterator[str]:
    """Say which sets lack images."""
    for row in rows:
        if row.error is None and row.n < row.expected:
            where = f"{dataset} / {method}: {row.metric}"
            yield (
                f"{where} is computed from {row.n} of {row.expected} images: the method is not "
                "ranked"
            )


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
            f"fid of {where} is computed from {number} images: with fewer than {FEW:,} it is too "
            "large, and comparable only with values of the same number of images"
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
