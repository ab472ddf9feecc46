"""Unpack untrusted archives: nothing outside the folder, no links, and a bounded size."""

from __future__ import annotations

import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from iqbench.datasets.storage.limits import DAMAGE, Limits, bounded_headers, why_unsafe
from iqbench.errors import IqbenchError

__all__ = ["Limits", "unpack"]

_PART = 2**20


@dataclass(frozen=True)
class _ArchiveMember:
    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path, target: Path, *, folder: str | None = None, limits: Limits | None = None
) -> int:
    """Unpack a zip or tar archive into a new folder, whole or not at all.

    Parameters
    ----------
    archive
        The file; a tar may be compressed by gzip, bzip2 or xz.
    target
        The folder to be made; it must not exist, or be empty.
    folder
        The folder inside the archive that becomes the target; all of it if not given.
    limits
        How much it may hold.

    Returns
    -------
    int
        How many files were unpacked.

    Raises
    ------
    IqbenchError
        If the archive is damaged, holds anything but plain files and folders, a path that leads
        out of it, one path twice, or more than is allowed; or if it has no such folder, if the
        target is there, or nothing can be written. Then nothing of it stays.
    """
    limits = limits or Limits()
    if target.exists() and any(target.iterdir()):
        raise IqbenchError(
            f"{target} is already there", hint="Move it away, and what is in it is fetched again"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that it can be renamed; hidden, so that no layout lists it.
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=target.parent) as temporary:
            content = Path(temporary) / "content"
            content.mkdir()
            count = _unpack_all(archive, content, limits)
            whole = content / folder if folder else content
            if not whole.is_dir():
                raise IqbenchError(f"{archive.name} has no folder {folder!r}")
            if target.exists():
                target.rmdir()
            whole.rename(target)
    except OSError as error:
        raise IqbenchError(
            f"{archive.name} cannot be unpacked into {target}: {error.strerror or error}"
        ) from error
    return count


def _unpack_all(archive: Path, folder: Path, limits: Limits) -> int:
    size = archive.stat().st_size
    allowed = min(limits.bytes, limits.unpacked(size))
    done, seen = 0, set[str]()
    try:
        for member in _members(archive, limits.files):
            name = _safe_name(archive, member.name)
            if name in seen:
                raise _refused(archive, f"{name!r} is in it twice")
            seen.add(name)
            if len(seen) > limits.files:
                raise _refused(archive, f"it holds more than {limits.files:,} files")
            if done + member.size > allowed:
                raise _refused(archive, f"it holds more than {allowed:,} bytes")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # The size that a header states is not trusted: what comes is counted.
            with member.open() as source, path.open("xb") as file:
                while part := source.read(_PART):
                    done += len(part)
                    if done > allowed:
                        raise _refused(archive, f"it holds more than {allowed:,} bytes")
                    file.write(part)
    except DAMAGE as error:
        raise IqbenchError(f"{archive.name} is damaged: {error}", hint="Fetch it again") from error
    # zipfile raises a RuntimeError for an encrypted file, and the one of its kinds that says "not
    # implemented" for a compression that it does not know.
    except RuntimeError as error:
        raise IqbenchError(f"{archive.name} cannot be unpacked: {error}") from error
    except MemoryError as error:  # a header of LZMA asks for up to 4 GiB
        raise IqbenchError(
            f"{archive.name} needs more memory to be unpacked than there is"
        ) from error
    return len(seen)


def _members(archive: Path, most: int) -> Iterator[_ArchiveMember]:
    if zipfile.is_zipfile(archive):
        yield from _zip_members(archive)
        return
    with ExitStack() as stack:
        try:  # opening reads the first header already
            header = bounded_headers(partial(_refused, archive))
            opened = stack.enter_context(tarfile.open(archive, tarinfo=header))
        except tarfile.ReadError as error:
            raise IqbenchError(f"{archive.name} is neither a zip nor a tar archive") from error
        yield from _tar_members(archive, opened, most)


def _zip_members(archive: Path) -> Iterator[_ArchiveMember]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _refused(archive, f"{info.filename!r} is a link or no plain file")
            if not info.filename.endswith("/"):  # is_dir fails on an empty name
                yield _ArchiveMember(info.filename, info.file_size, partial(opened.open, info))


def _tar_members(archive: Path, opened: tarfile.TarFile, most: int) -> Iterator[_ArchiveMember]:
    count = 0
    while (info := opened.next()) is not None:
        count += 1
        if count > 2 * most:  # folders are members too
            raise _refused(archive, f"it holds more than {most:,} files")
        vars(opened).update(members=[])  # or all headers would be kept
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise _refused(archive, f"{info.name!r} is a link or no plain file")
        yield _ArchiveMember(info.name, info.size, partial(_tar_file, opened, info))


def _tar_file(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(info)
    if file is None:
        raise tarfile.TarError(f"{info.name} has no content")
    return file


def _safe_name(archive: Path, name: str) -> str:
    if why := why_unsafe(name):
        raise _refused(archive, why)
    return PurePosixPath(name).as_posix()


def _refused(archive: Path, why: str) -> IqbenchError:
    return IqbenchError(
        f"{archive.name} is not unpacked: {why}", hint="It is not the archive it should be"
    )
