"""Perceptual distances, against torchvision's own models computed by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.functional import perceptual
from iqbench.images.picture import Picture
from iqbench.metrics.perceptual import default_layers

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

# Layers by their index in torchvision's `.features`.
FEATURES = {
    "vgg11": {"conv1_1": 0, "relu2_1": 4, "conv3_2": 8, "pool3": 10, "relu5_2": 19, "pool5": 20},
    "vgg13": {"relu1_2": 3, "conv2_2": 7, "pool2": 9, "relu4_2": 18, "relu5_2": 23, "pool5": 24},
    "vgg16": {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29},
    "vgg19": {
        "conv1_2": 2,
        "conv2_2": 7,
        "conv3_4": 16,
        "conv4_4": 25,
        "conv5_4": 34,
        "relu5_4": 35,
        "pool5": 36,
    },
    "vgg11_bn": {"conv1_1": 0, "bn1_1": 1, "relu2_1": 6, "bn3_2": 12, "bn5_2": 26, "pool5": 28},
    "vgg13_bn": {"bn1_2": 4, "pool1": 6, "relu3_2": 19, "conv5_2": 31, "bn5_2": 32, "pool5": 34},
    "vgg16_bn": {"conv1_2": 3, "relu2_2": 12, "bn3_3": 21, "relu4_3": 32, "relu5_3": 42},
    "vgg19_bn": {"relu1_2": 5, "bn3_4": 24, "relu4_4": 38, "conv5_4": 49, "bn5_4": 50, "pool5": 52},
    "alexnet": {
        "conv1": 0,
        "relu1": 1,
        "pool1": 2,
        "relu3": 7,
        "conv4": 8,
        "relu5": 11,
        "pool5": 12,
    },
    "squeezenet1_1": {"conv1": 0, "relu1": 1, "pool1": 2, "fire3": 4, "pool5": 8, "fire9": 12},
}
# Layers by the attribute and, of a stage, the number of blocks that make them.
STAGES = {
    "resnet18": ("conv1", "bn1", "relu1", "pool1", "layer1.0", "layer1", "layer3", "layer4"),
    "resnet34": ("relu1", "layer1", "layer2.2", "layer3", "layer4"),
    "resnet50": ("bn1", "layer1.1", "layer2", "layer3", "layer4"),
    "resnet101": ("pool1", "layer3.11", "layer3"),
}


def images():
    """A photograph and a noisy one, of 8 bits: a colour and a stored pixel are one thing."""
    reference = data.astronaut()[100:164, 170:242].astype(float)
    noise = np.random.default_rng(0).normal(0, 25, reference.shape)
    return tuple(
        torch.as_tensor(np.rint(image).clip(0, 255) / 255).permute(2, 0, 1)[None].float()
        for image in (reference, reference + noise)
    )


def stored(image):
    """(H, W, C) uint8 of (1, C, H, W)."""
    return (image[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


@pytest.fixture(scope="session")
def torchvision_model(random_network):
    """torchvision's own model with the same random weights; its classifier stays empty."""

    def build(name):
        with torch.device("meta"):
            model = getattr(torchvision.models, name)()
        unused = model.load_state_dict(random_network(name).state_dict(), strict=False, assign=True)
        assert all(key.startswith(("classifier.", "fc.")) for key in unused.missing_keys)
        assert not unused.unexpected_keys
        return model.eval()

    return build


def features_by_hand(model, image, layers):
    """Step through torchvision's model; copies, for its rectifiers work in place."""
    found = {}
    if hasattr(model, "features"):
        indices = {index: layer for layer, index in layers.items()}
        for index, step in enumerate(model.features):
            image = step(image)
            if index in indices:
                found[indices[index]] = image.clone()
        return found
    steps = [("conv1", model.conv1), ("bn1", model.bn1), ("relu1", model.relu)]
    steps.append(("pool1", model.maxpool))
    for name in ("layer1", "layer2", "layer3", "layer4"):
        blocks = list(getattr(model, name))
        steps += [(f"{name}.{number}", block) for number, block in enumerate(blocks[:-1])]
        steps.append((name, blocks[-1]))
    for name, step in steps:
        image = step(image)
        found[name] = image.clone()
    return {layer: found[layer] for layer in layers}


@pytest.mark.parametrize("net", [*FEATURES, *STAGES])
@torch.no_grad()
def test_every_layer_is_torchvisions(net, torchvision_model, make_scorer):
    layers = FEATURES.get(net) or dict.fromkeys(STAGES[net])
    reference, output = images()
    model = torchvision_model(net)
    first = features_by_hand(model, (reference - MEAN) / DEVIATION, layers)
    second = features_by_hand(model, (output - MEAN) / DEVIATION, layers)
    assert list(first) == list(layers)
    expected = {}
    for layer in layers:
        difference = first[layer] - second[layer]
        expected[f"perceptual-{net}-{layer}-l1"] = difference.abs().mean().item()
        expected[f"perceptual-{net}-{layer}-l2"] = (difference**2).mean().item()
    # The columns of a table, all in one pass.
    pictures = [Picture(pixels, "", "made", 0) for pixels in (stored(reference), stored(output))]
    batch = Batch(pictures[:1], pictures[1:], [0])
    (found,) = make_scorer(list(expected)).score(batch)
    assert min(expected.values()) > 0
    assert {name: found[name].value for name in expected} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("net", "layer"), [("vgg11_bn", "bn3_2"), ("resnet18", "layer3"), ("alexnet", "conv4")]
)
@pytest.mark.parametrize("distance", ["l1", "l2"])
@torch.no_grad()
def test_the_function_is_torchvisions(net, layer, distance, torchvision_model, random_network):
    reference, output = (torch.cat([image, image.flip(3)]) for image in images())
    model, layers = torchvision_model(net), {layer: FEATURES.get(net, {}).get(layer)}
    first = features_by_hand(model, (reference - MEAN) / DEVIATION, layers)[layer]
    second = features_by_hand(model, (output - MEAN) / DEVIATION, layers)[layer]
    function = {"l1": F.l1_loss, "l2": F.mse_loss}[distance]
    expected = function(first, second, reduction="none").mean((1, 2, 3))
    value = perceptual(
        reference,
        output,
        net=net,
        layers=(layer,),
        distance=distance,
        backbone=random_network(net),
    )
    assert value.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@torch.no_grad()
def test_real_esrgans_weighted_sum(torchvision_model, random_network):
    # basicsr PerceptualLoss: L1, mean over everything, VGG19 before activation.
    layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
    reference, output = images()
    indices = {layer: FEATURES["vgg19"][layer] for layer in layers}
    model = torchvision_model("vgg19")
    first = features_by_hand(model, (reference - MEAN) / DEVIATION, indices)
    second = features_by_hand(model, (output - MEAN) / DEVIATION, indices)
    expected = sum(
        weight * F.l1_loss(first[layer], second[layer]).item() for layer, weight in layers.items()
    )
    value = perceptual(
        reference,
        output,
        net="vgg19",
        layers=tuple(layers),
        weights=tuple(layers.values()),
        backbone=random_network("vgg19"),
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_the_form_of_the_tutorials(torchvision_model, random_network):
    # nn.L1Loss()(vgg19.features(output), vgg19.features(target)), pixels not normalised
    reference, output = images()
    model = torchvision_model("vgg19")
    expected = F.l1_loss(model.features(output), model.features(reference)).item()
    value = perceptual(
        reference,
        output,
        net="vgg19",
        layers=("pool5",),
        normalise="none",
        backbone=random_network("vgg19"),
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_johnsons_form_is_the_squared_error_over_c_h_w(torchvision_model, random_network):
    reference, output = images()
    model = torchvision_model("vgg16").features[:9]
    first, second = (model((image - MEAN) / DEVIATION) for image in (reference, output))
    channels, height, width = first.shape[1:]
    expected = ((first - second) ** 2).sum().item() / (channels * height * width)
    value = perceptual(
        reference, output, layers=("relu2_2",), distance="l2", backbone=random_network("vgg16")
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_without_layers_the_blocks_are_added(random_network):
    reference, output = images()
    backbone = random_network("vgg16")
    layers = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    single = [perceptual(reference, output, layers=(layer,), backbone=backbone) for layer in layers]
    total = perceptual(reference, output, backbone=backbone)
    assert total.item() == pytest.approx(sum(single).item(), rel=1e-6)


@pytest.mark.parametrize(
    ("net", "layers"),
    [
        ("vgg11", ("relu1_1", "relu2_1", "relu3_2", "relu4_2", "relu5_2")),
        ("vgg19_bn", ("relu1_2", "relu2_2", "relu3_4", "relu4_4", "relu5_4")),
        ("resnet101", ("layer1", "layer2", "layer3", "layer4")),
        ("alexnet", ("relu1", "relu2", "relu3", "relu4", "relu5")),
        ("squeezenet1_1", ("relu1", *(f"fire{number}" for number in range(2, 10)))),
    ],
)
def test_default_layers_are_the_last_of_each_block(net, layers):
    assert default_layers(net) == layers


@torch.no_grad()
def test_gray_is_scored_as_three_equal_channels(random_network):
    reference, output = images()
    gray = [image.mean(1, keepdim=True) for image in (reference, output)]
    color = [image.expand(-1, 3, -1, -1) for image in gray]
    options = {"net": "alexnet", "layers": ("relu2",), "backbone": random_network("alexnet")}
    assert perceptual(*gray, **options).item() == perceptual(*color, **options).item()


def test_an_image_too_small_for_a_layer_is_refused(random_network):
    image = torch.rand(1, 3, 31, 64)
    with pytest.raises(IqbenchError, match=r"64x31 pixels are too few .*at least 32x32"):
        perceptual(image, image, layers=("relu1_1", "pool5"), backbone=random_network("vgg16"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"net": "vgg61"}, r"unknown network 'vgg61'. Did you mean"),
        ({"layers": ("relu1_3",)}, r"unknown layer of vgg16 'relu1_3'. Did you mean 'relu\d_3'"),
        ({"layers": ("relu1_2",) * 2}, "a layer is named twice"),
        ({"distance": "l3"}, "distance of the perceptual distance: Input should be 'l1' or 'l2'"),
        ({"normalise": "minmax"}, "normalise of the perceptual distance: Input should be"),
        ({"weights": (1.0, 2.0)}, r"2 weights for 5 layers \(relu1_2\+relu2_2"),
        ({"weights": (-1.0, 1, 1, 1, 1)}, "greater than or equal to 0"),
        ({"weights": (float("nan"), 1, 1, 1, 1)}, "finite number"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    image = torch.rand(1, 3, 32, 32)
    with pytest.raises(IqbenchError, match=message):
        perceptual(image, image, **options)


@pytest.mark.usefixtures("pretrained_networks")
def test_the_pretrained_network_is_used_without_being_asked_for():
    from iqbench.networks.registry import pretrained

    reference, output = images()
    layers = {"layers": ("relu2_2",)}
    own = perceptual(reference, output, **layers, backbone=pretrained("vgg16"))
    value = perceptual(reference, output, **layers)
    assert own.item() > 0
    assert value.item() == pytest.approx(own.item(), rel=1e-6)
