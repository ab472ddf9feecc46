"""Views of an image: quantised, cut to a multiple, cropped, converted."""

import numpy as np
import pytest
import torch

from iqbench.errors import IqbenchError
from iqbench.images.colour import luma_full, luma_studio
from iqbench.images.picture import Picture
from iqbench.images.rounding import quantise_uint8, round_half_away
from iqbench.images.tensors import to_tensor
from iqbench.protocols.view import Region, View

CPU = torch.device("cpu")
ALL = slice(0, 1000)


def pixels(height, width, channels=3, depth=np.uint8, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, np.iinfo(depth).max + 1, (height, width, channels), dtype=depth)


def stored(image, peak=0):
    return Picture(image, digest="", name="made", bytes=0, peak=peak)


def seen(view, image, rows=ALL, peak=0):
    """What the view shows, (rows, columns, channels)."""
    tensor = view.band(stored(image, peak), slice(rows.start, min(rows.stop, 1000)), CPU)
    assert tensor.dtype == torch.float32
    return tensor[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    ("size", "modcrop", "crop", "window"),
    [
        ((10, 20), 1, 0, Region(0, 0, 10, 20)),
        ((11, 23), 4, 0, Region(0, 0, 8, 20)),
        ((11, 23), 4, 3, Region(3, 3, 2, 14)),
        ((12, 24), 4, 4, Region(4, 4, 4, 16)),
        ((9, 9), 1, 4, Region(4, 4, 1, 1)),
    ],
)
def test_the_window_is_cut_to_a_multiple_and_then_at_the_border(size, modcrop, crop, window):
    assert View(modcrop=modcrop, crop=crop).window(*size) == window


@pytest.mark.parametrize("size", [(8, 20), (20, 8), (3, 3)])
def test_a_view_of_nothing_is_refused(size):
    with pytest.raises(IqbenchError, match=r"too few for the view rgb,.* at least 12x12"):
        View(modcrop=4, crop=4).window(*size)


@pytest.mark.parametrize(("modcrop", "crop"), [(1, 1), (2, 2), (3, 3), (4, 4), (3, 1), (5, 0)])
def test_the_size_that_an_error_names_is_the_least_that_leaves_something(modcrop, crop):
    view = View(modcrop=modcrop, crop=crop)
    with pytest.raises(IqbenchError, match="which needs at least") as caught:
        view.window(1, 1)
    least = int(caught.value.message.rpartition("x")[2])
    assert view.window(least, least).height >= 1
    with pytest.raises(IqbenchError):
        view.window(least - 1, least)


def test_a_band_is_the_part_of_the_window_as_numpy_slices_it():
    image = pixels(23, 34)
    view = View(modcrop=4, crop=3)
    expected = image[:20, :32][3:-3, 3:-3].astype(np.float32) / 255
    assert np.array_equal(seen(view, image, slice(0, 14)), expected)
    assert np.array_equal(seen(view, image, slice(5, 9)), expected[5:9])


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (View(), "rgb"),
        (View("luma-studio", quantise=True, modcrop=4, crop=4), "luma-studio,uint8,modcrop4,crop4"),
        (View(crop=2), "rgb,crop2"),
        # Only where values depend on it.
        (View("luma-studio", gray="expand"), "luma-studio,gray-expand"),
        (View("luma-full", gray="expand", gray_output="luma"), "luma-full"),
        (View("rgb", gray="expand", gray_output="expand"), "rgb"),
        (View("luma-studio", gray_output="luma"), "luma-studio"),
        (View(brightness="reference"), "rgb,gt-mean"),
        (View(brightness="reference-bgr"), "rgb,gt-mean-bgr"),
    ],
)
def test_a_view_is_spelt_for_signatures(view, text):
    assert str(view) == text


@pytest.mark.parametrize("colour", ["luma-studio", "luma-studio-rounded", "luma-full"])
def test_gray_passes_every_luma_as_it_is(colour):
    image = pixels(6, 7, channels=1)
    view = View(colour)
    assert np.array_equal(seen(view, image), image.astype(np.float32) / 255)
    assert view.channels(1) == view.channels(3) == 1


def test_rgb_keeps_the_channels_that_are_stored():
    assert (View().channels(1), View().channels(3)) == (1, 3)


# MATLAB: rgb2ycbcr(uint8(cat(3, r, g, b))), first channel; the rounded luma of the primaries.
MATLAB = {
    (255, 255, 255): 235,
    (0, 0, 0): 16,
    (255, 0, 0): 81,
    (0, 255, 0): 145,
    (0, 0, 255): 41,
    (128, 128, 128): 126,
}


@pytest.mark.parametrize(("rgb", "luma"), MATLAB.items())
def test_studio_luma_is_matlabs(rgb, luma):
    image = np.array(rgb, np.uint8).reshape(1, 1, 3)
    exact = (16 * 255 + 65.481 * rgb[0] + 128.553 * rgb[1] + 24.966 * rgb[2]) / 255
    assert seen(View("luma-studio-rounded"), image)[0, 0, 0] == np.float32(luma / 255)
    assert seen(View("luma-studio"), image)[0, 0, 0] * 255 == pytest.approx(exact, abs=2e-5)


def test_luma_exactly_between_two_integers_is_rounded_up():
    # All 8-bit colours whose luma, in integers of 1/255000, ends in one half.
    green, blue = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    others = 128553 * green + 24966 * blue
    halves = [
        (red, int(g), int(b))
        for red in range(256)
        for g, b in np.argwhere((65481 * red + others) % 255000 == 127500)
    ]
    assert len(halves) == 194
    image = np.array(halves, np.uint8).reshape(1, -1, 3)
    expected = [16 + (65481 * r + 128553 * g + 24966 * b + 127500) // 255000 for r, g, b in halves]
    assert np.rint(seen(View("luma-studio-rounded"), image)[0, :, 0] * 255).tolist() == expected


def test_full_range_luma_keeps_black_and_white():
    image = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    assert seen(View("luma-full"), image)[0, :, 0] == pytest.approx([0, 1, 0.299], abs=1e-7)


def test_luma_has_the_type_of_its_image():
    image = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    assert luma_studio(image).dtype == luma_full(image).dtype == torch.float64
    assert luma_studio(image).shape == luma_full(image).shape == (2, 1, 4, 5)


def test_halves_are_rounded_away_from_zero():
    values = torch.tensor([0.5, 1.5, 2.5, 2.4999, 254.5])
    assert round_half_away(values).tolist() == [1, 2, 3, 2, 255]


def test_quantising_clips_and_rounds_to_the_values_of_an_8_bit_file():
    values = torch.tensor([-0.2, 0.0, 0.4999 / 255, 0.5 / 255, 100.4 / 255, 1.0, 1.7])
    assert (quantise_uint8(values) * 255).round().tolist() == [0, 0, 0, 1, 100, 255, 255]
    assert torch.equal(quantise_uint8(quantise_uint8(values)), quantise_uint8(values))


def test_sixteen_bits_are_kept_unless_the_view_quantises():
    image = np.array([0, 1, 128, 129, 257, 385, 386, 65535], np.uint16).reshape(1, -1, 1)
    kept = seen(View(), image)[0, :, 0]
    assert np.array_equal(kept, image[0, :, 0].astype(np.float32) / np.float32(65535))
    rounded = seen(View(quantise=True), image)[0, :, 0] * 255
    # 65535 = 255 * 257, so the border between 0 and 1 lies at 128.5, between 1 and 2 at 385.5.
    assert np.rint(rounded).tolist() == [0, 0, 0, 1, 1, 1, 2, 255]


def test_quantising_leaves_an_8_bit_file_as_it_is():
    image = np.arange(256, dtype=np.uint8).reshape(1, -1, 1)
    assert np.array_equal(seen(View(quantise=True), image), seen(View(), image))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_each_depth_is_divided_by_its_own_maximum(depth):
    image = np.array([0, np.iinfo(depth).max], depth).reshape(1, 2, 1)
    assert to_tensor(image, CPU).flatten().tolist() == [0.0, 1.0]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pixels_may_be_read_only_and_in_any_order(depth):
    image = pixels(6, 8, depth=depth)
    image.flags.writeable = False
    expected = to_tensor(image.copy(), CPU)
    assert torch.equal(to_tensor(image, CPU), expected)
    assert torch.equal(to_tensor(image[::-1, ::-1], CPU), expected.flip(2, 3))
    assert image.flags.writeable is False


def test_tensors_are_channels_last_in_memory():
    assert to_tensor(pixels(6, 8), CPU).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("colour", ["rgb", "luma-studio", "luma-studio-rounded", "luma-full"])
def test_a_view_on_the_gpu_is_that_on_the_cpu(colour):
    image = pixels(17, 19, depth=np.uint16)
    view = View(colour, quantise=True)
    image = stored(image)
    there = view.band(image, slice(0, 17), torch.device("cuda")).cpu()
    assert torch.allclose(there, view.band(image, slice(0, 17), CPU), rtol=0, atol=1e-7)


@pytest.mark.parametrize("peak", [1023, 4095, 65535])
def test_samples_are_relative_to_their_own_peak(peak):
    """Ten bits in a file of sixteen mean what the same share of 65535 does."""
    image = (np.arange(6, dtype=np.uint16) * (peak // 6)).reshape(1, -1, 1)
    expected = image[0, :, 0].astype(np.float32) / np.float32(peak)
    assert np.array_equal(seen(View(), image, peak=peak)[0, :, 0], expected)
    levels = np.rint(seen(View(quantise=True), image, peak=peak)[0, :, 0] * 255)
    assert np.array_equal(levels, np.floor(image[0, :, 0] / peak * 255 + 0.5))


def test_pictures_of_several_peaks_are_each_divided_by_their_own():
    samples = pixels(6, 7, depth=np.uint8)
    alike = [
        stored(samples),
        stored(samples.astype(np.uint16) * 4, peak=1020),
        stored(samples.astype(np.uint16) * 257),
    ]
    first, *others = View("luma-studio").bands(alike, slice(0, 6), CPU, [1.0] * 3)
    for other in others:
        assert torch.allclose(first, other, rtol=0, atol=1e-7)


def test_brightness_follows_the_reference_whatever_the_peaks():
    samples = pixels(6, 7, depth=np.uint8)
    view = View(brightness="reference")
    deep = stored(samples.astype(np.uint16) * 4, peak=1020)
    assert view.gain(deep, stored(samples)) == pytest.approx(1)
