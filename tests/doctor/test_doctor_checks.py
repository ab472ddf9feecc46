"""`iqbench.doctor`: everything is right here, and what is not is named."""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib import metadata
from operator import attrgetter
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from iqbench.doctor import doctor, verdict
from iqbench.doctor import precision as precision_part
from iqbench.doctor.decoder import FILES, check_decoder
from iqbench.doctor.device import check_device
from iqbench.doctor.finding import Finding, compared
from iqbench.doctor.golden import check_files
from iqbench.doctor.precision import EXACT, OVERRIDE, check_precision
from iqbench.doctor.scores import FEW_BYTES, Bench, check_bands, check_scores, check_tables
from iqbench.doctor.versions import check_versions
from iqbench.doctor.weights import check_weights
from iqbench.engine import bands, compute, scorer
from iqbench.engine.compute import resolve_compute
from iqbench.errors import IqbenchError
from iqbench.metrics.psnr import Psnr
from iqbench.networks import weights

NEW_SWITCHES = hasattr(torch.backends.cuda.matmul, "fp32_precision")
NOT_HERE = dict.fromkeys(weights.DEFAULT_NETWORKS, "not here")
CPU = resolve_compute("cpu")


@contextmanager
def switched(place):
    """Turn TF32 on as a user's program does; gives the flag's name and its value."""
    flag, value = ("fp32_precision", "tf32") if NEW_SWITCHES else ("allow_tf32", True)
    holder = attrgetter(place)(torch.backends)
    before = getattr(holder, flag)
    setattr(holder, flag, value)
    try:
        yield flag, value
    finally:
        setattr(holder, flag, before)


def statuses(findings):
    return {finding.check: finding.status for finding in findings}


def off(findings):
    return [finding for finding in findings if finding.status == "off"]


@pytest.fixture(scope="module")
def pixel_bench():
    """A bench without networks: quick."""
    return Bench.set_up(CPU, NOT_HERE, None)


@pytest.fixture(scope="module")
def whole():
    """Everything at once."""
    return doctor("cpu")


@pytest.mark.usefixtures("pretrained_networks")
def test_this_installation_is_proven(whole):
    assert verdict(whole) == "ok", whole[~whole["status"].isin(["ok", "info"])].to_dict("records")
    assert list(dict.fromkeys(whole["part"])) == [
        *("versions", "files", "decoder", "device", "precision"),
        *("weights", "scores", "bands", "tables"),
    ]
    scores = whole[whole["part"] == "scores"]
    assert {"psnr", "ssim", "tv", "perceptual", "lpips-alex", "lpips-vgg"} == set(scores["group"])
    for protocol in ("rgb", "sr-y:scale=4", "sr-y-rounded:scale=4"):
        assert scores["check"].str.endswith(f"under {protocol}").any()
    assert (scores["deviation"] <= scores["tolerance"]).all()
    # Not by identity: another implementation rounds otherwise.
    assert scores["deviation"].max() > 0


class TestVersions:
    def test_what_is_too_old_is_named(self, monkeypatch):
        right = metadata.version
        monkeypatch.setattr(
            metadata, "version", lambda name: "1.9.0" if name == "torch" else right(name)
        )
        (found,) = off(check_versions())
        assert found.check == "torch"
        assert found.note.startswith("1.9.0, but iqbench needs torch>=")
        assert "python -m pip install" in found.note

    def test_what_is_not_installed_is_named(self, monkeypatch):
        right = metadata.version

        def version(name):
            if name == "pyarrow":
                raise metadata.PackageNotFoundError(name)
            return right(name)

        monkeypatch.setattr(metadata, "version", version)
        (found,) = off(check_versions())
        assert found.check == "pyarrow"
        assert "is not installed: python -m pip install pyarrow" in found.note

    def test_any_package_of_opencv_will_do_but_one_only(self, monkeypatch):
        right = metadata.version
        other = {"opencv-python": "4.12.0.88"}

        def version(name):
            if name in other:
                return other[name]
            if name == "opencv-python-headless" and "alone" in other:
                raise metadata.PackageNotFoundError(name)
            return right(name)

        monkeypatch.setattr(metadata, "version", version)
        notes = {finding.check: finding.note for finding in check_versions()}
        assert "overwrite each other's files" in notes["opencv-python-headless"]
        other["alone"] = ""
        found = {finding.check: finding for finding in check_versions()}["opencv-python-headless"]
        assert (found.status, found.note) == ("ok", "4.12.0.88 (opencv-python)")


class TestDecoder:
    def test_every_kind_of_file_is_decoded_to_the_recorded_pixels(self):
        findings = list(check_decoder())
        assert {finding.status for finding in findings} == {"ok"}
        assert len(findings) == len(FILES)
        kinds = {finding.check for finding in findings}
        assert {"PNG, RGB, 16 bits", "PNG, gray, 8 bits", "JPEG 4:2:0", "JPEG 4:4:4"} <= kinds

    def test_a_decoder_that_rounds_otherwise_is_named(self, monkeypatch):
        right = cv2.imdecode

        def rounding_otherwise(data, flags):
            pixels = right(data, flags)
            if bytes(data[:2]) == b"\xff\xd8":  # a JPEG
                pixels[3, 4] += 1
            return pixels

        monkeypatch.setattr(cv2, "imdecode", rounding_otherwise)
        wrong = off(check_decoder())
        assert [finding.check for finding in wrong] == [
            label for name, label in FILES.items() if name.endswith(".jpg")
        ]
        assert (wrong[0].deviation, wrong[0].tolerance, wrong[0].unit) == (1, 0, "levels")
        assert wrong[0].note.startswith("3 of 2625 samples differ; this JPEG decoder rounds")

    def test_a_decoder_that_fails_is_named_and_the_others_are_still_tried(self, monkeypatch):
        right = cv2.imdecode
        monkeypatch.setattr(
            cv2,
            "imdecode",
            lambda data, flags: right(data, flags) if bytes(data[:2]) == b"\xff\xd8" else None,
        )
        wrong = off(check_decoder())
        assert len(wrong) == 4
        assert "OpenCV cannot decode this PNG file" in wrong[0].note

    def test_a_golden_file_that_was_changed_is_named(self, tmp_path, monkeypatch):
        assert not off(check_files())
        monkeypatch.setattr("iqbench.doctor.golden.FOLDER", tmp_path)
        (wrong,) = check_files()
        assert wrong.status == "off"
        assert "reference/astronaut.png" in wrong.note
        assert "Install iqbench anew" in wrong.note


class TestPrecision:
    def test_float32_is_float32(self):
        findings = list(check_precision(CPU))
        assert {finding.status for finding in findings} == {"ok"}
        deviations = [finding.deviation for finding in findings if finding.deviation is not None]
        assert len(deviations) == 2
        assert 0 < max(deviations) < EXACT / 5

    def test_tf32_left_on_is_named(self):
        with switched("cuda.matmul") as (flag, value):
            (wrong,) = off(check_precision(CPU))
            # Looking changes nothing.
            assert getattr(torch.backends.cuda.matmul, flag) == value
        assert f"torch.backends.cuda.matmul.{flag} is {value!r}" in wrong.note
        assert "set_float32_matmul_precision('highest')" in wrong.note

    @pytest.mark.parametrize(("value", "status"), [("1", "off"), ("0", "ok"), (None, "ok")])
    def test_the_environment_can_force_tf32(self, monkeypatch, value, status):
        if value is None:
            monkeypatch.delenv(OVERRIDE, raising=False)
        else:
            monkeypatch.setenv(OVERRIDE, value)
        assert statuses(check_precision(CPU))[OVERRIDE] == status

    def test_products_of_tf32_are_recognised_whatever_the_switches_say(self, monkeypatch):
        right = torch.matmul

        def ten_bits(values):
            if values.dtype != torch.float32:
                return values
            return (values.view(torch.int32) + 0x1000 & ~0x1FFF).view(torch.float32)

        monkeypatch.setattr(torch, "matmul", lambda a, b: right(ten_bits(a), ten_bits(b)))
        (wrong,) = off(check_precision(CPU))
        assert wrong.check == "float32 matrix product against float64"
        assert 10 * EXACT < wrong.deviation < 1e-3
        assert "TF32 or bfloat16 is on" in wrong.note

    def test_switches_that_do_not_work_are_named(self, monkeypatch):
        monkeypatch.setattr(compute, "_switches", lambda tf32: ([], "", False))
        with switched("cudnn.conv" if NEW_SWITCHES else "cudnn"):
            found = statuses(check_precision(CPU))
        assert found["torch's settings while iqbench computes"] == "off"
        assert found["torch's settings as found"] == "ok"  # it is torch's default

    def test_the_switches_of_an_older_torch_are_read(self, monkeypatch):
        older = SimpleNamespace(
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True)),
            cudnn=SimpleNamespace(allow_tf32=True),
        )
        fake = SimpleNamespace(backends=older)
        monkeypatch.setattr(precision_part, "torch", fake)
        assert precision_part._switches() == {
            "torch.backends.cuda.matmul.allow_tf32": True,
            "torch.backends.cudnn.allow_tf32": True,
        }
        found = precision_part._left_on()
        assert found.status == "off"
        assert "cuda.matmul.allow_tf32 is True" in found.note
        assert "cudnn" not in found.note


class TestWeights:
    def test_what_is_missing_is_not_checked_and_nothing_is_fetched(self, no_weights, monkeypatch):
        monkeypatch.delenv(weights.OFFLINE_VARIABLE)
        monkeypatch.setattr(
            "iqbench.networks.weights.fetching.fetch", lambda *_: pytest.fail("fetched")
        )
        found = {finding.check: finding for finding in check_weights(None)}
        assert found["vgg16"].status == found["alexnet"].status == "not checked"
        assert "not here: run `iqbench weights fetch`" in found["vgg16"].note
        assert "perceptual, lpips-vgg" in found["vgg16"].note
        assert found["lpips-alex"].status == found["lpips-vgg"].status == "ok"
        assert not list(no_weights.iterdir())

    def test_a_damaged_file_is_named_with_what_to_do(self, no_weights):
        file = no_weights / "alexnet_features.safetensors"
        file.write_bytes(b"\0" * 1000)
        found = {finding.check: finding for finding in check_weights(None)}
        assert found["alexnet"].status == "off"
        assert str(file) in found["alexnet"].note
        assert "iqbench weights fetch alexnet --force" in found["alexnet"].note

    @pytest.mark.usefixtures("pretrained_networks")
    def test_one_wrong_bit_is_found(self, tmp_path):
        content = bytearray(weights.locate("alexnet").read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / "alexnet_features.safetensors").write_bytes(content)
        found = {finding.check: finding for finding in check_weights(tmp_path)}
        assert found["alexnet"].status == "off"
        assert "content digest" in found["alexnet"].note
        assert found["vgg16"].status == "ok"

    def test_metrics_of_damaged_weights_are_not_checked_all_others_are(self, no_weights):
        (no_weights / "vgg16_features.safetensors").write_bytes(b"\0" * 1000)
        frame = doctor("cpu")
        assert verdict(frame) == "off"
        assert frame[frame["status"] == "off"]["check"].tolist() == ["vgg16"]
        scores = frame[frame["part"] == "scores"].groupby("group")["status"].unique()
        assert {group: list(found) for group, found in scores.items()} == {
            **{group: ["ok"] for group in ("psnr", "ssim", "tv")},
            **{group: ["not checked"] for group in ("perceptual", "lpips-alex", "lpips-vgg")},
        }
        notes = frame[frame["group"] == "lpips-vgg"]["note"].unique().tolist()
        assert notes == ["weights of vgg16: damaged"]


class TestScores:
    def test_a_wrong_metric_is_named_with_its_deviation(self, pixel_bench, monkeypatch):
        right = Psnr.close
        monkeypatch.setattr(Psnr, "close", lambda *given: right(*given) + 0.01)
        bench = Bench.set_up(CPU, NOT_HERE, None)
        wrong = off(check_scores(bench))
        assert {finding.group for finding in wrong} == {"psnr"}
        assert [finding.deviation for finding in wrong] == pytest.approx([0.01] * 7, rel=1e-3)
        assert (wrong[0].tolerance, wrong[0].unit) == (1e-5, "dB")
        assert "by scikit-image" in wrong[0].note
        # It is the metric that is wrong, not the streaming.
        assert not off(check_bands(bench))
        assert {finding.group for finding in off(check_tables(CPU))} == {
            "scores written as Parquet and read back"
        }

    def test_a_value_that_is_not_there_is_off(self, monkeypatch):
        right = Psnr.close
        monkeypatch.setattr(Psnr, "close", lambda *given: right(*given) * torch.nan)
        wrong = off(check_scores(Bench.set_up(CPU, NOT_HERE, None)))
        assert {finding.note for finding in wrong} == {"the value is not a number"}

    @pytest.mark.usefixtures("pretrained_networks")
    def test_few_bytes_make_several_bands(self, monkeypatch):
        plans = []

        def plan(*given, **options):
            plans.append(bands.plan_bands(*given, **options))
            return plans[-1]

        monkeypatch.setattr(scorer, "plan_bands", plan)
        bench = Bench.set_up(CPU, {}, None)
        statuses = {finding.status for finding in check_bands(bench)}
        assert statuses == {"ok"}
        whole, banded = plans
        assert len(whole.bands()) == 1
        assert len(banded.bands()) >= 2
        assert CPU.memory > FEW_BYTES

    def test_rows_that_streaming_gets_wrong_are_off(self, pixel_bench, monkeypatch):
        right = Bench.score

        def score(self, recorded, memory=None):
            found = right(self, recorded, memory)
            if memory is not None:
                found["ssim"] = type(found["ssim"])(found["ssim"].value + 1e-3)
            return found

        monkeypatch.setattr(Bench, "score", score)
        (wrong,) = off(check_bands(pixel_bench))
        assert wrong.check == "ssim of astronaut in bands"

    def test_tables_are_read_back_and_nothing_is_left(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        findings = list(check_tables(CPU))
        assert len(findings) == 9
        assert {finding.status for finding in findings} == {"ok"}
        assert not list(tmp_path.iterdir())


def test_the_device_computes():
    found = statuses(check_device(CPU))
    assert found == {"cpu": "ok", "memory": "info", "cuda": "info"}


def test_a_device_that_is_not_there_is_off_and_what_needs_it_is_not_checked(
    no_weights, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    frame = doctor("cuda").set_index("part")
    assert frame.loc["device", "status"] == "off"
    note = frame.loc["device", "note"]
    assert note.startswith("there is no CUDA device: ")
    assert "built" in note
    for part in ("precision", "scores", "bands", "tables"):
        assert frame.loc[part, "status"] == "not checked"
    assert set(frame.loc["decoder", "status"]) == {"ok"}


def test_a_part_that_breaks_keeps_no_other_from_running(no_weights, monkeypatch):
    def broken():
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr("iqbench.doctor.decoder.check_decoder", broken)
    parts = []
    frame = doctor("cpu", reporter=parts.append)
    (row,) = frame[frame["part"] == "decoder"].to_dict("records")
    assert row["status"] == "off"
    assert row["note"] == "ImportError: libGL.so.1: cannot open shared object file"
    assert set(frame[frame["part"] == "tables"]["status"]) == {"ok"}
    assert parts == list(dict.fromkeys(frame["part"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"weights": "nowhere"}, "the folder given for the weights does not exist"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_looked_at(options, message):
    with pytest.raises(IqbenchError, match=message):
        doctor(**options, reporter=pytest.fail)


def test_a_named_folder_that_is_gone_is_a_finding(no_weights, monkeypatch):
    monkeypatch.setenv(weights.WEIGHTS_VARIABLE, str(no_weights / "gone"))
    found = {finding.check: finding for finding in check_weights(None)}
    assert found["vgg16"].status == "off"
    assert weights.WEIGHTS_VARIABLE in found["vgg16"].note


@pytest.mark.parametrize(
    ("deviation", "status"), [(0.0, "ok"), (1e-5, "ok"), (1.1e-5, "off"), (np.nan, "off")]
)
def test_a_deviation_is_judged(deviation, status):
    found = compared("part", "check", deviation=deviation, tolerance=1e-5, note="a", wrong="b")
    assert (found.status, found.note) == (status, "a" if status == "ok" else "b")


def test_the_verdict():
    ok, missing, wrong, fact = (
        Finding("part", "check", status) for status in ("ok", "not checked", "off", "info")
    )
    assert verdict([ok, fact]) == "ok"
    assert verdict([ok, missing]) == "not proven"
    assert verdict([ok, missing, wrong]) == "off"


def test_the_environment_is_left_as_it_was(no_weights):
    before = dict(os.environ), torch.get_num_threads(), torch.is_inference_mode_enabled()
    doctor("cpu")
    assert before == (dict(os.environ), torch.get_num_threads(), False)
