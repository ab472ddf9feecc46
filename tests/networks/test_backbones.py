"""Every network, layer by layer: bands give the values and sizes of the whole image."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iqbench.errors import IqbenchError
from iqbench.networks import pyramid
from iqbench.networks.backbone import Backbone, imagenet_normalise
from iqbench.networks.registry import (
    NETWORKS,
    architecture,
    assemble,
    load_backbone,
    place_backbone,
    pretrained,
)

# Tolerance of features in bands, relative to the largest of the layer: the same float32 products,
# summed in another order.
TOLERANCE = 1e-5

# One network of each kind of layer and block, and an image that is large enough for its deepest
# layer; odd sizes, so that every stride leaves a remainder.
FAMILIES = {
    "vgg11": (45, 37),
    "vgg13_bn": (45, 37),
    "alexnet": (71, 67),
    "squeezenet1_1": (45, 39),
    "resnet18": (45, 37),
    "resnet50": (39, 37),
}


def image_of(height, width, count=1):
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand(count, 3, height, width, generator=generator)


def in_bands(backbone, image, heights):
    """Features of all layers, the image pushed in bands of these heights and a rest."""
    given = {}
    streaming = backbone.begin(backbone.layers, tuple(image.shape[2:]))
    top = 0
    for height in [*heights, image.shape[2]]:
        band = image[:, :, top : top + height]
        top += height
        last = top >= image.shape[2]
        for name, rows in streaming.push(band, last=last):
            given.setdefault(name, []).append(rows)
        if last:
            break
    return {name: torch.cat(rows, dim=2) for name, rows in given.items()}


def assert_equal_features(given, whole):
    assert list(given) == list(whole)
    for name, features in whole.items():
        assert given[name].shape == features.shape, name
        error = (given[name] - features).abs().max() / features.abs().max().clamp_min(1e-6)
        assert error <= TOLERANCE, f"{name}: {error}"


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "heights",
    [[1] * 100, [2] * 50, [7] * 20, [11] * 10, [1, 31], [1000]],
    ids=lambda heights: "+".join(map(str, heights[:2])) + ("..." if len(heights) > 2 else ""),
)
@torch.inference_mode()
def test_a_network_in_awkward_bands_is_that_of_the_whole_image(random_network, name, heights):
    backbone, image = random_network(name), image_of(*FAMILIES[name], count=2)
    assert_equal_features(in_bands(backbone, image, heights), backbone(image, backbone.layers))


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_a_pass_is_the_layers_called_one_after_the_other(random_network, name):
    backbone, image = random_network(name), image_of(*FAMILIES[name])
    features = backbone(image, backbone.layers)
    for layer, step in backbone.upto(backbone.layers):
        image = step(image)
        assert torch.allclose(features[layer], image, rtol=TOLERANCE, atol=TOLERANCE), layer


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(heights=st.lists(st.integers(1, 23), max_size=8))
@torch.inference_mode()
def test_a_network_in_random_bands_is_that_of_the_whole_image(random_network, name, heights):
    backbone, image = random_network(name), image_of(*FAMILIES[name])
    assert_equal_features(in_bands(backbone, image, heights), backbone(image, backbone.layers))


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"resnet101"}))
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=st.integers(1, 70), width=st.integers(1, 70))
@torch.inference_mode()
def test_sizes_are_those_of_the_features_and_0_where_torch_refuses(
    random_network, name, height, width
):
    backbone = random_network(name)
    sizes = backbone.sizes(backbone.layers, height, width)
    assert tuple(sizes) == backbone.layers
    fitting = [layer for layer in backbone.layers if min(sizes[layer]) > 0]
    if fitting:
        features = backbone(image_of(height, width), fitting)
        assert {layer: tuple(features[layer].shape[1:]) for layer in fitting} == {
            layer: sizes[layer] for layer in fitting
        }
    if len(fitting) < len(backbone.layers):
        first = backbone.layers[len(fitting)]
        step = dict(backbone.upto(backbone.layers))[first]
        rows = features[fitting[-1]] if fitting else image_of(height, width)
        with pytest.raises(RuntimeError, match=r"size|small"):
            step(rows)
        assert all(min(sizes[layer]) == 0 for layer in backbone.layers[len(fitting) :])


def test_sizes_of_a_large_network_need_no_weights():
    sizes = architecture("resnet101").sizes(["layer4"], 224, 224)
    assert sizes["layer4"] == (2048, 7, 7)
    assert sizes["layer1.0"] == (256, 56, 56)


@pytest.mark.parametrize("name", ["vgg11", "vgg11_bn", "alexnet", "squeezenet1_1", "resnet18"])
@pytest.mark.parametrize("height", [1000, 5])
def test_a_layer_that_was_given_is_never_changed_by_the_next(random_network, name, height):
    backbone, image = random_network(name), image_of(71, 67)
    original = image.clone()
    with torch.inference_mode():
        streaming = backbone.begin(backbone.layers, (71, 67))
        for top in range(0, 71, height):
            given = [
                (layer, rows, rows.clone())
                for layer, rows in streaming.push(
                    image[:, :, top : top + height], last=top + height >= 71
                )
            ]
            assert given or top + height < 71
            assert all(torch.equal(rows, copy) for _, rows, copy in given)
    assert torch.equal(image, original)
    before = {layer: rows for layer, rows, _ in given}
    for layer in (layer for layer in before if layer.startswith("conv")):
        assert before[layer].min() < 0, "a rectifier has worked in place"


@pytest.mark.parametrize("name", ["vgg11_bn", "alexnet", "resnet18"])
def test_features_with_gradients_are_those_without(random_network, name):
    backbone, image = random_network(name), image_of(71, 67)
    wanted = backbone.layers[1::2]
    image.requires_grad_()
    with_gradients = backbone(image, wanted)
    with torch.inference_mode():
        without = backbone(image, wanted)
    for layer in wanted:
        # Not bit for bit: without gradients, convolutions may multiply less (see winograd.py).
        torch.testing.assert_close(with_gradients[layer], without[layer], rtol=1e-4, atol=1e-4)
        assert with_gradients[layer].requires_grad


def test_a_pass_stops_at_the_deepest_layer_that_is_wanted(random_network, monkeypatch):
    backbone = random_network("vgg11")
    called = []
    for layer, step in backbone.upto(backbone.layers):

        def stream(layer=layer, make=step.stream, **options):
            called.append((layer, *options))
            return make(**options)

        monkeypatch.setattr(step, "stream", stream)
    features = backbone(image_of(16, 16), ["relu2_1", "conv1_1"])
    # A convolution that nobody asks for is one step with its rectifier.
    assert {layer for layer, *_ in called} == {"conv1_1", "relu1_1", "pool1", "conv2_1"}
    assert called[-1] == ("conv2_1", "rectify")
    assert list(features) == ["conv1_1", "relu2_1"]
    assert list(backbone.sizes(["pool1"], 16, 16)) == ["conv1_1", "relu1_1", "pool1"]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("vgg11", ("conv1_1", "relu1_1", "pool1"), "pool5"),
        ("vgg16_bn", ("conv1_1", "bn1_1", "relu1_1", "conv1_2"), "pool5"),
        ("resnet50", ("conv1", "bn1", "relu1", "pool1", "layer1.0"), "layer4"),
        ("alexnet", ("conv1", "relu1", "pool1"), "pool5"),
        ("squeezenet1_1", ("conv1", "relu1", "pool1", "fire2"), "fire9"),
    ],
)
def test_layers_are_named_in_the_order_of_the_pass(name, first, last):
    layers = architecture(name).layers
    assert layers[: len(first)] == first
    assert layers[-1] == last
    assert len(set(layers)) == len(layers)


def test_a_layer_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(IqbenchError, match=r"unknown layer of vgg16 'relu2_9'. Did you mean"):
        architecture("vgg16").begin(["relu2_9"], (32, 32))


@pytest.mark.parametrize("ask", [architecture, pretrained, lambda name: assemble(name, {})])
def test_a_network_that_is_not_there_is_refused_with_the_nearest(ask):
    with pytest.raises(IqbenchError, match=r"unknown network 'vgg18'. Did you mean 'vgg1\d'"):
        ask("vgg18")


def test_weights_are_used_as_they_are_and_take_no_gradient(random_network):
    backbone = random_network("resnet18")
    again = assemble("resnet18", backbone.state_dict())
    assert all(not parameter.requires_grad for parameter in again.parameters())
    assert not again.training
    assert again.state_dict().keys() == backbone.state_dict().keys()
    weight = "layer1.0.conv1.weight"
    assert again.state_dict()[weight].data_ptr() == backbone.state_dict()[weight].data_ptr()


def test_missing_weights_do_not_go_unnoticed(random_network):
    tensors = dict(random_network("alexnet").state_dict())
    del tensors["features.0.bias"]
    with pytest.raises(RuntimeError, match=r"features\.0\.bias"):
        assemble("alexnet", tensors)


def test_gray_is_replicated_and_color_normalised(random_network):
    gray = torch.rand(2, 1, 4, 5)
    network = random_network("alexnet")
    seen = network.see(gray, normalise=False)
    assert torch.equal(seen, gray.repeat(1, 3, 1, 1))
    normalised = network.see(gray, normalise=True)
    for channel, (mean, deviation) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        assert torch.allclose(normalised[:, channel], (gray[:, 0] - mean) / deviation)


@pytest.mark.parametrize("heights", [[1] * 200, [2] * 100, [7] * 40, [16, 3, 40], [1000]])
@pytest.mark.parametrize("size", [(176, 177), (183, 176), (179, 181), (33, 32), (1, 3)])
@pytest.mark.parametrize("name", pyramid.NAMES)
@torch.inference_mode()
def test_a_pyramid_in_awkward_bands_is_that_of_the_whole_image(name, size, heights):
    backbone, image = pretrained(name), image_of(*size)
    layers = [layer for layer in backbone.layers if min(backbone.sizes([layer], *size)[layer])]
    whole = backbone(image, layers) if layers else {}
    given = in_bands(backbone, image, heights) if len(layers) == len(backbone.layers) else whole
    assert list(given) == layers
    for layer in layers:
        assert torch.equal(given[layer], whole[layer])
        assert given[layer].shape[1:] == backbone.sizes([layer], *size)[layer]


def test_a_network_without_weights_takes_gray_as_it_is():
    gray = torch.rand(2, 1, 4, 5)
    assert torch.equal(pretrained("pyramid-repeat").see(gray, normalise=False), gray)


def test_imagenet_normalisation_is_the_scaling_of_lpips():
    # lpips.ScalingLayer: shift (-.030, -.088, -.188), scale (.458, .448, .450), input in [-1, 1].
    image = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    shift = torch.tensor([-0.030, -0.088, -0.188]).double().view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).double().view(1, 3, 1, 1)
    theirs = (2 * image - 1 - shift) / scale
    assert torch.allclose(imagenet_normalise(image), theirs, rtol=0, atol=1e-6)


def test_a_network_is_placed_with_kernels_channels_last(random_network):
    backbone = assemble("alexnet", random_network("alexnet").state_dict())
    placed = place_backbone(backbone, torch.device("cpu"), torch.bfloat16)
    kernel = placed.state_dict()["features.3.weight"]
    assert kernel.dtype == torch.bfloat16
    assert kernel.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.usefixtures("pretrained_networks")
def test_a_pretrained_network_is_loaded_once_and_serves_gradients_ever_after():
    load_backbone.cache_clear()
    with torch.inference_mode():
        backbone = load_backbone("alexnet", torch.device("cpu"), torch.float32)
    assert load_backbone("alexnet", torch.device("cpu"), torch.float32) is backbone
    image = image_of(32, 32).requires_grad_()
    backbone(image, ["relu2"])["relu2"].sum().backward()
    assert image.grad.abs().sum() > 0
    assert isinstance(backbone, Backbone)
    assert torch.equal(
        pretrained("alexnet").state_dict()["features.0.weight"],
        backbone.state_dict()["features.0.weight"],
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_features_in_bands_on_the_gpu_are_those_of_the_cpu(random_network, name):
    from iqbench.engine.compute import resolve_compute

    image = image_of(*FAMILIES[name])
    backbone = random_network(name)
    whole = backbone(image, backbone.layers)
    there = place_backbone(
        assemble(name, backbone.state_dict()), torch.device("cuda"), torch.float32
    )
    with resolve_compute("cuda").active():
        given = in_bands(there, image.cuda(), [9] * 20)
    for layer, features in whole.items():
        error = (given[layer].cpu() - features).abs().max() / features.abs().max()
        assert error <= 1e-4, layer
