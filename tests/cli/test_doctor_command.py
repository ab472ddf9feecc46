"""`iqbench doctor`: its output and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iqbench.doctor import privacy
from iqbench.document.render import DOCUMENT_FORMATS as FORMATS
from iqbench.networks.weights import WEIGHTS_VARIABLE
from iqbench.networks.weights.store import CACHE_VARIABLE


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's home, in which no weights were fetched yet."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(privacy.getpass, "getuser", lambda: "somebody")
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.usefixtures("pretrained_networks")
def test_a_whole_installation_is_proven(iqbench):
    ran = iqbench("doctor", "--device", "cpu", "--strict")
    assert (ran.code, ran.err) == (0, "")
    assert "OFF" not in ran.out
    for word in ("JPEG 4:2:0", "float32 convolution", "perceptual (12)", "To paste into an issue"):
        assert word in ran.out


def test_without_weights_nothing_is_off_but_it_is_not_proven(home, iqbench):
    ran = iqbench("doctor", "--device", "cpu")
    assert ran.code == 0
    assert "not here: run `iqbench weights fetch`" in ran.out
    assert "could not be made" in ran.out
    assert iqbench("doctor", "--device", "cpu", "--strict").code == 1


def test_a_damaged_weight_file_exits_1_and_is_named_without_the_home_folder(home, iqbench):
    folder = home / "cache" / "weights"
    folder.mkdir(parents=True)
    (folder / "vgg16_features.safetensors").write_bytes(b"\0" * 100)
    for form in FORMATS:
        ran = iqbench("doctor", "--device", "cpu", "--format", form)
        assert ran.code == 1
        assert str(home) not in ran.out
        folded = "".join(ran.out.replace("\\", "").split()).replace("textasciitilde{}", "~")
        assert "~/cache/weights/vgg16_features.safetensorsisdamaged" in folded


def test_json_is_a_list_of_row_objects(home, iqbench):
    rows = json.loads(iqbench("doctor", "--device", "cpu", "--format", "json").out)
    assert {"part", "check", "status", "deviation", "tolerance", "unit", "note"} == set(rows[0])
    statuses = {row["check"]: row["status"] for row in rows}
    assert statuses["vgg16"] == "not checked"
    assert statuses["psnr of coffee under sr-y:scale=4"] == "ok"


def test_tf32_left_on_by_the_environment_exits_1(home, iqbench, monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    ran = iqbench("doctor", "--device", "cpu")
    assert ran.code == 1
    assert "OFF: precision, NVIDIA_TF32_OVERRIDE: NVIDIA_TF32_OVERRIDE=1 turns TF32 on" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "gpu"), "unknown device 'gpu'"),
        (("--weights", "nowhere"), "the folder given for the weights does not exist: nowhere"),
        (("--format", "xml"), "'xml' is not one of"),
    ],
)
def test_wrong_input_exits_2(iqbench, arguments, message):
    ran = iqbench("doctor", *arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
