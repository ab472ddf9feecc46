"""The files in a tar (for example a shard of WebDataset), each read by its byte range."""

from __future__ import annotations

import tarfile
from typing import BinaryIO

from iqbench.blobs.blob import Blob
from iqbench.datasets.storage.limits import (
    DAMAGE,
    Limits,
    bounded_headers,
    plain_name,
    why_unsafe,
)
from iqbench.datasets.storage.stored_file import Extent, Refused, Span
from iqbench.errors import IqbenchError

__all__ = ["list_tar"]

_PADDING = 2**17
"""Bytes after the end that are looked at; programs fill up to 10 KiB with zeros."""


def list_tar(blob: Blob) -> dict[str, Extent]:
    """List the files in a tar that is not compressed; of each, only the header is read.

    Raises
    ------
    IqbenchError
        If it is no such tar or damaged, holds too many files, one name twice, or a path that leads
        out of it.
    """

    def refuse(why: str) -> IqbenchError:
        return IqbenchError(f"{blob.name} is not read: {why}", hint="Make the archive again")

    files: dict[str, Extent] = {}
    try:
        with (
            blob.open() as file,
            tarfile.open(fileobj=file, mode="r:", tarinfo=bounded_headers(refuse)) as opened,
        ):
            while (info := opened.next()) is not None:
                vars(opened).update(members=[])  # or all headers would be kept
                if info.isdir():
                    continue
                name = plain_name(info.name)
                twice = f"{name!r} is in it twice" if name in files else ""
                if why := why_unsafe(info.name) or twice:
                    raise refuse(why)
                files[name] = _member(blob, info)
                if len(files) > Limits().files:
                    raise refuse(f"it holds more than {Limits().files:,} files")
            _check_end(file, opened.offset)
    except DAMAGE as error:
        raise IqbenchError(
            f"{blob.name} is not a tar archive, or damaged: {error}", hint="Make or fetch it again"
        ) from error
    return files


def _check_end(file: BinaryIO, offset: int) -> None:
    """See that the archive ends where the listing did: tarfile stops at damage as at the end.

    A tar ends with blocks of zeros. Without them nobody knows whether more files were to come.
    """
    file.seek(offset)
    block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"it is cut off at byte {offset:,}, where no end is marked")
    if any(block):
        raise tarfile.ReadError(f"there is no header at byte {offset:,}")
    if any(file.read(_PADDING)):
        raise tarfile.ReadError(
            f"its end is marked at byte {offset:,}, and more follows, as if several tars were one"
        )


def _member(blob: Blob, info: tarfile.TarInfo) -> Extent:
    if not info.isreg() or info.issparse():
        return Refused(f"{blob.name}#{info.name} is a link or no plain file")
    if info.offset_data + info.size > blob.size:
        return Refused(f"{blob.name}#{info.name} is cut off: the archive ends before")
    return Span(blob, info.offset_data, info.size)
