"""TIFF 6.0 and BigTIFF directories, which EXIF blocks are too."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from iqbench.errors import IqbenchError
from iqbench.images.formats.reader import BufferReader, Facts, Reader

__all__ = ["check_whole", "decodable", "exif_orientation", "facts"]

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 273, 274, 277, 278, 279
PLANAR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 284, 322, 323, 324, 325
SAMPLE_FORMAT = 339
MAXIMA = (281, 341)  # MaxSampleValue, SMaxSampleValue

# Field type to bytes per value; those that give unsigned integers to their struct code.
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
TYPE_SIZES |= {16: 8, 17: 8, 18: 8}
UNSIGNED = {1: "B", 3: "H", 4: "I", 16: "Q"}

UNCOMPRESSED, JPEG = 1, 7

# (Photometric interpretation, bits) that OpenCV decodes rightly, to channels. White-is-zero at 16
# bits comes out inverted, palettes of less than 8 bits and YCbCr outside JPEG are rare.
KINDS = {
    (0, 1): 1, (0, 8): 1, (1, 1): 1, (1, 8): 1, (1, 16): 1,
    (2, 8): 3, (2, 16): 3, (3, 8): 3, (6, 8): 3,
}  # fmt: skip


@dataclass(frozen=True)
class _Directory:
    """One image file directory: tag to (field type, count, offset of the values)."""

    file: Reader
    order: str
    entries: dict[int, tuple[int, int, int]]
    following: int

    def values(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        if tag not in self.entries:
            return default
        kind, count, offset = self.entries[tag]
        if kind not in UNSIGNED:
            raise self.file.damaged(f"its TIFF tag {tag} is no unsigned integer")
        self.file.reaches(offset + count)  # before a count of billions becomes a layout
        return self.file.unpack(f"{self.order}{count}{UNSIGNED[kind]}", offset)

    def value(self, tag: int, default: int | None = None) -> int:
        values = self.values(tag)
        if not values:
            if default is None:
                raise self.file.damaged(f"its TIFF tag {tag} is missing")
            return default
        return values[0]


def _directory(file: Reader) -> _Directory:
    """Read the first directory."""
    order = "<" if file.at(0, 2) == b"II" else ">"
    (version,) = file.unpack(f"{order}H", 2)
    big = version == 43
    word, counter, pointer_at = ("Q", "Q", 8) if big else ("I", "H", 4)
    word_size = struct.calcsize(word)
    (start,) = file.unpack(order + word, pointer_at)
    (count,) = file.unpack(order + counter, start)
    first = start + struct.calcsize(order + counter)
    entry_size = 4 + 2 * word_size
    file.reaches(first + count * entry_size + word_size)
    entries: dict[int, tuple[int, int, int]] = {}
    for entry in range(first, first + count * entry_size, entry_size):
        tag, kind, number = file.unpack(f"{order}HH{word}", entry)
        inline = entry + 4 + word_size
        long = TYPE_SIZES.get(kind, 0) * number > word_size
        offset = file.unpack(order + word, inline)[0] if long else inline
        if tag in entries:  # two readers could take two different ones
            raise file.damaged(f"its TIFF tag {tag} stands twice")
        entries[tag] = (kind, number, offset)
    (following,) = file.unpack(order + word, first + count * entry_size)
    return _Directory(file, order, entries, following)


def exif_orientation(block: bytes) -> int:
    """Read the orientation, 1 to 8, of an EXIF block; 1 where there is none or it is damaged."""
    file = BufferReader("EXIF", block.removeprefix(b"Exif\0\0"))
    if not file.data.startswith(SIGNATURES):
        return 1
    try:
        return _orientation(_directory(file))
    except IqbenchError:  # the pixels are sound: they are shown as they are stored
        return 1


def _orientation(directory: _Directory) -> int:
    orientation = directory.value(ORIENTATION, 1)
    return orientation if 1 <= orientation <= 8 else 1


def _noted_bits(directory: _Directory) -> int | None:
    """Say how many bits hold the largest sample that the file claims; None for all 16."""
    for tag in MAXIMA:
        if tag in directory.entries and directory.entries[tag][0] in UNSIGNED:
            bits = max(directory.values(tag), default=0).bit_length()
            if 0 < bits < 16:
                return bits
    return None


def facts(file: Reader) -> Facts:
    """Read the first directory; refuse what OpenCV would decode wrongly or not at all."""
    directory = _directory(file)
    if directory.following:
        raise file.refused("is a TIFF of several pages", "Save each page as a file of its own")
    samples = directory.value(SAMPLES, 1)
    bits = directory.values(BITS, (1,))
    photometric = directory.value(PHOTOMETRIC)
    if photometric == 5:
        raise file.refused("is a CMYK TIFF", "Convert it to RGB and save it as PNG")
    if set(directory.values(SAMPLE_FORMAT, (1,))) != {1}:
        raise file.refused(
            "holds float or signed samples", "Save it with 8 or 16 bits a sample, unsigned"
        )
    if len(set(bits)) != 1 or bits[0] not in (1, 8, 16):
        raise file.refused(
            f"has {'/'.join(map(str, sorted(set(bits))))} bits a sample",
            "Save it with 8 or 16 bits a sample",
        )
    channels = KINDS.get((photometric, bits[0]))
    if channels is None or (photometric == 6 and directory.value(COMPRESSION, 1) != JPEG):
        raise file.refused("is a TIFF in an unusual colour space", "Save it as gray or RGB PNG")
    stored_samples = 1 if photometric == 3 else channels
    if samples > stored_samples:
        # OpenCV drops the alpha of gray and multiplies 8-bit colours by it: neither is alpha.
        raise file.refused("is a TIFF with an alpha channel", "Save it as PNG")
    if samples < stored_samples:
        raise file.damaged(f"it has {samples} TIFF samples a pixel")
    if bits[0] == 16 and samples > 1 and directory.value(PLANAR, 1) != 1:
        raise file.refused("is a 16-bit TIFF of separate planes", "Save it as PNG")
    height, width = directory.value(HEIGHT), directory.value(WIDTH)
    depth = 16 if bits[0] == 16 else 8
    noted = _noted_bits(directory) if depth == 16 else None
    stored = Facts("tiff", height, width, channels, depth, noted_bits=noted)
    return stored.oriented(_orientation(directory))


def check_whole(file: BufferReader) -> None:
    """Check that every value, strip and tile of the directory lies within the file."""
    directory = _directory(file)
    for kind, count, offset in directory.entries.values():
        file.reaches(offset + TYPE_SIZES.get(kind, 0) * count)
    height, width = directory.value(HEIGHT), directory.value(WIDTH)
    if TILE_OFFSETS in directory.entries:
        across = -(-width // max(directory.value(TILE_WIDTH), 1))
        pieces = across * -(-height // max(directory.value(TILE_HEIGHT), 1))
        offsets, counts = directory.values(TILE_OFFSETS), directory.values(TILE_COUNTS)
    else:
        pieces = -(-height // max(directory.value(ROWS_PER_STRIP, height), 1))
        offsets, counts = directory.values(STRIP_OFFSETS), directory.values(STRIP_COUNTS)
    if len(offsets) != len(counts) or len(offsets) < pieces or 0 in counts[:pieces]:
        raise file.damaged("strips or tiles of the TIFF are missing")
    for offset, count in zip(offsets, counts, strict=True):
        file.reaches(offset + count)
    if directory.value(COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED:
        row_bits = width * directory.value(SAMPLES, 1) * directory.value(BITS, 1)
        if sum(counts) < height * (row_bits // 8):
            raise file.damaged("the TIFF has fewer bytes than pixels")


def decodable(file: BufferReader) -> bytes:
    """Set the orientation tag to 1: OpenCV would apply it, and versions of it differ."""
    directory = _directory(file)
    if _orientation(directory) == 1:
        return file.data
    kind, _, offset = directory.entries[ORIENTATION]
    upright = struct.pack(directory.order + UNSIGNED[kind], 1)
    return file.data[:offset] + upright + file.data[offset + len(upright) :]
