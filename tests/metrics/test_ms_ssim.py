"""MS-SSIM: against independent implementations, with every way to halve odd sides, and in dB."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d
from scipy.signal import convolve2d
from skimage import data

from iqbench import measure
from iqbench.errors import IqbenchError
from iqbench.functional import ms_ssim
from iqbench.images.write import write_png
from iqbench.metrics._registry import resolve_metrics
from iqbench.metrics.ms_ssim import MsSsim
from iqbench.protocols.presets import resolve_protocol


def tensors(image, deviation=0.06):
    noise = np.random.default_rng(0).normal(0, deviation, image.shape)
    output = np.clip(image + noise, 0, 1)
    return [torch.from_numpy(array).permute(2, 0, 1)[None] for array in (image, output)]


# piq 0.8.0: piq.multi_scale_ssim(*tensors(image), data_range=1.0); even sizes, where all agree.
@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (data.astronaut() / 255, 0.9109618566616366),
        (data.camera()[..., None] / 255, 0.8504389139006008),
    ],
    ids=["colour", "gray"],
)
def test_values_are_those_of_piq(image, expected):
    assert ms_ssim(*tensors(image)).item() == pytest.approx(expected, abs=1e-9)


def imfilter_every_second(plane):
    """MATLAB's imfilter(plane, ones(2) / 4, 'symmetric'), then (1:2:end, 1:2:end).

    A kernel of even size has its centre at floor((size + 1) / 2): a pixel and its next ones.
    """
    padded = np.pad(plane, ((0, 1), (0, 1)), mode="symmetric")
    return convolve2d(padded, np.full((2, 2), 0.25), mode="valid")[::2, ::2]


def avg_pool_with_zeros(plane):
    """PyTorch's avg_pool2d(plane, 2, padding=(height % 2, width % 2)): zeros count in the mean."""
    padded = np.pad(plane, [(side % 2, side % 2) for side in plane.shape])
    return blocks(padded)


def blocks(plane):
    """Means over whole blocks of 2x2."""
    height, width = (side // 2 for side in plane.shape)
    return plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))


def edge_before(plane):
    """piq: one row and one column more at the top left if either side is odd."""
    more = max(side % 2 for side in plane.shape)
    return blocks(np.pad(plane, ((more, 0), (more, 0)), mode="edge"))


HALVINGS = {
    "repeat": imfilter_every_second,
    "zero": avg_pool_with_zeros,
    "crop": blocks,
    "repeat-first": edge_before,
}


def by_scipy(reference, output, halve):
    """MS-SSIM of two planes in [0, 255], by the formula of the paper."""
    weights = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    weights /= weights.sum()

    def local(plane):
        filtered = correlate1d(correlate1d(plane, weights, 0), weights, 1)
        return filtered[5:-5, 5:-5]

    value = 1.0
    for scale, power in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mean, other = local(reference), local(output)
        variance, other_variance = local(reference**2) - mean**2, local(output**2) - other**2
        covariance = local(reference * output) - mean * other
        found = (2 * covariance + 7.65**2) / (variance + other_variance + 7.65**2)
        if scale == 4:
            found *= (2 * mean * other + 2.55**2) / (mean**2 + other**2 + 2.55**2)
        value *= found.mean() ** power
        reference, output = halve(reference), halve(output)
    return value


def pair(height, width, channels=3):
    """A part of a photograph, and the same with noise and less contrast; uint8."""
    image = data.astronaut()[20 : 20 + height, 100 : 100 + width, :channels]
    noise = np.random.default_rng(1).normal(0, 9, image.shape)
    return image, np.clip(image * 0.85 + 12 + noise, 0, 255).round().astype(np.uint8)


def expected(images, odd):
    planes = [np.moveaxis(image.astype(np.float64), 2, 0) for image in images]
    return np.mean([by_scipy(*channel, HALVINGS[odd]) for channel in zip(*planes, strict=True)])


def as_tensors(images):
    return [torch.from_numpy(image / 255).permute(2, 0, 1)[None] for image in images]


@pytest.mark.parametrize("odd", HALVINGS)
@pytest.mark.parametrize(
    ("height", "width"), [(192, 208), (177, 181), (176, 251), (191, 190), (178, 177), (363, 300)]
)
def test_odd_sides_are_halved_as_each_source_does(height, width, odd):
    images = pair(height, width)
    value = ms_ssim(*as_tensors(images), odd=odd).item()
    assert value == pytest.approx(expected(images, odd), abs=1e-12)


# piq 0.8.0:            piq.multi_scale_ssim(*as_tensors(pair(*size)), data_range=1.0)
# pytorch-msssim 1.0.0: pytorch_msssim.ms_ssim(*as_tensors(pair(*size)), data_range=1.0), whose
#                       window is float32
@pytest.mark.parametrize(
    ("size", "odd", "recorded", "tolerance"),
    [
        ((177, 181), "repeat-first", 0.9482338658555413, 1e-12),
        ((363, 300), "repeat-first", 0.9428856532379385, 1e-12),
        ((177, 181), "zero", 0.9486071222905581, 1e-5),
        ((363, 300), "zero", 0.9431003568879858, 1e-5),
    ],
)
def test_odd_sides_as_libraries_score_them(size, odd, recorded, tolerance):
    assert ms_ssim(*as_tensors(pair(*size)), odd=odd).item() == pytest.approx(
        recorded, abs=tolerance
    )


@settings(max_examples=12)
@given(height=st.integers(176, 300), width=st.integers(176, 300))
def test_the_bare_name_is_the_authors_script(height, width):
    images = pair(height, width, channels=1)
    assert ms_ssim(*as_tensors(images)).item() == pytest.approx(
        expected(images, "repeat"), abs=1e-12
    )


def test_odd_sides_make_the_variants_differ_and_even_ones_do_not():
    odd, even = (
        [ms_ssim(*as_tensors(pair(*size)), odd=odd).item() for odd in HALVINGS]
        for size in ((181, 177), (192, 256))
    )
    assert len({round(value, 6) for value in odd}) == len(HALVINGS)
    assert np.ptp(even) < 1e-12


@pytest.mark.parametrize("memory", [None, 1 << 20])
@pytest.mark.parametrize("odd", HALVINGS)
@pytest.mark.parametrize(("height", "width"), [(183, 201), (300, 177), (177, 256)])
def test_bands_of_rows_change_nothing(tmp_path, height, width, odd, memory):
    images = pair(height, width)
    for name, image in zip(("reference", "output"), images, strict=True):
        write_png(tmp_path / f"{name}.png", image)
    frame = measure(
        tmp_path / "reference.png",
        tmp_path / "output.png",
        metrics=[f"ms-ssim:odd={odd}"],
        memory=memory,
    )
    assert frame["metric"][0] == "ms-ssim" + ("" if odd == "repeat" else f"-odd={odd}")
    assert frame["value"][0] == pytest.approx(expected(images, odd), abs=2e-8)
    assert f"|odd={odd}|" in frame["signature"][0]


@pytest.mark.parametrize("asked", ["ms-ssim", "ms-ssim-db"])
def test_compression_means_the_variant_of_the_code_it_cites(asked):
    requests = resolve_metrics([asked], resolve_protocol("compression").variants)
    names = [request.column.name for request in requests]
    assert names[-1] == "ms-ssim-db-odd=zero"
    assert len(names) == (2 if asked == "ms-ssim" else 1)


def test_a_column_is_asked_for_by_its_name():
    (request,) = resolve_metrics(["ms-ssim-db-odd=repeat-first"])
    assert request.metric == MsSsim(odd="repeat-first")


def test_another_way_to_halve_is_refused():
    with pytest.raises(IqbenchError, match="odd of MS-SSIM"):
        ms_ssim(*as_tensors(pair(176, 176)), odd="mirror")


def test_decibels_are_of_what_is_missing_to_1():
    values = {f"{scale}.0": torch.tensor([0.9], dtype=torch.float64) for scale in range(1, 6)}
    metric = MsSsim()
    plain, decibels = (metric.close(name, values, {}).item() for name in ("ms-ssim", "ms-ssim-db"))
    assert plain == pytest.approx(0.9 ** (0.0448 + 0.2856 + 0.3001 + 0.2363 + 0.1333))
    assert decibels == pytest.approx(-10 * np.log10(1 - plain))


def test_a_negative_scale_counts_as_nothing():
    values = {f"{scale}.0": torch.tensor([0.9]) for scale in range(1, 6)}
    values["3.0"] = torch.tensor([-0.1])
    assert MsSsim().close("ms-ssim", values, {}).item() == 0


# msssim.m and torchmetrics refuse 175 pixels, pytorch-msssim and piq 160.
@pytest.mark.parametrize(
    ("odd", "least"), [("repeat", 176), ("crop", 176), ("zero", 161), ("repeat-first", 161)]
)
def test_the_short_side_must_leave_a_window_at_the_fifth_scale(odd, least):
    assert ms_ssim(*(torch.rand(2, 1, 1, least, 200)), odd=odd).isfinite()
    with pytest.raises(IqbenchError, match=r"too (few|small)"):
        ms_ssim(*(torch.rand(2, 1, 1, least - 1, 200)), odd=odd)


def test_a_short_side_is_named_with_what_it_must_have(tmp_path):
    write_png(tmp_path / "small.png", np.zeros((170, 300, 3), np.uint8))
    frame = measure(tmp_path / "small.png", tmp_path / "small.png", metrics=["ms-ssim"])
    assert frame["value"].isna().all()
    assert (
        "300x170 pixels are too few for ms-ssim, which needs at least 176x176"
        in (frame["error"][0])
    )
