"""Features of images, stored once for all datasets and methods, for values of sets.

A folder below ``features/`` contains the features of one extractor. A row has the digest of the
image's file, the sample value of white, and the number of the patch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.results.extractor_files import (
    FeatureKey,
    extractor_folder,
    keys_of,
    opened,
    write_part,
)
from iqbench.results.parts import list_parts

__all__ = ["FeatureTable", "StoredFeatures"]

Features = NDArray[np.float32]
Integers = NDArray[np.int64]

_ROWS_A_BLOCK = 2048
_MERGED_BYTES = 256 * 2**20
"""Parts that together are no larger than this are merged into one."""

_IN_MEMORY = 2**28
"""Features of a set that take no more bytes than this are kept in memory once they are read."""

_TRIES = 20


class FeatureTable:
    """The features that one extractor gave.

    Parameters
    ----------
    root
        The results folder.
    signature
        Of the extractor: weights, options, view.
    """

    def __init__(self, root: Path, signature: str) -> None:
        self.signature = signature
        self.folder = extractor_folder(root, "features", signature)

    def keys(self) -> set[FeatureKey]:
        """Return which images have features."""
        return {key for part in list_parts(self.folder) for key in _keys(part)}

    def write(self, features: Mapping[FeatureKey, Features]) -> None:
        """Write the features of some images as a part that appears whole or not at all."""
        if not features:
            return
        digests = [key.digest for key, rows in features.items() for _ in rows]
        peaks = [key.peak for key, rows in features.items() for _ in rows]
        patches = [patch for rows in features.values() for patch in range(len(rows))]
        values = np.concatenate(list(features.values())).astype(np.float32, copy=False)
        self._write(_table(digests, peaks, patches, values))

    def _write(self, table: pa.Table) -> None:
        write_part(
            self.folder,
            table,
            self.signature,
            use_dictionary=["digest"],
            row_group_size=_ROWS_A_BLOCK,
        )

    def select(self, wanted: Sequence[FeatureKey]) -> StoredFeatures:
        """Find the features of some images, without reading them.

        Parameters
        ----------
        wanted
            Each must be there; one that is named twice is given twice.

        Raises
        ------
        IqbenchError
            If features are missing, or a part is damaged.
        """
        needed = set(wanted)
        rows: dict[FeatureKey, int] = {}
        length = 0
        for part in list_parts(self.folder):
            with suppress(FileNotFoundError), opened(part) as file:
                length = file.schema_arrow.field("vector").type.list_size
                table = file.read(columns=["digest", "peak", "patch"])
                patches = table.column("patch").to_pylist()
                for key, patch in zip(_keys_of(table), patches, strict=True):
                    if key in needed:
                        rows[key] = max(rows.get(key, 0), patch + 1)
        missing = needed - rows.keys()
        if missing:
            raise IqbenchError(
                f"{self.folder} lacks the features of {len(missing)} of {len(needed)} images",
                hint="Run iqbench evaluate again: it computes what is missing",
            )
        return StoredFeatures(self.folder, tuple(wanted), [rows[key] for key in wanted], length)

    def take(self, folder: Path) -> None:
        """Copy from another folder the features of images that are not here yet.

        Parameters
        ----------
        folder
            Of the same extractor, in another results folder.
        """
        known = self.keys()
        for part in list_parts(folder):
            with opened(part) as file:
                for number in range(file.num_row_groups):
                    table = file.read_row_group(number)
                    new = [key not in known for key in _keys_of(table)]
                    if any(new):
                        self._write(table.filter(pa.array(new)))
            known |= set(_keys(part))

    def merge(self) -> None:
        """Merge small parts that are neighbours in age, while other processes may read."""
        waiting: list[Path] = []
        size = 0
        with suppress(FileNotFoundError):
            for part in list_parts(self.folder):
                size += part.stat().st_size
                if size > _MERGED_BYTES:
                    self._join(waiting)
                    waiting, size = [], part.stat().st_size
                waiting.append(part)
            self._join(waiting)

    def _join(self, parts: Sequence[Path]) -> None:
        if len(parts) < 2:
            return
        tables = []
        for part in parts:
            with opened(part) as file:
                tables.append(file.read())
        self._write(pa.concat_tables(tables, promote_options="default"))
        for part in parts:
            with suppress(OSError):
                part.unlink()


class StoredFeatures:
    """The features of some images: read in blocks, or kept in memory where they are few.

    Parameters
    ----------
    folder
        Of the table.
    keys
        The images, in their order.
    rows
        How many rows each has.
    length
        How many features a row has.
    """

    def __init__(
        self, folder: Path, keys: Sequence[FeatureKey], rows: Sequence[int], length: int
    ) -> None:
        self._folder = folder
        self.length = length
        self.owners = np.repeat(np.arange(len(keys)), rows)
        starts = np.cumsum([0, *rows])
        self._starts: dict[FeatureKey, list[int]] = {}
        for key, start in zip(keys, starts.tolist(), strict=False):
            self._starts.setdefault(key, []).append(start)
        self._checked: set[str] = set()

    def blocks(self) -> Iterator[tuple[Integers, Features]]:
        """Give all rows, each once, some thousand at a time: their places, and their features."""
        if len(self.owners) * self.length * 4 > _IN_MEMORY:
            yield from self._stream()
            return
        features = self.array()
        for start in range(0, len(features), _ROWS_A_BLOCK):
            rows = features[start : start + _ROWS_A_BLOCK]
            yield np.arange(start, start + len(rows)), rows

    def array(self) -> Features:
        """Return all rows in their order, (rows, features) float32."""
        return self._array

    @cached_property
    def _array(self) -> Features:
        found = np.empty((len(self.owners), self.length), np.float32)
        for places, rows in self._stream():
            found[places] = rows
        return found

    def _stream(self) -> Iterator[tuple[Integers, Features]]:
        seen = np.zeros(len(self.owners), dtype=bool)
        for _ in range(_TRIES):
            # A part that vanished was merged by another process: its rows are in a new one.
            with suppress(FileNotFoundError):
                for part in list_parts(self._folder):
                    yield from self._rows_of(part, seen)
            if seen.all():
                return
        raise IqbenchError(
            f"{self._folder} lacks {len(seen) - int(seen.sum())} of {len(seen)} rows of features",
            hint="Run iqbench evaluate again: it computes what is missing",
        )

    def _rows_of(
        self, part: Path, seen: np.ndarray[Any, np.dtype[np.bool_]]
    ) -> Iterator[tuple[Integers, Features]]:
        """Give the rows of a part that are wanted and were not seen yet."""
        with opened(part, check=part.name not in self._checked) as file:
            self._checked.add(part.name)
            for batch in file.iter_batches(_ROWS_A_BLOCK):
                places, sources = [], []
                patches = batch.column("patch").to_pylist()
                for row, (key, patch) in enumerate(zip(_keys_of(batch), patches, strict=True)):
                    for start in self._starts.get(key, ()):
                        if not seen[start + patch]:
                            seen[start + patch] = True
                            places.append(start + patch)
                            sources.append(row)
                if places:
                    vectors = batch.column("vector").flatten().to_numpy()
                    yield np.array(places), vectors.reshape(batch.num_rows, -1)[sources]


def _table(
    digests: Sequence[str], peaks: Sequence[int], patches: Sequence[int], values: Features
) -> pa.Table:
    vector = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    columns = {
        "digest": pa.array(digests, pa.string()),
        "peak": pa.array(peaks, pa.int32()),
        "patch": pa.array(patches, pa.int32()),
        "vector": vector,
    }
    return pa.table(columns)


def _keys(part: Path) -> list[FeatureKey]:
    with suppress(FileNotFoundError), opened(part) as file:
        return _keys_of(file.read(columns=["digest", "peak"]))
    return []


def _keys_of(rows: pa.Table | pa.RecordBatch) -> list[FeatureKey]:
    return keys_of(rows.column("digest").to_pylist(), rows.column("peak").to_pylist())
