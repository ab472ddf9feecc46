"""Passes through networks: one per image, and only one for the reference."""

from collections import Counter

import pytest
from made_batches import DEFAULTS, batch_of

from iqbench.metrics._registry import DEFAULT_METRICS
from iqbench.networks.backbone import Backbone, Pass


@pytest.fixture
def passes(monkeypatch):
    """Count what goes through the networks: passes begun, and pixel rows pushed, by network."""
    begun, rows, names = Counter(), Counter(), {}
    begin, push = Backbone.begin, Pass.push

    def counting_begin(backbone, wanted, size):
        started = begin(backbone, wanted, size)
        begun[backbone.name] += 1
        names[started] = backbone.name
        return started

    def counting_push(started, band, *, last):
        rows[names[started]] += band.shape[0] * band.shape[2]
        return push(started, band, last=last)

    monkeypatch.setattr(Backbone, "begin", counting_begin)
    monkeypatch.setattr(Pass, "push", counting_push)
    return begun, rows


def test_default_metrics_take_one_pass_an_image_and_the_reference_once(make_scorer, passes):
    begun, rows = passes
    batch = batch_of(63, 65, outputs=4)
    # One output at a time, so that every pass is of one image; a row at a time.
    found = make_scorer(DEFAULT_METRICS, memory=1).score(batch)
    assert list(found[0]) == DEFAULTS
    # The reference and four outputs, although perceptual and LPIPS both read VGG16.
    assert begun == {"vgg16": 1 + 4, "alexnet": 1 + 4}
    assert rows == {"vgg16": 5 * 63, "alexnet": 5 * 63}


def test_outputs_go_through_together_where_memory_allows(make_scorer, passes):
    begun, rows = passes
    make_scorer(DEFAULT_METRICS).score(batch_of(67, 75, outputs=4))
    assert begun == {"vgg16": 2, "alexnet": 2}
    assert rows == {"vgg16": 5 * 67, "alexnet": 5 * 67}


def test_pixels_that_are_not_normalised_are_another_pass(make_scorer, passes):
    begun, _ = passes
    specs = ["perceptual:layers=relu1_2", "perceptual:layers=relu1_2,normalise=none"]
    make_scorer(specs).score(batch_of(20, 20, outputs=2))
    assert begun == {"vgg16": 4}


def test_pixel_metrics_run_no_network(make_scorer, passes):
    begun, _ = passes
    make_scorer(["psnr", "ssim", "tv"]).score(batch_of(20, 20))
    assert not begun
