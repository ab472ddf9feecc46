"""Mutated image files: each must be refused by name, or be read as a second decoder reads it.

`run(seed, count)` mutates small files of every format and sorts what becomes of them:

refused
    An error that names the file.
alike
    The pixels are those of the second decoder, which had nothing to say against the file.
wrong
    The second decoder complains, or reads other pixels: damage that became a number.
crashed, unnamed, printed, slow
    Another exception than `IqbenchError`; an error without the file's name; a line on a stream;
    more than two seconds.

The second decoder is another than iqbench's, and one that complains: OpenCV for JPEG (its libjpeg
prints what it warns of), TIFF (libtiff) and WebP, Pillow's own decoders for PNG, BMP and PNM. Bits
that make another picture without a trace, as in a file without compression, are read alike by both.
"""

from __future__ import annotations

import io
import logging
import os
import re
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import tifffile
from PIL import Image

from iqbench.errors import IqbenchError
from iqbench.images.orientation import undone
from iqbench.images.source import EncodedImage

sys.path.insert(0, str(Path(__file__).parents[1] / "images"))
from made_images import bmp, chunk, interlaced, noise, packed, pillow, png, smooth, tiff

__all__ = ["WRONG", "files", "judge", "mutated", "run"]

NAME = "mutated.file"
WRONG = ("wrong", "crashed", "unnamed", "printed", "slow")
PIXELS = 1_000_000  # what a lying header may claim, so that no mutation takes a second to decode
SECONDS = 2.0

logging.getLogger("tifffile").disabled = True  # its opinion is asked for, not its words

# libtiff also warns of tags that say nothing of pixels.
MAKES_NO_PIXELS = re.compile(
    r'"(\w*Resolution\w*|Software|DateTime|ImageDescription|Artist|Orientation)"'
    "|Unknown field with tag|of custom tag|ASCII value for tag"
)

# OpenCV refuses sound TIFFs of uncompressed tiles, or of strips that are higher than it likes.
OWN_LIMITS = re.compile("Invalid tile byte count|Assertion failed.*tile_height0")

Random = np.random.Generator
Change = Callable[[bytes, Random], bytes]


def files() -> dict[str, bytes]:
    """Return small sound files of every format, in each way to store pixels."""
    colour = (smooth(40, 56) * 0.9 + noise(40, 56, 3) // 16).astype(np.uint8)
    gray, deep = colour[..., 0].copy(), colour.astype(np.uint16) * 257
    opacity = np.where(noise(40, 56) < 99, 255, noise(40, 56)).astype(np.uint8)
    made = {
        "png": pillow(colour, "PNG"),
        "png gray": pillow(gray, "PNG"),
        "png palette": pillow(Image.fromarray(colour).quantize(30), "PNG"),
        "png alpha": pillow(np.dstack([colour, opacity]), "PNG"),
        "png 16": png(deep.reshape(40, -1), 16, 2, width=56),
        "png 2 bits": png(packed(gray >> 6, 2), 2, 0, width=56),
        "png interlaced": interlaced(colour, 8, 2),
        "jpeg": pillow(colour, "JPEG", quality=90),
        "jpeg 4:2:0": pillow(colour, "JPEG", quality=60, subsampling=2),
        "jpeg progressive": pillow(colour, "JPEG", quality=90, progressive=True),
        "jpeg restarts": pillow(colour, "JPEG", quality=90, restart_marker_blocks=2),
        "jpeg gray": pillow(gray, "JPEG"),
        "webp": pillow(colour, "WEBP", quality=80),
        "webp lossless": pillow(colour, "WEBP", lossless=True),
        "webp alpha": pillow(np.dstack([colour, opacity]), "WEBP", quality=80),
        "bmp": pillow(colour, "BMP"),
        "bmp palette": pillow(Image.fromarray(colour).quantize(30), "BMP"),
        "bmp 32": bmp(np.dstack([colour, opacity])[::-1, :, [2, 1, 0, 3]].tobytes(), 56, 40, 32),
        "ppm": pillow(colour, "PPM"),
        "pgm": pillow(gray, "PPM"),
    }
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        made[f"tiff {compression}"] = pillow(colour, "TIFF", compression=compression)
    for compression in (None, "zlib", "lzw"):
        layout = {"compression": compression, "predictor": True if compression else None}
        made[f"tiff tiles {compression}"] = tiff(colour, tile=(16, 32), **layout)
        made[f"tiff strips 16 {compression}"] = tiff(deep, rowsperstrip=7, **layout)
        made[f"tiff gray {compression}"] = tiff(gray, byteorder=">", rowsperstrip=9, **layout)
    return made


def _piece(data: bytes, random: Random) -> tuple[int, int]:
    """Choose a part: short ones are as probable as long ones."""
    length = int(len(data) ** random.random())
    start = int(random.integers(0, len(data) - length + 1))
    return start, start + length


def _flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for place in random.integers(0, len(data), random.integers(1, 9)):
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _replace_bytes(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for place in random.integers(0, len(data), random.integers(1, 9)):
        changed[place] = int(random.integers(256))
    return bytes(changed)


def _hole(data: bytes, random: Random) -> bytes:
    start, stop = _piece(data, random)
    return data[:start] + bytes([int(random.choice([0, 255]))]) * (stop - start) + data[stop:]


def _junk(data: bytes, random: Random) -> bytes:
    start, stop = _piece(data, random)
    return data[:start] + random.bytes(stop - start) + data[stop:]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: int(random.integers(1, len(data)))]


def _cut_and_end(data: bytes, random: Random) -> bytes:
    ends = (b"\xff\xd9", chunk(b"IEND", b""), bytes(len(data)))
    return _cut(data, random) + ends[int(random.integers(len(ends)))]


def _lose(data: bytes, random: Random) -> bytes:
    start, stop = _piece(data, random)
    return data[:start] + data[stop:]


def _double(data: bytes, random: Random) -> bytes:
    start, stop = _piece(data, random)
    return data[:stop] + data[start:]


def _move(data: bytes, random: Random) -> bytes:
    start, stop = _piece(data, random)
    rest = data[:start] + data[stop:]
    place = int(random.integers(0, len(rest) + 1))
    return rest[:place] + data[start:stop] + rest[place:]


def _lie(data: bytes, random: Random) -> bytes:
    """Put a plausible number of one, two or four bytes somewhere into the header."""
    changed = bytearray(data)
    size = int(random.choice([1, 2, 4]))
    place = int(random.integers(0, min(len(data), 400) - size))
    number = int(random.choice([0, 1, 2, 3, 4, 7, 8, 16, 24, 39, 41, 55, 57, 255, 256]))
    order = "big" if random.random() < 0.5 else "little"
    changed[place : place + size] = (number % 256**size).to_bytes(size, order)
    return bytes(changed)


def _shuffle_parts(data: bytes, random: Random) -> bytes:
    """Swap, double or lose whole chunks or segments; anything else is moved."""
    parts = _parts(data)
    if len(parts) < 3:
        return _move(data, random)
    one, two = (int(place) for place in random.integers(1, len(parts), 2))
    match int(random.integers(3)):
        case 0:
            parts[one], parts[two] = parts[two], parts[one]
        case 1:
            parts.insert(two, parts[one])
        case 2:
            del parts[one]
    return b"".join(parts)


def _parts(data: bytes) -> list[bytes]:
    """Cut a PNG at its chunks, a JPEG at its markers; other files are one part."""
    if data.startswith(b"\x89PNG"):
        cuts, place = [0], 8
        while place < len(data):
            cuts.append(place)
            place += 12 + struct.unpack_from(">I", data, place)[0]
    elif data.startswith(b"\xff\xd8"):
        cuts = [0, *(at for at in range(2, len(data) - 1) if _is_marker(data, at))]
    else:
        cuts = [0]
    return [data[a:b] for a, b in zip(cuts, [*cuts[1:], len(data)], strict=True)]


def _is_marker(data: bytes, at: int) -> bool:
    return data[at] == 0xFF and data[at + 1] not in (0, 0xFF)


def _behind_checksums(data: bytes, random: Random) -> bytes:
    """Change the data of one PNG chunk, or its uncompressed rows, and put the checksums right."""
    if not data.startswith(b"\x89PNG"):
        return _flip_bits(data, random)
    parts = _parts(data)
    place = int(random.integers(1, len(parts) - 1))
    kind, content = parts[place][4:8], parts[place][8:-4]
    if kind == b"IDAT" and random.random() < 0.3:
        content = zlib.compress(_any(zlib.decompress(content), random))
    elif content:
        content = _any(content, random)
    parts[place] = chunk(kind, content)
    return b"".join(parts)


PLAIN: tuple[Change, ...] = (
    *(_flip_bits, _replace_bytes, _hole, _junk, _cut, _cut_and_end, _lose, _double, _move, _lie),
)
CHANGES: tuple[Change, ...] = (*PLAIN, _shuffle_parts, _behind_checksums)


def _any(data: bytes, random: Random) -> bytes:
    return PLAIN[int(random.integers(len(PLAIN)))](data, random)


def mutated(seed: int, number: int, sound: dict[str, bytes]) -> tuple[str, bytes]:
    """Return the label of a file and what one mutation makes of it, always the same."""
    random = np.random.default_rng([seed, number])
    label = sorted(sound)[int(random.integers(len(sound)))]
    return label, CHANGES[int(random.integers(len(CHANGES)))](sound[label], random)


def run(
    seed: int, count: int, *, tell: Callable[[str], object] = lambda line: None
) -> Counter[str]:
    """Mutate files and sort what becomes of them; see `campaign.Run`."""
    counts: Counter[str] = Counter()
    sound = files()
    with patch.dict(os.environ, {"IQBENCH_MAX_PIXELS": str(PIXELS)}), tempfile.TemporaryFile() as f:
        for number in range(count):
            label, data = mutated(seed, number, sound)
            kind, note = judge(data, f)
            counts["tried"] += 1
            counts[kind] += 1
            if kind in WRONG:
                tell(f"{kind}: seed {seed}, image {number}, {label}: {note}")
    return counts


def judge(data: bytes, stream: io.BufferedRandom) -> tuple[str, str]:
    """Decode a file and sort it into a class; what C libraries print goes through `stream`."""
    started = time.perf_counter()
    with _captured(stream) as printed:
        try:
            picture = EncodedImage(NAME, data).decode(alpha="composite")
            problem = None
        except IqbenchError as error:
            picture, problem = None, error
        except Exception as error:
            return "crashed", repr(error)
    if printed():
        return "printed", printed()
    if time.perf_counter() - started > SECONDS:
        return "slow", f"{time.perf_counter() - started:.1f} s"
    if picture is None:
        return ("refused", "") if NAME in str(problem) else ("unnamed", str(problem))
    with _captured(stream) as printed:
        other = _second(data)
    said = printed()
    if OWN_LIMITS.search(said):
        others, complaints = [_by_pillow(data), _by_tifffile(data)], []
    else:
        others = [other]
        complaints = [line for line in said.splitlines() if not MAKES_NO_PIXELS.search(line)]
    readings = [other for other in others if other is not None]
    if complaints or not readings:
        return "wrong", "; ".join(complaints) or "the second decoder cannot read it"
    ways = (picture.pixels, undone(picture).pixels)
    if any(_equal(pixels, other) for pixels in ways for other in readings):
        return "alike", ""
    return "wrong", f"{picture.pixels.shape} is not {[other.shape for other in readings]}"


@contextmanager
def _captured(stream: io.BufferedRandom) -> Iterator[Callable[[], str]]:
    """Catch what C libraries print; returns how to get it afterwards."""
    stream.seek(0)
    stream.truncate()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    for number in (1, 2):
        os.dup2(stream.fileno(), number)
    try:
        yield lambda: os.pread(stream.fileno(), 4096, 0).decode(errors="replace")
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _second(data: bytes) -> np.ndarray | None:
    """Decode by another decoder; None if it does not like the file."""
    deep_png = data.startswith(b"\x89PNG") and data[24] == 16
    if data.startswith((b"\xff\xd8", b"II", b"MM", b"RIFF")) or deep_png:
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            return None
        if pixels is None or pixels.ndim == 2:
            return pixels if pixels is None else pixels[..., None]
        return _over_white(pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]])
    return _by_pillow(data)


def _by_pillow(data: bytes) -> np.ndarray | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image = Image.open(io.BytesIO(data))
            image.load()
            return _over_white(_samples(image))
        except Exception:  # whatever Pillow says against a file
            return None


def _by_tifffile(data: bytes) -> np.ndarray | None:
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            if page.compression != tifffile.COMPRESSION.NONE:
                return None  # it would ask the codecs that iqbench asks
            pixels = page.asarray()
    except Exception:  # whatever tifffile says against a file
        return None
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _samples(image: Image.Image) -> np.ndarray:
    """Return gray, gray with alpha, RGB or RGBA as Pillow reads it."""
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode in ("1", "L", "RGB") and "transparency" in image.info:
        image = image.convert({"RGB": "RGBA"}.get(image.mode, "LA"))
    elif image.mode == "1":
        image = image.convert("L")
    samples = np.asarray(image)
    return samples[..., None] if samples.ndim == 2 else samples


def _over_white(samples: np.ndarray) -> np.ndarray:
    """Composite by the definition, in whole numbers."""
    if samples.shape[2] in (1, 3):
        return samples
    peak = int(np.iinfo(samples.dtype).max)
    colours, opacity = samples[..., :-1].astype(np.int64), samples[..., -1:].astype(np.int64)
    over = (colours * opacity + peak * (peak - opacity) + peak // 2) // peak
    return over.astype(samples.dtype)


def _equal(pixels: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two pictures are equal; gray may be three equal channels."""
    if pixels.shape[:2] != other.shape[:2]:
        return False
    return bool((pixels.astype(np.int64) == other.astype(np.int64)).all())
