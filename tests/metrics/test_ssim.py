"""SSIM as its authors defined it, against scikit-image with their settings."""

import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import structural_similarity

from iqbench.errors import IqbenchError
from iqbench.functional import ssim

# scikit-image crops the border, where the window does not fit, from its mean.
SETTINGS = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "data_range": 1,
}


def tensor(image):
    image = image[..., None] if image.ndim == 2 else image
    return torch.as_tensor(image, dtype=torch.float64).permute(2, 0, 1).unsqueeze(0)


def both(reference, output):
    channels = 2 if reference.ndim == 3 else None
    theirs = structural_similarity(reference, output, channel_axis=channels, **SETTINGS)
    return ssim(tensor(reference), tensor(output)).item(), theirs


@pytest.mark.parametrize(
    "shape",
    [(11, 11), (11, 40), (40, 11), (12, 13), (37, 53), (64, 64)],
    ids=lambda shape: "x".join(map(str, shape)),
)
@pytest.mark.parametrize("photograph", ["astronaut", "coffee", "camera", "moon"])
def test_ssim_is_that_of_scikit_image(shape, photograph):
    image = getattr(data, photograph)() / 255
    reference = image[100 : 100 + shape[0], 150 : 150 + shape[1]]
    noise = np.random.default_rng(0).normal(0, 0.05, reference.shape)
    ours, theirs = both(reference, np.clip(reference + noise, 0, 1))
    assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("level", [0.0, 0.5, 254 / 255, 1.0])
def test_flat_areas_are_right_even_where_they_are_bright(level):
    reference = np.full((30, 30), level)
    output = reference.copy()
    output[10:, 12:] -= np.sign(level - 0.1) / 255
    ours, theirs = both(reference, output)
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_single_precision_input_is_good_to_single_precision_even_in_bright_areas():
    # Moments in float32 are off by 7e-4 here.
    generator = np.random.default_rng(0)
    reference = (250 + generator.integers(0, 2, (64, 64))).astype(np.float32) / np.float32(255)
    output = (250 + generator.integers(0, 2, (64, 64))).astype(np.float32) / np.float32(255)
    exact = ssim(tensor(reference), tensor(output)).item()
    single = ssim(tensor(reference).float(), tensor(output).float())
    assert single.dtype == torch.float64
    assert single.item() == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("photograph", ["astronaut", "camera"])
def test_ssim_of_equal_images_is_exactly_1(photograph):
    image = tensor(getattr(data, photograph)()[:50, :50] / 255)
    assert ssim(image, image).item() == 1


def test_the_channels_are_averaged():
    reference, output = torch.rand(2, 1, 3, 20, 20)
    single = [ssim(reference[:, [c]], output[:, [c]]).item() for c in range(3)]
    assert ssim(reference, output).item() == pytest.approx(np.mean(single), rel=1e-12)


def test_an_image_smaller_than_the_window_is_refused():
    image = torch.rand(1, 3, 10, 40)
    with pytest.raises(IqbenchError, match="40x10 pixels are too few for ssim, which needs"):
        ssim(image, image)
