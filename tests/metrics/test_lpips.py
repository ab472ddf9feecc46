"""LPIPS, against the authors' package with our trunk, and against published values."""

from contextlib import ExitStack

import lpips as package
import numpy as np
import pytest
import torch
from needs import SHARED, needs
from skimage import data, io

from iqbench.errors import IqbenchError
from iqbench.functional import lpips
from iqbench.metrics._tensors import trained_parameters
from iqbench.metrics.lpips import LAYERS, NETWORKS, Lpips
from iqbench.networks.registry import pretrained

EXAMPLE = SHARED / "data/lpips_example"


def tensor(image):
    image = np.stack([image] * 3, -1) if image.ndim == 2 else image
    return torch.as_tensor(image).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def package_model():
    """The package's model of a net, a network of ours as its trunk."""

    def build(net, trunk):
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            # Every weight is replaced below: to draw 138 million of them takes seconds.
            for name in ("kaiming_uniform_", "kaiming_normal_", "normal_"):
                patch.setattr(torch.nn.init, name, lambda weight, *_, **__: weight)
            warnings = stack.enter_context(pytest.warns(UserWarning, match="pretrained|weights"))
            model = package.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
            assert warnings is not None
        state = trunk.state_dict()
        with torch.no_grad():
            for name, parameter in model.net.named_parameters():
                parameter.copy_(state["features." + name.split(".", 1)[1]])
        return model

    return build


def pairs():
    reference = torch.cat(
        [tensor(data.astronaut()[:96, 150:238]), tensor(data.coffee()[200:296, 200:288])]
    )
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(0))
    return reference, (reference + 0.1 * noise).clamp(0, 1)


@pytest.mark.parametrize("net", NETWORKS)
@torch.no_grad()
def test_lpips_is_that_of_the_package_on_any_trunk(net, package_model, random_network):
    trunk = random_network(NETWORKS[net])
    model = package_model(net, trunk)
    reference, output = pairs()
    theirs = model(reference, output, normalize=True).flatten().tolist()
    ours = lpips(reference, output, net=net, backbone=trunk)
    assert ours.shape == (2,)
    assert min(theirs) > 0.01
    assert ours.tolist() == pytest.approx(theirs, abs=1e-5)
    # Their [-1, 1] is our [0, 1].
    fed = model(2 * reference - 1, 2 * output - 1).flatten().tolist()
    assert ours.tolist() == pytest.approx(fed, abs=1e-5)


@pytest.mark.usefixtures("pretrained_networks")
@pytest.mark.parametrize("net", ["alex", "vgg"])
@torch.no_grad()
def test_lpips_is_that_of_the_package_on_the_pretrained_trunk(net, package_model):
    reference, output = pairs()
    model = package_model(net, pretrained(NETWORKS[net]))
    theirs = model(reference, output, normalize=True).flatten().tolist()
    assert lpips(reference, output, net=net).tolist() == pytest.approx(theirs, abs=1e-5)


@pytest.mark.usefixtures("pretrained_networks")
@pytest.mark.parametrize(
    ("net", "values", "tolerance"),
    [
        ("alex", (0.722, 0.138), 5e-4),  # as the authors print them
        ("alex", (0.72188, 0.13757), 1e-5),
        ("vgg", (0.56861, 0.42166), 1e-5),
    ],
)
@needs(EXAMPLE)
@torch.no_grad()
def test_the_authors_example_images_have_the_published_values(net, values, tolerance):
    reference, first, second = (
        tensor(io.imread(EXAMPLE / f"ex_{name}.png")) for name in ("ref", "p0", "p1")
    )
    ours = lpips(torch.cat([reference] * 2), torch.cat([first, second]), net=net)
    assert ours.tolist() == pytest.approx(values, abs=tolerance)


CROPS = {
    "astronaut": np.s_[:128, 160:288],
    "chelsea": np.s_[80:208, 130:258],
    "camera": np.s_[64:192, 160:288],
}
# lpips 0.1.4 with torchvision's pretrained trunks on photographs of scikit-image:
#   model = lpips.LPIPS(net=net)
#   model(tensor(crop), tensor(crop // 32 * 32 + 16), normalize=True)     posterised
#   model(tensor(crop), tensor(np.roll(crop, 1, axis=1)), normalize=True)  shifted by a pixel
GOLDEN = [
    ("alex", "astronaut", 0.070954, 0.022688),
    ("alex", "chelsea", 0.062478, 0.021138),
    ("alex", "camera", 0.078393, 0.031574),
    ("vgg", "astronaut", 0.228393, 0.05901),
    ("vgg", "camera", 0.331235, 0.062286),
]


@pytest.mark.usefixtures("pretrained_networks")
@pytest.mark.parametrize(("net", "photograph", "posterised", "shifted"), GOLDEN)
@torch.no_grad()
def test_photographs_have_the_values_of_the_package(net, photograph, posterised, shifted):
    crop = getattr(data, photograph)()[CROPS[photograph]]
    outputs = torch.cat([tensor(crop // 32 * 32 + 16), tensor(np.roll(crop, 1, axis=1))])
    ours = lpips(torch.cat([tensor(crop)] * 2), outputs, net=net)
    assert ours.tolist() == pytest.approx([posterised, shifted], abs=1e-5)


@torch.no_grad()
def test_gray_is_replicated(random_network):
    reference, output = (image.mean(1, keepdim=True) for image in pairs())
    backbone = random_network("alexnet")
    gray = lpips(reference, output, backbone=backbone)
    color = lpips(*(x.expand(-1, 3, -1, -1) for x in (reference, output)), backbone=backbone)
    assert gray.tolist() == color.tolist()


@pytest.mark.parametrize("net", NETWORKS)
def test_every_layer_has_its_linear_weights(net):
    weights = trained_parameters(Lpips(net=net), torch.device("cpu"))
    assert list(weights) == [f"lin{number}" for number in range(len(LAYERS[net]))]
    assert all(weight.min() >= 0 for weight in weights.values())
    assert Lpips(net=net).parameters(None).tensors.keys() == weights.keys()


def test_weights_that_were_first_loaded_without_gradients_serve_those_with(random_network):
    trained_parameters.cache_clear()
    reference, output = pairs()
    with torch.inference_mode():
        lpips(reference, output, backbone=random_network("alexnet"))
    output.requires_grad_()
    lpips(reference, output, backbone=random_network("alexnet")).sum().backward()
    assert output.grad.abs().sum() > 0


def test_an_unknown_net_is_refused():
    with pytest.raises(IqbenchError, match="net of LPIPS: Input should be 'alex', 'vgg' or 'squ"):
        lpips(*pairs(), net="alexnet")


def test_an_image_too_small_is_refused(random_network):
    image = torch.rand(1, 3, 14, 80)
    with pytest.raises(IqbenchError, match="80x14 pixels are too few for lpips-alex, which"):
        lpips(image, image, backbone=random_network("alexnet"))
