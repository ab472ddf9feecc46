"""Digests and headers of files at addresses, kept on this machine from run to run.

An entry is found by the file's identity (its address, size and tag), so a changed file has no
entry. Files without an identity, such as all local files, get no entry.

The store is one SQLite file: several processes may use it at the same time, and a transaction is
written as a whole or not at all. Each row has a checksum; a damaged store is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from iqbench import __version__
from iqbench.blobs.cache import CACHE_BYTES_VARIABLE, bytes_from_environment
from iqbench.datasets.storage.stored_file import StoredFile
from iqbench.errors import IqbenchError
from iqbench.images.probe import ImageHeader
from iqbench.images.source import Content, Source
from iqbench.user_files import cache_root

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = [
    "DIGESTS_VARIABLE",
    "DigestStore",
    "KnownFile",
    "digest_store",
    "identity_of",
    "known_image",
    "learned_of",
]

DIGESTS_VARIABLE = "IQBENCH_STORAGE_DIGESTS"
"""The environment variable that says how large the store may be, e.g. ``500M``; 0: none."""

_DEFAULT_BYTES = 2 * 2**30
_NAME = "files-1.sqlite"
"""The name of the file, with the version of its rows."""

_KEY_BYTES = 20
_CHECKSUM_BYTES = 8
_KEPT_SHARE = 0.9
"""A full store is reduced to this share of its size."""

_LOCK_SECONDS = 30.0
"""How long to wait for another process that writes."""

_DAY = 24 * 60 * 60
_FRESH_DAYS = 7
"""A row that is used is marked as used once in so many days, not each time."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS files "
    "(key BLOB NOT NULL UNIQUE, day INTEGER NOT NULL, facts BLOB NOT NULL, checksum BLOB NOT NULL)"
)
_TABLES = "SELECT name FROM sqlite_master WHERE name = 'files'"
_SELECT = "SELECT day, facts, checksum FROM files WHERE key = ?"
_DELETE_OLDEST = (
    "DELETE FROM files WHERE rowid <= "
    "(SELECT rowid FROM files ORDER BY rowid DESC LIMIT 1 OFFSET ?)"
)
_HINT = (
    f"Delete it, set IQBENCH_CACHE to a folder on a local disk, or {DIGESTS_VARIABLE}=0 to keep no "
    "digests"
)


@dataclass(frozen=True)
class KnownFile:
    """What is known of a file without reading it again.

    Attributes
    ----------
    digest
        SHA-256 of its bytes, hexadecimal.
    bytes
        How many there are.
    header
        What they say of the image; None of a file that was not read as an image.
    """

    digest: str
    bytes: int
    header: ImageHeader | None


def identity_of(source: Source | None) -> str | None:
    """Return the identity of a file in a storage; None for any other source."""
    return source.identity if isinstance(source, StoredFile) else None


def known_image(source: Source, known: Mapping[str, KnownFile]) -> KnownFile | None:
    """Return what is known of an image, by its identity; None if it was not read as one."""
    identity = identity_of(source)
    found = None if identity is None else known.get(identity)
    return None if found is None or found.header is None else found


def learned_of(
    source: Source, content: Content, header: ImageHeader | None
) -> dict[str, KnownFile]:
    """Return the facts to keep about an image that was read, by its identity.

    Nothing where it has no identity, or its header is damaged.
    """
    identity = identity_of(source)
    if identity is None or header is None:
        return {}
    return {identity: KnownFile(content.digest, content.bytes, header)}


def digest_store() -> DigestStore | None:
    """Return the store that the environment says; None where nothing is to be kept on disk.

    Raises
    ------
    IqbenchError
        If an environment variable is not a size.
    """
    most = bytes_from_environment(DIGESTS_VARIABLE, _DEFAULT_BYTES)
    if not most or not bytes_from_environment(CACHE_BYTES_VARIABLE, 1):
        return None
    return DigestStore(cache_root() / "digests" / _NAME, most)


class DigestStore:
    """What is known of files, by identity.

    Parameters
    ----------
    path
        The file; it and its folder are made when they are needed.
    most
        How many bytes it may have; beyond, the rows are deleted that were used least recently.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._most = most

    def get(self, identities: Collection[str]) -> dict[str, KnownFile]:
        """Return what is known of files, by identity; nothing of those that are not known.

        Raises
        ------
        IqbenchError
            If the store cannot be used. One that is damaged is deleted.
        """
        keys = {_key(identity): identity for identity in identities}
        found: dict[str, KnownFile] = {}
        if not keys or not self._path.exists():
            return found
        used: dict[bytes, bytes] = {}
        with self._opened() as connection:
            for key, identity in keys.items():
                row = connection.execute(_SELECT, (key,)).fetchone()
                if row is None:
                    continue
                day, facts, checksum = row
                if checksum != _checksum(key, day, facts):
                    raise _DamagedRowError
                if (known := _unpacked(facts)) is not None:
                    found[identity] = known
                if not 0 <= _today() - day < _FRESH_DAYS:
                    used[key] = facts
        if used:
            with suppress(IqbenchError), self._opened() as connection:  # it may be read-only
                self._write(connection, used)
        return found

    def put(self, files: Mapping[str, KnownFile]) -> None:
        """Keep what is known of files, in place of what was known of them before.

        Raises
        ------
        IqbenchError
            If the store cannot be written. One that is damaged is deleted.
        """
        if not files:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error.strerror or type(error).__name__) from error
        with self._opened() as connection:
            self._write(connection, {_key(one): _packed(known) for one, known in files.items()})

    def _write(self, connection: Connection, rows: Mapping[bytes, bytes]) -> None:
        today = _today()
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            # A row that is replaced gets a new number: the lowest ones were used least recently.
            connection.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
                ((key, today, facts, _checksum(key, today, facts)) for key, facts in rows.items()),
            )
            self._make_room(connection)

    def _make_room(self, connection: Connection) -> None:
        # Some pages stay half empty: deleting once may not be enough.
        while (size := _used_bytes(connection)) > self._most:
            ((count,),) = connection.execute("SELECT count(*) FROM files")
            if not count:
                break
            kept = int(count * _KEPT_SHARE * self._most / size)
            connection.execute(_DELETE_OLDEST, (kept,))

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        """Open the file for a moment: a connection must not be open while a process forks."""
        try:
            import sqlite3
        except ImportError as error:  # some builds of Python lack it
            raise self._unusable(str(error)) from error
        try:
            with closing(
                sqlite3.connect(self._path, timeout=_LOCK_SECONDS, isolation_level=None)
            ) as connection:
                if connection.execute(_TABLES).fetchone() is None:
                    connection.execute(
                        "PRAGMA auto_vacuum = FULL"
                    )  # what is deleted leaves no space
                    connection.execute(_TABLE)
                yield connection
        except sqlite3.OperationalError as error:
            raise self._unusable(str(error)) from error
        except (sqlite3.DatabaseError, _DamagedRowError) as error:
            raise self._delete() from error

    def _delete(self) -> IqbenchError:
        """Delete the file, which is damaged."""
        for suffix in ("", "-journal"):
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink()
        if self._path.exists():
            return self._unusable("it is damaged, and cannot be deleted")
        return IqbenchError(
            f"the digests of files at addresses in {self._path} were damaged, and are deleted: "
            "files are read again",
        )

    def _unusable(self, why: str) -> IqbenchError:
        return IqbenchError(
            f"the digests of files at addresses in {self._path} cannot be used: {why}", hint=_HINT
        )


class _DamagedRowError(Exception):
    """A row is not as it was written."""


def _used_bytes(connection: Connection) -> int:
    """Return how large the file will be once the transaction is over."""
    pages, free, page_bytes = (
        connection.execute(f"PRAGMA {what}").fetchone()[0]
        for what in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page_bytes)


def _today() -> int:
    return int(time() // _DAY)


def _key(identity: str) -> bytes:
    """Return the key of a file; another release may read headers differently, so it has others."""
    text = f"{__version__}\0{identity}".encode("utf-8", "surrogatepass")
    return sha256(text).digest()[:_KEY_BYTES]


def _checksum(key: object, day: object, facts: object) -> bytes:
    return sha256(repr((key, day, facts)).encode()).digest()[:_CHECKSUM_BYTES]


def _packed(known: KnownFile) -> bytes:
    header = None if known.header is None else astuple(known.header)
    rest = json.dumps([known.bytes, header], separators=(",", ":"))
    return bytes.fromhex(known.digest) + rest.encode()


def _unpacked(facts: bytes) -> KnownFile | None:
    """Read a row; None where it is of another form."""
    try:
        size, header = json.loads(facts[32:])
        return KnownFile(facts[:32].hex(), size, None if header is None else ImageHeader(*header))
    except (TypeError, ValueError):
        return None
