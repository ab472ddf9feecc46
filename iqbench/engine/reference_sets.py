"""Reference sets in a run: read and digested once, decoded only if features are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from iqbench.datasets.reference_set import ReferenceSet
from iqbench.datasets.storage.digest_store import (
    KnownFile,
    identity_of,
    known_image,
    learned_of,
)
from iqbench.engine.compute import Compute
from iqbench.engine.known_files import KnownFiles
from iqbench.engine.reading import header_of, in_sentences
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
    found: ReferenceSet,
    compute: Compute,
    workers: int,
    advance: Callable[[int], None],
    known_files: KnownFiles | None = None,
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
    known_files
        Files that need not be read, as they are known from before.

    Raises
    ------
    IqbenchError
        If a file cannot be read: a value of another set would be none of this one.
    """
    known = {} if known_files is None else known_files.of(map(identity_of, found.images))
    images = []
    for image, learned in work_ahead(
        found.images,
        partial(_read, found=found, known=known),
        cost=_file_size,
        workers=workers,
        budget=compute.memory // 4,
    ):
        images.append(image)
        advance(1)
        if known_files is not None:
            known_files.learn(learned)
    return SetImages(found, tuple(images))


def _file_size(source: Source) -> int:
    return source.size()


def _read(
    source: Source, found: ReferenceSet, known: Mapping[str, KnownFile]
) -> tuple[SetImage, Mapping[str, KnownFile]]:
    """Read a file that is not known; return what was learned of it, too."""
    before = known_image(source, known)
    if before is not None:
        return SetImage(source, before.digest, before.header), {}
    try:
        with in_sentences(source.name):
            content = source.read()
    except IqbenchError as error:
        raise IqbenchError(
            f"reference set {found.folder}: {error.message}",
            hint="Fix that file, or take it out of the reference set",
        ) from error
    header = header_of(content)
    return SetImage(source, content.digest, header), learned_of(source, content, header)


def decode_image(image: SetImage, protocol: Protocol, alpha: Alpha) -> Picture | IqbenchError:
    """Decode an image of a reference set with its peak, or say why it has no pixels."""
    name = image.source.name
    try:
        with in_sentences(name):
            content = image.source.read()
            if content.digest != image.digest:
                raise IqbenchError(
                    f"{name} was changed while the run went on",
                    hint="Run again when nobody writes to it, with --recompute if that says the "
                    "same",
                )
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
