"""Small batches of a photograph, and comparisons of their values."""

import numpy as np
import pytest
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.images.picture import Picture
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics

# What bands may change: float32 sums in another order.
BANDS = 1e-6
# Of bf16's 8 bits of mantissa: measured 0.2 % at most on noisy photographs; pixels are exact.
BF16 = 0.01
DEFAULTS = [request.column.name for request in resolve_metrics(DEFAULT_METRICS)]


def picture(pixels, name="made"):
    return Picture(pixels, digest="", name=name, bytes=0)


def noisy(image, deviation, seed):
    noise = np.random.default_rng(seed).normal(0, deviation * 255, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def photograph(height, width, channels=3):
    image = data.astronaut()[60 : 60 + height, 170 : 170 + width]
    return image if channels == 3 else image[:, :, 1:2].copy()


def batch_of(height, width, *, outputs=3, channels=3):
    reference = photograph(height, width, channels)
    degraded = [noisy(reference, 0.1 + 0.05 * seed, seed) for seed in range(outputs)]
    return Batch([picture(reference)], [picture(image) for image in degraded], [0] * outputs)


def values(found):
    assert all(outcome.error is None for outcomes in found for outcome in outcomes.values())
    return [{name: outcome.value for name, outcome in outcomes.items()} for outcomes in found]


def assert_same(found, expected, rel):
    for here, there in zip(values(found), values(expected), strict=True):
        assert here == pytest.approx(there, rel=rel)
