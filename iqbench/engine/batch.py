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
        Of one height, width and number of channels.
    outputs
        As large as the references after the protocol's crop, with as many channels.
    owners
        For each output the index of its reference.
    """

    references: Sequence[Picture]
    outputs: Sequence[Picture]
    owners: Sequence[int]

    @property
    def pixels(self) -> int:
        """Pixels of all references, or of all outputs if these are more."""
        first = self.references[0]
        return first.height * first.width * max(len(self.references), len(self.outputs))
