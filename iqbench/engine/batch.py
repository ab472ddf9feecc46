"""What is scored at once: references of one size, and their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        As large as the references after the protocol's crop. All pairs are of one kind, see
        `iqbench.protocols.gray.kind_of_pair`.
    owners
        For each output the index of its reference.
    """

    references: Sequence[Picture]
    outputs: Sequence[Picture]
    owners: Sequence[int]

    def part(self, places: slice) -> Batch:
        """Return some neighbouring outputs and their references."""
        owners = self.owners[places]
        if len(owners) == len(self.owners):
            return self
        mine = sorted(set(owners))
        references = [self.references[owner] for owner in mine]
        return Batch(references, self.outputs[places], [mine.index(owner) for owner in owners])

    @property
    def pixels(self) -> int:
        """Pixels of all references, or of all outputs if these are more."""
        first = self.references[0]
        return first.height * first.width * max(len(self.references), len(self.outputs))
