"""Kinds of files that are not read."""

from __future__ import annotations

import struct

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
    "5 samples a pixel": tiff(
        noise(4, 4, 5), extrasamples=["unassalpha", "unspecified"], planarconfig="contig"
    ),
    "animated PNG": APNG,
    "animated WebP": pillow(RED, "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8))]),
    "GIF": pillow(RED, "GIF"),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20),
    "AVIF, HEIC": b"\0\0\0\x1cftypavif" + bytes(20),
    "OpenEXR": b"v/1\x01" + bytes(20),
    "PBM": b"P4\n8 1\n\0",
    "text form": b"P2\n1 1\n255\n9\n",
    "maximum value 127": b"P5 1 1 127\n\0",
    "maximum value 65536": b"P5 1 1 65536\n\0\0",
    "run-length": bmp(b"\4\0\0\1", 4, 1, 8, compression=1, palette=bytes(1024)),
    "16 bits a pixel": bmp(bytes(8), 4, 1, 16),
    "own order": bmp(bytes(4), 1, 1, 32, compression=3, masks=MASKS[::-1]),
    "BMP of OS/2": b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 1, 1, 1, 24) + bytes(4),
    "compressed BMP": bmp(bytes(4), 1, 1, 32, compression=4),
}


@pytest.mark.parametrize(("words", "data"), REFUSED.items(), ids=REFUSED)
def test_kinds_that_are_not_read_are_refused_with_advice(words, data):
    for alpha in ("error", "composite"):
        with pytest.raises(IqbenchError, match=words) as caught:
            decode(data, alpha=alpha)
        assert caught.value.message.startswith("picture ")
        assert caught.value.hint
