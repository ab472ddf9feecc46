"""Fetching a checkpoint from a local server."""

import hashlib
import io
import pickle
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from iqbench.errors import IqbenchError
from iqbench.networks.weights import torchvision_urls
from iqbench.networks.weights.catalogue import expected_shapes


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    """A folder, and the address it is served under."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def made_state(name="resnet18"):
    generator = torch.Generator().manual_seed(0)
    shapes = expected_shapes(name)
    state = {key: torch.rand(shape, generator=generator) for key, shape in shapes.items()}
    # What real checkpoints hold besides: parameters, counters, fully connected layers.
    first = next(iter(state))
    state[first] = torch.nn.Parameter(state[first])
    return state | {"bn1.num_batches_tracked": torch.tensor(7), "fc.weight": torch.zeros(9, 9)}


def served_checkpoint(folder, state, name="resnet18"):
    content = io.BytesIO()
    torch.save(state, content)
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    file_name = f"{name}-{digest[:8]}.pth"
    (folder / file_name).write_bytes(content.getvalue())
    return file_name


@pytest.fixture
def fetched_from_server(server, tmp_path, monkeypatch):
    """The package, allowed to fetch, with resnet18's address on the server."""
    from iqbench.networks import weights

    folder, url = server
    state = made_state()
    file_name = served_checkpoint(folder, state)
    monkeypatch.delenv("IQBENCH_OFFLINE", raising=False)
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torchvision_urls, "RETRIES", 0)
    monkeypatch.setattr(torchvision_urls, "address", lambda name: f"{url}/{file_name}")
    return weights, state, folder / file_name


def test_a_network_is_fetched_once_and_loaded_from_then_on(fetched_from_server):
    weights, state, served = fetched_from_server
    first = weights.load("resnet18")
    served.unlink()
    second = weights.load("resnet18")
    assert first.tensors.keys() == second.tensors.keys() == expected_shapes("resnet18").keys()
    assert all(torch.equal(second.tensors[key], state[key]) for key in second.tensors)
    assert first.digest == second.digest
    assert served.name in second.origin
    assert str(weights.cache_folder()) in second.origin


def test_forcing_replaces_a_damaged_file(fetched_from_server):
    weights, _, _ = fetched_from_server
    path = weights.fetch(["resnet18"])["resnet18"]
    digest = weights.ensure(["resnet18"])["resnet18"]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(IqbenchError, match="damaged"):
        weights.fetch(["resnet18"])
    assert weights.fetch(["resnet18"], force=True) == {"resnet18": path}
    assert weights.ensure(["resnet18"])["resnet18"] == digest


def test_files_can_be_put_into_a_folder_for_a_machine_without_network(
    fetched_from_server, tmp_path
):
    weights, state, _ = fetched_from_server
    folder = tmp_path / "to" / "carry"
    path = weights.fetch(["resnet18"], folder=folder)["resnet18"]
    assert path == folder / "resnet18_features.safetensors"
    assert not weights.cache_folder().exists()
    loaded = weights.load("resnet18", folder=folder)
    assert torch.equal(loaded.tensors["conv1.weight"], state["conv1.weight"])


def test_a_checkpoint_of_another_network_is_not_kept(fetched_from_server):
    weights, _, _ = fetched_from_server
    with pytest.raises(IqbenchError, match=r"missing: resnet50 .*does not hold the weights"):
        weights.ensure(["resnet50"])
    assert weights.locate("resnet50") is None


def test_a_download_that_does_not_match_its_name_is_refused(server, tmp_path):
    folder, url = server
    (folder / "resnet18-0123abcd.pth").write_bytes(b"another file")
    with pytest.raises(IqbenchError, match=r"has sha256 .*, not 0123abcd"):
        torchvision_urls.download(f"{url}/resnet18-0123abcd.pth", tmp_path)


def test_an_address_without_a_hash_is_refused(tmp_path):
    with pytest.raises(IqbenchError, match="no hash in its name"):
        torchvision_urls.download("http://127.0.0.1:9/resnet18.pth", tmp_path)


def test_an_address_that_holds_nothing_is_named(server, tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision_urls, "RETRIES", 0)
    url = f"{server[1]}/resnet18-0123abcd.pth"
    with pytest.raises(IqbenchError, match=f"{url} cannot be downloaded: 404"):
        torchvision_urls.download(url, tmp_path)


def test_an_address_that_cannot_be_reached_is_named_without_a_tower_of_errors(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(torchvision_urls, "RETRIES", 0)
    with ThreadingHTTPServer(("127.0.0.1", 0), QuietHandler) as closed:
        port = closed.server_port
    url = f"http://127.0.0.1:{port}/resnet18-0123abcd.pth"
    with pytest.raises(IqbenchError, match=f"{url} cannot be downloaded: ") as caught:
        torchvision_urls.download(url, tmp_path)
    assert "refused" in caught.value.message
    assert "Max retries" not in caught.value.message


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return type(self.marker).touch, (self.marker,)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "checkpoint.pth"
    torch.save({"conv1.weight": Malicious(marker)}, path)
    with pytest.raises(IqbenchError, match=r"checkpoint\.pth cannot be read as a checkpoint"):
        torchvision_urls.read_checkpoint("resnet18", path)
    path.write_bytes(pickle.dumps(Malicious(marker)))
    with pytest.raises(IqbenchError, match=r"checkpoint\.pth cannot be read as a checkpoint"):
        torchvision_urls.read_checkpoint("resnet18", path)
    assert not marker.exists()


def test_the_old_checkpoint_format_is_read(tmp_path):
    state = made_state()
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    arrays = torchvision_urls.read_checkpoint("resnet18", tmp_path / "old.pth")
    assert arrays.keys() == expected_shapes("resnet18").keys()
    assert np.array_equal(arrays["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"].numpy())


def test_addresses_are_torchvisions_own():
    from torchvision.models import VGG19_Weights

    assert torchvision_urls.address("vgg19") == VGG19_Weights.IMAGENET1K_V1.url
