"""NIQE against the published value, and BasicSR's formula written out on scipy."""

import json

import numpy as np
import pytest
import torch
from needs import SHARED, needs
from scipy.ndimage import convolve
from scipy.special import gamma
from skimage import data

from iqbench.api import measure
from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.functional import niqe
from iqbench.images.picture import Picture
from iqbench.images.resize import imresize
from iqbench.metrics.niqe import features
from iqbench.networks.weights import load, locate

GOLDEN = SHARED / "golden/dists_niqe.json"
BABOON = SHARED / "data/Set14/HR_x2/img_001.png"
SHAPES = np.arange(0.2, 10.001, 0.001)
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))

needs_model = pytest.mark.skipif(locate("niqe") is None, reason="run `iqbench weights fetch niqe`")


def fitted(block):
    """Shape, left and right scale of an asymmetric generalised Gaussian, by search of the table."""
    values = block.ravel()
    left, right = (np.sqrt(np.mean(side**2)) for side in (values[values < 0], values[values > 0]))
    ratio = left / right
    wanted = np.mean(abs(values)) ** 2 / np.mean(values**2)
    wanted *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = SHAPES[np.argmin((RATIOS - wanted) ** 2)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def oracle(plane):
    """Features of every block of 96x96, and the value; the plane is float32 in [0, 255]."""
    model = {name: tensor.numpy() for name, tensor in load("niqe").tensors.items()}
    rows, columns = (side // 96 for side in plane.shape)
    plane, found = plane[: rows * 96, : columns * 96], []
    for scale in (1, 2):
        side = 96 // scale
        mean = convolve(plane, model["window"], mode="nearest")
        spread = convolve(plane**2, model["window"], mode="nearest") - mean**2
        normal = (plane - mean) / (np.sqrt(abs(spread)) + 1)
        blocks = []
        for row in range(rows):
            for column in range(columns):
                block = normal[row * side :, column * side :][:side, :side]
                shape, left, right = fitted(block)
                values = [shape, (left + right) / 2]
                for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    shape, left, right = fitted(block * np.roll(block, shift, axis=(0, 1)))
                    mean_of_fit = (right - left) * gamma(2 / shape) / gamma(1 / shape)
                    values += [shape, mean_of_fit, left, right]
                blocks.append(values)
        found.append(blocks)
        if scale == 1:
            tensor = torch.from_numpy(plane / 255)[None, None]
            plane = imresize(tensor, scale=0.5, edge="symmetric")[0, 0].double().numpy() * 255
    found = np.concatenate(found, axis=1)
    whole = found[~np.isnan(found).any(axis=1)]
    step = model["mean"] - np.nanmean(found, axis=0)
    covariance = (model["covariance"] + np.cov(whole, rowvar=False)) / 2
    return found, np.sqrt(step @ np.linalg.pinv(covariance) @ step)


def tensor_of(pixels):
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255


def plane_of(pixels):
    """Rounded studio luma, as BasicSR computes it."""
    rgb = (pixels / np.float32(255)).astype(np.float64)
    luma = (rgb @ [65.481, 128.553, 24.966] + 16) / 255
    return (luma.astype(np.float32) * np.float32(255)).round()


@needs_model
def test_features_and_value_are_those_of_the_formula():
    photograph = data.astronaut()[:200, :300]
    plane = plane_of(photograph)
    expected, value = oracle(plane)
    found = features(torch.from_numpy(plane[:192, :288].copy()), load("niqe").tensors["window"])
    assert np.allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert niqe(tensor_of(photograph)).item() == pytest.approx(value, abs=1e-5)


@needs_model
def test_flat_areas_are_exactly_flat():
    picture = data.astronaut()[:192, :192].copy()
    picture[:, 60:140] = 77  # most of each block
    _, value = oracle(plane_of(picture))
    assert niqe(tensor_of(picture)).item() == pytest.approx(value, abs=1e-4)


@needs_model
def test_gray_counts_as_three_equal_channels():
    gray = tensor_of(data.camera()[:192, :192, None])
    assert niqe(gray).item() == niqe(gray.expand(-1, 3, -1, -1)).item()
    # Studio range or full range is a choice; how the file is stored is none.
    assert niqe(gray, luma="full").item() != niqe(gray).item()


@needs_model
def test_each_image_of_a_batch_has_its_own_value():
    first, second = (tensor_of(data.astronaut()[top : top + 192, :192]) for top in (0, 200))
    both = niqe(torch.cat([first, second]))
    assert both.tolist() == [niqe(first).item(), niqe(second).item()]


@needs_model
def test_a_crop_and_a_remainder_are_left_out():
    photograph = tensor_of(data.astronaut()[:300, :300])
    inner = photograph[:, :, 6:-6, 6:-6]
    assert niqe(photograph, crop=6).item() == niqe(inner).item()
    assert niqe(inner).item() == niqe(inner[:, :, :288, :288]).item()


@needs_model
@pytest.mark.parametrize("size", [(96, 191), (191, 191), (95, 400), (64, 96), (1, 1)])
def test_too_few_blocks_are_an_error_that_names_the_size(make_scorer, size):
    image = Picture(np.zeros((*size, 3), np.uint8), digest="", name="made", bytes=0)
    (found,) = make_scorer(["niqe", "psnr"]).score(Batch([image], [image], [0]))
    assert found["niqe"].value is None
    height, width = size
    why = f"{width}x{height} pixels are too few for NIQE, which needs two blocks of 96x96"
    assert found["niqe"].error.startswith(f"undefined: {why}")
    assert found["psnr"].error is None
    with pytest.raises(IqbenchError, match=why):
        niqe(torch.zeros(1, 3, *size))


@pytest.mark.usefixtures("compiled_loops")
@pytest.mark.parametrize(("height", "width"), [(96, 192), (192, 96), (288, 192)])
def test_compiled_loops_give_the_same_features(monkeypatch, height, width):
    window = torch.rand(7, 7, generator=torch.Generator().manual_seed(0)).double()
    pixels = data.astronaut()[:height, :width].mean(2)
    pixels[:96, :40] = 200  # flat: the signs of rounding errors decide the fit
    plane = torch.from_numpy(pixels).round().float()
    given = features(plane, window / window.sum())
    monkeypatch.setattr("iqbench.native.library.available", lambda: False)
    expected = features(plane, window / window.sum())
    assert given.shape == expected.shape == (height * width // 96**2, 36)
    assert torch.equal(given.isnan(), expected.isnan())
    assert torch.allclose(given, expected, rtol=1e-9, atol=1e-9, equal_nan=True)


@needs_model
@pytest.mark.parametrize("size", [(96, 192), (192, 96)])
def test_two_blocks_are_enough(size):
    height, width = size
    assert niqe(tensor_of(data.astronaut()[:height, 100 : 100 + width])).isfinite().all()


@needs_model
def test_a_crop_that_leaves_nothing_is_refused():
    with pytest.raises(IqbenchError, match="0x0 pixels are too few for NIQE"):
        niqe(torch.zeros(1, 3, 8, 8), crop=6)


@needs_model
def test_a_flat_image_has_no_value(make_scorer):
    image = Picture(np.full((192, 192, 3), 9, np.uint8), digest="", name="made", bytes=0)
    (found,) = make_scorer(["niqe"]).score(Batch([image], [image], [0]))
    assert found["niqe"].error == "undefined: the image is flat"


@needs_model
def test_the_view_is_rgb_under_any_luma_of_the_protocol(make_scorer):
    pixels = data.astronaut()[:200, :300]
    image = Picture(pixels, digest="", name="made", bytes=0)
    scorer = make_scorer(["niqe", "psnr"], protocol="sr-y:scale=4")
    (found,) = scorer.score(Batch([image], [image], [0]))
    assert found["niqe"].value == niqe(tensor_of(pixels)).item()


@needs(BABOON)
@needs_model
def test_the_baboon_has_its_published_value():
    def value(spec):
        return measure(BABOON, BABOON, metrics=[spec])["value"].item()

    # BasicSR's documentation: 5.72957338 (MATLAB R2021a); mmagic's test: gray, and cropped.
    assert value("niqe") == pytest.approx(5.72957, abs=1e-5)
    assert value("niqe:luma=full") == pytest.approx(5.73154, abs=1e-5)
    assert value("niqe:crop=6") == pytest.approx(6.10074, abs=2e-5)


# Without flat areas, whose fits depend on the rounding of each sum.
TEXTURED = tuple(f"Set14/HR_x2/img_{number:03}.png" for number in (1, 2, 3, 4, 5, 7, 9, 10, 11, 12))


@needs(GOLDEN)
@needs_model
@pytest.mark.parametrize("name", TEXTURED)
def test_values_are_near_another_implementations_in_float64(name):
    expected = json.loads(GOLDEN.read_text())["niqe"][name]["ycbcr"]
    path = SHARED / "data" / name
    (given,) = measure(path, path, metrics=["niqe"])["value"]
    assert given == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"crop": -1}, "crop of NIQE"), ({"crop": 1.5}, "crop of"), ({"luma": "x"}, "luma of NIQE")],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(IqbenchError, match=message):
        niqe(torch.rand(1, 3, 192, 192), **options)
