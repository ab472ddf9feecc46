"""PSNR-B: the formula, written pixel by pixel, and its purpose."""

import math

import numpy as np
import pytest
import torch

from iqbench.errors import IqbenchError
from iqbench.functional import psnr, psnr_b
from iqbench.images.degrade import jpeg
from iqbench.metrics._registry import resolve_metrics


def by_hand(reference, output):
    """Yim and Bovik 2011 with loops: reference and output (H, W) in [0, 1]."""
    height, width = output.shape
    edges, inside = [], []
    for row in range(height):
        for column in range(width - 1):
            step = (output[row, column + 1] - output[row, column]) ** 2
            (edges if column % 8 == 7 else inside).append(step)
    for row in range(height - 1):
        for column in range(width):
            step = (output[row + 1, column] - output[row, column]) ** 2
            (edges if row % 8 == 7 else inside).append(step)
    across, elsewhere = np.mean(edges), np.mean(inside)
    effect = max(0, 3 / math.log2(min(height, width)) * (across - elsewhere))
    return -10 * math.log10(((reference - output) ** 2).mean() + effect)


@pytest.mark.parametrize("shape", [(16, 24), (17, 31), (9, 40)])
def test_the_formula(shape):
    generator = np.random.default_rng(0)
    reference = generator.random(shape)
    output = np.kron(generator.random((5, 5)), np.ones((8, 8)))[: shape[0], : shape[1]]
    ours = psnr_b(*(torch.from_numpy(image)[None, None] for image in (reference, output)))
    assert ours.item() == pytest.approx(by_hand(reference, output), abs=1e-9)


def test_blocks_cost_and_smooth_pictures_pay_nothing(gray_photograph):
    compressed = jpeg(gray_photograph, 10)
    reference, output = (
        torch.from_numpy(image.astype(np.float64) / 255).permute(2, 0, 1)[None]
        for image in (gray_photograph, compressed)
    )
    assert psnr_b(reference, output) < psnr(reference, output) - 0.3
    shifted = (reference * 0.9).clone()
    assert psnr_b(reference, shifted).item() == pytest.approx(
        psnr(reference, shifted).item(), abs=0.3
    )


def test_equal_images_have_the_finite_value_that_epsilon_chooses():
    image = torch.full((1, 1, 24, 24), 0.5)
    assert psnr_b(image, image).item() == math.inf
    assert psnr_b(image, image, epsilon=1e-6).item() == pytest.approx(60)
    output = image + 0.1
    assert psnr_b(image, output, epsilon=0.01).item() == pytest.approx(-10 * math.log10(0.02))
    with pytest.raises(IqbenchError, match="epsilon"):
        psnr_b(image, image, epsilon=-1.0)


def test_epsilon_is_part_of_the_column():
    (request,) = resolve_metrics(["psnr-b:epsilon=1e-8"])
    assert request.column.name == "psnr-b-epsilon=1e-08"
    assert request.column.options == (("epsilon", "1e-08"),)
    assert resolve_metrics(["psnr-b-epsilon=1e-08"]) == (request,)


def test_a_picture_of_one_block_is_too_small():
    with pytest.raises(
        IqbenchError, match="40x8 pixels are too few for psnr-b, which needs at least 9x9"
    ):
        psnr_b(*torch.rand(2, 1, 1, 8, 40))


@pytest.fixture
def gray_photograph():
    from skimage import data

    return data.camera()[100:228, 200:360, None]
