"""Units of work: some images of a dataset and their outputs, as data for any process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TypeAlias

from iqbench.datasets.matching.bitstreams import Bitstream
from iqbench.datasets.sample import OutputImage
from iqbench.datasets.storage.digest_store import KnownFile, identity_of
from iqbench.datasets.storage.stored_file import StoredFile
from iqbench.engine.batching import UnitKey
from iqbench.engine.known_files import KnownFiles
from iqbench.engine.reading import Job, KnownMarks, job_cost
from iqbench.engine.reference_sets import SetImage, image_cost
from iqbench.loader import work_ahead
from iqbench.results.store import Current

__all__ = [
    "MOST_OUTPUTS",
    "ItemPart",
    "ReferenceUnit",
    "Unit",
    "WorkUnit",
    "units_of_jobs",
    "units_of_set",
]

MOST_OUTPUTS = 64
"""An item with more outputs is split, and its reference is decoded again for each part."""

MOST_BYTES = 64 << 20
"""What reading a unit may take, unless a single item takes more."""

_HEADERS_AT_ONCE = 16
"""Headers of references that are read at a time where they lie in a storage."""

_LOOKED_UP_AT_ONCE = 128
"""Items whose files are looked up at a time in what is known of files."""


@dataclass(frozen=True)
class ItemPart:
    """An item with its outputs, or with some of them.

    Attributes
    ----------
    number
        Of the item in its dataset.
    job
        The reference and the outputs.
    cost
        Bytes that reading them takes.
    start
        Number of the first of these outputs, where the item has others in other units; else None.
    files
        What is known of files without reading them, by their identities.
    """

    number: int
    job: Job
    cost: int
    start: int | None = None
    files: Mapping[str, KnownFile] = field(default_factory=dict)

    def single(self, number: int) -> ItemPart:
        """Return the item with one of these outputs."""
        job = replace(self.job, outputs=(self.job.outputs[number],))
        return replace(self, job=job, start=(self.start or 0) + number)


@dataclass(frozen=True)
class Unit:
    """Consecutive items of one dataset, each with all its outputs.

    Attributes
    ----------
    key
        Dataset and number.
    items
        What is to be scored.
    known
        What the tables have of the outputs.
    bitstreams
        Of the outputs, by method and image.
    """

    key: UnitKey
    items: tuple[ItemPart, ...]
    known: KnownMarks
    bitstreams: Mapping[str, Mapping[str, Bitstream]]

    @property
    def outputs(self) -> list[OutputImage]:
        """All outputs."""
        return [output for item in self.items for output in item.job.outputs]

    @property
    def size(self) -> int:
        """How many outputs there are."""
        return sum(len(item.job.outputs) for item in self.items)

    def singles(self) -> list[Unit]:
        """Return a unit for each output; `key` says from which unit it is."""
        return [
            replace(self, items=(item.single(number),))
            for item in self.items
            for number in range(len(item.job.outputs))
        ]


@dataclass(frozen=True)
class ReferenceUnit:
    """Some images of a reference set, whose features are missing.

    Attributes
    ----------
    key
        Dataset and number.
    images
        The images.
    """

    key: UnitKey
    images: tuple[SetImage, ...]

    @property
    def size(self) -> int:
        """How many images there are."""
        return len(self.images)

    def singles(self) -> list[ReferenceUnit]:
        """Return a unit for each image."""
        return [replace(self, images=(image,)) for image in self.images]


WorkUnit: TypeAlias = Unit | ReferenceUnit


def units_of_jobs(
    dataset: str,
    jobs: Iterable[Job],
    *,
    known: Mapping[str, Current],
    bitstreams: Mapping[str, Mapping[str, Bitstream]],
    known_files: KnownFiles | None = None,
    most_outputs: int = MOST_OUTPUTS,
) -> Iterator[Unit]:
    """Cut a dataset into units; the headers of references are read as units are asked for.

    Parameters
    ----------
    dataset
        Its name.
    jobs
        Its items.
    known
        By method what the tables have; nothing where everything is to be computed again.
    bitstreams
        By method and image.
    known_files
        Files that need not be read to be compared with what the tables have.
    most_outputs
        Of a unit, unless a single item has more; never more than `MOST_OUTPUTS`.
    """

    def unit(number: int, items: Sequence[ItemPart]) -> Unit:
        outputs = [output for item in items for output in item.job.outputs]
        return Unit(
            (dataset, number),
            tuple(items),
            {
                (one.method, one.image): marks
                for one in outputs
                if one.method in known and (marks := known[one.method].marks.get(one.image))
            },
            {
                method: {
                    one.image: found[one.image]
                    for one in outputs
                    if one.method == method and one.image in found
                }
                for method, found in bitstreams.items()
            },
        )

    def in_tables(output: OutputImage) -> bool:
        before = known[output.method].images.get(output.image) if output.method in known else None
        return before is not None and before.output_digest is not None

    def identities(part: ItemPart) -> set[str]:
        """Name the files that the tables have something of: others are read anyway."""
        reference = identity_of(part.job.reference)
        found: set[str | None] = set()
        for one in part.job.outputs:
            bitstream = bitstreams.get(one.method, {}).get(one.image)
            own = identity_of(one.source), bitstream.identity if bitstream else None
            if (reference or any(own)) and in_tables(one):
                found.update((reference, *own))
        return {name for name in found if name is not None}

    def look(parts: Sequence[ItemPart]) -> Iterator[ItemPart]:
        """Add what is known of files."""
        names = [identities(part) for part in parts]
        found = known_files.of(set().union(*names)) if known_files is not None else {}
        for part, mine in zip(parts, names, strict=True):
            files = {name: found[name] for name in mine & found.keys()}
            yield replace(part, files=files) if files else part

    number, waiting = 0, list[ItemPart]()
    outputs = cost = 0
    for part in _parts(jobs, look):
        outputs += len(part.job.outputs)
        cost += part.cost
        if waiting and (outputs > min(most_outputs, MOST_OUTPUTS) or cost > MOST_BYTES):
            yield unit(number, waiting)
            number, waiting = number + 1, []
            outputs, cost = len(part.job.outputs), part.cost
        waiting.append(part)
    if waiting:
        yield unit(number, waiting)


def _parts(
    jobs: Iterable[Job], look: Callable[[Sequence[ItemPart]], Iterable[ItemPart]]
) -> Iterator[ItemPart]:
    """Read what each item costs; of a storage, many at a time, since a server may be far."""
    items = iter(jobs)
    for first in items:
        source = first.reference or first.outputs[0].source
        yield from work_ahead(
            _in_windows(_split(chain([first], items)), look),
            lambda part: replace(part, cost=job_cost(part.job, part.files)),
            cost=lambda part: 0,
            workers=_HEADERS_AT_ONCE if isinstance(source, StoredFile) else 0,
            budget=0,
        )


def _in_windows(
    parts: Iterator[ItemPart], look: Callable[[Sequence[ItemPart]], Iterable[ItemPart]]
) -> Iterator[ItemPart]:
    while window := list(islice(parts, _LOOKED_UP_AT_ONCE)):
        yield from look(window)


def _split(jobs: Iterable[Job]) -> Iterator[ItemPart]:
    """Split items that have too many outputs for one unit; their cost is not known yet."""
    for number, job in enumerate(jobs):
        if len(job.outputs) <= MOST_OUTPUTS:
            yield ItemPart(number, job, 0)
            continue
        for start in range(0, len(job.outputs), MOST_OUTPUTS):
            some = replace(job, outputs=job.outputs[start : start + MOST_OUTPUTS])
            yield ItemPart(number, some, 0, start)


def units_of_set(
    dataset: str, images: Iterable[SetImage], *, most_images: int = MOST_OUTPUTS
) -> Iterator[ReferenceUnit]:
    """Cut images of a reference set into units, bounded as those of items."""
    number, waiting = 0, list[SetImage]()
    cost = 0
    for image in images:
        own = image_cost(image)
        cost += own
        if waiting and (len(waiting) >= min(most_images, MOST_OUTPUTS) or cost > MOST_BYTES):
            yield ReferenceUnit((dataset, number), tuple(waiting))
            number, waiting = number + 1, []
            cost = own
        waiting.append(image)
    if waiting:
        yield ReferenceUnit((dataset, number), tuple(waiting))
