"""Results folders at addresses: commands use a local copy, and its changes are uploaded.

A file of a results folder is written once, as a whole, under a unique name, or it is replaced as a
whole. An object store has no rename and needs none: an object appears, or is replaced, when its
upload is complete, whether that is one request or many parts that a last request completes. A part
that replaces others is uploaded before they are deleted, as on a disk. So whoever lists the address
sees whole parts only, and never fewer rows than there were.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread

from iqbench.blobs.remote import (
    RemoteObject,
    delete_object,
    find_objects,
    is_url,
    list_objects,
    without_file_protocol,
    write_object,
)
from iqbench.errors import IqbenchError
from iqbench.forks import ForkLock
from iqbench.results.extractor_files import KINDS
from iqbench.user_files import expand_user

__all__ = [
    "address_of",
    "addresses_in_errors",
    "local_results",
    "with_addresses",
    "written_results",
]

_FOLDERS = (*KINDS, "changes", "images", "reference-sets", "runs", "scores", "sets")
_FILES = ("methods.yaml", "published.jsonl")
"""What belongs to a results folder; beside it there may be outputs and anything else."""

_SECONDS = 5.0
"""Most seconds that a new part waits until it is uploaded."""

_TRIES = 20
_THREADS = 16


class _Mirror:
    """A results folder at an address, and its copy.

    Parameters
    ----------
    address
        Of the results folder.
    folder
        An empty one, for the copy.
    """

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address.rstrip("/")
        self.folder = folder
        self._there: dict[str, RemoteObject] = {}
        self._same: dict[str, tuple[int, int]] = {}
        """Name to size and time, for files that are equal here and at the address."""
        self._lock = ForkLock()

    def pull(self) -> None:
        """Make the copy equal to what is at the address.

        A listing is not a snapshot: another process may merge parts meanwhile. So list until
        nothing is new.
        """
        with self._lock:
            for _ in range(_TRIES):
                listed = self._listed()
                if listed == self._there:
                    return
                for name in self._there.keys() - listed.keys():
                    (self.folder / name).unlink(missing_ok=True)
                    self._same.pop(name, None)
                new = [name for name, one in listed.items() if self._there.get(name) != one]
                with ThreadPoolExecutor(_THREADS) as pool:
                    got = list(pool.map(partial(self._download, listed), new))
                gone = {name for name, done in zip(new, got, strict=True) if not done}
                self._there = {name: one for name, one in listed.items() if name not in gone}
        raise IqbenchError(
            f"{self.address} keeps changing while it is read",
            hint="Try again when the other run is done",
        )

    def _listed(self) -> dict[str, RemoteObject]:
        found: dict[str, RemoteObject] = {}
        with ThreadPoolExecutor(_THREADS) as pool:
            places = [f"{self.address}/{name}" for name in _FOLDERS]
            listed = pool.map(lambda place: list(list_objects(place)), places)
            for name, objects in zip(_FOLDERS, listed, strict=True):
                found |= {f"{name}/{below}": one for below, one in objects}
        for name in _FILES:
            found.update((name, one) for one in find_objects(f"{self.address}/{name}"))
        return found

    def _download(self, listed: dict[str, RemoteObject], name: str) -> bool:
        """Copy an object; False where it is gone meanwhile."""
        one = listed[name]
        try:
            data = one.read(0, one.size)
        except IqbenchError:
            if find_objects(one.name) == [one]:
                raise
            return False
        if not all(part.strip(".") for part in name.split("/")) or "\\" in name:
            raise IqbenchError(f"{one.name} is not a name of a file in a results folder")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        facts = path.stat()
        self._same[name] = facts.st_size, facts.st_mtime_ns
        return True

    def push(self) -> None:
        """Upload what is new in the copy, the oldest first; then delete what it no longer has."""
        with self._lock:
            here = self._files()
            new = [name for name in here if here[name] != self._same.get(name)]
            for name in sorted(new, key=lambda name: (here[name][1], name)):
                with suppress(FileNotFoundError):  # it was merged into another just now
                    write_object(f"{self.address}/{name}", (self.folder / name).read_bytes())
                    self._same[name] = here[name]
            for name in self._same.keys() - here.keys():
                delete_object(f"{self.address}/{name}")
                del self._same[name]

    def _files(self) -> dict[str, tuple[int, int]]:
        """Return size and time of every file that is whole, by name."""
        found: dict[str, tuple[int, int]] = {}
        for path, _, names in os.walk(self.folder):
            for name in names:
                if not name.startswith("."):
                    file = Path(path) / name
                    with suppress(FileNotFoundError):
                        facts = file.stat()
                        where = file.relative_to(self.folder).as_posix()
                        found[where] = facts.st_size, facts.st_mtime_ns
        return found


_COPIES: dict[str, _Mirror] = {}
_ADDRESSES: dict[Path, str] = {}
_OPENING = ForkLock()


def _empty_copy(address: str) -> tuple[Path, _Mirror]:
    """Make a folder for a copy, whose path tells the address; return what is to be deleted, too."""
    base = Path(tempfile.mkdtemp(prefix="iqbench-results-"))
    protocol, _, path = address.rstrip("/").partition("://")
    folder = base / protocol / path.lstrip("/")
    folder.mkdir(parents=True)
    _ADDRESSES[folder] = address.rstrip("/")
    return base, _Mirror(address, folder)


def address_of(folder: Path) -> str:
    """Return the address that a folder is the copy of; empty where it is none."""
    return _ADDRESSES.get(folder, "")


@contextmanager
def addresses_in_errors() -> Iterator[None]:
    """Name addresses in errors, in place of their copies."""
    try:
        yield
    except IqbenchError as error:
        message, hint = with_addresses(error.message), with_addresses(error.hint)
        if (message, hint) == (error.message, error.hint):
            raise
        raise IqbenchError(message, hint=hint) from error


def with_addresses(text: str) -> str:
    """Name addresses in a text, in place of their copies."""
    for folder, address in _ADDRESSES.items():
        text = text.replace(str(folder), address)
    return text


def local_results(path: str | os.PathLike[str]) -> Path:
    """Return a results folder to read: itself, or a copy of what is at an address now.

    Parameters
    ----------
    path
        A folder, or an address such as ``s3://bucket/results``. Its copy is deleted when the
        process ends.

    Raises
    ------
    IqbenchError
        If what is at the address cannot be read.
    """
    text = without_file_protocol(os.fspath(path))
    if not is_url(text):
        return expand_user(text)
    with _OPENING:
        if text not in _COPIES:
            base, mirror = _empty_copy(text)
            atexit.register(shutil.rmtree, base, ignore_errors=True)
            _COPIES[text] = mirror
    _COPIES[text].pull()
    return _COPIES[text].folder


@contextmanager
def written_results(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a results folder to write: itself, or a copy whose changes are uploaded.

    New parts are uploaded within seconds, and the rest when the block ends, however it ends.

    Parameters
    ----------
    path
        A folder, or an address such as ``s3://bucket/results``.

    Raises
    ------
    IqbenchError
        If what is at the address cannot be read, or in the end not all could be uploaded: then the
        copy stays, and the error says where.
    """
    text = without_file_protocol(os.fspath(path))
    if not is_url(text):
        yield expand_user(text)
        return
    base, mirror = _empty_copy(text)
    done = Event()
    try:
        mirror.pull()
    except BaseException:
        shutil.rmtree(base, ignore_errors=True)
        raise
    uploading = Thread(target=_push_often, args=(mirror, done), daemon=True)
    uploading.start()
    try:
        with addresses_in_errors():
            yield mirror.folder
    finally:
        done.set()
        uploading.join()
        try:
            mirror.push()
        except IqbenchError as error:
            raise IqbenchError(
                f"not all results could be uploaded to {text}: {error.message}",
                hint=f"They are in {mirror.folder}. Copy that folder to the address, or run again",
            ) from error
        shutil.rmtree(base, ignore_errors=True)


def _push_often(mirror: _Mirror, done: Event) -> None:
    while not done.wait(_SECONDS):
        with suppress(IqbenchError):  # the last try tells of it
            mirror.push()
