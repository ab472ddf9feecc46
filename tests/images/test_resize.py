"""Bicubic resizing: MATLAB's values to the bit, and properties of any resize."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import SHARED, needs
from PIL import Image

from iqbench.errors import IqbenchError
from iqbench.images.resize import imresize, imresize_uint8, resize_weights
from iqbench.images.source import FileSource

DATA = SHARED / "data"

steady = settings(derandomize=True)
lengths = st.integers(1, 40)
scales = st.sampled_from([0.125, 0.25, 1 / 3, 0.4, 0.5, 0.9, 1.0, 1.5, 2.0, 3.0, 4.0])
edges = st.sampled_from(["replicate", "symmetric"])
filters = st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos2", "lanczos3"])


def pixels(path):
    return FileSource(path).read().decode().pixels


@needs(DATA)
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_published_low_resolution_files_are_met_to_the_bit(name, scale):
    references = sorted((DATA / name / f"HR_x{scale}").glob("*.png"))
    assert references
    for reference in references:
        expected = pixels(DATA / name / f"LR_bicubic_x{scale}" / reference.name)
        actual = imresize_uint8(pixels(reference), scale=1 / scale)
        np.testing.assert_array_equal(actual, expected, err_msg=str(reference))


@steady
@given(lengths, scales, edges, st.booleans(), filters)
def test_weights_sum_to_one_and_stay_inside(length, scale, edge, antialias, filter):
    new_length = int(np.ceil(length * scale))
    indices, weights = resize_weights(length, new_length, scale, edge, antialias, filter=filter)
    assert indices.shape == weights.shape
    assert indices.shape[0] == new_length
    assert indices.min() >= 0
    assert indices.max() < length
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@steady
@given(st.integers(1, 12), st.integers(1, 12), scales, edges, filters)
def test_a_flat_image_stays_flat(height, width, scale, edge, filter):
    flat = np.full((height, width, 3), 137, np.uint8)
    resized = imresize_uint8(flat, scale=scale, edge=edge, filter=filter)
    assert resized.shape == (int(np.ceil(height * scale)), int(np.ceil(width * scale)), 3)
    assert (resized == 137).all()


@steady
@given(lengths, st.sampled_from([1 / 3, 0.5, 1.0, 2.0]), edges)
def test_a_mirrored_image_gives_the_mirrored_result(length, scale, edge):
    image = torch.rand(1, 1, 3 * 2, length * 6, generator=torch.Generator().manual_seed(length))
    image = image.double()
    resized = imresize(image, scale=scale, edge=edge)
    torch.testing.assert_close(imresize(image.flip(3), scale=scale, edge=edge), resized.flip(3))


def test_scale_one_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    np.testing.assert_array_equal(imresize_uint8(image, scale=1), image)
    tensor = torch.rand(2, 3, 9, 11)
    torch.testing.assert_close(imresize(tensor, scale=1), tensor, rtol=0, atol=0)


def test_a_ramp_is_met_inside_for_the_kernel_is_exact_on_lines():
    ramp = torch.arange(20.0, dtype=torch.float64).expand(1, 1, 20, 20)
    doubled = imresize(ramp, scale=2)[0, 0, 10]
    expected = (torch.arange(40.0, dtype=torch.float64) + 0.5) / 2 - 0.5
    torch.testing.assert_close(doubled[4:-4], expected[4:-4])


def test_the_kernel_at_half_a_pixel():
    # Keys' cubic at 1/2 and 3/2 is 9/16 and -1/16: without antialiasing, halving takes these.
    _, weights = resize_weights(8, 4, 0.5, "replicate", False)
    np.testing.assert_allclose(weights[1], np.array([-1, 9, 9, -1]) / 16)


def resized_in_float(image, scale, filter):
    for axis in (0, 1):
        length = image.shape[axis]
        indices, weights = resize_weights(
            length, scale * length, scale, "replicate", True, filter=filter
        )
        image = np.einsum("nt...,nt->n...", np.moveaxis(image, axis, 0)[indices], weights)
        image = np.moveaxis(image, 0, axis)
    return image


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    ("filter", "pillow"),
    [
        ("nearest", Image.Resampling.NEAREST),
        ("bilinear", Image.Resampling.BILINEAR),
        ("bicubic", Image.Resampling.BICUBIC),
        ("lanczos3", Image.Resampling.LANCZOS),
    ],
)
def test_enlarging_agrees_with_pillow_away_from_the_edge(filter, pillow, scale):
    # Pillow's kernels are MATLAB's; at the edge it leaves out what lies outside.
    image = np.random.default_rng(3).uniform(0, 255, (17, 22)).astype(np.float32)
    size = (22 * scale, 17 * scale)
    expected = np.asarray(Image.fromarray(image).resize(size, pillow))
    inside = (slice(4 * scale, -4 * scale),) * 2
    actual = resized_in_float(image, scale, filter)
    np.testing.assert_allclose(actual[inside], expected[inside], atol=1e-3)


@pytest.mark.parametrize("lobes", [2, 3])
def test_the_lanczos_kernel_is_a_sinc_windowed_by_a_wider_one(lobes):
    # Halving without antialiasing puts each output pixel half way between two.
    _, weights = resize_weights(16, 8, 0.5, "replicate", False, filter=f"lanczos{lobes}")
    places = np.arange(-lobes, lobes) + 0.5
    expected = np.sinc(places) * np.sinc(places / lobes)
    np.testing.assert_allclose(weights[3], expected / expected.sum(), atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_nearest_repeats_every_pixel(scale):
    image = np.random.default_rng(4).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    expected = image.repeat(scale, axis=0).repeat(scale, axis=1)
    np.testing.assert_array_equal(imresize_uint8(image, scale=scale, filter="nearest"), expected)


def test_both_forms_agree_up_to_rounding():
    image = np.random.default_rng(1).integers(60, 196, (24, 30, 3), dtype=np.uint8)
    tensor = torch.from_numpy(image).double().permute(2, 0, 1)[None]
    for options in ({"scale": 1 / 3}, {"size": (13, 50)}, {"scale": 2, "edge": "symmetric"}):
        exact = imresize(tensor, **options)[0].permute(1, 2, 0).numpy()
        rounded = imresize_uint8(image, **options)
        # The first pass rounds by up to a half, which the second one's weights enlarge a little.
        assert np.abs(exact - rounded).max() < 1.5


def test_edges_differ_only_near_the_edge():
    image = np.random.default_rng(2).integers(0, 256, (48, 48, 1), dtype=np.uint8)
    replicated = imresize_uint8(image, scale=0.25)
    mirrored = imresize_uint8(image, scale=0.25, edge="symmetric")
    assert (replicated != mirrored).any()
    np.testing.assert_array_equal(replicated[2:-2, 2:-2], mirrored[2:-2, 2:-2])


def test_mirroring_repeats_the_edge_pixel():
    indices, _ = resize_weights(4, 8, 2.0, "symmetric", True)
    np.testing.assert_array_equal(indices[0], [1, 0, 0, 1])


def test_it_is_linear_and_differentiable():
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(2, 3, 8, 9, dtype=torch.float64, generator=generator)
    second = torch.rand(2, 3, 8, 9, dtype=torch.float64, generator=generator)
    both = imresize(2 * first - 3 * second, scale=0.5)
    separate = 2 * imresize(first, scale=0.5) - 3 * imresize(second, scale=0.5)
    torch.testing.assert_close(both, separate)
    small = first[:1, :1, :5, :4].clone().requires_grad_()
    for scale in (0.5, 2.0):
        assert torch.autograd.gradcheck(lambda x, s=scale: imresize(x, scale=s), small)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(dtype):
    assert imresize(torch.rand(1, 1, 6, 6, dtype=dtype), scale=0.5).dtype == dtype


@pytest.mark.parametrize(
    "options", [{}, {"scale": 2, "size": (4, 4)}, {"scale": 0}, {"scale": -1}, {"size": (0, 4)}]
)
def test_a_size_that_makes_no_sense_is_an_error(options):
    with pytest.raises(IqbenchError, match="resiz"):
        imresize_uint8(np.zeros((4, 4, 1), np.uint8), **options)
    with pytest.raises(IqbenchError, match="resiz"):
        imresize(torch.zeros(1, 1, 4, 4), **options)


def test_the_numpy_form_needs_no_torch():
    code = (
        "import sys, numpy as np\n"
        "from iqbench.images.degrade import bicubic_downscale\n"
        "import iqbench.images.source, iqbench.images.write\n"
        "assert bicubic_downscale(np.zeros((8, 8, 3), np.uint8), 2).shape == (4, 4, 3)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
