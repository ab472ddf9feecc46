"""Records of the bit depth in files: PNG's sBIT, TIFF's MaxSampleValue, the maximum of PGM."""

import numpy as np
import pytest
from made_images import chunk, noise, pillow, png, tiff

from iqbench.errors import IqbenchError
from iqbench.images.source import EncodedImage

DEEP = noise(4, 6, 3, dtype=np.uint16)


def decoded(data):
    """The picture; what the header alone tells must be the same."""
    content = EncodedImage("made", data)
    facts, picture = content.probe(), content.decode()
    assert (facts.peak, facts.noted_bits) == (picture.peak, picture.noted_bits)
    return picture


def deep_png(*sbit, pixels=DEEP, colour=2):
    return png(pixels, 16, colour, *([chunk(b"sBIT", bytes(sbit))] if sbit else []))


@pytest.mark.parametrize(
    ("data", "bits"),
    [
        (deep_png(), None),
        (deep_png(12, 12, 12), 12),
        (deep_png(10, 12, 10), 12),
        (deep_png(16, 16, 16), None),
        (deep_png(0, 0, 0), None),
        (deep_png(17, 17, 17), None),
        (deep_png(12), None),  # too short for three channels
        (deep_png(10, pixels=DEEP[..., :1], colour=0), 10),
        (png(noise(4, 6, 3), 8, 2, chunk(b"sBIT", bytes([5, 6, 5]))), None),
    ],
)
def test_sbit_is_read_of_16_bits(data, bits):
    picture = decoded(data)
    assert picture.noted_bits == bits
    assert picture.peak == (65535 if picture.bit_depth == 16 else 255)


def test_sbit_of_alpha_is_none_of_the_colours():
    opaque = np.dstack([DEEP, np.full(DEEP.shape[:2], 65535, np.uint16)])
    data = png(opaque, 16, 6, chunk(b"sBIT", bytes([12, 12, 12, 16])))
    assert EncodedImage("made", data).probe().noted_bits == 12


@pytest.mark.parametrize("tag", [281, 341])
@pytest.mark.parametrize(
    ("largest", "bits"), [(4095, 12), (3900, 12), (1023, 10), (65535, None), (40000, None)]
)
def test_the_largest_sample_of_a_tiff_is_a_depth(tag, largest, bits):
    picture = decoded(tiff(DEEP, extratags=[(tag, "H", 3, (largest,) * 3, True)]))
    assert (picture.peak, picture.noted_bits) == (65535, bits)


def test_the_largest_sample_of_8_bits_is_no_matter():
    assert decoded(tiff(noise(4, 6, 3), extratags=[(281, "H", 1, 127, True)])).noted_bits is None


@pytest.mark.parametrize("maximum", [256, 1023, 4095, 16383, 65534, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_pgm_or_ppm_says_its_maximum(maximum, channels):
    pixels = np.linspace(0, maximum, 4 * 6 * channels).astype(np.uint16).reshape(4, 6, channels)
    kind = {1: "P5", 3: "P6"}[channels]
    data = f"{kind} 6 4 {maximum}\n".encode() + pixels.astype(">u2").tobytes()
    picture = decoded(data)
    assert picture.peak == maximum
    assert np.array_equal(picture.pixels, pixels)


def test_samples_above_the_maximum_of_a_pgm_are_damage():
    data = b"P5 2 1 4095\n" + np.array([4095, 4096], ">u2").tobytes()
    with pytest.raises(IqbenchError, match="damaged: it has samples above 4095"):
        EncodedImage("made", data).decode()


def test_formats_of_8_bits_note_nothing():
    for kind in ("PNG", "JPEG", "BMP", "WEBP", "PPM"):
        picture = decoded(pillow(noise(8, 8, 3), kind))
        assert (picture.peak, picture.noted_bits) == (255, None)
