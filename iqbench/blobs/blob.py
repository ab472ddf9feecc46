"""Files as bytes of which any range can be read: on this machine, or anywhere else."""

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
    """A file that was listed: it must be the same one whenever it is read."""

    @property
    def name(self) -> str:
        """The name to use in messages."""
        ...

    @property
    def size(self) -> int:
        """How many bytes it has."""
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
            If it cannot be read, or is not the file that was listed.
        """
        ...

    def open(self) -> BinaryIO:
        """Open it as a seekable file that is read in small steps."""
        ...


def changed(name: str) -> IqbenchError:
    """Say that a file is not the one that was listed."""
    return IqbenchError(
        f"{name} was changed after it was listed", hint="Run again when nobody writes to it"
    )


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine.

    Attributes
    ----------
    path
        Where it is.
    size
        In bytes.
    modified
        When it was last written, in nanoseconds.
    """

    path: Path
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> LocalFile:
        """Look at a file.

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
        """The path as given."""
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
        """Open the file, if it is still the one that was listed."""
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
    """A blob as a file that can be read and seeked in.

    Parameters
    ----------
    blob
        Each read asks it for a range.
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
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be seeked in."""
        return True

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
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
