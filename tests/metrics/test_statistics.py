"""Statistics of bands merge into those of the image, for any bands."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.metrics._statistics import Mean, pair_moments

cuts = st.lists(st.integers(1, 11), max_size=4).map(lambda rows: sorted(set(rows)))


def bands(image, rows):
    return torch.tensor_split(image, rows, dim=2)


@settings(max_examples=30)
@given(cuts, st.sampled_from([0.0, 1e3]), st.integers(0, 5))
def test_moments_of_bands_are_those_of_the_image(rows, offset, seed):
    generator = torch.Generator().manual_seed(seed)
    first, second = (
        torch.rand(2, 3, 12, 7, dtype=torch.float64, generator=generator) + offset for _ in "ab"
    )
    parts = [
        pair_moments(*pair) for pair in zip(bands(first, rows), bands(second, rows), strict=True)
    ]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    means = torch.stack([first.mean((2, 3)), second.mean((2, 3))], dim=1)
    a, b = (image.flatten(2) - image.flatten(2).mean(2, keepdim=True) for image in (first, second))
    spread = torch.stack([(a * a).mean(2), (b * b).mean(2), (a * b).mean(2)], dim=1)
    # An offset of a thousand would take seven digits from sums of squares.
    torch.testing.assert_close(
        merged.value, torch.cat([means, spread], dim=1), rtol=1e-9, atol=1e-12
    )


def test_one_reference_serves_all_outputs():
    reference, outputs = torch.rand(1, 2, 4, 5), torch.rand(3, 2, 4, 5)
    alone = [pair_moments(reference, outputs[index : index + 1]).value for index in range(3)]
    torch.testing.assert_close(pair_moments(reference, outputs).value, torch.cat(alone))


def test_flat_channels_have_no_variance():
    flat = torch.full((1, 2, 6, 5), 0.3)
    assert pair_moments(flat, flat).double().value[:, 2:].tolist() == [[[0.0, 0.0]] * 3]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9), st.integers(1, 8))
def test_means_of_parts_are_the_mean(values, cut):
    whole = torch.tensor([values], dtype=torch.float64)
    parts = [part for part in torch.tensor_split(whole, [cut], dim=1) if part.shape[1]]
    merged = Mean(parts[0].sum(1), parts[0].shape[1])
    for part in parts[1:]:
        merged = merged.merge(Mean(part.sum(1), part.shape[1]))
    assert merged.value.item() == pytest.approx(whole.mean().item(), rel=1e-12, abs=1e-6)
