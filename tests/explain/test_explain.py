"""Values that libraries compute are found, and the libraries are named."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pairs import explain_value, judged, pixels, psnr, studio, write_pair
from skimage import data

from iqbench.errors import IqbenchError
from iqbench.explain import Reported, answer, changes, explain
from iqbench.functional import ssim, total_variation
from iqbench.metrics.lpips import NETWORKS

# Made with scikit-image 0.26.0, torchmetrics 1.9.0 and piq 0.8.0 on the pairs above, read as uint8
# (H, W, C) arrays r, o or float32 (1, C, H, W) tensors in [0, 1] R, O:
#   peak_signal_noise_ratio(r, o)                                   scikit-image
#   structural_similarity(r, o, channel_axis=2)                     scikit-image, uniform 7x7
#   ..., win_size=11                                                uniform 11x11
#   ..., gaussian_weights=True                                      sample covariance
#   ..., gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
#   structural_similarity_index_measure(O, R)                       torchmetrics
#   peak_signal_noise_ratio(O, R, data_range=R.max() - R.min())     its former default
#   total_variation(O)                                              torchmetrics, and piq
#   piq.ssim(O, R), piq.psnr(O, R), piq.multi_scale_ssim(O, R), norm_type="l1" or "l2"
#   pytorch_msssim.ms_ssim(O, R, data_range=1.0)                    pytorch-msssim 1.0.0
#   multiscale_structural_similarity_index_measure(O, R)            torchmetrics, in float64, and
#   ..., data_range=1.0
CAT = [
    ("psnr", "27.289239", "scikit-image peak_signal_noise_ratio", "rgb"),
    ("psnr", "26.430674", "torchmetrics peak_signal_noise_ratio (older", "rgb but peak = max"),
    ("psnr", "27.289217", "piq psnr", "rgb"),
    ("ssim", "0.693918", "scikit-image structural_similarity", "rgb"),
    ("ssim", "0.765237", "structural_similarity (win_size=11)", "rgb"),
    ("ssim", "0.658480", "structural_similarity (gaussian_weights)", "rgb"),
    ("ssim", "0.659102", "use_sample_covariance=False", "rgb, "),
    ("ssim", "0.637407", "torchmetrics structural_similarity_index_measure", "rgb but peak ="),
    ("ssim", "0.651808", "torchmetrics structural_similarity_index_measure (data_ra", "rgb"),
    ("ssim", "0.6591", "tf.image.ssim", "rgb, "),
    ("tv", "4847.8237", "torchmetrics total_variation", "rgb"),
    ("tv", "4847.82", "piq total_variation (norm_type='l1')", "rgb"),
    ("tv", "17.54475", "piq total_variation", "rgb"),
]
COFFEE = [
    ("ssim", "0.862574", "piq ssim", "rgb"),
    ("ms-ssim", "0.9329852", "piq multi_scale_ssim", "rgb"),
    ("ms-ssim", "0.9329899", "pytorch-msssim ms_ssim", "compression"),
    ("ms-ssim", "0.9329833", "torchmetrics multiscale", "rgb but peak = larger"),
    ("ms-ssim", "0.9330040", "torchmetrics multiscale", "rgb"),
]


def check_first_rows(frame, library, protocol):
    first = frame[frame["reproduces"]].head(2)
    found = [
        row
        for row in first.to_dict("records")
        if library in row["library"] and row["protocol"].startswith(protocol)
    ]
    assert found, frame.head(5).to_string()


@pytest.mark.parametrize(("metric", "value", "library", "protocol"), CAT)
def test_what_libraries_say_is_named(cat, metric, value, library, protocol):
    check_first_rows(judged(cat, metric, value), library, protocol)


@pytest.mark.parametrize(("metric", "value", "library", "protocol"), COFFEE)
def test_what_libraries_say_of_larger_images_is_named(coffee, metric, value, library, protocol):
    check_first_rows(judged(coffee, metric, value), library, protocol)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """64x64 pixels of the cat."""
    return write_pair(tmp_path_factory.mktemp("small"), data.chelsea()[60:124, 100:164].copy())


# The package lpips 0.1.4 on torchvision's trunks, of 64x64 pixels of the cat:
#   LPIPS(net=net)(R, O, normalize=True), without normalize, and with version="0.0" and normalize
@pytest.mark.usefixtures("pretrained_networks")
@pytest.mark.parametrize(
    ("value", "metric", "protocol"),
    [
        ("0.11092", "lpips-alex", "rgb, "),
        ("0.07753", "lpips-alex", "rgb but [0,1] fed as if it were [-1,1]"),
        ("0.27148", "lpips-vgg", "rgb, "),
        ("0.27653", "lpips-vgg", "rgb but [0,1] fed as if it were [-1,1]"),
        ("0.04721", "lpips-alex, version 0.0", "rgb"),
    ],
)
def test_lpips_is_found_by_net_version_and_range(small, value, metric, protocol):
    best = judged(small, "lpips", value).iloc[0]
    assert best["reproduces"]
    assert best["metric"] == metric
    assert best["protocol"].startswith(protocol)


@pytest.fixture
def alex_only(monkeypatch):
    """The smallest network is enough."""
    monkeypatch.setattr("iqbench.explain.learned.NETWORKS", {"alex": NETWORKS["alex"]})


def kinds(frame):
    return set(frame["plausibility"])


@pytest.mark.usefixtures("alex_only")
def test_conventions_of_a_network_are_tried_until_one_fits(small):
    named = explain(*small, metric="lpips", value="0.11092")
    assert kinds(named) == {"named"}
    mistaken = explain(*small, metric="lpips", value="0.07753")
    assert kinds(mistaken) == {"named", "one change", "a mistake"}
    assert mistaken["plausibility"].iloc[0] == "a mistake"
    everything = explain(*small, metric="lpips", value="0.11092", try_all=True)
    assert kinds(everything) == {"named", "one change", "a mistake", "two mistakes"}
    same = ["metric", "protocol", "value", "difference", "reproduces", "chance"]
    assert everything.iloc[0][same].tolist() == named.iloc[0][same].tolist()
    assert len(changes(named)) < len(changes(everything))


@pytest.mark.usefixtures("alex_only")
def test_a_match_that_chance_may_give_does_not_end_the_search(small):
    frame = explain(*small, metric="lpips", value="0.1")
    assert frame["coincidence"].any()
    assert "two mistakes" in kinds(frame)


def test_super_resolution_on_unrounded_luma_is_named_by_its_preset(cat):
    reference, output = (studio(image)[4:-4, 4:-4] for image in pixels(cat))
    value = f"{psnr(reference, output):.4f}"
    for scale in (4, None):
        best = judged(cat, "psnr", value, scale).iloc[0]
        assert best["protocol"] == f"{SR_Y}, ntire-sr"
        assert "BasicSR calculate_psnr (crop_border, test_y_channel)" in best["library"]


def test_basicsr_on_tensors_adds_to_the_error(cat):
    reference, output = (studio(image)[4:-4, 4:-4] / 255 for image in pixels(cat))
    value = f"{10 * math.log10(1 / (np.mean((reference - output) ** 2) + 1e-8)):.6f}"
    frame = judged(cat, "psnr", value, 4)
    check_first_rows(frame, "BasicSR calculate_psnr_pt (crop_border, test_y_channel)", "sr-y")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda image: np.floor(studio(image)), "MATLAB's Y truncated to uint8"),
        (lambda image: studio(image[..., ::-1]), "MATLAB's Y, red and blue swapped"),
        (lambda image: studio(image)[5:-5, 5:-5], "sr-y:scale=5"),
        (lambda image: studio(image)[7:-7, 7:-7], None),
    ],
)
def test_mistakes_are_said_in_words(cat, change, says):
    value = f"{psnr(*map(change, pixels(cat))):.5f}"
    best = judged(cat, "psnr", value, 5).iloc[0]
    assert best["reproduces"] == (says is not None)
    assert says is None or says in best["protocol"]


def test_among_conventions_with_equal_digits_the_simplest_is_first(cat):
    exact = psnr(*(image.astype(np.float64) for image in pixels(cat)))
    for digits in (0, 1, 2, 4):
        frame = judged(cat, "psnr", f"{exact:.{digits}f}")
        assert frame.iloc[0]["protocol"] == RGB
    assert frame.iloc[0]["metric"] == "psnr"


def test_a_border_of_super_resolution_is_found_with_mirrored_edges_too(coffee):
    # What torchmetrics says of a cropped luma in [0, 1].
    luma = [
        torch.from_numpy(studio(image)[4:-4, 4:-4])[None, None] / 255 for image in pixels(coffee)
    ]
    value = f"{ssim(*luma, padding='reflect').item():.6f}"
    best = judged(coffee, "ssim", value).iloc[0]
    assert (best["metric"], best["protocol"]) == ("ssim-padding=reflect", "sr-y:scale=4")


def test_the_mean_of_channels_psnrs_is_told_from_the_psnr_of_their_mean(cat):
    reference, output = (image.astype(np.float64) for image in pixels(cat))
    value = sum(psnr(reference[..., c], output[..., c]) for c in range(3)) / 3
    best = judged(cat, "psnr", f"{value:.4f}").iloc[0]
    assert best["protocol"] == "rgb but mean over the channels' values"


def test_every_ssim_is_that_of_the_metric_on_the_cropped_image(cat):
    frame = judged(cat, "ssim", "0.7")
    reference, output = (
        torch.from_numpy(image).permute(2, 0, 1)[None] / 255 for image in pixels(cat)
    )
    usual = frame[
        (frame["colour"] == "rgb")
        & (frame["range"] == "own")
        & (frame["brightness"] == "own")
        & (frame["prepared"] == "as-stored")
    ]
    options = {
        "ssim": {},
        "ssim-window=uniform": {"window": "uniform"},
        "ssim-padding=zero": {"padding": "zero"},
        "ssim-padding=replicate": {"padding": "replicate"},
        "ssim-padding=reflect": {"padding": "reflect"},
        "ssim-form=3d": {"form": "3d"},
        "ssim-structure=clipped": {"structure": "clipped"},
        "ssim-downsample=pool": {"downsample": "pool"},
    }
    seen = set()
    for row in usual.to_dict("records"):
        if row["metric"] not in options:
            continue
        crop, factor = row["crop"], row["modcrop"]
        height, width = 128 - 128 % factor, 160 - 160 % factor
        parts = [
            image[:, :, crop : height - crop, crop : width - crop] for image in (reference, output)
        ]
        exact = ssim(*parts, **options[row["metric"]]).item()
        assert row["value"] == pytest.approx(exact, abs=1e-9), row
        seen.add((row["metric"], crop))
    assert ("ssim-padding=zero", 0) in seen
    assert ("ssim", 14) in seen
    assert len(seen) > 20


def test_every_total_variation_is_that_of_the_function(cat):
    frame = judged(cat, "tv", "0.05")
    frame = frame[(frame["crop"] == 0) & (frame["colour"] == "rgb") & (frame["range"] == "0..255")]
    frame = frame[(frame["brightness"] == "own") & (frame["prepared"] == "as-stored")]
    values = frame.set_index("metric")["value"]
    image = torch.from_numpy(pixels(cat)[1]).permute(2, 0, 1)[None].double()
    for form in ("aniso", "iso", "sq"):
        total = total_variation(image, form=form, reduction="sum").item()
        assert values[f"tv-{form}-output, sum"] == pytest.approx(total, rel=1e-6)
    total, size = values["tv-aniso-output, sum"], 128 * 160
    assert values["tv-aniso-output, sum by pixel"] == pytest.approx(total / size)
    assert values["tv-aniso-output, sum by pixel and channel"] == pytest.approx(total / size / 3)


def test_single_changes_start_from_the_best_match_and_from_rgb(cat):
    frame = explain(*cat, metric="psnr", value=explain_value(cat, SR_Y), scale=4)
    table = changes(frame)
    best = f"psnr under {SR_Y}, ntire-sr"
    assert list(table["of"].unique()) == [best, f"psnr under {RGB}"]
    best = table[table["of"] == best].set_index("change")
    assert best.loc["no crop", "value"] + 0 == pytest.approx(
        frame.iloc[0]["value"] + best.loc["no crop", "effect"]
    )
    assert best.loc["[0,1] with peak 2", "effect"] == pytest.approx(20 * math.log10(2))
    assert best.loc["peak 219 (235 - 16)", "effect"] == pytest.approx(20 * math.log10(219 / 255))
    assert {"RGB", "MATLAB's Y rounded", "crop 3"} <= set(best.index)
    assert (table["effect"] != 0).all()


SR_Y = "sr-y:scale=4"
RGB = "rgb, denoise-rgb, deblur-rgb, deblur-ssim3d, lowlight, compression, sidd"


def test_without_a_match_the_nearest_convention_is_first(cat):
    frame = judged(cat, "ssim", "0.1234567")
    assert not frame["reproduces"].any()
    assert frame["difference"].abs().is_monotonic_increasing


@settings(max_examples=10)
@given(digits=st.integers(2, 6))
def test_the_printed_digits_say_what_agrees(digits):
    reported = Reported.parse(f"{28.4249123:.{digits}f}")
    assert reported.matches(28.4249123)
    assert not reported.matches(28.4249123 + 1.1 * 10**-digits + 2e-4)


@pytest.mark.parametrize("text", ["", "nan", "28.4.2", "28.42 s"])
def test_values_that_are_not_numbers_are_refused(cat, text):
    with pytest.raises(IqbenchError, match="no number"):
        explain(*cat, metric="psnr", value=text)


@pytest.mark.parametrize(
    ("text", "half"), [("30", 0.5), (".8101", 5e-5), ("1.2e-3", 5e-5), (28.42, 0.005)]
)
def test_half_a_unit_of_the_last_digit_is_allowed(text, half):
    assert Reported.parse(text).tolerance == pytest.approx(half, abs=1e-4)


def test_an_unknown_metric_is_refused(cat):
    with pytest.raises(IqbenchError, match="Did you mean 'ssim'"):
        explain(*cat, metric="ssin", value="0.9")
    with pytest.raises(IqbenchError, match="metric that can be explained"):
        explain(*cat, metric="perceptual", value="0.9")


def test_of_two_metrics_a_form_of_one_that_digits_do_not_tell_apart_is_a_rival(cat):
    """Zeros, mirrored pixels or none around the image: two digits of SSIM are the same."""
    found = answer(explain(*cat, metric=["psnr", "ssim"], value=["27.29", "0.66"]))
    assert found.verdict == "ambiguous"
    assert "These digits fit others that are as plausible" in found.sentence
