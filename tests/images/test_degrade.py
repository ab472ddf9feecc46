"""The standard degradations."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import noise, smooth
from scipy.signal import convolve2d

from iqbench.errors import IqbenchError
from iqbench.images import degrade

FLAT = np.full((200, 200, 3), 128, np.uint8)


@pytest.mark.parametrize(
    "job",
    [
        lambda image: degrade.gaussian_noise(image, 25, 7),
        lambda image: degrade.bicubic_downscale(image, 2),
        lambda image: degrade.jpeg(image, 30),
        lambda image: degrade.gaussian_blur(image, 1.6, 2, seed=7),
    ],
    ids=["noise", "downscale", "jpeg", "blur"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_input_gives_the_same_output_and_is_left_alone(job, channels):
    image = smooth(48, 64)[..., :channels]
    before = image.copy()
    first, second = job(image), job(image)
    assert first.dtype == np.uint8
    assert first.shape[2] == channels
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(image, before)


class TestNoise:
    def test_has_the_deviation_asked_for(self):
        residual = degrade.gaussian_noise(FLAT, 25, seed=0).astype(float) - 128
        assert abs(residual.mean()) < 0.3
        # Rounding adds 1/12 to the variance.
        assert residual.std() == pytest.approx(np.sqrt(25**2 + 1 / 12), rel=0.01)

    def test_seeds_differ(self):
        first, second = (degrade.gaussian_noise(FLAT, 25, seed=seed) for seed in (0, 1))
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.02

    def test_is_clipped_not_wrapped(self):
        assert degrade.gaussian_noise(np.zeros((50, 50, 1), np.uint8), 25, 0).max() < 128

    def test_sigma_zero_changes_nothing(self):
        np.testing.assert_array_equal(degrade.gaussian_noise(smooth(), 0, 0), smooth())


class TestDownscale:
    def test_size_is_rounded_up(self):
        assert degrade.bicubic_downscale(FLAT[:9, :10], 4).shape == (3, 3, 3)

    def test_scale_below_one_is_an_error(self):
        with pytest.raises(IqbenchError, match="scale 0"):
            degrade.bicubic_downscale(FLAT, 0)


class TestJpeg:
    def test_loss_grows_as_quality_falls(self):
        image = smooth(64, 64)
        losses = [
            np.square(degrade.jpeg(image, quality).astype(float) - image).mean()
            for quality in (95, 50, 10)
        ]
        assert 0 < losses[0] < losses[1] < losses[2]

    def test_channels_keep_their_order(self):
        image = np.zeros((16, 16, 3), np.uint8)
        image[..., 0] = 250
        np.testing.assert_allclose(degrade.jpeg(image, 95).mean(axis=(0, 1)), [250, 0, 0], atol=3)

    @pytest.mark.parametrize("quality", [0, 101])
    def test_quality_out_of_range_is_an_error(self, quality):
        with pytest.raises(IqbenchError, match=f"quality {quality}"):
            degrade.jpeg(FLAT, quality)


class TestBlur:
    def test_is_convolution_with_the_kernel_over_replicated_edges(self):
        image = noise(20, 30)
        kernel = degrade.gaussian_kernel(1.6)
        radius = kernel.shape[0] // 2
        padded = np.pad(image.astype(float), radius, mode="edge")
        expected = np.floor(convolve2d(padded, kernel, mode="valid") + 0.5)
        np.testing.assert_array_equal(
            degrade.gaussian_blur(image[..., None], 1.6)[..., 0], expected
        )

    @pytest.mark.parametrize(("sigma", "side"), [(0, 1), (0.5, 5), (1.0, 7), (1.6, 11)])
    def test_kernel_reaches_three_deviations_and_sums_to_one(self, sigma, side):
        kernel = degrade.gaussian_kernel(sigma)
        assert kernel.shape == (side, side)
        assert kernel.sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel.T)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1])

    def test_kernel_falls_off_as_a_gaussian(self):
        kernel = degrade.gaussian_kernel(1.5)
        centre = len(kernel) // 2
        ratio = kernel[centre, centre + 2] / kernel[centre, centre]
        assert ratio == pytest.approx(np.exp(-(2**2) / (2 * 1.5**2)))

    def test_sigma_zero_without_noise_changes_nothing(self):
        np.testing.assert_array_equal(degrade.gaussian_blur(smooth(), 0), smooth())

    def test_noise_comes_after_the_blur(self):
        residual = degrade.gaussian_blur(FLAT, 2, noise_sigma=5, seed=1).astype(float) - 128
        assert residual.std() == pytest.approx(np.sqrt(25 + 1 / 12), rel=0.01)


@pytest.mark.parametrize("sigma", [-1, float("nan"), float("inf")])
def test_a_deviation_that_is_none_is_an_error(sigma):
    with pytest.raises(IqbenchError, match="sigma"):
        degrade.gaussian_noise(FLAT, sigma, 0)
    with pytest.raises(IqbenchError, match="sigma"):
        degrade.gaussian_blur(FLAT, sigma)
    with pytest.raises(IqbenchError, match="noise_sigma"):
        degrade.gaussian_blur(FLAT, 1, noise_sigma=sigma)
