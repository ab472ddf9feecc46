"""Decoding every supported kind of file, compared with Pillow, tifffile or the written samples."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import imagecodecs
import numpy as np
import pytest
from made_images import bmp, chunk, exif, interlaced, noise, packed, pillow, png, smooth, tiff
from made_images import whole_files as made_files
from made_pixels import decode, over_white, pixels
from PIL import Image, ImageOps

from iqbench.errors import IqbenchError
from iqbench.images.source import EncodedImage

WHOLE = made_files()
SEEN_BY_PILLOW = [label for label in WHOLE if "16" not in label]


@pytest.mark.parametrize("label", SEEN_BY_PILLOW)
def test_pixels_equal_those_of_pillow(label):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(WHOLE[label])))
    expected = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    actual = pixels(WHOLE[label])
    if expected.ndim == 2:
        expected = expected[..., None]
    # Two builds of libjpeg or libwebp may upsample colour differently by a level or two.
    lossy = label.startswith(("jpeg", "webp", "tiff jpeg")) and "lossless" not in label
    np.testing.assert_allclose(actual, expected, atol=3 if lossy else 0)


@pytest.mark.parametrize("label", ["png 16", "tiff 16 big", "ppm 16"])
def test_sixteen_bits_are_kept(label):
    np.testing.assert_array_equal(pixels(WHOLE[label]), noise(24, 36, 3, dtype=np.uint16))


def test_a_picture_knows_its_file():
    data = WHOLE["png"]
    picture = decode(data)
    assert (picture.height, picture.width, picture.channels, picture.bit_depth) == (24, 36, 3, 8)
    assert picture.name == "picture"
    assert picture.bytes == len(data)
    assert picture.digest == EncodedImage("other name", data).digest
    assert len(picture.digest) == 64


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_of_gray_fill_the_range_of_eight(bits):
    values = noise(5, 8) % 2**bits
    data = png(packed(values, bits), bits, 0, width=8)
    np.testing.assert_array_equal(pixels(data)[..., 0], values * (255 // (2**bits - 1)))


def test_gray_of_sixteen_bits():
    values = noise(5, 7, dtype=np.uint16)
    np.testing.assert_array_equal(pixels(png(values, 16, 0))[..., 0], values)
    np.testing.assert_array_equal(pixels(tiff(values))[..., 0], values)
    plain = b"P5 7 5 65535\n" + values.astype(">u2").tobytes()
    np.testing.assert_array_equal(pixels(plain)[..., 0], values)


@pytest.mark.parametrize("opacity", [b"", b"\xff\xff"])
def test_a_palette_of_grays_is_gray(opacity):
    values = noise(5, 8) % 4
    levels = np.array([0, 50, 100, 255], np.uint8)
    extra = [chunk(b"PLTE", np.repeat(levels, 3).tobytes())]
    extra += [chunk(b"tRNS", opacity)] if opacity else []
    np.testing.assert_array_equal(pixels(png(values, 8, 3, *extra))[..., 0], levels[values])
    assert pixels(pillow(Image.fromarray(values).convert("P"), "PNG")).shape == (5, 8, 1)
    assert pixels(pillow(Image.fromarray(values).convert("P"), "TIFF")).shape == (5, 8, 1)


class TestInterlacedPng:
    """All seven passes, or those that a small picture has, and no word on the way."""

    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 2), (8, 8), (13, 21)])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_whole_samples(self, size, dtype, capfd):
        for shape, colour in (((*size, 3), 2), (size, 0)):
            stored = noise(*shape, dtype=dtype)
            data = interlaced(stored, stored.itemsize * 8, colour)
            np.testing.assert_array_equal(pixels(data), stored.reshape(*size, -1))
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize("bits", [1, 2, 4])
    def test_parts_of_bytes(self, bits):
        values = noise(13, 21) % 2**bits
        expected = values * (255 // (2**bits - 1))
        np.testing.assert_array_equal(pixels(interlaced(values, bits, 0))[..., 0], expected)


def test_png_chunks_that_make_no_pixels_change_nothing_and_print_nothing(capfd):
    picture = noise(4, 6, 3)
    extra = [
        chunk(b"gAMA", struct.pack(">I", 100_000)),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(b"not a profile")),
        chunk(b"tIME", b"not a time"),
        chunk(b"sBIT", b"\5\6\5"),
    ]
    data = png(picture.reshape(4, -1), 8, 2, *extra, width=6)
    np.testing.assert_array_equal(pixels(data), picture)
    assert capfd.readouterr().err == ""


class TestOrientation:
    """All eight orientations, in every format that has them, beside those of Pillow."""

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("shape", [(4, 6, 3), (5, 5, 3)])
    def test_png_and_webp(self, orientation, shape):
        stored = Image.fromarray(noise(*shape))
        turned = stored.copy()
        turned.getexif()[0x0112] = orientation
        expected = np.asarray(ImageOps.exif_transpose(turned))
        for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
            data = pillow(stored, kind, exif=exif(orientation), **options)
            np.testing.assert_array_equal(pixels(data), expected, err_msg=kind)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("byteorder", ["<", ">"])
    def test_tiff(self, orientation, dtype, byteorder):
        stored = noise(4, 6, 3, dtype=dtype)
        upright = pixels(pillow(stored.astype(np.uint8), "PNG", exif=exif(orientation)))
        tag = [(274, "H", 1, orientation, True)]
        ordered = stored.astype(stored.dtype.newbyteorder(byteorder))
        actual = pixels(tiff(ordered, extratags=tag, byteorder=byteorder))
        assert actual.dtype == dtype
        np.testing.assert_array_equal(actual.astype(np.uint8), upright)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_jpeg(self, orientation):
        data = pillow(smooth(), "JPEG", exif=exif(orientation), quality=95)
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
        np.testing.assert_allclose(pixels(data), expected, atol=3)

    def test_a_damaged_exif_block_turns_nothing(self):
        stored = noise(4, 6, 3)
        for block in (b"", b"junk", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff"):
            data = png(stored.reshape(4, -1), 8, 2, chunk(b"eXIf", block), width=6)
            np.testing.assert_array_equal(pixels(data), stored)


class TestTiff:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"byteorder": ">"},
            {"bigtiff": True},
            {"rowsperstrip": 7},
            {"tile": (128, 64)},
            {"compression": "zlib"},
            {"compression": "zlib", "predictor": True},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("shape", [(140, 150), (140, 150, 3)])
    def test_layouts(self, options, dtype, shape):
        stored = noise(*shape, dtype=dtype)
        np.testing.assert_array_equal(pixels(tiff(stored, **options)), stored.reshape(140, 150, -1))

    def test_white_is_zero(self):
        stored = noise(5, 7)
        actual = pixels(tiff(stored, photometric="miniswhite"))
        np.testing.assert_array_equal(actual[..., 0], 255 - stored)

    @pytest.mark.parametrize("compression", ["raw", "packbits", "group4"])
    def test_bilevel(self, compression):
        image = Image.fromarray(noise(30, 40)).convert("1")
        data = pillow(image, "TIFF", compression=compression)
        if compression == "group4" and not hasattr(imagecodecs, "ccittfax4_decode"):
            with pytest.raises(IqbenchError, match=r"fax compression.* Install imagecodecs"):
                pixels(data)
        else:
            expected = np.asarray(image)[..., None] * np.uint8(255)
            np.testing.assert_array_equal(pixels(data), expected)

    def test_palette(self):
        image = Image.fromarray(smooth()).quantize(16)
        np.testing.assert_array_equal(
            pixels(pillow(image, "TIFF")), np.asarray(image.convert("RGB"))
        )

    def test_separate_planes_of_eight_bits(self):
        stored = noise(5, 7, 3)
        planes = np.ascontiguousarray(stored.transpose(2, 0, 1))
        data = tiff(planes, photometric="rgb", planarconfig="separate")
        np.testing.assert_array_equal(pixels(data), stored)


class TestBmp:
    stored = noise(4, 6, 4)

    @pytest.mark.parametrize("header", [40, 108, 124])
    @pytest.mark.parametrize("compression", [0, 3])
    def test_the_fourth_byte_is_unused_without_a_mask(self, header, compression):
        rows = self.stored[::-1, :, [2, 1, 0, 3]].tobytes()
        data = bmp(rows, 6, 4, 32, header=header, compression=compression)
        np.testing.assert_array_equal(pixels(data), self.stored[..., :3])

    def test_the_fourth_byte_is_alpha_with_a_mask(self):
        rows = self.stored[::-1, :, [2, 1, 0, 3]].tobytes()
        data = bmp(rows, 6, 4, 32, header=108, compression=3, alpha=0xFF000000)
        with pytest.raises(IqbenchError, match="transparency"):
            decode(data)
        actual = pixels(data, alpha="composite")
        np.testing.assert_array_equal(actual, over_white(self.stored[..., :3], self.stored[..., 3]))

    def test_top_row_first(self):
        rows = self.stored[..., [2, 1, 0, 3]].tobytes()
        np.testing.assert_array_equal(pixels(bmp(rows, 6, -4, 32)), self.stored[..., :3])

    def test_palettes(self):
        values = noise(4, 8)
        colours = noise(256, 4, seed=1)
        data = bmp(values[::-1].tobytes(), 8, 4, 8, palette=colours.tobytes())
        np.testing.assert_array_equal(pixels(data), colours[values][..., [2, 1, 0]])

    def test_a_palette_of_grays_is_gray_for_there_is_no_other(self):
        values = noise(4, 8)
        grays = np.repeat(np.arange(256, dtype=np.uint8)[::-1, None], 4, axis=1)
        data = bmp(values[::-1].tobytes(), 8, 4, 8, palette=grays.tobytes())
        np.testing.assert_array_equal(pixels(data)[..., 0], 255 - values)

    def test_one_and_eight_bits(self):
        for mode in ("1", "L"):
            image = Image.fromarray(noise(9, 16)).convert(mode)
            expected = np.asarray(image.convert("L"))
            np.testing.assert_array_equal(pixels(pillow(image, "BMP"))[..., 0], expected)


def test_fill_bytes_between_jpeg_markers():
    data = WHOLE["jpeg"]
    filled = data[:2] + b"\xff\xff" + data[2:]
    np.testing.assert_array_equal(pixels(filled), pixels(data))


def test_threads_decode_side_by_side():
    expected = {label: pixels(data) for label, data in WHOLE.items()}
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for label, actual in zip(WHOLE, pool.map(pixels, WHOLE.values()), strict=True):
                np.testing.assert_array_equal(actual, expected[label])
