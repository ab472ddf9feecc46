"""Losses: the metrics' values, with finite gradients."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from iqbench import functional
from iqbench.errors import IqbenchError
from iqbench.losses import LPIPSLoss, PerceptualLoss, TVLoss
from iqbench.metrics.lpips import NETWORKS
from iqbench.networks.backbone import Backbone
from iqbench.networks.convolution import Convolution
from iqbench.networks.layers import Relu

SIZE = 64


def tiny_network(name, channels, *, rectified=True):
    """A network of 1x1 and 3x3 convolutions, float64, with a layer for each name."""
    generator = torch.Generator().manual_seed(0)
    nodes, before = [], 3
    for layer, after in channels.items():
        kernel = 3 if before == 3 else 1
        convolution = Convolution(before, after, kernel, padding=kernel // 2)
        for parameter in convolution.parameters():
            scale = before**-0.5 if parameter.ndim > 1 else 0.1
            parameter.data = torch.randn(parameter.shape, generator=generator) * scale
        if rectified:
            nodes += [(f"conv{len(nodes)}", convolution), (layer, Relu())]
        else:
            nodes.append((layer, convolution))
        before = after
    parts = {key: layer for key, layer in nodes if isinstance(layer, Convolution)}
    return Backbone(name, parts, nodes).double().requires_grad_(False)


@pytest.fixture(scope="module")
def tiny_lpips():
    channels = {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512, "relu5_3": 512}
    return tiny_network("vgg16", channels)


@pytest.fixture
def losses(random_network):
    """Every loss by name, all called as loss(output, target)."""

    class OfOutput(nn.Module):
        def __init__(self, form):
            super().__init__()
            self.loss = TVLoss(form)

        def forward(self, output, target):
            return self.loss(output)

    alexnet = random_network("alexnet")
    return {
        "tv-aniso": OfOutput("aniso"),
        "tv-iso": OfOutput("iso"),
        "tv-sq": OfOutput("sq"),
        "perceptual-l1": PerceptualLoss("alexnet", backbone=alexnet),
        "perceptual-l2": PerceptualLoss(
            "alexnet", ("conv3", "pool2"), distance="l2", backbone=alexnet
        ),
        "lpips-alex": LPIPSLoss("alex", backbone=alexnet),
        "lpips-squeeze": LPIPSLoss("squeeze", backbone=random_network("squeezenet1_1")),
    }


NAMES = (
    "tv-aniso",
    "tv-iso",
    "tv-sq",
    "perceptual-l1",
    "perceptual-l2",
    "lpips-alex",
    "lpips-squeeze",
)
every_loss = pytest.mark.parametrize("name", NAMES)


def gradient(loss, output, target):
    output = output.clone().requires_grad_()
    loss(output, target).backward()
    return output.grad


def test_every_loss_is_tested(losses):
    assert tuple(losses) == NAMES


@every_loss
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_gradients_are_finite_on_flat_images(losses, name, level):
    flat = torch.full((1, 3, SIZE, SIZE), level)
    assert gradient(losses[name], flat, torch.rand_like(flat)).isfinite().all()
    assert gradient(losses[name], flat, flat).isfinite().all()


@every_loss
def test_gradients_are_finite_on_identical_images(losses, name):
    image = torch.rand(1, 3, SIZE, SIZE)
    assert gradient(losses[name], image, image).isfinite().all()


# Without a rectifier, whose gradient at 0 would hide what the root's is.
@pytest.mark.parametrize("rectified", [True, False])
def test_lpips_has_finite_gradients_where_all_features_are_zero(rectified):
    channels = {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512, "relu5_3": 512}
    dead = tiny_network("vgg16", channels, rectified=rectified)
    for parameter in dead.parameters():
        parameter.data.zero_()
    output, target = torch.rand(2, 1, 3, 8, 8, dtype=torch.float64)
    loss = LPIPSLoss("vgg", backbone=dead)
    assert loss(output, target).item() == 0
    assert gradient(loss, output, target).isfinite().all()
    # Of one image only: the distance is there, the gradient finite.
    for parameter in dead.parameters():
        parameter.data.fill_(0.01 if parameter.ndim > 1 else 0)
    black, white = torch.zeros_like(target), torch.ones_like(target)
    assert loss(black, white).item() > 0
    assert gradient(loss, black, white).isfinite().all()


@every_loss
def test_a_step_against_the_gradient_lowers_the_loss(losses, name):
    target, start = torch.rand(2, 1, 3, SIZE, SIZE)
    loss = losses[name]
    slope = gradient(loss, start, target)
    assert slope.abs().sum() > 0
    before = loss(start, target)
    after = loss(start - 1e-3 * slope / slope.abs().max(), target)
    assert after < before


@every_loss
def test_a_loss_takes_no_gradient_itself(losses, name):
    loss = losses[name]
    output, target = torch.rand(2, 1, 3, SIZE, SIZE)
    gradient(loss, output, target)
    assert not list(loss.parameters())
    network = getattr(loss, "backbone", None)
    if network is not None:
        assert all(not p.requires_grad and p.grad is None for p in network.parameters())


@every_loss
def test_a_loss_does_not_change_when_its_module_trains(losses, name):
    output, target = torch.rand(2, 1, 3, SIZE, SIZE)
    loss = losses[name]
    assert loss.train()(output, target).item() == loss.eval()(output, target).item()


@pytest.mark.parametrize(
    "make",
    [
        lambda reduction, networks: PerceptualLoss(
            "alexnet", reduction=reduction, backbone=networks("alexnet")
        ),
        lambda reduction, networks: LPIPSLoss(
            "alex", reduction=reduction, backbone=networks("alexnet")
        ),
    ],
)
def test_the_batch_is_averaged_added_or_left(make, random_network):
    output, target = torch.rand(2, 3, 3, SIZE, SIZE)
    values = make("none", random_network)(output, target)
    assert values.shape == (3,)
    assert make("mean", random_network)(output, target).item() == pytest.approx(
        values.mean().item()
    )
    assert make("sum", random_network)(output, target).item() == pytest.approx(values.sum().item())


def test_total_variation_is_the_function():
    output = torch.rand(3, 3, 9, 7)
    for form in ("aniso", "iso", "sq"):
        values = functional.total_variation(output, form=form)
        assert torch.equal(TVLoss(form, reduction="none")(output), values)
        assert TVLoss(form)(output).item() == pytest.approx(values.mean().item())
        assert TVLoss(form, reduction="sum")(output).item() == pytest.approx(values.sum().item())


def test_perceptual_loss_is_the_function(random_network):
    output, target = torch.rand(2, 2, 3, SIZE, SIZE)
    options = {
        "net": "squeezenet1_1",
        "layers": ("conv1", "fire5"),
        "distance": "l2",
        "weights": (0.1, 2.0),
        "normalise": "none",
        "backbone": random_network("squeezenet1_1"),
    }
    loss = PerceptualLoss(**options, reduction="none")
    assert torch.equal(loss(output, target), functional.perceptual(target, output, **options))


@pytest.mark.parametrize("net", NETWORKS)
def test_lpips_loss_is_the_function(net, random_network):
    output, target = torch.rand(2, 2, 3, SIZE, SIZE)
    backbone = random_network(NETWORKS[net])
    loss = LPIPSLoss(net, reduction="none", backbone=backbone)
    expected = functional.lpips(target, output, net=net, backbone=backbone)
    assert torch.equal(loss(output, target), expected)


@pytest.mark.usefixtures("pretrained_networks")
def test_pretrained_networks_are_loaded_by_themselves():
    output, target = torch.rand(2, 1, 3, SIZE, SIZE)
    lpips = functional.lpips(target, output, net="vgg")
    assert LPIPSLoss()(output, target).item() == pytest.approx(lpips.item(), rel=1e-6)
    perceptual = functional.perceptual(target, output)
    assert PerceptualLoss()(output, target).item() == pytest.approx(perceptual.item(), rel=1e-6)


def test_a_loss_moves_with_its_module(tiny_lpips):
    output, target = torch.rand(2, 1, 3, 8, 8)
    double = LPIPSLoss("vgg", backbone=deepcopy(tiny_lpips)).double()
    assert double(output.double(), target.double()).dtype == torch.float64
    assert all(buffer.dtype == torch.float64 for buffer in double.buffers())
    nn.ModuleDict({"loss": double}).to("meta")
    moved = [*double.buffers(), *double.backbone.parameters()]
    assert {tensor.device.type for tensor in moved} == {"meta"}


def test_a_loss_adds_nothing_to_the_checkpoints_of_a_model(tiny_lpips):
    model = nn.ModuleDict(
        {"layer": nn.Conv2d(3, 3, 1), "loss": LPIPSLoss("vgg", backbone=tiny_lpips)}
    )
    state = model.state_dict()
    assert set(state) == {"layer.weight", "layer.bias"}
    model.load_state_dict(state)
    # Checkpoints of earlier versions held the network, and can still be loaded.
    weights = {f"loss.backbone.{name}": value for name, value in tiny_lpips.state_dict().items()}
    model.load_state_dict(state | weights | {"loss.lin0": torch.zeros(1)})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        model.load_state_dict(state | {"loss.other": torch.zeros(1)})


# Gradients against finite differences in float64, where the function is smooth.
CHECKED = {
    "psnr": functional.psnr,
    "ssim": functional.ssim,
    "squared total variation": lambda target, output: functional.total_variation(output, form="sq"),
    "isotropic total variation": lambda target, output: functional.total_variation(
        output, form="iso"
    ),
}


@pytest.mark.parametrize("name", CHECKED)
def test_gradients_of_pixel_metrics_are_those_of_finite_differences(name):
    target, output = torch.rand(2, 1, 1, 12, 11, dtype=torch.float64)
    output.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: CHECKED[name](target, x), output)


def test_gradients_of_the_perceptual_distance_are_those_of_finite_differences():
    network = tiny_network("vgg16", {"relu1_1": 5, "relu1_2": 7})
    loss = PerceptualLoss("vgg16", ("relu1_1", "relu1_2"), distance="l2", backbone=network)
    target, output = torch.rand(2, 1, 3, 5, 6, dtype=torch.float64)
    output.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target), output)
    target.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(output, x), target)


def test_gradients_of_lpips_are_those_of_finite_differences(tiny_lpips):
    loss = LPIPSLoss("vgg", backbone=tiny_lpips).double()
    target, output = torch.rand(2, 1, 3, 4, 4, dtype=torch.float64)
    output.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target), output)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TVLoss("anis"), "unknown form of total variation 'anis'. Did you mean 'aniso'"),
        (lambda: TVLoss(reduction="average"), "unknown reduction 'average'"),
        (lambda: PerceptualLoss("vgg61"), "unknown network 'vgg61'. Did you mean 'vgg19'"),
        (lambda: PerceptualLoss(layers=("relu9",)), "unknown layer of vgg16 'relu9'"),
        (lambda: PerceptualLoss(distance="l3"), "distance of the perceptual distance: Input"),
        (lambda: PerceptualLoss(reduction="average"), "unknown reduction 'average'"),
        (lambda: LPIPSLoss("vgg16"), "unknown LPIPS network 'vgg16'. Did you mean 'vgg'"),
        (lambda: LPIPSLoss(reduction="average"), "unknown reduction 'average'"),
        (lambda: LPIPSLoss(reduction=None), "unknown reduction None. Did you mean 'none'"),
        (lambda: LPIPSLoss(None), "unknown LPIPS network None. Known: alex, squeeze, vgg"),
        (lambda: PerceptualLoss(layers="relu2_2"), "layers is the text 'relu2_2', not a tuple"),
        (lambda: LPIPSLoss(backbone=nn.Conv2d(3, 3, 3)), "backbone is of type Conv2d, not a Back"),
    ],
)
def test_unknown_options_are_refused_when_the_loss_is_created(make, message):
    with pytest.raises(IqbenchError) as caught:
        make()
    assert str(caught.value).startswith(message)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@every_loss
def test_losses_on_the_gpu_are_those_of_the_cpu(losses, name):
    output, target = torch.rand(2, 1, 3, SIZE, SIZE)
    here = losses[name](output, target).item()
    there = deepcopy(losses[name]).cuda()(output.cuda(), target.cuda()).item()
    assert there == pytest.approx(here, rel=1e-2)
