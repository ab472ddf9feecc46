"""Files that should differ and are the same: found by their digests, told as warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from iqbench.datasets.files import some
from iqbench.engine.reading import Output

__all__ = ["Copies"]


class Copies:
    """Counts outputs that are the reference itself, and outputs of one reference that are equal.

    A method has one output a reference; a dataset that people judged has many, and the same file
    twice with two opinions is a file that was copied over another.
    """

    def __init__(self) -> None:
        self._references: Counter[str] = Counter()
        self._twins: dict[str, list[str]] = {}

    def see(self, outputs: Iterable[Output]) -> None:
        """Compare the outputs of one reference; those that could not be read have no digest."""
        first: dict[tuple[str, str], str] = {}
        for output in outputs:
            if output.digest is None:
                continue
            method, image = output.image.method, output.image.image
            if output.digest == output.reference_digest:
                self._references[method] += 1
            other = first.setdefault((method, output.digest), image)
            if other != image:
                self._twins.setdefault(method, []).append(f"{image} is {other}")

    def warnings(self, dataset: str) -> Iterator[str]:
        """Say what was found, a sentence a method."""
        for method, count in self._references.items():
            yield (
                f"method {method!r}: {count} of its files for {dataset!r} are byte for byte the "
                "references themselves"
            )
        for method, twins in self._twins.items():
            yield (
                f"method {method!r}: {len(twins)} of its files for {dataset!r} are byte for byte "
                f"another of the same reference: {some(twins)}"
            )
