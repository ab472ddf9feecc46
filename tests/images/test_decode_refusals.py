"""Kinds of files that are refused."""

from __future__ import annotations

import gzip
import struct

import imagecodecs
import numpy as np
import pytest
from made_images import MASKS, bmp, noise, pillow, tiff
from made_pixels import decode
from PIL import Image

from iqbench.errors import IqbenchError

RED = Image.new("RGB", (8, 8), "red")
APNG = pillow(RED, "PNG", save_all=True, append_images=[Image.new("RGB", (8, 8))])

REFUSED = {
    "CMYK JPEG": pillow(RED.convert("CMYK"), "JPEG"),
    "CMYK TIFF": pillow(RED.convert("CMYK"), "TIFF"),
    "float": tiff(np.zeros((4, 4), np.float32)),
    "float or signed": tiff(np.zeros((4, 4), np.int16)),
    "32 bits": tiff(np.zeros((4, 4), np.uint32)),
    "several pages": pillow(RED, "TIFF", save_all=True, append_images=[RED]),
    "unusual colour": tiff(noise(4, 4, 3), photometric="cielab"),
    "5 samples per pixel": tiff(
        noise(4, 4, 5), extrasamples=["unassalpha", "unspecified"], planarconfig="contig"
    ),
    "animated PNG": APNG,
    "animated WebP": pillow(RED, "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8))]),
    "GIF": pillow(RED, "GIF"),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20),
    "OpenEXR": b"v/1\x01" + bytes(20),
    "PBM": b"P4\n8 1\n\0",
    "text form": b"P2\n1 1\n255\n9\n",
    "maximum value 127": b"P5 1 1 127\n\0",
    "maximum value 65536": b"P5 1 1 65536\n\0\0",
    "run-length": bmp(b"\4\0\0\1", 4, 1, 8, compression=1, palette=bytes(1024)),
    "16 bits per pixel": bmp(bytes(8), 4, 1, 16),
    "an unusual order": bmp(bytes(4), 1, 1, 32, compression=3, masks=MASKS[::-1]),
    "BMP of OS/2": b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 1, 1, 1, 24) + bytes(4),
    "compressed BMP": bmp(bytes(4), 1, 1, 32, compression=4),
}


TGA = pillow(RED, "TGA")
DNG = tiff(noise(8, 8, 3), extratags=[(50706, "B", 4, b"\1\4\0\0", True)])

REFUSED |= {
    # Pictures, by their right names: made by writers where there are any, else by their signature.
    "an AVIF": b"\0\0\0\x1cftypavif" + bytes(20),
    "a HEIC": b"\0\0\0\x1cftypheic" + bytes(20),
    r"a camera's raw file \(CR3\)": b"\0\0\0\x18ftypcrx " + bytes(20),
    r"a video \(MP4 or MOV\)": b"\0\0\0\x18ftypisom" + bytes(20),
    "a JPEG XL code stream": bytes(imagecodecs.jpegxl_encode(noise(8, 8, 3), usecontainer=False)),
    "a JPEG XL, which": bytes(imagecodecs.jpegxl_encode(noise(8, 8, 3), usecontainer=True)),
    "a JPEG 2000, which": bytes(imagecodecs.jpeg2k_encode(noise(8, 8, 3), codecformat="jp2")),
    "a JPEG 2000 code stream": bytes(imagecodecs.jpeg2k_encode(noise(8, 8), codecformat="j2k")),
    "a JPEG XR": bytes(imagecodecs.jpegxr_encode(noise(16, 16, 3))),
    "a JPEG-LS": bytes(imagecodecs.jpegls_encode(noise(8, 8))),
    "a QOI": bytes(imagecodecs.qoi_encode(noise(8, 8, 3))),
    "a Photoshop document": b"8BPS\0\1" + bytes(30),
    "a DirectDraw surface": pillow(RED, "DDS"),
    "an icon": pillow(RED, "ICO", bitmap_format="bmp"),
    "a PDF": pillow(RED, "PDF"),
    "a TGA": TGA,
    "holds several images": pillow(RED, "PPM") + b"\n" + pillow(RED, "PPM"),
    "a camera's raw file": DNG,
    "LERC": tiff(noise(8, 8, 3), compression="lerc"),
    "JPEG 2000 compression": tiff(noise(8, 8, 3), compression="jpeg2000"),
    "JPEG XL compression": tiff(noise(8, 8, 3), compression="jpegxl"),
    "WebP compression": tiff(noise(8, 8, 3), compression="webp"),
    "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    # No pictures.
    r"not an image but a web page \(HTML\)": b"\n<!DOCTYPE html>\n<html><title>404</title></html>",
    "not an image but a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256",
    "not an image but a ZIP archive": b"PK\3\4" + bytes(30),
    "not an image but an archive compressed by gzip": gzip.compress(b"a"),
    "not an image but a tar archive": bytes(257) + b"ustar" + bytes(300),
    "not an image but a numpy array": b"\x93NUMPY\1\0" + bytes(30),
    "not an image but a text": b'{"error": "not found"}',
    "starts with zeros": bytes(4096),
}


@pytest.mark.parametrize(("words", "data"), REFUSED.items(), ids=REFUSED)
def test_kinds_that_are_not_read_are_refused_with_advice(words, data):
    for alpha in ("error", "composite"):
        with pytest.raises(IqbenchError, match=words) as caught:
            decode(data, alpha=alpha)
        assert caught.value.message.startswith("picture ")
        assert caught.value.hint


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
@pytest.mark.parametrize("compression", [None, "tga_rle"])
def test_a_tga_of_the_first_version_is_known_without_a_signature(mode, compression):
    data = pillow(RED.convert(mode), "TGA", compression=compression)
    for file in (data, data[:-26]):  # with its footer and without
        with pytest.raises(IqbenchError, match="is a TGA, which is not read"):
            decode(file)


def test_the_thumbnail_of_a_raw_file_is_not_taken_for_the_picture():
    data = tiff(noise(8, 8, 3), subfiletype=1)
    with pytest.raises(IqbenchError, match="image of reduced size"):
        decode(data)


@pytest.mark.parametrize("compression", ["zstd", "lzma", "lzw", "packbits"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_compressions_of_tiff_that_are_read(compression, dtype):
    stored = noise(40, 50, 3, dtype=dtype)
    for layout in ({}, {"tile": (16, 32)}, {"rowsperstrip": 7}, {"byteorder": ">"}):
        data = tiff(stored, compression=compression, **layout)
        np.testing.assert_array_equal(decode(data).pixels, stored)
