"""When Winograd's convolution is used: whole images, bands, and never in training."""

from __future__ import annotations

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from iqbench.native import library
from iqbench.networks.convolution import Convolution
from iqbench.networks.stream import Stretch
from iqbench.networks.winograd.choose import pays, rows_at_once

needs_loops = pytest.mark.usefixtures("compiled_loops")


def pays_for(x, weight):
    return pays(Stretch((x,), 1, 1), weight)


@needs_loops
class TestWhen:
    weight = torch.zeros(128, 64, 3, 3)
    x = torch.zeros(1, 64, 8, 8)

    @torch.inference_mode()
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_for_kernels_of_three_by_three_and_whole_vectors_of_channels(self, dtype):
        x, weight = self.x.to(dtype), self.weight.to(dtype)
        assert pays_for(x, weight)
        assert not pays_for(x, weight[:32])
        assert not pays_for(x[:, :24], weight[:, :24])
        assert not pays_for(x, weight[..., :1, :1])

    @torch.inference_mode()
    def test_never_for_another_precision_or_device(self):
        assert not pays_for(self.x.bfloat16(), self.weight)
        assert not pays_for(self.x.double(), self.weight.double())
        assert not pays_for(self.x.to("meta"), self.weight.to("meta"))
        assert not pays_for(self.x.to("meta"), self.weight)

    @torch.inference_mode()
    def test_never_without_compiled_loops(self, monkeypatch):
        monkeypatch.setattr(library, "available", lambda: False)
        assert not pays_for(self.x, self.weight)

    def test_never_in_training_even_without_gradients(self):
        with torch.no_grad():
            assert not pays_for(self.x, self.weight)
        layer = Convolution(64, 64, 3, padding=1)
        x = torch.rand(1, 64, 64, 64, requires_grad=True)
        layer(x).sum().backward()
        assert x.grad is not None
        assert np.isfinite(x.grad.numpy()).all()


class TestRows:
    @needs_loops
    @pytest.mark.parametrize("width", [5, 30, 96, 384, 20_000])
    def test_they_are_whole_tiles_and_enough_of_them(self, width):
        weight = torch.zeros(256, 256, 3, 3)
        rows, across = rows_at_once(weight, width), -(-width // 4)
        assert rows % 4 == 0
        assert rows // 4 * across >= 84
        assert rows == 4 or (rows // 4 - 1) * across < 84

    def test_bands_do_not_matter_for_the_direct_sum(self, monkeypatch):
        assert rows_at_once(torch.zeros(32, 64, 3, 3), 30) is None
        assert rows_at_once(torch.zeros(256, 256, 3, 3, dtype=torch.float64), 30) is None
        monkeypatch.setattr(library, "available", lambda: False)
        assert rows_at_once(torch.zeros(256, 256, 3, 3), 30) is None


@torch.inference_mode()
def convolved(layer, x):
    assert pays_for(x, layer.weight)
    return layer(x)


def filters(channels, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(channels, channels, 3, 3, generator=generator) / (3 * channels**0.5)
    return {"weight": weight, "bias": torch.randn(channels, generator=generator)}


@needs_loops
@pytest.mark.parametrize("assign", [True, False])
def test_a_layer_follows_its_weights(assign):
    layer = Convolution(64, 64, 3, padding=1)
    x = torch.rand(1, 64, 64, 64)
    convolved(layer, x)
    state = filters(64, seed=5)
    layer.load_state_dict(state, assign=assign)
    expected = F.conv2d(x, state["weight"], state["bias"], padding=1)
    torch.testing.assert_close(convolved(layer, x), expected, rtol=0, atol=1e-4)


@needs_loops
@pytest.mark.parametrize(
    "duplicate", [deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["copy", "pickle"]
)
def test_a_layer_that_has_convolved_is_copied_without_its_transformed_kernel(duplicate):
    layer = Convolution(64, 64, 3, padding=1)
    x = torch.rand(1, 64, 64, 64)
    expected = convolved(layer, x)
    assert torch.equal(convolved(duplicate(layer), x), expected)


@needs_loops
def test_weights_that_keep_no_count_of_changes_are_convolved_plainly():
    with torch.inference_mode():
        layer = Convolution(64, 64, 3, padding=1)
        x = torch.rand(1, 64, 64, 64)
        layer(x)
        layer.weight.fill_(0)
        assert torch.equal(layer(x), layer.bias.view(1, -1, 1, 1).expand(1, 64, 64, 64))


@needs_loops
@torch.inference_mode()
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("rows", [1, 7, 16, 37])
def test_bands_give_what_the_whole_image_gives(rows, rectify):
    with torch.inference_mode(mode=False):
        layer = Convolution(64, 64, 3, padding=1)
        layer.load_state_dict(filters(64, seed=0))
    x = torch.rand(2, 64, 101, 61, generator=torch.Generator().manual_seed(3))
    assert pays_for(x, layer.weight)
    stream = layer.stream(rectify=rectify)
    bands = [
        stream.push(x[:, :, start : start + rows], last=start + rows >= 101)
        for start in range(0, 101, rows)
    ]
    found = torch.cat([band for band in bands if band is not None], dim=2)
    whole = layer(x)
    torch.testing.assert_close(found, whole.relu() if rectify else whole, rtol=0, atol=1e-5)
