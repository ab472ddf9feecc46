"""DISTS equals the authors' package, written out a second time, at any size and in any bands."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import SHARED, needs
from PIL import Image
from skimage import data

from iqbench.api import measure
from iqbench.engine.batch import Batch
from iqbench.functional import dists
from iqbench.images.picture import Picture
from iqbench.metrics.dists import CHANNELS, LAYERS
from iqbench.networks.layers import L2Pool
from iqbench.networks.shrink import ShrinkShortSide
from iqbench.networks.weights import load, locate

GOLDEN = SHARED / "golden/dists_niqe.json"
STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

needs_weights = pytest.mark.skipif(
    locate("dists") is None, reason="run `iqbench weights fetch dists`"
)


def blurred_pool(x):
    """The authors' pooling: a grouped convolution with a normalised Hanning window."""
    window = torch.from_numpy(np.hanning(5)[1:-1])
    kernel = torch.outer(window, window)
    kernel = (kernel / kernel.sum()).to(x.dtype).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()


def oracle(reference, output, state):
    """DISTS of whole images in float64, with VGG16's convolutions of these weights."""

    def features(image):
        mean, deviation = (torch.tensor(v).double().view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
        found, x = [image], (image - mean) / deviation
        for number, stage in enumerate(STAGES):
            x = blurred_pool(x) if number else x
            for index in stage:
                weight, bias = (state[f"features.{index}.{name}"] for name in ("weight", "bias"))
                x = F.conv2d(x, weight.double(), bias.double(), padding=1).relu()
            found.append(x)
        return found

    trained = load("dists").tensors
    alpha, beta = (trained[name].double().flatten().split(CHANNELS) for name in ("alpha", "beta"))
    total = sum(part.sum() for part in (*alpha, *beta))
    similarity = torch.zeros(len(output), dtype=torch.float64)
    for a, b, x, y in zip(alpha, beta, features(reference), features(output), strict=True):
        mx, my = x.mean((2, 3)), y.mean((2, 3))
        vx, vy = x.var((2, 3), correction=0), y.var((2, 3), correction=0)
        cov = (x * y).mean((2, 3)) - mx * my
        texture = (2 * mx * my + 1e-6) / (mx**2 + my**2 + 1e-6)
        structure = (2 * cov + 1e-6) / (vx + vy + 1e-6)
        similarity += (a * texture + b * structure).sum(1)
    return 1 - similarity / total


def image(height, width, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("height", [1, 2, 3, 7, 8, 16, 17])
@pytest.mark.parametrize("width", [1, 5, 6])
def test_pooling_is_the_authors(height, width):
    x = torch.randn(2, 4, height, width)
    pooled = L2Pool()(x)
    torch.testing.assert_close(pooled, blurred_pool(x))
    assert L2Pool().size((4, height, width)) == tuple(pooled.shape[1:])


@pytest.mark.parametrize("heights", [[1] * 40, [2] * 20, [3, 1, 5], [17], [100]])
@torch.inference_mode()
def test_the_branch_in_bands_is_that_of_the_whole_image(random_network, heights):
    backbone, pixels = random_network("vgg16"), image(37, 29)
    wanted = ("relu1_2", "pool1", *LAYERS[1:])
    whole = backbone(pixels, wanted)
    streaming, top, given = backbone.begin(wanted, (37, 29)), 0, {}
    for height in [*heights, 100]:
        band = pixels[:, :, top : top + height]
        top += height
        for name, rows in streaming.push(band, last=top >= 37):
            given.setdefault(name, []).append(rows)
        if top >= 37:
            break
    assert given.keys() == whole.keys()
    for name, rows in given.items():
        torch.testing.assert_close(torch.cat(rows, 2), whole[name], rtol=1e-4, atol=1e-5)


@needs_weights
@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 16), (33, 47), (64, 31)])
def test_values_are_those_of_the_formula(random_network, height, width):
    backbone = random_network("vgg16")
    reference, output = image(height, width), image(height, width, seed=1)
    expected = oracle(reference.double(), output.double(), backbone.state_dict())
    given = dists(reference, output, backbone=backbone)
    assert given.tolist() == pytest.approx(expected.tolist(), abs=2e-6)


@needs_weights
@pytest.mark.parametrize("flat", [0.0, 0.5, 1.0])
def test_flat_images_have_a_value_and_gradients(random_network, flat):
    backbone = random_network("vgg16")
    reference = torch.full((1, 3, 32, 32), flat)
    output = image(32, 32).requires_grad_()
    expected = oracle(reference.double(), output.detach().double(), backbone.state_dict())
    given = dists(reference, output, backbone=backbone)
    assert given.tolist() == pytest.approx(expected.tolist(), abs=2e-6)
    given.sum().backward()
    assert output.grad.isfinite().all()
    equal = reference.clone().requires_grad_()
    value = dists(reference, equal, backbone=backbone)
    value.sum().backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert equal.grad.isfinite().all()


@needs_weights
def test_gray_is_expanded(random_network):
    backbone = random_network("vgg16")
    reference, output = (image(24, 25, seed=seed)[:, :1] for seed in (0, 1))
    expanded = dists(
        reference.expand(-1, 3, -1, -1), output.expand(-1, 3, -1, -1), backbone=backbone
    )
    given = dists(reference, output, backbone=backbone)
    assert given.item() == pytest.approx(expanded.item(), abs=1e-6)


@needs_weights
@pytest.mark.parametrize("memory", [1, 2_000_000, 2**30])
def test_the_engine_gives_the_same_in_bands(make_scorer, random_network, memory):
    reference = data.astronaut()[100:187, 150:231]
    noise = np.random.default_rng(0).integers(-20, 21, reference.shape)
    output = np.clip(reference + noise, 0, 255).astype(np.uint8)
    pictures = [Picture(pixels, digest="", name="made", bytes=0) for pixels in (reference, output)]
    scorer = make_scorer(["dists", "lpips-vgg", "psnr"], memory=memory)
    (found,) = scorer.score(Batch(pictures[:1], pictures[1:], [0]))
    tensors = [
        torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in (reference, output)
    ]
    expected = dists(*tensors, backbone=random_network("vgg16"))
    assert found["dists"].value == pytest.approx(expected.item(), abs=1e-6)


def prepared(pixels):
    """The authors' ``prepare_image(image, resize=True)``, with Pillow.

    Rows first: Pillow did so until version 10 at least; 13 takes columns first of tall images.
    """
    image = Image.fromarray(pixels)
    if min(image.size) > 256:
        size = tuple(int(256 * side / min(image.size)) for side in image.size)
        for target in ((size[0], image.height), size):
            image = image.resize(target, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


@settings(max_examples=40)
@given(height=st.integers(250, 700), width=st.integers(250, 700), rows=st.integers(1, 300))
def test_the_short_side_is_shrunk_as_by_pillow_bit_by_bit(height, width, rows):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = prepared(pixels)
    given_image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    layer = ShrinkShortSide(256)
    assert torch.equal(layer(given_image), expected)
    assert layer.size((3, height, width)) == expected.shape[1:]
    stream = layer.stream_of(height)
    for top in range(0, height, rows):
        band = given_image[:, :, top : top + rows]
        shrunk = stream.push(band, last=top + rows >= height)
    assert torch.equal(shrunk, expected)


@needs_weights
@pytest.mark.parametrize(
    ("size", "memory"), [((40, 60), 1), ((257, 300), 1), ((310, 270), 1), ((310, 270), 2**30)]
)
def test_resized_values_are_those_of_the_shrunk_image(make_scorer, random_network, size, memory):
    reference = data.astronaut()[: size[0], : size[1]]
    noise = np.random.default_rng(0).integers(-30, 31, reference.shape)
    output = np.clip(reference + noise, 0, 255).astype(np.uint8)
    expected = dists(*map(prepared, (reference, output)), backbone=random_network("vgg16"))
    pictures = [Picture(pixels, digest="", name="made", bytes=0) for pixels in (reference, output)]
    scorer = make_scorer(["dists-resize=256", "dists"], memory=memory)
    (found,) = scorer.score(Batch(pictures[:1], pictures[1:], [0]))
    assert found["dists-resize=256"].value == pytest.approx(expected.item(), abs=2e-6)
    differs = min(size) > 256
    assert (abs(found["dists"].value - found["dists-resize=256"].value) > 1e-4) == differs


@needs_weights
def test_gradients_pass_the_resizing(random_network):
    reference, output = image(260, 270), image(260, 270, seed=1).requires_grad_()
    dists(reference, output, resize="256", backbone=random_network("vgg16")).sum().backward()
    assert output.grad.isfinite().all()
    assert output.grad.abs().sum() > 0


@needs(GOLDEN)
@needs_weights
@pytest.mark.usefixtures("pretrained_networks")
def test_values_are_those_of_the_authors_package():
    for pair, expected in json.loads(GOLDEN.read_text())["dists"].items():
        reference, output = (SHARED / "data" / name for name in pair.split(" | "))
        (given,) = measure(reference, output, metrics=["dists"])["value"]
        assert given == pytest.approx(expected, abs=1e-5)


@pytest.mark.usefixtures("compiled_loops")
@pytest.mark.parametrize("channels", [3, 64, 70])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 8), (9, 1), (16, 17), (33, 40)])
@pytest.mark.parametrize("band", [1, 2, 3, 7, 40])
def test_pooling_in_bands_is_that_of_the_whole(channels, height, width, band):
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(2, channels, height, width, generator=generator) - 0.3
    rows[:, 0] = 0
    layer = L2Pool()
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = (kernel[:, None] * kernel).expand(channels, 1, 3, 3)
    squares = F.conv2d(rows.double() ** 2, kernel.double(), stride=2, padding=1, groups=channels)
    expected = (squares + 1e-12).sqrt().float()
    rows = rows.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(layer(rows), expected, atol=1e-6)
    with torch.inference_mode():
        stream, found = layer.stream(), []
        for top in range(0, height, band):
            found.append(stream.push(rows[:, :, top : top + band], last=top + band >= height))
    pooled = torch.cat([part for part in found if part is not None], dim=2)
    assert pooled.shape == expected.shape == (2, *layer.size((channels, height, width)))
    assert torch.allclose(pooled, expected, atol=1e-6)
