"""PSNR, against scikit-image."""

import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from iqbench.errors import IqbenchError
from iqbench.functional import psnr
from iqbench.metrics._registry import resolve_metrics


def noisy(image, deviation, seed=0):
    noise = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.clip(image + noise, 0, 1)


def tensor(image, dtype=torch.float64):
    """(N, C, H, W) of (H, W) or (H, W, C)."""
    image = image[..., None] if image.ndim == 2 else image
    return torch.as_tensor(image, dtype=dtype).permute(2, 0, 1).unsqueeze(0)


@pytest.mark.parametrize("photograph", ["astronaut", "camera"])
@pytest.mark.parametrize("deviation", [0.001, 0.05, 0.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_psnr_is_that_of_scikit_image(photograph, deviation, dtype):
    reference = getattr(data, photograph)()[:75, :90] / 255
    output = noisy(reference, deviation)
    theirs = peak_signal_noise_ratio(reference, output, data_range=1)
    ours = psnr(tensor(reference, dtype), tensor(output, dtype))
    assert ours.dtype == dtype
    assert ours.tolist() == pytest.approx([theirs], rel=1e-12 if dtype is torch.float64 else 1e-5)


def test_equal_images_have_infinite_psnr():
    image = torch.rand(2, 3, 8, 8)
    assert psnr(image, image).tolist() == [float("inf")] * 2


def test_black_against_white_is_0_without_a_sign():
    black = torch.zeros(1, 3, 8, 8)
    assert str(psnr(black, black + 1).item()) == "0.0"
    with torch.no_grad():
        assert str(psnr(black, black + 1).item()) == "0.0"


@pytest.mark.parametrize("deviation", [0, 1e-4, 0.05])
def test_an_epsilon_is_added_to_the_error(deviation):
    reference = data.astronaut()[:40, :50] / 255
    output = noisy(reference, deviation)
    theirs = -10 * np.log10(np.mean((reference - output) ** 2) + 1e-8)
    given = psnr(tensor(reference), tensor(output), epsilon=1e-8)
    assert given.tolist() == pytest.approx([theirs], rel=1e-12)
    assert deviation or given.item() == pytest.approx(80)


def test_a_column_names_its_epsilon():
    (request,) = resolve_metrics(["psnr:epsilon=1e-8"])
    assert request.column.name == "psnr-epsilon=1e-08"
    assert resolve_metrics([request.column.name]) == (request,)
    assert resolve_metrics(["psnr:epsilon=0"])[0].column.name == "psnr"


@pytest.mark.parametrize("epsilon", ["-1", "nan", "inf", "none"])
def test_an_epsilon_is_a_finite_number_from_0(epsilon):
    with pytest.raises(IqbenchError, match="epsilon"):
        resolve_metrics([f"psnr:epsilon={epsilon}"])


def test_the_error_is_averaged_over_channels_before_the_logarithm():
    reference = torch.zeros(1, 3, 8, 8)
    output = reference.clone()
    output[:, 0] = 0.3  # MSE .09 in one of three channels: .03, not the mean of 10.46, inf, inf
    assert psnr(reference, output).item() == pytest.approx(-10 * np.log10(0.03))


def test_every_image_of_a_batch_has_its_own_value():
    reference = torch.zeros(2, 1, 4, 4)
    output = torch.stack([torch.full((1, 4, 4), 0.1), torch.full((1, 4, 4), 0.01)])
    # The mean, 30 dB, is not the 22.97 dB of the pooled error.
    assert psnr(reference, output).tolist() == pytest.approx([20, 40], rel=1e-6)
