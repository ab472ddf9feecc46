"""What a run enters into the tables, and what it tells about itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from iqbench.engine.grouping import Outcome
from iqbench.engine.plan import Absence, Assignment
from iqbench.engine.reading import Output
from iqbench.engine.signatures import Signatures
from iqbench.images.peaks import Peaks
from iqbench.images.picture import Picture
from iqbench.results.schema import UNDEFINED, ImageRow, ScoreRow, placeholder, removed
from iqbench.results.store import Current, ImageState, Writer

__all__ = ["Failure", "Ledger", "Summary"]

_SIZE = ("height", "width", "channels", "bit_depth")
_OPINION = ("mos", "mos_std", "mos_direction", "distortion")


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
    """

    dataset: str
    protocol: str
    signatures: Signatures
    writer: Writer
    summary: Summary

    def announce(self, method: str, assignment: Assignment, known: Current) -> None:
        """Enter what a method lacks, what is to come, and what the dataset no longer has.

        A run that is killed then shows as incomplete, not as a complete run of fewer images.
        """
        for image in sorted(known.images.keys() - set(assignment.images)):
            why = "the dataset no longer has this image"
            self.writer.add_image(removed(self.dataset, method, image, why))
        for image in assignment.images:
            if image in assignment.problems:
                self.miss(method, image, assignment.problems[image])
            elif image not in known.images:
                self.writer.add_image(placeholder(self.dataset, method, image))

    def withdraw(self, absence: Absence, known: Current) -> None:
        """Enter as missing what the tables have of a method that has nothing left.

        Without this, outputs that vanish one and all would leave their scores behind.
        """
        for image in known.images:
            self.miss(absence.method, image, f"missing output: {absence.why}")

    def score(self, output: Output, picture: Picture, outcomes: Mapping[str, Outcome]) -> None:
        """Enter the rows of an output that was scored: the image first, then its values."""
        row = replace(
            self._row(output),
            height=picture.height,
            width=picture.width,
            channels=picture.channels,
            bit_depth=picture.bit_depth,
        )
        self._add(row, outcomes, output.peaks)
        # A value that does not exist is no failure; one that a metric could not give is.
        failed = [
            f"{column}: {outcome.error}"
            for column, outcome in outcomes.items()
            if outcome.error and not outcome.error.startswith(UNDEFINED)
        ]
        if failed:
            failure = Failure(self.dataset, row.method, row.image, "; ".join(failed))
            self.summary.failures.append(failure)
        else:
            self.summary.scored += 1

    def keep(self, output: Output, known: ImageState) -> None:
        """Count an output whose scores are known; what people say of it may have changed."""
        row = self._row(output)
        facts = {
            name: getattr(known, name) for name in ("height", "width", "channels", "bit_depth")
        }
        if any(getattr(row, name) != getattr(known, name) for name in _OPINION):
            self.writer.add_image(replace(row, **facts))
        self.summary.current += 1

    def miss(self, method: str, image: str, error: str) -> None:
        """Enter an output that is not there: nothing is skipped in silence."""
        self._fail(ImageRow(self.dataset, method, image), error, self.signatures.plain)

    def fail(self, output: Output, error: str) -> None:
        """Enter an output that could not be scored."""
        # Values that are known of the very same files stay.
        columns = output.columns or self.signatures.plain
        self._fail(self._row(output), error, columns, output.peaks)

    def _fail(
        self, row: ImageRow, error: str, columns: Collection[str], peaks: Peaks | None = None
    ) -> None:
        # Tables hold Unicode; the bytes of a folder's name may be none.
        error = error.encode("utf-8", "backslashreplace").decode()
        outcomes = {name: Outcome(None, error) for name in self.signatures.plain if name in columns}
        self._add(replace(row, error=error), outcomes, peaks)
        self.summary.failures.append(Failure(self.dataset, row.method, row.image, error))

    def _row(self, output: Output) -> ImageRow:
        """Say of an image what is known before it is decoded."""
        image = output.image
        return ImageRow(
            self.dataset,
            image.method,
            image.image,
            reference_digest=output.reference_digest,
            output_digest=output.digest,
            bytes=output.bytes,
            mos=image.opinion.mos if image.opinion else None,
            mos_std=image.opinion.std if image.opinion else None,
            mos_direction=image.opinion.direction if image.opinion else None,
            distortion=image.distortion,
        )

    def _add(self, row: ImageRow, outcomes: Mapping[str, Outcome], peaks: Peaks | None) -> None:
        signatures = self.signatures.of(peaks)
        self.writer.add_image(row)
        self.writer.add_scores(
            ScoreRow(
                dataset=self.dataset,
                method=row.method,
                image=row.image,
                metric=column,
                value=outcome.value,
                error=outcome.error,
                signature=signatures[column],
                protocol=self.protocol,
                pair=row.pair,
            )
            for column, outcome in outcomes.items()
        )
