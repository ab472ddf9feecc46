"""What a run enters into the tables, and what it tells about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iqbench.datasets.matching import Matches
from iqbench.engine.grouping import Outcome
from iqbench.engine.reading import Output
from iqbench.images.picture import Picture
from iqbench.results.schema import UNDEFINED, ImageRow, ScoreRow, placeholder, removed
from iqbench.results.store import Current, Writer

__all__ = ["Failure", "Ledger", "Summary"]


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
    signatures: Mapping[str, str]
    writer: Writer
    summary: Summary

    def announce(
        self, method: str, images: Mapping[str, None], matches: Matches, known: Current
    ) -> None:
        """Enter what a method lacks, what is to come, and what the dataset no longer has.

        A run that is killed then shows as incomplete, not as a complete run of fewer images.
        """
        for image in sorted(known.images.keys() - images.keys()):
            why = "the dataset no longer has this image"
            self.writer.add_image(removed(self.dataset, method, image, why))
        for image in images:
            if image in matches.problems:
                self.fail(method, image, matches.problems[image])
            elif image not in known.images:
                self.writer.add_image(placeholder(self.dataset, method, image))

    def score(
        self, image: str, output: Output, picture: Picture, outcomes: Mapping[str, Outcome]
    ) -> None:
        """Enter the rows of an output that was scored: the image first, then its values."""
        row = ImageRow(
            self.dataset,
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
        self._add(row, outcomes)
        # A value that does not exist is no failure; one that a metric could not give is.
        failed = [
            f"{column}: {outcome.error}"
            for column, outcome in outcomes.items()
            if outcome.error and not outcome.error.startswith(UNDEFINED)
        ]
        if failed:
            failure = Failure(self.dataset, output.method, image, "; ".join(failed))
            self.summary.failures.append(failure)
        else:
            self.summary.scored += 1

    def fail(self, method: str, image: str, error: str, output: Output | None = None) -> None:
        """Enter an output that could not be scored: nothing is skipped in silence."""
        # Tables hold Unicode; the bytes of a folder's name may be none.
        error = error.encode("utf-8", "backslashreplace").decode()
        row = ImageRow(
            self.dataset,
            method,
            image,
            reference_digest=output.reference_digest if output else None,
            output_digest=output.digest if output else None,
            bytes=output.bytes if output else None,
            error=error,
        )
        # Values that are known of the very same files stay.
        columns = output.columns if output and output.columns else self.signatures.keys()
        self._add(row, {name: Outcome(None, error) for name in self.signatures if name in columns})
        self.summary.failures.append(Failure(self.dataset, method, image, error))

    def _add(self, row: ImageRow, outcomes: Mapping[str, Outcome]) -> None:
        self.writer.add_image(row)
        self.writer.add_scores(
            ScoreRow(
                dataset=self.dataset,
                method=row.method,
                image=row.image,
                metric=column,
                value=outcome.value,
                error=outcome.error,
                signature=self.signatures[column],
                protocol=self.protocol,
                pair=row.pair,
            )
            for column, outcome in outcomes.items()
        )
