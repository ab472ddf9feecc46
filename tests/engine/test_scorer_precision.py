"""Other precisions and the GPU deviate little from the exact values of the CPU."""

import pytest
import torch
from made_batches import BANDS, BF16, assert_same, batch_of, values

from iqbench.metrics._registry import DEFAULT_METRICS


def test_bfloat16_networks_stay_near_and_pixels_exact(make_scorer):
    batch = batch_of(65, 67)
    exact = values(make_scorer(DEFAULT_METRICS).score(batch))
    rough = values(make_scorer(DEFAULT_METRICS, precision="bf16").score(batch))
    for here, there in zip(rough, exact, strict=True):
        for name, value in there.items():
            deep = name.startswith(("perceptual", "lpips"))
            assert here[name] == pytest.approx(value, rel=BF16 if deep else BANDS), name
        assert here["lpips-vgg"] != there["lpips-vgg"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("memory", [10**6, 2**32])
def test_exact_on_the_gpu_is_exact_on_the_cpu(make_scorer, memory):
    batch = batch_of(67, 75)
    here = make_scorer(DEFAULT_METRICS).score(batch)
    there = make_scorer(DEFAULT_METRICS, device="cuda", memory=memory).score(batch)
    assert_same(there, here, 1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize(("precision", "bound"), [("tf32", 5e-3), ("bf16", BF16)])
def test_faster_precisions_on_the_gpu_stay_near(make_scorer, precision, bound):
    batch = batch_of(67, 75)
    here = make_scorer(DEFAULT_METRICS).score(batch)
    there = make_scorer(DEFAULT_METRICS, device="cuda", precision=precision).score(batch)
    assert_same(there, here, bound)
