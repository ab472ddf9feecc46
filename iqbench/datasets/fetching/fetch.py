"""Fetch a dataset from its public address, verify it, and continue interrupted downloads."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from iqbench.datasets.dataset import DatasetSpec
from iqbench.datasets.digests import file_digest, read_checksums
from iqbench.datasets.download import Download
from iqbench.datasets.fetching.archives import Limits, unpack
from iqbench.datasets.fetching.verify import Progress
from iqbench.datasets.layout import MissingDataError
from iqbench.errors import IqbenchError

__all__ = ["Fetched", "by_hand", "fetch"]

RETRIES = 2
_LARGEST_FILE = 2**26
"""Bytes beyond which no single image is fetched."""


@dataclass(frozen=True)
class Fetched:
    """The result of a download.

    Attributes
    ----------
    fetched
        How many files came, those of archives counted one by one.
    kept
        How many were there already.
    """

    fetched: int
    kept: int


@dataclass(frozen=True)
class _File:
    url: str
    path: Path
    sha256: str


def fetch(spec: DatasetSpec, *, progress: Progress | None = None) -> Fetched:
    """Fetch what of a dataset is not there yet.

    Every file is verified by its SHA-256 before it takes its place, and takes it whole. What is
    there and right is kept, so that a run that was interrupted goes on; what is there and
    different is never overwritten.

    Parameters
    ----------
    spec
        The dataset; its block says from where.
    progress
        Is told how far it is, in files.

    Raises
    ------
    IqbenchError
        If the dataset cannot be fetched, nobody said where data lies, fetching is forbidden by
        ``IQBENCH_OFFLINE``, another file is in the place of one, one does not come as it should,
        or the dataset is not complete in the end.
    """
    from iqbench.networks.weights.store import OFFLINE_VARIABLE, offline

    if not spec.fetch:
        raise IqbenchError(f"dataset {spec.name!r} cannot be fetched", hint=by_hand(spec))
    root = spec.local_root
    if root is None:
        raise MissingDataError(
            f"there is no folder for the data of {spec.name!r} is to go",
            hint="Set the environment variable IQBENCH_DATA to a folder, or write it as `root:` "
            "into the datasets file",
        )
    wanted, kept = _wanted(spec, root)
    archives = [
        item for item in spec.fetch if item.is_archive and not _holds_something(root / item.to)
    ]
    kept += sum(item.is_archive for item in spec.fetch) - len(archives)
    if not wanted and not archives:
        _check_complete(spec)
        return Fetched(0, kept)
    if offline():
        raise IqbenchError(
            f"dataset {spec.name!r} is not fetched: {OFFLINE_VARIABLE} is set", hint=by_hand(spec)
        )
    if progress is not None:
        progress.begin(spec.name, len(wanted) + len(archives))
    count = 0
    with _staging(root) as staging:
        for file in wanted:
            arrived = _download(file.url, file.sha256, _LARGEST_FILE, staging)
            _place(arrived, file.path)
            count += 1
            if progress is not None:
                progress.advance(1)
        for item in archives:
            count += _fetch_archive(item, root, staging)
            if progress is not None:
                progress.advance(1)
    _check_complete(spec)
    return Fetched(count, kept)


def by_hand(spec: DatasetSpec) -> str:
    """Say where to get a dataset and where to put it."""
    places = spec.data.places()
    root = "the folder named by IQBENCH_DATA" if spec.root is None else str(spec.root)
    where = f"Get it from {spec.home}" if spec.home else "Get it where you know it"
    if not places:
        return where
    verb = "lies" if len(places) == 1 else "lie"
    return f"{where} and put it so that {' and '.join(places)} {verb} in {root}"


def _check_complete(spec: DatasetSpec) -> None:
    """See that the dataset is all there now."""
    try:
        spec.open()
    except IqbenchError as error:
        raise IqbenchError(error.message, hint="Move what is there away and fetch again") from error


def _wanted(spec: DatasetSpec, root: Path) -> tuple[list[_File], int]:
    """Choose the single files that are not there yet, and count those that are."""
    downloads = [item for item in spec.fetch if not item.is_archive]
    listed = read_checksums(spec.checksums) if downloads else {}
    wanted: list[_File] = []
    kept = 0
    for path, sha256 in listed.items():
        url = next((found for item in downloads if (found := item.address(path))), None)
        if url is None:
            continue
        target = root / path
        if not target.exists():
            wanted.append(_File(url, target, sha256))
        elif file_digest(target) == sha256:
            kept += 1
        else:
            raise IqbenchError(
                f"{target} is there and is not the file that would be fetched",
                hint="Move it away and fetch again",
            )
    if downloads and not wanted and not kept:
        raise IqbenchError(
            f"dataset {spec.name!r}: `fetch:` gives the address of no file in `checksums:`",
            hint="Correct the dataset's block",
        )
    return wanted, kept


def _fetch_archive(item: Download, root: Path, staging: Path) -> int:
    size = item.bytes or 0
    archive = _download(item.url, item.sha256 or "", size, staging, bar=sys.stderr.isatty())
    free = shutil.disk_usage(root).free
    count = unpack(archive, root / item.to, folder=item.folder, limits=Limits(bytes=free))
    archive.unlink()
    return count


def _download(url: str, sha256: str, largest: int, folder: Path, *, bar: bool = False) -> Path:
    """Download a file, whole and verified; a broken transfer is started again."""
    import pooch

    def bounded(url: str, path: Any, source: Any) -> None:
        fetcher = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**18)
        with Path(path).open("wb") as file:
            fetcher(url, _Bounded(file, largest, url), source)

    name = sha256
    source = pooch.create(
        path=folder,
        base_url="",
        registry={name: f"sha256:{sha256}"},
        urls={name: url},
        retry_if_failed=RETRIES,
    )
    # What it does is told by us; of a hash that does not match it would speak at length.
    pooch.get_logger().setLevel(logging.ERROR)
    try:
        return Path(source.fetch(name, downloader=bounded))
    except ValueError as error:
        raise IqbenchError(
            f"what came from {url} is not the published file: its sha256 is not {sha256}",
            hint="Try again; if it stays so, the source has changed: please report it",
        ) from error
    except OSError as error:  # of which requests' errors are a kind
        raise IqbenchError(
            f"{url} cannot be fetched: {_reason(error)}",
            hint="Try again: what has arrived whole is kept",
        ) from error


class _Bounded:
    """A file that refuses to become larger than what is expected."""

    def __init__(self, file: IO[bytes], largest: int, url: str) -> None:
        self._file, self._left, self._url = file, largest, url

    def write(self, data: bytes) -> int:
        """Write, if there is room."""
        self._left -= len(data)
        if self._left < 0:
            raise IqbenchError(f"{self._url} sends more bytes than the published file has")
        return self._file.write(data)

    def flush(self) -> None:
        """Pass it on."""
        self._file.flush()


@contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """Give a hidden folder beside the data, on the same file system; it goes in the end."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=root) as folder:
            yield Path(folder)
    except OSError as error:
        raise IqbenchError(f"cannot write to {root}: {error.strerror or error}") from error


def _place(arrived: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(target)


def _holds_something(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _reason(error: Exception) -> str:
    """Say in one line why; of requests' nested errors only what is at the bottom."""
    cause = getattr(error.args[0], "reason", error) if error.args else error
    text = (str(cause).splitlines() or [type(error).__name__])[0]
    return text if cause is error else text.split(": ", maxsplit=1)[-1]
