"""Check values that were copied from another results folder: score a few of them again.

Digests say to which files a value belongs, but not whether it is right. Values of this folder's own
runs are accepted; copied values are checked first. If one of them is wrong, all values of the
method are scored again, and the differences are reported.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter

from iqbench.columns import gap_of_values
from iqbench.engine.computed import ComputedSource
from iqbench.engine.grouping import Outcome
from iqbench.engine.reading import Job, Output
from iqbench.engine.signatures import Signatures
from iqbench.metrics._registry import Request
from iqbench.results.schema import Origin
from iqbench.results.store import Identity

__all__ = ["ForeignScores", "choose_jobs", "is_foreign", "moved_as_a_whole"]

TRIED = 2
"""Outputs of each method that are scored again."""


def is_foreign(then: Origin, now: Origin) -> bool:
    """Say whether values come from another results folder or from an unknown one."""
    return not then or then.results != now.results


def moved_as_a_whole(then: Origin, now: Origin) -> bool:
    """Tell whether outputs and results lie to each other as they did: a project that was moved."""
    with suppress(ValueError):  # on Windows, of two drives
        places = [os.path.relpath(one.outputs, one.results) for one in (then, now) if one.results]
        return len(places) == 2 and places[0] == places[1]
    return False


def choose_jobs(jobs: Iterable[Job], methods: Mapping[str, ForeignScores]) -> Iterator[Job]:
    """Choose by chance some outputs of each method that have stored values.

    Parameters
    ----------
    jobs
        All of the dataset.
    methods
        By name, those whose values are to be tried.
    """
    chosen: dict[str, list[Job]] = {}
    seen: Counter[str] = Counter()
    chance = random.SystemRandom()  # nobody can know which
    for job in jobs if methods else ():
        for one in job.outputs:
            if (
                one.method in methods
                and one.image in methods[one.method].images
                and not isinstance(one.source, ComputedSource)
            ):
                # Of all outputs so far, each is chosen with the same probability.
                seen[one.method] += 1
                place = chance.randrange(seen[one.method])
                found = chosen.setdefault(one.method, [])
                if len(found) < TRIED:
                    found.append(Job(job.reference, (one,)))
                elif place < TRIED:
                    found[place] = Job(job.reference, (one,))
    for found in chosen.values():
        yield from found


@dataclass
class ForeignScores:
    """The stored values of one method on one dataset, and what differs from them.

    Attributes
    ----------
    dataset, method
        Whose.
    origin
        Where they were computed.
    values
        The stored ones, with the names of the files that they claim to be of.
    requests
        The columns of the run.
    compared
        How many values were compared.
    differing
        Gap, column, image, stored and computed value of those that differ.
    """

    dataset: str
    method: str
    origin: Origin
    values: Mapping[Identity, tuple[float | None, str | None]]
    requests: Sequence[Request]
    compared: int = 0
    differing: list[tuple[float, str, str, float | None, float | None]] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        self.images = {image for image, _, _ in self.values}
        self._columns = {one.column.name: one.column for one in self.requests}

    def forget(self) -> None:
        """Begin again to compare."""
        self.compared = 0
        self.differing.clear()

    def compare(
        self, output: Output, outcomes: Mapping[str, Outcome], signatures: Signatures
    ) -> None:
        """Compare what was computed of an output with what is stored of the same files."""
        texts = signatures.of(output.peaks)
        image = output.image.image
        for column, outcome in outcomes.items():
            known = self.values.get((image, column, texts[column]))
            mark = signatures.mark(column, output.reference_digest, output.digest, output.bitstream)
            if known is None or known[1] != mark:
                continue
            self.compared += 1
            info = self._columns[column]
            gap = gap_of_values(known[0], outcome.value, info.tolerance, info.decimals)
            if gap > 1:
                self.differing.append((gap, column, image, known[0], outcome.value))

    @property
    def sentence(self) -> str:
        """Say what was found."""
        where = f"another results folder, {self.origin.results}" if self.origin else "another place"
        whose = f"{self.dataset} / {self.method}"
        if not self.differing:
            return (
                f"{whose}: the stored values were computed in {where}. {self.compared} of "
                f"{len(self.values)} were computed again and are equal; the others are taken as "
                "they are. Compare all of them with iqbench results verify --rescore"
            )
        _, column, image, stored, computed = max(self.differing, key=itemgetter(0))
        return (
            f"{whose}: {len(self.differing)} of {self.compared} stored values differ from those "
            f"computed from the files; the largest difference is {column} of {image}: stored "
            f"{_text(stored)}, computed {_text(computed)}. They came from {where}; the values "
            "computed now replace them"
        )


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
