"""The loop of 8x8 blocks gives the same PSNR-HVS and PSNR-HVS-M as torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iqbench.engine.batch import Batch
from iqbench.functional import psnr_hvs, psnr_hvsm
from iqbench.images.picture import Picture
from iqbench.metrics.psnr_hvs import PsnrHvs, _loop_constants, _sums
from iqbench.native import loops

pytestmark = pytest.mark.usefixtures("compiled_loops")

COLUMNS = ["psnr-hvs", "psnr-hvsm"]


def blocks(count, seed=0, scale=1.0):
    """Blocks of 64 pixels, (count, 64), some of them flat."""
    values = scale * torch.rand(count, 64, generator=torch.Generator().manual_seed(seed))
    values[::3] = 0.5
    return values


def exact_sums(reference, output):
    """What the metric sums of blocks, in float64."""
    metric = PsnrHvs()
    tap = metric.columns()[0].taps[0]
    first, second = (one.double().T[None, :, None] for one in (reference, output))
    return torch.cat(_sums(metric.prepare(tap, first, {}), second))


@pytest.mark.parametrize("count", [1, 5, 64, 200])
@pytest.mark.parametrize("noise", [0.001, 0.05, 1.0])
def test_the_sums_are_those_of_float64(count, noise):
    reference = blocks(count)
    output = reference + noise * blocks(count, seed=1)
    found = loops.block_errors(reference, output, _loop_constants())
    assert torch.allclose(found, exact_sums(reference, output), rtol=1e-4, atol=1e-10)


def test_equal_blocks_have_no_error():
    reference = blocks(70)
    found = loops.block_errors(reference, reference.clone(), _loop_constants())
    assert found.tolist() == [0, 0]


def test_what_is_not_a_number_stays_so():
    reference = blocks(2)
    output = reference.clone()
    output[1, 5] = torch.nan
    assert loops.block_errors(reference, output, _loop_constants()).isnan().all()


@pytest.mark.parametrize("memory", [1, 2**30])
@pytest.mark.parametrize("size", [(8, 8), (45, 70), (129, 33)])
def test_values_are_those_of_float64_within_a_ten_thousandth(make_scorer, size, memory):
    generator = np.random.default_rng(0)
    reference = generator.integers(0, 256, (*size, 3)).astype(np.uint8)
    noisy = (reference + generator.normal(0, 6, reference.shape)).clip(0, 255).astype(np.uint8)
    pictures = [Picture(one, "", "made", 0) for one in (reference, noisy)]
    pair = Batch(pictures[:1], [pictures[1], pictures[0]], [0, 0])
    found, equal = make_scorer(COLUMNS, memory=memory).score(pair)
    tensors = [
        torch.from_numpy(one).permute(2, 0, 1)[None].double() / 255 for one in (reference, noisy)
    ]
    for column, exact in zip(COLUMNS, (psnr_hvs, psnr_hvsm), strict=True):
        assert found[column].value == pytest.approx(exact(*tensors).item(), abs=1e-4)
        assert equal[column].value == np.inf
