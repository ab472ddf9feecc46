"""Every metric that has a gradient is a loss with a finite gradient."""

from __future__ import annotations

import gc
import inspect
import math
import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn

import iqbench
from iqbench import losses
from iqbench.errors import IqbenchError
from iqbench.losses import DISTSLoss, LPIPSLoss, MetricLoss, PSNRBLoss, PSNRLoss, SSIMLoss, named
from iqbench.metrics._registry import metric_classes
from iqbench.networks.registry import shared

NAMES = named.__all__
SIDES = {"MSSSIMLoss": 180, "IWSSIMLoss": 180, "VIFLoss": 64}
every_loss = pytest.mark.parametrize("name", NAMES)

OTHERWISE = {"lpips": "LPIPSLoss", "perceptual": "PerceptualLoss", "tv": "TVLoss"}
"""Metrics whose losses take options of their own."""


@pytest.fixture
def make(random_network):
    """Make a loss by the name of its class, with a network that needs no fetched weights."""

    def named_loss(name, **options):
        if name == "DISTSLoss":
            options["backbone"] = deepcopy(random_network("vgg16"))
        return getattr(losses, name)(**options)

    return named_loss


def photographs(name, count=1, *, dtype=torch.float32, sigma=0.1):
    """Smooth targets, and outputs with noise, as large as the loss needs it."""
    side = SIDES.get(name, 40)
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, side // 4, side // 4, generator=generator, dtype=dtype)
    target = nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0.05, 0.95)
    noise = torch.randn(target.shape, generator=generator, dtype=dtype)
    return (target + sigma * noise).clamp(0.01, 0.99), target


def gradient(loss, output, target):
    output = output.clone().requires_grad_()
    value = loss(output, target)
    value.backward()
    return value.detach(), output.grad


def test_every_metric_that_compares_images_is_a_loss(make):
    """A new metric is a loss by itself; a class of its name is a courtesy."""
    offered = {make(name).metric.name for name in NAMES}
    compares = {
        name
        for name, metric in metric_classes().items()
        if metric.needs == "reference and output" and metric.scope == "image"
    }
    assert offered | set(OTHERWISE) <= compares
    output, target = photographs("MSSSIMLoss", 2)
    output[1] = target[1] = 0
    for name in compares - offered - set(OTHERWISE):
        value, slope = gradient(MetricLoss(name), output, target)
        assert value.isfinite(), name
        assert slope.isfinite().all(), name
    assert set(losses.__all__) == {*NAMES, *OTHERWISE.values(), "MetricLoss"}


@every_loss
def test_the_value_is_that_of_the_metric(make, name):
    loss = make(name, reduction="none")
    output, target = photographs(name, 2)
    column = loss.column.name
    options = {} if loss.backbone is None else {"backbone": loss.backbone}
    from iqbench.metrics._tensors import score_tensors

    with torch.no_grad():
        value = score_tensors(loss.metric, column, target, output, **options)
        found = loss(output, target)
    kind = loss.column.direction
    if loss.column.decimals == 2 and kind == "higher" and name != "SSIMULACRA2Loss":
        expected = 10 * torch.log10(10 ** (-value / 10) + 1e-8)  # dB
    elif kind == "higher":
        expected = (100 if name == "SSIMULACRA2Loss" else 1) - value
    else:
        expected = value
    torch.testing.assert_close(found, expected)
    assert make(name)(output, target).item() == pytest.approx(found.mean().item(), rel=1e-5)
    assert make(name, reduction="sum")(output, target).item() == pytest.approx(
        found.sum().item(), rel=1e-5
    )


@every_loss
def test_the_gradient_is_that_of_finite_differences(make, name):
    loss = make(name).double()
    output, target = photographs(name, dtype=torch.float64)
    # Steps may cross kinks of |x| and of rectifiers, of which there are thousands.
    close = {"eps": 1e-7, "atol": 1e-4, "rtol": 1e-2, "fast_mode": True}
    output.requires_grad_()
    assert torch.autograd.gradcheck(lambda image: loss(image, target), output, **close)


@every_loss
@pytest.mark.parametrize("kind", ["equal", "flat", "black", "white", "black target", "all"])
def test_loss_and_gradient_are_finite(make, name, kind):
    loss = make(name)
    output, target = photographs(name, 2)
    if kind in ("equal", "all"):
        output[1] = target[1]
    flat = {"flat": 0.5, "black": 0.0, "white": 1.0, "all": 0.0}
    if kind in flat:
        output[:1] = target[:1] = flat[kind]
    if kind == "black target":
        target[:] = 0
    if kind in ("flat", "black", "white"):
        output, target = output[:1], target[:1]
    value, slope = gradient(loss, output, target)
    assert value.isfinite()
    assert slope.isfinite().all()


@every_loss
def test_an_image_without_gradient_leaves_a_shared_parameter_its_gradient(make, name):
    """What a black pair adds to the gradient of a parameter is nothing, never NaN."""
    output, target = photographs(name)

    def slope(count):
        factor = torch.ones(1, requires_grad=True)
        black = torch.zeros_like(output)
        images = torch.cat([output, *[black] * (count - 1)])
        loss = make(name, reduction="sum")
        loss(images * factor, torch.cat([target, *[black] * (count - 1)])).backward()
        return factor.grad.item()

    assert slope(1) != 0
    assert slope(2) == pytest.approx(slope(1), rel=1e-3)


@every_loss
def test_a_step_against_the_gradient_lowers_the_loss(make, name):
    loss = make(name)
    output, target = photographs(name)
    before, slope = gradient(loss, output, target)
    with torch.no_grad():
        after = loss(output - 1e-4 * slope / slope.abs().max(), target)
    assert after < before


@every_loss
def test_a_loss_is_copied_and_adds_nothing_to_a_checkpoint(make, name):
    loss = make(name)
    assert not loss.state_dict()
    assert not list(loss.parameters())
    output, target = photographs(name)
    copy = pickle.loads(pickle.dumps(loss))
    with torch.no_grad():
        assert copy(output, target).item() == loss(output, target).item()


@pytest.mark.parametrize("name", [*NAMES, "TVLoss"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_of_an_empty_batch_is_0(make, name, reduction):
    loss = make(name, reduction=reduction)
    pair = [image[:0].requires_grad_() for image in photographs(name)]
    value = loss(*pair[:1] if name == "TVLoss" else pair)
    assert value == 0
    value.backward()
    assert pair[0].grad.shape == pair[0].shape


class TestEpsilon:
    @pytest.mark.parametrize("kind", [PSNRLoss, PSNRBLoss])
    def test_equal_images_have_a_finite_loss_that_eps_chooses(self, kind):
        # PSNR-B adds the blocking of the output: there is none in a flat image.
        image = torch.full((1, 3, 24, 24), 0.5)
        assert kind()(image, image).item() == pytest.approx(-80)
        assert kind(eps=1e-4)(image, image).item() == pytest.approx(-40)
        value, slope = gradient(kind(eps=0), image, image)
        assert value == -math.inf
        assert (slope == 0).all()

    def test_one_equal_image_leaves_the_gradient_of_the_others(self):
        output, target = photographs("PSNRLoss", 2)
        output[1] = target[1]
        value, slope = gradient(PSNRLoss(), output, target)
        _, alone = gradient(PSNRLoss(), output[:1], target[:1])
        assert value.isfinite()
        torch.testing.assert_close(slope[:1], alone / 2)
        assert (slope[1] == 0).all()

    def test_it_moves_ordinary_values_by_nothing_that_tables_show(self):
        output, target = photographs("PSNRLoss")
        exact = iqbench.functional.psnr(target, output).item()
        assert PSNRLoss()(output, target).item() == pytest.approx(-exact, abs=1e-4)


class TestUndefined:
    def test_an_image_without_value_is_left_out(self):
        output, target = photographs("VSILoss", 2)
        output[1] = target[1] = 0.5
        loss, each = losses.VSILoss(), losses.VSILoss(reduction="none")
        alone = loss(output[:1], target[:1]).item()
        assert each(output, target)[1].isnan()
        assert loss(output, target).item() == pytest.approx(alone)
        assert losses.VSILoss(reduction="sum")(output, target).item() == pytest.approx(alone)
        assert loss(output[1:], target[1:]).item() == 0

    @pytest.mark.parametrize("name", ["VSILoss", "SSIMLoss", "PSNRLoss"])
    def test_nan_of_a_network_is_not_hidden(self, make, name):
        output, target = photographs(name, 2)
        output[1, 0, 3, 3] = math.nan
        assert make(name)(output, target).isnan()


class TestSharedNetworks:
    @pytest.mark.usefixtures("pretrained_networks")
    def test_a_loss_and_an_evaluator_have_one_network(self):
        evaluator = iqbench.Evaluator(["lpips-vgg", "perceptual"], device="cpu")
        output, target = photographs("LPIPSLoss")
        before = evaluator(output, target)
        lpips, other = LPIPSLoss("vgg"), losses.PerceptualLoss("vgg16")
        assert lpips.backbone is other.backbone
        assert lpips.backbone is evaluator.scorer.resources.backbones["vgg16"]
        _, slope = gradient(lpips, output, target)
        assert slope.isfinite().all()
        # A loss that moves takes another network, and leaves the others theirs.
        lpips.double()
        assert lpips.backbone is not other.backbone
        assert next(lpips.backbone.parameters()).dtype == torch.float64
        assert next(other.backbone.parameters()).dtype == torch.float32
        after = evaluator(output, target)
        assert all(torch.equal(after[column], values) for column, values in before.items())
        lpips.float()
        assert lpips.backbone is other.backbone

    @pytest.mark.usefixtures("pretrained_networks")
    def test_a_copy_of_a_model_has_the_network_of_its_losses(self):
        model = nn.ModuleDict({"layer": nn.Conv2d(3, 3, 1), "loss": LPIPSLoss("alex")})
        copied = deepcopy(model)
        assert copied["loss"] is not model["loss"]
        assert copied["loss"].backbone is model["loss"].backbone
        assert copied["layer"].weight is not model["layer"].weight
        output, target = photographs("LPIPSLoss")
        assert copied["loss"](output, target) == model["loss"](output, target)

    def test_a_given_network_is_copied_with_its_loss(self, random_network):
        loss = LPIPSLoss("alex", backbone=random_network("alexnet"))
        weights, copied = (next(one.backbone.parameters()) for one in (loss, deepcopy(loss)))
        assert copied is not weights
        assert torch.equal(copied, weights)

    @pytest.mark.usefixtures("pretrained_networks")
    def test_a_network_that_was_first_used_in_inference_mode_has_gradients(self):
        gc.collect()
        with torch.inference_mode():
            evaluator = iqbench.Evaluator(["lpips-alex"], device="cpu")
            output, target = photographs("LPIPSLoss")
            evaluator(output, target)
        value, slope = gradient(LPIPSLoss("alex"), *photographs("LPIPSLoss"))
        assert value > 0
        assert slope.abs().sum() > 0

    def test_other_weights_are_another_network(self, random_network):
        from iqbench.networks.weights import Weights

        tensors = random_network("alexnet").state_dict()
        device, dtype = torch.device("cpu"), torch.float32
        one, same = (
            shared("alexnet", device, dtype, Weights("alexnet", tensors, "a", "")) for _ in "12"
        )
        other = shared("alexnet", device, dtype, Weights("alexnet", tensors, "b", ""))
        assert one is same
        assert other is not one


class TestAnyMetric:
    def test_a_spec_names_a_column(self):
        output, target = photographs("")
        value = iqbench.functional.ssim(target, output, window="uniform").item()
        assert MetricLoss("ssim:window=uniform")(output, target).item() == pytest.approx(1 - value)

    def test_a_target_is_come_near_to(self):
        output, target = photographs("")
        ratio = iqbench.functional.tv_ratio(target, output).item()
        assert MetricLoss("tv-ratio")(output, target).item() == pytest.approx(abs(ratio - 1))

    def test_half_precision_is_computed_in_float32(self):
        output, target = photographs("SSIMLoss")
        assert SSIMLoss()(output.half(), target.half()).dtype != torch.float16

    @pytest.mark.parametrize(
        ("make_it", "message"),
        [
            (lambda: MetricLoss("sism"), "unknown metric 'sism'. Did you mean 'ssim'"),
            (lambda: MetricLoss("tv"), "tv has several columns: "),
            (lambda: MetricLoss("tv-iso-output"), "no value of tv-iso-output is better than"),
            (lambda: MetricLoss("niqe"), "niqe does not compare an image with its reference"),
            (lambda: MetricLoss("fid"), "fid does not compare an image with its reference"),
            (lambda: MetricLoss("psnr-hvs"), "psnr-hvs rounds images to 8 bits"),
            (lambda: MetricLoss("dists:resize=256"), "dists-resize=256 shrinks images in 8 bits"),
            (lambda: SSIMLoss(eps=1e-8), "ssim takes no eps"),
            (lambda: PSNRLoss(eps=-1), "eps is -1, not a number of at least 0"),
            (lambda: PSNRLoss(reduction="average"), "unknown reduction 'average'"),
        ],
    )
    def test_metrics_without_a_gradient_are_refused(self, make_it, message):
        with pytest.raises(IqbenchError) as caught:
            make_it()
        assert str(caught.value).startswith(message)

    def test_the_classes_say_what_they_are(self):
        for name in NAMES:
            kind = getattr(losses, name)
            assert issubclass(kind, MetricLoss)
            assert kind.__name__ == name
            assert "MetricLoss(" in inspect.getdoc(kind)
        assert issubclass(DISTSLoss, nn.Module)
