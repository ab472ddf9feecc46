"""`iqbench.doctor`: this installation is right, and faults are named."""

from __future__ import annotations

import os
from importlib import metadata

import imagecodecs
import numpy as np
import pytest
import simplejpeg
import torch
from made_findings import CPU, off, statuses

from iqbench.doctor import doctor, verdict
from iqbench.doctor.decoder import FILES, check_decoder
from iqbench.doctor.device import check_device
from iqbench.doctor.finding import Finding, compared
from iqbench.doctor.golden import check_files
from iqbench.doctor.versions import check_versions
from iqbench.doctor.weights import check_weights
from iqbench.errors import IqbenchError
from iqbench.native import library
from iqbench.networks import weights


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
    def test_old_versions_are_named(self, monkeypatch):
        right = metadata.version
        monkeypatch.setattr(
            metadata, "version", lambda name: "1.9.0" if name == "torch" else right(name)
        )
        (found,) = off(check_versions())
        assert found.check == "torch"
        assert found.note.startswith("1.9.0, but iqbench needs torch>=")
        assert "python -m pip install" in found.note

    def test_missing_packages_are_named(self, monkeypatch):
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
        right = simplejpeg.decode_jpeg

        def rounding_otherwise(*args, **options):
            pixels = right(*args, **options)
            pixels[3, 4] += 1
            return pixels

        monkeypatch.setattr(simplejpeg, "decode_jpeg", rounding_otherwise)
        wrong = off(check_decoder())
        assert [finding.check for finding in wrong] == [
            label for name, label in FILES.items() if name.endswith(".jpg")
        ]
        assert (wrong[0].deviation, wrong[0].tolerance, wrong[0].unit) == (1, 0, "levels")
        assert wrong[0].note.startswith("3 of 2625 samples differ; this JPEG decoder rounds")

    def test_a_decoder_that_fails_is_named_and_the_others_are_still_tried(self, monkeypatch):
        def fail(data):
            raise ValueError("no such build")

        monkeypatch.setattr(imagecodecs, "png_decode", fail)
        wrong = off(check_decoder())
        assert len(wrong) == 4
        assert "libpng reports 'no such build'" in wrong[0].note

    def test_a_golden_file_that_was_changed_is_named(self, tmp_path, monkeypatch):
        assert not off(check_files())
        monkeypatch.setattr("iqbench.doctor.golden.FOLDER", tmp_path)
        (wrong,) = check_files()
        assert wrong.status == "off"
        assert "reference/astronaut.png" in wrong.note
        assert "Install iqbench again" in wrong.note


class TestWeights:
    def test_missing_weights_are_not_checked_and_not_fetched(self, no_weights, monkeypatch):
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


def test_the_device_computes():
    found = statuses(check_device(CPU))
    assert found == {"cpu": "ok", "memory": "info", "compiled loops": "info", "cuda": "info"}


def test_it_says_why_there_are_no_compiled_loops(monkeypatch):
    def missing():
        raise library.NotCompiledError("not compiled: gcc")

    monkeypatch.setattr(library, "find_library", missing)
    (loops,) = (one for one in check_device(CPU) if one.check == "compiled loops")
    assert loops.note == "not compiled: gcc. Without them, the same values take longer"


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
