"""The number of rows per band: all rows if they fit the budget, and at least one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iqbench.engine.bands import ALIGNMENT, PIXELS_AT_ONCE, Plan, _bytes_a_pixel, plan_bands
from iqbench.engine.compute import Compute
from iqbench.engine.grouping import group_requests
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics
from iqbench.networks.registry import architecture
from iqbench.protocols.presets import resolve_protocol

(GROUP,) = group_requests(resolve_metrics(DEFAULT_METRICS), resolve_protocol("rgb"))
BACKBONES = {name: architecture(name) for name in ("vgg16", "alexnet")}


def planned(height, width, *, memory=2**30, references=1, outputs=4, device="cpu"):
    compute = Compute(torch.device(device), "exact", memory)
    return plan_bands(
        GROUP,
        BACKBONES,
        compute,
        size=(3, height, width),
        references=references,
        outputs=outputs,
    )


@given(height=st.integers(1, 5000), rows=st.integers(1, 6000))
def test_bands_cover_every_row_once_and_in_order(height, rows):
    bands = Plan(height, rows, 1).bands()
    covered = [row for band in bands for row in range(band.start, band.stop)]
    assert covered == list(range(height))
    assert all(band.stop - band.start <= rows for band in bands)


@given(
    height=st.integers(1, 8000),
    width=st.integers(1, 8000),
    memory=st.integers(0, 36).flatmap(lambda bits: st.integers(0, 2**bits)),
    references=st.integers(1, 20),
    outputs=st.integers(1, 40),
    device=st.sampled_from(["cpu", "cuda"]),
)
def test_a_plan_keeps_to_the_budget_as_far_as_one_row_allows(
    height, width, memory, references, outputs, device
):
    plan = planned(
        height, width, memory=memory, references=references, outputs=outputs, device=device
    )
    assert 1 <= plan.rows <= height
    assert 1 <= plan.outputs <= outputs
    held, passing = _bytes_a_pixel(GROUP, BACKBONES, 3)
    reference = plan.rows * width * (held * references + passing * references)
    assert reference <= memory or plan.rows == 1
    output = plan.rows * width * (held * references + passing * plan.outputs)
    assert output <= memory or plan.outputs == 1


@pytest.mark.parametrize(("affordable", "rows"), [(9, 9), (17, 16), (31, 16), (32, 32), (40, 32)])
def test_the_alignment_of_bands_never_exceeds_the_budget(affordable, rows):
    held, passing = _bytes_a_pixel(GROUP, BACKBONES, 3)
    memory = affordable * 200 * (held + passing)
    assert planned(360, 200, memory=memory).rows == rows


def test_a_small_image_goes_through_as_one_band_with_all_its_outputs():
    assert planned(128, 256, outputs=2) == Plan(128, 128, 2)


def test_a_large_image_is_cut_into_equal_bands_of_aligned_height():
    plan = planned(3000, 4000)
    assert plan.rows % ALIGNMENT == 0
    assert plan.rows * 4000 <= 1.25 * PIXELS_AT_ONCE["cpu"]
    last = plan.bands()[-1]
    assert last.stop - last.start > 1


@given(width=st.integers(100, 20_000))
def test_aligning_a_band_makes_it_a_quarter_larger_at_most(width):
    plan = planned(10_000, width)
    assert plan.rows * width <= 1.25 * max(PIXELS_AT_ONCE["cpu"], width)


def test_more_memory_never_means_smaller_bands():
    rows = [planned(2000, 1500, memory=memory).rows for memory in (1, 2**24, 2**27, 2**30, 2**33)]
    assert rows == sorted(rows)
    assert rows[0] == 1
    assert rows[-1] > 16


def test_a_gpu_takes_more_at_once_than_a_cpu():
    memory = 2**36
    assert planned(2000, 1500, memory=memory, device="cuda") == Plan(2000, 2000, 4)
    assert planned(2000, 1500, memory=memory).rows < 200


def test_deeper_networks_and_more_channels_cost_more():
    (pixels,) = group_requests(resolve_metrics(["psnr"]), resolve_protocol("rgb"))
    cheap = _bytes_a_pixel(pixels, {}, 1), _bytes_a_pixel(pixels, {}, 3)
    assert cheap[0] < cheap[1] < _bytes_a_pixel(GROUP, BACKBONES, 3)


@pytest.mark.parametrize("metric", ["perceptual", "lpips:net=vgg"])
def test_what_is_held_of_a_reference_are_the_features_that_metrics_read(metric):
    (group,) = group_requests(resolve_metrics([metric]), resolve_protocol("rgb"))
    held, _ = _bytes_a_pixel(group, BACKBONES, 3)
    # relu1_2 to relu5_3: 64 + 128/4 + 256/16 + 512/64 + 512/256 float32 values a pixel.
    assert held == 4 * (64 + 32 + 16 + 8 + 2)


def test_default_metrics_need_no_whole_image():
    assert not GROUP.whole
