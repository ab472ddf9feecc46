"""Write the rows of a run into the tables, and sum up the run for its caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from iqbench.datasets.shard import Shard
from iqbench.engine.grouping import Outcome
from iqbench.engine.plan import Absence, Assignment
from iqbench.engine.reading import Output, PictureFacts
from iqbench.engine.signatures import Signatures
from iqbench.images.peaks import Peaks
from iqbench.images.source import Source
from iqbench.results.schema import UNDEFINED, ImageRow, ScoreRow, removed
from iqbench.results.store import Current, ImageState, Writer

__all__ = ["Failure", "Ledger", "Summary", "reasons"]

_BESIDE = ("mos", "mos_std", "mos_direction", "distortion", "bitstream_digest")
"""Columns of an image that may change although its files are the same."""


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
        Outputs that could not be scored, or that have no value of any column; they are in the
        tables with their error.
    undefined
        Values that do not exist, of outputs that have others: by dataset and column, each with
        its output and the reason.
    sets
        Values of whole sets that could not be computed: by dataset, method and column, why.
    warnings
        What else the user should know.
    done, failed
        By dataset and method, how many outputs were scored or were in the tables already, and how
        many could not be scored.
    """

    scored: int = 0
    current: int = 0
    failures: list[Failure] = field(default_factory=list)
    undefined: dict[tuple[str, str], list[Failure]] = field(default_factory=dict)
    sets: dict[tuple[str, str, str], str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def remarks(self) -> list[str]:
        """Return one sentence for each column that lacks values, and each set without one."""
        of_images = [
            f"{dataset} / {column}: {_outputs(lacking)} without a value, first "
            f"{lacking[0].method} / {lacking[0].image}: {lacking[0].error}"
            for (dataset, column), lacking in self.undefined.items()
        ]
        return [*of_images, *(f"{' / '.join(key)}: {why}" for key, why in self.sets.items())]

    def put_in_order(
        self, dataset: str, outputs: Iterable[tuple[str, str]], columns: Iterable[str], since: int
    ) -> None:
        """Sort what was found while a dataset was scored: results come in any order.

        Parameters
        ----------
        dataset
            Its name.
        outputs
            Method and image of each, in their order.
        columns
            In their order.
        since
            How many failures there were before.
        """
        found = self.failures[since:]
        of_columns = {column: self.undefined.pop((dataset, column), []) for column in columns}
        all_found = [found, *of_columns.values()]
        wanted = {(one.method, one.image) for some in all_found for one in some}
        if not wanted:
            return
        places = {key: place for place, key in enumerate(outputs) if key in wanted}
        for some in all_found:
            some.sort(key=lambda one: places.get((one.method, one.image), -1))
        self.failures[since:] = found
        self.undefined |= {(dataset, column): some for column, some in of_columns.items() if some}

    @property
    def messages(self) -> list[str]:
        """Return all that a caller should know, one sentence a warning or a kind of failure."""
        groups: dict[tuple[str, str], list[Failure]] = {}
        for failure in self.failures:
            groups.setdefault((failure.dataset, failure.method), []).append(failure)
        failed = [
            f"{dataset} / {method}: {_outputs(failures)} not scored, first "
            f"{failures[0].image}: {failures[0].error}"
            for (dataset, method), failures in groups.items()
        ]
        return [*self.warnings, *failed, *self.remarks]


def reasons(errors: Mapping[str, str]) -> str:
    """Say why columns have no value: each reason once, after the columns that it concerns."""
    columns: dict[str, list[str]] = {}
    for column, error in errors.items():
        columns.setdefault(error, []).append(column)
    return "; ".join(f"{', '.join(names)}: {error}" for error, names in columns.items())


def _outputs(failures: Sequence[Failure]) -> str:
    return "1 output" if len(failures) == 1 else f"{len(failures)} outputs"


@dataclass(frozen=True)
class Ledger:
    """Enters the rows of one dataset, and counts them.

    Attributes
    ----------
    dataset
        Its name.
    protocol
        Spec of the protocol by which it is scored.
    signatures
        Of every column of the run.
    writer
        Takes the rows.
    summary
        Takes the counts.
    current
        By method what the tables had when the run began.
    """

    dataset: str
    protocol: str
    signatures: Signatures
    writer: Writer
    summary: Summary
    current: Mapping[str, Current]

    def announce(
        self,
        method: str,
        assignment: Assignment,
        unchanged: Mapping[str, Source],
        in_shard: Callable[[str], bool],
    ) -> None:
        """Enter what a method lacks, what is to come, and what the dataset no longer has.

        A run that is killed then shows as incomplete, not as a complete run of fewer images; so
        does a shard. What a method lacks or the dataset no longer has is entered by one shard.
        Scores stay where the file that they were computed from is still there, under another name
        than this run looks for.

        Parameters
        ----------
        method
            Whose images.
        assignment
            What it has, and what it lacks.
        unchanged
            Files of missing outputs that were scored under other names.
        in_shard
            Tells which images this run enters, of those in the assignment or the tables.
        """
        known = self.current[method]
        for image in sorted(known.images.keys() - set(assignment.images)):
            if in_shard(image):
                why = "the dataset no longer has this image"
                self.writer.add_image(removed(self.dataset, method, image, why))
        for image in assignment.images:
            if not in_shard(image):
                if image not in known.images:
                    self.writer.announce(self.dataset, method, image)
            elif image in unchanged:
                self._stay(method, image, assignment.problems[image], unchanged[image])
            elif image in assignment.problems:
                self.miss(method, image, assignment.problems[image])
            elif image not in known.images:
                self.writer.announce(self.dataset, method, image)

    def _stay(self, method: str, image: str, why: str, file: Source) -> None:
        """Tell that an output was not found, and that its scores are those of a file there is."""
        error = f"{why}. Its scores stay in the tables: they are of {file.name}, which is unchanged"
        self.summary.failures.append(Failure(self.dataset, method, image, error))

    def remove(self, method: str, images: Iterable[str]) -> None:
        """Enter that a dataset of this name, which was replaced, had other images."""
        for image in images:
            why = "the dataset was replaced by another of its name"
            self.writer.add_image(removed(self.dataset, method, image, why))

    def withdraw(
        self,
        absence: Absence,
        known: Current,
        unchanged: Mapping[str, Source],
        shard: Shard,
    ) -> None:
        """Enter as missing what the tables have of a method that has nothing left.

        Without this, outputs that vanish one and all would leave their scores behind. Scores of
        files that are still there, in another folder than this run looks in, stay. Each shard
        enters its own images.
        """
        for image in known.images:
            if not shard.has(absence.dataset, image):
                continue
            why = f"missing output: {absence.why}"
            if image in unchanged:
                self._stay(absence.method, image, why, unchanged[image])
            else:
                self.miss(absence.method, image, why)

    def score(self, output: Output, outcomes: Mapping[str, Outcome]) -> None:
        """Enter the rows of an output that was scored: the image first, then its values."""
        facts = output.facts
        assert facts is not None
        row = self._row(output, facts)
        self._add(row, outcomes, output.peaks)
        errors = {column: outcome.error for column, outcome in outcomes.items() if outcome.error}
        known = self._known_errors(output, self.signatures.plain.keys() - outcomes.keys())
        self.summary.scored += self._succeeds(row, errors | known)

    def note(self, output: Output, error: str) -> None:
        """Count as failed an output that lacks a value of a set."""
        image = output.image
        self.summary.failures.append(Failure(self.dataset, image.method, image.image, error))

    def keep(self, output: Output) -> None:
        """Count an output whose scores are known; what else is known of it may have changed."""
        known = self.current[output.image.method].images[output.image.image]
        row = self._row(output, known)
        if any(getattr(row, name) != getattr(known, name) for name in _BESIDE):
            self.writer.add_image(row)
        signatures = self.signatures.of(output.peaks)
        self.writer.rely(row, signatures)
        errors = self._known_errors(output, self.signatures.plain.keys())
        self.summary.current += self._succeeds(row, errors)

    def _known_errors(self, output: Output, columns: Collection[str]) -> dict[str, str]:
        """Return what the tables say of values that do not exist."""
        undefined = self.current[output.image.method].undefined
        signatures = self.signatures.of(output.peaks)
        found = {
            column: undefined.get((output.image.image, column, signatures[column]))
            for column in columns
        }
        return {column: error for column, error in found.items() if error is not None}

    def _succeeds(self, row: ImageRow, errors: Mapping[str, str]) -> bool:
        """Tell whether an output counts as scored, and enter what it lacks.

        A value that does not exist is not a failure where the output has others; a value that a
        metric could not give is one, and so is an output without any value.
        """
        missing = {column: error for column, error in errors.items() if error.startswith(UNDEFINED)}
        failed = {column: error for column, error in errors.items() if column not in missing}
        if len(errors) == len(self.signatures.plain):
            failed, missing = dict(errors), {}
        for column, error in missing.items():
            lacking = self.summary.undefined.setdefault((self.dataset, column), [])
            lacking.append(Failure(self.dataset, row.method, row.image, error))
        if failed:
            ordered = {name: failed[name] for name in self.signatures.plain if name in failed}
            error = reasons(ordered | failed)
            self.summary.failures.append(Failure(self.dataset, row.method, row.image, error))
        counts = self.summary.failed if failed else self.summary.done
        counts[self.dataset, row.method] += 1
        return not failed

    def miss(self, method: str, image: str, error: str) -> None:
        """Enter an output that is not there: nothing is skipped in silence."""
        self._fail(ImageRow(self.dataset, method, image), error, self.signatures.plain)

    def fail(self, output: Output, error: str) -> None:
        """Enter an output that could not be scored."""
        # Values that are known of the very same files stay.
        columns = output.columns or self.signatures.plain
        self.summary.failed[self.dataset, output.image.method] += 1
        self._fail(self._row(output), error, columns, output.peaks)

    def _fail(
        self, row: ImageRow, error: str, columns: Collection[str], peaks: Peaks | None = None
    ) -> None:
        # Tables hold Unicode; the bytes of a folder's name may be none.
        error = error.encode("utf-8", "backslashreplace").decode()
        outcomes = {name: Outcome(None, error) for name in self.signatures.plain if name in columns}
        self._add(replace(row, error=error), outcomes, peaks)
        self.summary.failures.append(Failure(self.dataset, row.method, row.image, error))

    def _row(self, output: Output, size: PictureFacts | ImageState | None = None) -> ImageRow:
        """Say of an image what is known, and the size of its pixels where it was decoded."""
        image = output.image
        return ImageRow(
            self.dataset,
            image.method,
            image.image,
            reference_digest=output.reference_digest,
            output_digest=output.digest,
            height=size.height if size else None,
            width=size.width if size else None,
            channels=size.channels if size else None,
            bit_depth=size.bit_depth if size else None,
            bytes=output.bytes,
            bitstream_digest=output.bits.digest if output.bits else None,
            mos=image.opinion.mos if image.opinion else None,
            mos_std=image.opinion.std if image.opinion else None,
            mos_direction=image.opinion.direction if image.opinion else None,
            distortion=image.distortion,
        )

    def _add(self, row: ImageRow, outcomes: Mapping[str, Outcome], peaks: Peaks | None) -> None:
        signatures, spelt = self.signatures, self.signatures.of(peaks)
        self.writer.add_image(row)
        self.writer.add_scores(
            ScoreRow(
                dataset=self.dataset,
                method=row.method,
                image=row.image,
                metric=column,
                value=outcome.value,
                error=outcome.error,
                signature=spelt[column],
                protocol=self.protocol,
                pair=signatures.mark(
                    column, row.reference_digest, row.output_digest, row.bitstream
                ),
            )
            for column, outcome in outcomes.items()
        )
