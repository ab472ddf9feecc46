"""One batch of references with all their outputs has the values of the functions, in order."""

import numpy as np
import pytest
import torch
from made_batches import BANDS, assert_same, batch_of, noisy, photograph, picture, values

from iqbench import functional
from iqbench.engine.batch import Batch
from iqbench.metrics._registry import DEFAULT_METRICS


def test_columns_come_in_the_order_asked_for(make_scorer):
    found = make_scorer(["lpips-alex", "psnr", "tv-ratio"]).score(batch_of(65, 66))
    assert [list(outcomes) for outcomes in found] == [["lpips-alex", "psnr", "tv-ratio"]] * 3


def test_the_scorer_gives_what_the_functions_give(make_scorer, random_network):
    batch = batch_of(67, 75, outputs=1)
    plain = "perceptual-vgg16-conv2_2-l2-normalise=none"
    outcomes = values(make_scorer([*DEFAULT_METRICS, plain]).score(batch))[0]
    reference, output = (
        torch.as_tensor(image.pixels).permute(2, 0, 1)[None].float() / 255
        for image in (batch.references[0], batch.outputs[0])
    )
    vgg, alex = random_network("vgg16"), random_network("alexnet")
    expected = {
        "psnr": functional.psnr(reference, output),
        "ssim": functional.ssim(reference, output),
        "tv-ratio": functional.tv_ratio(reference, output),
        "tv-residual": functional.tv_residual(reference, output),
        "perceptual-vgg16-sum-l1": functional.perceptual(reference, output, backbone=vgg),
        "lpips-alex": functional.lpips(reference, output, backbone=alex),
        "lpips-vgg": functional.lpips(reference, output, net="vgg", backbone=vgg),
    }
    for form in ("aniso", "iso", "sq"):
        for side, image in (("output", output), ("reference", reference)):
            value = functional.total_variation(image, form=form)
            expected[f"tv-{form}-{side}"] = value
    for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"):
        value = functional.perceptual(reference, output, layers=(layer,), backbone=vgg)
        expected[f"perceptual-vgg16-{layer}-l1"] = value
    options = {"layers": ("conv2_2",), "distance": "l2", "normalise": "none"}
    expected[plain] = functional.perceptual(reference, output, **options, backbone=vgg)
    assert expected.keys() == outcomes.keys()
    assert outcomes == pytest.approx({name: v.item() for name, v in expected.items()}, rel=2e-6)


def test_a_value_does_not_depend_on_the_outputs_beside_it(make_scorer):
    batch = batch_of(65, 67, outputs=6)
    scorer = make_scorer(DEFAULT_METRICS)
    together = scorer.score(batch)
    alone = [scorer.score(Batch(batch.references, [output], [0]))[0] for output in batch.outputs]
    assert_same(together, alone, BANDS)


@pytest.mark.parametrize("memory", [1, 2**30])
def test_several_references_in_one_batch_are_told_apart(make_scorer, memory):
    references = [
        photograph(65, 67),
        photograph(65, 67)[::-1].copy(),
        noisy(photograph(65, 67), 0.3, 9),
    ]
    owners = [2, 0, 1, 0, 2]
    outputs = [noisy(references[owner], 0.15, seed) for seed, owner in enumerate(owners)]
    specs = ["psnr", "ssim", "tv", "perceptual:net=alexnet", "lpips:net=alex"]
    scorer = make_scorer(specs, memory=memory)
    batch = Batch([picture(r) for r in references], [picture(o) for o in outputs], owners)
    alone = [
        scorer.score(Batch([picture(references[owner])], [picture(output)], [0]))[0]
        for output, owner in zip(outputs, owners, strict=True)
    ]
    assert_same(scorer.score(batch), alone, BANDS)


@pytest.mark.parametrize("owners", [[0, 1, 2], [1, 2, 0]])
def test_as_many_outputs_as_references_are_paired_by_their_owners(make_scorer, owners):
    references = [noisy(photograph(20, 21), 0.2, seed) for seed in range(3)]
    outputs = [noisy(references[owner], 0.1, 7 + owner) for owner in owners]
    scorer = make_scorer(["psnr", "ssim", "tv", "perceptual:layers=relu1_2"])
    batch = Batch([picture(r) for r in references], [picture(o) for o in outputs], owners)
    alone = [
        scorer.score(Batch([picture(references[owner])], [picture(output)], [0]))[0]
        for output, owner in zip(outputs, owners, strict=True)
    ]
    assert_same(scorer.score(batch), alone, BANDS)


def test_a_protocol_gives_each_family_its_view(make_scorer):
    batch = batch_of(35, 38, outputs=1)
    outcomes = values(make_scorer(["psnr", "tv-residual"], protocol="sr-y:scale=4").score(batch))[0]
    reference, output = (
        image.pixels[:32, :36][4:-4, 4:-4] / 255
        for image in (batch.references[0], batch.outputs[0])
    )
    luma = [image @ [65.481, 128.553, 24.966] / 255 + 16 / 255 for image in (reference, output)]
    expected = -10 * np.log10(np.mean((luma[0] - luma[1]) ** 2))
    assert outcomes["psnr"] == pytest.approx(expected, rel=1e-6)
    residual = output - reference
    expected = np.abs(np.diff(residual, axis=0)).mean() + np.abs(np.diff(residual, axis=1)).mean()
    assert outcomes["tv-residual"] == pytest.approx(expected, rel=1e-5)


def test_gray_is_scored_as_gray_and_networks_see_it_replicated(make_scorer):
    gray = batch_of(65, 67, channels=1, outputs=2)
    color = Batch(
        [picture(image.pixels.repeat(3, 2)) for image in gray.references],
        [picture(image.pixels.repeat(3, 2)) for image in gray.outputs],
        gray.owners,
    )
    scorer = make_scorer(["psnr", "ssim", "tv", "perceptual:net=alexnet", "lpips:net=alex"])
    assert_same(scorer.score(gray), scorer.score(color), BANDS)


def test_sixteen_bits_are_scored_at_their_depth(make_scorer):
    reference = photograph(20, 24).astype(np.uint16) * 257
    output = np.where(reference < 60000, reference + 100, reference - 100).astype(np.uint16)
    batch = Batch([picture(reference)], [picture(output)], [0])
    expected = -20 * np.log10(100 / 65535)
    found = values(make_scorer(["psnr"]).score(batch))[0]
    assert found["psnr"] == pytest.approx(expected, rel=1e-4)
    # Quantised to 8 bits by the protocol, 100 of 65535 vanish.
    quantised = make_scorer(["psnr"], protocol="sr-y:scale=2").score(batch)[0]
    assert quantised["psnr"].value == float("inf")


def test_an_8_bit_output_of_a_16_bit_reference_is_the_same_image(make_scorer):
    narrow = photograph(20, 24)
    wide = narrow.astype(np.uint16) * 257
    found = make_scorer(["psnr", "ssim"]).score(Batch([picture(wide)], [picture(narrow)], [0]))[0]
    assert found["psnr"].value > 140
    assert found["ssim"].value == pytest.approx(1, abs=1e-9)


def test_nothing_of_the_scoring_keeps_gradients(make_scorer, random_network):
    make_scorer(["perceptual:net=alexnet,layers=relu1"]).score(batch_of(64, 64))
    assert not torch.is_inference_mode_enabled()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    random_network("alexnet")(image, ["relu1"])["relu1"].sum().backward()
    assert image.grad is not None
