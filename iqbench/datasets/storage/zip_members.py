"""The files in a zip, listed from its directory, each read by its byte range."""

from __future__ import annotations

import bz2
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass

from iqbench.blobs.blob import Blob
from iqbench.datasets.storage.limits import DAMAGE, Limits, plain_name, why_unsafe
from iqbench.datasets.storage.stored_file import Extent, Refused, part_identity
from iqbench.errors import IqbenchError

__all__ = ["list_zip"]

_HEADER = struct.Struct("<4s22xHH")
_SLACK = 1024
"""Bytes of a member's own header that are read with it; a longer one is read in a second step."""


@dataclass(frozen=True, slots=True)
class _PackedMember:
    """A file in a zip.

    Attributes
    ----------
    blob
        The zip.
    name
        In the zip.
    header
        Where the member's own header begins.
    packed, size
        Bytes in the zip, and unpacked.
    method
        How it is packed.
    checksum
        CRC-32 of the unpacked bytes.
    """

    blob: Blob
    name: str
    header: int
    packed: int
    size: int
    method: int
    checksum: int

    @property
    def identity(self) -> str | None:
        """That of the zip, and what its directory says of the member."""
        sizes = self.packed, self.size
        return part_identity(self.blob, "zip", self.header, *sizes, self.method, self.checksum)

    def load(self) -> bytes:
        """Read and unpack it: never more bytes than the zip's directory says."""
        if self.size > Limits().unpacked(self.packed):
            raise self._error(f"it unpacks from {self.packed:,} to {self.size:,} bytes")
        try:
            data = _UNPACK[self.method](self._packed_bytes(), self.size)
        except KeyError:
            raise self._error(
                f"it is packed by method {self.method}, which is not read",
                "Pack it again by the usual method, deflate",
            ) from None
        except (*DAMAGE, OSError) as error:
            raise self._error(f"it is damaged: {error}") from error
        if len(data) != self.size or zlib.crc32(data) != self.checksum:
            raise self._error("it is damaged: its checksum or size is not the one that is noted")
        return data

    def _packed_bytes(self) -> bytes:
        end = min(self.header + _HEADER.size + _SLACK + self.packed, self.blob.size)
        data = self.blob.read(self.header, end)
        if len(data) < _HEADER.size or data[:4] != b"PK\x03\x04":
            raise ValueError("there is no header")
        _, name, extra = _HEADER.unpack_from(data)
        start = _HEADER.size + name + extra
        if start + self.packed <= len(data):
            return data[start : start + self.packed]
        if self.header + start + self.packed > self.blob.size:
            raise ValueError("the archive ends before")
        return self.blob.read(self.header + start, self.header + start + self.packed)

    def _error(self, why: str, hint: str = "Make the archive again") -> IqbenchError:
        return IqbenchError(f"{self.blob.name}#{self.name} cannot be read: {why}", hint=hint)


def _stored(data: bytes, size: int) -> bytes:
    del size
    return data


def _inflated(data: bytes, size: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)


def _unpacked_bzip2(data: bytes, size: int) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, size + 1)


_UNPACK = {
    zipfile.ZIP_STORED: _stored,
    zipfile.ZIP_DEFLATED: _inflated,
    zipfile.ZIP_BZIP2: _unpacked_bzip2,
}


def list_zip(blob: Blob) -> dict[str, Extent]:
    """List the files in a zip; only its directory is read.

    Raises
    ------
    IqbenchError
        If it is not a zip, is damaged, or holds too many files, one name twice, or a path that
        leads out of it.
    """
    try:
        with blob.open() as file, zipfile.ZipFile(file) as opened:
            infos = opened.infolist()
    except DAMAGE as error:
        raise IqbenchError(
            f"{blob.name} is not a zip archive, or damaged: {error}", hint="Make or fetch it again"
        ) from error
    files: dict[str, Extent] = {}
    for info in infos:
        if info.filename.endswith("/"):
            continue
        name = plain_name(info.filename)
        twice = f"{name!r} is in it twice" if name in files else ""
        if why := why_unsafe(info.filename) or twice:
            raise IqbenchError(f"{blob.name} is not read: {why}", hint="Make the archive again")
        files[name] = _member(blob, info)
        if len(files) > Limits().files:
            raise IqbenchError(
                f"{blob.name} is not read: it holds more than {Limits().files:,} files",
                hint="Split it into several archives",
            )
    return files


def _member(blob: Blob, info: zipfile.ZipInfo) -> Extent:
    name = f"{blob.name}#{info.filename}"
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
        return Refused(f"{name} is a link or no plain file")
    if info.flag_bits & 1:
        return Refused(f"{name} is encrypted")
    sizes = info.compress_size, info.file_size
    return _PackedMember(
        blob, info.filename, info.header_offset, *sizes, info.compress_type, info.CRC
    )
