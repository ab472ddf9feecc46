"""Wrong buffers are refused before a loop runs, because C code does not check them."""

from __future__ import annotations

from math import inf

import pytest
import torch

from iqbench.metrics.ssim import C1, C2, window_weights
from iqbench.native import library, loops

pytestmark = pytest.mark.usefixtures("compiled_loops")

WINDOW = torch.tensor([*window_weights("gaussian"), 1.0, C1, C2, -inf], dtype=torch.float64)
ALL = [True] * loops.PIXEL_SUMS


@pytest.fixture(autouse=True)
def _nothing_runs(monkeypatch):
    """Fail where a loop is called; that counts its blocks, and so on, is harmless."""
    find = library.find_library

    def run(*arguments):
        pytest.fail("a loop was called")

    class Watched:
        def __getattr__(self, name):
            return getattr(find(), name) if name.endswith(("_blocks", "_room")) else run

    monkeypatch.setattr(library, "find_library", Watched)


def features(*shape, dtype=torch.float32, **options):
    return torch.zeros(*shape, dtype=dtype, **options)


def doubles(*shape):
    return features(*shape, dtype=torch.float64)


def strided(*shape):
    return features(*shape[:-1], 2 * shape[-1])[..., ::2]


def convolve(pieces, out, *, kernel=None, bias=None, zeros=None, **options):
    inputs, outputs = pieces[0].shape[3], out.shape[3]
    given = {"above": 1, "below": 1, "beside": 1, "rectify": False} | options
    loops.winograd_convolve(
        pieces,
        out,
        features(36 * inputs * outputs) if kernel is None else kernel,
        features(outputs) if bias is None else bias,
        features(inputs) if zeros is None else zeros,
        **given,
    )


REFUSED = {
    "features of another type": lambda: loops.feature_sums(
        features(4, 4, 8, dtype=torch.float16),
        features(4, 4, 8, dtype=torch.float16),
        None,
        [*ALL[:2], False],
    ),
    "features of two types": lambda: loops.feature_sums(
        features(4, 4, 8), features(4, 4, 8, dtype=torch.bfloat16), None, [True, True, False]
    ),
    "too few features": lambda: loops.feature_sums(
        features(4, 3, 8), features(4, 4, 8), None, [True, True, False]
    ),
    "features apart in memory": lambda: loops.feature_sums(
        features(4, 4, 8), strided(4, 4, 8), None, [True, True, False]
    ),
    "features elsewhere": lambda: loops.feature_sums(
        features(4, 4, 8), features(4, 4, 8, device="meta"), None, [True, True, False]
    ),
    "no weight": lambda: loops.feature_sums(features(4, 4, 8), features(4, 4, 8), None, [True] * 3),
    "a short weight": lambda: loops.feature_sums(
        features(4, 4, 8), features(4, 4, 8), features(7), [True] * 3
    ),
    "a weight of another type": lambda: loops.feature_sums(
        features(4, 4, 8), features(4, 4, 8), features(8, dtype=torch.bfloat16), [True] * 3
    ),
    "pixels of another type": lambda: loops.pixel_sums(
        features(4, 4, 3, dtype=torch.float64), features(4, 4, 3, dtype=torch.float64), ALL, 4
    ),
    "pixels of another size": lambda: loops.pixel_sums(
        features(4, 4, 1), features(4, 4, 3), ALL, 4
    ),
    "more own rows than rows": lambda: loops.pixel_sums(
        features(4, 4, 3), features(4, 4, 3), ALL, 5
    ),
    "too few flags": lambda: loops.pixel_sums(features(4, 4, 3), features(4, 4, 3), ALL[1:], 4),
    "an image smaller than the window": lambda: loops.similarity_sums(
        features(10, 40, 3), features(10, 40, 3), WINDOW, 11, parts=False
    ),
    "another window": lambda: loops.similarity_sums(
        features(40, 40, 3), features(40, 40, 3), WINDOW, 9, parts=False
    ),
    "a short window": lambda: loops.similarity_sums(
        features(40, 40, 3), features(40, 40, 3), WINDOW[1:], 11, parts=False
    ),
    "a window in float32": lambda: loops.similarity_sums(
        features(40, 40, 3), features(40, 40, 3), WINDOW.float(), 11, parts=False
    ),
    "more channels than four": lambda: loops.similarity_sums(
        features(40, 40, 5), features(40, 40, 5), WINDOW, 11, parts=False
    ),
    "a map of an image smaller than the window": lambda: loops.similarity_map(
        features(10, 40, 3), features(10, 40, 3), WINDOW, 11
    ),
    "a map with a short window": lambda: loops.similarity_map(
        features(40, 40, 3), features(40, 40, 3), WINDOW[1:], 11
    ),
    "a map of two sizes": lambda: loops.similarity_map(
        features(40, 39, 3), features(40, 40, 3), WINDOW, 11
    ),
    "moments of nothing": lambda: loops.channel_moments(features(0, 4, 8), features(0, 4, 8)),
    "moments of no channel": lambda: loops.channel_moments(features(4, 4, 0), features(4, 4, 0)),
    "moments of bfloat16": lambda: loops.channel_moments(
        features(4, 4, 8, dtype=torch.bfloat16), features(4, 4, 8, dtype=torch.bfloat16)
    ),
    "moments of two sizes": lambda: loops.channel_moments(features(4, 3, 8), features(4, 4, 8)),
    "moments apart in memory": lambda: loops.channel_moments(features(4, 4, 8), strided(4, 4, 8)),
    "pooling into another width": lambda: loops.l2_pool(
        [features(1, 8, 8, 16)], features(1, 4, 5, 16), above=1
    ),
    "pooling pieces of two widths": lambda: loops.l2_pool(
        [features(1, 4, 8, 16), features(1, 4, 7, 16)], features(1, 4, 4, 16), above=1
    ),
    "pooling below two rows of zeros": lambda: loops.l2_pool(
        [features(1, 8, 8, 16)], features(1, 4, 4, 16), above=2
    ),
    "pooling bfloat16": lambda: loops.l2_pool(
        [features(1, 8, 8, 16, dtype=torch.bfloat16)], features(1, 4, 4, 16), above=1
    ),
    "local sums of an image smaller than the window": lambda: loops.window_sums(
        doubles(6, 20), doubles(7, 7)
    ),
    "local sums in float32": lambda: loops.window_sums(features(20, 20), doubles(7, 7)),
    "local sums under a short window": lambda: loops.window_sums(doubles(20, 20), doubles(6, 7)),
    "blocks that are not square": lambda: loops.sign_sums(doubles(2, 4, 5)),
    "blocks of nothing": lambda: loops.sign_sums(doubles(2, 0, 0)),
    "blocks in float32": lambda: loops.sign_sums(features(2, 4, 4)),
    "luma of two channels": lambda: loops.luma_plane(features(4, 4, 2), [1.0] * 6, rounded=True),
    "luma without a divisor": lambda: loops.luma_plane(features(4, 4, 3), [1.0] * 5, rounded=True),
    "luma of float64": lambda: loops.luma_plane(doubles(4, 4, 3), [1.0] * 6, rounded=True),
    "light apart in memory": lambda: loops.linear_light(strided(4, 4)),
    "light in float64": lambda: loops.linear_light(doubles(4, 4)),
    "blocks of 7x7 pixels": lambda: loops.block_errors(
        features(2, 49), features(2, 49), features(4, 64)
    ),
    "blocks of two numbers": lambda: loops.block_errors(
        features(2, 64), features(3, 64), features(4, 64)
    ),
    "blocks of float64": lambda: loops.block_errors(
        doubles(2, 64), doubles(2, 64), features(4, 64)
    ),
    "blocks with few constants": lambda: loops.block_errors(
        features(2, 64), features(2, 64), features(3, 64)
    ),
    "CIELAB of gray": lambda: loops.lab_planes(features(1, 4, 4), [1.0] * 9),
    "CIELAB without a matrix": lambda: loops.lab_planes(features(3, 4, 4), [1.0] * 3),
    "CIELAB of float64": lambda: loops.lab_planes(doubles(3, 4, 4), [1.0] * 9),
    "XYB of gray": lambda: loops.xyb_planes(features(1, 4, 4), [1.0] * 11, 4),
    "XYB with a negative border": lambda: loops.xyb_planes(features(3, 4, 4), [1.0] * 11, -1),
    "XYB without a bias": lambda: loops.xyb_planes(features(3, 4, 4), [1.0] * 9, 4),
    "planes smaller than the blur": lambda: loops.xyb_sums(
        features(3, 8, 20), features(3, 8, 20), [1.0] * 9, 1.0
    ),
    "planes of two sizes": lambda: loops.xyb_sums(
        features(3, 19, 20), features(3, 20, 20), [1.0] * 9, 1.0
    ),
    "a short blur": lambda: loops.xyb_sums(
        features(3, 20, 20), features(3, 20, 20), [1.0] * 7, 1.0
    ),
    "means of more channels than four": lambda: loops.mixed_means(
        features(1, 8, 8, 5), features(3, 5), 2, before=0, size=(4, 4)
    ),
    "means of blocks outside": lambda: loops.mixed_means(
        features(1, 8, 8, 3), features(3, 3), 2, before=0, size=(5, 4)
    ),
    "means of a first block outside": lambda: loops.mixed_means(
        features(1, 8, 8, 3), features(3, 3), 2, before=2, size=(4, 4)
    ),
    "means of large blocks": lambda: loops.mixed_means(
        features(1, 8, 8, 3), features(3, 3), 2049, before=0, size=(1, 1)
    ),
    "means by a matrix of float64": lambda: loops.mixed_means(
        features(1, 8, 8, 3), doubles(3, 3), 2, before=0, size=(4, 4)
    ),
    "means by a short matrix": lambda: loops.mixed_means(
        features(1, 8, 8, 3), features(3, 2), 2, before=0, size=(4, 4)
    ),
    "gradients by other filters": lambda: loops.gradient_lengths(features(1, 8, 8), "sobel"),
    "gradients of two rows alone": lambda: loops.gradient_lengths(
        features(1, 2, 8), "scharr", above=0, below=0
    ),
    "gradients apart in memory": lambda: loops.gradient_lengths(strided(1, 8, 8), "scharr"),
    "an image resized to nothing": lambda: loops.resize_bilinear(features(1, 8, 8, 3), (0, 4)),
    "an image resized in float64": lambda: loops.resize_bilinear(doubles(1, 8, 8, 3), (4, 4)),
    "a spectrum of another size": lambda: loops.filtered_spectra(
        features(4, 4, dtype=torch.complex64), features(4, 4, 5)
    ),
    "answers of three scales": lambda: loops.oriented_parts(
        features(3, 4, 4, dtype=torch.complex64), *(features(4, 4) for _ in range(3)), first=True
    ),
    "answers into a small plane": lambda: loops.oriented_parts(
        features(4, 4, 4, dtype=torch.complex64), *(features(4, 3) for _ in range(3)), first=True
    ),
    "a median of nothing": lambda: loops.medians(features(2, 0)),
    "medians of float64": lambda: loops.medians(doubles(2, 4)),
    "three orientations": lambda: loops.congruencies(
        features(3, 4, 4), features(3), features(4, 4)
    ),
    "few thresholds": lambda: loops.congruencies(features(4, 4, 4), features(3), features(4, 4)),
    "sums of small slopes": lambda: loops.weighted_sums(
        (features(4, 4), features(4, 4)), (features(4, 3), features(4, 4)), None, features(6)
    ),
    "sums of one colour": lambda: loops.weighted_sums(
        *[(features(4, 4), features(4, 4))] * 2, (features(1, 4, 4), features(2, 4, 4)), features(6)
    ),
    "salient places of another size": lambda: loops.salient_places(
        *[features(3, 4, 4)] * 2, features(4, 5), features(2), features(2)
    ),
    "salient places of two colours": lambda: loops.salient_places(
        features(3, 4, 4), features(2, 4, 4), features(4, 4), *[features(2)] * 2
    ),
    "wavelets of two channels": lambda: loops.haar_coefficients(features(2, 9, 4)),
    "wavelets of seven rows": lambda: loops.haar_coefficients(features(1, 7, 4)),
    "wavelets of float64": lambda: loops.haar_coefficients(doubles(1, 9, 4)),
    "sums of seven coefficients": lambda: loops.haar_sums(
        features(7, 4, 4), features(7, 4, 4), features(2)
    ),
    "sums of gray and colour": lambda: loops.haar_sums(
        features(8, 4, 4), features(6, 4, 4), features(2)
    ),
    "slopes of two sizes": lambda: loops.unlike_sums(features(4, 4), features(4, 3), features(2)),
    "slopes without masking": lambda: loops.unlike_sums(
        features(4, 4), features(4, 4), features(1)
    ),
    "roots of two colours": lambda: loops.joint_roots(
        (features(3, 4, 4), features(2, 4, 4)), tuple(features(3, 4, 4)), features(4)
    ),
    "roots without a weight": lambda: loops.joint_roots(
        (features(3, 4, 4), features(3, 4, 4)), tuple(features(3, 4, 4)), features(3)
    ),
    "distances from half a mean": lambda: loops.root_distances(features(4, 4), features(1)),
    "distances in float64": lambda: loops.root_distances(doubles(4, 4), features(2)),
    "a kernel of odd channels": lambda: loops.winograd_pack(features(64, 24, 3, 3)),
    "a kernel of no channels": lambda: loops.winograd_pack(features(64, 0, 3, 3)),
    "a kernel of another type": lambda: loops.winograd_pack(
        features(64, 16, 3, 3, dtype=torch.float64)
    ),
    "a kernel of another size": lambda: loops.winograd_pack(features(64, 16, 2, 3)),
    "a packed kernel that is short": lambda: convolve(
        [features(1, 8, 8, 16)], features(1, 8, 8, 64), kernel=features(36 * 16 * 64 - 1)
    ),
    "a short bias": lambda: convolve(
        [features(1, 8, 8, 16)], features(1, 8, 8, 64), bias=features(63)
    ),
    "short zeros": lambda: convolve(
        [features(1, 8, 8, 16)], features(1, 8, 8, 64), zeros=features(15)
    ),
    "an output of another size": lambda: convolve([features(1, 8, 8, 16)], features(1, 7, 8, 64)),
    "an output of another type": lambda: convolve(
        [features(1, 8, 8, 16)], features(1, 8, 8, 64, dtype=torch.bfloat16)
    ),
    "an output apart in memory": lambda: convolve([features(1, 8, 8, 16)], strided(1, 8, 8, 64)),
    "pieces of two widths": lambda: convolve(
        [features(1, 4, 8, 16), features(1, 4, 7, 16)], features(1, 8, 8, 64)
    ),
    "negative padding": lambda: convolve([features(1, 8, 8, 16)], features(1, 6, 8, 64), above=-1),
    "an image smaller than the kernel": lambda: convolve(
        [features(1, 1, 8, 16)], features(1, 0, 8, 64), above=0, below=0
    ),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused(call):
    with pytest.raises(BufferError):
        call()
