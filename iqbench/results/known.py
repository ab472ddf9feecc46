"""The stored values of one dataset and method, in a few hundred bytes per image.

A run looks up every image that it scores, so all are in memory at once, as columns instead of
objects.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from iqbench.results.schema import bitstream_mark, output_mark

__all__ = ["ImageState", "KnownImages", "KnownMarks", "Value"]

Value: TypeAlias = tuple[str, str]
"""Metric and signature."""

_ROWS_AT_ONCE = 2**14
_PACKED = ("reference_digest", "output_digest", "pair", "bitstream_digest")
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_BITS = 63
"""How many values one number has a bit for."""


@dataclass(frozen=True)
class ImageState:
    """What the newest row of an image says; the attributes are those of `ImageRow`."""

    reference_digest: str | None = None
    output_digest: str | None = None
    pair: str | None = None
    error: str | None = None
    height: int | None = None
    width: int | None = None
    channels: int | None = None
    bit_depth: int | None = None
    bytes: int | None = None
    mos: float | None = None
    mos_std: float | None = None
    mos_direction: str | None = None
    distortion: str | None = None
    bitstream_digest: str | None = None


class _Digests:
    """A column of hexadecimal digests of one length, in half their bytes.

    Parameters
    ----------
    packed
        (rows, bytes) uint8.
    valid
        (rows,) bool: whether a row has a digest.
    """

    def __init__(self, packed: np.ndarray[Any, np.dtype[np.uint8]], valid: Any) -> None:
        self._packed = packed
        self._valid = valid

    def get(self, row: int) -> str | None:
        """Return one of them."""
        return self._packed[row].tobytes().hex() if self._valid[row] else None


class _Cells:
    """Any other column."""

    def __init__(self, column: pa.Array) -> None:
        self._column = column

    def get(self, row: int) -> Any:
        """Return one of its values."""
        return self._column[row].as_py()


def _compact(name: str, column: pa.ChunkedArray) -> _Digests | _Cells:
    """Keep a column in as few bytes as its values allow."""
    whole = column.combine_chunks()
    packed = _packed(whole) if name in _PACKED else None
    return _Cells(whole) if packed is None else packed


def _packed(column: pa.Array) -> _Digests | None:
    """Pack digests; None if a text is not a digest, or the lengths differ."""
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    texts = column.drop_null()
    lengths = pc.unique(pc.binary_length(texts)).to_pylist()
    if len(lengths) != 1 or lengths[0] % 2 or lengths[0] == 0:
        return None
    _, starts, data = texts.buffers()
    start = int(np.frombuffer(starts, np.int32)[texts.offset])
    shape = len(texts), lengths[0]
    digits = _NIBBLES[np.frombuffer(data, np.uint8, shape[0] * shape[1], start)].reshape(shape)
    if digits.max() == 255:
        return None
    packed = np.zeros((len(column), lengths[0] // 2), np.uint8)
    packed[valid] = digits[:, 0::2] << 4 | digits[:, 1::2]
    return _Digests(packed, valid)


class KnownImages(Mapping[str, ImageState]):
    """The newest row of every image, by its id.

    Parameters
    ----------
    table
        `iqbench.results.current.current_images` of one dataset and method.
    """

    def __init__(self, table: pa.Table) -> None:
        self._names = pc.cast(table.column("image"), pa.string()).combine_chunks()
        columns = ((item.name, table.column(item.name)) for item in fields(ImageState))
        self._columns = {
            name: _compact(name, column)
            for name, column in columns
            if column.null_count < len(column)
        }
        hashes = np.fromiter(map(hash, self), np.int64, len(self))
        order = np.argsort(hashes)
        self._hashes: array[int] = array("q", hashes[order].tobytes())
        self._rows: array[int] = array("i", order.astype(np.int32).tobytes())

    def row_of(self, image: object) -> int | None:
        """Say in which row of the table an image is; None where it is in none."""
        wanted = hash(image)
        place = bisect_left(self._hashes, wanted)
        while place < len(self._hashes) and self._hashes[place] == wanted:
            row = self._rows[place]
            if self._names[row].as_py() == image:
                return row
            place += 1
        return None

    def image(self, row: int) -> str:
        """Return the id in a row."""
        name: str = self._names[row].as_py()
        return name

    def cell(self, name: str, row: int) -> Any:
        """Return what a row says in one column."""
        column = self._columns.get(name)
        return column and column.get(row)

    def state(self, row: int) -> ImageState:
        """Return what a row says."""
        cells: dict[str, Any] = {name: column.get(row) for name, column in self._columns.items()}
        return ImageState(**cells)

    def __getitem__(self, image: str) -> ImageState:
        row = self.row_of(image)
        if row is None:
            raise KeyError(image)
        return self.state(row)

    def __contains__(self, image: object) -> bool:
        return self.row_of(image) is not None

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._names), _ROWS_AT_ONCE):
            yield from self._names.slice(start, _ROWS_AT_ONCE).to_pylist()

    def __len__(self) -> int:
        return len(self._names)


class KnownMarks(Mapping[str, Mapping[Value, "str | None"]]):
    """The values that need not be computed again: by image, and what names their files.

    Parameters
    ----------
    images
        Of the same dataset and method.
    scores
        Their rows, all current; see `iqbench.results.current.current_scores`.
    pairs
        The pair of each image, in the order of `images`.
    """

    def __init__(self, images: KnownImages, scores: pa.Table, pairs: pa.ChunkedArray) -> None:
        self._images = images
        values = [scores.column(name).combine_chunks() for name in ("metric", "signature")]
        row = _rows_of(images, scores.column("image").combine_chunks())
        mark = scores.column("pair")
        kind = np.where(
            pc.fill_null(pc.equal(mark, pc.take(pairs, pa.array(row))), False).to_numpy(),
            _PAIR,
            np.where(
                pc.fill_null(pc.starts_with(mark, "b"), False).to_numpy(), _BITSTREAM, _OUTPUT
            ),
        )
        kind[mark.is_null().to_numpy()] = _NO_FILE
        metrics, texts = (one.indices.to_numpy().astype(np.int64) for one in values)
        every = (metrics * len(values[1].dictionary) + texts) * len(_KINDS) + kind
        distinct, number = np.unique(every, return_inverse=True)
        self._values = [
            (
                values[0].dictionary[one // len(_KINDS) // len(values[1].dictionary)].as_py(),
                values[1].dictionary[one // len(_KINDS) % len(values[1].dictionary)].as_py(),
                one % len(_KINDS),
            )
            for one in distinct.tolist()
        ]
        self._has = np.zeros((len(images), -(-len(distinct) // _BITS)), np.int64)
        np.bitwise_or.at(self._has, (row, number // _BITS), np.int64(1) << number % _BITS)
        self._known: dict[bytes, list[tuple[Value, int]]] = {}

    def __getitem__(self, image: str) -> Mapping[Value, str | None]:
        row = self._images.row_of(image)
        if row is None or not self._has[row].any():
            raise KeyError(image)
        values = self._values_of(row)
        marks = {kind: self._mark(kind, row) for kind in {kind for _, kind in values}}
        return {value: marks[kind] for value, kind in values}

    def _mark(self, kind: int, row: int) -> str | None:
        """Name the files of the values of one kind."""
        cell = self._images.cell
        if kind == _PAIR:
            pair: str | None = cell("pair", row)
            return pair
        if kind == _OUTPUT:
            return output_mark(cell("output_digest", row))
        if kind == _BITSTREAM:
            size = cell("height", row), cell("width", row)
            return bitstream_mark(cell("bitstream_digest", row), *size)
        return None

    def _values_of(self, row: int) -> list[tuple[Value, int]]:
        """Name the values of an image; most images have the same ones."""
        has = self._has[row]
        key = has.tobytes()
        if key not in self._known:
            self._known[key] = [
                ((metric, text), kind)
                for number, (metric, text, kind) in enumerate(self._values)
                if has[number // _BITS] >> number % _BITS & 1
            ]
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        there = np.flatnonzero(self._has.any(axis=1))
        return map(self._images.image, there.tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self._has.any(axis=1)))


_KINDS = _PAIR, _OUTPUT, _BITSTREAM, _NO_FILE = range(4)
"""What a mark names: reference and output, the output alone, its bitstream, or no file."""


def _rows_of(images: KnownImages, names: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Say in which row of the images each name is."""
    rows = [images.row_of(name) for name in names.dictionary.to_pylist()]
    # The dictionary may hold names that no row uses; their images need not be known.
    known = np.array([-1 if row is None else row for row in rows], np.int64)
    found: np.ndarray[Any, np.dtype[np.int64]] = known[names.indices.to_numpy()]
    return found
