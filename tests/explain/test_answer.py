"""The answer: which of several fits is named, and when none is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from made_pairs import explain_value, judged, pixels, psnr, write_pair
from pydantic import ValidationError
from skimage import data

import iqbench
from iqbench.errors import IqbenchError
from iqbench.explain import answer, explain
from iqbench.explain.joint import share_cause
from iqbench.explain.libraries import LibraryFunction
from iqbench.explain.plausibility import KINDS


def row_of(frame, library):
    return frame[frame["library"].str.contains(library, regex=False)].iloc[0]


def value_of(pair, metric, library, digits, shift=0.0):
    """Return what a library prints, moved by some units of the last digit."""
    value = row_of(judged(pair, metric, "0.5"), library)["value"]
    return f"{value + shift * 10**-digits:.{digits}f}"


DOUBLE = "MATLAB ssim of rgb2ycbcr's Y"
SINGLE = "torchmetrics structural_similarity_index_measure (data_range=1)"


def test_all_digits_are_given_without_the_allowance_for_float32(cat):
    best = row_of(judged(cat, "ssim", value_of(cat, "ssim", DOUBLE, 5)), DOUBLE)
    assert (best["exact"], best["plausibility"]) == (True, KINDS[0])


def test_a_last_digit_that_only_float32_explains_is_one_more_change(cat):
    frame = judged(cat, "ssim", value_of(cat, "ssim", DOUBLE, 5, shift=2))
    row = frame[(frame["metric"] == "ssim-padding=replicate") & frame["reproduces"]].iloc[0]
    assert (row["exact"], row["plausibility"], row["library"]) == (False, KINDS[1], "")
    assert answer(frame).verdict != "explained"


def test_of_libraries_that_compute_in_float32_it_is_expected(cat):
    value = value_of(cat, "ssim", SINGLE, 5, shift=2)
    frame = judged(cat, "ssim", value)
    row = row_of(frame[frame["reproduces"]], SINGLE)
    assert (row["exact"], row["plausibility"]) == (False, KINDS[0])


def test_a_library_in_float32_is_named_where_its_error_is_large(tmp_path):
    torchmetrics = pytest.importorskip("torchmetrics.functional.image")
    camera = np.repeat(data.camera()[100:228, 200:328, None], 3, 2)
    pair = write_pair(tmp_path, camera)
    reference, output = (
        torch.from_numpy(image).permute(2, 0, 1)[None].float() for image in pixels(pair)
    )
    value = torchmetrics.structural_similarity_index_measure(output, reference, data_range=255.0)
    frame = judged(pair, "ssim", f"{value.item():.6f}")
    assert SINGLE in frame.iloc[0]["library"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three pairs of 48x56, each with another maximum."""
    root = tmp_path_factory.mktemp("three")
    for place in range(3):
        pair = data.chelsea()[40 * place :][:48, 60 * place :][:, :56] // (1 + place)
        (root / str(place)).mkdir()
        first, second = write_pair(root / str(place), pair)
        for path, name in ((first, "hr"), (second, "sr")):
            (root / name).mkdir(exist_ok=True)
            path.rename(root / name / f"{place}.png")
    return root / "hr", root / "sr"


def test_values_of_images_are_never_explained_by_a_mean_over_them(folders):
    values = {}
    for path in folders[0].iterdir():
        first, second = pixels([path, folders[1] / path.name])
        peak = 20 * np.log10(first.max() / 255)
        values[path.name] = f"{psnr(first.astype(float), second.astype(float)) + peak:.4f}"
    frame = explain(*folders, metric="psnr", values=values)
    best = frame[frame["reproduces"]].iloc[0]
    assert (best["range"], best["pool"]) == ("reference-maximum", "images")
    assert answer(frame).verdict == "explained"
    assert "pooled" not in answer(frame).sentence


@pytest.mark.parametrize("protocol", ["sr-y:scale=4", "sr-rgb:scale=4", "sr-y-rounded:scale=4"])
def test_of_fits_of_several_metrics_those_with_equal_settings_are_named(cat, protocol):
    scores = iqbench.measure(*cat, metrics=["psnr", "ssim"], protocol=protocol)
    digits = zip(("psnr", "ssim"), scores["value"], strict=True)
    table = share_cause([judged(cat, metric, f"{value:.3f}") for metric, value in digits])
    best = table[table["best"]]
    assert list(best["crop"]) == [4, 4]
    assert best["colour"].nunique() == 1


@pytest.mark.parametrize(("digits", "verdict"), [((3, 4), "ambiguous"), ((4, 6), "explained")])
def test_metrics_without_a_common_cause_need_values_that_are_sure_alone(cat, digits, verdict):
    luma = "BasicSR calculate_psnr (crop_border, test_y_channel)"
    names = (("psnr", luma), ("ssim", "pytorch-ssim (Po-Hsun Su)"))
    values = [value_of(cat, *name, count) for name, count in zip(names, digits, strict=True)]
    frames = [judged(cat, name, value) for (name, _), value in zip(names, values, strict=True)]
    found = answer(share_cause(frames))
    assert found.verdict == verdict
    assert "No single protocol or library gives all of them" in found.sentence


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        ("ssim", "81.01", r"no ssim is above 1, but 81\.01 is given\. .*write 81\.01%"),
        ("ssim", "-1.5", "no ssim is below -1"),
        ("ms-ssim", "98", "no ms-ssim is above 1"),
    ],
)
def test_a_value_that_no_convention_gives_is_refused(cat, metric, value, message):
    with pytest.raises(IqbenchError, match=message):
        explain(*cat, metric=metric, value=value)


def test_the_image_of_a_value_that_is_impossible_is_named(folders):
    with pytest.raises(IqbenchError, match=r"98 is given for '1'"):
        explain(*folders, metric="ssim", values={"0": ".98", "1": "98"})


def test_a_value_in_per_cent_is_read(cat):
    value = float(value_of(cat, "ssim", "scikit-image structural_similarity (win_size=11)", 6))
    frame = judged(cat, "ssim", f"{100 * value:.4f}%")
    assert "win_size=11" in frame.iloc[0]["library"]
    assert answer(frame).sentence.startswith(f"ssim {100 * value:.4f}%: ssim with a uniform 11x11")


def test_the_nearest_is_one_with_a_name_unless_another_is_much_nearer(cat):
    frame = judged(cat, "psnr", "12.3456")
    frame.loc[0, ["plausibility", "difference"]] = [KINDS[1], 0.5]
    frame.loc[1:, "plausibility"] = KINDS[4]
    frame.loc[1, ["plausibility", "difference", "protocol", "library"]] = [KINDS[0], 1.0, "rgb", ""]
    assert "psnr under rgb, off by 1" in answer(frame).sentence
    frame.loc[0, "difference"] = 0.01
    assert "off by 0.01" in answer(frame).sentence


def test_names_of_functions_can_be_told_apart_in_a_list():
    assert LibraryFunction(name="f (a, b)", metric="psnr").name == "f (a, b)"
    with pytest.raises(ValidationError, match="a comma outside parentheses"):
        LibraryFunction(name="f, g", metric="psnr")


def test_equal_images_tell_nothing(tmp_path):
    reference, _ = write_pair(tmp_path, data.chelsea()[60:108, 100:156].copy())
    for metric, value in (("psnr", "inf"), ("ssim", "1.0000")):
        found = answer(judged((reference, reference), metric, value))
        assert found.verdict == "ambiguous"
        assert "so it tells nothing about the convention" in found.sentence


def test_values_whose_digits_were_cut_off_are_explained(folders):
    values = {}
    for path in folders[0].iterdir():
        number = psnr(*(image.astype(float) for image in pixels([path, folders[1] / path.name])))
        values[path.name] = f"{np.floor(number * 100) / 100:.2f}"
    found = answer(explain(*folders, metric="psnr", values=values))
    assert found.verdict == "explained"
    assert found.sentence.startswith("psnr of 3 images (digits cut off): psnr on RGB")


def test_a_hundred_stands_for_the_infinite_psnr_of_equal_images(folders, tmp_path):
    for place, side in enumerate(("hr", "sr")):
        (tmp_path / side).mkdir()
        for name in ("0.png", "1.png"):
            source = folders[0 if name == "0.png" else place] / name
            (tmp_path / side / name).write_bytes(source.read_bytes())
    first, second = (image.astype(float) for image in pixels([f / "1.png" for f in folders]))
    values = {"0": "100.00", "1": f"{psnr(first, second):.4f}"}
    frame = explain(tmp_path / "hr", tmp_path / "sr", metric="psnr", values=values)
    assert frame.iloc[0]["protocol"].startswith("rgb, ")
    assert answer(frame).verdict == "explained"


def test_the_high_byte_is_what_opencv_makes_of_16_bits(tmp_path):
    rng = np.random.default_rng(0)
    reference = data.chelsea()[60:108, 100:156].astype(np.uint16) * 256
    reference += rng.integers(0, 256, reference.shape, dtype=np.uint16)
    output = np.clip(reference + rng.normal(0, 2000, reference.shape), 0, 65535).astype(np.uint16)
    pair = [tmp_path / name for name in ("ref.png", "out.png")]
    for path, image in zip(pair, (reference, output), strict=True):
        cv2.imwrite(str(path), image)
    value = psnr(*(cv2.imread(str(path)).astype(float) for path in pair))
    best = judged(tuple(pair), "psnr", f"{value:.5f}").iloc[0]
    assert (best["reproduces"], best["quantise"], best["colour"]) == (True, "high-byte", "rgb")


@pytest.mark.parametrize(("factor", "verdict"), [(1 + 1e-5, "ambiguous"), (1.0, "explained")])
@pytest.mark.parametrize(("name", "value"), [("crop", 4), ("brightness", "reference")])
def test_another_crop_or_brightness_with_nearly_the_same_mean_is_told(
    cat, name, value, factor, verdict
):
    frame = judged(cat, "psnr", explain_value(cat, "rgb"), scale=4)
    assert answer(frame).verdict == "explained"
    named = frame[(frame["plausibility"] == KINDS[0]) & (frame["colour"] == "rgb")]
    place = named.index[named[name] == value][0]
    frame.loc[place, ["value", "reproduces", "exact"]] = [frame["value"][0] * factor, True, True]
    assert answer(frame).verdict == verdict


def test_values_of_images_need_no_such_doubt(cat):
    frame = judged(cat, "psnr", explain_value(cat, "rgb"), scale=4)
    named = frame[(frame["plausibility"] == KINDS[0]) & (frame["colour"] == "rgb")]
    place = named.index[named["crop"] == 4][0]
    frame.loc[place, ["value", "reproduces", "exact"]] = [
        frame["value"][0] * (1 + 1e-5),
        True,
        True,
    ]
    frame["reported"] = "psnr of 3 images"
    assert answer(frame).verdict == "explained"
