"""Maps of files: their means are the values of `iqbench measure`, also in bands."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_folders import noisy, picture
from PIL import Image
from skimage import data

import iqbench
from iqbench import functional
from iqbench.engine.compute import resolve_compute
from iqbench.engine.pairs import PairScorer
from iqbench.engine.resources import Resources, networks_of
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.images.source import EncodedImage
from iqbench.images.tensors import to_tensor
from iqbench.images.write import write_png
from iqbench.maps import DEFAULT_MAPS, difference_maps
from iqbench.maps.kinds import resolve_maps
from iqbench.maps.pair import maps_of_pair
from iqbench.protocols.presets import resolve_protocol

PIXEL_MAPS = ("absolute-error", "ssim", "ssim-window=uniform", "tv-aniso", "tv-iso", "tv-sq")
DEEP_MAPS = (
    *("lpips-alex", "lpips-vgg", "lpips-squeeze", "perceptual-vgg16-relu2_2-l1"),
    *("perceptual-vgg16-sum-l2", "perceptual-resnet18-layer2-l1"),
)


@pytest.fixture
def files(tmp_path):
    """Write a pair of files, and return their paths."""

    def write(reference, output):
        paths = tmp_path / "r.png", tmp_path / "o.png"
        for path, pixels in zip(paths, (reference, output), strict=True):
            write_png(path, pixels)
        return paths

    return write


@pytest.fixture
def photographs(files):
    reference = data.astronaut()[60:127, 150:225]
    return files(reference, noisy(reference, amount=40))


@pytest.fixture
def make_maps(random_network):
    """Maps under a budget, with networks that need no fetched weights."""

    def make(names, reference, output, *, memory=2**30, protocol="rgb"):
        kinds = resolve_maps(names)
        requests = [kind.request for kind in kinds]
        backbones = {name: random_network(name) for name in networks_of(requests)}
        parameters = {}
        for request in requests:
            found = request.metric.parameters(None)
            parameters[request.metric] = found.tensors if found else {}
        resources = Resources(backbones, parameters, {})
        pictures = [Picture(pixels, "", "made", 0) for pixels in (reference, output)]
        compute = replace(resolve_compute("cpu"), memory=memory)
        scorer = PairScorer(requests, resolve_protocol(protocol), compute, resources=resources)
        return maps_of_pair(*pictures, kinds, scorer)

    return make


def expected_mean(table, name):
    if name.startswith("tv-"):
        return table[f"{name}-output"] - table[f"{name}-reference"]
    return table[name]


@pytest.mark.parametrize("protocol", ["rgb", "sr-y:scale=4", "denoise-gray"])
def test_the_mean_of_a_map_is_the_value_that_measure_gives(photographs, protocol):
    names = PIXEL_MAPS[1:]
    metrics = ("ssim", "ssim:window=uniform", "tv")
    frame = iqbench.measure(*photographs, metrics=metrics, protocol=protocol, device="cpu")
    table = dict(zip(frame["metric"], frame["value"], strict=True))
    maps = difference_maps(*photographs, maps=names, protocol=protocol, device="cpu")
    assert [map_.name for map_ in maps] == list(names)
    for map_ in maps:
        assert map_.values.dtype == np.float32
        assert map_.mean == pytest.approx(expected_mean(table, map_.name), abs=1e-6)


@pytest.mark.usefixtures("pretrained_networks")
def test_default_maps_have_the_means_that_measure_gives(photographs):
    maps = difference_maps(*photographs, device="cpu")
    assert tuple(map_.name for map_ in maps) == DEFAULT_MAPS
    metrics = ("lpips-alex", "perceptual-vgg16-relu2_2-l1", "ssim", "tv")
    frame = iqbench.measure(*photographs, metrics=metrics, device="cpu")
    table = dict(zip(frame["metric"], frame["value"], strict=True))
    for map_ in maps[1:]:
        assert map_.values.shape == (67, 75)
        assert map_.mean == pytest.approx(expected_mean(table, map_.name), rel=1e-5)


@pytest.mark.parametrize(("height", "width", "channels"), [(67, 75, 3), (79, 63, 1)])
def test_bands_of_any_height_give_what_the_whole_image_gives(make_maps, height, width, channels):
    reference = np.ascontiguousarray(data.astronaut()[60:, 150:][:height, :width, :channels])
    output = noisy(reference, amount=40)
    names = (*PIXEL_MAPS, *DEEP_MAPS)
    whole = make_maps(names, reference, output)
    for memory in (0, 2_000_000, 6_000_000):  # a row at a time, and a few
        for found, expected in zip(
            make_maps(names, reference, output, memory=memory), whole, strict=True
        ):
            assert found.name == expected.name
            assert found.values.shape == (height, width)
            scale = np.nanmax(np.abs(expected.values))
            np.testing.assert_allclose(found.values, expected.values, atol=1e-5 * scale)


def test_files_give_what_the_functions_give(make_maps, random_network):
    reference = data.astronaut()[60:127, 150:225]
    output = noisy(reference, amount=40)
    images = [to_tensor(pixels, torch.device("cpu")) for pixels in (reference, output)]
    vgg = random_network("vgg16")
    expected = {
        "absolute-error": functional.absolute_error_map(*images),
        "ssim": functional.ssim_map(*images),
        "lpips-vgg": functional.lpips_map(*images, net="vgg", backbone=vgg),
        "perceptual-vgg16-sum-l1": functional.perceptual_map(*images, backbone=vgg),
    }
    for form in ("aniso", "iso", "sq"):
        before, after = (functional.total_variation_map(image, form=form) for image in images)
        expected[f"tv-{form}"] = after - before
    for map_ in make_maps(expected, reference, output):
        np.testing.assert_allclose(map_.values, expected[map_.name][0, 0].numpy(), atol=2e-5)


def test_the_protocols_view_is_mapped_and_said(files):
    reference = picture(0, 43, 50)
    paths = files(reference, noisy(reference))
    error, ssim, tv = difference_maps(
        *paths, maps=("absolute-error", "ssim", "tv-iso"), protocol="sr-y:scale=4", device="cpu"
    )
    for map_ in (error, ssim, tv):
        assert map_.values.shape == (40 - 8, 48 - 8)
        assert (map_.top, map_.left) == (4, 4)
        assert "on 40x32 of 50x43 pixels, from column 4 and row 4 on" in map_.summary
    assert "luma-studio" in error.summary
    assert "rgb,uint8" in tv.summary
    assert "none within 5 pixels of its edge" in ssim.summary
    assert np.isnan(ssim.values[:5]).all()
    assert np.isfinite(ssim.values[5:-5, 5:-5]).all()
    assert np.isnan(tv.values[-1]).all()


def test_a_difference_in_one_place_is_seen_there(files):
    reference = picture(0, 64, 64)
    output = reference.copy()
    output[40:44, 20:24] = 255 - output[40:44, 20:24]
    for map_ in difference_maps(*files(reference, output), maps=PIXEL_MAPS, device="cpu"):
        difference = np.abs(map_.values - (1 if map_.kind == "similarity" else 0))
        row, column = np.unravel_index(np.nanargmax(difference), difference.shape)
        assert 38 <= row <= 45
        assert 18 <= column <= 25
        # Few pixels differ: less than those that may lie beyond the limits.
        assert map_.low < map_.high
        assert map_.high > 0.05


def test_limits_are_symmetric_for_changes_and_fixed_for_similarity(photographs):
    error, ssim, tv = difference_maps(
        *photographs, maps=("absolute-error", "ssim", "tv-aniso"), device="cpu"
    )
    assert error.low == 0
    assert np.mean(error.values <= error.high) == pytest.approx(0.995, abs=0.002)
    assert (ssim.low, ssim.high) == (0, 1)
    assert tv.low == -tv.high < 0


def test_equal_images_have_no_difference_to_show(files, make_maps):
    same = picture(0, 64, 64)
    maps = difference_maps(*files(same, same), maps=PIXEL_MAPS, device="cpu")
    for map_ in [*maps, *make_maps(DEEP_MAPS, same, same)]:
        none = 1 if map_.kind == "similarity" else 0
        # Rounding is not stretched to a picture of its own.
        assert np.nanmax(np.abs(map_.values - none)) < 0.01 * (map_.high - map_.low)


def test_a_bright_reference_of_16_bits_and_gray_with_three_channels(files, tmp_path):
    deep = picture(0, 24, 32, channels=1, dtype=np.uint16)
    paths = files(deep, np.repeat(noisy(deep, amount=2000), 3, axis=2))
    (error,) = difference_maps(*paths, maps=["absolute-error"], device="cpu")
    expected = np.abs(deep.astype(float) - noisy(deep, amount=2000)) / 65535
    np.testing.assert_allclose(error.values, expected[..., 0], atol=1e-6)


def test_names_may_be_specs_and_none_is_made_twice():
    names = [kind.name for kind in resolve_maps(["lpips", "lpips-alex", "ssim", "perceptual"])]
    assert names[:2] == ["lpips-alex", "ssim"]
    assert names[2:] == [
        *(f"perceptual-vgg16-{layer}-l1" for layer in ("relu1_2", "relu2_2", "relu3_3")),
        *("perceptual-vgg16-relu4_3-l1", "perceptual-vgg16-relu5_3-l1", "perceptual-vgg16-sum-l1"),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absolut-error", "unknown map 'absolut-error'. Did you mean 'absolute-error'?"),
        ("lpisp-alex", "Did you mean 'lpips-alex'?"),
        ("psnr", "unknown map 'psnr'. Known: absolute-error, "),
        ("tv", "unknown map 'tv'"),
        ("../../etc/passwd", "unknown map"),
        ("lpips-alexx", "Did you mean 'lpips-alex'?"),
        ("perceptual-vgg16-relu2_3-l1", "unknown layer of vgg16 'relu2_3'. Did you mean 'relu"),
        ("perceptual:distance=l3", "distance of metric 'perceptual'"),
        ("ssim-form=3d", "unknown map 'ssim-form=3d'. Did you mean 'ssim'"),
        ("", "unknown map ''"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_read(name, message):
    with pytest.raises(IqbenchError) as refused:
        difference_maps("none.png", "none.png", maps=[name])
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        (picture(0, 24, 30), {}, "o.png has 30x24 pixels, its reference"),
        (picture(0, channels=1), {}, "o.png is gray, its reference"),
        (picture(1, 8, 9), {"reference": picture(0, 8, 9)}, "9x8 pixels are too few for"),
        (picture(1), {"protocol": "sr-y"}, "needs its parameter 'scale'"),
        (picture(1), {"protocol": "sr-y:scale=12"}, "too few for the view"),
        (picture(1), {"alpha": "drop"}, "unknown way to treat alpha 'drop'"),
        (picture(1), {"device": "tpu"}, "unknown device 'tpu'"),
        (picture(1), {"memory": 1000}, "take 0 MiB of memory"),
    ],
)
def test_what_cannot_be_mapped_is_refused_in_a_sentence(files, output, options, message):
    paths = files(options.pop("reference", picture(0)), output)
    with pytest.raises(IqbenchError) as refused:
        difference_maps(*paths, maps=["absolute-error", "ssim"], **options)
    assert message in str(refused.value)


def test_transparency_is_an_error_unless_it_is_composited(files, tmp_path):
    reference, _ = files(picture(0), picture(0))
    output = tmp_path / "alpha.png"
    Image.fromarray(np.dstack([picture(0), np.full((24, 32), 128, np.uint8)])).save(output)
    with pytest.raises(IqbenchError, match="has transparency"):
        difference_maps(reference, output, maps=["absolute-error"])
    (error,) = difference_maps(reference, output, maps=["absolute-error"], alpha="composite")
    assert error.mean > 0.1


def test_a_large_image_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    Image.new("L", (5000, 4000)).save(path)
    monkeypatch.delattr(EncodedImage, "decode")
    with pytest.raises(IqbenchError, match="5000x4000 pixels, take 457 MiB of memory; 64 are"):
        difference_maps(path, path, maps=["absolute-error"], memory=2**26)


def test_importing_maps_imports_no_torch():
    code = "import sys, iqbench.maps; sys.exit('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, check=False)
    assert ran.returncode == 0
