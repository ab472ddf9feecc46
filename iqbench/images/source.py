"""Sources of images. Adapters find them, and the engine reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from iqbench.errors import IqbenchError
from iqbench.images.decode import Alpha, decode
from iqbench.images.formats.reader import BufferReader, ByteReader
from iqbench.images.picture import Picture, Pixels
from iqbench.images.probe import ImageHeader, maximum_pixels, probe

__all__ = [
    "READ_WHOLE",
    "Alpha",
    "Content",
    "DecodedImage",
    "EncodedImage",
    "FileSource",
    "Source",
    "check_file_size",
]


_METADATA = 64 << 20
"""Largest number of bytes in a file besides its pixels."""

READ_WHOLE = 4 << 20
"""Largest file that is read at once, because reading its structure in steps would be slower."""


class Content(Protocol):
    """The bytes of one image, not yet decoded."""

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, hexadecimal."""
        ...

    @property
    def bytes(self) -> int:
        """How many bytes there are."""
        ...

    def probe(self) -> ImageHeader:
        """Return size and kind without decoding."""
        ...

    def decode(self, *, alpha: Alpha | None = None) -> Picture:
        """Decode; see :func:`iqbench.images.decode.decode`."""
        ...


class Source(Protocol):
    """The source of an image."""

    @property
    def name(self) -> str:
        """The name to use in messages."""
        ...

    def probe(self) -> ImageHeader:
        """Read its header only."""
        ...

    def size(self) -> int:
        """Return the number of bytes to read; 0 if it is not known before."""
        ...

    def read(self) -> Content:
        """Read its bytes, once."""
        ...


@dataclass(frozen=True)
class EncodedImage:
    """An image file's bytes in memory: the content of a file, or of an entry of a container.

    Attributes
    ----------
    name
        Its name in messages.
    data
        The bytes.
    digest
        SHA-256 of the bytes, hexadecimal.
    """

    name: str
    data: bytes = field(repr=False)
    digest: str = field(init=False)
    _file: BufferReader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.data).hexdigest())
        object.__setattr__(self, "_file", BufferReader(self.name, self.data))

    @property
    def bytes(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def probe(self) -> ImageHeader:
        """Read the header; see :func:`iqbench.images.probe.probe`."""
        return probe(self._file)

    def decode(self, *, alpha: Alpha | None = None) -> Picture:
        """Decode; see :func:`iqbench.images.decode.decode`."""
        return decode(self._file, digest=self.digest, alpha=alpha)


@dataclass(frozen=True)
class DecodedImage:
    """An image that is already decoded: part of a photograph, or an entry of an array.

    Attributes
    ----------
    picture
        The pixels.
    """

    picture: Picture

    @classmethod
    def of(cls, pixels: Pixels, name: str) -> DecodedImage:
        """Make one from pixels, (H, W, C), with a digest of their shape, type and values.

        The digest does not depend on the file that they came from.
        """
        header = f"{pixels.shape} {pixels.dtype.str} ".encode()
        digest = hashlib.sha256(header + pixels.tobytes()).hexdigest()
        return cls(Picture(pixels, digest, name, pixels.nbytes))

    @property
    def digest(self) -> str:
        """SHA-256 of the pixels, hexadecimal."""
        return self.picture.digest

    @property
    def bytes(self) -> int:
        """Size of the pixels in memory."""
        return self.picture.bytes

    def probe(self) -> ImageHeader:
        """Return size and kind."""
        picture = self.picture
        return ImageHeader(
            "pixels", picture.height, picture.width, picture.channels, picture.bit_depth, False
        )

    def decode(self, *, alpha: Alpha | None = None) -> Picture:
        """Return the pixels, which have no transparency."""
        del alpha
        return self.picture


@dataclass(frozen=True)
class FileSource:
    """An image in a file of its own.

    Attributes
    ----------
    path
        The file.
    """

    path: Path

    @property
    def name(self) -> str:
        """The path as given."""
        return str(self.path)

    def probe(self) -> ImageHeader:
        """Read the header only.

        Raises
        ------
        IqbenchError
            If the file cannot be read, or as :func:`iqbench.images.probe.probe`.
        """
        try:
            size = self._size()
            with self.path.open("rb") as file:
                if size <= READ_WHOLE:
                    return probe(BufferReader(self.name, file.read()))
                return probe(ByteReader(self.name, size, partial(_read, file)))
        except OSError as error:
            raise self._unreadable(error) from error

    def size(self) -> int:
        """Return the size of the file; 0 if it cannot be read."""
        with suppress(OSError, IqbenchError):
            return self._size()
        return 0

    def read(self) -> EncodedImage:
        """Read the file once.

        Raises
        ------
        IqbenchError
            If the file cannot be read, is empty, or is larger than the largest allowed image or
            than its pixels can need.
        """
        try:
            check_file_size(self.name, self._size(), self.probe)
            data = self.path.read_bytes()
        except OSError as error:
            raise self._unreadable(error) from error
        return EncodedImage(self.name, data)

    def _size(self) -> int:
        """Return the size of the file; it must be a regular one, as reading a pipe could block."""
        size = self.path.stat().st_size
        if not self.path.is_file():
            kind = "a folder" if self.path.is_dir() else "not a regular file"
            raise IqbenchError(f"{self.name} is {kind}", hint="Give an image file")
        if size == 0:
            raise IqbenchError(
                f"{self.name} is empty (0 bytes)", hint="Write or copy the file again"
            )
        return size

    def _unreadable(self, error: OSError) -> IqbenchError:
        if isinstance(error, FileNotFoundError):
            return IqbenchError(f"{self.name} does not exist", hint="Check the path")
        reason = error.strerror or type(error).__name__
        return IqbenchError(f"{self.name} cannot be read: {reason}")


def check_file_size(name: str, size: int, header: Callable[[], ImageHeader] | None = None) -> None:
    """Raise an error for a file with more bytes than an image can need, before reading it.

    Parameters
    ----------
    name
        Its name in messages.
    size
        Size in bytes.
    header
        Reads the header; asked only where the file is large. None where it cannot be read yet:
        then the size is compared with that of the largest image that is allowed.

    Raises
    ------
    IqbenchError
        If it is larger than the largest allowed image, or than its pixels can need.
    """
    if size > _most_bytes(maximum_pixels()):
        raise IqbenchError(
            f"{name} has {size:,} bytes, too many for an image of the allowed size",
            hint="Set the environment variable IQBENCH_MAX_PIXELS to allow more",
        )
    if header is not None and size > _METADATA:
        facts = header()
        if size > _most_bytes(facts.height * facts.width):
            raise IqbenchError(
                f"{name} has {size:,} bytes, too many for its {facts.width}x{facts.height} pixels",
                hint="Write the image again, without other data in the file",
            )


def _most_bytes(pixels: int) -> int:
    """Return the largest size of a file: four samples of 16 bits per pixel, and metadata."""
    return 8 * pixels + _METADATA


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)
