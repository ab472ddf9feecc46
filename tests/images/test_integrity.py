"""A truncated file is never a picture, and no file crashes the reader."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_images import chunk, png
from made_images import whole_files as made_files

from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.images.source import EncodedImage

WHOLE = made_files()


def decode(data):
    return EncodedImage("picture", data).decode(alpha="composite")


def attempt(data):
    """Give the picture or the error, and let anything else through."""
    try:
        return decode(data)
    except IqbenchError as error:
        return error


@pytest.mark.parametrize("label", WHOLE)
def test_every_part_of_a_file_is_an_error(label, capfd):
    data = WHOLE[label]
    cuts = {*range(0, len(data), max(len(data) // 200, 1)), *range(70), *range(-70, 0)}
    for cut in cuts:
        with pytest.raises(IqbenchError, match="picture"):
            decode(data[:cut])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("label", WHOLE)
def test_a_truncated_file_is_called_so(label):
    data = WHOLE[label]
    for cut in (len(data) // 2, len(data) - 1):
        with pytest.raises(IqbenchError, match="picture is truncated"):
            decode(data[:cut])


@pytest.mark.parametrize("label", WHOLE)
def test_bytes_after_the_end_are_ignored(label):
    expected = decode(WHOLE[label]).pixels
    for tail in (b"\0", b"trailing bytes", WHOLE["jpeg"]):
        np.testing.assert_array_equal(decode(WHOLE[label] + tail).pixels, expected)


@settings(max_examples=300, derandomize=True)
@given(
    label=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    early=st.booleans(),
)
def test_damaged_files_give_a_picture_or_a_clear_error(label, changes, early):
    data = bytearray(WHOLE[label])
    reach = min(len(data), 80) if early else len(data)  # headers are where the branches are
    for place, value in changes:
        data[int(place * reach)] = value
    outcome = attempt(bytes(data))
    if isinstance(outcome, Picture):
        assert outcome.pixels.dtype in (np.uint8, np.uint16)
        assert outcome.pixels.shape == (outcome.height, outcome.width, outcome.channels)
        assert outcome.channels in (1, 3)
    else:
        assert "picture" in outcome.message


@settings(derandomize=True)
@given(st.binary(max_size=200), st.sampled_from(sorted(WHOLE)), st.integers(0, 40))
def test_anything_at_all_behind_a_signature(junk, label, kept):
    outcome = attempt(WHOLE[label][:kept] + junk)
    assert outcome.name == "picture" if isinstance(outcome, Picture) else outcome.hint


def test_a_wrong_checksum_names_its_chunk():
    data = bytearray(WHOLE["png"])
    data[data.index(b"IDAT") + 20] ^= 1
    with pytest.raises(IqbenchError, match="checksum of its 'IDAT' chunk"):
        decode(bytes(data))


def test_a_png_with_too_few_rows_is_damaged():
    rows = np.zeros((4, 6), np.uint8)
    data = bytearray(png(rows, 8, 0))
    head = struct.pack(">IIBBBBB", 6, 5, 8, 0, 0, 0, 0)
    data[8 : 8 + 25] = chunk(b"IHDR", head)
    with pytest.raises(IqbenchError, match="compressed pixels do not have the size in its header"):
        decode(bytes(data))


def tiff_of(*entries):
    """Make a directory of (tag, type, count, value) without any pixels."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\0", "not an image"),
        (b"this is a text", "not an image"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b"") + bytes(20), "not a PNG header"),
        (png(np.zeros((1, 1), np.uint8), 3, 0), "colour type 0 with 3 bits"),
        (png(np.zeros((0, 5), np.uint8), 8, 0), "5x0 pixels"),
        (b"\xff\xd8\xff\xd9", "no JPEG frame"),
        (b"\xff\xd8\xff\xe0\0\1" + bytes(9), "no length"),
        (b"\xff\xd8\xff\x00" + bytes(9), "marker is missing"),
        (b"BM" + bytes(60), "BMP header of 0 bytes"),
        (b"RIFF\x10\0\0\0WEBPABCD\4\0\0\0abcd", "not a WebP image"),
        (b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, 0), "TIFF tag 262 is missing"),
        (b"RIFF\x10\0\0\0WEBPVP8L\xff\0\0\0\x2f\0\0\0\0" + bytes(300), "truncated"),
        (b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(10), "no WebP image"),
        (b"P5\n3 x\n", "header is incomplete"),
        (b"\xff\xd8\xff\xc0\0\x0b\x0c\0\1\0\1\1\1\x11\0\xff\xd9", "12 bits per sample"),
        (b"\xff\xd8\xff\xc0\0\x0b\x08\0\1\0\1\2\1\x11\0\xff\xd9", "JPEG of 2 channels"),
        (tiff_of((262, 2, 1, 0)), "tag 262 is not an unsigned integer"),
        (tiff_of((258, 3, 1, 8), (262, 3, 1, 2)), "1 TIFF samples per pixel"),
        (
            tiff_of((256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (262, 3, 1, 1)),
            "strips or tiles of the TIFF are missing",
        ),
    ],
)
def test_broken_structures_are_named(data, words):
    with pytest.raises(IqbenchError, match=words):
        decode(data)


def test_tags_out_of_order_are_refused():
    with pytest.raises(IqbenchError, match="tags are not in ascending order"):
        decode(tiff_of((262, 3, 1, 2), (258, 3, 1, 8)))


def test_a_tag_of_one_value_with_none_or_several_is_refused():
    for count in (0, 2):
        with pytest.raises(IqbenchError, match=f"tag 262 has {count} values"):
            decode(tiff_of((258, 3, 1, 8), (262, 3, count, 2)))


def test_tags_that_stand_twice_are_refused():
    with pytest.raises(IqbenchError, match="has the TIFF tag 256 twice"):
        decode(tiff_of((256, 4, 1, 10), (256, 4, 1, 10)))


def test_a_jpeg_of_a_header_alone_is_damaged():
    data = WHOLE["jpeg"]
    scan = data.index(b"\xff\xda")
    with pytest.raises(IqbenchError, match="scans of the JPEG are missing"):
        decode(data[:scan] + b"\xff\xd9")
