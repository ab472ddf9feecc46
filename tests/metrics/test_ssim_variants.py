"""Variants of SSIM in papers and libraries, each compared with its definition."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import data
from skimage.metrics import structural_similarity

from iqbench.errors import IqbenchError
from iqbench.functional import ssim
from iqbench.metrics._registry import resolve_metrics
from iqbench.metrics.ssim import shrink

C1, C2 = 0.01**2, 0.03**2


def pair(shape=(90, 101), channels=3, seed=0):
    """A crop of a photograph and the same with noise, (H, W, C) in [0, 1]."""
    top = data.astronaut()[60 : 60 + shape[0], 150 : 150 + shape[1], :channels] / 255
    noise = np.random.default_rng(seed).normal(0, 0.06, top.shape)
    return top, np.clip(top + noise, 0, 1)


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None]


def value(reference, output, **options):
    return ssim(tensor(reference), tensor(output), **options).item()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_uniform_window_is_the_default_of_scikit_image(channels):
    reference, output = pair(channels=channels)
    theirs = structural_similarity(reference, output, data_range=1, channel_axis=2)
    assert value(reference, output, window="uniform") == pytest.approx(theirs, abs=1e-12)


def gaussian(image, mode, axes):
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets**2) / (2 * 1.5**2))
    for axis in axes:
        image = ndimage.correlate1d(image, weights / weights.sum(), axis, mode=mode, cval=0)
    return image


def ssim_of_scipy(reference, output, mode, axes):
    """The formula once more, on scipy's filters, whose borders are its own."""
    mean, other = gaussian(reference, mode, axes), gaussian(output, mode, axes)
    variance = gaussian(reference**2, mode, axes) - mean**2
    other_variance = gaussian(output**2, mode, axes) - other**2
    covariance = gaussian(reference * output, mode, axes) - mean * other
    luminance = (2 * mean * other + C1) / (mean**2 + other**2 + C1)
    return (luminance * (2 * covariance + C2) / (variance + other_variance + C2)).mean()


@pytest.mark.parametrize(
    ("padding", "mode"), [("zero", "constant"), ("replicate", "nearest"), ("reflect", "mirror")]
)
def test_padding_scores_every_position(padding, mode):
    reference, output = pair()
    theirs = ssim_of_scipy(reference, output, mode, (0, 1))
    assert value(reference, output, padding=padding) == pytest.approx(theirs, abs=1e-12)


def test_3d_is_a_gaussian_of_three_dimensions_over_replicated_edges():
    reference, output = pair()
    theirs = ssim_of_scipy(reference, output, "nearest", (0, 1, 2))
    assert value(reference, output, form="3d") == pytest.approx(theirs, abs=1e-12)


def test_3d_of_a_gray_image_is_a_plane_with_replicated_edges():
    reference, output = pair(channels=1)
    flat = value(reference, output, padding="replicate")
    assert value(reference, output, form="3d") == flat


@pytest.mark.parametrize(("height", "factor"), [(200, 1), (383, 1), (384, 2), (513, 2), (701, 3)])
def test_matlabs_downsampling_averages_around_every_fth_pixel(height, factor):
    image = np.random.default_rng(0).random((height, height + 30, 1))
    theirs = image[..., 0]
    if factor > 1:
        # imfilter(ones(f) / f^2, 'symmetric'), whose even windows reach one further right.
        origin = -1 if factor % 2 == 0 else 0
        theirs = ndimage.uniform_filter(theirs, factor, mode="reflect", origin=origin)
        theirs = theirs[::factor, ::factor]
    ours = shrink(tensor(image), "matlab")[0, 0].numpy()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-14)


def ghost(shape=(64, 70), channels=3):
    """A crop of a photograph, and one whose details are partly the negatives of the first's."""
    reference, _ = pair(shape, channels)
    blurred = ndimage.gaussian_filter(reference, (3, 3, 0))
    output = reference.copy()
    output[:, 30:] = np.clip(2 * blurred - reference, 0, 1)[:, 30:]
    return reference, output


@pytest.mark.parametrize("channels", [1, 3])
def test_a_clipped_structure_is_zero_where_details_are_reversed(channels):
    reference, output = ghost(channels=channels)
    mean, other = (gaussian(image, "mirror", (0, 1)) for image in (reference, output))
    covariance = gaussian(reference * output, "mirror", (0, 1)) - mean * other
    energy = gaussian(reference**2 + output**2, "mirror", (0, 1)) - mean**2 - other**2
    luminance = (2 * mean * other + C1) / (mean**2 + other**2 + C1)
    structure = (2 * covariance + C2) / (energy + C2)
    assert (structure < 0).mean() > 0.1
    inner = np.s_[5:-5, 5:-5]
    theirs = (luminance * np.maximum(structure, 0))[inner].mean()
    assert value(reference, output, structure="clipped") == pytest.approx(theirs, abs=1e-12)
    signed = (luminance * structure)[inner].mean()
    assert value(reference, output) == pytest.approx(signed, abs=1e-12)
    assert theirs > signed + 0.01


def test_pooling_is_the_default_of_piq():
    # piq 0.8.0: piq.ssim(tensor(reference), tensor(output), data_range=1.0), a 400x401 crop.
    reference, output = pair((400, 401))
    theirs = 0.5055034061829167
    assert value(reference, output, downsample="pool") == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("spec", "column"),
    [
        ("ssim", "ssim"),
        ("ssim:window=uniform", "ssim-window=uniform"),
        ("ssim:form=3d", "ssim-form=3d"),
        ("ssim:structure=clipped", "ssim-structure=clipped"),
        ("ssim:padding=zero,downsample=pool", "ssim-padding=zero-downsample=pool"),
    ],
)
def test_a_column_names_every_choice_and_can_be_asked_for_by_it(spec, column):
    (request,) = resolve_metrics([spec])
    assert request.column.name == column
    assert resolve_metrics([column]) == (request,)


def test_a_volume_takes_no_padding():
    with pytest.raises(IqbenchError, match="form=3d always replicates edges"):
        resolve_metrics(["ssim:form=3d,padding=zero"])
