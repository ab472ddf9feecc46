"""Remote objects, through fsspec: list them with sizes and versions, and read ranges of them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from hashlib import md5
from typing import Any, BinaryIO
from urllib.parse import unquote

from iqbench.blobs.blob import BlobFile, changed
from iqbench.blobs.cache import block_cache, block_key
from iqbench.blobs.retries import attempt, no_answer, request_error
from iqbench.errors import IqbenchError

__all__ = [
    "RemoteObject",
    "delete_object",
    "find_objects",
    "is_url",
    "is_web_address",
    "list_objects",
    "look_at",
    "plain_address",
    "without_file_protocol",
    "write_object",
]

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")
_SECRET = re.compile(
    r"[?&][^=&#]*(?:token|sig|secret|key|password|credential)[^=&#]*=[^#]*", re.IGNORECASE
)
_MD5 = re.compile(r"[0-9a-f]{32}")

_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("http", "https"), "http"),
    "hf": "hf",
}
"""By protocol, the extra of iqbench that installs its library."""

_TAGS = (
    *("ETag", "etag", "blob_id", "xet_hash", "generation"),
    *("md5Hash", "Content-MD5", "content_md5"),
)
"""What libraries call the tag that a server gives an object, another one whenever it changes."""

_TIMES = ("mtime", "last_modified", "LastModified", "Last-Modified", "created")
"""What libraries call the time at which an object changed."""

_VERSIONS = (*_TAGS, *_TIMES)
"""What changes with an object; the first that is there is taken."""

_SETTLED_SECONDS = 60
"""How old a change must be before the tag of a web server is taken to name one content only.

Web servers make ETags of the size and the second of the change: two changes in one second have the
same. RFC 7232, section 2.2.2, suggests this margin, which also covers clocks that differ.
"""

BLOCK = 2**18
"""Size in bytes of the blocks in which objects are read and cached."""

_MOST_AHEAD = 32
"""The largest number of blocks of one request when a file is read sequentially."""

_LOOKS = 16
"""The number of concurrent requests for sizes, if a server lists only names."""

_WITHOUT_RANGES = 2**28
"""Largest size in bytes of an object on a server without range requests."""


def is_url(text: str) -> bool:
    """Return whether a text is an address such as ``s3://bucket/folder``."""
    return _URL.match(text) is not None


def is_web_address(text: str) -> bool:
    """Return whether an address belongs to a web server, where ``?`` starts a query."""
    return text.lower().startswith(("http://", "https://"))


def without_file_protocol(text: str) -> str:
    """Return the path of an address such as ``file:///folder``; any other text as it is."""
    protocol, separator, path = text.partition("://")
    return path if separator and protocol.lower() in ("file", "local") else text


def plain_address(url: str) -> str:
    """Return an address with its protocol in lower case, as libraries expect it."""
    protocol, separator, path = url.partition("://")
    return f"{protocol.lower()}{separator}{path}"


def _open_filesystem(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of an address, and the path in it.

    Raises
    ------
    IqbenchError
        If no library is installed for it, none is known, or it has a password or a secret in it.
    """
    if _PASSWORD.search(url):
        raise IqbenchError(
            f"the address {_PASSWORD.sub('://...@', url)} has a password in it",
            hint="Give credentials as the library of this protocol expects them, not in the "
            "address, because addresses are written into tables",
        )
    if is_web_address(url) and _SECRET.search(url):
        raise IqbenchError(
            f"the address {_SECRET.sub('?...', url)} has a secret in it",
            hint="Download the file: addresses are written into tables",
        )
    import fsspec

    url = plain_address(url)
    protocol = url.partition("://")[0]
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        raise IqbenchError(
            f"{url} needs a library that is not installed: {error}",
            hint=f"pip install 'iqbench[{extra}]'" if extra else "",
        ) from error
    except ValueError as error:
        if protocol not in fsspec.available_protocols():
            raise IqbenchError(
                f"{url}: {protocol}:// is not known",
                hint="Known: s3://, gs://, hf://, https://, memory:// and others of fsspec",
            ) from error
        raise request_error(url, error) from error
    except Exception as error:  # an error of the library, such as missing credentials
        raise request_error(url, error) from error
    return filesystem, path


def _address(filesystem: Any, path: str) -> str:
    return str(filesystem.unstrip_protocol(path))


def _version(facts: Mapping[str, Any]) -> str:
    found = next((facts[key] for key in _VERSIONS if facts.get(key)), "")
    # A library may return the same time as a number in lists and as a date for a single object.
    moment = found.timestamp() if isinstance(found, datetime) else found
    return f"{moment:.6f}" if isinstance(moment, float) else str(moment)


def _has_tag(name: str, facts: Mapping[str, Any]) -> bool:
    """Tell whether an object's version is a tag that no other content of it has."""
    tag = next((facts[key] for key in _TAGS if facts.get(key)), None)
    if tag is None or str(tag).startswith("W/"):  # weak: the bytes may be others
        return False
    return not is_web_address(name) or _is_settled(facts.get("Last-Modified"))


def _is_settled(changed_at: str | None) -> bool:
    """Tell whether the last change, if the server says when it was, is a while ago."""
    if changed_at is None:
        return True
    try:
        moment = parsedate_to_datetime(changed_at)
    except ValueError:
        return False
    return time.time() - moment.timestamp() >= _SETTLED_SECONDS


@dataclass(frozen=True)
class RemoteObject:
    """A remote object that was listed.

    Attributes
    ----------
    name
        Its address.
    size
        Size in bytes.
    version
        A text that changes with the object: its ETag or its time; empty if the server has none.
    whole_only
        Whether its server gives no ranges.
    has_tag
        Whether the version is a tag (ETag) that no other content of the object has.
    """

    name: str
    size: int
    version: str
    whole_only: bool = False
    has_tag: bool = field(default=False, compare=False)

    @property
    def identity(self) -> str | None:
        """Its address, size and tag; None where it has no tag but, say, only a time."""
        return f"{self.name}\0{self.size}\0{self.version}" if self.has_tag else None

    def read(self, start: int, stop: int, ahead: int = 0) -> bytes:
        """Read a range, from the cache or the server, in whole blocks, which are cached.

        Parameters
        ----------
        start, stop
            The range of bytes.
        ahead
            How many further blocks to read if a request is necessary.
        """
        if stop <= start:
            return b""
        if not self.version:  # cached blocks could be outdated
            return self._fetch(start, stop)
        cache = block_cache()
        first, after = start // BLOCK, -(-stop // BLOCK)
        blocks = {number: cache.get(self._key(number)) for number in range(first, after)}
        missing = [number for number, block in blocks.items() if block is None]
        if missing:
            until = missing[-1] + 1 + (ahead if missing[-1] == after - 1 else 0)
            begin = missing[0] * BLOCK
            data = self._fetch(begin, min(until * BLOCK, self.size))
            for offset in range(0, len(data), BLOCK):
                number, block = (begin + offset) // BLOCK, data[offset : offset + BLOCK]
                blocks[number] = block
                cache.put(self._key(number), block)
        whole = b"".join(blocks[number] or b"" for number in range(first, after))
        return whole[start - first * BLOCK : stop - first * BLOCK]

    def open(self) -> BinaryIO:
        """Open it for reading in small steps."""
        return BlobFile.buffered(_SmallSteps(self))

    def _key(self, number: int) -> str:
        return block_key(self.name, self.size, self.version, number)

    def _fetch(self, start: int, stop: int) -> bytes:
        """Read a range from the server, and check that the object has not changed."""
        if self.whole_only and stop - start < self.size > _WITHOUT_RANGES:
            raise IqbenchError(
                f"{self.name} has {self.size:,} bytes, and its server does not send parts of it",
                hint="Download it and give the local file",
            )
        return attempt(partial(self._request, start, stop), self.name)

    def _request(self, start: int, stop: int) -> bytes:
        filesystem, path = _open_filesystem(self.name)
        data: bytes = filesystem.cat_file(path, start=start, end=stop)
        whole = stop - start == self.size
        if not whole and len(data) == self.size:  # the server ignored the range
            data = data[start:stop]
        if len(data) == stop - start and whole and self._is_md5_of(data):
            return data
        now = look_at(self.name, filesystem, path)
        if (now.size, now.version) != (self.size, self.version):
            raise changed(self.name)
        if len(data) != stop - start:
            raise OSError(f"the server sent {len(data):,} bytes instead of {stop - start:,}")
        return data

    def _is_md5_of(self, data: bytes) -> bool:
        """Return whether the version is the MD5 of the bytes, as usual on S3."""
        version = self.version.strip('"')
        return bool(_MD5.fullmatch(version)) and (
            md5(data, usedforsecurity=False).hexdigest() == version
        )


class _SmallSteps:
    """An object that is read in small steps, with read-ahead.

    In sequential reading, each request reads twice as many blocks as the one before. If most blocks
    are skipped, as between the headers of a tar with large images, it reads only the needed ones.
    """

    def __init__(self, whole: RemoteObject) -> None:
        self._whole = whole
        self._next = 0
        self._ahead = 0

    @property
    def name(self) -> str:
        """Its address."""
        return self._whole.name

    @property
    def identity(self) -> str | None:
        """That of the object."""
        return self._whole.identity

    @property
    def size(self) -> int:
        """In bytes."""
        return self._whole.size

    def read(self, start: int, stop: int) -> bytes:
        """Read a range."""
        first, last = start // BLOCK, (stop - 1) // BLOCK
        if first == self._next:
            self._ahead = min(2 * self._ahead + 1, _MOST_AHEAD - 1)
        elif first + 1 != self._next:
            self._ahead = 0
        self._next = last + 1
        return self._whole.read(start, stop, self._ahead)

    def open(self) -> BinaryIO:
        """Open it."""
        return self._whole.open()


def look_at(name: str, filesystem: Any, path: str) -> RemoteObject:
    """Request size and version of an object from the server, not from the library's cache.

    Raises
    ------
    IqbenchError
        If the server does not send the size.
    """
    if filesystem.protocol == "hf":
        # Otherwise the library lists the whole folder again for each object.
        facts = filesystem.info(path, refresh=True, expand_info=True)
    else:
        filesystem.invalidate_cache(path.rpartition("/")[0])
        facts = filesystem.info(path)
    if facts.get("size") is None:
        raise IqbenchError(
            f"{name}: its server does not send the size",
            hint="Download it and give the local file",
        )
    return _object_of(name, facts)


def _object_of(name: str, facts: Mapping[str, Any]) -> RemoteObject:
    return RemoteObject(
        name,
        int(facts["size"]),
        _version(facts),
        whole_only=facts.get("partial") is False,
        has_tag=_has_tag(name, facts),
    )


def find_objects(url: str) -> list[RemoteObject]:
    """Find the objects that match an address, or a pattern with ``*`` and ``?``.

    Raises
    ------
    IqbenchError
        If they cannot be listed. The result may be empty.
    """
    filesystem, path = _open_filesystem(url)

    def find() -> list[RemoteObject]:
        filesystem.invalidate_cache()
        try:
            pattern = r"[*]" if is_web_address(url) else r"[*?]"
            is_pattern = re.search(pattern, path) is not None
            paths = filesystem.glob(path.replace("[", "[[]")) if is_pattern else [path]
            found = [(one, filesystem.info(one)) for one in paths]
        except FileNotFoundError as error:
            if (reason := no_answer(error)) is not None:
                raise reason from error
            return []
        files = [one for one, facts in found if facts.get("type") != "directory"]
        return [look_at(_address(filesystem, one), filesystem, one) for one in files]

    return attempt(find, url)


def list_objects(
    url: str, refused: dict[str, IqbenchError] | None = None
) -> Iterator[tuple[str, RemoteObject]]:
    """List the objects below an address, each with its relative name.

    Parameters
    ----------
    url
        The address.
    refused
        Is filled, before the first object is given, with listed objects that the server refuses,
        and the reasons. Without it, or if
        the server refuses all objects, this is an error.

    Raises
    ------
    IqbenchError
        If they cannot be listed. The result may be empty.
    """
    filesystem, path = _open_filesystem(url)
    found = attempt(partial(_found_below, filesystem, path, is_web_address(url)), url)
    # A web server does not list sizes: each needs a request.
    unknown = [one for one, facts in found.values() if facts.get("size") is None]
    with ThreadPoolExecutor(_LOOKS) as pool:
        looked = dict(zip(unknown, pool.map(partial(_ask, filesystem), unknown), strict=True))
    failed = {
        name: why
        for name, (one, _) in found.items()
        if isinstance(why := looked.get(one), Exception)
    }
    for why in failed.values():
        if refused is None or len(failed) == len(found) or _is_out_of_reach(why):
            raise why
        refused.update(failed)
    for name in list(found):
        one, facts = found.pop(name)
        if name in failed:
            continue
        known = looked.get(one)
        yield (
            name,
            known
            if isinstance(known, RemoteObject)
            else _object_of(_address(filesystem, one), facts),
        )


def _ask(filesystem: Any, path: str) -> RemoteObject | IqbenchError:
    name = _address(filesystem, path)
    try:
        return attempt(partial(look_at, name, filesystem, path), name)
    except IqbenchError as error:
        return error


def _is_out_of_reach(error: IqbenchError) -> bool:
    """Return whether no server answered at all, so that other requests would fail too."""
    cause = error.__cause__
    missing = isinstance(cause, FileNotFoundError)
    return isinstance(cause, OSError) and not missing and not hasattr(cause, "status")


def _found_below(
    filesystem: Any, path: str, is_web: bool
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    filesystem.invalidate_cache()
    try:
        found = filesystem.find(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    if not found and is_web:
        _look_for_server(filesystem, path)
    prefix = path.rstrip("/") + "/"
    files = {
        one.removeprefix(prefix): (one, facts)
        for one, facts in found.items()
        if facts.get("type") != "directory" and one.startswith(prefix) and not one.endswith("/")
    }
    if not is_web:
        return files
    # The addresses of a web server are percent-encoded, but names are not. Its page of a folder
    # links to itself with another sort order.
    return {unquote(name): files[name] for name in files if name[0] not in "?#"}


def _look_for_server(filesystem: Any, path: str) -> None:
    """Raise the error of a web server that does not answer; fsspec would list no files."""
    try:
        filesystem.info(path)
    except FileNotFoundError as error:
        if (reason := no_answer(error)) is not None:
            raise reason from error


def write_object(url: str, data: bytes) -> None:
    """Write an object atomically: it appears, or is replaced, when it is complete.

    Raises
    ------
    IqbenchError
        If it cannot be written.
    """
    filesystem, path = _open_filesystem(url)
    attempt(partial(filesystem.pipe_file, path, data), url, "written")


def delete_object(url: str) -> None:
    """Delete an object, if it exists.

    Raises
    ------
    IqbenchError
        If it cannot be deleted.
    """
    filesystem, path = _open_filesystem(url)

    def delete() -> None:
        with suppress(FileNotFoundError):
            filesystem.rm_file(path)

    attempt(delete, url, "deleted")
