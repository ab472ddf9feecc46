"""References in batches, as on a GPU, and metrics that are not streamed."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from made_folders import PIXEL_METRICS, noisy, picture

from iqbench.engine.batching import BATCH_PIXELS
from iqbench.engine.observations import Scores
from iqbench.engine.scorer import Scorer
from iqbench.engine.unit_scorer import AHEAD
from iqbench.images.write import write_png
from iqbench.metrics._registry import DEFAULT_METRICS


def test_references_of_one_size_joined_as_on_a_gpu_have_the_same_values(made, monkeypatch):
    images = [f"i{number}" for number in range(6)]
    for name in ("one", "two"):
        made.method(name, images)
    made.references(images)
    write_png(made.root / "hr/i2.png", picture(2, height=40))
    write_png(made.root / "out/one/i2.png", noisy(picture(2, height=40)))
    made.evaluate(metrics=PIXEL_METRICS)
    expected = made.scores()

    sizes = []
    start = Scorer.start
    monkeypatch.setitem(BATCH_PIXELS, "cpu", BATCH_PIXELS["cuda"])
    monkeypatch.setattr(
        *(Scorer, "start"),
        lambda self, batch: sizes.append(tuple(batch.owners)) or start(self, batch),
    )
    summary = made.evaluate(metrics=PIXEL_METRICS, recompute=True)
    # Neighbours of one size are joined; i2 is larger, and the output of two does not fit it.
    assert sizes == [(0, 0, 1, 1), (0,), (0, 0, 1, 1, 2, 2)]
    assert len(summary.failures) == 1
    pd.testing.assert_frame_equal(made.scores(), expected, rtol=1e-6)


def test_a_batch_set_going_before_the_last_is_finished_has_the_same_rows(made, monkeypatch):
    images = ("a", "b", "c", "d")
    made.references(images)
    made.method("mine", images)
    made.evaluate(metrics=PIXEL_METRICS)
    expected = made.scores()
    order, start, finish = [], Scorer.start, Scores.finish

    def started(self, batch):
        order.append("start")
        return start(self, batch)

    def finished(self):
        order.append("finish")
        return finish(self)

    monkeypatch.setattr(Scorer, "start", started)
    monkeypatch.setattr(Scores, "finish", finished)
    monkeypatch.setitem(AHEAD, "cpu", 1)
    assert made.evaluate(metrics=PIXEL_METRICS, recompute=True).scored == 4
    assert order == ["start", *["start", "finish"] * 3, "finish"]
    pd.testing.assert_frame_equal(made.scores(), expected)


def test_what_is_not_streamed_is_told_where_images_are_large_for_the_budget(made):
    made.references(("a", "b"))
    made.method(images=("a", "b"))
    metrics = ("psnr", "ssim:form=3d")
    assert made.evaluate(metrics=metrics).warnings == []
    (warning,) = made.evaluate(metrics=metrics, memory=100_000, recompute=True).warnings
    assert warning.startswith("ssim-form=3d is not streamed: it took whole images of 'hr'")
    assert "a.png" in warning


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.usefixtures("pretrained_networks")
def test_a_gpu_leaves_the_values_of_the_cpu(made):
    images = ("a", "b", "c")
    made.references(images, height=48)
    made.method("mine", images, height=48)
    made.evaluate(metrics=DEFAULT_METRICS)
    expected = made.scores()
    made.evaluate(metrics=DEFAULT_METRICS, device="cuda", recompute=True)
    pd.testing.assert_frame_equal(made.scores(), expected, rtol=1e-4)
