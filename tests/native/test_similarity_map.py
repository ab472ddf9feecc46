"""The compiled map of SSIM is the metric's own map, summed over the channels."""

from __future__ import annotations

import pytest
import torch

from iqbench.metrics.ssim import Ssim, window_weights
from iqbench.native import loops

pytestmark = pytest.mark.usefixtures("compiled_loops")


def images(height, width, channels):
    generator = torch.Generator().manual_seed(height * width + channels)
    reference = torch.rand(1, channels, height, width, generator=generator)
    noise = torch.rand(1, channels, height, width, generator=generator)
    return reference, (reference + 0.4 * (noise - 0.5)).clamp(0, 1)


# Longer than the stretches that a loop takes together, a row more than its blocks, odd and even,
# and one position alone.
@pytest.mark.parametrize(
    "shape", [(20, 450, 1), (30, 150, 3), (77, 41, 4), (12, 13, 2), (11, 11, 1), (76, 12, 3)]
)
@pytest.mark.parametrize("window", ["gaussian", "uniform"])
@pytest.mark.parametrize("structure", ["signed", "clipped"])
def test_the_map_is_the_plain_one(shape, window, structure):
    metric = Ssim(window=window, structure=structure)
    reference, output = images(*shape)
    (tap,) = metric.columns()[0].taps
    plain = metric.maps(tap, metric.prepare(tap, reference, {}), output, {})["ssim"][0].sum(0)
    weights = window_weights(window)
    found = loops.similarity_map(
        *(image[0].permute(1, 2, 0).contiguous() for image in (reference, output)),
        torch.tensor([*weights, *metric.constants], dtype=torch.float64),
        len(weights),
    )
    assert found.shape == plain.shape
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-11)
