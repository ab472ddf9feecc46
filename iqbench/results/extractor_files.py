"""Files of an extractor's results: Parquet parts with a checksum in their names.

They contain features of images or moments of sets, from which values of sets are computed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from iqbench.errors import IqbenchError
from iqbench.results.part_file import ChecksumError, checksum_in_name, part_name
from iqbench.results.parts import list_parts
from iqbench.user_files import open_regular, replace_file

__all__ = [
    "KINDS",
    "FeatureKey",
    "extractor_folder",
    "extractor_folders",
    "extractor_parts",
    "keys_of",
    "opened",
    "write_part",
]

KINDS = ("features", "moments")
"""Folders of a results folder; each has a folder per extractor."""

_SIGNATURE = b"iqbench-features"
_BLOCK = 2**20


class FeatureKey(NamedTuple):
    """Which image: the digest of its file, and the sample value of white."""

    digest: str
    peak: int


def extractor_folder(root: Path, kind: str, signature: str) -> Path:
    """Name the folder of an extractor below a results folder."""
    return root / kind / sha256(signature.encode()).hexdigest()[:16]


def extractor_folders(root: Path, kind: str) -> Iterator[tuple[Path, str]]:
    """Give the folder of each extractor below a results folder, and its signature."""
    for folder in sorted((root / kind).glob("*")):
        for part in list_parts(folder)[:1]:
            with opened(part) as file:
                yield folder, (file.metadata.metadata or {})[_SIGNATURE].decode()


def extractor_parts(root: Path) -> Iterator[tuple[Path, int | None, IqbenchError | None]]:
    """Read every part: the file, its number of rows, or what is wrong with it."""
    for kind in KINDS:
        for folder in sorted((root / kind).glob("*")):
            for part in list_parts(folder):
                try:
                    with opened(part) as file:
                        yield part, file.metadata.num_rows, None
                except FileNotFoundError:
                    continue
                except IqbenchError as error:
                    yield part, None, error


def write_part(folder: Path, table: pa.Table, signature: str, **options: Any) -> Path:
    """Write a part that appears whole or not at all.

    Parameters
    ----------
    folder
        Of the extractor.
    table
        Its rows.
    signature
        Of the extractor.
    **options
        For ``pyarrow.parquet.write_table``.

    Raises
    ------
    IqbenchError
        Where the folder cannot be written.
    """
    sink = pa.BufferOutputStream()
    described = table.replace_schema_metadata({_SIGNATURE: signature.encode()})
    # Features are noise in their last bits: compression would cost time and save nothing.
    pq.write_table(described, sink, compression="none", **options)
    content: bytes = sink.getvalue().to_pybytes()
    part = folder / part_name(_next_moment(folder), content)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(part, content)
    except OSError as error:
        raise IqbenchError(
            f"cannot write {folder.parent.name} to {folder}: {error.strerror or error}",
            hint="Fix that or choose another folder with --results",
        ) from error
    return part


def _next_moment(folder: Path) -> int:
    moments = [int(part.name.partition("-")[0]) + 1 for part in list_parts(folder)]
    return max([time.time_ns(), *moments])


def keys_of(digests: Sequence[str], peaks: Sequence[int]) -> list[FeatureKey]:
    """Put digests and peaks together."""
    return [FeatureKey(digest, peak) for digest, peak in zip(digests, peaks, strict=True)]


@contextmanager
def opened(part: Path, *, check: bool = True) -> Iterator[pq.ParquetFile]:
    """Open a part, and see that its checksum is the one in its name.

    Raises
    ------
    FileNotFoundError
        Where the part is gone: another process has merged it.
    IqbenchError
        Naming the part, where it is not what was written, or cannot be read.
    """
    with open_regular(part) as source:
        digest = hashlib.sha256()
        while check and (block := source.read(_BLOCK)):
            digest.update(block)
        if check and digest.hexdigest() != checksum_in_name(part):
            raise ChecksumError(
                f"{part} is not the file that was written",
                hint="Put back a copy of it; or delete it and run iqbench evaluate again: only "
                "what it held is computed again",
            )
        source.seek(0)
        try:
            yield pq.ParquetFile(source)
        except (pa.ArrowException, KeyError) as error:
            raise IqbenchError(
                f"cannot read {part}: {str(error).partition(chr(10))[0]}",
                hint="Delete it and run iqbench evaluate again: only its content is computed again",
            ) from error
