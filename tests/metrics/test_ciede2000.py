"""CIEDE2000 against the published test data and scikit-image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

from iqbench.engine.batch import Batch
from iqbench.functional import ciede2000, ciede2000_map
from iqbench.images.picture import Picture
from iqbench.metrics.ciede2000 import difference

# Sharma et al. 2005, table 1: L, a, b of both colours, and Delta E; hues on both sides of 0 and 180
# degrees, gray, and the rotation term among them.
PUBLISHED = (
    (50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425),
    (50, 3.1571, -77.2803, 50, 0, -82.7485, 2.8615),
    (50, 2.8361, -74.0200, 50, 0, -82.7485, 3.4412),
    (50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000),
    (50, 0, 0, 50, -1, 2, 2.3669),
    (50, -1, 2, 50, 0, 0, 2.3669),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0009, 7.1792),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0010, 7.1792),
    (50, 2.4900, -0.0010, 50, -2.4900, 0.0011, 7.2195),
    (50, -0.0010, 2.4900, 50, 0.0009, -2.4900, 4.8045),
    (50, -0.0010, 2.4900, 50, 0.0011, -2.4900, 4.7461),
    (50, 2.5, 0, 50, 0, -2.5, 4.3065),
    (50, 2.5, 0, 73, 25, -18, 27.1492),
    (50, 2.5, 0, 61, -5, 29, 22.8977),
    (50, 2.5, 0, 56, -27, -3, 31.9030),
    (50, 2.5, 0, 58, 24, 15, 19.4535),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
    (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
    (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
)


@pytest.mark.parametrize("row", PUBLISHED)
def test_published_pairs_have_their_published_difference(row):
    first, second = (
        torch.tensor(lab, dtype=torch.float64).view(1, 3, 1, 1) for lab in (row[:3], row[3:6])
    )
    assert difference(first, second).item() == pytest.approx(row[6], abs=5e-5)


def tensor(image):
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None] / 255


def oracle(reference, output):
    return deltaE_ciede2000(*(rgb2lab(image) for image in (reference, output)))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0, 1, 10, 255]))
def test_values_are_those_of_scikit_image(seed, spread):
    generator = np.random.default_rng(seed)
    reference = generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    step = generator.integers(-spread, spread + 1, reference.shape)
    output = np.clip(reference + step, 0, 255).astype(np.uint8)
    given_map = ciede2000_map(tensor(reference), tensor(output))[0, 0]
    np.testing.assert_allclose(given_map, oracle(reference, output), atol=2e-4)
    expected = oracle(reference, output).mean()
    assert ciede2000(tensor(reference), tensor(output)).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("memory", [1, 2**30])
def test_the_engine_gives_the_same_in_bands_and_on_luma_protocols(make_scorer, memory):
    reference = data.astronaut()[100:151, 150:211]
    output = np.roll(reference, 1, axis=1)
    pictures = [Picture(pixels, digest="", name="made", bytes=0) for pixels in (reference, output)]
    scorer = make_scorer(["ciede2000"], memory=memory)
    (found,) = scorer.score(Batch(pictures[:1], pictures[1:], [0]))
    assert found["ciede2000"].value == pytest.approx(oracle(reference, output).mean(), rel=1e-5)


def test_gray_is_three_equal_channels():
    image = tensor(data.camera()[:9, :8, None])
    output = (image + 0.1).clamp(0, 1)
    wide = ciede2000(image.expand(-1, 3, -1, -1), output.expand(-1, 3, -1, -1))
    assert ciede2000(image, output).item() == wide.item()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_gradients_are_finite_on_equal_gray_and_flat_images(value):
    reference = torch.full((1, 3, 4, 4), value)
    for output in (reference.clone(), torch.rand(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)):
        output.requires_grad_()
        ciede2000(reference, output).sum().backward()
        assert output.grad.isfinite().all()
