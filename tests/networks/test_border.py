"""Padding of an image equals numpy's, for whole images and in bands."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.networks.border import BorderedStream, extend
from iqbench.networks.stream import PointwiseStream

MODES = {"replicate": "edge", "symmetric": "symmetric", "reflect": "reflect"}


@pytest.mark.parametrize("edge", MODES)
@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(0, 12), st.integers(0, 12), st.sampled_from([2, 3]))
def test_what_lies_outside_is_what_numpy_puts_there(edge, size, before, after, axis):
    image = torch.arange(12.0 * size).reshape(2, 1, *((size, 6) if axis == 2 else (6, size)))
    widths = [(0, 0)] * 4
    widths[axis] = (before, after)
    expected = np.pad(image.numpy(), widths, mode=MODES[edge])
    assert np.array_equal(extend(image, before, after, edge, axis=axis).numpy(), expected)


@pytest.mark.parametrize("edge", MODES)
@settings(max_examples=60)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(1, 6), st.booleans())
def test_rows_of_bands_equal_those_of_the_whole_image(edge, heights, border, flush):
    heights = heights if sum(heights) else [*heights, 1]
    image = torch.rand(1, 2, sum(heights), 3)
    stream = BorderedStream(PointwiseStream(lambda rows: rows), border, edge)
    bands = list(image.split(heights, dim=2))
    pushes = [(band, not flush and band is bands[-1]) for band in bands]
    pushes += [(None, True)] if flush else []
    given_rows = [stream.push(band, last=last) for band, last in pushes]
    found = torch.cat([rows for rows in given_rows if rows is not None], dim=2)
    assert torch.equal(found, extend(image, border, border, edge, axis=2))
