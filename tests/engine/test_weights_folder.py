"""Trained parameters of every metric come from the folder of ``--weights``."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_sets import NAMES
from PIL import Image
from safetensors.numpy import save_file

import iqbench
from iqbench.engine.compute import resolve_compute
from iqbench.engine.resources import load_resources
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.metrics._inception_features import InceptionExtractor
from iqbench.metrics._registry import resolve_metrics
from iqbench.networks.weights import catalogue
from iqbench.networks.weights.store import content_digest
from iqbench.results.extractor_files import FeatureKey, extractor_folders
from iqbench.results.features import FeatureTable
from iqbench.results.read import load_images, load_scores


@pytest.fixture
def nothing_elsewhere(tmp_path, monkeypatch):
    """An empty cache and no network: what is found is in the folder that is named."""
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IQBENCH_OFFLINE", "1")


@pytest.fixture
def made(tmp_path, monkeypatch, nothing_elsewhere):
    """Makes a weight file of random numbers in a folder, and gives the folder and the digest."""

    def make(name):
        entry = catalogue.weight_set(name)
        # The digest of the published parameters is pinned; here are others.
        monkeypatch.setitem(catalogue.WEIGHT_SETS, name, replace(entry, digest=None))
        generator = np.random.default_rng(0)
        arrays = {  # small kernels, so that features stay finite, and positive variances
            key: np.abs(values) + 1 if key.endswith("var") else values / 20
            for key, shape in catalogue.expected_shapes(name).items()
            for values in [generator.standard_normal(shape, dtype=np.float32).astype(entry.dtype)]
        }
        folder = tmp_path / "weights"
        folder.mkdir(exist_ok=True)
        save_file(arrays, folder / entry.file_name)
        return folder, content_digest(arrays)

    return make


@pytest.mark.parametrize("name", ["niqe", "dists"])
def test_parameters_of_a_metric_are_taken_from_the_folder(made, name):
    folder, digest = made(name)
    (request,) = resolve_metrics([name])
    assert request.metric.parameters(folder).digest == digest
    with pytest.raises(IqbenchError, match=name):
        request.metric.parameters(None)


def test_a_value_is_signed_with_the_parameters_of_the_folder(made, tmp_path):
    folder, digest = made("niqe")
    pixels = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "output.png")
    frame = iqbench.measure(tmp_path / "output.png", metrics="niqe", weights=folder)
    assert digest[:12] in frame["signature"][0]


def test_features_of_sets_are_those_of_the_network_in_the_folder(made, folders):
    folder, digest = made("inception")
    with pytest.warns(IqbenchWarning, match="too large"):
        iqbench.evaluate(
            methods="near", reference="ref", metrics="fid", weights=folder, device="cpu"
        )
    row = load_scores("results", scope="set").iloc[0]
    assert f"weights=inception:{digest[:12]}" in row["signature"]
    assert np.isfinite(row["value"])
    ((_, signature),) = extractor_folders(folders / "results", "features")
    image = load_images("results").set_index("image").loc[NAMES[0].removesuffix(".png")]
    stored = FeatureTable(folders / "results", signature)
    found = stored.select([FeatureKey(image["output_digest"], 255)]).array()
    extractor = InceptionExtractor()
    pixels = torch.from_numpy(np.asarray(Image.open(folders / "near" / NAMES[0])) / np.float32(255))
    expected = extractor.extract(pixels.permute(2, 0, 1)[None], extractor.weights(folder))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("metrics", [["fid"], ["niqe", "kid"]])
def test_missing_folders_are_reported_before_anything_is_computed(
    nothing_elsewhere, tmp_path, metrics
):
    (tmp_path / "weights").mkdir()
    requests = resolve_metrics(metrics)
    with pytest.raises(IqbenchError, match=r"inception|niqe"):
        load_resources(requests, resolve_compute("cpu"), folder=tmp_path / "weights")
