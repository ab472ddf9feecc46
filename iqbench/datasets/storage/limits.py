"""Limits for untrusted archives: names, sizes and headers."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from iqbench.datasets.files import is_below_root, unusable_name

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DAMAGE", "Limits", "bounded_headers", "plain_name", "why_unsafe"]

_EXTENDED = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_SPARSE),
)
_EXTENDED_HEADER = 2**20
_EXTENDED_HEADERS = 2**28
"""Bytes of one header of a tar that holds names and attributes, and of all: they are read whole."""

DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError),
)
"""What the readers of archives raise where an archive is damaged."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold.

    Attributes
    ----------
    bytes
        Of all files together, unpacked.
    files
        How many.
    ratio
        Unpacked bytes to the archive's own; images hardly shrink.
    """

    bytes: int = 2**38
    files: int = 1_000_000
    ratio: int = 50

    def unpacked(self, packed: int) -> int:
        """Return how many bytes may come out of so many packed ones."""
        return self.ratio * packed + 2**20


def bounded_headers(refuse: Callable[[str], Exception]) -> type[tarfile.TarInfo]:
    """Make a reader of tar headers that refuses long ones before it reads what they announce.

    Parameters
    ----------
    refuse
        Makes the error from the reason.
    """
    left = _EXTENDED_HEADERS

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            nonlocal left
            header = super().frombuf(buf, encoding, errors)
            if header.type in _EXTENDED:
                left -= max(header.size, 0)
                if header.size > _EXTENDED_HEADER or left < 0:
                    raise refuse("it has very long headers")
            return header

    return Header


def plain_name(name: str) -> str:
    """Return the name of a member as a folder would have it: ``./a//b.png`` is ``a/b.png``."""
    if "./" in name or "//" in name:
        return "/".join(part for part in name.split("/") if part not in ("", "."))
    return name


def why_unsafe(name: str) -> str:
    """Say why a member of an archive cannot be used under its name; empty if it can."""
    if not is_below_root(name.replace("\\", "/")):
        return f"the path {name!r} leads out of it"
    if "\\" in name:
        return f"the path {name!r} cannot be used: folders are separated by /, not by \\"
    if why := unusable_name(PurePosixPath(name).as_posix()):
        return f"the path {name!r} cannot be used: {why}"
    return ""
