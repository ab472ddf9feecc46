"""The worst images are kept, and shown beside their maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import iqbench
from iqbench.errors import IqbenchError
from iqbench.integrations.worst import GAP, WorstImages
from iqbench.maps import render

SIDE = 32


def photographs(sigmas, *, side=SIDE, seed=0):
    """Images with noise of so many strengths."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(len(sigmas), 3, 5, 5, generator=generator)
    reference = torch.nn.functional.interpolate(coarse, (side, side + 4), mode="bicubic")
    reference = reference.clamp(0.2, 0.8)
    noise = torch.randn(reference.shape, generator=generator)
    return reference + torch.tensor(sigmas).view(-1, 1, 1, 1) * noise, reference


@pytest.fixture
def evaluator():
    return iqbench.Evaluator(["psnr", "ssim", "gmsd", "tv-ratio"], device="cpu")


def names(worst, **merge):
    return [image.name for image in worst.images(**merge)]


@pytest.mark.parametrize("column", ["psnr", "gmsd", "tv-ratio"])
def test_the_worst_are_kept_whatever_the_direction(evaluator, column):
    worst = WorstImages(evaluator, column, 2)
    output, reference = photographs([0.02, 0.2, 0.01, 0.1, 0.05])
    worst.update(output[:2], reference[:2], ids=["a", "b"])
    worst.update(output[2:], reference[2:], ids=["c", "d", "e"])
    assert names(worst) == ["b", "d"]
    assert [image.value for image in worst.images()] == evaluator.scores().loc[
        ["b", "d"], column
    ].tolist()
    alone = iqbench.Evaluator(list(evaluator.columns), device="cpu")
    alone.update(output, reference)
    assert evaluator.compute() == alone.compute()  # every image was scored as usual


def test_images_without_ids_are_numbered(evaluator):
    worst = WorstImages(evaluator, "psnr", 1)
    for sigma in (0.01, 0.2, 0.05):
        worst.update(*photographs([sigma, 0.02]))
    assert names(worst) == ["000002"]


def test_images_may_have_ids_or_none_in_one_batch(evaluator):
    worst = WorstImages(evaluator, "psnr", 3)
    output, reference = photographs([0.1, 0.2, 0.01, 0.3])
    worst.update(output[:1], reference[:1], ids=["a"])
    worst.update(output, reference, ids=["a", None, "b", None])
    assert names(worst) == ["000001", "000000", "a"]


def test_a_known_id_is_kept_once(evaluator):
    worst = WorstImages(evaluator, "psnr", 3)
    output, reference = photographs([0.2, 0.01])
    worst.update(output[[0, 1, 0]], reference[[0, 1, 0]], ids=torch.tensor([4, 5, 4]))
    worst.update(output, reference, ids=[4, 5])
    assert names(worst) == ["4", "5"]


def test_images_of_a_list_may_differ_in_size(evaluator):
    worst = WorstImages(evaluator, "psnr", 2)
    (one, first), (two, second) = photographs([0.01]), photographs([0.1], side=40)
    worst.update([one[0], two[0]], [first[0], second[0]], ids=["small", "large"])
    assert [(image.name, image.picture.shape[0]) for image in worst.images()] == [
        ("large", 40),
        ("small", SIDE),
    ]


@pytest.mark.filterwarnings("ignore:.*not numbers:iqbench.IqbenchWarning")
def test_images_without_a_value_are_not_kept(evaluator):
    worst = WorstImages(evaluator, "psnr", 2)
    output, reference = photographs([0.1, 0.1])
    output[0, 0, 0, 0] = torch.nan
    worst.update(output, reference, ids=["broken", "whole"])
    assert names(worst) == ["whole"]


def test_reset_forgets(evaluator):
    worst = WorstImages(evaluator, "psnr", 2)
    worst.update(*photographs([0.1]))
    worst.reset()
    assert worst.images() == []
    assert len(evaluator) == 0


def test_a_picture_has_reference_output_and_maps_side_by_side(evaluator):
    worst = WorstImages(evaluator, "ssim", 1)
    output, reference = photographs([0.1])
    worst.update(output, reference, ids=["a"])
    (image,) = worst.images()
    width = SIDE + 4
    parts = [image.picture[:, at : at + width] for at in range(0, 4 * (width + GAP), width + GAP)]
    assert image.picture.shape == (SIDE, 4 * width + 3 * GAP, 3)
    for part, tensor in zip(parts, (reference, output), strict=False):
        expected = (tensor[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
        assert (part == expected).all()
    assert (image.picture[:, width : width + GAP] == 255).all()
    assert image.caption.startswith(f"a: ssim {image.value:.4f}. Reference; output; absolute-error")


def test_maps_are_those_of_files(evaluator, tmp_path):
    from iqbench.images.write import write_png
    from iqbench.maps import difference_maps

    worst = WorstImages(evaluator, "ssim", 1)
    output, reference = photographs([0.1])
    worst.update(output, reference, ids=["a"])
    (image,) = worst.images()
    width = SIDE + 4
    for name, place in (("reference", 0), ("output", 1)):
        left = place * (width + GAP)
        write_png(
            tmp_path / f"{name}.png", np.ascontiguousarray(image.picture[:, left:][:, :width])
        )
    maps = difference_maps(
        tmp_path / "reference.png",
        tmp_path / "output.png",
        maps=["absolute-error", "ssim"],
        device="cpu",
    )
    for place, made in enumerate(maps, start=2):
        left = place * (width + GAP)
        assert (image.picture[:, left : left + width] == render(made)).all()


def test_what_a_protocol_crops_is_gray_in_the_maps():
    evaluator = iqbench.Evaluator("psnr", "sr-y:scale=4", device="cpu")
    worst = WorstImages(evaluator, "psnr", 1)
    worst.update(*photographs([0.1]), ids=["a"])
    (image,) = worst.images()
    error = image.picture[:, 2 * (SIDE + 4 + GAP) :]
    assert (error[:4] == 128).all()
    assert not (error[4:-4, 4:-4] == 128).all()


@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16])
def test_integers_and_gray_are_shown(kind):
    evaluator = iqbench.Evaluator("psnr", device="cpu")
    worst = WorstImages(evaluator, "psnr", 1, maps=["absolute-error"])
    output, reference = photographs([0.1])
    peak = torch.iinfo(kind).max
    gray = [(image[:, :1].clamp(0, 1) * peak).round().to(kind) for image in (output, reference)]
    worst.update(*gray)
    (image,) = worst.images()
    shown = (gray[1][0, 0].double() / peak * 255).round().numpy()
    for channel in range(3):
        assert (image.picture[:, : SIDE + 4, channel] == shown).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "pnsr"}, "unknown column of the evaluator 'pnsr'. Did you mean 'psnr'"),
        ({"column": "psnr", "count": 0}, "the number of images is 0"),
        ({"column": "psnr", "maps": ["sim"]}, "unknown map 'sim'. Did you mean 'ssim'"),
    ],
)
def test_what_is_unknown_is_refused(evaluator, options, message):
    with pytest.raises(IqbenchError) as caught:
        WorstImages(evaluator, **options)
    assert str(caught.value).startswith(message)


def test_a_column_without_direction_is_refused():
    evaluator = iqbench.Evaluator("tv-iso-output", device="cpu")
    with pytest.raises(IqbenchError, match="no value of tv-iso-output is better than another"):
        WorstImages(evaluator, "tv-iso-output")
