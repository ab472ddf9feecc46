"""BRISQUE: features as another implementation gives them, values as MATLAB gives them."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import piq.brisque
import pytest
import torch
from made_folders import picture
from skimage import data

import iqbench
from iqbench.errors import IqbenchError
from iqbench.functional import brisque
from iqbench.metrics.brisque import features, regress
from iqbench.networks.weights import load, locate

needs_model = pytest.mark.skipif(
    locate("brisque") is None, reason="run `iqbench weights fetch brisque`"
)

# MATLAB's values of goldhill.gif and I01.BMP, as piq's tests print them
# (https://github.com/photosynthesis-team/piq, tests/test_brisque.py at 9948a52), and the features
# that iqbench.metrics.brisque.features gives of these images, which are not copied here.
PUBLISHED = {
    8.425548118925917: [
        *(2.572, 0.3510369427353798),
        *(0.812, 0.05138178517871218, 0.0990384326074753, 0.1534548219197743),
        *(0.799, 0.04705396454838551, 0.1051017718601617, 0.1560998960268982),
        *(0.815, -0.034980408409446925, 0.14315589546641175, 0.1062620348107425),
        *(0.834, -0.03698010643334826, 0.14033364649602106, 0.10216126586012998),
        *(2.743, 0.31078056916370145),
        *(0.818, 0.10769802053474124, 0.055129862523223, 0.1567245111258733),
        *(0.81, 0.04769843196762942, 0.08063064412452965, 0.12639302443637546),
        *(0.846, -0.026569773324393517, 0.11146229874429646, 0.08674414641161567),
        *(0.858, -0.029807971764978416, 0.11095310766486621, 0.08360778589273356),
    ],
    10.259409019043119: [
        *(2.709, 0.4350916905699909),
        *(0.865, 0.12219339364889546, 0.11983526933740891, 0.2765647396509183),
        *(0.887, 0.026412418318821185, 0.16906985007023403, 0.20227351257773493),
        *(0.872, -0.008560135214152087, 0.1888699145299506, 0.17811007859274142),
        *(0.883, -0.09636054923254839, 0.24460697994410216, 0.12509746062030844),
        *(2.784, 0.4204888959023186),
        *(0.826, 0.10683707099275508, 0.12874448259996224, 0.2684590718485962),
        *(0.874, -0.017788814933767588, 0.19695964745951813, 0.174486757927666),
        *(0.891, -0.06779687825946938, 0.21950937991009645, 0.13663964195890307),
        *(0.897, -0.11293917445493248, 0.24919722907441968, 0.11209455879718194),
    ],
}


def planes() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    camera = data.camera().astype(np.float64)
    return {  # without flat areas, where signs are those of rounding errors
        "a photograph": camera[:256, :300] + generator.integers(0, 2, (256, 300)),
        "a noisy photograph": camera[:128, :96] + generator.normal(0, 20, (128, 96)).round(),
        "noise": generator.integers(0, 256, (64, 80)).astype(np.float64),
    }


@pytest.mark.parametrize("name", planes())
def test_features_are_those_of_piq(name: str) -> None:
    plane = torch.from_numpy(planes()[name].copy())
    other = sys.modules[piq.brisque.__module__]
    whole = plane[None, None]
    half = other.imresize(whole, sizes=(whole.shape[2] // 2, whole.shape[3] // 2))
    expected = torch.cat([other._natural_scene_statistics(one) for one in (whole, half)], dim=-1)
    torch.testing.assert_close(features(plane), expected[0], rtol=1e-7, atol=1e-9)


@needs_model
@pytest.mark.parametrize("published", PUBLISHED)
def test_features_have_matlab_s_value(published: float) -> None:
    found = torch.tensor(PUBLISHED[published], dtype=torch.float64)
    assert regress(found, load("brisque").tensors).item() == pytest.approx(published, abs=1e-9)


@needs_model
def test_a_value_is_that_of_its_features() -> None:
    plane = planes()["a photograph"]
    gray = plane.clip(0, 255).astype(np.uint8)
    found = features(torch.from_numpy(gray.astype(np.float64)))
    expected = regress(found, load("brisque").tensors).item()
    for image in (gray, np.repeat(gray[..., None], 3, axis=2)):
        (row,) = iqbench.measure(image, metrics="brisque", device="cpu").to_dict("records")
        assert row["value"] == pytest.approx(expected, abs=1e-9)
        assert row["direction"] == "lower"


@needs_model
def test_luma_is_matlab_s_rounded() -> None:
    image = picture(3, 48, 64)
    weights = (0.2989360212937753, 0.5870430744511214, 0.1140209042551033)
    luma = np.floor(image.astype(np.float64) @ weights + 0.5)
    colour = brisque(torch.from_numpy(image).permute(2, 0, 1)[None])
    assert colour.equal(brisque(torch.from_numpy(luma.astype(np.uint8))[None, None]))


@needs_model
def test_worse_photographs_have_higher_values() -> None:
    camera = data.camera()[:256, :256]
    noisy = camera + np.random.default_rng(0).normal(0, 30, camera.shape)
    images = [camera, np.clip(noisy, 0, 255).astype(np.uint8)]
    clean, worse = brisque(torch.from_numpy(np.stack(images))[:, None]).tolist()
    assert -20 < clean < 20 < worse < 100


@needs_model
def test_a_flat_image_has_no_value_at_any_gray() -> None:
    flat = torch.arange(256).reshape(256, 1, 1, 1).expand(256, 1, 16, 17) / 255
    assert brisque(flat).isnan().all()
    board = torch.from_numpy(np.indices((32, 32)).sum(0) % 2).float()
    assert brisque(board[None, None]).isnan().all()  # flat at half size


@needs_model
def test_a_value_that_is_undefined_has_its_reason() -> None:
    flat = np.full((32, 32, 3), 127, np.uint8)
    (row,) = iqbench.measure(flat, metrics="brisque", device="cpu").to_dict("records")
    assert pd.isna(row["value"])
    assert row["error"] == "undefined: the image is flat, or is at half size"


@needs_model
def test_an_image_that_is_too_small_is_refused() -> None:
    with pytest.raises(IqbenchError, match="needs at least 16x16"):
        brisque(torch.rand(1, 3, 15, 40, generator=torch.Generator().manual_seed(0)))
