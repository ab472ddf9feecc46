"""Files that users name: expand their paths, open regular files only, write them whole."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO, TypeAlias

from iqbench.errors import IqbenchError

__all__ = [
    "CACHE_VARIABLE",
    "Render",
    "cache_root",
    "expand_user",
    "open_regular",
    "replace_file",
    "why_no_file",
    "write_file",
]

Render: TypeAlias = Callable[[IO[bytes]], object]
"""Writes all of a file's bytes into an open, seekable file."""

CACHE_VARIABLE = "IQBENCH_CACHE"
"""The environment variable that names the folder below which iqbench keeps what it fetched."""

_DESCRIPTOR = re.compile(r"/(?:dev|proc/(?:self|thread-self|\d+))/fd/(\d+)")
_MOST_LINKS = 40
_READER_SECONDS = 60.0
"""How long a named pipe may be without a reader: somebody may start one just now."""

_PAUSE_SECONDS = 0.05
_NOT_BESIDE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV}
"""Why a new file may not take an old one's place, though the old one may be written."""


_NO_PATH = {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM}
"""What the system says of a path that nothing can be asked of."""

_SHOWN = 200
"""Most characters of a path that cannot be one in a message."""


def expand_user(path: str | os.PathLike[str]) -> Path:
    """Replace a leading ``~`` or ``~user`` by that user's home folder.

    Raises
    ------
    IqbenchError
        If there is no such user; if the text is empty, which would be the working folder; or if no
        path can be so, whether there is something or not: it is too long, or has a NUL.
    """
    if not os.fspath(path):
        raise IqbenchError("a path is empty", hint="Write . for the working folder")
    try:
        found = Path(path).expanduser()
    except RuntimeError as error:
        raise IqbenchError(
            f"{path} begins with the home folder of a user who is not known here",
            hint="Write the folder's whole path",
        ) from error
    reason = ""
    try:
        found.stat()
    except OSError as error:
        if error.errno in _NO_PATH:
            reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "it has a character that no path can have"
    if reason:
        shown = os.fspath(path)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
        raise IqbenchError(f"{shown!r} cannot be used as a path: {reason}", hint="Check the path")
    return found


def cache_root() -> Path:
    """Return the folder below which fetched files are kept; it need not exist yet.

    It is ``$IQBENCH_CACHE``, or the operating system's own place for caches.
    """
    root = os.environ.get(CACHE_VARIABLE)
    if root:
        return expand_user(root)
    import pooch

    return Path(pooch.os_cache("iqbench"))


def why_no_file(path: Path) -> str:
    """Say what a path is, if not a regular file or a link to one; empty if it is one."""
    if path.is_file():
        return ""
    if path.is_dir():
        return "is a folder, not a file"
    if path.exists():
        return "is a pipe or a device, not a regular file"
    return "is a link that leads nowhere" if path.is_symlink() else "does not exist"


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read; a FIFO or a device would be waited for without an end.

    Raises
    ------
    OSError
        Where the file cannot be opened.
    IqbenchError
        Where it is not a regular file.
    """
    if path.is_dir():  # which Windows cannot open
        raise IqbenchError(f"{path} is a folder, not a regular file")
    # The file that is open is the one that is judged: between a check of the path and the opening,
    # another file could take its place.
    file = BufferedReader(FileIO(path, "rb", opener=_open_without_waiting))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise IqbenchError(f"{path} is not a regular file", hint="Give a file, no pipe or device")
    return file


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def write_file(
    path: Path,
    content: bytes | Render,
    *,
    hint: str = "Check the path, its permissions and the free space",
    durable: bool = True,
) -> None:
    """Write a file: whole or not at all, and without destroying what stands in its place.

    - A symbolic link stays, and the file that it leads to is written.
    - An existing file keeps its mode and owner. A reader sees the old content or the new one,
      unless the file can only be written in place: because it has several names (hard links), or
      because this user may write the file but may not put another one into its folder.
    - A pipe, a terminal, ``/dev/null``, ``/dev/stdout`` and the like are written to. A named pipe
      may be without a reader for a minute.

    Parameters
    ----------
    path
        Where to. Its folder must exist.
    content
        The bytes, or what writes them into an open file.
    hint
        What to do where it cannot be written.
    durable
        Whether the content must survive a power cut once this function has returned.

    Raises
    ------
    IqbenchError
        Naming the file, where it cannot be written: no space, no permission, no such folder.
    """
    try:
        replace_file(path, content, durable=durable)
    except OSError as error:
        raise IqbenchError(
            f"cannot write {path}: {error.strerror or error or type(error).__name__}", hint=hint
        ) from error


def replace_file(path: Path, content: bytes | Render, *, durable: bool = True) -> None:
    """Do what `write_file` does; what the system refuses is an OSError."""
    number = _descriptor(path)
    if number is not None:
        _write_through(os.dup(number), content)
        return
    render = (lambda file: file.write(content)) if isinstance(content, bytes) else content
    try:
        there = path.stat()
    except FileNotFoundError:  # a link may lead to a file that is still to be made
        _put_in_place(Path(os.path.realpath(path)), None, render, durable)
        return
    if stat.S_ISBLK(there.st_mode):
        raise OSError("it is a disk, not a file")
    if not stat.S_ISREG(there.st_mode):
        _write_through(_open_to_write(path), content)
        return
    target = Path(os.path.realpath(path))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if there.st_nlink > 1 or not _put_in_place(target, there, render, durable):
        _overwrite(target, content, durable)


def _descriptor(path: Path) -> int | None:
    """Return the number of the open file that a path such as ``/dev/stdout`` stands for."""
    name = os.path.normpath(path.absolute())
    for _ in range(_MOST_LINKS):
        match = _DESCRIPTOR.fullmatch(name)
        if match:
            mine = name.startswith(("/dev/", "/proc/self/", "/proc/thread-self/"))
            return int(match[1]) if mine or name.startswith(f"/proc/{os.getpid()}/") else None
        try:
            link = Path(name).readlink()
        except OSError:
            return None
        name = os.path.normpath(Path(name).parent / link)
    return None


def _open_to_write(path: Path) -> int:
    """Open what is not a regular file; wait a minute for a reader of a pipe, not for ever."""
    end = time.monotonic() + _READER_SECONDS
    while True:
        try:
            descriptor = _open_without_waiting(str(path), os.O_WRONLY)
        except OSError as error:
            if error.errno != errno.ENXIO or not path.is_fifo():
                raise
            if time.monotonic() > end:
                raise TimeoutError("nobody reads this pipe") from error
            time.sleep(_PAUSE_SECONDS)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def _write_through(descriptor: int, content: bytes | Render) -> None:
    """Write to what is not a regular file: rendered first, so that no half of it goes out."""
    # Who reads a pipe may have had enough.
    with (
        suppress(BrokenPipeError),
        os.fdopen(descriptor, "wb") as file,
        _rendered(content) as ready,
    ):
        for stream in (sys.stdout, sys.stderr):  # what was printed before comes before
            if stream is not None:
                stream.flush()
        shutil.copyfileobj(ready, file)


@contextmanager
def _rendered(content: bytes | Render) -> Iterator[IO[bytes]]:
    """Give the whole content as a file that is read: on disk, as it may not fit into memory."""
    if isinstance(content, bytes):
        yield BytesIO(content)
        return
    with TemporaryFile() as file:
        content(file)
        file.seek(0)
        yield file


def _put_in_place(
    target: Path, replaced: os.stat_result | None, render: Render, durable: bool
) -> bool:
    """Write beside the target and rename; False where the old file must be written itself."""
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        try:
            file = temporary.open("xb")
        except OSError as error:
            if replaced is None or error.errno not in _NOT_BESIDE:
                raise
            return False
        with file:
            if replaced is not None and not _take_over(file, replaced):
                return False
            render(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        try:
            temporary.replace(target)
        except OSError as error:  # e.g. of a file that is mounted into a container
            if replaced is None or error.errno not in _NOT_BESIDE:
                raise
            return False
        if durable:
            _sync(target.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()
    return True


def _take_over(file: IO[bytes], replaced: os.stat_result) -> bool:
    """Give a new file the owner and mode of the one that it replaces, if that is allowed."""
    if os.name != "posix":
        return True
    own = os.fstat(file.fileno())
    try:
        if (own.st_uid, own.st_gid) != (replaced.st_uid, replaced.st_gid):
            os.fchown(file.fileno(), replaced.st_uid, replaced.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(replaced.st_mode))
    except OSError:
        return False
    return True


def _overwrite(target: Path, content: bytes | Render, durable: bool) -> None:
    """Write a file in place; where that fails, put back what it held."""
    with _rendered(content) as ready, target.open("r+b") as file, TemporaryFile() as before:
        shutil.copyfileobj(file, before)
        try:
            _fill(file, ready, durable)
        except OSError:
            before.seek(0)
            _fill(file, before, durable)
            raise


def _fill(file: IO[bytes], content: IO[bytes], durable: bool) -> None:
    file.seek(0)
    shutil.copyfileobj(content, file)
    file.truncate()
    file.flush()
    if durable:
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make a new name durable."""
    if os.name == "posix":  # elsewhere a folder cannot be opened, and the rename is durable
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
