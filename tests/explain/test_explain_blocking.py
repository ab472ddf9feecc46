"""PSNR-B with other definitions of edges: torchmetrics, SwinIR and others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_pairs import judged, pixels
from skimage import data

from iqbench.images.degrade import jpeg
from iqbench.images.write import write_png


@pytest.fixture(scope="module")
def blocked(tmp_path_factory):
    """127x162, no multiples of 8, once in gray and once in colour."""
    folder = tmp_path_factory.mktemp("blocked")
    pairs = {}
    for name, image in (
        ("gray", data.camera()[100:227, 200:362, None]),
        ("rgb", data.chelsea()[60:187, 100:262]),
    ):
        pairs[name] = folder / f"{name}.png", folder / f"{name}_out.png"
        write_png(pairs[name][0], image.copy())
        write_png(pairs[name][1], jpeg(image.copy(), 10))
    return pairs


# peak_signal_noise_ratio_with_blocked_effect(O, R, data_range=1.0) of torchmetrics 1.9.0, on
# float64 tensors (1, 1, 127, 162) in [0, 1] of the gray pair
def test_torchmetrics_counts_as_the_paper_does(blocked):
    best = judged(blocked["gray"], "psnr-b", "23.66254").iloc[0]
    assert best["reproduces"]
    assert best["metric"] == "psnr-b, edges counted as in the paper"
    assert "torchmetrics" in best["library"]


def steps(image, axis):
    """Squared steps along an axis: their sums across edges of blocks, and elsewhere."""
    squares = np.diff(image, axis=axis) ** 2
    across = squares.take(range(7, squares.shape[axis], 8), axis=axis).sum()
    return across, squares.sum() - across


def whole_blocks(reference, output):
    """SwinIR's PSNR-B of one channel: as many edges as there are whole blocks, less one."""
    (height, width), sums = output.shape, [steps(output, axis) for axis in (1, 0)]
    edges = height * (width // 8 - 1) + width * (height // 8 - 1)
    others = height * (width - 1) + width * (height - 1) - edges
    gain = sum(sum_[0] for sum_ in sums) / edges - sum(sum_[1] for sum_ in sums) / others
    effect = 3 / math.log2(min(height, width)) * max(gain, 0)
    return -10 * math.log10(np.mean((reference - output) ** 2) + effect)


@pytest.mark.parametrize("kind", ["gray", "rgb"])
def test_swinir_counts_whole_blocks_and_averages_channels(blocked, kind):
    reference, output = (image / 255 for image in pixels(blocked[kind]))
    values = [
        whole_blocks(reference[..., channel], output[..., channel])
        for channel in range(reference.shape[2])
    ]
    best = judged(blocked[kind], "psnr-b", f"{np.mean(values):.5f}").iloc[0]
    assert best["reproduces"]
    assert best["metric"] == "psnr-b, edges between whole blocks counted, channel mean"
    assert best["library"].startswith("SwinIR calculate_psnrb")
