"""Small bands, chosen by memory, give the same values; too little memory is an error."""

import pytest
import torch
from made_batches import BANDS, assert_same, batch_of, photograph, picture

from iqbench.engine.batch import Batch
from iqbench.engine.batch_pass import BatchPass
from iqbench.engine.compute import resolve_compute
from iqbench.engine.resources import load_resources
from iqbench.engine.scorer import Scorer
from iqbench.errors import IqbenchError
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics
from iqbench.protocols.presets import resolve_protocol


@pytest.mark.parametrize(("height", "width", "channels"), [(67, 75, 3), (79, 63, 1)])
def test_one_row_and_one_output_at_a_time_give_the_values_of_one_band(
    make_scorer, height, width, channels
):
    batch = batch_of(height, width, channels=channels, outputs=2)
    whole = make_scorer(DEFAULT_METRICS).score(batch)
    assert_same(make_scorer(DEFAULT_METRICS, memory=1).score(batch), whole, BANDS)


@pytest.mark.parametrize("memory", [2_000_000, 6_000_000, 20_000_000])
def test_any_budget_gives_the_same_values(make_scorer, memory):
    batch = batch_of(71, 67, outputs=2)
    whole = make_scorer(DEFAULT_METRICS).score(batch)
    assert_same(make_scorer(DEFAULT_METRICS, memory=memory).score(batch), whole, BANDS)


def failing_above(monkeypatch, rows_times_images):
    """Let every push of more pixel rows run out of memory, and count the failures."""
    push, failures = BatchPass.push, []

    def push_or_fail(lane, rows, *, last):
        if rows.shape[0] * rows.shape[2] > rows_times_images:
            failures.append(rows.shape)
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (simulated)")
        return push(lane, rows, last=last)

    monkeypatch.setattr(BatchPass, "push", push_or_fail)
    return failures


def test_a_gpu_that_runs_out_of_memory_gets_smaller_bands(make_scorer, monkeypatch):
    batch = batch_of(67, 75, outputs=3)
    scorer = make_scorer(DEFAULT_METRICS)
    expected = scorer.score(batch)
    failures = failing_above(monkeypatch, 20)
    assert_same(scorer.score(batch), expected, BANDS)
    assert failures


def test_no_try_after_running_out_of_memory_repeats_the_one_before(make_scorer, monkeypatch):
    # Where the budget is ample, it is the device's own limit that must shrink.
    rows = []

    def push(lane, band, *, last):
        rows.append(band.shape[2])
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(BatchPass, "push", push)
    image = picture(photograph(120, 160))
    scorer = make_scorer(["psnr"], memory=2**40)
    with pytest.raises(IqbenchError, match="does not fit into"):
        scorer.score(Batch([image], [image], [0]))
    assert rows[0] == 120
    assert rows[:6] == sorted(set(rows[:6]), reverse=True)


def test_a_device_too_small_for_a_row_is_an_error_that_names_the_image(make_scorer, monkeypatch):
    failures = failing_above(monkeypatch, 0)
    image = picture(photograph(20, 20), name="Set5/GTmod12/baby.png")
    with pytest.raises(IqbenchError, match=r"Set5/GTmod12/baby\.png does not fit into") as caught:
        make_scorer(["psnr"]).score(Batch([image], [image], [0]))
    assert "--device cpu" in caught.value.hint
    assert isinstance(caught.value.__cause__, torch.cuda.OutOfMemoryError)
    assert len(failures) > 5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_that_is_nearly_full_gives_the_same_values(pretrained_networks):
    requests = resolve_metrics(DEFAULT_METRICS)
    batch = batch_of(300, 300, outputs=4)
    found = []
    for memory, free in ((2**31, 0), (2**40, 2**28)):
        compute = resolve_compute("cuda", memory=memory)
        resources = load_resources(requests, compute)
        torch.cuda.empty_cache()
        # Another program has taken nearly everything, and the budget does not know.
        taken = torch.cuda.mem_get_info()[0] - free if free else 1
        filler = torch.empty(taken, dtype=torch.uint8, device="cuda")
        scorer = Scorer(requests, resolve_protocol("rgb"), resources, compute)
        found.append(scorer.score(batch))
        del filler
    assert_same(found[1], found[0], BANDS)
