"""Maps of tensors: against independent implementations, and their means against the metrics."""

from contextlib import ExitStack

import lpips as package
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data
from skimage.metrics import structural_similarity

from iqbench import functional
from iqbench.errors import IqbenchError
from iqbench.metrics.lpips import LAYERS, NETWORKS

ROUNDING = 1e-6


def pair(height=67, width=75, channels=3):
    """Two photographs, and noise on them."""
    images = [data.astronaut()[60:, 150:], data.coffee()[200:, 150:]]
    cut = [image[:height, :width, :channels] for image in images]
    reference = torch.as_tensor(np.stack(cut)).permute(0, 3, 1, 2).float() / 255
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(0))
    return reference, (reference + 0.1 * noise).clamp(0, 1)


def means(values):
    return values.nanmean((1, 2, 3)).tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_absolute_error_is_numpys(channels):
    reference, output = pair(channels=channels)
    expected = np.abs(reference.numpy() - output.numpy()).mean(1, keepdims=True)
    found = functional.absolute_error_map(reference, output)
    assert found.shape == (2, 1, 67, 75)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("window", "options", "border"),
    [
        (
            "gaussian",
            {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
            5,
        ),
        ("uniform", {}, 3),
    ],
)
def test_the_ssim_map_is_that_of_scikit_image_where_the_window_fits(
    window, options, border, channels
):
    reference, output = pair(channels=channels)
    found = functional.ssim_map(reference, output, window=window)
    assert found.shape == (2, 1, 67, 75)
    inside = (slice(border, -border),) * 2
    for first, second, mine in zip(reference, output, found[:, 0], strict=True):
        _, theirs = structural_similarity(
            first.double().numpy(),
            second.double().numpy(),
            channel_axis=0,
            data_range=1,
            full=True,
            **options,
        )
        np.testing.assert_allclose(mine[inside], theirs.mean(0)[inside], atol=1e-9)
        assert int(mine.isnan().sum()) == mine.numel() - mine[inside].numel()
    value = functional.ssim(reference, output, window=window)
    assert means(found) == pytest.approx(value.tolist(), abs=1e-12)


@pytest.fixture(scope="module")
def spatial_model():
    """The authors' package with ``spatial=True``, a network of ours as its trunk."""

    def build(net, trunk):
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            # Every weight is replaced below: to draw 138 million of them takes seconds.
            for name in ("kaiming_uniform_", "kaiming_normal_", "normal_"):
                patch.setattr(torch.nn.init, name, lambda weight, *_, **__: weight)
            warnings = stack.enter_context(pytest.warns(UserWarning, match="pretrained|weights"))
            model = package.LPIPS(net=net, pnet_rand=True, spatial=True, verbose=False).eval()
            assert warnings is not None
        state = trunk.state_dict()
        with torch.no_grad():
            for name, parameter in model.net.named_parameters():
                parameter.copy_(state["features." + name.split(".", 1)[1]])
        return model

    return build


@pytest.mark.parametrize(("height", "width"), [(64, 80), (48, 48)])
@torch.no_grad()
def test_the_lpips_map_on_vgg_is_the_packages(spatial_model, random_network, height, width):
    """Sides that are multiples of 16 are even multiples of every layer's."""
    trunk = random_network("vgg16")
    reference, output = pair(height, width)
    theirs = spatial_model("vgg", trunk)(reference, output, normalize=True)
    found = functional.lpips_map(reference, output, net="vgg", backbone=trunk)
    assert found.shape == theirs.shape == (2, 1, height, width)
    assert float(theirs.std()) > 0.01
    assert torch.allclose(found, theirs, atol=1e-5)


@pytest.mark.parametrize("net", NETWORKS)
@torch.no_grad()
def test_the_lpips_map_differs_from_the_packages_by_less_than_its_sampling(
    spatial_model, random_network, net
):
    """Elsewhere the package samples the interpolation at the pixels' middles: the mean moves."""
    trunk = random_network(NETWORKS[net])
    reference, output = pair(70, 83)
    theirs = spatial_model(net, trunk)(reference, output, normalize=True)
    found = functional.lpips_map(reference, output, net=net, backbone=trunk)
    assert float((found - theirs).abs().max()) < 0.1 * float(theirs.max() - theirs.min())
    assert float((found - theirs).abs().mean()) < 0.02 * float(theirs.max() - theirs.min())
    value = functional.lpips(reference, output, net=net, backbone=trunk).tolist()
    assert means(found) == pytest.approx(value, rel=ROUNDING)
    assert value != pytest.approx(means(theirs), rel=ROUNDING)


@torch.no_grad()
def test_layers_of_the_lpips_map_are_those_that_the_package_interpolates(
    spatial_model, random_network
):
    """The package gives each layer's own map too, before it is stretched."""
    trunk = random_network("alexnet")
    reference, output = pair(70, 83)
    _, layers = spatial_model("alex", trunk)(reference, output, normalize=True, retPerLayer=True)
    assert len(layers) == len(LAYERS["alex"])
    found = functional.lpips_map(reference, output, backbone=trunk)
    # The mean over each block of pixels sees no difference of sampling.
    blocks = [F.avg_pool2d(sum(layers) if which else found, 10) for which in (0, 1)]
    spread = float(blocks[1].max() - blocks[1].min())
    assert float((blocks[0] - blocks[1]).abs().max()) < 0.02 * spread


@pytest.mark.parametrize(
    "options",
    [
        {"layers": ("relu1_2",)},
        {"layers": ("relu2_2",)},
        {"layers": ("conv3_3",), "distance": "l2"},
        {"layers": ("relu2_2", "pool4"), "weights": (0.5, 2.0), "normalise": "none"},
        {"net": "resnet18"},
    ],
)
@torch.no_grad()
def test_the_mean_of_a_perceptual_map_is_the_distance(random_network, options):
    trunk = random_network(options.get("net", "vgg16"))
    reference, output = pair()
    found = functional.perceptual_map(reference, output, backbone=trunk, **options)
    assert found.shape == (2, 1, 67, 75)
    value = functional.perceptual(reference, output, backbone=trunk, **options)
    assert means(found) == pytest.approx(value.tolist(), rel=ROUNDING)


@torch.no_grad()
def test_a_perceptual_map_is_the_mean_difference_of_the_features(random_network):
    trunk = random_network("vgg16")
    reference, output = pair(64, 64)
    first, second = (
        trunk(trunk.see(image, normalise=True), ["relu2_2"])["relu2_2"]
        for image in (reference, output)
    )
    expected = F.interpolate(
        (first - second).abs().mean(1, keepdim=True), scale_factor=2, mode="bilinear"
    )
    found = functional.perceptual_map(reference, output, layers=("relu2_2",), backbone=trunk)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("form", ["aniso", "iso", "sq"])
@pytest.mark.parametrize("shape", [(13, 17), (2, 2), (2, 9)])
def test_the_total_variation_map_is_numpys(form, shape):
    image = pair(*shape)[1]
    pixels = image.double().numpy()
    dx, dy = np.zeros_like(pixels), np.zeros_like(pixels)
    dx[..., :-1], dy[..., :-1, :] = np.diff(pixels, axis=3), np.diff(pixels, axis=2)
    height, width = shape
    scales = width / (width - 1), height / (height - 1)
    if form == "iso":
        expected = np.sqrt(dx**2 + dy**2)
        expected[..., -1, :] = expected[..., -1] = np.nan
    else:
        power = 1 if form == "aniso" else 2
        expected = np.abs(dx) ** power * scales[0] + np.abs(dy) ** power * scales[1]
    found = functional.total_variation_map(image, form=form)
    np.testing.assert_allclose(found.numpy(), expected.mean(1, keepdims=True), atol=1e-6)
    value = functional.total_variation(image, form=form).tolist()
    assert means(found) == pytest.approx(value, rel=1e-5)


MAPS = {
    "absolute_error": functional.absolute_error_map,
    "ssim": functional.ssim_map,
    "total_variation": lambda _, output: functional.total_variation_map(output),
    "total_variation iso": lambda _, output: functional.total_variation_map(output, form="iso"),
}


@pytest.mark.parametrize("name", MAPS)
def test_gradients_of_a_part_are_those_of_finite_differences(name):
    reference, output = (image[:1].double() for image in pair(14, 13))

    def part(values):
        return MAPS[name](reference, values)[..., 5:8, 5:7]

    assert torch.autograd.gradcheck(part, (output.requires_grad_(),))


@pytest.mark.parametrize("name", ["lpips", "perceptual", "ssim", "total_variation"])
def test_gradients_of_the_mean_are_those_of_the_value(random_network, name):
    reference, output = pair(48, 48)
    options = {}
    if name in ("lpips", "perceptual"):
        options["backbone"] = random_network("alexnet" if name == "lpips" else "vgg16")
    images = (output,) if name == "total_variation" else (reference, output)
    output.requires_grad_()
    value = getattr(functional, name)(*images, **options).sum()
    map_ = getattr(functional, f"{name}_map")(*images, **options)
    expected, found = (
        torch.autograd.grad(scalar, output)[0] for scalar in (value, map_.nanmean((1, 2, 3)).sum())
    )
    assert float(expected.abs().max()) > 0
    assert found.isfinite().all()
    # Where rounding differs, a value at zero may fall on the other side of a rectifier.
    assert float((found - expected).norm()) <= 1e-3 * float(expected.norm())


def test_equal_images_have_no_difference_anywhere(random_network):
    image, _ = pair(48, 52)
    assert not functional.absolute_error_map(image, image).any()
    found = functional.lpips_map(image, image, backbone=random_network("alexnet"))
    assert float(found.detach().abs().max()) < 1e-9
    assert functional.ssim_map(image, image)[..., 5:-5, 5:-5].allclose(torch.ones(()).double())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: functional.absolute_error_map(x, y[..., :-1]), "differ in shape"),
        (lambda x, y: functional.absolute_error_map(x, y[:, :1]), "differ in shape"),
        (lambda x, y: functional.absolute_error_map(x[0], y[0]), "expected"),
        (
            lambda x, y: functional.ssim_map(x[..., :9], y[..., :9]),
            "too few for ssim, which needs at least 11x11",
        ),
        (lambda x, y: functional.ssim_map(x, y, window="round"), "window of SSIM"),
        (lambda x, y: functional.lpips_map(x, y, net="resnet"), "net of LPIPS"),
        (lambda x, y: functional.perceptual_map(x, y, layers=("relu9",)), "unknown layer of vgg16"),
        (lambda x, _: functional.total_variation_map(x, form="tv"), "unknown form"),
        (lambda x, _: functional.total_variation_map(x[..., :1]), "at least 2x2"),
    ],
)
def test_what_cannot_be_mapped_is_refused_in_a_sentence(call, message):
    with pytest.raises(IqbenchError, match=message):
        call(*pair(20, 20))
