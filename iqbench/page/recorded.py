"""Find images at the paths in the tables, without trusting the tables.

The tables and their paths may come from an unknown person. So no folder is listed. For each image
one file is opened, only if it is a regular file of the size that was scored, and it is shown only
if its digest is the one in the tables. The bytes and the time for reading are limited.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from os import PathLike
from pathlib import Path

from iqbench.errors import IqbenchError
from iqbench.images.source import EncodedImage
from iqbench.results.read import load_runs
from iqbench.results.schema import FilePlace
from iqbench.user_files import open_regular

__all__ = ["RecordedPlaces", "recorded_places"]

_MOST_PLACES = 1000
_LONGEST_PATH = 4096
_LARGEST_REFERENCE = 2**28
"""Largest size of a reference's file in bytes; the tables do not record its real size."""


@dataclass
class RecordedPlaces:
    """Files at places that the tables record.

    Attributes
    ----------
    places
        The places of the files, the newest first.
    bytes_left
        How many bytes may still be read.
    seconds_left
        For how many seconds files may still be read.
    """

    places: list[FilePlace]
    bytes_left: int = 2**31
    seconds_left: float = 20.0
    _refused: set[str] = field(default_factory=set, init=False)

    def find(
        self, dataset: str, method: str, image: str, digest: str | None, size: int | None = None
    ) -> EncodedImage | None:
        """Read the file of an image, if it exists and is the one that was scored.

        Parameters
        ----------
        dataset, method, image
            Names; the method is empty for a reference.
        digest
            SHA-256 of the file that was scored.
        size
            Size of that file in bytes, if the tables record it.
        """
        started = time.monotonic()
        try:
            for path in self._paths(dataset, method, image) if digest is not None else ():
                data = self._read(path, size)
                if data is not None and sha256(data).hexdigest() == digest:
                    return EncodedImage(str(path), data)
        finally:
            self.seconds_left -= time.monotonic() - started
        return None

    @property
    def sentences(self) -> list[str]:
        """Return one sentence for each kind of file that was not read, with the reason."""
        return sorted(self._refused)

    def _paths(self, dataset: str, method: str, image: str) -> Iterator[Path]:
        for place in self.places:
            if (place.dataset, place.method) == (dataset, method):
                text = f"{place.before}{image}{place.after}"
                # A path in the tables must not make this machine contact another one.
                if _is_local(text):
                    yield Path(text)

    def _read(self, path: Path, size: int | None) -> bytes | None:
        if self.seconds_left <= 0:
            self._refused.add("pictures at recorded places: reading them took too long")
            return None
        try:
            with open_regular(path) as file:
                there = os.fstat(file.fileno()).st_size
                if there != size if size is not None else there > _LARGEST_REFERENCE:
                    return None
                if there > self.bytes_left:
                    self._refused.add("pictures at recorded places: they are too large together")
                    return None
                self.bytes_left -= there
                return file.read(there)
        except PermissionError:
            self._refused.add("pictures at recorded places that this user may not read")
        except (OSError, ValueError, IqbenchError):  # ValueError: a path with a null character
            pass
        return None


def recorded_places(results: Iterable[str | PathLike[str]]) -> RecordedPlaces:
    """Read the places of the scored files from results folders.

    Raises
    ------
    IqbenchError
        As `load_runs`.
    """
    runs = [run for folder in results for run in reversed(load_runs(folder))]
    found = dict.fromkeys(place for run in runs for place in run.places)
    return RecordedPlaces(list(found)[:_MOST_PLACES])


def _is_local(path: str) -> bool:
    """Return whether a path is an absolute path on this machine."""
    network = path.startswith(("//", "\\\\", "/\\", "\\/"))
    return len(path) <= _LONGEST_PATH and not network and Path(path).is_absolute()
