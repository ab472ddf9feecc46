"""Images that are equal, flat or too small: which values exist, and why others do not."""

import numpy as np
import pytest
import torch
from made_batches import DEFAULTS, batch_of, photograph, picture

from iqbench.engine.batch import Batch
from iqbench.metrics._registry import DEFAULT_METRICS
from iqbench.metrics.psnr import Psnr


def test_equal_images_have_infinite_psnr_and_no_error(make_scorer):
    image = picture(photograph(20, 21))
    outcome = make_scorer(["psnr"]).score(Batch([image], [image], [0]))[0]["psnr"]
    assert (outcome.value, outcome.error) == (float("inf"), None)


def test_a_flat_reference_has_no_ratio_of_variations(make_scorer):
    flat = picture(np.full((12, 13, 3), 90, np.uint8))
    found = make_scorer(["tv", "psnr"]).score(
        Batch([flat], [picture(photograph(12, 13)), flat], [0, 0])
    )
    for outcomes in found:
        assert outcomes["tv-ratio"].value is None
        assert outcomes["tv-ratio"].error == "undefined: the reference is flat"
        others = [outcome for name, outcome in outcomes.items() if name != "tv-ratio"]
        assert all(outcome.error is None for outcome in others)


def test_a_value_that_must_not_be_missing_is_named_as_no_number(make_scorer, monkeypatch):
    monkeypatch.setattr(Psnr, "close", lambda *_: torch.tensor([float("nan")]))
    outcome = make_scorer(["psnr"]).score(batch_of(12, 12, outputs=1))[0]["psnr"]
    assert outcome.value is None
    assert outcome.error
    assert not outcome.error.startswith("undefined")


def test_an_image_too_small_for_a_layer_lacks_those_columns_only(make_scorer):
    found = make_scorer(DEFAULT_METRICS).score(batch_of(10, 40, outputs=2))
    for outcomes in found:
        errors = {name: outcome.error for name, outcome in outcomes.items() if outcome.error}
        pixels = "undefined: 40x10 pixels are too few for"
        needs = {
            "ssim": 11,
            "perceptual-vgg16-relu5_3-l1": 16,  # four poolings by 2
            "perceptual-vgg16-sum-l1": 16,
            "lpips-vgg": 16,
            "lpips-alex": 31,
        }
        for name, side in needs.items():
            reason = f"{pixels} {name}, which needs at least {side}x{side}"
            assert errors.pop(name) == reason
        assert not errors
        assert list(outcomes) == DEFAULTS


def test_an_image_too_small_for_everything_is_no_failure(make_scorer):
    found = make_scorer(["ssim", "lpips:net=alex"]).score(batch_of(5, 5, outputs=2))
    for outcomes in found:
        assert all(outcome.error.startswith("undefined: 5x5") for outcome in outcomes.values())


def test_a_pixel_has_a_psnr_and_nothing_else(make_scorer):
    black, gray = (picture(np.full((1, 1, 3), level, np.uint8)) for level in (0, 51))
    outcomes = make_scorer(["psnr", "ssim", "tv"]).score(Batch([black], [gray], [0]))[0]
    assert outcomes["psnr"].value == pytest.approx(-20 * np.log10(0.2), rel=1e-6)
    assert all(outcomes[name].value is None for name in outcomes if name != "psnr")


def test_an_image_of_which_nothing_is_left_is_undefined_under_that_view(make_scorer):
    scorer = make_scorer(["psnr", "tv-ratio"], protocol="sr-y:scale=4")
    for outcome in scorer.score(batch_of(8, 20, outputs=1))[0].values():
        assert outcome.value is None
        assert outcome.error.startswith("undefined: 20x8 pixels are too few for the view")
        assert outcome.error.endswith("which needs at least 12x12")
