"""Weight files: searched in order, verified, written whole or not at all."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from needs import SHARED, needs
from safetensors.numpy import load_file, save_file

from iqbench.errors import IqbenchError
from iqbench.networks.weights import store
from iqbench.networks.weights.catalogue import DEFAULT_NETWORKS, expected_shapes, weight_set

WEIGHTS = SHARED / "weights"
SMALL = "squeezenet1_1"  # 0.7 million values: the smallest network there is


def made_arrays(name=SMALL, seed=0):
    generator = np.random.default_rng(seed)
    shapes = expected_shapes(name)
    return {key: generator.random(shape, dtype=np.float32) for key, shape in shapes.items()}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)
    return tmp_path / "cache" / "weights"


def test_what_was_saved_is_read_back_with_its_digest_and_origin(cache):
    arrays = made_arrays()
    path = store.save(SMALL, arrays, origin="made for a test", folder=cache)
    file = store.read(SMALL, path)
    assert path == cache / "squeezenet1_1_features.safetensors"
    assert file.digest == store.content_digest(arrays)
    assert file.origin == "made for a test"
    assert file.verified
    assert all(np.array_equal(file.arrays[key], arrays[key]) for key in arrays)
    assert [entry.name for entry in cache.iterdir()] == [path.name]


def test_the_digest_is_of_the_content_not_of_the_container(tmp_path):
    arrays = made_arrays()
    backwards = {key: np.asfortranarray(arrays[key]) for key in reversed(arrays)}
    path = tmp_path / weight_set(SMALL).file_name
    save_file(arrays, path, metadata={"made by": "someone else"})
    assert store.content_digest(backwards) == store.content_digest(arrays)
    assert store.read(SMALL, path).digest == store.content_digest(arrays)


def test_the_digest_knows_keys_shapes_and_values():
    ones = np.ones((2, 3), np.float32)
    digests = {
        store.content_digest(arrays)
        for arrays in (
            {"a": ones},
            {"b": ones},
            {"a": ones.reshape(3, 2)},
            {"a": ones * 2},
            {"a": ones, "b": ones},
        )
    }
    assert len(digests) == 5


def test_a_users_file_without_a_digest_is_accepted_and_said_to_be_unverified(tmp_path):
    path = tmp_path / weight_set(SMALL).file_name
    save_file(made_arrays(), path)
    file = store.read(SMALL, path)
    assert not file.verified
    assert file.origin == "user's folder, not verified against a known digest"


def flipped_bit(path):
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flipped_bit, cut_in_half, emptied])
def test_a_damaged_file_is_refused_and_the_message_says_how_to_mend_it(cache, damage):
    path = store.save(SMALL, made_arrays(), origin="made for a test", folder=cache)
    damage(path)
    with pytest.raises(IqbenchError) as caught:
        store.read(SMALL, path)
    assert str(path) in caught.value.message
    assert "damaged" in caught.value.message
    assert caught.value.hint == (
        f"Delete it, or replace it by `iqbench weights fetch {SMALL} --force`."
    )


def test_outside_the_cache_the_mending_command_names_the_folder(tmp_path):
    path = tmp_path / weight_set(SMALL).file_name
    path.write_bytes(b"not safetensors")
    with pytest.raises(IqbenchError, match="--force --weights") as caught:
        store.read(SMALL, path)
    assert str(tmp_path) in caught.value.hint


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a.pop("features.0.bias"), "features.0.bias is not in it"),
        (lambda a: a.update(extra=a["features.0.bias"]), "extra does not belong in it"),
        (
            lambda a: a.update({"features.0.bias": np.zeros(63, np.float32)}),
            r"features.0.bias has shape \(63,\), but \(64,\) is correct",
        ),
        (
            lambda a: a.update({"features.0.bias": np.zeros(64, np.float64)}),
            "features.0.bias is float64, not float32",
        ),
    ],
)
def test_a_file_with_other_tensors_is_refused(tmp_path, change, problem):
    arrays = made_arrays()
    change(arrays)
    path = tmp_path / weight_set(SMALL).file_name
    save_file(arrays, path)
    with pytest.raises(IqbenchError, match=problem):
        store.read(SMALL, path)
    with pytest.raises(IqbenchError, match=f"a source does not hold the weights.*{problem}"):
        store.save(SMALL, arrays, origin="a source", folder=tmp_path / "elsewhere")


def test_other_values_under_the_name_of_a_known_network_are_refused(tmp_path):
    arrays = made_arrays("alexnet")
    path = tmp_path / weight_set("alexnet").file_name
    save_file(arrays, path)
    with pytest.raises(IqbenchError, match=r"content digest is .*, but dbd30a4a5532 is correct"):
        store.read("alexnet", path)
    with pytest.raises(IqbenchError, match=r"content digest is .*, but dbd30a4a5532 is correct"):
        store.save("alexnet", arrays, origin="a source", folder=tmp_path)


def test_the_given_folder_comes_before_the_variable_and_that_before_the_cache(
    tmp_path, cache, monkeypatch
):
    name = weight_set(SMALL).file_name
    folders = [tmp_path / "given", tmp_path / "variable", cache]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / name).touch()
    monkeypatch.setenv("IQBENCH_WEIGHTS", str(folders[1]))
    for folder in folders:
        assert store.locate(SMALL, folders[0]) == folder / name
        (folder / name).unlink()
    assert store.locate(SMALL, folders[0]) is None


def test_a_folder_that_does_not_exist_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(IqbenchError, match="nowhere"):
        store.locate(SMALL, tmp_path / "nowhere")
    monkeypatch.setenv("IQBENCH_WEIGHTS", str(tmp_path / "gone"))
    with pytest.raises(IqbenchError, match=r"IQBENCH_WEIGHTS does not exist: .*gone"):
        store.locate(SMALL)


def test_without_a_variable_the_cache_is_the_operating_systems(monkeypatch):
    monkeypatch.delenv("IQBENCH_CACHE")
    assert store.cache_folder().parts[-2:] == ("iqbench", "weights")


@pytest.mark.parametrize(
    ("value", "forbidden"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_offline_is_what_the_variable_says(monkeypatch, value, forbidden):
    monkeypatch.setenv("IQBENCH_OFFLINE", value)
    assert store.offline() is forbidden


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(IqbenchError, match="cannot write the weights") as caught:
        store.save(SMALL, made_arrays(), origin="a source", folder=tmp_path / "file")
    assert "IQBENCH_CACHE" in caught.value.hint


def test_writers_and_readers_at_once_all_end_well(cache):
    arrays = made_arrays()
    digest = store.content_digest(arrays)

    def write_and_read(_):
        path = store.save(SMALL, arrays, origin="made for a test", folder=cache)
        return store.read(SMALL, path).digest

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(write_and_read, range(8))) == {digest}
    assert [entry.name for entry in cache.iterdir()] == [weight_set(SMALL).file_name]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_shared_cache_can_be_read_by_others(cache):
    path = store.save(SMALL, made_arrays(), origin="made for a test", folder=cache)
    reference = cache / "reference"
    reference.touch()
    assert path.stat().st_mode == reference.stat().st_mode


@needs(WEIGHTS)
@pytest.mark.parametrize("name", DEFAULT_NETWORKS)
def test_the_real_weights_have_the_known_digest(name):
    path = WEIGHTS / weight_set(name).file_name
    file = store.read(name, path)
    begin = {"vgg16": [-0.5537, 0.1427, 0.5290], "alexnet": [0.1186, 0.0941, 0.0954]}[name]
    assert file.digest == weight_set(name).digest
    assert file.arrays["features.0.weight"][0, 0, 0, :3] == pytest.approx(begin, abs=1e-4)
    assert file.arrays.keys() == load_file(path).keys()


def test_listing_weights_needs_no_torch():
    code = (
        "import sys; from iqbench.networks.weights.listing import overview; overview();"
        "raise SystemExit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
