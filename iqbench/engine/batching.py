"""Join references of the same size into batches if that is faster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch

from iqbench.engine.bands import PIXELS_AT_ONCE
from iqbench.engine.batch import Batch
from iqbench.engine.reading import Output, ReadJob
from iqbench.images.picture import Picture
from iqbench.protocols.gray import kind_of_pair

__all__ = ["BATCH_PIXELS", "Joiner", "UnitKey", "Work", "batch_of"]

BATCH_PIXELS = {"cuda": PIXELS_AT_ONCE["cuda"]}
"""Pixels of a batch by the kind of device; elsewhere joining gains nothing (measured on CPUs)."""

UnitKey: TypeAlias = tuple[str, int]
"""Dataset and number: which unit of work."""


@dataclass(frozen=True)
class Work:
    """A reference and those of its outputs that miss the same columns, all gray or all colour.

    Attributes
    ----------
    unit
        Which unit they are of.
    reference
        Decoded; None where the outputs are read alone.
    outputs
        Decoded, of all methods.
    """

    unit: UnitKey
    reference: Picture | None
    outputs: tuple[Output, ...]

    @classmethod
    def of(cls, unit: UnitKey, job: ReadJob, outputs: Iterable[Output]) -> Work:
        """Take outputs of a job that share peaks, and its reference, which was decoded for them."""
        taken = tuple(outputs)
        peaks = taken[0].peaks
        if taken[0].alone:
            return cls(unit, None, taken)
        assert job.reference is not None
        assert peaks is not None
        return cls(unit, replace(job.reference, peak=peaks.reference), taken)

    @classmethod
    def parts(cls, unit: UnitKey, job: ReadJob, outputs: Iterable[Output]) -> list[Work]:
        """Sort outputs of a job by the columns that they miss: as a rule, all miss the same."""
        together: dict[object, list[Output]] = {}
        for output in outputs:
            kind = cls.of(unit, job, [output]).kind
            together.setdefault((kind, output.peaks), []).append(output)
        return [cls.of(unit, job, some) for some in together.values()]

    @property
    def columns(self) -> frozenset[str]:
        """The columns to compute."""
        return self.outputs[0].columns

    @property
    def pixels(self) -> int:
        """Pixels of all images together."""
        first = self.reference or self.outputs[0].picture
        assert first is not None
        return first.height * first.width * (1 + len(self.outputs))

    @property
    def kind(self) -> tuple[object, ...]:
        """What must be equal for outputs, and for references, to be scored in one batch."""
        output = self.outputs[0].picture
        assert output is not None
        reference = self.reference or output
        sizes = reference.height, reference.width, output.height, output.width
        pair = kind_of_pair(reference, output)
        return self.unit[0], *sizes, pair, self.columns, self.reference is None


class Joiner:
    """Joins neighbours of one kind, up to as many pixels as suit the device.

    Parameters
    ----------
    device
        Where they are scored.
    """

    def __init__(self, device: torch.device) -> None:
        self._limit = BATCH_PIXELS.get(device.type, 0)
        self._works: list[Work] = []

    def add(self, work: Work) -> list[Work]:
        """Take the next one; return those before it if they are a whole batch, else nothing."""
        pixels = sum(one.pixels for one in self._works) + work.pixels
        fits = self._works and work.kind == self._works[0].kind and pixels <= self._limit
        complete = [] if fits else self.rest()
        self._works.append(work)
        return complete

    def rest(self) -> list[Work]:
        """Return what waits for more."""
        rest, self._works = self._works, []
        return rest


def batch_of(works: Sequence[Work]) -> Batch:
    """Make what the scorer takes: outputs in the order of their references."""
    outputs = [output for work in works for output in work.outputs]
    pictures = [output.picture for output in outputs if output.picture is not None]
    assert len(pictures) == len(outputs)
    if works[0].reference is None:
        return Batch.alone(pictures)
    owners = [owner for owner, work in enumerate(works) for _ in work.outputs]
    references = [work.reference for work in works if work.reference is not None]
    own_peaks = [output.peaks.own for output in outputs if output.peaks is not None]
    return Batch(references, pictures, owners, own_peaks)
