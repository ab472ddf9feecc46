"""A file in a storage as the source of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from iqbench.blobs.blob import Blob
from iqbench.errors import IqbenchError
from iqbench.images.formats.reader import ByteReader
from iqbench.images.probe import ImageHeader, probe
from iqbench.images.source import READ_WHOLE, EncodedImage, check_file_size

__all__ = ["Extent", "Refused", "Span", "StoredFile", "part_identity"]


class Extent(Protocol):
    """Where the bytes of a file are, and how they are had; complete, so that it can be pickled."""

    @property
    def size(self) -> int:
        """How many bytes the file has; about, where that is known only after reading."""
        ...

    @property
    def identity(self) -> str | None:
        """A text that no other bytes have; None where only the bytes tell whether they changed."""
        ...

    def load(self) -> bytes:
        """Return all bytes.

        Raises
        ------
        IqbenchError
            If they cannot be had, or are not what was listed.
        """
        ...


def part_identity(blob: Blob, *part: object) -> str | None:
    """Name a part of a blob, by the blob's own identity; None where it has none."""
    whole = blob.identity
    return None if whole is None else "\0".join((whole, *map(str, part)))


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that lie in a blob as they are.

    Attributes
    ----------
    blob
        The whole object, or the archive that the file is in.
    start, size
        Which of its bytes.
    """

    blob: Blob
    start: int
    size: int

    @property
    def identity(self) -> str | None:
        """That of the blob, and which bytes."""
        return part_identity(self.blob, "bytes", self.start, self.size)

    def load(self) -> bytes:
        """Read them."""
        return self.blob.read(self.start, self.start + self.size)

    def part(self, offset: int, count: int) -> bytes:
        """Read some of them; fewer at the end."""
        stop = min(offset + count, self.size)
        return self.blob.read(self.start + offset, self.start + stop) if offset < stop else b""


@dataclass(frozen=True)
class Refused:
    """What is listed as a file and has no bytes that can be had.

    Attributes
    ----------
    why
        A whole sentence, without the stop.
    hint
        What to do about it.
    size
        In bytes.
    """

    why: str
    hint: str = "Put the file itself there"
    size: int = 0

    @property
    def identity(self) -> None:
        """None: there are no bytes."""
        return None

    def load(self) -> bytes:
        """Refuse."""
        raise IqbenchError(self.why, hint=self.hint)


@dataclass(frozen=True)
class StoredFile:
    """A file in a storage.

    Attributes
    ----------
    name
        What to call it in messages: the archive or address, and the name in it.
    extent
        Where its bytes are.
    """

    name: str
    extent: Extent

    @property
    def identity(self) -> str | None:
        """A text that no other bytes have; None where only the bytes tell whether they changed."""
        return self.extent.identity

    def size(self) -> int:
        """Return how many bytes reading takes in."""
        return self.extent.size

    def load(self) -> bytes:
        """Return its bytes, whatever it is.

        Raises
        ------
        IqbenchError
            If it cannot be read, or is larger than any image that is allowed.
        """
        extent = self.extent
        if isinstance(extent, Refused):
            return extent.load()
        if isinstance(extent, Span):
            check_file_size(self.name, extent.size, self.probe)
            return extent.load()
        # It is packed: its header is there only when all of it is.
        check_file_size(self.name, extent.size)
        data = extent.load()
        check_file_size(self.name, len(data), EncodedImage(self.name, data).probe)
        return data

    def probe(self) -> ImageHeader:
        """Read the header only, where the bytes are not packed."""
        extent = self.extent
        if isinstance(extent, Span) and extent.size > READ_WHOLE:
            return probe(ByteReader(self.name, extent.size, extent.part))
        return self.read().probe()

    def read(self) -> EncodedImage:
        """Read it once."""
        data = self.load()
        if not data:
            raise IqbenchError(
                f"{self.name} is empty (0 bytes)", hint="Write or copy the file again"
            )
        return EncodedImage(self.name, data)
