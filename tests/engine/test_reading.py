"""Bad files: each is named in a message and in the tables; the rest of the run completes."""

from __future__ import annotations

import os
import re
import shutil
import struct
import zlib

import cv2
import numpy as np
import pytest
from made_folders import IMAGES, Made, noisy, picture
from needs import needs_permissions
from PIL import Image

from iqbench.boards.board import read_board
from iqbench.datasets.sample import OutputImage
from iqbench.engine.fitting import check_fit
from iqbench.engine.reading import Job, job_cost
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.images.source import FileSource
from iqbench.images.write import write_png
from iqbench.protocols.presets import resolve_protocol

OUTPUT = noisy(picture(1), 5)  # for the second image, b


def truncated(suffix):
    def write(folder):
        path = folder / f"b{suffix}"
        cv2.imwrite(str(path), OUTPUT)
        path.write_bytes(path.read_bytes()[:-40])

    return write


def saved(suffix, mode=None, **form):
    def write(folder):
        pixels = noisy(picture(1, **form), 5)
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        (image.convert(mode) if mode else image).save(folder / f"b{suffix}")

    return write


def with_alpha(pixels, opacity):
    height, width = pixels.shape[:2]
    return Image.fromarray(np.dstack([pixels, np.full((height, width), opacity, np.uint8)]))


def transparent(folder):
    with_alpha(OUTPUT, 254).save(folder / "b.png")


def holding(data):
    return lambda folder: (folder / "b.png").write_bytes(data)


def bomb(side):
    """A PNG of a few bytes that says it is huge."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def ambiguous(folder):
    for suffix in (".png", ".bmp"):
        saved(suffix)(folder)


BAD = {
    "missing": (lambda folder: None, r"missing output: no b\.\* in .*mine"),
    "a folder": (lambda folder: (folder / "b.png").mkdir(), r"missing output: no b\.\*"),
    "ambiguous": (ambiguous, r"ambiguous output in .*mine: b\.bmp, b\.png"),
    "zero bytes": (holding(b""), r"b\.png is empty \(0 bytes\)"),
    "no image": (holding(b"<html>404</html>"), r"b\.png is not .*image"),
    "a bomb": (holding(bomb(100_000)), r"b\.png is 100000x100000 pixels, more than"),
    "wrong size": (saved(".png", height=23), r"b\.png has 32x23 pixels, its reference .* 32x24"),
    "turned": (saved(".png", height=32, width=24), r"b\.png has 24x32 pixels, .* has 32x24"),
    "gray": (saved(".png", channels=1), r"b\.png is gray, its reference .*hr/b\.png is colour"),
    "alpha": (transparent, r"b\.png has transparency"),
    "CMYK": (saved(".jpg", "CMYK"), r"b\.jpg is .*CMYK"),
    "link to nothing": (
        lambda folder: (folder / "b.png").symlink_to("nowhere.png"),
        r"missing output: no b\.\* in .*mine",
    ),
    **{
        f"truncated {suffix}": (truncated(suffix), rf"b\{suffix} .*(truncated|damaged|ends)")
        for suffix in (".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm")
    },
}


@pytest.mark.parametrize(("damage", "error"), BAD.values(), ids=BAD.keys())
def test_a_bad_output_is_named_and_all_others_are_scored(made, damage, error):
    made.references()
    folder = made.method()
    made.method("fine")
    (folder / "b.png").unlink()
    damage(folder)
    summary = made.evaluate(metrics=("psnr", "ssim"))

    (failure,) = summary.failures
    assert (failure.dataset, failure.method, failure.image) == ("hr", "mine", "b")
    assert summary.scored == 5
    assert made.errors() == {("mine", "b"): failure.error}
    assert "\n" not in failure.error
    assert re.search(error, failure.error)

    frame = made.scores()
    bad = frame[frame["error"].notna()]
    assert list(bad["metric"]) == ["psnr", "ssim"]
    assert set(bad["error"]) == {failure.error}
    assert bad["value"].isna().all()
    assert len(frame) == 12
    board = read_board(made.results, {}).table.frame.set_index("method")
    assert board["complete"].to_dict() == {"fine": True, "mine": False}
    assert board.loc["fine", "rank"] == 1


@needs_permissions
def test_an_unreadable_output_is_named(made):
    made.references()
    path = made.method() / "b.png"
    path.chmod(0)
    (failure,) = made.evaluate().failures
    assert f"{path} cannot be read: Permission denied" in failure.error


def test_a_named_pipe_is_not_waited_for(made):
    made.references()
    path = made.method() / "b.png"
    path.unlink()
    os.mkfifo(path)
    (failure,) = made.evaluate().failures
    assert failure.image == "b"


@pytest.mark.parametrize("damage", [b"", b"no image", "truncated", "gone"])
def test_a_damaged_reference_fails_that_image_of_every_method_and_no_other(made, damage):
    hr = made.references()
    for name in ("one", "two"):
        made.method(name)
    if damage == "gone":
        (hr / "b.png").unlink()
        (hr / "b.png").symlink_to("nowhere")
    else:
        whole = (hr / "b.png").read_bytes()
        (hr / "b.png").write_bytes(whole[:-30] if damage == "truncated" else damage)
    summary = made.evaluate()
    assert summary.scored == 4
    assert {(failure.method, failure.image) for failure in summary.failures} == {
        *(("one", "b"), ("two", "b"))
    }
    for error in made.errors().values():
        assert error.startswith("reference: ")
        assert str(hr / "b.png") in error


def test_transparency_is_composited_where_asked_for_and_said(made):
    made.references(("a", "b"))
    folder = made.method(images=("a", "b"))
    with_alpha(noisy(picture(0), 5), 200).save(folder / "a.png")
    assert len(made.evaluate().failures) == 1
    summary = made.evaluate(alpha="composite")
    assert summary.scored == 1
    assert any(
        "method 'mine': 1 of its files for 'hr' have transparency and were put over white: a"
        in warning
        for warning in summary.warnings
    )
    frame = made.scores()
    assert len(frame) == 2
    assert frame["value"].notna().all()
    assert frame["signature"].nunique() == 1


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_outputs_whose_alpha_is_opaque_are_scored_alike_with_and_without_the_option(made, mode):
    made.references()
    plain = made.method("plain")
    opaque = plain.with_name("opaque")
    opaque.mkdir()
    for path in plain.iterdir():
        if mode == "P":
            few = Image.open(path).quantize(250)
            few.convert("RGB").save(path)
            few.save(opaque / path.name, transparency=b"\xff" * 250)
        else:
            Image.open(path).convert(mode).save(opaque / path.name)
    assert made.evaluate(plain).scored == 3
    assert made.evaluate(opaque, alpha="composite").scored == 3
    assert made.evaluate(opaque).scored == 0  # nothing is left to do
    board = read_board(made.results, {}).table.frame.set_index("method")
    assert board["complete"].all()
    frame = made.scores().pivot(index="image", columns="method", values="value")
    assert (frame["plain"] == frame["opaque"]).all()


class TestFit:
    """What may be compared with what."""

    @staticmethod
    def picture(name="x.png", height=24, width=32, channels=3, dtype=np.uint8):
        return Picture(picture(0, height, width, channels, dtype), "digest", name, 1)

    def fit(self, reference, output, protocol="rgb"):
        chosen = resolve_protocol(protocol)
        check_fit(reference, output, (chosen.fidelity, chosen.perception))

    @pytest.mark.parametrize("channels", [1, 3])
    def test_equal_kinds_of_images_fit(self, channels):
        self.fit(self.picture(channels=channels), self.picture(channels=channels))

    def test_depths_may_differ(self):
        self.fit(self.picture(), self.picture(dtype=np.uint16))

    @pytest.mark.parametrize(
        ("height", "width", "fits"),
        [(24, 32, True), (25, 35, True), (27, 32, True), (28, 32, False), (23, 32, False)],
    )
    def test_sizes_are_compared_after_modcrop(self, height, width, fits):
        reference, output = self.picture(), self.picture("y.png", height, width)
        if fits:
            self.fit(reference, output, "sr-y:scale=4")
        else:
            with pytest.raises(IqbenchError, match=r"y.png has .* its reference x.png has 32x24"):
                self.fit(reference, output, "sr-y:scale=4")

    def test_nothing_is_resized(self):
        with pytest.raises(IqbenchError, match="Nothing is resized"):
            self.fit(self.picture(), self.picture(height=48, width=64))

    def test_pairs_that_no_view_can_compare_are_refused(self):
        with pytest.raises(IqbenchError, match=r"y.png is gray, its reference x.png is colour"):
            self.fit(self.picture(), self.picture("y.png", channels=1))

    def test_pairs_that_some_view_can_compare_are_accepted(self):
        gray = self.picture(channels=1)
        # Luma cannot be kept of an output with colours; LPIPS sees RGB.
        self.fit(gray, self.picture("y.png"), "sr-y-rounded:scale=4")


class TestCost:
    def job(self, made: Made, outputs: int) -> Job:
        made.references(("a",), dtype=np.uint16)
        source = FileSource(made.root / "hr/a.png")
        return Job(source, [OutputImage(str(n), "a", source) for n in range(outputs)])

    def test_it_is_the_bytes_of_all_pixels_of_one_more_image_and_of_two_files(self, made):
        job = self.job(made, 3)
        file = (made.root / "hr/a.png").stat().st_size
        assert job_cost(job) == 5 * 24 * 32 * 3 * 2 + 2 * file

    def test_a_reference_that_is_no_image_costs_its_file(self, made):
        job = self.job(made, 3)
        (made.root / "hr/a.png").write_bytes(b"text")
        assert job_cost(job) == 2 * len(b"text")

    def test_a_large_file_that_is_no_image_costs_its_bytes(self, made):
        """Files that are read at the same time fill the memory, whatever is in them."""
        made.references(("a",))
        large = made.method(images=("a",)) / "a.png"
        os.truncate(large, 10**9)
        job = Job(FileSource(made.root / "hr/a.png"), [OutputImage("mine", "a", FileSource(large))])
        assert job_cost(job) > 10**9

    def test_files_that_are_missing_cost_nothing(self, made):
        source = FileSource(made.root / "nowhere.png")
        assert job_cost(Job(source, [OutputImage("mine", "a", source)])) == 0


def test_an_output_of_another_size_is_refused_before_it_is_decoded(made, decoded):
    """A reference says what decoding may cost; an output of 200 megapixels must not."""
    made.references()
    folder = made.method()
    shutil.copy(folder / "a.png", folder / "keep.png")
    write_png(folder / "b.png", picture(0, 240, 320))
    (failure,) = made.evaluate().failures
    assert "320x240" in failure.error
    assert "mine/b.png" not in decoded
    assert len(decoded) == 2 * len(IMAGES) - 1
