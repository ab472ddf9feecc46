"""Score units of work: read ahead, make batches, compute. No files are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from iqbench.datasets.matching.bitstreams import FOLDER, TABLE
from iqbench.datasets.storage.digest_store import KnownFile
from iqbench.engine.batching import Joiner, UnitKey, Work, batch_of
from iqbench.engine.compute import Compute
from iqbench.engine.file_warnings import WholeImage, whole_images
from iqbench.engine.grouping import Outcome, views_of
from iqbench.engine.observations import Scores, reason_of
from iqbench.engine.reading import Output, ReadJob, pin, read_job
from iqbench.engine.reference_sets import SetImage, decode_image, image_cost
from iqbench.engine.resources import Resources
from iqbench.engine.scorer import Scorer
from iqbench.engine.sets import FeatureExtraction, FoundFeatures, ReferenceRead
from iqbench.engine.signatures import Signatures
from iqbench.engine.units import ItemPart, Unit, WorkUnit
from iqbench.errors import IqbenchError, exits_as_errors
from iqbench.forks import cached_property
from iqbench.images.picture import Picture
from iqbench.images.source import Alpha
from iqbench.loader import Arrival, work_on_arrival
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import Request
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import View

__all__ = ["DatasetContext", "ScoredOutput", "ScoredPart", "SeenItem", "UnitScorer"]

AHEAD = {"cuda": 1}
"""Batches under way while the next one is set going: a GPU computes meanwhile, a CPU does not."""


@dataclass(frozen=True)
class DatasetContext:
    """What all units of a dataset are scored by; it travels to workers once.

    Attributes
    ----------
    name
        Of the dataset.
    requests
        The columns.
    protocol
        How pixels are seen.
    signatures
        Of the columns.
    alpha
        What to do with transparency.
    extraction
        The set-level columns, and which features are known.
    folders
        By method, where its outputs lie, for messages; the dataset's name where it brings them.
    """

    name: str
    requests: tuple[Request, ...]
    protocol: Protocol
    signatures: Signatures
    alpha: Alpha
    extraction: FeatureExtraction
    folders: Mapping[str, str]

    @cached_property
    def views(self) -> tuple[View, ...]:
        """What the columns see of pixels."""
        return views_of(self.requests, self.protocol)


class SeenItem(NamedTuple):
    """The outputs of an item as they were read, without pixels.

    Attributes
    ----------
    number
        Of the item in its dataset.
    outputs
        All of them, or those of a part.
    start
        Number of the first of these outputs, where the item has others; else None.
    learned
        What later runs may know of the files that were read, by their identities.
    """

    number: int
    outputs: tuple[Output, ...]
    start: int | None
    learned: Mapping[str, KnownFile]


class ScoredOutput(NamedTuple):
    """An output that was scored.

    Attributes
    ----------
    output
        Without pixels.
    outcomes
        By column, its value or why there is none.
    copied
        Whether its pixels are those of its reference.
    without
        By set-level column, why it has no features.
    """

    output: Output
    outcomes: Mapping[str, Outcome]
    copied: bool
    without: Mapping[str, str]


@dataclass(frozen=True)
class ScoredPart:
    """The result of some outputs of a unit: rows and statistics, without pixels.

    Attributes
    ----------
    unit
        Which unit.
    seen
        Items that were read.
    settled
        Outputs that failed (they have an error), or of which the tables have everything.
    scored
        Outputs that were scored.
    references
        Images of a reference set.
    features
        That were extracted.
    whole
        What columns took that are not streamed.
    """

    unit: UnitKey
    seen: tuple[SeenItem, ...] = ()
    settled: tuple[Output, ...] = ()
    scored: tuple[ScoredOutput, ...] = ()
    references: tuple[ReferenceRead, ...] = ()
    features: FoundFeatures = field(default_factory=dict)
    whole: tuple[WholeImage, ...] = ()

    @property
    def done(self) -> int:
        """How many outputs or images of a reference set these are."""
        return len(self.settled) + len(self.scored) + len(self.references)


class _Entry(NamedTuple):
    """Something to be read: an item of a unit, or an image of a reference set."""

    unit: WorkUnit
    part: ItemPart | SetImage

    @property
    def cost(self) -> int:
        """Bytes that reading it takes."""
        return self.part.cost if isinstance(self.part, ItemPart) else image_cost(self.part)


class _ReadEntry(NamedTuple):
    entry: _Entry
    read: ReadJob | Picture | IqbenchError


class _Started(NamedTuple):
    """A batch under way, or why it could not be scored."""

    works: list[Work]
    scores: Scores | IqbenchError
    whole: tuple[WholeImage, ...]


Scoring: TypeAlias = Generator[ScoredPart | Arrival, None, None]
"""Results, as they come."""


class UnitScorer:
    """Scores units on one device.

    Parameters
    ----------
    compute
        Device, precision and memory budget.
    resources
        Networks and parameters of all metrics of the run.
    readers
        Threads that read and decode ahead; 0 to read in the caller's thread.
    """

    def __init__(self, compute: Compute, resources: Resources, readers: int) -> None:
        self._compute = compute
        self._resources = resources
        self._readers = readers
        self._datasets: dict[str, _DatasetScorer] = {}

    def open(self, context: DatasetContext) -> None:
        """Take what the units of a dataset are scored by, before the first of them."""
        self._datasets[context.name] = _DatasetScorer(context, self._compute, self._resources)

    def close(self, dataset: str) -> None:
        """Forget a dataset."""
        self._datasets.pop(dataset, None)

    def score(
        self, units: Iterable[WorkUnit | Arrival]
    ) -> Generator[ScoredPart | Arrival, None, None]:
        """Score units in their order.

        The result depends on the units and their dataset alone, not on what was scored before.

        Parameters
        ----------
        units
            `Arrival.NONE_YET` stands where the next one is not there yet.

        Yields
        ------
        ScoredPart
            Of some outputs; each output is in one of them. `Arrival.NONE_YET` where everything that
            came is scored: the caller may wait for the next unit.
        """
        reads = work_on_arrival(
            _entries(units),
            self._read,
            cost=lambda entry: entry.cost,
            workers=self._readers,
            budget=self._compute.memory // 4,
        )
        joiner = Joiner(self._compute.device)
        ahead = AHEAD.get(self._compute.device.type, 0)
        waiting: deque[_Started] = deque()

        def finished(most: int) -> Iterator[ScoredPart]:
            while len(waiting) > most:
                yield from self._finish(waiting.popleft())

        def rest() -> Iterator[ScoredPart]:
            if works := joiner.rest():
                waiting.append(self._start(works))
            yield from finished(0)

        # Closed at once whatever happens, so that no thread goes on reading.
        with closing(reads):
            for one in reads:
                if isinstance(one, Arrival):
                    yield from rest()
                    yield one
                    continue
                entry, read = one
                if not isinstance(read, ReadJob):
                    yield self._datasets[entry.unit.key[0]].reference(entry, read)
                    continue
                settled, works = _settle(entry, read)
                yield settled
                for work in works:
                    if complete := joiner.add(work):
                        waiting.append(self._start(complete))
                        yield from finished(ahead)
            yield from rest()

    def _read(self, entry: _Entry) -> _ReadEntry:
        """Read and decode in a thread."""
        dataset = self._datasets[entry.unit.key[0]]
        read = dataset.read(entry)
        if isinstance(read, ReadJob) and self._compute.device.type == "cuda":
            read = pin(read)
        return _ReadEntry(entry, read)

    def _start(self, works: list[Work]) -> _Started:
        return self._datasets[works[0].unit[0]].start(works)

    def _finish(self, started: _Started) -> Iterator[ScoredPart]:
        return self._datasets[started.works[0].unit[0]].finish(started)


def _entries(units: Iterable[WorkUnit | Arrival]) -> Iterator[_Entry | Arrival]:
    for unit in units:
        if isinstance(unit, Arrival):
            yield unit
        else:
            for part in unit.items if isinstance(unit, Unit) else unit.images:
                yield _Entry(unit, part)


def _settle(entry: _Entry, read: ReadJob) -> tuple[ScoredPart, list[Work]]:
    """Part outputs that are to be scored from those that failed or are known."""
    assert isinstance(entry.part, ItemPart)
    key = entry.unit.key
    stripped = tuple(output.stripped() for output in read.outputs)
    works = Work.parts(key, read, [output for output in read.outputs if output.picture])
    return (
        ScoredPart(
            key,
            seen=(SeenItem(entry.part.number, stripped, entry.part.start, read.learned),),
            settled=tuple(output for output in stripped if output.facts is None),
        ),
        works,
    )


class _DatasetScorer:
    """Reads and scores what is of one dataset."""

    def __init__(self, context: DatasetContext, compute: Compute, resources: Resources) -> None:
        self._context = context
        self._compute = compute
        self._resources = resources
        self._extraction = replace(
            context.extraction, compute=compute, weights=resources.extractors
        )
        self._scorers: dict[frozenset[str], Scorer] = {}

    def read(self, entry: _Entry) -> ReadJob | Picture | IqbenchError:
        """Read and decode an item or an image of the reference set."""
        context = self._context
        if isinstance(entry.part, SetImage):
            return decode_image(entry.part, context.protocol, context.alpha)
        assert isinstance(entry.unit, Unit)
        return read_job(
            entry.part.job,
            signatures=context.signatures,
            known=entry.unit.known,
            protocol=context.protocol,
            views=context.views,
            alpha=context.alpha,
            bitstreams=entry.unit.bitstreams,
            lacking=self._extraction.lacking,
            files=entry.part.files,
        )

    def reference(self, entry: _Entry, picture: Picture | IqbenchError) -> ScoredPart:
        """Extract the features of an image of the reference set."""
        assert isinstance(entry.part, SetImage)
        found: FoundFeatures = {}
        read = self._extraction.of_reference(entry.part, picture, found)
        return ScoredPart(entry.unit.key, references=(read,), features=found)

    def start(self, works: list[Work]) -> _Started:
        """Set a batch going."""
        columns = works[0].columns
        if works[0].reference is None:
            columns &= self._context.signatures.alone
        scorer = self._scorer(columns)
        batch = batch_of(works)
        budget = self._compute.memory
        whole = tuple(whole_images(scorer.whole_columns, batch.references[0], budget))
        try:
            return _Started(works, scorer.start(batch), whole)
        except IqbenchError as error:
            return _Started(works, error, whole)
        except MemoryError:
            no_memory = IqbenchError("there is not enough memory to score the image")
            return _Started(works, no_memory, whole)

    def finish(self, started: _Started) -> Iterator[ScoredPart]:
        """Wait for a batch; give its outputs, unit by unit."""
        works, scores, whole = started
        if isinstance(scores, IqbenchError):
            for work in works:
                failed = (replace(one.stripped(), error=str(scores)) for one in work.outputs)
                yield ScoredPart(work.unit, settled=tuple(failed), whole=whole)
            return
        batch = scores.batch
        found = zip(batch.outputs, scores.finish(), batch.owners, strict=True)
        for work in works:
            features: FoundFeatures = {}
            scored = []
            for output, (picture, outcomes, owner) in zip(work.outputs, found, strict=False):
                reference = None if output.alone else batch.references[owner]
                scored.append(self._scored(output, reference, picture, outcomes, features))
            yield ScoredPart(work.unit, scored=tuple(scored), features=features, whole=whole)

    def _scored(
        self,
        output: Output,
        reference: Picture | None,
        picture: Picture,
        outcomes: Mapping[str, Outcome],
        features: FoundFeatures,
    ) -> ScoredOutput:
        """Put together what became of an output."""
        without = self._extraction.of_output(output, reference, picture, features)
        return ScoredOutput(
            output.stripped(),
            {**outcomes, **self._count_bits(output, picture), **self._unfit(output)},
            reference is not None and _same_pixels(reference, picture),
            without,
        )

    def _unfit(self, output: Output) -> dict[str, Outcome]:
        """Say why an output without a reference that fits lacks the values that need it."""
        if not output.alone:
            return {}
        signatures = self._context.signatures
        read = signatures.alone | signatures.bitstreams
        needing = signatures.plain.keys() & output.columns - read
        return {
            column: Outcome(None, output.unfit or signatures.why_not_alone(column))
            for column in needing
        }

    def _count_bits(self, output: Output, picture: Picture) -> dict[str, Outcome]:
        """Score an output's bitstream, where some metric reads it."""
        found: dict[str, Outcome] = {}
        for request in self._context.requests:
            name, metric = request.column.name, request.metric
            if metric.needs != "bitstream" or name not in output.columns:
                continue
            if output.bits is not None:
                found[name] = _bitstream_outcome(metric, output.bits.bytes, picture)
            else:
                image = output.image
                folder = self._context.folders[image.method]
                why = f"no bitstream: {folder} has no {FOLDER}/{image.image}.* or {TABLE}"
                found[name] = Outcome(None, output.no_bits or why)
        return found

    def _scorer(self, columns: frozenset[str]) -> Scorer:
        """Return the scorer of some columns, made once."""
        if columns not in self._scorers:
            requests = [item for item in self._context.requests if item.column.name in columns]
            self._scorers[columns] = Scorer(
                requests, self._context.protocol, self._resources, self._compute
            )
        return self._scorers[columns]


def _same_pixels(reference: Picture, output: Picture) -> bool:
    return reference.peak == output.peak and (
        # Most pairs differ in their first row already.
        np.array_equal(reference.pixels[:1], output.pixels[:1])
        and np.array_equal(reference.pixels, output.pixels)
    )


def _bitstream_outcome(metric: Metric, size: int, output: Picture) -> Outcome:
    try:
        with exits_as_errors():
            return Outcome(metric.bitstream_value(size, output.height, output.width))
    except Exception as error:  # a metric's own code, which may be another package's
        return Outcome(None, reason_of(metric, error))
