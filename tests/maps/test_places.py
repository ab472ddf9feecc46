"""The positions of a map's values on the image; the mean is kept for all sizes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from iqbench.maps.placement import centre, forward, stretch


def random(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


SIDES = st.integers(1, 40)


@given(cells=st.tuples(SIDES, SIDES), more=st.tuples(SIDES, SIDES))
def test_stretching_keeps_the_mean_and_the_range(cells, more):
    values = random(2, *cells)
    size = cells[0] + more[0] - 1, cells[1] + more[1] - 1
    stretched = stretch(values, size)
    assert stretched.shape == (2, *size)
    assert stretched.mean((1, 2)).tolist() == pytest.approx(values.mean((1, 2)).tolist())
    assert stretched.min() >= values.min() - 1e-12
    assert stretched.max() <= values.max() + 1e-12


@pytest.mark.parametrize("factor", [2, 4, 8, 16])
def test_an_even_multiple_is_bilinear_interpolation(factor):
    values = random(2, 5, 3)
    size = 5 * factor, 3 * factor
    bilinear = F.interpolate(values[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    assert torch.allclose(stretch(values, size), bilinear, atol=1e-12)


def test_a_pixel_gets_the_mean_of_the_interpolation_over_its_area():
    # The interpolation sampled so densely that the samples' mean is the integral.
    values, size, dense = random(1, 7, 1), 19, 1001
    line = values[0, :, 0]
    places = (torch.arange(size * dense, dtype=torch.float64) + 0.5) / (size * dense) * 7 - 0.5
    places = places.clamp(0, 6)
    left = places.floor().clamp(0, 5).long()
    sampled = torch.lerp(line[left], line[left + 1], places - left)
    expected = sampled.reshape(size, dense).mean(1)
    assert torch.allclose(stretch(values, (size, 1))[0, :, 0], expected, atol=1e-6)


def test_a_layer_as_large_as_the_image_stays_as_it_is():
    values = random(1, 6, 9)
    assert torch.equal(stretch(values, (6, 9)), values)


def test_windows_lie_on_their_middles():
    values = random(1, 4, 6)
    placed = centre(values, (14, 16))
    assert torch.equal(placed[:, 5:-5, 5:-5], values)
    assert placed.isnan().sum() == 14 * 16 - 4 * 6


@pytest.mark.parametrize("shape", [(7, 8), (6, 9)])
def test_differences_along_one_axis_are_scaled_for_the_missing_one(shape):
    values = random(1, *shape)
    placed = forward(values, (7, 9))
    assert placed.shape == (1, 7, 9)
    assert float(placed.mean()) == pytest.approx(float(values.mean()))
    assert torch.allclose(placed[:, : shape[0], : shape[1]], values * 63 / (shape[0] * shape[1]))
    assert int((placed == 0).sum()) == 63 - shape[0] * shape[1]


def test_differences_along_both_axes_leave_out_the_last_row_and_column():
    values = random(1, 6, 8)
    placed = forward(values, (7, 9))
    assert torch.equal(placed[:, :-1, :-1], values)
    assert placed[:, -1].isnan().all()
    assert placed[:, :, -1].isnan().all()
