"""Weights are loaded with their digests; all missing weights are named."""

import numpy as np
import pytest
import torch
from made_batches import batch_of, values
from safetensors.numpy import save_file

from iqbench import functional
from iqbench.engine.compute import resolve_compute
from iqbench.engine.resources import load_resources
from iqbench.engine.scorer import Scorer
from iqbench.errors import IqbenchError
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics
from iqbench.metrics.psnr import Psnr
from iqbench.networks.weights.catalogue import weight_set
from iqbench.protocols.presets import resolve_protocol


def made_weights(folder, name="squeezenet1_1"):
    from iqbench.networks.weights.catalogue import expected_shapes

    generator = np.random.default_rng(0)
    arrays = {
        key: (generator.random(shape, dtype=np.float32) - 0.5) / 5
        for key, shape in expected_shapes(name).items()
    }
    save_file(arrays, folder / weight_set(name).file_name)


def test_resources_are_loaded_from_a_folder_with_their_digests(tmp_path, monkeypatch):
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    made_weights(tmp_path)
    requests = resolve_metrics(["psnr", "lpips:net=squeeze", "perceptual-squeezenet1_1-fire2-l1"])
    compute = resolve_compute("cpu", "bf16", 2**28)
    resources = load_resources(requests, compute, folder=tmp_path)
    assert list(resources.backbones) == ["squeezenet1_1"]
    assert (
        resources.backbones["squeezenet1_1"].state_dict()["features.0.bias"].dtype == torch.bfloat16
    )
    squeeze = requests[1].metric
    assert set(resources.digests) == {"squeezenet1_1", squeeze}
    assert all(len(digest) == 64 for digest in resources.digests.values())
    assert list(resources.parameters[squeeze]) == [f"lin{n}" for n in range(7)]
    assert resources.parameters[Psnr()] == {}
    scorer = Scorer(requests, resolve_protocol("rgb"), resources, compute)
    assert values(scorer.score(batch_of(40, 40, outputs=1)))[0]["lpips-squeeze"] > 0


def test_missing_weights_are_all_named_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    requests = resolve_metrics(["perceptual", "lpips:net=alex", "lpips:net=squeeze"])
    with pytest.raises(IqbenchError, match="missing: vgg16, alexnet, squeezenet1_1"):
        load_resources(requests, resolve_compute("cpu"), folder=tmp_path)


@pytest.mark.usefixtures("pretrained_networks")
def test_the_default_metrics_run_on_the_pretrained_networks():
    requests = resolve_metrics(DEFAULT_METRICS)
    compute = resolve_compute("cpu", memory=2**30)
    scorer = Scorer(requests, resolve_protocol("rgb"), load_resources(requests, compute), compute)
    batch = batch_of(67, 75, outputs=1)
    found = values(scorer.score(batch))[0]
    pair = [
        torch.as_tensor(image.pixels).permute(2, 0, 1)[None].float() / 255
        for image in (*batch.references, *batch.outputs)
    ]
    assert found["lpips-alex"] == pytest.approx(functional.lpips(*pair).item(), rel=1e-5)
    assert found["perceptual-vgg16-sum-l1"] == pytest.approx(
        functional.perceptual(*pair).item(), rel=1e-5
    )
