"""In inference mode loops compute what torch's operations compute elsewhere, for every size.

The same function is called twice, outside of inference mode and in it. Values may differ in the
last digits of float32.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iqbench import functional
from iqbench.engine.batch import Batch
from iqbench.images.picture import Picture
from iqbench.metrics import _similarity as shared
from iqbench.metrics import fsim, vsi
from iqbench.native import library, loops
from iqbench.networks import gradient, haar

pytestmark = pytest.mark.usefixtures("compiled_loops")

sides = st.integers(1, 40)
seeds = st.integers(0, 2**31)
INDICES = ("fsim", "fsimc", "vsi", "mdsi", "haarpsi", "ms_gmsd")


def image(*shape, seed=0):
    """Random values, channels last in memory, as the engine has them."""
    values = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values


def pair(height, width, channels=3, images=2):
    """Smooth images, and the same with noise."""
    smooth = torch.nn.functional.avg_pool2d(image(images, channels, height + 4, width + 4), 5, 1)
    noise = image(images, channels, height, width, seed=1) - 0.5
    return smooth, (smooth + 0.1 * noise).clamp(0, 1)


def both(function, *tensors):
    """Return what torch's operations give, and what loops give."""
    plain = function(*tensors)
    with torch.inference_mode():
        assert library.suits(tensors[0])
        compiled = function(*tensors)
    return plain, compiled


def same(function, *tensors, **tolerance):
    plain, compiled = both(function, *tensors)
    torch.testing.assert_close(compiled, plain, **{"rtol": 1e-5, "atol": 1e-6} | tolerance)


@settings(max_examples=40)
@given(height=sides, width=sides, channels=st.sampled_from([1, 3]), planes=st.integers(1, 4))
def test_averaged_planes_of_small_images(height, width, channels, planes):
    rows = (*vsi.LMN, (1.0, 0.0, 0.0))[:planes]
    x = image(2, channels, height, width)
    same(lambda x: shared.averaged_planes(x, rows, 255), x, atol=1e-4)


@pytest.mark.parametrize("size", [(383, 385), (384, 390), (512, 768), (641, 700), (900, 6200)])
@pytest.mark.parametrize("channels", [1, 3])
def test_averaged_planes_of_images_whose_blocks_reach_outside(size, channels):
    same(lambda x: shared.averaged_planes(x, vsi.LMN), image(1, channels, *size))


@settings(max_examples=40)
@given(height=sides, width=sides, seed=seeds)
@example(height=3, width=513, seed=0)
def test_gradients(height, width, seed):
    same(shared.scharr, image(2, 1, height, width, seed=seed))


@settings(max_examples=40)
@given(height=sides, width=sides, rows=sides, columns=sides)
def test_bilinear_resizing(height, width, rows, columns):
    # torch rounds the places to float32.
    same(lambda x: vsi._resized(x, (rows, columns)), image(2, 3, height, width), atol=2e-5)


def test_colours():
    levels = torch.linspace(0, 1, 32)
    rgb = torch.stack(torch.meshgrid(levels, levels, levels, indexing="ij")).reshape(1, 3, 32, -1)
    same(vsi._lab, rgb, atol=2e-4)  # of 500 times a difference of roots


@settings(max_examples=40)
@given(count=st.integers(1, 300), kinds=st.integers(1, 300), seed=seeds)
def test_medians(count, kinds, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(kinds, (3, count), generator=generator) / 7
    assert loops.medians(values).equal(fsim._median(values))


def test_medians_of_numbers_of_all_sizes():
    values = torch.tensor([[0, 1e-45, 1e-38, 1, 3e38, torch.inf]])
    assert loops.medians(values[:, :5]).item() == pytest.approx(1e-38)
    assert loops.medians(values).item() == pytest.approx(0.5)


@pytest.mark.parametrize("size", [(2, 2), (31, 40), (64, 65), (97, 64)])
def test_phase_congruency(size):
    same(fsim.phase_congruency, pair(*size, channels=1)[0][:, 0] * 255, atol=2e-4)


@pytest.mark.parametrize("similarity", [fsim.SIMILARITY, vsi.SIMILARITY])
@pytest.mark.parametrize("gray", [True, False])
@settings(max_examples=40)
@given(height=sides, width=sides, references=st.integers(1, 2))
@example(height=80, width=80, references=1)
def test_weighted_similarities(similarity, gray, height, width, references):
    def features(images, seed):
        colours = (image(images, 2, height, width, seed=seed + 2) - 0.5) * 255
        planes = (image(images, height, width, seed=seed + at) for at in range(2))
        return (*planes, colours[:, :0] if gray else colours)

    def sums(_, first, second):
        return torch.stack([total.double() for total in similarity.sums(first, second)])

    first, second = features(references, 0), features(2, 9)
    same(sums, first[0], first, second, rtol=1e-5)


@settings(max_examples=40)
@given(height=sides, width=sides, channels=st.sampled_from([1, 3]))
@example(height=30, width=600, channels=3)
def test_layers_in_bands(height, width, channels):
    def layer_of(kind):
        def apply(x):
            layer = kind()
            whole = layer.forward(x)
            stream = layer.stream()
            cut = max(1, height // 2)
            pushed = [stream.push(x[:, :, :cut], last=cut == height)]
            if cut < height:
                pushed.append(stream.push(x[:, :, cut:], last=True))
            bands = torch.cat([rows for rows in pushed if rows is not None], dim=2)
            assert whole.shape[1:] == layer.size(tuple(x.shape[1:]))
            return torch.cat([whole, bands])

        return apply

    x = image(2, channels, height, width)
    for kind in (gradient.Luma, gradient.HalfMean, lambda: gradient.HalfMean(haar.YIQ)):
        same(layer_of(kind), x)
    same(layer_of(haar.HaarCoefficients), x)
    same(layer_of(gradient.PrewittMagnitude), x[:, :1])


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(33, 40), (64, 64), (71, 390), (385, 402)])
def test_values_are_those_of_float64(name, channels, size):
    images, function = pair(*size, channels), getattr(functional, name)
    exact = function(*(one.double() for one in images))
    with torch.inference_mode():
        assert library.suits(images[0])
        compiled = function(*images)
    torch.testing.assert_close(compiled.double(), exact, rtol=2e-6, atol=0)


@pytest.mark.parametrize("name", INDICES)
def test_a_value_that_is_no_number_is_not_hidden(name):
    reference, output = pair(40, 44, images=1)
    output[0, 1, 20, 20] = torch.nan
    plain, compiled = both(getattr(functional, name), reference, output)
    assert plain.isnan().all()
    assert compiled.isnan().all()


def test_loops_serve_neither_gradients_nor_other_types():
    x = image(1, 1, 4, 4)
    assert not library.suits(x)
    with torch.inference_mode():
        assert library.suits(x)
        assert not library.suits(x.double())
        assert not library.suits(x.to("meta"))


@pytest.mark.parametrize("name", ["haarpsi", "ms-gmsd", "mdsi", "fsim", "vsi"])
def test_outputs_of_one_reference_have_the_values_that_each_has_alone(make_scorer, name):
    reference, *outputs = (
        Picture((255 * one.permute(1, 2, 0)).byte().numpy(), digest="", name="made", bytes=0)
        for one in torch.cat(pair(50, 70))[:3]
    )
    together = make_scorer([name]).score(Batch([reference], outputs, [0, 0]))
    for output, found in zip(outputs, together, strict=True):
        (alone,) = make_scorer([name]).score(Batch([reference], [output], [0]))
        assert found[name].value == pytest.approx(alone[name].value, rel=1e-6)
