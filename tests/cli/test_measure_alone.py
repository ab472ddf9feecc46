"""`iqbench measure OUTPUT`: one file, scored by metrics that need no reference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_folders import noisy, picture

import iqbench as library
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.images.write import write_png
from iqbench.results.signature import parse_signature

LEVEL = ("--metric", "mean-level")


@pytest.fixture(autouse=True)
def _level(level_metrics):
    """Metrics that need no reference and no weights."""


@pytest.fixture
def output(made):
    write_png(Path("o.png"), noisy(picture(0)))
    return "o.png"


def test_the_value_is_that_of_the_file(output, iqbench):
    ran = iqbench("measure", output, *LEVEL)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.split()[-1] == f"{noisy(picture(0)).mean() / 255:.4f}"


def test_json_holds_all_columns(output, iqbench):
    ran = iqbench("measure", output, *LEVEL, "--format", "json")
    (row,) = json.loads(ran.out)
    assert row["value"] == pytest.approx(noisy(picture(0)).mean() / 255, rel=1e-6)
    assert (row["error"], row["peak"]) == (None, "255")
    assert parse_signature(row["signature"])["view"] == "rgb"


def test_a_reference_changes_nothing(output, iqbench):
    write_png(Path("r.png"), picture(0, dtype=np.uint16) >> 4)
    alone = json.loads(iqbench("measure", output, *LEVEL, "--format", "json").out)
    both = json.loads(iqbench("measure", "r.png", output, *LEVEL, "--format", "json").out)
    assert {key: both[0][key] for key in ("value", "signature")} == {
        key: alone[0][key] for key in ("value", "signature")
    }


def test_evaluate_gives_the_same(made, iqbench, output):
    made.method("mine", images=("a",))
    made.evaluate(reference=None, metrics=("mean-level",))
    (row,) = json.loads(iqbench("measure", "out/mine/a.png", *LEVEL, "--format", "json").out)
    scores = made.scores()
    assert scores["value"].tolist() == [row["value"]]
    assert scores["signature"].tolist() == [row["signature"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (),
            "nothing says what to compare o.png with. Give a reference and an output, or a metric",
        ),
        (
            (*LEVEL, "--metric", "psnr", "--metric", "lpips"),
            "psnr, lpips-alex need references, and o.png is given without one",
        ),
        (("--metric", "fid"), "fid compares sets of images, not single ones. Use iqbench evaluate"),
        (
            (*LEVEL, "--maps", "m"),
            "--maps and --figure show where an output differs from its reference",
        ),
        ((*LEVEL, "--map", "ssim"), "--map and --raw need --maps DIR"),
        (
            (*LEVEL, "--gray-output", "luma"),
            "--gray-output says how gray outputs of colour references are read, and o.png is given",
        ),
        ((*LEVEL, "--peak", "4095"), "o.png has 8 bits per sample, too few for the peak 4095"),
        ((*LEVEL, "--protocol", "sr-y"), "needs its parameter 'scale'"),
        (("--metric", "mean-levle"), "Did you mean 'mean-level'?"),
    ],
)
def test_what_makes_no_sense_is_refused(output, iqbench, arguments, message):
    ran = iqbench("measure", output, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.split())
    assert sorted(path.name for path in Path().iterdir()) == ["o.png"]


def test_a_metric_that_needs_a_reference_is_named_before_the_file_is_read(made, iqbench):
    assert "psnr needs a reference" in iqbench("measure", "none.png", "--metric", "psnr").err


def test_a_file_that_is_no_image_is_named(made, iqbench):
    Path("x.png").write_bytes(b"")
    assert "x.png is empty (0 bytes)" in iqbench("measure", "x.png", *LEVEL).err
    assert "none.png does not exist" in iqbench("measure", "none.png", *LEVEL).err


def test_a_bitstream_has_an_error_in_its_row(output, iqbench):
    ran = iqbench("measure", output, *LEVEL, "--metric", "bpp")
    assert ran.code == 0
    assert "measure reads pictures, not bitstreams" in " ".join(ran.out.split())


class TestPython:
    @pytest.mark.parametrize("options", [{}, {"output": True}, {"reference": True}])
    def test_a_single_file_is_the_output(self, output, options):
        named = dict.fromkeys(options, output)
        frame = library.measure(*(() if named else (output,)), **named, metrics=["mean-level"])
        assert frame["value"].tolist() == [pytest.approx(noisy(picture(0)).mean() / 255, rel=1e-6)]

    def test_no_file_is_refused(self):
        with pytest.raises(IqbenchError, match="no image is given"):
            library.measure(metrics="mean-level")

    def test_a_metric_that_needs_a_reference_is_refused(self, output):
        with pytest.raises(
            IqbenchError, match=r"psnr needs a reference, and o.png is given"
        ) as one:
            library.measure(output, metrics=["psnr"])
        assert "niqe" in one.value.hint

    def test_dark_samples_of_16_bits_are_a_warning(self, made):
        dark = picture(0, dtype=np.uint16) >> 4
        write_png(Path("d.png"), dark)
        with pytest.warns(IqbenchWarning, match="`--peak` must say the sample value of white"):
            frame = library.measure("d.png", metrics="mean-level")
        assert frame["peak"].tolist() == ["65535"]
        frame = library.measure("d.png", metrics="mean-level", peak=4095)
        assert frame["value"].tolist() == [pytest.approx(dark.mean() / 4095, rel=1e-6)]

    def test_a_view_that_needs_the_reference_gives_an_error_value(self, output):
        Path("protocols.yaml").write_text(
            "gt: {version: 1, summary: x, citation: y, fidelity: {colour: rgb},\n"
            "  perception: {colour: rgb},\n"
            "  views: {mean-level: {colour: rgb, brightness: reference}}}\n"
        )
        both = ["mean-level", "other-level"]
        frame = library.measure(output, metrics=both, protocol="gt").set_index("metric")
        assert frame.loc["mean-level", "error"].startswith(
            "undefined: protocol gt shows mean-level"
        )
        assert frame["error"].isna().to_dict() == {"mean-level": False, "other-level": True}
        write_png(Path("r.png"), picture(0) // 2)
        values = library.measure("r.png", output, metrics=both, protocol="gt")["value"]
        assert values[0] == pytest.approx(values[1] / 2, rel=0.02)


class TestEvaluator:
    """Tensors in memory, written into a results folder, are as files."""

    def test_values_without_references_are_current(self, made):
        import torch

        evaluator = library.Evaluator(["mean-level"], device="cpu")
        evaluator.update(torch.full((2, 3, 16, 16), 0.2), ids=["a", "b"])
        evaluator.write("results", method="step-1")
        assert made.scores()["value"].tolist() == pytest.approx([0.2, 0.2])

    def test_a_view_that_needs_the_reference_gives_an_error(self, made):
        import torch

        Path("protocols.yaml").write_text(
            "gt: {version: 1, summary: x, citation: y, fidelity: {colour: rgb},\n"
            "  perception: {colour: rgb}, naturalness: {colour: rgb, brightness: reference}}\n"
        )
        evaluator = library.Evaluator(["mean-level"], "gt", device="cpu")
        evaluator.update(torch.full((1, 3, 16, 16), 0.2), ids=["a"])
        (error,) = evaluator.errors().values()
        assert error.startswith("undefined: protocol gt shows mean-level")
