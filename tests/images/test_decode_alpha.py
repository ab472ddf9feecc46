"""Transparency: refused, or composited over white."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import chunk, noise, pillow, png
from made_images import whole_files as made_files
from made_pixels import decode, over_white, pixels
from PIL import Image

from iqbench.errors import IqbenchError

WHOLE = made_files()


class TestAlpha:
    def test_is_an_error_that_names_the_option(self):
        for mode in ("RGBA", "LA"):
            with pytest.raises(IqbenchError, match=r"picture has transparency.*--alpha composite"):
                decode(pillow(Image.fromarray(noise(5, 7, 4)).convert(mode), "PNG"))
        for data in (
            pillow(noise(5, 7, 4), "WEBP", lossless=True, exact=True),
            pillow(noise(5, 7, 4), "WEBP", quality=80),
            png(noise(5, 7), 8, 0, chunk(b"tRNS", b"\0\1")),
        ):
            with pytest.raises(IqbenchError, match="--alpha composite"):
                decode(data)

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

    def test_a_transparent_gray_is_refused_for_opencv_ignores_it(self):
        data = png(noise(5, 7), 8, 0, chunk(b"tRNS", b"\0\1"))
        with pytest.raises(IqbenchError, match="Save it without transparency"):
            decode(data, alpha="composite")

    def test_a_picture_without_alpha_is_unchanged(self):
        expected = pixels(WHOLE["png"])
        np.testing.assert_array_equal(pixels(WHOLE["png"], alpha="composite"), expected)
