"""What is no pair of images is refused by every function alike."""

import pytest
import torch

from iqbench import functional
from iqbench.errors import IqbenchError

PAIRWISE = [
    functional.psnr,
    functional.ssim,
    functional.tv_ratio,
    functional.tv_residual,
]


@pytest.fixture(params=[function.__name__ for function in PAIRWISE] + ["perceptual"])
def function(request, random_network):
    if request.param != "perceptual":
        return getattr(functional, request.param)
    backbone = random_network("squeezenet1_1")
    return lambda reference, output: functional.perceptual(
        reference, output, net="squeezenet1_1", layers=("relu1",), backbone=backbone
    )


def test_shapes_must_be_equal(function):
    with pytest.raises(IqbenchError, match=r"differ in shape: \(1, 3, 16, 16\) and \(1, 3, 16, 17"):
        function(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 17))


def test_nothing_is_broadcast(function):
    with pytest.raises(IqbenchError, match="differ in shape"):
        function(torch.rand(1, 1, 16, 16), torch.rand(1, 3, 16, 16))


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 4, 16, 16), (1, 2, 16, 16)])
def test_images_have_a_batch_and_one_or_three_channels(function, shape):
    with pytest.raises(IqbenchError, match=r"expected \(N, C, H, W\) with C 1 or 3") as caught:
        function(torch.rand(shape), torch.rand(shape))
    assert "unsqueeze" in caught.value.hint


def test_images_are_floating_point(function):
    image = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(IqbenchError, match="floating point") as caught:
        function(image, image)
    assert caught.value.hint == "Divide uint8 by 255"


@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_of_a_batch_has_a_value_of_its_own(function, channels):
    generator = torch.Generator().manual_seed(0)
    reference, output = torch.rand(2, 3, channels, 16, 16, generator=generator)
    values = function(reference, output)
    assert values.shape == (3,)
    alone = torch.cat([function(reference[[i]], output[[i]]) for i in range(3)])
    assert torch.allclose(values, alone, rtol=1e-5)


def test_gradients_reach_the_output(function):
    reference, output = torch.rand(2, 1, 3, 16, 16)
    output.requires_grad_()
    function(reference, output).sum().backward()
    assert output.grad.isfinite().all()
    assert output.grad.abs().sum() > 0
