"""References of one size, joined into batches where that pays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from iqbench.engine.bands import PIXELS_AT_ONCE
from iqbench.engine.batch import Batch
from iqbench.engine.reading import Output, ReadJob
from iqbench.images.picture import Picture
from iqbench.protocols.gray import kind_of_pair

__all__ = ["BATCH_PIXELS", "Work", "batch_of", "join"]

BATCH_PIXELS = {"cuda": PIXELS_AT_ONCE["cuda"]}
"""Pixels of a batch by the kind of device; elsewhere joining gains nothing (measured on CPUs)."""


@dataclass(frozen=True)
class Work:
    """A reference and those of its outputs that miss the same columns, all gray or all colour.

    Attributes
    ----------
    reference
        Decoded; None where the outputs are read alone.
    outputs
        Decoded, of all methods.
    """

    reference: Picture | None
    outputs: tuple[Output, ...]

    @classmethod
    def of(cls, job: ReadJob, outputs: Iterable[Output]) -> Work:
        """Take outputs of a job that share peaks, and its reference, which was decoded for them."""
        taken = tuple(outputs)
        peaks = taken[0].peaks
        if taken[0].alone:
            return cls(None, taken)
        assert job.reference is not None
        assert peaks is not None
        return cls(replace(job.reference, peak=peaks.reference), taken)

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
        return *sizes, kind_of_pair(reference, output), self.columns, self.reference is None


def join(works: Iterable[Work], device: torch.device) -> Iterator[list[Work]]:
    """Join neighbours of one kind, up to as many pixels as suit the device."""
    limit = BATCH_PIXELS.get(device.type, 0)
    joined: list[Work] = []
    for work in works:
        pixels = sum(one.pixels for one in joined) + work.pixels
        if joined and (work.kind != joined[0].kind or pixels > limit):
            yield joined
            joined = []
        joined.append(work)
    if joined:
        yield joined


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
