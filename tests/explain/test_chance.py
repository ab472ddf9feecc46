"""A match counts only if chance would not give it; more values exclude chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pairs import explain_value, judged, pixels, psnr, studio
from skimage import data

from iqbench.explain import answer, explain
from iqbench.explain.chance import expected_matches
from iqbench.explain.plausibility import KINDS, LIMITS
from iqbench.images import degrade
from iqbench.images.write import write_png


@settings(max_examples=20)
@given(count=st.integers(20, 400), half=st.floats(1e-5, 1e-3), seed=st.integers(0, 99))
def test_evenly_spread_values_fit_as_often_as_they_are_dense(count, half, seed):
    values = np.linspace(0, 10, count)[:, None]
    target = np.random.default_rng(seed).uniform(4, 6)
    expected = 2 * half * count / 10
    assert expected_matches(values, [target], [half]) == pytest.approx(expected, rel=0.5)


def test_conventions_that_give_one_value_are_not_crowded():
    alone, crowd = np.array([[1.0], [3.0]]), np.full((50, 1), 3.0)
    apart = expected_matches(alone, [1.0], [0.001])
    assert expected_matches(np.vstack([alone, crowd]), [1.0], [0.001]) == pytest.approx(apart)


def test_values_that_move_together_are_no_second_proof():
    first = np.linspace(20, 30, 100)
    together = np.column_stack([first, first + 2])
    apart = np.column_stack([first, np.random.default_rng(0).permutation(first)])
    one = expected_matches(first[:, None], [25.0], [0.005])
    assert expected_matches(together, [25.0, 27.0], [0.005, 0.005]) == pytest.approx(one, rel=0.1)
    assert expected_matches(apart, [25.0, 27.0], [0.005, 0.005]) < one / 100


def test_plausible_kinds_may_need_more_chance():
    limits = [LIMITS[kind] for kind in KINDS]
    assert limits == sorted(limits, reverse=True)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Six pairs."""
    root = tmp_path_factory.mktemp("six")
    for seed in range(6):
        top, left = 20 * seed, 30 * seed
        reference = data.chelsea()[top : top + 96, left : left + 112].copy()
        output = degrade.gaussian_noise(degrade.gaussian_blur(reference, 0.8), 3 + seed, seed)
        write_png(root / "hr" / f"{seed}.png", reference)
        write_png(root / "sr" / f"{seed}.png", output)
    return root / "hr", root / "sr"


def values_of(folders, change, digits=4):
    paths = sorted(path.name for path in folders[0].iterdir())
    seen = {name: map(change, pixels([folder / name for folder in folders])) for name in paths}
    return {name: f"{psnr(*images):.{digits}f}" for name, images in seen.items()}


def test_a_random_number_is_seldom_believed(cat):
    rng = np.random.default_rng(0)
    true = float(explain_value(cat, "rgb"))
    values = [f"{true + rng.uniform(-3, 3):.2f}" for _ in range(6)]
    frames = [judged(cat, "psnr", value) for value in values]
    assert sum(frame["reproduces"].any() for frame in frames) > 2
    verdicts = [answer(frame).verdict for frame in frames]
    assert set(verdicts) <= {"coincidence", "nothing"}


def test_two_unlikely_choices_are_a_coincidence_of_one_number(cat):
    # Red and blue exchanged and a border of 9: five digits do not make it plausible.
    value = psnr(*(studio(image[..., ::-1])[9:-9, 9:-9] for image in pixels(cat)))
    frame = explain(*cat, metric="psnr", value=f"{value:.5f}")
    best = frame.iloc[0]
    assert best["reproduces"]
    assert (best["plausibility"], best["coincidence"]) == ("two mistakes", True)
    found = answer(frame)
    assert found.verdict == "coincidence"
    assert "two unlikely choices at once" in found.sentence
    assert "digits" in found.advice


def test_values_of_images_make_even_two_unlikely_choices_certain(folders):
    values = values_of(folders, lambda image: studio(image[..., ::-1])[9:-9, 9:-9])
    frame = explain(*folders, metric="psnr", values=values)
    best = frame.iloc[0]
    assert (best["colour"], best["crop"]) == ("luma-studio-bgr", 9)
    assert best["reproduces"]
    assert not best["coincidence"]
    assert answer(frame).verdict == "explained"


def test_values_of_images_that_nothing_meets_are_explained_by_nothing(folders):
    values = values_of(folders, lambda image: image.astype(float) ** 0.9)
    frame = explain(*folders, metric="psnr", values=values)
    assert not frame["reproduces"].any()
    found = answer(frame)
    assert found.verdict == "nothing"
    assert "nearest plausible convention is" in found.sentence


def test_the_nearest_convention_keeps_the_commas_of_its_name(cat):
    frame = judged(cat, "psnr", "12.3456")
    name = "EDSR-PyTorch calc_psnr (DIV2K, crop scale + 6)"
    frame.loc[0, ["library", "protocol", "plausibility"]] = [
        f"{name}, other",
        "rgb but x",
        KINDS[0],
    ]
    assert f"nearest plausible convention is {name}, off by" in answer(frame).sentence


def test_one_value_of_an_image_that_does_not_fit_refutes_a_convention(folders):
    values = values_of(folders, lambda image: image.astype(float))
    name = next(iter(values))
    assert explain(*folders, metric="psnr", values=values)["reproduces"].any()
    values[name] = f"{float(values[name]) + 0.01:.4f}"
    assert not explain(*folders, metric="psnr", values=values)["reproduces"].any()


def test_a_mean_and_values_of_images_must_both_fit(folders):
    values = values_of(folders, lambda image: image.astype(float))
    mean = np.mean([float(value) for value in values.values()])
    both = explain(*folders, metric="psnr", values=values, value=f"{mean:.4f}")
    assert both["reproduces"].any()
    assert both.iloc[0]["pool"] == "images"
    other = explain(*folders, metric="psnr", values=values, value=f"{mean + 0.1:.4f}")
    assert not other["reproduces"].any()


def test_two_metrics_of_a_table_have_one_cause(cat):
    import iqbench

    scores = iqbench.measure(*cat, metrics=["psnr", "ssim"], protocol="sr-y-rounded:scale=4")
    values = [f"{value:.{digits}f}" for value, digits in zip(scores["value"], (2, 4), strict=True)]
    frame = explain(*cat, metric=["psnr", "ssim"], value=values)
    best = frame[frame["best"]]
    assert list(best["protocol"]) == ["sr-y-rounded:scale=4"] * 2
    assert (best["chance"] < 1e-3).all()
    found = answer(frame)
    assert found.verdict == "explained"
    assert "one cause" in found.sentence
