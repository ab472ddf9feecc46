"""If a metric fails on an image, only this value has an error."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_batches import batch_of, noisy, photograph, picture

from iqbench.engine.batch import Batch
from iqbench.metrics import _registry
from iqbench.metrics._base import Column, Metric, Tap
from iqbench.metrics.psnr import Psnr

# What a broken image looks like: its first sample is above this.
BROKEN = 0.99
STEPS = ("prepare", "maps", "close", "whole")


class Fragile(Metric):
    """Mean absolute error, which fails at one step for images that begin with white."""

    name: ClassVar[str] = "fragile"
    summary: ClassVar[str] = "Mean absolute error"
    citation: ClassVar[str] = "none"
    step: ClassVar[str] = "maps"
    error: ClassVar[Exception] = ZeroDivisionError("division by zero\nsecond line")

    def columns(self) -> tuple[Column, ...]:
        tap = Tap(whole=self.step == "whole")
        return (Column("fragile", "lower", self.summary, (tap,)),)

    def _fail(self, step: str, image: torch.Tensor) -> None:
        if step == self.step and bool((image[:, 0, 0, 0] > BROKEN).any()):
            raise self.error

    def prepare(self, tap, reference, parameters):
        self._fail("prepare", reference)
        return (reference,)

    def maps(self, tap, reference, output, parameters):
        self._fail("maps", output)
        self._fail("whole", output)
        maps = {"error": (reference[0] - output).abs()}
        return maps | {"first": output[:, :1, :1, :1]}

    def close(self, column, means, parameters):
        self._fail("close", means["first"].reshape(-1, 1, 1, 1))
        return means["error"]


@pytest.fixture
def fragile(monkeypatch):
    """Register the metric, which fails at the step that is asked for."""
    classes = {**_registry.metric_classes(), "fragile": Fragile}
    monkeypatch.setattr(_registry, "metric_classes", lambda: classes)

    def at(step, error=Fragile.error):
        monkeypatch.setattr(Fragile, "step", step)
        monkeypatch.setattr(Fragile, "error", error)

    return at


def batch_with(broken, references=1):
    """Outputs of references of one size; those that are named begin with white."""
    truth = [photograph(24, 28) + index for index in range(references)]
    outputs = []
    for index in range(4):
        pixels = noisy(truth[index % references], 0.1, index)
        pixels[0, 0] = 255 if index in broken else 100
        outputs.append(picture(pixels, f"{index}.png"))
    owners = [index % references for index in range(4)]
    return Batch([picture(pixels) for pixels in truth], outputs, owners)


METRICS = ["psnr", "fragile", "ssim", "tv"]


@pytest.mark.parametrize("step", ["maps", "close", "whole"])
@settings(derandomize=True, max_examples=8)
@given(broken=st.sets(st.integers(0, 3)), references=st.integers(1, 2))
def test_only_the_broken_images_lack_only_that_value(make_scorer, step, broken, references):
    with pytest.MonkeyPatch.context() as patch:
        classes = {**_registry.metric_classes(), "fragile": Fragile}
        patch.setattr(_registry, "metric_classes", lambda: classes)
        patch.setattr(Fragile, "step", step)
        batch = batch_with(broken, references)
        found = make_scorer(METRICS).score(batch)
        others = make_scorer([name for name in METRICS if name != "fragile"]).score(batch)
        for index, (outcomes, expected) in enumerate(zip(found, others, strict=True)):
            outcome = outcomes.pop("fragile")
            assert outcomes == expected
            if index in broken:
                reason = "metric fragile failed: ZeroDivisionError: division by zero"
                assert (outcome.value, outcome.error) == (None, reason)
            else:
                reference = batch.references[batch.owners[index]].pixels.astype(float)
                error = np.abs(reference - batch.outputs[index].pixels).mean() / 255
                assert outcome.value == pytest.approx(error, rel=1e-5)


def test_a_failure_on_a_reference_is_an_error_of_all_its_outputs(make_scorer, fragile):
    fragile("prepare")
    white = photograph(24, 28)
    white[0, 0] = 255
    outputs = [picture(noisy(white, 0.1, index)) for index in range(2)]
    found = make_scorer(METRICS).score(Batch([picture(white)], outputs, [0, 0]))
    for outcomes in found:
        assert [name for name, outcome in outcomes.items() if outcome.error] == ["fragile"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    ],
)
def test_an_error_says_that_memory_ran_out(make_scorer, fragile, step, error):
    fragile(step, error)
    batch = batch_with({0, 1, 2, 3})
    batch.references[0].pixels[0, 0] = 255
    for outcomes in make_scorer(METRICS).score(batch):
        assert outcomes.pop("fragile").error == "there is not enough memory for this image"
        assert all(outcome.error is None for outcome in outcomes.values())


@pytest.mark.parametrize("step", STEPS)
def test_an_interruption_is_no_failure_of_a_metric(make_scorer, fragile, step):
    fragile(step, KeyboardInterrupt())
    batch = batch_with({0, 1, 2, 3})
    batch.references[0].pixels[0, 0] = 255
    with pytest.raises(KeyboardInterrupt):
        make_scorer(METRICS).score(batch)


def test_a_gpu_too_small_for_one_of_several_images_scores_the_others(make_scorer, monkeypatch):
    maps = Psnr.maps

    def exhausted(self, tap, reference, output, parameters):
        if bool((output[:, 0, 0, 0] > BROKEN).any()):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (simulated)")
        return maps(self, tap, reference, output, parameters)

    monkeypatch.setattr(Psnr, "maps", exhausted)
    monkeypatch.setattr("iqbench.engine.scorer.choose_readers", plain_readers)
    found = make_scorer(["psnr"]).score(batch_with({2}))
    assert [outcomes["psnr"].error is None for outcomes in found] == [True, True, False, True]
    assert "does not fit into the memory of the device" in found[2]["psnr"].error


def plain_readers(readers, parameters, device):
    """Read every tap by the metrics' own maps."""
    from iqbench.readers.reader import PlainReader

    return [PlainReader(tap, metrics, parameters) for tap, metrics in readers.items()]


@pytest.mark.parametrize(
    ("metric", "side"),
    [
        ("ssim", 11),
        ("ssim:window=uniform", 7),
        ("ssim:padding=reflect", 6),
        ("ssim:padding=reflect,window=uniform", 4),
        ("ssim:downsample=matlab", 11),
        ("psnr-b", 9),
        ("tv-ratio", 2),
        ("perceptual:net=vgg16,layers=relu3_1", 4),
        ("lpips:net=alex", 31),
        ("lpips:net=squeeze", 17),
    ],
)
@pytest.mark.usefixtures("pretrained_networks")
def test_the_size_that_is_named_suffices_and_one_pixel_less_does_not(make_scorer, metric, side):
    scorer = make_scorer([metric])
    (enough,) = scorer.score(batch_of(side, side, outputs=1))
    assert all(outcome.error is None for outcome in enough.values())
    (small,) = scorer.score(batch_of(side + 5, side - 1, outputs=1))
    for name, outcome in small.items():
        assert outcome.value is None
        assert outcome.error == (
            f"undefined: {side - 1}x{side + 5} pixels are too few for {name}, "
            f"which needs at least {side}x{side}"
        )


def test_a_network_that_fails_takes_only_its_own_columns_along(make_scorer, monkeypatch):
    def broken(self, image, *, normalise):
        raise ValueError("no kernel")

    scorer = make_scorer(["psnr", "perceptual:net=vgg16,layers=relu1_2", "ssim", "lpips:net=alex"])
    monkeypatch.setattr("iqbench.networks.backbone.Backbone.see", broken)
    for outcomes in scorer.score(batch_of(40, 40, outputs=2)):
        errors = {name: outcome.error for name, outcome in outcomes.items() if outcome.error}
        assert set(errors) == {"perceptual-vgg16-relu1_2-l1", "lpips-alex"}
        assert set(errors.values()) == {"scoring failed: ValueError: no kernel"}
