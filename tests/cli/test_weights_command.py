"""`iqbench weights`: list, fetch, show."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from iqbench.cli.weights import weights
from iqbench.errors import IqbenchError
from iqbench.networks.weights import store, torchvision_urls
from iqbench.networks.weights.catalogue import WEIGHT_SETS, expected_shapes

SMALL = "squeezenet1_1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one network; no other is anywhere."""
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IQBENCH_OFFLINE", "1")
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)
    store.save(SMALL, made_arrays(), origin="made for a test", folder=tmp_path / "w")
    return tmp_path / "w"


def made_arrays():
    return {key: np.ones(shape, np.float32) for key, shape in expected_shapes(SMALL).items()}


def run(*arguments):
    return CliRunner().invoke(weights, [str(a) for a in arguments], catch_exceptions=False)


def test_list_says_of_every_network_whether_it_is_there(folder):
    result = run("list", "--weights", folder, "--format", "json")
    rows = {row["network"]: row for row in json.loads(result.output)}
    assert result.exit_code == 0
    assert set(rows) == set(WEIGHT_SETS)
    assert rows[SMALL] == {
        "network": SMALL,
        "status": "present",
        "file": str(folder / f"{SMALL}_features.safetensors"),
        "digest": store.content_digest(made_arrays()),
        "source": "torchvision",
        "used_by": "",
    }
    assert rows["vgg16"] == {
        "network": "vgg16",
        "status": "missing",
        "file": "",
        "digest": "",
        "source": "package index",
        "used_by": "perceptual, lpips-vgg",
    }


def test_list_as_a_table_ends_with_the_folders(folder):
    result = run("list", "--weights", folder)
    assert "resnet101" in result.output
    assert store.content_digest(made_arrays())[:12] in result.output
    assert result.output.splitlines()[-1] == f"{folder}: {SMALL}"


def test_the_table_cuts_nothing_off_in_a_narrow_window(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    table, _, place = run("list", "--weights", folder).output.rpartition("\n\n")
    assert place.startswith(str(folder))
    assert max(map(len, table.splitlines())) <= 50
    for word in ("squeezenet1_1", "package index", "perceptual, lpips-vgg"):
        assert word in table


def test_list_shows_a_damaged_file_as_such(folder):
    (folder / f"{SMALL}_features.safetensors").write_bytes(b"damaged")
    rows = json.loads(run("list", "--weights", folder, "--format", "json").output)
    assert {row["network"] for row in rows if row["status"] == "damaged"} == {SMALL}


def test_show_tells_all_there_is_to_know(folder):
    result = run("show", SMALL, "--weights", folder)
    text = "".join(result.output.split())
    assert store.content_digest(made_arrays()) in text
    assert "madeforatest" in text
    assert "50,722,496values:features.0.weight64x3x3x3" in text
    assert "ImageNet" in text


def test_show_of_what_is_missing_says_how_to_get_it(folder):
    with pytest.raises(IqbenchError, match=r"missing: vgg19.*iqbench weights fetch vgg19"):
        run("show", "vgg19", "--weights", folder)


def test_fetch_without_names_wants_what_the_default_metrics_need(folder):
    with pytest.raises(IqbenchError, match=r"missing: vgg16, alexnet \(IQBENCH_OFFLINE is set"):
        run("fetch", "--weights", folder)


def test_fetch_prints_where_the_files_are(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("IQBENCH_OFFLINE")
    monkeypatch.setattr(torchvision_urls, "address", lambda name: "an address")
    monkeypatch.setattr(torchvision_urls, "download", lambda url, folder: folder)
    monkeypatch.setattr(torchvision_urls, "read_checkpoint", lambda name, path: made_arrays())
    result = run("fetch", SMALL)
    path = tmp_path / "cache" / "weights" / f"{SMALL}_features.safetensors"
    assert result.output == f"{SMALL}: {path}\n"
    assert path.is_file()
    assert run("fetch", SMALL).output == result.output


@pytest.mark.parametrize("command", ["list", "fetch", "show"])
def test_every_help_has_an_example_and_the_folder_option(command):
    text = run(command, "--help").output
    assert f"Example: iqbench weights {command}" in text
    assert "--weights" in text


def test_paths_of_the_user_are_expanded(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert store.locate(SMALL, Path("~/w")) is not None
