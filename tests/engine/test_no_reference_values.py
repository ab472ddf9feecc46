"""A metric without reference uses the output's own peak and size, for any reference."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import ClassVar

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_folders import Made, Pixels, noisy, picture

from iqbench.images.write import write_png

LEVEL = {"metrics": ("mean-level",), "reference": None}
BOTH = ("psnr", "mean-level")


@pytest.fixture(autouse=True)
def _level(level_metrics):
    """Metrics that need no reference and no weights."""


def png(pixels: Pixels) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def noted(pixels: Pixels) -> bytes:
    """A PNG that notes 12 bits per sample."""
    data, note = png(pixels), b"sBIT\x0c\x0c\x0c"
    at = data.index(b"IDAT") - 4
    chunk = struct.pack(">I", 3) + note + struct.pack(">I", zlib.crc32(note))
    return data[:at] + chunk + data[at:]


def ppm(pixels: Pixels) -> bytes:
    file = io.BytesIO(f"P6 {pixels.shape[1]} {pixels.shape[0]} 4095\n".encode())
    file.seek(0, io.SEEK_END)
    file.write(pixels.astype(">u2").tobytes())
    return file.getvalue()


def eight(seed: int) -> Pixels:
    return picture(seed)


def twelve(seed: int) -> Pixels:
    return picture(seed, dtype=np.uint16) >> 4


def sixteen(seed: int) -> Pixels:
    return picture(seed, dtype=np.uint16)


KINDS: dict[str, tuple[Callable[[int], Pixels], Callable[[Pixels], bytes], str, int]] = {
    "8 bits": (eight, png, ".png", 255),
    "16 bits": (sixteen, png, ".png", 65535),
    "12 bits without a note": (twelve, png, ".png", 65535),
    "12 bits with a note": (twelve, noted, ".png", 4095),
    "16 bits with a note of 12": (sixteen, noted, ".png", 65535),
    "12 bits of a format that says so": (twelve, ppm, ".ppm", 4095),
}
"""How files hold samples, and the peak that each has by itself."""


def write(made: Made, folder: str, kind: str, seeds: range) -> None:
    pixels, encode, suffix, _ = KINDS[kind]
    (made.root / folder).mkdir(parents=True)
    for seed in seeds:
        (made.root / folder / f"{seed}{suffix}").write_bytes(encode(pixels(seed)))


def level_of(made: Made) -> dict[str, tuple[float, str]]:
    rows = made.scores(metric="mean-level")
    return {
        str(row["image"]): (row["value"], str(row["signature"])) for row in rows.to_dict("records")
    }


@settings(max_examples=12)
@given(st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(KINDS)))
def test_a_reference_never_changes_the_value(tmp_path_factory, output, reference):
    made = Made(tmp_path_factory.mktemp("peaks"))
    write(made, "out/mine", output, range(2))
    made.evaluate(**LEVEL)
    before = level_of(made)
    pixels, _, _, peak = KINDS[output]
    assert before["1"][0] == pytest.approx(pixels(1).mean() / peak, rel=1e-6)
    assert ("peak=4095" in before["1"][1]) == (peak == 4095)
    write(made, "hr", reference, range(2))
    made.evaluate(metrics=BOTH, dataset_name="outputs")
    assert level_of(made) == before
    made.evaluate(metrics=("mean-level",), dataset_name="outputs", recompute=True)
    assert level_of(made) == before


def test_a_reference_that_settles_another_peak_leaves_the_value_current(made, computed):
    write(made, "out/mine", "12 bits without a note", range(2))
    made.evaluate(**LEVEL)
    write(made, "hr", "12 bits with a note", range(2))
    computed.clear()
    summary = made.evaluate(metrics=BOTH, dataset_name="outputs")
    assert {columns for _, columns in computed} == {frozenset({"psnr"})}
    assert any(
        "white is 4095 together with the reference, but 65535 for metrics that read the output al"
        in text
        for text in summary.warnings
    )
    assert made.evaluate(metrics=BOTH, dataset_name="outputs").current == 2


def test_a_given_peak_is_that_of_all(made):
    write(made, "out/mine", "12 bits without a note", range(1))
    write(made, "hr", "12 bits with a note", range(1))
    made.evaluate(metrics=BOTH, peak=4095)
    assert level_of(made)["0"][0] == pytest.approx(twelve(0).mean() / 4095, rel=1e-6)
    assert made.scores()["signature"].str.endswith("|peak=4095").all()


def test_a_peak_that_is_too_large_for_an_output_alone_is_refused(made):
    write(made, "out/mine", "8 bits", range(1))
    made.evaluate(**LEVEL, peak=4095)
    (error,) = made.errors().values()
    assert "0.png has 8 bits per sample, too few for the peak 4095" in error


class TestSizes:
    """The protocol cuts both images of a pair to a multiple of the scale, an output alone never."""

    OPTIONS: ClassVar = {"protocol": "sr-y:scale=4", "metrics": BOTH}

    def test_an_output_is_seen_at_its_own_size(self, made):
        made.references()
        mine = made.method()
        larger = noisy(picture(5, height=27, width=35), 5)
        write_png(mine / "b.png", larger)
        assert made.evaluate(**self.OPTIONS).scored == 3
        assert made.values("psnr")["mine", "b"] is not None
        assert made.values("mean-level")["mine", "b"] == pytest.approx(larger.mean() / 255)

    def test_methods_of_different_sizes_are_scored_beside_each_other(self, made):
        made.references(("a",))
        sizes = {"mine": (24, 32), "tall": (27, 32), "wide": (24, 35)}
        pixels = {}
        for seed, (name, (height, width)) in enumerate(sizes.items()):
            pixels[name] = noisy(picture(seed, height=height, width=width), seed)
            write_png(made.root / "out" / name / "a.png", pixels[name])
        assert made.evaluate(**self.OPTIONS).scored == 3
        for name, own in pixels.items():
            assert made.values("mean-level")[name, "a"] == pytest.approx(own.mean() / 255)


class TestViewsThatNeedAReference:
    """A protocol may show a metric the output at the mean brightness of its reference."""

    @pytest.fixture
    def gt_mean(self, tmp_path, monkeypatch):
        (tmp_path / "protocols.yaml").write_text(
            "gt: {version: 1, summary: x, citation: y, fidelity: {colour: rgb},\n"
            "  perception: {colour: rgb},\n"
            "  views: {mean-level: {colour: rgb, brightness: reference-mean}}}\n"
        )
        monkeypatch.chdir(tmp_path)
        return {"protocol": "gt"}

    def test_without_one_the_value_has_an_error_and_the_rest_goes_on(self, made, gt_mean):
        made.method()
        summary = made.evaluate(
            reference=None, metrics=("mean-level", "other-level"), results=made.results, **gt_mean
        )
        assert (summary.scored, summary.failures) == (3, [])
        errors = made.scores(metric="mean-level")["error"]
        assert errors.str.startswith("undefined: protocol gt shows mean-level the output at").all()
        assert made.scores(metric="other-level")["value"].notna().all()
        (remark,) = summary.remarks
        assert "there is no reference" in remark
        again = made.evaluate(
            reference=None, metrics=("mean-level", "other-level"), results=made.results, **gt_mean
        )
        assert (again.scored, again.current) == (0, 3)

    def test_nothing_else_asked_for_every_output_fails_by_name(self, made, gt_mean):
        made.method()
        summary = made.evaluate(**LEVEL, **gt_mean)
        assert summary.scored == 0
        assert all("there is no reference" in failure.error for failure in summary.failures)
        assert len(summary.failures) == 3

    def test_with_one_the_value_is_that_of_both_files(self, made, gt_mean):
        references = made.references()
        made.method(amount=0)
        write_png(made.root / "out/mine/a.png", picture(0) // 2)
        made.evaluate(metrics=("mean-level",), **gt_mean)
        assert made.values("mean-level")["mine", "a"] == pytest.approx(
            picture(0).mean() / 255, rel=1e-3
        )
        write_png(references / "a.png", picture(0) // 4 * 3)
        assert made.evaluate(metrics=("mean-level",), **gt_mean).scored == 1
        assert made.values("mean-level")["mine", "a"] == pytest.approx(
            (picture(0) // 4 * 3).mean() / 255, rel=1e-3
        )

    def test_a_reference_that_is_added_gives_the_value(self, made, gt_mean):
        made.method()
        options = {"metrics": ("mean-level", "other-level"), **gt_mean}
        made.evaluate(reference=None, **options)
        made.references()
        made.evaluate(dataset_name="outputs", **options)
        assert made.scores(metric="mean-level")["value"].notna().all()
