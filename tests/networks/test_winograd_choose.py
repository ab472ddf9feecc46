"""When multiplying less pays; and that layers convolve so in whole images, bands and training."""

from __future__ import annotations

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from iqbench.networks import onednn
from iqbench.networks.convolution import Convolution
from iqbench.networks.winograd.choose import pays, rows_at_once

needs_onednn = pytest.mark.skipif(not onednn.AVAILABLE, reason="this torch lacks parts of oneDNN")


@needs_onednn
class TestWhen:
    weight = torch.zeros(128, 96, 3, 3)
    x = torch.zeros(1, 96, 64, 64)

    @torch.inference_mode()
    def test_for_many_channels_and_enough_positions(self):
        assert pays(self.x, self.weight)
        assert not pays(self.x[..., :3], self.weight)
        assert not pays(self.x, self.weight[:32])
        assert not pays(self.x, self.weight[..., :1, :1])

    @torch.inference_mode()
    def test_never_for_another_precision_or_device(self):
        assert not pays(self.x.bfloat16(), self.weight.bfloat16())
        assert not pays(self.x.double(), self.weight.double())
        assert not pays(self.x.to("meta"), self.weight.to("meta"))
        assert not pays(self.x.to("meta"), self.weight)

    @torch.inference_mode()
    def test_never_without_onednn(self, monkeypatch):
        monkeypatch.setattr(onednn, "AVAILABLE", False)
        assert not pays(self.x, self.weight)

    def test_never_in_training_not_even_for_what_has_no_gradients(self):
        with torch.no_grad():
            assert not pays(self.x, self.weight)
        layer = Convolution(96, 96, 3, padding=1)
        x = torch.rand(1, 96, 64, 64, requires_grad=True)
        layer(x).sum().backward()
        assert x.grad is not None
        assert np.isfinite(x.grad.numpy()).all()


class TestRows:
    @needs_onednn
    @pytest.mark.parametrize("width", [5, 30, 96, 384, 2000])
    def test_they_are_whole_tiles_and_as_many_as_are_multiplied_at_once(self, width):
        weight = torch.zeros(256, 256, 3, 3)
        rows, across = rows_at_once(weight, width), -(-width // 4)
        assert rows % 4 == 0
        assert rows // 4 * across >= 96 > (rows // 4 - 1) * across

    @needs_onednn
    def test_rows_so_wide_that_keeping_them_would_fill_the_memory_go_one_by_one(self):
        weight = torch.zeros(512, 512, 3, 3)
        assert rows_at_once(weight, 1 << 10) == 4
        assert rows_at_once(weight, (1 << 10) + 1) is None

    def test_they_do_not_matter_where_the_plain_sum_is_taken(self, monkeypatch):
        assert rows_at_once(torch.zeros(32, 64, 3, 3), 30) is None
        assert rows_at_once(torch.zeros(256, 256, 3, 3, dtype=torch.bfloat16), 30) is None
        monkeypatch.setattr(onednn, "AVAILABLE", False)
        assert rows_at_once(torch.zeros(256, 256, 3, 3), 30) is None


@torch.inference_mode()
def convolved(layer, x):
    assert pays(x, layer.weight)
    return layer(x)


def filters(channels, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(channels, channels, 3, 3, generator=generator) / (3 * channels**0.5)
    return {"weight": weight, "bias": torch.randn(channels, generator=generator)}


@needs_onednn
@pytest.mark.parametrize("assign", [True, False])
def test_a_layer_follows_its_weights(assign):
    layer = Convolution(96, 96, 3, padding=1)
    x = torch.rand(1, 96, 64, 64)
    convolved(layer, x)
    state = filters(96, seed=5)
    layer.load_state_dict(state, assign=assign)
    expected = F.conv2d(x, state["weight"], state["bias"], padding=1)
    torch.testing.assert_close(convolved(layer, x), expected, rtol=0, atol=1e-4)


@needs_onednn
@pytest.mark.parametrize(
    "duplicate", [deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["copy", "pickle"]
)
def test_a_layer_that_has_convolved_is_copied_without_its_transformed_kernel(duplicate):
    layer = Convolution(96, 96, 3, padding=1)
    x = torch.rand(1, 96, 64, 64)
    expected = convolved(layer, x)
    assert torch.equal(convolved(duplicate(layer), x), expected)


@needs_onednn
def test_weights_that_keep_no_count_of_changes_are_convolved_plainly():
    with torch.inference_mode():
        layer = Convolution(96, 96, 3, padding=1)
        x = torch.rand(1, 96, 64, 64)
        layer(x)
        layer.weight.fill_(0)
        assert torch.equal(layer(x), layer.bias.view(1, -1, 1, 1).expand(1, 96, 64, 64))


@needs_onednn
@torch.inference_mode()
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("rows", [1, 7, 16, 37])
def test_bands_give_what_the_whole_image_gives(rows, rectify):
    with torch.inference_mode(mode=False):
        layer = Convolution(96, 96, 3, padding=1)
        layer.load_state_dict(filters(96, seed=0))
    x = torch.rand(2, 96, 101, 61, generator=torch.Generator().manual_seed(3))
    assert pays(x, layer.weight)
    stream = layer.stream(rectify=rectify)
    bands = [
        stream.push(x[:, :, start : start + rows], last=start + rows >= 101)
        for start in range(0, 101, rows)
    ]
    found = torch.cat([band for band in bands if band is not None], dim=2)
    whole = layer(x)
    torch.testing.assert_close(found, whole.relu() if rectify else whole, rtol=0, atol=1e-5)
