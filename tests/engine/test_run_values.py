"""The values of a run, and its messages about values that do not exist."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from made_folders import PIXEL_METRICS, TV_COLUMNS, noisy, picture, tensor
from needs import SHARED, needs

from iqbench import functional
from iqbench.boards.board import read_board
from iqbench.engine.scorer import Scorer
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.metrics.psnr import Psnr
from iqbench.results.read import load_scores
from iqbench.results.signature import parse_signature

DEFAULT_COLUMNS = [
    "psnr",
    "ssim",
    *(f"perceptual-vgg16-{layer}-l1" for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3")),
    "perceptual-vgg16-relu5_3-l1",
    "perceptual-vgg16-sum-l1",
    "lpips-alex",
    "lpips-vgg",
    *TV_COLUMNS,  # statistics follow what tells how good an output is
]


def expected(function, reference, output, **options):
    return float(function(tensor(reference), tensor(output), **options))


class TestValues:
    """The tables hold what the functions give for the same pixels."""

    @pytest.mark.parametrize(
        ("channels", "dtype"), [(3, np.uint8), (1, np.uint8), (3, np.uint16), (1, np.uint16)]
    )
    def test_pixel_metrics(self, made, channels, dtype):
        form = {"channels": channels, "dtype": dtype}
        made.references(("a",), **form)
        made.method(images=("a",), **form)
        made.evaluate(metrics=PIXEL_METRICS)
        pair = picture(0, **form), noisy(picture(0, **form), 4)
        found = {row.metric: row.value for row in made.scores().itertuples()}
        assert found["psnr"] == pytest.approx(expected(functional.psnr, *pair), abs=1e-4)
        assert found["ssim"] == pytest.approx(expected(functional.ssim, *pair), abs=1e-6)
        assert found["tv-ratio"] == pytest.approx(expected(functional.tv_ratio, *pair), abs=1e-6)
        residual = expected(functional.tv_residual, *pair)
        assert found["tv-residual"] == pytest.approx(residual, abs=1e-6)
        for form_of_tv in ("aniso", "iso", "sq"):
            for side, pixels in zip(("reference", "output"), pair, strict=True):
                value = float(functional.total_variation(tensor(pixels), form=form_of_tv))
                assert found[f"tv-{form_of_tv}-{side}"] == pytest.approx(value, abs=1e-6)

    def test_an_8_bit_output_of_a_16_bit_reference_counts_each_by_its_own_maximum(self, made):
        pixels = picture(0)
        write_png(made.root / "hr/a.png", pixels.astype(np.uint16) * 257)
        write_png(made.root / "out/mine/a.png", pixels)
        made.evaluate()
        assert made.values() == {("mine", "a"): pytest.approx(np.inf)}

    def test_a_gray_reference_takes_three_equal_channels_as_gray(self, made):
        made.references(("a",), channels=1)
        gray = noisy(picture(0, channels=1), 4)
        write_png(made.root / "out/gray/a.png", gray)
        write_png(made.root / "out/colour/a.png", np.repeat(gray, 3, axis=2))
        made.evaluate(metrics=PIXEL_METRICS)
        by_method = made.scores().pivot_table("value", "metric", "method", observed=True)
        assert (by_method["gray"] == by_method["colour"]).all()

    @pytest.mark.usefixtures("pretrained_networks")
    def test_default_metrics_are_these_columns_with_these_values(self, made):
        made.references(("a",), height=64, width=64)
        made.method(images=("a",), height=64, width=64)
        made.evaluate(metrics=())
        frame = load_scores(made.results, wide=True)
        assert list(frame.columns) == DEFAULT_COLUMNS
        pair = picture(0, 64, 64), noisy(picture(0, 64, 64), 4)
        (row,) = frame.to_dict("records")
        for net in ("alex", "vgg"):
            value = expected(functional.lpips, *pair, net=net)
            assert row[f"lpips-{net}"] == pytest.approx(value, abs=1e-5)
        layers = [name for name in frame if name.startswith("perceptual-vgg16-relu")]
        total = expected(functional.perceptual, *pair)
        assert row["perceptual-vgg16-sum-l1"] == pytest.approx(total, rel=1e-4)
        assert row["perceptual-vgg16-sum-l1"] == pytest.approx(
            sum(row[name] for name in layers), rel=1e-5
        )

    @needs(SHARED / "data/Set5")
    def test_set5_x2_reproduces_the_published_psnr_of_bicubic(self, made, monkeypatch):
        monkeypatch.setenv("IQBENCH_DATA", str(SHARED / "data"))
        for path in sorted((SHARED / "data/Set5/LR_bicubic_x2").iterdir()):
            small = cv2.imread(str(path))
            large = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            write_png(made.root / "out/cubic" / path.name, large[..., ::-1].copy())
        summary = made.evaluate(datasets=["Set5-x2"], metrics=("psnr", "ssim"))
        assert (summary.scored, summary.failures) == (5, [])
        # OpenCV's cubic has a = -0.75 and MATLAB's, of the published 33.66 dB, a = -0.5.
        assert np.mean(list(made.values().values())) == pytest.approx(33.66, abs=0.7)
        assert set(made.scores()["protocol"]) == {"sr-y:scale=2"}


class TestUndefined:
    def test_an_undefined_value_is_no_failure_and_the_method_is_complete(self, made):
        write_png(made.root / "hr/flat.png", np.full((24, 32, 3), 90, np.uint8))
        made.references(("a",))
        made.method(images=("a",))
        write_png(made.root / "out/mine/flat.png", picture(5))
        summary = made.evaluate(metrics=PIXEL_METRICS)
        assert (summary.scored, summary.failures) == (2, [])
        row = made.scores(metric="tv-ratio", image="flat").iloc[0]
        assert pd.isna(row["value"])
        assert row["error"].startswith("undefined: ")
        board = read_board(made.results, {}, shown="all").table.frame
        assert board["complete"].all()
        assert made.evaluate(metrics=PIXEL_METRICS).current == 2

    def test_an_image_too_small_for_a_window_has_the_other_values(self, made):
        made.references(("a",), height=8, width=8)
        made.method(images=("a",), height=8, width=8)
        assert made.evaluate(metrics=("psnr", "ssim")).failures == []
        frame = made.scores().set_index("metric")
        assert np.isfinite(frame.loc["psnr", "value"])
        assert frame.loc["ssim", "error"] == (
            "undefined: 8x8 pixels are too few for ssim, which needs at least 11x11"
        )

    def test_a_metric_that_gives_no_number_where_it_should_is_a_failure(self, made, monkeypatch):
        made.references()
        made.method()
        close = Psnr.close
        monkeypatch.setattr(Psnr, "close", lambda *args: close(*args) * torch.nan)
        summary = made.evaluate(metrics=("psnr", "ssim"))
        assert summary.scored == 0
        assert {failure.error for failure in summary.failures} == {
            "psnr: the value is not a number"
        }
        assert all(np.isfinite(value) for value in made.values("ssim").values())
        monkeypatch.undo()
        assert made.evaluate(metrics=("psnr", "ssim")).scored == 3

    def test_a_batch_that_cannot_be_computed_does_not_stop_the_rest(self, made, monkeypatch):
        made.references()
        made.method()
        start = Scorer.start

        def refuse_one(self, batch):
            if batch.references[0].name.endswith("b.png"):
                raise IqbenchError("b.png does not fit into the memory of the device")
            return start(self, batch)

        monkeypatch.setattr(Scorer, "start", refuse_one)
        summary = made.evaluate()
        assert summary.scored == 2
        assert made.errors() == {("mine", "b"): "b.png does not fit into the memory of the device"}
        assert made.values()["mine", "b"] is None


class TestProtocolsAndPrecisions:
    def test_each_protocol_has_its_own_column(self, made):
        made.references()
        made.method()
        made.evaluate()
        assert made.evaluate(protocol="sr-y:scale=4").scored == 3
        wide = load_scores(made.results, wide=True)
        assert len(wide.columns) == 2
        assert all(name.startswith("psnr [") for name in wide.columns)
        assert wide.notna().all(axis=None)
        for spec, view in (
            ("rgb", "rgb"),
            ("sr-y:scale=4", "luma-studio,uint8,modcrop4,crop4,gray-expand"),
        ):
            signatures = made.scores(protocol=spec)["signature"].unique()
            assert [parse_signature(text)["view"] for text in signatures] == [view]

    @pytest.mark.usefixtures("pretrained_networks")
    def test_each_precision_has_its_own_column_where_a_network_is_read(self, made):
        made.references(("a",), height=32)
        made.method(images=("a",), height=32)
        for precision in ("exact", "bf16"):
            made.evaluate(metrics=("psnr", "lpips"), precision=precision)
        wide = load_scores(made.results, wide=True)
        assert list(wide.columns) == [
            *("psnr", "lpips-alex [precision=bf16]", "lpips-alex [precision=exact]")
        ]
        exact, rough = wide.iloc[0, 2], wide.iloc[0, 1]
        assert exact != rough
        assert exact == pytest.approx(rough, rel=0.1)

    def test_a_dataset_scored_under_a_second_protocol_by_one_method_ranks_only_complete_ones(
        self, made
    ):
        made.references()
        for name in ("one", "two"):
            made.method(name)
        made.evaluate()
        made.evaluate(made.root / "out/one", metrics=("ssim",))
        board = read_board(made.results, {}).table.frame.set_index("method")
        assert board["complete"].to_dict() == {"one": True, "two": False}
        assert board.loc["one", "rank"] == 1
        assert pd.isna(board.loc["two", "rank"])
        only = read_board(made.results, {"metric": ("psnr",)}).table.frame
        assert only["complete"].all()
