"""One batch of references with all their outputs: one pass each, in bands, to the same values."""

from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from skimage import data

from iqbench import functional
from iqbench.engine.compute import resolve_compute
from iqbench.engine.lanes import Lane
from iqbench.engine.resources import load_resources
from iqbench.engine.scorer import Batch, Scorer
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics
from iqbench.metrics.psnr import Psnr
from iqbench.networks.backbone import Backbone, Pass
from iqbench.networks.weights.catalogue import network
from iqbench.protocols.presets import resolve_protocol

# What bands may change: float32 sums in another order.
BANDS = 1e-6
DEFAULTS = [request.column.name for request in resolve_metrics(DEFAULT_METRICS)]


def picture(pixels, name="made"):
    return Picture(pixels, digest="", name=name, bytes=0)


def noisy(image, deviation, seed):
    noise = np.random.default_rng(seed).normal(0, deviation * 255, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def photograph(height, width, channels=3):
    image = data.astronaut()[60 : 60 + height, 170 : 170 + width]
    return image if channels == 3 else image[:, :, 1:2].copy()


def batch_of(height, width, *, outputs=3, channels=3):
    reference = photograph(height, width, channels)
    degraded = [noisy(reference, 0.1 + 0.05 * seed, seed) for seed in range(outputs)]
    return Batch([picture(reference)], [picture(image) for image in degraded], [0] * outputs)


def values(found):
    assert all(outcome.error is None for outcomes in found for outcome in outcomes.values())
    return [{name: outcome.value for name, outcome in outcomes.items()} for outcomes in found]


def assert_same(found, expected, rel):
    for here, there in zip(values(found), values(expected), strict=True):
        assert here == pytest.approx(there, rel=rel)


@pytest.mark.parametrize(("height", "width", "channels"), [(67, 75, 3), (79, 63, 1)])
def test_one_row_and_one_output_at_a_time_give_the_values_of_one_band(
    make_scorer, height, width, channels
):
    batch = batch_of(height, width, channels=channels, outputs=2)
    whole = make_scorer(DEFAULT_METRICS).score(batch)
    assert_same(make_scorer(DEFAULT_METRICS, memory=0).score(batch), whole, BANDS)


@pytest.mark.parametrize("memory", [2_000_000, 6_000_000, 20_000_000])
def test_any_budget_gives_the_same_values(make_scorer, memory):
    batch = batch_of(71, 67, outputs=2)
    whole = make_scorer(DEFAULT_METRICS).score(batch)
    assert_same(make_scorer(DEFAULT_METRICS, memory=memory).score(batch), whole, BANDS)


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


@pytest.fixture
def passes(monkeypatch):
    """Count what goes through the networks: passes begun, and pixel rows pushed, by network."""
    begun, rows, names = Counter(), Counter(), {}
    begin, push = Backbone.begin, Pass.push

    def counting_begin(backbone, wanted):
        started = begin(backbone, wanted)
        begun[backbone.name] += 1
        names[started] = backbone.name
        return started

    def counting_push(started, band, *, last):
        rows[names[started]] += band.shape[0] * band.shape[2]
        return push(started, band, last=last)

    monkeypatch.setattr(Backbone, "begin", counting_begin)
    monkeypatch.setattr(Pass, "push", counting_push)
    return begun, rows


def test_default_metrics_take_one_pass_an_image_and_the_reference_once(make_scorer, passes):
    begun, rows = passes
    batch = batch_of(63, 65, outputs=4)
    # One output at a time, so that every pass is of one image; a row at a time.
    found = make_scorer(DEFAULT_METRICS, memory=0).score(batch)
    assert list(found[0]) == DEFAULTS
    # The reference and four outputs, although perceptual and LPIPS both read VGG16.
    assert begun == {"vgg16": 1 + 4, "alexnet": 1 + 4}
    assert rows == {"vgg16": 5 * 63, "alexnet": 5 * 63}


def test_outputs_go_through_together_where_memory_allows(make_scorer, passes):
    begun, rows = passes
    make_scorer(DEFAULT_METRICS).score(batch_of(67, 75, outputs=4))
    assert begun == {"vgg16": 2, "alexnet": 2}
    assert rows == {"vgg16": 5 * 67, "alexnet": 5 * 67}


def test_pixels_that_are_not_normalised_are_another_pass(make_scorer, passes):
    begun, _ = passes
    specs = ["perceptual:layers=relu1_2", "perceptual:layers=relu1_2,normalise=none"]
    make_scorer(specs).score(batch_of(20, 20, outputs=2))
    assert begun == {"vgg16": 4}


def test_pixel_metrics_run_no_network(make_scorer, passes):
    begun, _ = passes
    make_scorer(["psnr", "ssim", "tv"]).score(batch_of(20, 20))
    assert not begun


def test_a_value_does_not_depend_on_the_outputs_beside_it(make_scorer):
    batch = batch_of(65, 67, outputs=6)
    scorer = make_scorer(DEFAULT_METRICS)
    together = scorer.score(batch)
    alone = [scorer.score(Batch(batch.references, [output], [0]))[0] for output in batch.outputs]
    assert_same(together, alone, BANDS)


@pytest.mark.parametrize("memory", [0, 2**30])
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


def test_equal_images_have_infinite_psnr_and_no_error(make_scorer):
    image = picture(photograph(20, 21))
    outcome = make_scorer(["psnr"]).score(Batch([image], [image], [0]))[0]["psnr"]
    assert (outcome.value, outcome.error) == (float("inf"), None)


def test_a_flat_reference_has_no_ratio_of_variations(make_scorer):
    flat = picture(np.full((12, 13, 3), 90, np.uint8))
    found = make_scorer(["tv", "psnr"]).score(
        Batch([flat], [picture(photograph(12, 13)), flat], [0, 0])
    )
    for outcomes in found:
        assert outcomes["tv-ratio"].value is None
        assert outcomes["tv-ratio"].error == "undefined: the reference is flat"
        others = [outcome for name, outcome in outcomes.items() if name != "tv-ratio"]
        assert all(outcome.error is None for outcome in others)


def test_a_value_that_must_not_be_missing_is_named_as_no_number(make_scorer, monkeypatch):
    monkeypatch.setattr(Psnr, "close", lambda *_: torch.tensor([float("nan")]))
    outcome = make_scorer(["psnr"]).score(batch_of(12, 12, outputs=1))[0]["psnr"]
    assert outcome.value is None
    assert outcome.error
    assert not outcome.error.startswith("undefined")


def test_an_image_too_small_for_a_layer_lacks_those_columns_only(make_scorer):
    found = make_scorer(DEFAULT_METRICS).score(batch_of(10, 40, outputs=2))
    for outcomes in found:
        errors = {name: outcome.error for name, outcome in outcomes.items() if outcome.error}
        pixels = "undefined: 40x10 pixels are too few for"
        assert errors.pop("ssim") == f"{pixels} windows of 11x11 pixels"
        assert errors.pop("perceptual-vgg16-relu5_3-l1") == f"{pixels} layer relu5_3 of vgg16"
        assert errors.pop("perceptual-vgg16-sum-l1") == f"{pixels} layer relu5_3 of vgg16"
        assert errors.pop("lpips-vgg") == f"{pixels} layer relu5_3 of vgg16"
        assert errors.pop("lpips-alex").startswith(f"{pixels} layer relu")
        assert not errors
        assert list(outcomes) == DEFAULTS


def test_an_image_too_small_for_everything_is_no_failure(make_scorer):
    found = make_scorer(["ssim", "lpips:net=alex"]).score(batch_of(5, 5, outputs=2))
    for outcomes in found:
        assert all(outcome.error.startswith("undefined: 5x5") for outcome in outcomes.values())


def test_a_pixel_has_a_psnr_and_nothing_else(make_scorer):
    black, gray = (picture(np.full((1, 1, 3), level, np.uint8)) for level in (0, 51))
    outcomes = make_scorer(["psnr", "ssim", "tv"]).score(Batch([black], [gray], [0]))[0]
    assert outcomes["psnr"].value == pytest.approx(-20 * np.log10(0.2), rel=1e-6)
    assert all(outcomes[name].value is None for name in outcomes if name != "psnr")


def test_an_image_of_which_nothing_is_left_is_undefined_under_that_view(make_scorer):
    scorer = make_scorer(["psnr", "tv-ratio"], protocol="sr-y:scale=4")
    for outcome in scorer.score(batch_of(8, 20, outputs=1))[0].values():
        assert outcome.value is None
        assert outcome.error.startswith("undefined: nothing of 20x8 pixels is left under the view")


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


def failing_above(monkeypatch, rows_times_images):
    """Let every push of more pixel rows run out of memory, and count the failures."""
    push, failures = Lane.push, []

    def push_or_fail(lane, rows, *, last):
        if rows.shape[0] * rows.shape[2] > rows_times_images:
            failures.append(rows.shape)
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (simulated)")
        return push(lane, rows, last=last)

    monkeypatch.setattr(Lane, "push", push_or_fail)
    return failures


def test_a_gpu_that_runs_out_of_memory_gets_smaller_bands(make_scorer, monkeypatch):
    batch = batch_of(67, 75, outputs=3)
    scorer = make_scorer(DEFAULT_METRICS)
    expected = scorer.score(batch)
    failures = failing_above(monkeypatch, 20)
    assert_same(scorer.score(batch), expected, BANDS)
    assert failures


def test_no_try_after_running_out_of_memory_repeats_the_one_before(make_scorer, monkeypatch):
    # Where the budget is ample, it is the device's own limit that must shrink.
    rows = []

    def push(lane, band, *, last):
        rows.append(band.shape[2])
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(Lane, "push", push)
    image = picture(photograph(120, 160))
    scorer = make_scorer(["psnr"], memory=2**40)
    with pytest.raises(IqbenchError, match="does not fit into"):
        scorer.score(Batch([image], [image], [0]))
    assert rows[0] == 120
    assert rows[:6] == sorted(set(rows[:6]), reverse=True)


def test_a_device_too_small_for_a_row_is_an_error_that_names_the_image(make_scorer, monkeypatch):
    failures = failing_above(monkeypatch, 0)
    image = picture(photograph(20, 20), name="Set5/GTmod12/baby.png")
    with pytest.raises(IqbenchError, match=r"Set5/GTmod12/baby\.png does not fit into") as caught:
        make_scorer(["psnr"]).score(Batch([image], [image], [0]))
    assert "--device cpu" in caught.value.hint
    assert isinstance(caught.value.__cause__, torch.cuda.OutOfMemoryError)
    assert len(failures) > 5


# Of bf16's 8 bits of mantissa: measured 0.2 % at most on noisy photographs; pixels are exact.
BF16 = 0.01


def test_bfloat16_networks_stay_near_and_pixels_exact(make_scorer):
    batch = batch_of(65, 67)
    exact = values(make_scorer(DEFAULT_METRICS).score(batch))
    rough = values(make_scorer(DEFAULT_METRICS, precision="bf16").score(batch))
    for here, there in zip(rough, exact, strict=True):
        for name, value in there.items():
            deep = name.startswith(("perceptual", "lpips"))
            assert here[name] == pytest.approx(value, rel=BF16 if deep else BANDS), name
        assert here["lpips-vgg"] != there["lpips-vgg"]


def test_nothing_of_the_scoring_keeps_gradients(make_scorer, random_network):
    make_scorer(["perceptual:net=alexnet,layers=relu1"]).score(batch_of(64, 64))
    assert not torch.is_inference_mode_enabled()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    random_network("alexnet")(image, ["relu1"])["relu1"].sum().backward()
    assert image.grad is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("memory", [10**6, 2**32])
def test_exact_on_the_gpu_is_exact_on_the_cpu(make_scorer, memory):
    batch = batch_of(67, 75)
    here = make_scorer(DEFAULT_METRICS).score(batch)
    there = make_scorer(DEFAULT_METRICS, device="cuda", memory=memory).score(batch)
    assert_same(there, here, 1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize(("precision", "bound"), [("tf32", 5e-3), ("bf16", BF16)])
def test_faster_precisions_on_the_gpu_stay_near(make_scorer, precision, bound):
    batch = batch_of(67, 75)
    here = make_scorer(DEFAULT_METRICS).score(batch)
    there = make_scorer(DEFAULT_METRICS, device="cuda", precision=precision).score(batch)
    assert_same(there, here, bound)


def made_weights(folder, name="squeezenet1_1"):
    from iqbench.networks.weights.catalogue import expected_shapes

    generator = np.random.default_rng(0)
    arrays = {
        key: (generator.random(shape, dtype=np.float32) - 0.5) / 5
        for key, shape in expected_shapes(name).items()
    }
    save_file(arrays, folder / network(name).file_name)


def test_resources_are_loaded_from_a_folder_with_their_digests(tmp_path, monkeypatch):
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    made_weights(tmp_path)
    requests = resolve_metrics(["psnr", "lpips:net=squeeze", "perceptual-squeezenet1_1-fire2-l1"])
    compute = resolve_compute("cpu", "bf16", 2**28)
    resources = load_resources(requests, compute, folder=tmp_path)
    assert list(resources.backbones) == ["squeezenet1_1"]
    assert (
        resources.backbones["squeezenet1_1"].state_dict()["features.0.bias"].dtype == torch.bfloat16
    )
    squeeze = requests[1].metric
    assert set(resources.digests) == {"squeezenet1_1", squeeze}
    assert all(len(digest) == 64 for digest in resources.digests.values())
    assert list(resources.parameters[squeeze]) == [f"lin{n}" for n in range(7)]
    assert resources.parameters[Psnr()] == {}
    scorer = Scorer(requests, resolve_protocol("rgb"), resources, compute)
    assert values(scorer.score(batch_of(40, 40, outputs=1)))[0]["lpips-squeeze"] > 0


def test_missing_weights_are_all_named_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.delenv("IQBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("IQBENCH_CACHE", str(tmp_path / "cache"))
    requests = resolve_metrics(["perceptual", "lpips:net=alex", "lpips:net=squeeze"])
    with pytest.raises(IqbenchError, match="missing: vgg16, alexnet, squeezenet1_1"):
        load_resources(requests, resolve_compute("cpu"), folder=tmp_path)


@pytest.mark.usefixtures("pretrained_networks")
def test_the_default_metrics_run_on_the_pretrained_networks():
    requests = resolve_metrics(DEFAULT_METRICS)
    compute = resolve_compute("cpu", memory=2**30)
    scorer = Scorer(requests, resolve_protocol("rgb"), load_resources(requests, compute), compute)
    batch = batch_of(67, 75, outputs=1)
    found = values(scorer.score(batch))[0]
    pair = [
        torch.as_tensor(image.pixels).permute(2, 0, 1)[None].float() / 255
        for image in (*batch.references, *batch.outputs)
    ]
    assert found["lpips-alex"] == pytest.approx(functional.lpips(*pair).item(), rel=1e-5)
    assert found["perceptual-vgg16-sum-l1"] == pytest.approx(
        functional.perceptual(*pair).item(), rel=1e-5
    )
