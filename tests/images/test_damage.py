"""Files with damaged contents are errors, even if a decoder accepts them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from made_images import chunk, noise, pillow, png, smooth, tiff
from made_pixels import decode, pixels
from PIL import Image

from iqbench.errors import IqbenchError

PICTURE = smooth(96, 128)
TEXTURE = (PICTURE * 0.9 + noise(96, 128, 3) // 16).astype(np.uint8)


def hole(data, start, stop):
    """Put zeros over a part, which is given in shares of the whole."""
    first, last = int(start * len(data)), int(stop * len(data))
    return data[:first] + bytes(last - first) + data[last:]


def strip(data, change):
    """Change the compressed bytes of the one strip that Pillow writes."""
    tags = Image.open(io.BytesIO(data)).tag_v2
    offset, count = tags[273][0], tags[279][0]
    changed = change(data[offset : offset + count])
    assert len(changed) == count
    return data[:offset] + changed + data[offset + count :]


JPEGS = {
    "baseline": pillow(TEXTURE, "JPEG", quality=90),
    "4:2:0": pillow(TEXTURE, "JPEG", quality=90, subsampling=2),
    "progressive": pillow(TEXTURE, "JPEG", quality=90, progressive=True),
    "restarts": pillow(TEXTURE, "JPEG", quality=90, restart_marker_blocks=4),
    "gray": pillow(TEXTURE[..., 0], "JPEG", quality=90),
}


class TestJpeg:
    @pytest.mark.parametrize("label", JPEGS)
    def test_holes(self, label, capfd):
        for start in (0.4, 0.6, 0.8):
            with pytest.raises(IqbenchError, match="picture is damaged"):
                decode(hole(JPEGS[label], start, start + 0.15))
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("label", JPEGS)
    def test_cuts_with_an_end_marker(self, label):
        data = JPEGS[label]
        for share in (0.5, 0.7, 0.9):
            with pytest.raises(IqbenchError, match=r"picture is (damaged|truncated)"):
                decode(data[: int(share * len(data))] + b"\xff\xd9")

    @pytest.mark.parametrize("label", JPEGS)
    def test_lost_and_doubled_pieces(self, label):
        data = JPEGS[label]
        third, half = len(data) * 4 // 10, len(data) // 2
        for changed in (data[:third] + data[half:], data[:half] + data[third:]):
            with pytest.raises(IqbenchError, match="picture is damaged"):
                decode(changed)

    def test_the_last_scans_of_a_progressive_picture_are_missed(self):
        data = JPEGS["progressive"]
        scans = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
        assert len(scans) > 3
        for scan in scans[1:]:
            cut = data.rindex(b"\xff\xc4", 0, scan)  # the tables of a scan stand before it
            with pytest.raises(IqbenchError, match="scans of the JPEG are missing"):
                decode(data[:cut] + b"\xff\xd9")

    @pytest.mark.parametrize("length", [*range(12), 13, 20, 65000])
    @pytest.mark.parametrize("label", JPEGS)
    def test_a_scan_whose_header_has_another_length(self, label, length):
        data = JPEGS[label]
        start = data.index(b"\xff\xda") + 2
        if struct.unpack_from(">H", data, start) == (length,):
            pytest.skip("it is the right one")
        with pytest.raises(IqbenchError, match=r"picture is (damaged|truncated)"):
            decode(data[:start] + struct.pack(">H", length) + data[start + 2 :])

    def test_a_channel_without_a_scan_is_missed(self):
        rows = np.full((8, 8, 3), 90, np.uint8)
        data = pillow(rows, "JPEG", subsampling=0)
        start = data.index(b"\xff\xda")
        (length,) = struct.unpack_from(">H", data, start + 2)
        name, table = data[start + 5], data[start + 6]
        alone = b"\xff\xda\0\x08\1" + bytes((name, table, 0, 63, 0))
        with pytest.raises(IqbenchError, match="scans of the JPEG are missing"):
            decode(data[:start] + alone + data[start + 2 + length :])

    def test_bytes_before_a_marker_that_belong_to_nothing(self):
        data = JPEGS["baseline"]
        with pytest.raises(IqbenchError, match="extraneous bytes"):
            decode(data[:-2] + bytes(5) + data[-2:])

    def test_another_picture_after_the_end_is_not_looked_at(self):
        thumbnail = pillow(PICTURE[:16, :16], "JPEG")
        expected = pixels(JPEGS["baseline"])
        for tail in (thumbnail, thumbnail[:100], bytes(40)):
            np.testing.assert_array_equal(pixels(JPEGS["baseline"] + tail), expected)


@pytest.mark.parametrize(
    ("decoder", "data", "words"),
    [
        ("simplejpeg.decode_jpeg", JPEGS["baseline"], "Insufficient memory (case 4)"),
        ("imagecodecs.png_decode", pillow(PICTURE, "PNG"), "Out of memory"),
    ],
)
def test_memory_that_ran_out_is_no_damage(monkeypatch, decoder, data, words):
    def fail(*args, **options):
        raise ValueError(words)

    monkeypatch.setattr(decoder, fail)
    with pytest.raises(IqbenchError, match="is 128x96 pixels, for which there is not enough"):
        decode(data)


class TestWebp:
    @pytest.mark.parametrize(
        "options", [{"quality": 90}, {"quality": 30}, {"lossless": True}], ids=str
    )
    @pytest.mark.parametrize("alpha", [False, True])
    def test_holes(self, options, alpha):
        opacity = TEXTURE[..., :alpha]
        data = pillow(np.dstack([TEXTURE, opacity]), "WEBP", **options)
        pixels(data, alpha="composite")
        for start in (0.4, 0.5, 0.7):
            with pytest.raises(IqbenchError, match=r"picture is (damaged|truncated)"):
                decode(hole(data, start, start + 0.2), alpha="composite")

    def test_a_hole_in_the_alpha_alone(self):
        data = pillow(np.dstack([TEXTURE, TEXTURE[..., 0]]), "WEBP", quality=20)
        start = data.index(b"ALPH") + 200
        changed = data[:start] + bytes(2000) + data[start + 2000 :]
        with pytest.raises(IqbenchError, match="picture is damaged"):
            decode(changed, alpha="composite")

    @pytest.mark.parametrize("lossless", [False, True])
    def test_sound_files_of_all_sizes_and_qualities(self, lossless):
        # Each ends within so few bytes after what its pixels need that none is called damaged.
        for height, width in ((1, 1), (2, 17), (16, 16), (33, 47), (96, 128)):
            for quality in (1, 30, 60, 90, 100):
                stored = TEXTURE[:height, :width]
                data = pillow(stored, "WEBP", quality=quality, lossless=lossless)
                assert pixels(data).shape == stored.shape


# Zstandard is not among them: libtiff writes it without a checksum, so that a hole in what it
# stores as it is cannot be told from a picture, just as in a file without compression.
COMPRESSIONS = ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma"]


class TestTiff:
    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_holes(self, compression, capfd):
        data = pillow(TEXTURE, "TIFF", compression=compression)
        for start in (0.3, 0.5, 0.8):
            with pytest.raises(IqbenchError, match="picture is damaged"):
                decode(strip(data, lambda piece, at=start: hole(piece, at, at + 0.2)))
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_lost_pieces(self, compression):
        data = pillow(TEXTURE, "TIFF", compression=compression)

        def lose(piece):
            third, half = len(piece) // 3, len(piece) // 2
            return piece[:third] + piece[half:] + bytes(half - third)

        with pytest.raises(IqbenchError, match="picture is damaged"):
            decode(strip(data, lose))

    @pytest.mark.parametrize("place", [0, 1, -2, -1])
    def test_a_jpeg_stream_without_its_first_or_last_marker(self, place):
        def change(piece):
            piece = bytearray(piece)
            piece[place] ^= 8
            return bytes(piece)

        data = pillow(TEXTURE, "TIFF", compression="jpeg")
        with pytest.raises(IqbenchError, match="does not start and end like a JPEG"):
            decode(strip(data, change))

    @pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits"])
    @pytest.mark.parametrize("tiled", [False, True])
    def test_one_of_many_strips_or_tiles(self, compression, tiled):
        layout = {"tile": (32, 48)} if tiled else {"rowsperstrip": 20}
        data = bytearray(tiff(TEXTURE, compression=compression, **layout))
        np.testing.assert_array_equal(pixels(bytes(data)), TEXTURE)
        middle = len(data) // 2
        data[middle : middle + 300] = bytes(300)
        with pytest.raises(IqbenchError, match="picture is damaged"):
            decode(bytes(data))

    @pytest.mark.parametrize("tag", [273, 279])
    def test_places_of_strips_that_are_bytes(self, tag):
        # TIFF 6.0 allows 16 and 32 bits; libtiff, too, takes others for damage.
        data = bytearray(tiff(TEXTURE, rowsperstrip=20))
        start = struct.unpack_from("<I", data, 4)[0] + 2
        entries = range(start, start + 12 * struct.unpack_from("<H", data, start - 2)[0], 12)
        (entry,) = (at for at in entries if struct.unpack_from("<H", data, at) == (tag,))
        data[entry + 2 : entry + 4] = struct.pack("<H", 1)
        with pytest.raises(IqbenchError, match="picture is damaged: the offsets"):
            decode(bytes(data))

    def test_a_last_strip_that_is_full_is_cut(self):
        full = np.concatenate([TEXTURE, TEXTURE[:4]])  # five strips of 20 rows
        data = bytearray(tiff(full, rowsperstrip=20, compression="zlib"))
        height = data.index(struct.pack("<HHII", 257, 4, 1, 100)) + 8
        data[height : height + 4] = struct.pack("<I", 96)
        np.testing.assert_array_equal(pixels(bytes(data)), TEXTURE)

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_strips_of_another_length_than_their_pixels(self, compression):
        data = bytearray(tiff(TEXTURE, compression=compression))
        width = data.index(struct.pack("<HHII", 256, 4, 1, 128)) + 8
        data[width : width + 4] = struct.pack("<I", 127)
        with pytest.raises(IqbenchError, match=r"picture is damaged: .*(length of its|SPACE)"):
            decode(bytes(data))


class TestPng:
    def test_a_stream_of_another_picture(self):
        # Every checksum is right; only the pixels are too few, too many or another's.
        rows = np.zeros((4, 6), np.uint8)
        good = png(rows, 8, 0)
        start = good.index(b"IDAT") - 4
        for stream in (
            zlib.compress(bytes(7 * 3)),
            zlib.compress(bytes(7 * 5)),
            zlib.compress(bytes(7 * 4))[:-4] + bytes(4),
            zlib.compress(bytes(7 * 4))[:-1],
            b"",
        ):
            data = good[:start] + chunk(b"IDAT", stream) + chunk(b"IEND", b"")
            with pytest.raises(IqbenchError, match="compressed pixels do not have the size"):
                decode(data)

    def test_a_filter_that_does_not_exist(self, capfd):
        rows = bytearray(7 * 4)
        rows[7] = 5
        good = png(np.zeros((4, 6), np.uint8), 8, 0)
        start = good.index(b"IDAT") - 4
        data = good[:start] + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
        with pytest.raises(IqbenchError, match="picture is damaged: libpng reports 'bad adaptive"):
            decode(data)
        assert capfd.readouterr() == ("", "")

    def test_chunks_that_are_swapped_doubled_or_lost(self):
        values = noise(5, 8) % 3
        palette, opacity = chunk(b"PLTE", bytes(range(9))), chunk(b"tRNS", b"\x80")
        data = png(values, 8, 3, palette, opacity)
        pixels(data, alpha="composite")
        start = data.index(b"IDAT") - 4
        for extra in ([opacity, palette], [palette, palette], [opacity], []):
            with pytest.raises(IqbenchError, match="chunks of its pixels are missing or out of"):
                decode(png(values, 8, 3, *extra), alpha="composite")
        behind = data[: start - len(opacity)] + data[start:-12] + opacity + data[-12:]
        with pytest.raises(IqbenchError, match="chunks of its pixels are missing or out of order"):
            decode(behind, alpha="composite")


class TestBmp:
    def test_a_place_that_the_palette_does_not_have(self):
        data = bytearray(pillow(Image.fromarray(noise(4, 8) % 4).convert("P"), "BMP"))
        data[46:50] = struct.pack("<I", 2)
        with pytest.raises(IqbenchError, match="a colour that is not in the palette"):
            decode(bytes(data))

    def test_pixels_inside_the_header(self):
        data = bytearray(pillow(PICTURE, "BMP"))
        data[10:14] = struct.pack("<I", 20)
        with pytest.raises(IqbenchError, match="start inside the header"):
            decode(bytes(data))
