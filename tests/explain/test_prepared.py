"""Changes of images before the scoring are found, and described."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pairs import judged, pixels, psnr, write_pair
from PIL import Image
from skimage import data

from iqbench.errors import IqbenchError
from iqbench.explain import explain
from iqbench.explain.opencv_resize import resize_as_opencv
from iqbench.explain.prepared import ORDERS, PREPARED, SQUARE, partners, prepare
from iqbench.images import degrade
from iqbench.images.picture import Picture
from iqbench.images.write import write_png
from iqbench.networks import weights


def picture(image):
    return Picture(image, "digest", "name.png", image.nbytes)


def best_of(pair, value, metric="psnr", **options):
    if Path(pair[0]).is_file():
        return judged(tuple(pair), metric, value, **options).iloc[0]
    return explain(*pair, metric=metric, value=value, **options).iloc[0]


MOVES = {
    "output-down": np.s_[1:, :, :-1, :],
    "output-up": np.s_[:-1, :, 1:, :],
    "output-right": np.s_[:, 1:, :, :-1],
    "output-left": np.s_[:, :-1, :, 1:],
}


@pytest.mark.parametrize("name", MOVES)
def test_an_output_that_was_moved_by_a_pixel(cat, name):
    rows, columns, other_rows, other_columns = MOVES[name]
    reference, output = (image.astype(np.float64) for image in pixels(cat))
    value = psnr(reference[rows, columns], output[other_rows, other_columns])
    best = best_of(cat, f"{value:.5f}")
    assert best["reproduces"]
    assert best["prepared"] == name
    assert best["protocol"].endswith(f"but {PREPARED[name]}")
    assert best["plausibility"] == "a mistake"


@pytest.mark.parametrize("quality", [75, 95])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_is_what_pillow_makes_of_it(cat, quality, mode):
    image = np.asarray(Image.fromarray(pixels(cat)[1]).convert(mode))
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, "JPEG", quality=quality)
    expected = np.asarray(Image.open(io.BytesIO(sink.getvalue())))
    stored = picture(image.reshape(*image.shape[:2], -1))
    _, recoded = prepare(f"jpeg-{quality}", stored, stored, {})
    difference = recoded.pixels.astype(int) - expected.reshape(recoded.pixels.shape)
    # Two builds of one library may differ in the last bit.
    assert abs(difference).max() <= 1
    assert abs(difference).mean() < 0.01


def test_an_output_that_was_saved_as_jpeg(cat):
    reference, output = (picture(image) for image in pixels(cat))
    _, recoded = prepare("jpeg-75", reference, output, {})
    value = psnr(reference.pixels.astype(float), recoded.pixels.astype(float))
    best = best_of(cat, f"{value:.4f}")
    assert (best["reproduces"], best["prepared"]) == (True, "jpeg-75")


def test_an_orientation_that_was_ignored(tmp_path):
    reference = data.chelsea()[60:124, 100:164].copy()
    write_png(tmp_path / "ref.png", reference)
    output = degrade.gaussian_noise(reference, 8, seed=7)
    # Shown upside down, as its tag says.
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(output).save(tmp_path / "out.png", exif=exif)
    value = psnr(reference.astype(float), output.astype(float))
    best = best_of((tmp_path / "ref.png", tmp_path / "out.png"), f"{value:.4f}")
    assert (best["reproduces"], best["prepared"]) == (True, "output-orientation-ignored")


def test_orientations_are_tried_only_where_a_file_has_one(cat):
    frame = explain(*cat, metric="psnr", value="20")
    assert not frame["prepared"].str.contains("orientation").any()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("orders")
    image = data.astronaut()
    for place, number in enumerate((1, 2, 10, 11)):
        reference = image[40 * place : 40 * place + 64, 100:164].copy()
        write_png(root / "hr" / f"img{number}.png", reference)
        output = degrade.gaussian_noise(reference, 5 + place, seed=place)
        write_png(root / "sr" / f"img{number}.png", output)
    return root / "hr", root / "sr"


class TestOrders:
    @pytest.mark.parametrize("name", ORDERS)
    def test_lists_that_were_sorted_in_two_ways(self, folders, name):
        letters, numbers = [1, 10, 11, 2], [1, 2, 10, 11]
        sides = (letters, numbers) if name == ORDERS[0] else (numbers, letters)
        values = [
            psnr(*(image.astype(float) for image in pixels(paths)))
            for first, second in zip(*sides, strict=True)
            for paths in [(folders[0] / f"img{first}.png", folders[1] / f"img{second}.png")]
        ]
        best = best_of(folders, f"{np.mean(values):.5f}")
        assert (best["reproduces"], best["prepared"]) == (True, name)

    @settings(max_examples=30)
    @given(st.lists(st.integers(0, 300), min_size=1, max_size=9, unique=True))
    def test_a_partner_is_the_output_at_the_place_of_the_reference(self, numbers):
        names = [f"{number}.png" for number in numbers]
        found = partners(names, names)
        for name, places in found.items():
            assert sorted(places) == list(range(len(names)))
            met = [int(names[place].removesuffix(".png")) for place in places]
            by_letter = sorted(range(len(names)), key=lambda place: names[place])
            if name == ORDERS[0]:
                assert [met[place] for place in by_letter] == sorted(numbers)
        width = {len(str(number)) for number in numbers}
        assert bool(found) <= (len(width) > 1)


def test_samples_of_fewer_bits_than_their_file(tmp_path):
    reference = data.chelsea()[60:124, 100:164].astype(np.uint16) * 4
    output = np.clip(
        reference + np.random.default_rng(0).integers(-40, 40, reference.shape), 0, 1023
    )
    for name, image in (("ref", reference), ("out", output.astype(np.uint16))):
        write_png(tmp_path / f"{name}.png", image)
    error = np.mean((reference - output.astype(float)) ** 2)
    for bits in (10, 12, 14):
        value = 10 * math.log10((2**bits - 1) ** 2 / error)
        best = best_of((tmp_path / "ref.png", tmp_path / "out.png"), f"{value:.5f}")
        assert (best["reproduces"], best["range"]) == (True, f"{bits}-bit-peak")


def test_a_peak_of_256(cat):
    error = np.mean((np.subtract(*(image.astype(float) for image in pixels(cat)))) ** 2)
    best = best_of(cat, f"{10 * math.log10(256**2 / error):.5f}")
    assert best["range"] == "peak-256"


def test_exchanged_images_have_another_psnr_b(cat):
    import iqbench

    value = iqbench.measure(*reversed(cat), metrics="psnr-b")["value"].item()
    best = best_of(cat, f"{value:.6f}", "psnr-b")
    assert (best["reproduces"], best["prepared"]) == (True, "exchanged")


def pyiqa_ms_ssim(images):
    """pyiqa's MS-SSIM, by its formula: rounded luma, negative structure clipped, zeros around."""
    window = torch.tensor([math.exp(-(i**2) / (2 * 1.5**2)) for i in range(-5, 6)]).double()
    window = (window / window.sum())[None, None]
    kernel = window.transpose(1, 2) @ window
    first, second = (
        torch.from_numpy(np.floor(image @ [0.299, 0.587, 0.114] + 0.5))[None, None]
        for image in images
    )
    value = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333), 1):
        mean, other = (F.conv2d(image, kernel[None]) for image in (first, second))
        variance, other_variance, covariance = (
            F.conv2d(a * b, kernel[None]) - c
            for a, b, c in (
                (first, first, mean**2),
                (second, second, other**2),
                (first, second, mean * other),
            )
        )
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        structure = ((2 * covariance + c2) / (variance + other_variance + c2)).clamp(min=0)
        luminance = (2 * mean * other + c1) / (mean**2 + other**2 + c1)
        value *= float((luminance * structure if scale == 5 else structure).mean()) ** weight
        odd = [side % 2 for side in first.shape[2:]]
        first, second = (F.avg_pool2d(image, 2, padding=odd) for image in (first, second))
    return value


def test_pyiqas_ms_ssim_clips_a_negative_structure(tmp_path):
    # Odd sides, and a part without likeness, whose structure is negative in places.
    reference = data.coffee()[:201, :199].copy()
    pair = write_pair(tmp_path, reference)
    output = pixels(pair)[1].copy()
    output[40:120, 40:120] = 255 - output[40:120, 40:120]
    write_png(tmp_path / "out.png", output)
    best = best_of(pair, f"{pyiqa_ms_ssim([reference, output]):.6f}", "ms-ssim")
    assert best["reproduces"]
    assert "pyiqa ms_ssim" in best["library"]


def with_torch(antialias):
    def resize(image):
        tensor = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
        small = F.interpolate(tensor, (256, 256), mode="bilinear", antialias=antialias)
        return small[0].permute(1, 2, 0).numpy()

    return resize


def with_pillow(method):
    return lambda image: np.asarray(Image.fromarray(image).resize((256, 256), method))


def with_opencv(image):
    return pytest.importorskip("cv2").resize(image, (256, 256))


RESIZERS = {
    "256x256-bilinear": (with_torch(antialias=False), 1e-6),
    "256x256-bilinear-antialiased": (with_torch(antialias=True), 1e-6),
    "256x256-pillow-bilinear": (with_pillow(Image.Resampling.BILINEAR), 0),
    "256x256-pillow-bicubic": (with_pillow(Image.Resampling.BICUBIC), 0),
    "256x256-opencv": (with_opencv, 0),
}


@pytest.mark.parametrize("name", SQUARE)
def test_both_images_are_resized_as_a_library_does(coffee, name):
    resize, allowed = RESIZERS[name]
    images = pixels(coffee)
    small = prepare(name, *map(picture, images), {})
    for image, found in zip(images, small, strict=True):
        wanted = resize(image)
        assert found.pixels.dtype == wanted.dtype
        assert np.abs(found.pixels.astype(np.float64) - wanted).max() <= allowed


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 80), width=st.integers(1, 80), size=st.tuples(*[st.integers(1, 60)] * 2)
)
def test_opencv_is_met_at_every_size(height, width, size):
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert np.array_equal(resize_as_opencv(image, *size), cv2.resize(image, size[::-1]))


def test_opencv_averages_at_half_the_size():
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    assert np.array_equal(resize_as_opencv(image, 32, 24), cv2.resize(image, (24, 32)))


@pytest.mark.parametrize("name", ["256x256-pillow-bilinear", "256x256-opencv"])
def test_samples_of_16_bits_are_not_resized_in_8(coffee, name):
    deep = [replace(picture(image), pixels=np.uint16(image) * 257) for image in pixels(coffee)]
    with pytest.raises(IqbenchError, match="8 bits"):
        prepare(name, *deep, {})


@pytest.mark.usefixtures("pretrained_networks")
def test_lpips_of_images_that_were_resized(tmp_path):
    from iqbench.functional import lpips

    pair = write_pair(tmp_path, data.chelsea()[60:124, 100:164].copy())
    images = [torch.from_numpy(image).permute(2, 0, 1)[None] / 255 for image in pixels(pair)]
    large = [F.interpolate(image, (256, 256), mode="bilinear") for image in images]
    best = best_of(pair, f"{lpips(*large, net='alex').item():.5f}", "lpips")
    assert (best["reproduces"], best["metric"]) == (True, "lpips-alex")
    assert best["prepared"] in SQUARE
    assert best["plausibility"] == "one change"


@pytest.mark.skipif(
    weights.locate("niqe") is None,
    reason="weights of niqe are not there: run `iqbench weights fetch niqe`",
)
def test_niqe_is_told_by_its_luma(tmp_path):
    from iqbench.functional import niqe

    pair = write_pair(tmp_path, data.astronaut()[:200, :200].copy())
    image = torch.from_numpy(pixels(pair)[1]).permute(2, 0, 1)[None] / 255
    for options, column in (({}, "niqe"), ({"luma": "full"}, "niqe-luma=full")):
        best = best_of(pair, f"{niqe(image, **options).item():.5f}", "niqe")
        assert (best["reproduces"], best["metric"]) == (True, column)
