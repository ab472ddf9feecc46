"""Transparency: refused, or composited over white."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import bmp, chunk, noise, pillow, png, tiff
from made_images import whole_files as made_files
from made_pixels import decode, over_white, pixels
from PIL import Image

from iqbench.errors import IqbenchError

WHOLE = made_files()


class TestAlpha:
    def test_is_an_error_that_names_the_option(self):
        for mode in ("RGBA", "LA"):
            with pytest.raises(IqbenchError, match=r"picture has transparency.*--alpha composite"):
                decode(pillow(Image.fromarray(noise(5, 7, 4)).convert(mode), "PNG"), alpha="error")
        for data in (
            pillow(noise(5, 7, 4), "WEBP", lossless=True, exact=True),
            pillow(noise(5, 7, 4), "WEBP", quality=80),
            png(noise(5, 7) % 2, 8, 0, chunk(b"tRNS", b"\0\1")),
        ):
            with pytest.raises(IqbenchError, match="--alpha composite"):
                decode(data, alpha="error")

    def test_names_no_option_where_there_is_none(self):
        with pytest.raises(IqbenchError) as caught:
            decode(pillow(noise(5, 7, 4), "PNG"))
        assert str(caught.value) == "picture has transparency. Save it without transparency"

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_colour_is_composited_over_white(self, dtype):
        stored = noise(16, 16, 4, dtype=dtype)
        depth = stored.itemsize * 8
        data = png(stored.reshape(16, -1), depth, 6, width=16)
        expected = over_white(stored[..., :3], stored[..., 3])
        np.testing.assert_array_equal(pixels(data, alpha="composite"), expected)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_gray_stays_gray(self, dtype):
        stored = noise(16, 16, 2, dtype=dtype)
        data = png(stored.reshape(16, -1), stored.itemsize * 8, 4, width=16)
        expected = over_white(stored[..., :1], stored[..., 1])
        np.testing.assert_array_equal(pixels(data, alpha="composite"), expected)

    def test_opaque_and_invisible_pixels(self):
        stored = noise(1, 2, 4, dtype=np.uint16)
        stored[0, :, 3] = 65535, 0
        actual = pixels(png(stored.reshape(1, -1), 16, 6, width=2), alpha="composite")
        np.testing.assert_array_equal(actual[0, 0], stored[0, 0, :3])
        np.testing.assert_array_equal(actual[0, 1], [65535] * 3)

    def test_webp(self):
        stored = noise(5, 7, 4)
        data = pillow(stored, "WEBP", lossless=True, exact=True)
        expected = over_white(stored[..., :3], stored[..., 3])
        np.testing.assert_array_equal(pixels(data, alpha="composite"), expected)

    def test_palette_entries(self):
        values = noise(5, 8) % 3
        colours, opacity = noise(3, 3, seed=1), np.array([0, 128, 255], np.uint8)
        extra = chunk(b"PLTE", colours.tobytes()), chunk(b"tRNS", opacity.tobytes()[:2])
        expected = over_white(colours[values], opacity[values])
        actual = pixels(png(values, 8, 3, *extra), alpha="composite")
        np.testing.assert_array_equal(actual, expected)

    def test_a_gray_or_a_colour_that_means_transparent(self):
        gray = noise(5, 7) % 4
        data = png(gray, 8, 0, chunk(b"tRNS", b"\0\2"))
        expected = np.where(gray == 2, 255, gray)
        np.testing.assert_array_equal(pixels(data, alpha="composite")[..., 0], expected)
        colours = noise(5, 7, 3) % 2
        data = png(colours.reshape(5, -1), 8, 2, chunk(b"tRNS", b"\0\1\0\0\0\1"), width=7)
        seen = (colours == [1, 0, 1]).all(axis=-1, keepdims=True)
        expected = np.where(seen, 255, colours)
        np.testing.assert_array_equal(pixels(data, alpha="composite"), expected)

    def test_colours_under_full_transparency_do_not_count(self):
        opacity = np.where(noise(9, 9) < 128, 0, 255).astype(np.uint8)
        shown = [
            pixels(
                pillow(np.dstack([noise(9, 9, 3, seed=seed) | opacity[..., None], opacity]), "PNG"),
                alpha="composite",
            )
            for seed in (1, 2)
        ]
        np.testing.assert_array_equal(*shown)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize(
        "layout", [{}, {"compression": "zlib", "predictor": True}, {"rowsperstrip": 3}]
    )
    def test_tiff(self, dtype, layout):
        for channels, kind in ((3, "rgb"), (1, "minisblack")):
            stored = noise(9, 7, channels + 1, dtype=dtype)
            data = tiff(stored, photometric=kind, extrasamples=["unassalpha"], **layout)
            expected = over_white(stored[..., :-1], stored[..., -1])
            np.testing.assert_array_equal(pixels(data, alpha="composite"), expected)
            with pytest.raises(IqbenchError, match="has transparency"):
                decode(data)

    @pytest.mark.parametrize("meaning", ["assocalpha", "unspecified"])
    def test_the_last_channel_of_a_tiff_may_be_something_else(self, meaning):
        data = tiff(noise(9, 7, 4), extrasamples=[meaning])
        for alpha in ("error", "composite"):
            with pytest.raises(IqbenchError, match=r"multiplied by alpha, or .* unknown meaning"):
                decode(data, alpha=alpha)


def with_opaque_alpha():
    """The same pictures with an alpha channel that hides nothing, and without, by label."""
    made = {}
    for dtype in (np.uint8, np.uint16):
        colour = noise(6, 9, 3, dtype=dtype)
        full = np.full((6, 9), np.iinfo(dtype).max, dtype)
        rgba, la = np.dstack([colour, full]), np.dstack([colour[..., 0], full])
        depth = colour.itemsize * 8
        made[f"png {depth} RGBA"] = png(rgba.reshape(6, -1), depth, 6, width=9), colour
        made[f"png {depth} LA"] = png(la.reshape(6, -1), depth, 4, width=9), colour[..., :1]
        for meaning in ("unassalpha", "assocalpha", "unspecified"):
            for planar in ("contig", "separate"):
                lies = rgba if planar == "contig" else np.moveaxis(rgba, -1, 0).copy()
                data = tiff(lies, photometric="rgb", planarconfig=planar, extrasamples=[meaning])
                made[f"tiff {depth} {planar} {meaning}"] = data, colour
            data = tiff(la, photometric="minisblack", planarconfig="contig", extrasamples=[meaning])
            made[f"tiff {depth} LA {meaning}"] = data, colour[..., :1]
    colour = noise(6, 9, 3)
    rgba = np.dstack([colour, np.full((6, 9), 255, np.uint8)])
    rows = rgba[::-1, :, [2, 1, 0, 3]].tobytes()
    values, palette = noise(6, 9) % 4, noise(4, 3, seed=1)
    extra = chunk(b"PLTE", palette.tobytes()), chunk(b"tRNS", b"\xff\xff\xff\xff")
    made["png palette"] = png(values, 8, 3, *extra), palette[values]
    made["png colour that is not there"] = (
        png(values, 8, 0, chunk(b"tRNS", b"\0\x09")),
        values[..., None],
    )
    made["bmp"] = bmp(rows, 9, 6, 32, header=108, compression=3, alpha=0xFF000000), colour
    written = webp_with_alpha(colour)
    made["webp"] = written, colour
    return made


def webp_with_alpha(colour):
    """Return a WebP that says it has alpha: the writer drops a channel that is opaque."""
    data = bytearray(pillow(colour, "WEBP", lossless=True))
    data[24] |= 0x10  # the flag in the header of the bit stream, whose alpha is 255
    return bytes(data)


OPAQUE = with_opaque_alpha()


@pytest.mark.parametrize("label", OPAQUE)
@pytest.mark.parametrize("alpha", ["error", "composite"])
def test_alpha_that_is_opaque_everywhere_is_no_transparency(label, alpha):
    data, expected = OPAQUE[label]
    np.testing.assert_array_equal(pixels(data, alpha=alpha), expected)


class TestWithoutAlpha:
    def test_a_picture_without_alpha_is_unchanged(self):
        expected = pixels(WHOLE["png"])
        np.testing.assert_array_equal(pixels(WHOLE["png"], alpha="composite"), expected)
