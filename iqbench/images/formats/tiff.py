"""TIFF 6.0 and BigTIFF: one image in strips or tiles, with any of the usual compressions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from iqbench.images.formats import jpeg
from iqbench.images.formats.reader import (
    BufferReader,
    ByteReader,
    ImageHeader,
    Samples,
    unpack_bits,
)
from iqbench.images.formats.tiff_codecs import FAX, JPEG, check_compression, expand, expand_fax
from iqbench.images.formats.tiff_directory import (
    BYTE,
    SIGNATURES,
    UNSIGNED,
    Directory,
    orientation_of,
    read_directory,
)

__all__ = ["SIGNATURES", "decode", "facts"]

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 273, 277, 278, 279
PLANAR, T4_OPTIONS, PREDICTOR, COLOUR_MAP = 284, 292, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES = 338, 339, 347
SUBFILE_TYPE, DNG_VERSION = 254, 50706
REDUCED = 1
MAXIMA = (281, 341)  # MaxSampleValue, SMaxSampleValue

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
GRAY = (WHITE_IS_ZERO, BLACK_IS_ZERO)
UNASSOCIATED = 2

# By photometric interpretation, the possible bits per sample.
KINDS = {
    WHITE_IS_ZERO: (1, 2, 4, 8, 16),
    BLACK_IS_ZERO: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    YCBCR: (8,),
}

START, END = b"\xff\xd8", b"\xff\xd9"  # start and end of a JPEG stream
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"  # Adobe's marker, without the transform

LARGE_TILE = 2**24  # pixels; larger than real tiles


@dataclass(frozen=True)
class _Layout:
    """The layout of the samples in the file."""

    height: int
    width: int
    bits: int
    samples: int
    photometric: int
    compression: int
    planar: bool
    tiled: bool
    rows: int
    columns: int

    @property
    def peak(self) -> int:
        return int(2**self.bits - 1)

    @property
    def samples_a_piece(self) -> int:
        """Samples per pixel in a strip or tile."""
        return 1 if self.planar else self.samples

    @property
    def row_bytes(self) -> int:
        return (self.columns * self.samples_a_piece * self.bits + 7) // 8

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield the plane, the top row and the left column of each strip or tile."""
        for plane in range(self.samples if self.planar else 1):
            for top in range(0, self.height, self.rows):
                for left in range(0, self.width, self.columns):
                    yield plane, top, left


def facts(file: ByteReader) -> ImageHeader:
    """Read the first directory; raise an error for unsupported kinds."""
    directory = read_directory(file)
    _check_single(directory)
    bits = _bits(directory)
    photometric = directory.value(PHOTOMETRIC)
    compression = directory.value(COMPRESSION, 1)
    check_compression(file, compression, bits)
    if photometric == CMYK:
        raise file.refused("is a CMYK TIFF", "Convert it to RGB and save it as PNG")
    if bits not in KINDS.get(photometric, ()) or (photometric == YCBCR and compression != JPEG):
        raise file.refused("is a TIFF in an unusual colour space", "Save it as gray or RGB PNG")
    if compression == JPEG and (photometric not in (*GRAY, RGB, YCBCR) or bits != 8):
        raise file.refused("is a TIFF of an unusual kind of JPEG", "Save it as PNG")
    _check_order(directory, bits)
    own = 1 if photometric in (*GRAY, PALETTE) else 3
    samples = directory.value(SAMPLES, 1)
    if samples < own:
        raise file.damaged(f"it has {samples} TIFF samples per pixel")
    if samples > own + (photometric in (*GRAY, RGB) and compression != JPEG and bits >= 8):
        raise file.refused(f"is a TIFF of {samples} samples per pixel", "Save it as PNG")
    channels = own
    if photometric == PALETTE:
        colours = _colours(directory, bits)
        channels = 1 if bool((colours[:, :1] == colours).all()) else 3
    height, width = directory.value(HEIGHT), directory.value(WIDTH)
    depth = 16 if bits == 16 else 8
    noted = _noted_bits(directory) if depth == 16 else None
    stored = ImageHeader("tiff", height, width, channels, depth, samples > own, noted_bits=noted)
    return stored.oriented(orientation_of(directory))


def _check_single(directory: Directory) -> None:
    """Raise an error for several pages, and for files whose first image is not the main one."""
    file = directory.file
    if list(directory.entries) != sorted(directory.entries):
        raise file.damaged("its TIFF tags are not in ascending order")
    if directory.following:
        raise file.refused("is a TIFF of several pages", "Save each page as a file of its own")
    if DNG_VERSION in directory.entries or file.at(8, 2) == b"CR":
        raise file.refused("is a camera's raw file (DNG or CR2), which is not read", "Develop it")
    if directory.value(SUBFILE_TYPE, 0) & REDUCED:
        raise file.refused(
            "starts with an image of reduced size, like a camera's raw file", "Develop it"
        )


def _bits(directory: Directory) -> int:
    """Read the bits per sample; samples must be unsigned integers."""
    bits = directory.values(BITS, (1,))
    if set(directory.values(SAMPLE_FORMAT, (1,))) != {1}:
        raise directory.file.refused(
            "holds float or signed samples", "Save it with 8 or 16 bits per sample, unsigned"
        )
    if len(set(bits)) != 1 or bits[0] not in (1, 2, 4, 8, 16):
        raise directory.file.refused(
            f"has {'/'.join(map(str, sorted(set(bits))))} bits per sample",
            "Save it with 8 or 16 bits per sample",
        )
    return bits[0]


def _check_order(directory: Directory, bits: int) -> None:
    """Check that the order of samples and bits is supported."""
    if directory.value(PLANAR, 1) not in (1, 2) or directory.value(FILL_ORDER, 1) not in (1, 2):
        raise directory.file.damaged("the order of its TIFF samples or bits is unknown")
    if directory.value(PREDICTOR, 1) not in ((1, 2) if bits >= 8 else (1,)):
        raise directory.file.refused("is a TIFF with an unusual predictor", "Save it as PNG")


def _noted_bits(directory: Directory) -> int | None:
    """Return the number of bits of the largest sample that the file states; None for 16."""
    for tag in MAXIMA:
        if tag in directory.entries and directory.entries[tag][0] in UNSIGNED:
            bits = max(directory.values(tag), default=0).bit_length()
            if 0 < bits < 16:
                return bits
    return None


def _colours(directory: Directory, bits: int) -> Samples:
    """Return the palette, RGB of 8 bits."""
    stored = np.array(directory.values(COLOUR_MAP), np.uint32)
    if len(stored) != 3 * 2**bits:
        raise directory.file.damaged(f"its TIFF palette has {len(stored)} values")
    # Some programs store 8 bits instead of 16: recognise them by their values, as libtiff.
    high = stored >> 8 if int(stored.max()) >= 256 else stored
    return high.astype(np.uint8).reshape(3, -1).T


def decode(file: BufferReader, facts: ImageHeader) -> Samples:
    """Decompress every strip or tile, and check that each has exactly the bytes of its pixels."""
    directory = read_directory(file)
    directory.check_within()
    layout = _layout(directory)
    offsets, counts = _pieces(directory, layout)
    dtype = np.uint16 if layout.bits == 16 else np.uint8
    stored = np.empty((layout.height, layout.width, layout.samples), dtype)
    for (plane, top, left), offset, count in zip(layout.places(), offsets, counts, strict=False):
        piece = _piece(directory, layout, file.at(offset, count), layout.height - top)
        part = stored[top : top + layout.rows, left : left + layout.columns]
        planes = slice(plane, plane + 1) if layout.planar else slice(None)
        part[..., planes] = piece[: part.shape[0], : part.shape[1]]
    return _shown(directory, layout, stored, facts)


def _layout(directory: Directory) -> _Layout:
    height, width = directory.value(HEIGHT), directory.value(WIDTH)
    samples = directory.value(SAMPLES, 1)
    tiled = TILE_OFFSETS in directory.entries
    if tiled:
        rows, columns = directory.value(TILE_HEIGHT), directory.value(TILE_WIDTH)
    else:
        rows, columns = min(directory.value(ROWS_PER_STRIP, height), height), width
    if rows < 1 or columns < 1 or (tiled and rows * columns > max(LARGE_TILE, height * width)):
        raise directory.file.damaged(f"its TIFF strips or tiles are of {columns}x{rows} pixels")
    return _Layout(
        height=height,
        width=width,
        bits=directory.values(BITS, (1,))[0],
        samples=samples,
        photometric=directory.value(PHOTOMETRIC),
        compression=directory.value(COMPRESSION, 1),
        planar=samples > 1 and directory.value(PLANAR, 1) == 2,
        tiled=tiled,
        rows=rows,
        columns=columns,
    )


def _pieces(directory: Directory, layout: _Layout) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Read offsets and sizes of the strips or tiles; none may be missing."""
    tags = (TILE_OFFSETS, TILE_COUNTS) if layout.tiled else (STRIP_OFFSETS, STRIP_COUNTS)
    offsets, counts = (directory.values(tag) for tag in tags)
    if any(directory.entries[tag][0] == BYTE for tag in tags if tag in directory.entries):
        raise directory.file.damaged("the offsets of the TIFF's strips or tiles are bytes")
    down, across = -(-layout.height // layout.rows), -(-layout.width // layout.columns)
    number = down * across * (layout.samples if layout.planar else 1)
    if len(offsets) != len(counts) or len(offsets) < number or 0 in counts[:number]:
        raise directory.file.damaged("strips or tiles of the TIFF are missing")
    return offsets, counts


def _piece(directory: Directory, layout: _Layout, data: bytes, below: int) -> Samples:
    """Unpack a strip or tile, (rows, columns, samples), with `below` rows of the picture to go."""
    import imagecodecs

    file = directory.file
    # The last strip ends with the picture; some writers fill it, as tiles always are.
    rows = (layout.rows,) if layout.tiled else (layout.rows, min(layout.rows, below))
    if layout.compression != JPEG and directory.value(FILL_ORDER, 1) == 2:
        data = bytes(imagecodecs.bitorder_decode(data))
    if layout.compression == JPEG:
        piece = _jpeg_piece(directory, layout, data)
    elif layout.compression in FAX:
        options = directory.value(T4_OPTIONS, 0)
        piece = expand_fax(file, layout.compression, data, layout.columns, options)[..., np.newaxis]
    else:
        unpacked = expand(file, layout.compression, data, rows, layout.row_bytes)
        piece = _samples(directory, layout, unpacked)
    if len(piece) not in rows:
        raise file.damaged("a strip or tile of the TIFF does not have the length of its pixels")
    return piece


def _samples(directory: Directory, layout: _Layout, data: bytes | bytearray) -> Samples:
    """Convert decompressed bytes to an array, and undo the predictor."""
    import imagecodecs

    if len(data) % layout.row_bytes:
        raise directory.file.damaged(
            "a strip or tile of the TIFF does not have the length of its pixels"
        )
    if layout.bits < 8:
        rows = np.frombuffer(data, np.uint8).reshape(-1, layout.row_bytes)
        return unpack_bits(rows, layout.bits, layout.columns)[..., np.newaxis]
    stored = np.frombuffer(data, f"{directory.order}u{layout.bits // 8}")
    native: Samples = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    piece = native.reshape(-1, layout.columns, layout.samples_a_piece)
    if directory.value(PREDICTOR, 1) == 2:
        return imagecodecs.delta_decode(piece, axis=1)
    return piece


def _jpeg_piece(directory: Directory, layout: _Layout, data: bytes) -> Samples:
    """Decode an abbreviated JPEG stream with the tables of the directory (TIFF Technical Note 2).

    The stream does not state whether it is YCbCr or RGB, so Adobe's marker is added before it.
    """
    ended = data.endswith(END) or data.rstrip(b"\0").endswith(END)
    if not (data.startswith(START) and ended):
        raise directory.file.damaged(
            "a strip or tile of the TIFF does not start and end like a JPEG"
        )
    transform = {YCBCR: b"\1", RGB: b"\0"}.get(layout.photometric)
    adobe = b"" if transform is None or layout.planar else ADOBE + transform
    tables = directory.data(JPEG_TABLES)
    if tables and not (tables.startswith(START) and tables.endswith(END)):
        raise directory.file.damaged("the JPEG tables of the TIFF are incomplete")
    stream = START + adobe + tables[len(START) : -len(END)] + data[len(START) :]
    piece = jpeg.decode_stream(directory.file, stream, layout.samples_a_piece)
    if piece.shape[1:] != (layout.columns, layout.samples_a_piece):
        raise directory.file.damaged("a strip or tile of the TIFF has not the size of its pixels")
    return piece


def _shown(directory: Directory, layout: _Layout, stored: Samples, facts: ImageHeader) -> Samples:
    """Convert stored samples to gray or RGB, with alpha if there is any."""
    if layout.photometric == PALETTE:
        return _colours(directory, layout.bits)[:, : facts.channels][stored[..., 0]]
    if layout.bits < 8:
        stored *= np.uint8(255 // layout.peak)
    if layout.photometric == WHITE_IS_ZERO:
        np.invert(stored[..., :1], out=stored[..., :1])
    if facts.has_alpha and directory.values(EXTRA_SAMPLES) != (UNASSOCIATED,):
        alpha = stored[..., -1]
        if int(alpha.min()) != layout.peak:
            raise directory.file.refused(
                "is a TIFF whose colours are multiplied by alpha, or whose last channel is of "
                "unknown meaning",
                "Save it as PNG",
            )
    return stored
