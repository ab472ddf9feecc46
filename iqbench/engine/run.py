"""The loop: references, methods, metrics, rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from iqbench.engine.bands import PIXELS_AT_ONCE
from iqbench.engine.compute import Compute
from iqbench.engine.grouping import Outcome
from iqbench.engine.plan import DatasetPlan, RunPlan
from iqbench.engine.reading import Output, ReadJob, job_cost, read_job
from iqbench.engine.resources import Resources
from iqbench.engine.scorer import Batch, Scorer
from iqbench.images.picture import Picture
from iqbench.images.source import Alpha
from iqbench.loader import work_ahead
from iqbench.results.schema import ImageRow, Manifest, ScoreRow, placeholder, removed
from iqbench.results.store import Current, Store, Writer

__all__ = ["Failure", "Reporter", "Settings", "Summary", "run"]


@dataclass(frozen=True)
class Settings:
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
    """

    compute: Compute
    workers: int
    alpha: Alpha = "error"
    recompute: bool = False


@dataclass(frozen=True)
class Failure:
    """An output that could not be scored, and why."""

    dataset: str
    method: str
    image: str
    error: str


@dataclass
class Summary:
    """What a run did.

    Attributes
    ----------
    scored
        Outputs that were scored.
    current
        Outputs for which the tables had everything already.
    failures
        Outputs that could not be scored; they are in the tables with their error.
    warnings
        What else the user should know.
    """

    scored: int = 0
    current: int = 0
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Reporter(Protocol):
    """Is told how far a run is."""

    def begin(self, what: str, total: int) -> None:
        """Hear that a dataset begins, with so many outputs."""
        ...

    def advance(self, done: int) -> None:
        """Hear that so many more outputs are done."""
        ...


class _Silent:
    def begin(self, what: str, total: int) -> None:
        """Say nothing."""

    def advance(self, done: int) -> None:
        """Say nothing."""


def run(
    plan: RunPlan,
    store: Store,
    *,
    manifest: Manifest,
    resources: Resources,
    settings: Settings,
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
    summary = Summary(warnings=list(plan.warnings))
    reporter = reporter or _Silent()
    with store.writer(manifest, plan.columns) as writer:
        for dataset_plan in plan.datasets:
            reporter.begin(dataset_plan.dataset.name, dataset_plan.size)
            task = _DatasetRun(
                dataset_plan,
                store=store,
                writer=writer,
                resources=resources,
                settings=settings,
                summary=summary,
            )
            task.announce()
            writer.flush()
            task.score(reporter.advance)
    return summary


class _DatasetRun:
    """One dataset of a run."""

    def __init__(
        self,
        plan: DatasetPlan,
        *,
        store: Store,
        writer: Writer,
        resources: Resources,
        settings: Settings,
        summary: Summary,
    ) -> None:
        self._plan = plan
        self._name = plan.dataset.name
        self._writer = writer
        self._resources = resources
        self._settings = settings
        self._summary = summary
        self._signatures = plan.signatures(resources, settings.compute, settings.alpha)
        self._current: dict[str, Current] = {
            method: store.current(self._name, method) for method in plan.matches
        }
        self._scorers: dict[frozenset[str], Scorer] = {}

    def announce(self) -> None:
        """Enter what is missing, what is still to come and what the dataset no longer has.

        A run that is killed then shows as incomplete, not as a complete run of fewer images.
        """
        images = {sample.image for sample in self._plan.dataset.samples}
        for method, matches in self._plan.matches.items():
            known = self._current[method].images
            for image in sorted(known.keys() - images):
                why = "the dataset no longer has this image"
                self._writer.add_image(removed(self._name, method, image, why))
            for image in images:
                if image in matches.problems:
                    self._fail(method, image, matches.problems[image])
                elif image not in known:
                    self._writer.add_image(placeholder(self._name, method, image))

    def score(self, advance: Callable[[int], None]) -> None:
        """Read ahead, score, write."""
        read = partial(
            read_job,
            signatures=self._signatures,
            current=self._current,
            protocol=self._plan.protocol,
            alpha=self._settings.alpha,
            recompute=self._settings.recompute,
        )
        jobs = work_ahead(
            self._plan.jobs,
            read,
            cost=job_cost,
            workers=self._settings.workers,
            budget=self._settings.compute.memory // 4,
        )
        for group in self._batches(self._settle(jobs, advance)):
            self._score(group)
            for _, outputs in group:
                advance(len(outputs))

    def _settle(
        self, jobs: Iterable[ReadJob], advance: Callable[[int], None]
    ) -> Iterator[tuple[ReadJob, tuple[Output, ...]]]:
        """Enter what failed, count what is known, and give what is left to score."""
        for job in jobs:
            image = job.sample.image
            left = []
            for output in job.outputs:
                if output.error:
                    self._fail(output.method, image, output.error, output)
                elif output.picture:
                    left.append(output)
                else:
                    self._summary.current += 1
            # Outputs that miss the same columns are scored together: as a rule, all of them.
            together: dict[frozenset[str], list[Output]] = {}
            for output in left:
                together.setdefault(output.columns, []).append(output)
            advance(len(job.outputs) - len(left))
            for outputs in together.values():
                yield job, tuple(outputs)

    def _batches(
        self, jobs: Iterable[tuple[ReadJob, tuple[Output, ...]]]
    ) -> Iterator[list[tuple[ReadJob, tuple[Output, ...]]]]:
        """Join references of one size: on a GPU up to a budget; on a CPU it gains nothing."""
        limit = PIXELS_AT_ONCE["cuda"] if self._settings.compute.device.type == "cuda" else 0
        batch: list[tuple[ReadJob, tuple[Output, ...]]] = []
        for job, outputs in jobs:
            kind = _kind(job, outputs)
            if batch and (
                kind != _kind(*batch[0]) or _pixels(batch) + _pixels([(job, outputs)]) > limit
            ):
                yield batch
                batch = []
            batch.append((job, outputs))
        if batch:
            yield batch

    def _score(self, batch: list[tuple[ReadJob, tuple[Output, ...]]]) -> None:
        """Score a batch and enter its rows."""
        references: list[Picture] = []
        flat: list[tuple[str, Output, Picture]] = []
        owners: list[int] = []
        for job, outputs in batch:
            assert job.reference is not None
            for output in outputs:
                assert output.picture is not None
                flat.append((job.sample.image, output, output.picture))
                owners.append(len(references))
            references.append(job.reference)
        scorer = self._scorer(flat[0][1].columns)
        pictures = [picture for _, _, picture in flat]
        found = scorer.score(Batch(references, pictures, owners))
        for (image, output, picture), outcomes in zip(flat, found, strict=True):
            self._enter(image, output, picture, outcomes)

    def _scorer(self, columns: frozenset[str]) -> Scorer:
        """Return the scorer of some columns, made once."""
        if columns not in self._scorers:
            requests = [item for item in self._plan.requests if item.column.name in columns]
            self._scorers[columns] = Scorer(
                requests, self._plan.protocol, self._resources, self._settings.compute
            )
        return self._scorers[columns]

    def _enter(
        self, image: str, output: Output, picture: Picture, outcomes: dict[str, Outcome]
    ) -> None:
        """Enter the rows of one output: the image first, then its scores."""
        row = ImageRow(
            self._name,
            output.method,
            image,
            reference_digest=output.reference_digest,
            output_digest=output.digest,
            height=picture.height,
            width=picture.width,
            channels=picture.channels,
            bit_depth=picture.bit_depth,
            bytes=output.bytes,
        )
        self._writer.add_image(row)
        self._writer.add_scores(
            self._score_row(output.method, image, column, outcome, row.pair)
            for column, outcome in outcomes.items()
        )
        self._summary.scored += 1

    def _fail(self, method: str, image: str, error: str, output: Output | None = None) -> None:
        """Enter an output that could not be scored: nothing is skipped in silence."""
        row = ImageRow(
            self._name,
            method,
            image,
            reference_digest=output.reference_digest if output else None,
            output_digest=output.digest if output else None,
            bytes=output.bytes if output else None,
            error=error,
        )
        self._writer.add_image(row)
        self._writer.add_scores(
            self._score_row(method, image, column, Outcome(None, error), row.pair)
            for column in self._signatures
        )
        self._summary.failures.append(Failure(self._name, method, image, error))

    def _score_row(
        self, method: str, image: str, column: str, outcome: Outcome, pair: str | None
    ) -> ScoreRow:
        return ScoreRow(
            dataset=self._name,
            method=method,
            image=image,
            metric=column,
            value=outcome.value,
            error=outcome.error,
            signature=self._signatures[column],
            protocol=self._plan.protocol.spec,
            pair=pair,
        )


def _kind(job: ReadJob, outputs: tuple[Output, ...]) -> tuple[int, int, int, frozenset[str]]:
    """Return what must be equal for references to be scored in one batch."""
    assert job.reference is not None
    reference = job.reference
    return reference.height, reference.width, reference.channels, outputs[0].columns


def _pixels(batch: list[tuple[ReadJob, tuple[Output, ...]]]) -> int:
    """Return the pixels of a batch, all its images together."""
    total = 0
    for job, outputs in batch:
        assert job.reference is not None
        total += job.reference.height * job.reference.width * (1 + len(outputs))
    return total
