"""Features of images, stored once for all datasets and methods: what set values are computed from.

A folder below ``features/`` holds those of one extractor. A row has the digest of the image's file,
the sample value that meant white, and the number of the patch.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.results.part_file import ChecksumError, checksum_in_name, part_name
from iqbench.results.parts import list_parts
from iqbench.user_files import open_regular, replace_file

__all__ = ["FeatureKey", "FeatureTable", "feature_parts"]

Features = NDArray[np.float32]

_SIGNATURE = b"iqbench-features"
_ROWS_A_BLOCK = 2048
_MERGED_BYTES = 256 * 2**20
"""Parts that together are no larger than this are merged into one."""

_BLOCK = 2**20


class FeatureKey(NamedTuple):
    """Which image: the digest of its file, and the sample value of white."""

    digest: str
    peak: int


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
        name = sha256(signature.encode()).hexdigest()[:16]
        self.folder = root / "features" / name

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
        sink = pa.BufferOutputStream()
        described = table.replace_schema_metadata({_SIGNATURE: self.signature.encode()})
        # Features are noise in their last bits: compression would cost time and save nothing.
        pq.write_table(
            described,
            sink,
            compression="none",
            use_dictionary=["digest"],
            row_group_size=_ROWS_A_BLOCK,
        )
        content: bytes = sink.getvalue().to_pybytes()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / part_name(_next_moment(self.folder), content), content)
        except OSError as error:
            raise IqbenchError(
                f"cannot write features to {self.folder}: {error.strerror or error}",
                hint="Mend that or choose another folder with --results",
            ) from error

    def read(self, wanted: Sequence[FeatureKey]) -> Features:
        """Read the features of some images, a block of rows at a time.

        Parameters
        ----------
        wanted
            Each must be there; one that is named twice is given twice.

        Returns
        -------
        ndarray
            (rows, features) float32: the images in their order, the patches of each in theirs.
        """
        needed = set(wanted)
        found: dict[FeatureKey, dict[int, Features]] = {}
        for part in list_parts(self.folder):
            with _opened(part) as file:
                for batch in file.iter_batches(_ROWS_A_BLOCK):
                    vectors = batch.column("vector").flatten().to_numpy()
                    vectors = vectors.reshape(batch.num_rows, -1)
                    patches = batch.column("patch").to_pylist()
                    for key, patch, vector in zip(_keys_of(batch), patches, vectors, strict=True):
                        if key in needed:
                            found.setdefault(key, {})[patch] = vector.copy()
        missing = needed - found.keys()
        if missing:
            raise IqbenchError(
                f"{self.folder} lacks the features of {len(missing)} of {len(needed)} images",
                hint="Run iqbench evaluate again: it computes what is missing",
            )
        rows = [found[key][patch] for key in wanted for patch in sorted(found[key])]
        return np.stack(rows)

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
            with _opened(part) as file:
                tables.append(file.read())
        self._write(pa.concat_tables(tables, promote_options="default"))
        for part in parts:
            with suppress(OSError):
                part.unlink()


def feature_parts(root: Path) -> Iterator[tuple[Path, int | None, IqbenchError | None]]:
    """Read every part of features: the file, its number of rows, or what is wrong with it."""
    for folder in sorted((root / "features").glob("*")):
        for part in list_parts(folder):
            try:
                with _opened(part) as file:
                    yield part, file.metadata.num_rows, None
            except FileNotFoundError:
                continue
            except IqbenchError as error:
                yield part, None, error


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


def _next_moment(folder: Path) -> int:
    moments = [int(part.name.partition("-")[0]) + 1 for part in list_parts(folder)]
    return max([time.time_ns(), *moments])


def _keys(part: Path) -> list[FeatureKey]:
    with suppress(FileNotFoundError), _opened(part) as file:
        return _keys_of(file.read(columns=["digest", "peak"]))
    return []


def _keys_of(rows: pa.Table | pa.RecordBatch) -> list[FeatureKey]:
    pairs: Iterable[tuple[str, int]] = zip(
        rows.column("digest").to_pylist(), rows.column("peak").to_pylist(), strict=True
    )
    return [FeatureKey(digest, peak) for digest, peak in pairs]


@contextmanager
def _opened(part: Path) -> Iterator[pq.ParquetFile]:
    """Open a part whose checksum is the one in its name."""
    with open_regular(part) as source:
        digest = hashlib.sha256()
        while block := source.read(_BLOCK):
            digest.update(block)
        if digest.hexdigest() != checksum_in_name(part):
            raise ChecksumError(
                f"{part} is not the file that was written",
                hint="Put back a copy of it; or delete it and run iqbench evaluate again: only "
                "what it held is computed anew",
            )
        source.seek(0)
        try:
            yield pq.ParquetFile(source)
        except (pa.ArrowException, KeyError) as error:
            raise IqbenchError(
                f"cannot read {part}: {str(error).partition(chr(10))[0]}",
                hint="Delete it and run iqbench evaluate again: only what it held is computed anew",
            ) from error
