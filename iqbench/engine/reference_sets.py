"""Reference sets in a run: read and digested once, decoded only where features are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from iqbench.datasets.reference_set import ReferenceSet
from iqbench.engine.compute import Compute
from iqbench.engine.reading import in_sentences
from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.images.peaks import peaks_of_headers, settle_peaks
from iqbench.images.picture import Picture
from iqbench.images.probe import ImageHeader
from iqbench.images.source import Alpha, Source
from iqbench.loader import work_ahead
from iqbench.protocols.presets import Protocol
from iqbench.results.sets import digest_of_set

__all__ = [
    "SetImage",
    "SetImages",
    "decode_image",
    "decode_images",
    "image_cost",
    "read_reference_set",
]


@dataclass(frozen=True)
class SetImage:
    """An image of a reference set.

    Attributes
    ----------
    source
        Its file.
    digest
        Of the file's bytes.
    header
        What the file says of itself; None where that is damaged, which decoding says.
    white
        The sample value of white, of an image that is read once more: its features are extracted
        though they are known.
    """

    source: Source
    digest: str
    header: ImageHeader | None
    white: int | None = None

    def peak(self, protocol: Protocol) -> int | None:
        """Return the sample value of white; None where only the samples tell."""
        if self.header is None:
            return None
        peaks = peaks_of_headers(self.header, self.header, protocol.peak)
        return None if peaks is None else peaks.output


@dataclass(frozen=True)
class SetImages:
    """A reference set whose files were read.

    Attributes
    ----------
    found
        The files.
    images
        One per file.
    """

    found: ReferenceSet
    images: tuple[SetImage, ...]

    @cached_property
    def digest(self) -> str:
        """Name the set by the contents of its files, whatever their names and places."""
        return digest_of_set(image.digest for image in self.images)


def read_reference_set(
    found: ReferenceSet, compute: Compute, workers: int, advance: Callable[[int], None]
) -> SetImages:
    """Read every file of a reference set once, to know its contents.

    Parameters
    ----------
    found
        The files.
    compute
        Its memory bounds what is read ahead.
    workers
        Threads.
    advance
        Is told how many files more were read.

    Raises
    ------
    IqbenchError
        If a file cannot be read: a value of another set would be none of this one.
    """
    images = []
    for image in work_ahead(
        found.images,
        partial(_read, found=found),
        cost=_file_size,
        workers=workers,
        budget=compute.memory // 4,
    ):
        images.append(image)
        advance(1)
    return SetImages(found, tuple(images))


def _file_size(source: Source) -> int:
    return source.size()


def _read(source: Source, found: ReferenceSet) -> SetImage:
    try:
        with in_sentences(source.name):
            content = source.read()
    except IqbenchError as error:
        raise IqbenchError(
            f"reference set {found.folder}: {error.message}",
            hint="Fix that file, or take it out of the reference set",
        ) from error
    try:
        header = content.probe()
    except IqbenchError:
        header = None
    return SetImage(source, content.digest, header)


def decode_image(image: SetImage, protocol: Protocol, alpha: Alpha) -> Picture | IqbenchError:
    """Decode an image of a reference set with its peak, or say why it has no pixels."""
    name = image.source.name
    try:
        with in_sentences(name):
            content = image.source.read()
            if content.digest != image.digest:
                raise IqbenchError(f"{name} was changed while the run went on")
            picture = content.decode(alpha=alpha)
            if image.white is not None:
                return replace(picture, peak=image.white)
            return settle_peaks(picture, picture, protocol.peak)[1]
    except IqbenchError as error:
        return error


def decode_images(
    images: Iterable[SetImage], protocol: Protocol, alpha: Alpha, compute: Compute, workers: int
) -> Iterator[tuple[SetImage, Picture | IqbenchError]]:
    """Decode images ahead in threads.

    Yields
    ------
    tuple
        Each image, and its pixels with their peak, or why there are none.
    """
    yield from work_ahead(
        images,
        lambda image: (image, decode_image(image, protocol, alpha)),
        cost=image_cost,
        workers=workers,
        budget=compute.memory // 4,
    )


def image_cost(image: SetImage) -> int:
    """Return the bytes that decoding an image takes."""
    facts = image.header
    if facts is None:
        return image.source.size()
    return facts.height * facts.width * facts.channels * facts.bit_depth // 4
