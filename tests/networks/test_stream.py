"""A layer in bands gives the same rows as for the whole image."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer
from iqbench.networks.layers import BatchNorm, Chain, MaxPool, Relu, Residual
from iqbench.networks.stream import Stretch, WindowStream, window_count

WIDTH = 9


def cut(image, heights):
    """Cut an image into bands of these heights; the last band takes the rest."""
    bands = []
    for height in heights:
        if image.shape[2] <= height:
            break
        bands.append(image[:, :, :height])
        image = image[:, :, height:]
    return [*bands, image]


def pushed(stream, bands, *, flush=False):
    """Push bands; with `flush` the end of the image comes without rows."""
    given = []
    for number, band in enumerate(bands):
        last = number == len(bands) - 1
        given.append(stream.push(band, last=last and not flush))
    if flush:
        given.append(stream.push(None, last=True))
    given = [rows for rows in given if rows is not None]
    return torch.cat(given, dim=2) if given else None


def image_of(height, width=WIDTH, channels=2):
    generator = torch.Generator().manual_seed(height)
    # Negative everywhere: padding of max pooling by 0 instead of minus infinity would show.
    return -torch.rand(2, channels, height, width, generator=generator, dtype=torch.float64) - 0.1


heights = st.integers(1, 40)
splits = st.lists(st.integers(1, 13), max_size=12)


@settings(max_examples=80)
@given(
    height=heights,
    split=splits,
    kernel=st.integers(1, 11),
    stride=st.integers(1, 4),
    padding=st.integers(0, 5),
    flush=st.booleans(),
)
def test_a_convolution_in_any_bands_is_that_of_the_whole_image(
    height, split, kernel, stride, padding, flush
):
    assume(padding <= kernel // 2)
    layer = Convolution(2, 3, kernel, stride=stride, padding=padding).double()
    image = image_of(height, width=WIDTH + 2)
    given = pushed(layer.stream(), cut(image, split), flush=flush)
    channels, high, wide = layer.size((2, height, WIDTH + 2))
    if high == 0:
        assert given is None
        with pytest.raises(RuntimeError, match="greater than actual input size"):
            layer(image)
        return
    whole = layer(image)
    assert whole.shape == (2, channels, high, wide)
    assert given.shape == whole.shape
    assert torch.allclose(given, whole, rtol=1e-12, atol=1e-12)


@settings(max_examples=80)
@given(
    height=heights,
    split=splits,
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 2),
    ceil=st.booleans(),
    flush=st.booleans(),
)
def test_a_pooling_in_any_bands_is_that_of_the_whole_image(
    height, split, kernel, stride, padding, ceil, flush
):
    assume(padding <= kernel // 2)
    layer = MaxPool(kernel, stride, padding=padding, ceil_mode=ceil)
    image = image_of(height)
    given = pushed(layer.stream(), cut(image, split), flush=flush)
    _, high, wide = layer.size((2, height, WIDTH))
    if high == 0:
        assert given is None
        with pytest.raises(RuntimeError, match="too small"):
            layer(image)
        return
    whole = F.max_pool2d(image, kernel, stride, padding, ceil_mode=ceil)
    assert whole.shape == (2, 2, high, wide)
    assert torch.equal(given, whole)
    assert torch.equal(layer(image), whole)


@settings(max_examples=80)
@given(height=heights, split=splits, stride=st.integers(1, 2), flush=st.booleans())
def test_a_residual_block_in_any_bands_is_that_of_the_whole_image(height, split, stride, flush):
    main = [
        ("conv1", Convolution(2, 4, 3, stride=stride, padding=1)),
        ("relu", Relu()),
        ("conv2", Convolution(4, 2, 3, padding=1)),
    ]
    shortcut = [("0", Convolution(2, 2, 1, stride=stride))] if stride > 1 else []
    block = Residual(main, shortcut).double()
    image = image_of(height)
    given = pushed(block.stream(), cut(image, split), flush=flush)
    assert torch.allclose(given, block(image), rtol=1e-12, atol=1e-12)
    assert block.size((2, height, WIDTH)) == tuple(given.shape[1:])


@settings(max_examples=80)
@given(height=heights, split=splits, window=st.integers(1, 11), flush=st.booleans())
def test_the_rows_of_a_windowed_metric_overlap_by_all_but_one(height, split, window, flush):
    stream = WindowStream(kernel=window, stride=1, padding=0, apply=lambda rows: rows.joined(0.0))
    image = torch.arange(height, dtype=torch.float64).view(1, 1, height, 1)
    windows = []
    bands = cut(image, split)
    for number, band in enumerate(bands):
        last = number == len(bands) - 1
        ready = stream.push(band, last=last and not flush)
        if ready is not None:
            windows += ready.flatten().unfold(0, window, 1).tolist()
    if flush:
        assert stream.push(None, last=True) is None
    assert windows == [
        [float(top + row) for row in range(window)] for top in range(height - window + 1)
    ]


class TestStretch:
    image = torch.arange(6.0).view(1, 1, 6, 1)
    pieces = (image[:, :, :2], image[:, :, 2:])

    def test_one_piece_between_its_padding_is_whole(self):
        assert Stretch((self.image,), 1, 1).whole(1) is self.image
        assert Stretch((self.image,), 1, 0).whole(1) is None
        assert Stretch(self.pieces, 1, 1).whole(1) is None

    def test_pieces_are_joined_and_padded(self):
        joined = Stretch(self.pieces, 1, 2).joined(-1.0)
        assert joined.flatten().tolist() == [-1, 0, 1, 2, 3, 4, 5, -1, -1]

    @pytest.mark.parametrize("reach", [3, 7, 9])
    def test_no_further_than_the_windows_reach(self, reach):
        joined = Stretch(self.pieces, 1, 0, reach).joined(-1.0)
        assert joined.flatten().tolist() == [-1, 0, 1, 2, 3, 4, 5, -1, -1][:reach]


def test_nothing_comes_of_an_image_without_rows():
    for layer in (Convolution(2, 3, 3, padding=1), MaxPool(2, 2), Relu()):
        assert layer.stream().push(None, last=True) is None


def test_kept_rows_are_a_copy_and_do_not_keep_the_band_alive():
    layer = Convolution(2, 3, 3).double()
    image = image_of(20)
    stream = layer.stream()
    first, second = image[:, :, :11].clone(), image[:, :, 11:]
    above = stream.push(first, last=False)
    first.zero_()
    given = torch.cat([above, stream.push(second, last=True)], dim=2)
    assert torch.allclose(given, layer(image), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("height", "ceil", "count"), [(0, False, 0), (2, False, 0), (3, False, 1), (4, True, 2)]
)
def test_windows_are_counted(height, ceil, count):
    assert window_count(height, 3, 2, ceil=ceil, below=0) == count


def test_batch_norm_uses_what_is_stored_even_in_training():
    layer = BatchNorm(2)
    layer.running_mean.fill_(0.5)
    layer.running_var.fill_(4.0)
    image = torch.rand(2, 2, 3, 3)
    before = layer.running_mean.clone()
    assert torch.allclose(layer.train()(image), (image - 0.5) / (4.0 + layer.eps) ** 0.5)
    assert torch.equal(layer.running_mean, before)


def test_a_chain_applies_its_layers_in_turn():
    layers = [("0", Convolution(2, 3, 3)), ("1", Relu()), ("2", MaxPool(2, 2))]
    chain = Chain(layers).double()
    image = image_of(12)
    expected = F.max_pool2d(F.relu(layers[0][1](image)), 2)
    assert torch.equal(chain(image), expected)
    assert chain.size((2, 12, WIDTH)) == tuple(expected.shape[1:])


def test_a_new_kind_of_layer_must_say_how_it_streams_and_how_large_it_is():
    with pytest.raises(TypeError, match=r"abstract class Layer .*size.*stream"):
        Layer()


@torch.inference_mode()
def test_a_large_kernel_is_convolved_with_many_rows_at_once():
    with torch.inference_mode(mode=False):
        layer = Convolution(1024, 114, 3, padding=1).bfloat16()
    x = torch.rand(1, 1024, 40, 64, generator=torch.Generator().manual_seed(1)).bfloat16()
    stream = layer.stream()
    bands = [stream.push(x[:, :, top : top + 8], last=top == 32) for top in range(0, 40, 8)]
    # Sixteen rows of 64 are 1024 positions; one row of the first band waits for the next.
    assert [band if band is None else band.shape[2] for band in bands] == [None, None, 16, None, 24]
    found = torch.cat([band for band in bands if band is not None], dim=2)
    torch.testing.assert_close(found, layer(x), rtol=1e-2, atol=1e-2)
