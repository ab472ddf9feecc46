"""Total variation: one function gives the numbers of all libraries."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from iqbench.errors import IqbenchError
from iqbench.functional import total_variation, tv_ratio, tv_residual
from iqbench.images.safe_sqrt import safe_sqrt


def tensor(image):
    image = image[..., None] if image.ndim == 2 else image
    return torch.as_tensor(image, dtype=torch.float64).permute(2, 0, 1).unsqueeze(0)


@pytest.fixture(scope="module")
def astronaut():
    return tensor(data.astronaut() / 255)


# Published conventions on scikit-image's astronaut, 512x512 RGB in [0, 1]; to the digits given.
def test_anisotropic_sum_is_that_of_tensorflow_torchmetrics_piq_l1_and_kornia(astronaut):
    # tf.image.total_variation(image); torchmetrics total_variation(image, reduction="sum");
    # piq.total_variation(image, norm_type="l1"); kornia.losses.total_variation(image).sum()
    assert total_variation(astronaut, reduction="sum").item() == pytest.approx(41301.7, abs=0.05)


def test_root_of_the_squared_sum_is_what_piq_calls_l2_by_default(astronaut):
    # piq.total_variation(image): sqrt(sum dx^2 + sum dy^2); not isotropic total variation.
    squared = total_variation(astronaut, form="sq", reduction="sum").item()
    assert math.sqrt(squared) == pytest.approx(73.4, abs=0.05)


def test_squared_sum_is_piqs_l2_squared(astronaut):
    # piq.total_variation(image, norm_type="l2_squared")
    squared = total_variation(astronaut, form="sq", reduction="sum").item()
    assert squared == pytest.approx(5382.6, abs=0.05)


def test_isotropic_sum_is_that_of_rudin_osher_and_fatemi(astronaut):
    # sum sqrt(dx^2 + dy^2) on the (H-1) x (W-1) grid where both exist
    isotropic = total_variation(astronaut, form="iso", reduction="sum").item()
    assert isotropic == pytest.approx(33284.8, abs=0.05)


def test_anisotropic_mean_is_that_of_basicsr_and_kornia_mean(astronaut):
    # BasicSR WeightedTVLoss: mean |dx| + mean |dy|;
    # kornia.losses.total_variation(image, reduction="mean"), mean over channels
    assert total_variation(astronaut).item() == pytest.approx(0.0526, abs=5e-5)


def test_torchmetrics_mean_is_our_sum_divided_by_the_batch():
    image = pytest.importorskip(
        "torchmetrics.functional.image", reason="torchmetrics is in the dev extra"
    )
    batch = torch.rand(4, 3, 12, 17, dtype=torch.float64)
    ours = total_variation(batch, reduction="sum")
    assert image.total_variation(batch, reduction="none").tolist() == pytest.approx(ours.tolist())
    theirs = image.total_variation(batch, reduction="mean").item()
    assert theirs == pytest.approx(ours.sum().item() / 4)


def test_piqs_three_norms(astronaut):
    piq = pytest.importorskip("piq", reason="piq is in the dev extra")
    image = astronaut[..., :99, :117]

    def theirs(norm):
        return piq.total_variation(image, norm_type=norm).item()

    squared = total_variation(image, form="sq", reduction="sum").item()
    assert theirs("l1") == pytest.approx(total_variation(image, reduction="sum").item())
    assert theirs("l2") == pytest.approx(math.sqrt(squared))
    assert theirs("l2_squared") == pytest.approx(squared)


def test_variation_of_a_diagonal_is_36():
    # piq's own test: every one of eye(10) has two neighbours a side, but for the corners.
    assert total_variation(torch.eye(10).view(1, 1, 10, 10), reduction="sum").item() == 36


def by_hand(image, form):
    """Sum and number of differences, in loops over one channel."""
    height, width = image.shape
    across = [image[r, c + 1] - image[r, c] for r in range(height) for c in range(width - 1)]
    down = [image[r + 1, c] - image[r, c] for r in range(height - 1) for c in range(width)]
    if form == "aniso":
        return np.abs(across).sum(), np.abs(across).mean(), np.abs(down).sum(), np.abs(down).mean()
    if form == "sq":
        across, down = np.square(across), np.square(down)
        return across.sum(), across.mean(), down.sum(), down.mean()
    both = [
        math.hypot(image[r, c + 1] - image[r, c], image[r + 1, c] - image[r, c])
        for r in range(height - 1)
        for c in range(width - 1)
    ]
    return np.sum(both), np.mean(both), 0, 0


@pytest.mark.parametrize("form", ["aniso", "iso", "sq"])
@pytest.mark.parametrize("shape", [(2, 2), (2, 9), (9, 2), (5, 7)])
def test_each_form_has_its_own_grid_and_denominator(form, shape):
    image = np.random.default_rng(0).random(shape)
    across_sum, across_mean, down_sum, down_mean = by_hand(image, form)
    total = total_variation(tensor(image), form=form, reduction="sum").item()
    mean = total_variation(tensor(image), form=form).item()
    assert total == pytest.approx(across_sum + down_sum, rel=1e-12)
    assert mean == pytest.approx(across_mean + down_mean, rel=1e-12)


def test_channels_are_averaged_or_added():
    image = torch.rand(2, 3, 6, 7, dtype=torch.float64)
    single = torch.stack([total_variation(image[:, [c]], form="iso") for c in range(3)])
    assert total_variation(image, form="iso").tolist() == pytest.approx(single.mean(0).tolist())


def test_the_ratio_is_below_1_for_a_blurred_and_above_1_for_a_noisy_photograph():
    photograph = data.camera()[:128, :128] / 255
    noise = np.random.default_rng(0).normal(0, 0.05, photograph.shape)
    blurred, noisy = gaussian_filter(photograph, 2), photograph + noise
    assert tv_ratio(tensor(photograph), tensor(blurred)).item() < 0.8
    assert tv_ratio(tensor(photograph), tensor(noisy)).item() > 1.5
    assert tv_ratio(tensor(photograph), tensor(photograph)).item() == 1


def test_the_ratio_is_that_of_the_two_anisotropic_variations():
    reference, output = torch.rand(2, 2, 3, 9, 11, dtype=torch.float64)
    expected = total_variation(output) / total_variation(reference)
    assert tv_ratio(reference, output).tolist() == pytest.approx(expected.tolist(), rel=1e-12)


def test_a_flat_reference_has_no_ratio():
    flat, rough = torch.full((1, 3, 6, 6), 0.7), torch.rand(1, 3, 6, 6)
    batch = tv_ratio(torch.cat([flat, rough]), torch.cat([rough, flat]))
    assert batch[0].isnan()
    assert batch[1] == 0


def test_the_residual_knows_no_constant_difference():
    reference, output = torch.rand(2, 1, 3, 9, 11, dtype=torch.float64)
    expected = total_variation(output - reference)
    assert tv_residual(reference, output).item() == pytest.approx(expected.item(), rel=1e-12)
    assert tv_residual(reference, reference + 0.25).item() == pytest.approx(0, abs=1e-15)
    assert tv_residual(output, reference).item() == tv_residual(reference, output).item()


def test_the_safe_root_has_gradient_0_at_0():
    values = torch.tensor([0.0, 4.0], requires_grad=True)
    safe_sqrt(values).sum().backward()
    assert safe_sqrt(values).tolist() == [0, 2]
    assert values.grad.tolist() == [0, 0.25]


@pytest.mark.parametrize("shape", [(1, 3, 1, 9), (1, 3, 9, 1), (3, 9, 9)])
def test_too_small_an_image_is_refused(shape):
    with pytest.raises(IqbenchError, match="at least 2x2"):
        total_variation(torch.rand(shape))


@pytest.mark.parametrize("function", [tv_ratio, tv_residual])
def test_an_image_without_neighbours_is_refused(function):
    image = torch.rand(1, 3, 1, 9)
    column = function.__name__.replace("_", "-")
    with pytest.raises(IqbenchError, match=f"9x1 pixels are too few for {column}, .*2x2"):
        function(image, image)


def test_unknown_forms_and_reductions_are_refused():
    image = torch.rand(1, 1, 4, 4)
    with pytest.raises(IqbenchError, match=r"unknown form of total variation 'anis'.*'aniso'"):
        total_variation(image, form="anis")
    with pytest.raises(IqbenchError, match=r"unknown reduction 'means'.*'mean'"):
        total_variation(image, reduction="means")
