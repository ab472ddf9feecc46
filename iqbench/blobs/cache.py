"""A cache for blocks of remote objects, in memory and on the local disk.

The key of a block consists of the object's address, size and version (such as its ETag), so that a
changed object has other blocks. The file of a block ends with the SHA-256 of its content, and
damaged files are ignored. When the cache is too large, the least recently used blocks are deleted.
"""

from __future__ import annotations

import os
import re
import secrets
from collections import OrderedDict
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

from iqbench.errors import IqbenchError
from iqbench.forks import ForkLock
from iqbench.user_files import cache_root

__all__ = [
    "CACHE_BYTES_VARIABLE",
    "BlockCache",
    "block_cache",
    "block_key",
    "bytes_from_environment",
]

CACHE_BYTES_VARIABLE = "IQBENCH_STORAGE_CACHE"
"""The environment variable for the size of the cache on disk, e.g. ``50G``; 0 switches it off."""

_DEFAULT_BYTES = 10 * 2**30
_MEMORY_BYTES = 64 * 2**20
_DIGEST_BYTES = 32
_KEPT_SHARE = 0.9
"""The share of its size to which a full cache is reduced."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def block_key(address: str, size: int, version: str, start: int) -> str:
    """Return the key of a block of an object."""
    return sha256(f"{address}\0{size}\0{version}\0{start}".encode()).hexdigest()


class BlockCache:
    """Blocks of bytes by key.

    Parameters
    ----------
    folder
        The folder of the files, which is created when it is needed.
    most
        The largest number of bytes on disk; 0 for no files.
    in_memory
        The largest number of bytes in memory.
    """

    def __init__(self, folder: Path, most: int, in_memory: int = _MEMORY_BYTES) -> None:
        self._folder = folder
        self._most = most
        self._in_memory = in_memory
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._held_bytes = 0
        self._used: int | None = None
        self._lock = ForkLock()

    def get(self, key: str) -> bytes | None:
        """Return a block, or None if it is not in the cache."""
        with self._lock:
            block = self._held.get(key)
            if block is not None:
                self._held.move_to_end(key)
                return block
        block = self._from_file(key)
        if block is not None:
            self._hold(key, block)
        return block

    def put(self, key: str, block: bytes) -> None:
        """Store a block; if the disk cannot be written, in memory only."""
        self._hold(key, block)
        if len(block) + _DIGEST_BYTES > self._most:
            return
        path = self._path(key)
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(block + sha256(block).digest())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError:  # without a cache, reading is only slower
            return
        self._make_room(len(block) + _DIGEST_BYTES)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _from_file(self, key: str) -> bytes | None:
        if not self._most:
            return None
        path = self._path(key)
        try:
            content = path.read_bytes()
            block, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
            if sha256(block).digest() != digest:
                path.unlink(missing_ok=True)
                return None
            os.utime(path)  # the time of its last use
        except OSError:
            return None
        return block

    def _hold(self, key: str, block: bytes) -> None:
        with self._lock:
            if key in self._held or len(block) > self._in_memory:
                return
            self._held[key] = block
            self._held_bytes += len(block)
            while self._held_bytes > self._in_memory:
                _, oldest = self._held.popitem(last=False)
                self._held_bytes -= len(oldest)

    def _make_room(self, added: int) -> None:
        with self._lock:
            if self._used is None:
                self._used = sum(size for _, size, _ in self._files())
            else:
                self._used += added
            if self._used <= self._most:
                return
            # Other processes write and delete too, so count the files again.
            files = sorted(self._files())
            self._used = sum(size for _, size, _ in files)
            for _, size, path in files:
                if self._used <= self._most * _KEPT_SHARE:
                    break
                with suppress(OSError):
                    path.unlink()
                    self._used -= size

    def _files(self) -> list[tuple[float, int, Path]]:
        """Return the time of last use, the size and the path of every file."""
        found = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size, path))
        return found


@cache
def _opened(folder: Path, most: int) -> BlockCache:
    return BlockCache(folder, most)


def block_cache() -> BlockCache:
    """Return the cache of this process, with the size from the environment.

    Raises
    ------
    IqbenchError
        If the environment variable is not a size.
    """
    most = bytes_from_environment(CACHE_BYTES_VARIABLE, _DEFAULT_BYTES)
    return _opened(cache_root() / "storage", most)


def bytes_from_environment(variable: str, default: int) -> int:
    """Read how many bytes may be kept on disk from an environment variable, e.g. ``50G``.

    Raises
    ------
    IqbenchError
        If it is not a size.
    """
    text = os.environ.get(variable, "").strip()
    match = _SIZE.fullmatch(text)
    if text and not match:
        raise IqbenchError(
            f"the environment variable {variable} is {text!r}",
            hint="Give a size such as 20G, or 0 to keep nothing on disk",
        )
    return int(float(match[1]) * _UNITS[match[2].lower()]) if match else default
