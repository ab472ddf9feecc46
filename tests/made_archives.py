"""Pack the files of a folder as zip, tar, Parquet, or objects in memory."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file by its relative path, in order."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: found[name].read_bytes() for name in sorted(found) if found[name].is_file()}


def write_zip(
    path: Path, files: dict[str, bytes], inside: str = "", method: int = zipfile.ZIP_DEFLATED
) -> Path:
    """A zip whose files lie in a folder of it."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(inside + name, data)
    return path


def write_tar(path: Path, files: dict[str, bytes], field: str = "") -> Path:
    """A tar; with a field, the name of each file is its key and the field, as in WebDataset."""
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            key = f"{name.partition('.')[0]}.{field}" if field else name
            info = tarfile.TarInfo(key)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))
    return path


def write_parquet(
    path: Path,
    files: dict[str, bytes],
    column: str = "image",
    *,
    paths: Iterable[str | None] | None = None,
    rows: int = 2,
    **columns: Sequence[object],
) -> Path:
    """A Parquet file with a column of bytes and path, as datasets of the Hugging Face hub have."""
    cells = [
        {"bytes": data, "path": name}
        for name, data in zip(paths or files, files.values(), strict=True)
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({column: pa.array(cells, kind), **columns})
    pq.write_table(table, path, row_group_size=rows)
    return path


def put_objects(address: str, files: dict[str, bytes]) -> str:
    """Objects below an address such as ``memory://bucket/folder``."""
    filesystem, path = fsspec.core.url_to_fs(address)
    for name, data in files.items():
        filesystem.pipe(f"{path}/{name}", data)
    return address
