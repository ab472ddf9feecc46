"""A batch: references of the same size and their outputs, which are scored together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from iqbench.images.picture import Picture

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """References of one size and their outputs.

    Attributes
    ----------
    references
        Of one height and width.
    outputs
        Of one height and width, which are those of the references after the protocol's crop. All
        pairs are of one kind, see `iqbench.protocols.gray.kind_of_pair`.
    owners
        For each output the index of its reference.
    own_peaks
        Which sample value of each output is white for what reads it without its reference; by
        default as in the pair.
    """

    references: Sequence[Picture]
    outputs: Sequence[Picture]
    owners: Sequence[int]
    own_peaks: Sequence[int] = ()

    @classmethod
    def alone(cls, outputs: Sequence[Picture]) -> Batch:
        """Make a batch of outputs that have no references: each stands in the place of its own."""
        return cls(outputs, outputs, range(len(outputs)))

    def without_references(self) -> Batch:
        """Return the outputs alone, as they are seen without their references."""
        own_peaks = self.own_peaks or [output.peak for output in self.outputs]
        return Batch.alone(
            [
                output if output.peak == peak else replace(output, peak=peak)
                for output, peak in zip(self.outputs, own_peaks, strict=True)
            ]
        )

    def part(self, places: slice) -> Batch:
        """Return some neighbouring outputs and their references."""
        owners = self.owners[places]
        if len(owners) == len(self.owners):
            return self
        mine = sorted(set(owners))
        references = [self.references[owner] for owner in mine]
        return Batch(
            references,
            self.outputs[places],
            [mine.index(owner) for owner in owners],
            self.own_peaks[places],
        )

    @property
    def pixels(self) -> int:
        """Pixels of all references, or of all outputs if these are more."""
        first = self.references[0]
        return first.height * first.width * max(len(self.references), len(self.outputs))
