"""Sets of features that are read in blocks: moments merge, and blocks do not change distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.metrics import _feature_sets, _set_distances
from iqbench.metrics._feature_sets import ArrayFeatures, Moments
from iqbench.metrics._set_distances import (
    frechet_of_sets,
    kernel_of_sets,
)


def rows_of(count, length, seed, shift=0.0):
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(count, length)) @ generator.normal(size=(length, length))
    return (mixed + shift).astype(np.float32)


def assert_same(found, expected):
    assert found.n == expected.n
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.scatter, expected.scatter, rtol=1e-9, atol=1e-6)


class TestMoments:
    @given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.floats(-1e3, 1e3))
    @settings(max_examples=30)
    def test_they_are_those_of_all_rows_however_these_are_cut(self, sizes, shift):
        rows = rows_of(sum(sizes), 4, 0, shift)
        parts = np.split(rows, np.cumsum(sizes)[:-1])
        assert_same(Moments.of_blocks(parts, 4), Moments.of(rows))

    @given(st.integers(1, 12), st.integers(1, 12), st.floats(-1e3, 1e3))
    @settings(max_examples=30)
    def test_what_was_merged_can_be_taken_out(self, n, m, shift):
        first, second = rows_of(n, 3, 1), rows_of(m, 3, 2, shift)
        both = Moments.of(first).merge(Moments.of(second))
        assert_same(both.without(Moments.of(second)), Moments.of(first))

    def test_the_covariance_is_unbiased(self):
        rows = rows_of(40, 5, 0)
        np.testing.assert_allclose(
            Moments.of(rows).covariance, np.cov(rows, rowvar=False), rtol=1e-6
        )


@pytest.fixture(params=[7, 50])
def small_blocks(request, monkeypatch):
    """Blocks that cut every set in the middle."""
    monkeypatch.setattr(_feature_sets, "ROWS_A_BLOCK", request.param)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize(("n", "m"), [(90, 90), (61, 61), (40, 40), (8, 8)])
def test_fid_of_blocks_is_that_of_all_rows_in_memory(small_blocks, monkeypatch, n, m, paired):
    sets = ArrayFeatures(rows_of(n, 20, 0)), ArrayFeatures(rows_of(m, 20, 1, 0.5))
    read = frechet_of_sets(*sets, paired=paired)
    monkeypatch.setattr(
        _set_distances,
        "_side",
        lambda one: _set_distances._SmallSide(one.array().astype(float), one.owners),
    )
    monkeypatch.setattr(_set_distances, "_GROUPS", 20 if n > 40 else 50)
    held = frechet_of_sets(*sets, paired=paired)
    assert read.value == pytest.approx(held.value, rel=1e-9)
    assert read.standard_error == pytest.approx(held.standard_error, rel=1e-6)


def test_a_small_set_and_a_large_one_lose_nothing():
    """Fewer images than features on one side only: as by the eigenvalues of the product."""
    few, many = rows_of(9, 12, 0).astype(float), rows_of(80, 12, 1).astype(float)
    step = few.mean(axis=0) - many.mean(axis=0)
    covariances = [np.cov(one, rowvar=False) for one in (few, many)]
    root = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(1e-12)).sum()
    expected = step @ step + np.trace(sum(covariances)) - 2 * root
    for sets in ((few, many), (many, few)):
        found = frechet_of_sets(*map(ArrayFeatures, sets), paired=False)
        assert found.value == pytest.approx(expected, rel=1e-4)


def test_kid_of_blocks_is_that_of_all_rows_in_memory(small_blocks):
    sets = ArrayFeatures(rows_of(33, 6, 0) / 9), ArrayFeatures(rows_of(61, 6, 1) / 9)
    read = kernel_of_sets(*sets)
    wide = [one.features.astype(float) for one in sets]
    within, across, others = (
        (x @ y.T / 6 + 1) ** 3
        for x, y in zip((wide[0], wide[0], wide[1]), (wide[0], wide[1], wide[1]), strict=True)
    )
    inner = sum(one[~np.eye(len(one), dtype=bool)].mean() for one in (within, others))
    assert read.value == pytest.approx(inner - 2 * across.mean(), rel=1e-6)


def test_patches_of_an_image_are_left_out_together():
    """Two patches each: as many groups as images, so the error is that of images."""
    rows = np.repeat(rows_of(6, 4, 0), 2, axis=0) + rows_of(12, 4, 3) / 100
    other = rows_of(12, 4, 1)
    owners = np.repeat(np.arange(6), 2)
    found = frechet_of_sets(ArrayFeatures(rows, owners), ArrayFeatures(other, owners), paired=True)
    left = [
        frechet_of_sets(
            ArrayFeatures(rows[owners != image]),
            ArrayFeatures(other[owners != image]),
            paired=False,
        ).value
        for image in range(6)
    ]
    variance = 5 / 6 * np.square(np.array(left) - np.mean(left)).sum()
    assert found.standard_error == pytest.approx(variance**0.5, rel=1e-6)


def without(features, images, owners):
    """The value of KID without an image of either set."""
    left = [
        ArrayFeatures(rows[of != image])
        for rows, of, image in zip(features, owners, images, strict=True)
    ]
    return kernel_of_sets(*left).value


def jackknife(values):
    return (len(values) - 1) / len(values) * np.square(np.array(values) - np.mean(values)).sum()


@pytest.mark.parametrize("patches", [(1, 1, 1, 1, 1), (3, 1, 2, 4, 2)])
@pytest.mark.parametrize("paired", [False, True])
def test_the_error_of_kid_is_of_images_not_of_their_patches(small_blocks, patches, paired):
    """Each image is left out with all its patches, and with its partner where they are paired."""
    owners = np.repeat(np.arange(5), patches)
    features = [
        (rows_of(5, 4, seed) / 9)[owners] + rows_of(len(owners), 4, seed + 2) / 99
        for seed in (0, 1)
    ]
    sets = [ArrayFeatures(rows, owners) for rows in features]
    both, nothing = (owners, owners), -1
    if paired:
        variance = jackknife([without(features, (image, image), both) for image in range(5)])
    else:
        variance = jackknife([without(features, (image, nothing), both) for image in range(5)])
        variance += jackknife([without(features, (nothing, image), both) for image in range(5)])
    found = kernel_of_sets(*sets, paired=paired)
    assert found.standard_error == pytest.approx(variance**0.5, rel=1e-4)


def test_more_patches_of_the_same_images_make_kid_no_surer():
    rows, other = rows_of(12, 4, 0) / 9, rows_of(12, 4, 1) / 9
    once = kernel_of_sets(ArrayFeatures(rows), ArrayFeatures(other))
    owners = np.repeat(np.arange(12), 50)
    many = kernel_of_sets(*(ArrayFeatures(one[owners], owners) for one in (rows, other)))
    assert many.standard_error == pytest.approx(once.standard_error, rel=0.3)


def test_two_images_are_too_few_for_an_error_of_kid_whatever_their_patches():
    owners = np.repeat(np.arange(2), 6)
    sets = [ArrayFeatures(rows_of(12, 4, seed), owners) for seed in (0, 1)]
    found = kernel_of_sets(*sets)
    assert np.isfinite(found.value)
    assert np.isnan(found.standard_error)


@pytest.mark.parametrize("distance", [frechet_of_sets, kernel_of_sets])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("count", [9, 70])
def test_replicates_are_values_without_each_group_of_images(distance, paired, count):
    """Image i is in group i modulo the number of groups; its reference too, if they are paired."""
    first, second = rows_of(count, 12, 0) / 9, rows_of(count, 12, 1) / 9
    found = distance(ArrayFeatures(first), ArrayFeatures(second), paired=paired).replicates
    groups = len(found)
    assert groups == min(count, 50 if paired else 25) or groups in {10, 20}
    for group in (0, groups - 1):
        left = np.arange(count) % groups != group
        kept = first[left] if paired else first
        value = distance(ArrayFeatures(kept), ArrayFeatures(second[left]), paired=False).value
        assert found[group] == pytest.approx(value, rel=1e-5)
