"""Files on disk: unreadable files, facts from headers, and files that are too large."""

from __future__ import annotations

import hashlib
import os
import struct

import numpy as np
import pytest
from made_images import bmp, chunk, exif, noise, pillow, png, smooth, tiff
from made_images import whole_files as made_files
from needs import needs_permissions

from iqbench.errors import IqbenchError
from iqbench.images.probe import ImageHeader, maximum_pixels
from iqbench.images.source import Content, EncodedImage, FileSource, Source

WHOLE = made_files()


def write(folder, data, name="picture.png"):
    path = folder / name
    path.write_bytes(data)
    return FileSource(path)


def test_a_file_is_a_source_and_its_bytes_are_content(tmp_path):
    data = WHOLE["png"]
    source: Source = write(tmp_path, data)
    content: Content = source.read()
    assert source.name == str(tmp_path / "picture.png")
    assert content.digest == hashlib.sha256(data).hexdigest()
    assert content.bytes == len(data)
    picture = content.decode()
    assert (picture.digest, picture.name, picture.bytes) == (content.digest, source.name, len(data))


def test_content_is_what_was_read_whatever_becomes_of_the_file(tmp_path):
    source = write(tmp_path, WHOLE["png"])
    content = source.read()
    source.path.unlink()
    assert content.decode().height == 24


@pytest.mark.parametrize("label", WHOLE)
def test_probing_tells_what_decoding_gives(label, tmp_path):
    source = write(tmp_path, WHOLE[label])
    facts, picture = source.probe(), source.read().decode()
    assert (facts.height, facts.width) == (picture.height, picture.width)
    assert (facts.channels, facts.bit_depth) == (picture.channels, picture.bit_depth)
    assert not facts.has_alpha
    assert label.split()[0].replace("ppm", "pnm").replace("pgm", "pnm") == facts.format


def test_size_is_told_as_shown_not_as_stored(tmp_path):
    facts = write(tmp_path, pillow(smooth(24, 36), "JPEG", exif=exif(6))).probe()
    assert facts == ImageHeader("jpeg", height=36, width=24, channels=3, orientation=6)
    assert facts.stored_size == (24, 36)


def test_alpha_is_told(tmp_path):
    assert write(tmp_path, pillow(noise(4, 4, 4), "PNG")).probe().has_alpha
    assert write(tmp_path, pillow(noise(4, 4, 4), "WEBP", lossless=True)).probe().has_alpha


def test_the_suffix_plays_no_part(tmp_path):
    assert write(tmp_path, WHOLE["jpeg"], "picture.png").probe().format == "jpeg"


class TestUnreadable:
    def check(self, source, words):
        for attempt in (source.probe, source.read):
            with pytest.raises(IqbenchError, match=words) as caught:
                attempt()
            assert source.name in caught.value.message

    def test_missing(self, tmp_path):
        self.check(FileSource(tmp_path / "none.png"), "does not exist")

    def test_folder(self, tmp_path):
        self.check(FileSource(tmp_path), "is a folder")

    def test_empty(self, tmp_path):
        self.check(write(tmp_path, b""), "is empty")

    def test_below_a_file(self, tmp_path):
        inner = write(tmp_path, b"x").path / "picture.png"
        self.check(FileSource(inner), "cannot be read: Not a directory")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.png")
        self.check(FileSource(tmp_path / "pipe.png"), "not a regular file")

    @needs_permissions
    def test_forbidden(self, tmp_path):
        source = write(tmp_path, WHOLE["png"])
        source.path.chmod(0)
        self.check(source, "cannot be read: Permission denied")


def headers_of(width, height):
    """Small files whose headers claim a size."""
    nothing = np.zeros((1, 1), np.uint8)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    large_png = png(nothing, 8, 2)
    lossless = struct.pack("<I", (width - 1) & 0x3FFF | ((height - 1) & 0x3FFF) << 14)
    return {
        "png": large_png[:8] + chunk(b"IHDR", head) + large_png[33:],
        "bmp": bmp(bytes(12), width, height, 24),
        "tiff": tiff(np.zeros((1, 1, 3), np.uint8))
        .replace(struct.pack("<HHII", 256, 4, 1, 1), struct.pack("<HHII", 256, 4, 1, width))
        .replace(struct.pack("<HHII", 257, 4, 1, 1), struct.pack("<HHII", 257, 4, 1, height)),
        "webp": b"RIFF\x12\0\0\0WEBPVP8L\5\0\0\0\x2f" + lossless + b"\0",
        "pnm": b"P6 %d %d 255\n" % (width, height) + bytes(9),
    }


@pytest.mark.parametrize("kind", headers_of(1, 1))
class TestSizeLimit:
    def test_a_bomb_is_refused_by_its_header(self, kind, tmp_path):
        source = write(tmp_path, headers_of(16383, 16383)[kind])
        for attempt in (source.probe, lambda: source.read().decode()):
            with pytest.raises(IqbenchError, match=r"16383x16383.*IQBENCH_MAX_PIXELS") as caught:
                attempt()
            assert source.name in caught.value.message

    def test_a_hundred_megapixels_pass(self, kind, tmp_path):
        facts = write(tmp_path, headers_of(10_000, 10_000)[kind]).probe()
        assert (facts.format, facts.height, facts.width) == (kind, 10_000, 10_000)

    def test_the_variable_moves_the_limit(self, kind, tmp_path, monkeypatch):
        source = write(tmp_path, headers_of(16383, 16383)[kind])
        monkeypatch.setenv("IQBENCH_MAX_PIXELS", str(16383**2))
        assert source.probe().width == 16383
        monkeypatch.setenv("IQBENCH_MAX_PIXELS", str(16383**2 - 1))
        with pytest.raises(IqbenchError, match="pixels, more than"):
            source.probe()


def test_a_jpeg_bomb_is_refused_by_its_header():
    data = bytearray(WHOLE["jpeg"])
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65000, 65000)
    with pytest.raises(IqbenchError, match="65000x65000"):
        EncodedImage("picture", bytes(data)).decode()


def test_a_side_longer_than_is_read_is_refused():
    with pytest.raises(IqbenchError, match="more than 1,000,000 along a side"):
        EncodedImage("picture", b"P5 2000000 1 255\n" + bytes(2_000_000)).decode()


def test_a_file_of_more_bytes_than_any_allowed_image_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("IQBENCH_MAX_PIXELS", "1")
    source = write(tmp_path, WHOLE["png"])
    os.truncate(source.path, 2**26 + 9)  # a hole, which takes no room
    with pytest.raises(IqbenchError, match="too many for an image"):
        source.read()


@pytest.mark.parametrize("text", ["many", "-1", "0", "1e9", "1.5", str(2**30 + 1), "9" * 5000])
def test_a_limit_that_is_no_number_of_pixels_is_an_error(text, monkeypatch):
    monkeypatch.setenv("IQBENCH_MAX_PIXELS", text)
    with pytest.raises(IqbenchError, match="IQBENCH_MAX_PIXELS"):
        maximum_pixels()


def test_the_limit_is_250_million_unless_set(monkeypatch):
    monkeypatch.delenv("IQBENCH_MAX_PIXELS", raising=False)
    assert maximum_pixels() == 250_000_000
    monkeypatch.setenv("IQBENCH_MAX_PIXELS", " ")
    assert maximum_pixels() == 250_000_000


@pytest.mark.parametrize("label", WHOLE)
def test_content_tells_what_its_file_tells(tmp_path, label):
    source = write(tmp_path, WHOLE[label])
    assert source.read().probe() == source.probe()
