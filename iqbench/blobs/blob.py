"""Files of which any range of bytes can be read, on this machine or remote."""

from __future__ import annotations

import io
import os
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from iqbench.errors import IqbenchError
from iqbench.user_files import open_regular

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Blob", "BlobFile", "LocalFile", "changed"]

_BUFFER = 2**16


class Blob(Hashable, Protocol):
    """A file that was listed. Reading it fails if it has changed since."""

    @property
    def name(self) -> str:
        """The name to use in messages."""
        ...

    @property
    def size(self) -> int:
        """The number of bytes."""
        ...

    @property
    def identity(self) -> str | None:
        """A text that no other bytes have: what is known of them holds for as long as it is found.

        None where nothing but the bytes themselves tells whether they are the same.
        """
        ...

    def read(self, start: int, stop: int) -> bytes:
        """Read a range of its bytes.

        Raises
        ------
        IqbenchError
            If it cannot be read, or has changed since it was listed.
        """
        ...

    def open(self) -> BinaryIO:
        """Open it as a seekable file for reading in small steps."""
        ...


def changed(name: str) -> IqbenchError:
    """Return the error for a file that has changed since it was listed."""
    return IqbenchError(
        f"{name} was changed after it was listed", hint="Run again when nobody writes to it"
    )


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine.

    Attributes
    ----------
    path
        The path of the file.
    size
        Size in bytes.
    modified
        Time of the last change in nanoseconds.
    """

    path: Path
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> LocalFile:
        """Read size and time of a file.

        Raises
        ------
        IqbenchError
            If it cannot be read.
        """
        try:
            facts = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from error
        return cls(path, facts.st_size, facts.st_mtime_ns)

    @property
    def name(self) -> str:
        """The given path."""
        return str(self.path)

    @property
    def identity(self) -> None:
        """None: whoever writes a file can set its time, and many programs do (``cp -p``)."""
        return None

    def read(self, start: int, stop: int) -> bytes:
        """Read a range of its bytes."""
        with self.open() as file:
            try:
                file.seek(start)
                data = file.read(stop - start)
            except OSError as error:
                raise _unreadable(self.path, error) from error
        if len(data) != stop - start:
            raise IqbenchError(f"{self.name} ends before byte {stop:,}", hint="Copy it again")
        return data

    def open(self) -> BinaryIO:
        """Open the file, if it has not changed since it was listed."""
        try:
            file = open_regular(self.path)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        facts = os.fstat(file.fileno())
        if (facts.st_size, facts.st_mtime_ns) != (self.size, self.modified):
            file.close()
            raise changed(self.name)
        return file


def _unreadable(path: Path, error: OSError) -> IqbenchError:
    if isinstance(error, FileNotFoundError):
        return IqbenchError(f"{path} does not exist", hint="Check the path")
    return IqbenchError(f"{path} cannot be read: {error.strerror or type(error).__name__}")


class BlobFile(io.RawIOBase):
    """A blob as a seekable file object.

    Parameters
    ----------
    blob
        The blob; each read reads a range of it.
    """

    def __init__(self, blob: Blob) -> None:
        super().__init__()
        self._blob = blob
        self._place = 0

    @classmethod
    def buffered(cls, blob: Blob) -> BinaryIO:
        """Open a blob for reading in small steps."""
        return io.BufferedReader(cls(blob), _BUFFER)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._blob.size}[whence]
        if base + offset < 0:
            raise ValueError(f"offset {base + offset} is negative")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: Buffer) -> int:
        """Read into a buffer; 0 at the end."""
        view = memoryview(buffer).cast("B")
        stop = min(self._place + len(view), self._blob.size)
        if stop <= self._place:
            return 0
        data = self._blob.read(self._place, stop)
        view[: len(data)] = data
        self._place = stop
        return len(data)
