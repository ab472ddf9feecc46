"""Warnings about files that can be scored, but look wrong or are very large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter

from iqbench.datasets.files import some
from iqbench.datasets.sample import OutputImage
from iqbench.engine.reading import Output
from iqbench.images.picture import Picture
from iqbench.metrics._registry import Request

__all__ = ["FileWarnings", "WholeImage", "whole_images"]

_BYTES_A_VALUE = 160
"""What a metric of whole images takes for each pixel and channel: some twenty float64 maps."""


@dataclass(frozen=True)
class WholeImage:
    """What a column that is not streamed may have taken for an image.

    Attributes
    ----------
    column
        Its name.
    image, size
        The reference: its name, and the same with its size in pixels.
    taken
        Bytes.
    measured
        Whether the metric was measured; else `taken` is an estimate.
    too_much
        Whether that is more than the budget.
    """

    column: str
    image: str
    size: str
    taken: int
    measured: bool
    too_much: bool


def whole_images(
    columns: Iterable[Request], reference: Picture, budget: int
) -> Iterator[WholeImage]:
    """Compare what columns that take whole images may need with the budget."""
    pixels = reference.height * reference.width
    size = f"{reference.name}, {reference.width}x{reference.height}"
    for request in columns:
        measured = request.metric.bytes_a_pixel()
        taken = pixels * (measured or _BYTES_A_VALUE * reference.channels)
        name = request.column.name
        yield WholeImage(
            name, reference.name, size, taken, measured is not None, too_much=taken > budget
        )


class FileWarnings:
    """Finds outputs that are copies, and references that are not the published files.

    An output whose pixels are those of its reference is a copy, whatever the bytes of its file.

    A method has one output per reference; a dataset that people judged has many, and the same file
    twice with two opinions is a file that was copied over another.

    Parameters
    ----------
    published
        Image to the digest of its reference, where it is known.
    """

    def __init__(self, published: Mapping[str, str]) -> None:
        self._published = published
        self._changed: set[str] = set()
        self._read: Counter[str] = Counter()
        self._equal: dict[str, set[str]] = {}
        self._twins: dict[str, list[str]] = {}
        self._large: dict[str, str] = {}
        self._taken: dict[str, tuple[int, str]] = {}
        self._composited: dict[str, list[str]] = {}
        self._remarks: dict[str, dict[str, None]] = {}
        self._parts: dict[int, dict[int, list[tuple[str, str, str]]]] = {}
        self._peaks: Counter[str] = Counter()

    def see_whole(self, images: Iterable[WholeImage]) -> None:
        """Note what columns took that are not streamed."""
        for one in images:
            if one.measured and one.taken > self._taken.get(one.column, (0, ""))[0]:
                self._taken[one.column] = one.taken, one.size
            if one.too_much:
                self._large[one.column] = min(self._large.get(one.column, one.image), one.image)

    def see(self, item: int, outputs: Iterable[Output], start: int | None = None) -> None:
        """Compare the outputs of one reference; those that could not be read have no digest.

        Parameters
        ----------
        item
            Number of the reference.
        outputs
            Without their pixels.
        start
            Number of the first of them, where the reference has others, which are seen at another
            time; else None.
        """
        digests: list[tuple[str, str, str]] = []
        for output in outputs:
            for remark in output.remarks:
                self._remarks.setdefault(remark.text, {})[remark.name] = None
            if output.facts and output.peaks:
                self._peaks[output.peaks.label or "255 or 65535"] += 1
            method, image = output.image.method, output.image.image
            right = self._published.get(image)
            if right is not None and output.reference_digest not in (None, right):
                self._changed.add(image)
            if output.facts is not None and output.facts.composited:
                self._composited.setdefault(method, []).append(image)
            if output.digest is None:
                continue
            self._read[method] += 1
            if output.digest == output.reference_digest:
                self._equal.setdefault(method, set()).add(image)
            digests.append((method, output.digest, image))
        if start is None:
            self._find_twins(digests)
        else:
            self._parts.setdefault(item, {})[start] = digests

    def _find_twins(self, digests: Iterable[tuple[str, str, str]]) -> None:
        """Compare all outputs of one reference: method, digest and image of each."""
        first: dict[tuple[str, str], str] = {}
        for method, digest, image in digests:
            other = first.setdefault((method, digest), image)
            if other != image:
                self._twins.setdefault(method, []).append(f"{image} is {other}")

    def see_copy(self, image: OutputImage) -> None:
        """Note an output whose pixels are those of its reference."""
        self._equal.setdefault(image.method, set()).add(image.image)

    def warnings(self, dataset: str) -> Iterator[str]:
        """Say what was found, in sentences that do not depend on what was seen first."""
        for parts in self._parts.values():
            self._find_twins(one for start in sorted(parts) for one in parts[start])
        self._parts.clear()
        measured = {
            column: item for column, item in self._taken.items() if column not in self._large
        }
        if measured:
            largest = max(name for _, name in measured.values())
            needed = ", ".join(
                f"{column} about {taken / 1e6:.3g} MB" for column, (taken, _) in measured.items()
            )
            yield f"whole images are read, not streamed; for the largest ({largest}): {needed}"
        for column, name in self._large.items():
            yield (
                f"{column} is not streamed: it took whole images of {dataset!r}, {name} among "
                "them, and may have taken more memory than --memory says"
            )
        for text, names in sorted(self._remarks.items(), key=itemgetter(0)):
            yield f"{dataset!r}, {_count(names)} ({some(names)}): {text}"
        if len(self._peaks) > 1:
            peaks = sorted(self._peaks.items())
            counts = ", ".join(f"{count} outputs of {peak}" for peak, count in peaks)
            yield (
                f"{dataset!r} has several sample values of white: {counts}. Their values have "
                "separate columns and are never averaged together; --peak sets one for all"
            )
        if self._changed:
            yield (
                f"{len(self._changed)} references of {dataset!r} are not the published files: "
                f"{some(self._changed)}. See `iqbench datasets verify {dataset}`"
            )
        for method, images in sorted(self._composited.items()):
            yield (
                f"method {method!r}: {len(images)} of its files for {dataset!r} have transparency "
                f"and were put over white: {some(images)}"
            )
        for method, equal in sorted(self._equal.items(), key=itemgetter(0)):
            if len(equal) == self._read[method]:
                yield (
                    f"method {method!r}: every output for {dataset!r} has exactly the pixels of "
                    "its reference. The references were scored against themselves: check the "
                    "method's folder"
                )
            else:
                yield (
                    f"method {method!r}: {len(equal)} of its {self._read[method]} outputs for "
                    f"{dataset!r} have exactly the pixels of their references: {some(equal)}"
                )
        for method, twins in sorted(self._twins.items()):
            yield (
                f"method {method!r}: {len(twins)} of its files for {dataset!r} are byte for byte "
                f"equal to another for the same reference: {some(twins)}"
            )


def _count(files: Collection[str]) -> str:
    return "1 file" if len(files) == 1 else f"{len(files)} files"
