"""A run over made folders, end to end: what is scored, with which values, under which names."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from made_folders import IMAGES, PIXEL_METRICS, noisy, picture

from iqbench import functional
from iqbench.engine.batching import BATCH_PIXELS
from iqbench.engine.compute import Compute
from iqbench.engine.manifest import manifest_of
from iqbench.engine.run import AHEAD
from iqbench.engine.scorer import Scorer
from iqbench.engine.sums import Scores
from iqbench.errors import IqbenchError
from iqbench.images.colour import luma_studio
from iqbench.images.tensors import to_tensor
from iqbench.images.write import write_png
from iqbench.metrics._registry import DEFAULT_METRICS
from iqbench.metrics.psnr import Psnr
from iqbench.report.overview import read_leaderboard
from iqbench.results.read import load_images, load_runs, load_scores, load_tasks
from iqbench.results.signature import parse_signature

SHARED = Path(__file__).parents[2] / "../shared"

TV_COLUMNS = [
    *(f"tv-{form}-{side}" for form in ("aniso", "iso", "sq") for side in ("output", "reference")),
    "tv-ratio",
    "tv-residual",
]
DEFAULT_COLUMNS = [
    "psnr",
    "ssim",
    *TV_COLUMNS,
    *(f"perceptual-vgg16-{layer}-l1" for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3")),
    "perceptual-vgg16-relu5_3-l1",
    "perceptual-vgg16-sum-l1",
    "lpips-alex",
    "lpips-vgg",
]


def tensor(pixels):
    return to_tensor(pixels, torch.device("cpu"))


def expected(function, reference, output, **options):
    return float(function(tensor(reference), tensor(output), **options))


class TestWhatIsScored:
    def test_one_method_against_a_folder_of_references(self, made):
        made.references()
        summary = made.evaluate(made.method())
        assert (summary.scored, summary.current) == (3, 0)
        assert summary.failures == summary.warnings == []
        frame = made.scores()
        assert list(frame.columns) == [
            *("dataset", "method", "image", "metric", "value", "error", "signature", "protocol")
        ]
        assert set(frame["dataset"]) == {"hr"}
        assert set(frame["method"]) == {"mine"}
        assert list(frame["image"]) == list(IMAGES)
        assert set(frame["protocol"]) == {"rgb"}
        assert frame["error"].isna().all()

    def test_several_methods_share_one_reading_of_each_reference(self, made, decoded):
        made.references()
        for name in ("one", "two", "three"):
            made.method(name)
        assert made.evaluate().scored == 9
        assert sorted(decoded) == sorted(
            f"{folder}/{image}.png" for folder in ("hr", "one", "two", "three") for image in IMAGES
        )

    def test_a_method_may_be_given_a_name(self, made):
        made.references()
        made.evaluate(f"SwinIR (L)={made.method('run7')}", made.method("other"))
        assert set(made.scores()["method"]) == {"SwinIR (L)", "other"}

    def test_references_may_be_given_a_name(self, made):
        made.references()
        made.evaluate(made.method(), dataset_name="validation")
        assert set(made.scores()["dataset"]) == {"validation"}

    def test_outputs_may_be_named_by_a_template(self, made):
        made.references()
        summary = made.evaluate(made.method(template="{}_x4"), output_name="{id}_x4")
        assert (summary.scored, summary.failures) == (3, [])

    def test_outputs_named_otherwise_are_all_missing_and_the_template_is_guessed(self, made):
        made.references()
        summary = made.evaluate(made.method(template="{}_x4"))
        assert len(summary.failures) == 3
        assert any("--output-name '{id}_x4'" in warning for warning in summary.warnings)

    def test_sub_folders_are_part_of_an_image_s_name(self, made):
        images = ("day/a", "night/a")
        made.references(images)
        made.evaluate(made.method(images=images))
        assert set(made.values()) == {("mine", "day/a"), ("mine", "night/a")}

    def test_extra_files_are_left_out_with_a_warning(self, made):
        made.references()
        summary = made.evaluate(made.method(images=(*IMAGES, "d")))
        assert summary.scored == 3
        (warning,) = summary.warnings
        assert "d.png" in warning
        assert "left out" in warning

    def test_what_is_no_image_beside_the_references_is_left_out_with_a_warning(self, made):
        hr = made.references()
        for name in ("d.txt", "a.csv", "b.csv", "c.json"):
            (hr / name).write_text("")
        (warning,) = made.evaluate(made.method()).warnings
        assert "none of its images: a.csv, b.csv, c.json and 1 more" in warning

    def test_a_copy_of_the_references_is_scored_and_pointed_out(self, made):
        hr = made.references()
        summary = made.evaluate(f"me={hr}")
        assert set(made.values().values()) == {np.inf}
        assert summary.warnings == [
            "method 'me': 3 of its files for 'hr' are byte for byte the references themselves"
        ]
        assert made.evaluate(f"me={hr}").warnings == summary.warnings

    def test_the_footer_says_what_the_run_was_made_with(self, made, monkeypatch):
        monkeypatch.setattr("sys.argv", ["/bin/iqbench", "evaluate", "--method", "my out\udcff"])
        made.references()
        made.evaluate(made.method())
        (run,) = load_runs(made.results)
        assert run.command == "iqbench evaluate --method 'my out\\udcff'"
        assert (run.device, run.precision, run.torch) == ("cpu", "exact", torch.__version__)
        assert run.versions["numpy"] == np.__version__

    def test_the_footer_names_the_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
        made_with = manifest_of(Compute(torch.device("cuda:1"), "tf32", 1))
        assert (made_with.device, made_with.precision) == ("cuda:1 (GPU of cuda:1)", "tf32")

    def test_a_package_that_goes_by_another_name_is_left_out_of_the_footer(self, made, monkeypatch):
        monkeypatch.setattr("iqbench.engine.manifest.PACKAGES", ("numpy", "opencv-of-conda"))
        made.references()
        made.evaluate(made.method())
        assert list(load_runs(made.results)[0].versions) == ["numpy"]

    def test_the_table_of_images_says_what_was_read(self, made):
        made.references(("a",), height=20, dtype=np.uint16)
        path = made.method(images=("a",), height=20, dtype=np.uint16) / "a.png"
        made.evaluate()
        (row,) = load_images(made.results).to_dict("records")
        found = {key: row[key] for key in ("height", "width", "channels", "bit_depth", "bytes")}
        assert found == {
            **{"height": 20, "width": 32, "channels": 3, "bit_depth": 16},
            "bytes": path.stat().st_size,
        }
        assert len(row["reference_digest"]) == len(row["output_digest"]) == 64


DATASETS = """
datasets:
  val-x4:
    task: super-resolution
    scale: 4
    protocol: sr-y:scale=4
    metrics: [psnr, tv]
    output_name: "{id}_x4"
    data: {layout: folder, references: val}
  other:
    metrics: [ssim]
    data: {layout: folder, references: other}
"""


class TestDatasetsFile:
    @pytest.fixture
    def file(self, made, monkeypatch) -> Path:
        monkeypatch.setenv("IQBENCH_DATA", str(made.root / "data"))
        file = made.root / "sets.yaml"
        file.write_text(DATASETS)
        made.references(folder="data/val", height=43, width=46)
        made.references(("x",), folder="data/other")
        return file

    def test_a_dataset_brings_its_protocol_metrics_and_output_names(self, made, file):
        made.method(folder="mine/val-x4", template="{}_x4", height=43, width=46)
        summary = made.evaluate(
            made.root / "out/mine", datasets=["val-x4"], datasets_file=file, metrics=()
        )
        assert (summary.scored, summary.failures) == (3, [])
        frame = made.scores()
        assert set(frame["dataset"]) == {"val-x4"}
        assert set(frame["protocol"]) == {"sr-y:scale=4"}
        assert set(frame["metric"]) == {"psnr", *TV_COLUMNS}
        assert load_tasks(made.results) == {"val-x4": "super-resolution"}

    def test_the_user_s_choices_go_before_the_dataset_s(self, made, file):
        made.method(folder="mine/val-x4", height=43, width=46)
        made.evaluate(
            made.root / "out/mine",
            datasets=["val-x4"],
            datasets_file=file,
            metrics=["ssim"],
            protocol="rgb",
            output_name="{id}",
        )
        frame = made.scores()
        assert set(frame["metric"]) == {"ssim"}
        assert set(frame["protocol"]) == {"rgb"}
        assert frame["value"].notna().all()

    def test_luma_under_a_protocol_with_modcrop_fits_both_sizes(self, made, file):
        """A method may have cut its output to the multiple of the scale, or not."""
        made.method("cut", folder="cut/val-x4", template="{}_x4", height=43, width=46)
        made.method("full", folder="full/val-x4", template="{}_x4", height=43, width=46)
        for path in (made.root / "out/cut/val-x4").iterdir():
            write_png(path, cv2.imread(str(path))[:40, :44, ::-1].copy())
        options = {"datasets": ["val-x4"], "datasets_file": file, "metrics": ("psnr", "tv")}
        assert made.evaluate(**options).failures == []
        reference = picture(0, 43, 46)
        output = noisy(reference, 3)
        scored = slice(4, 36), slice(4, 40)
        luma = [luma_studio(tensor(np.ascontiguousarray(p[scored]))) for p in (reference, output)]
        values = made.values()
        assert values["cut", "a"] == pytest.approx(float(functional.psnr(*luma)), abs=1e-4)
        colour = [tensor(np.ascontiguousarray(p[scored])) for p in (reference, output)]
        ratio = made.values("tv-ratio")["cut", "a"]
        assert ratio == pytest.approx(float(functional.tv_ratio(*colour)), abs=1e-5)
        full = load_images(made.results).query("method == 'full' and image == 'a'")
        assert (full["height"].item(), full["width"].item()) == (43, 46)

    def test_several_datasets_each_in_its_own_sub_folder(self, made, file):
        made.method(folder="mine/val-x4", template="{}_x4", height=43, width=46)
        made.method(folder="mine/other", images=("x",))
        made.method("second", folder="second/other", images=("x",))
        summary = made.evaluate(datasets=["val-x4", "other"], datasets_file=file, metrics=())
        assert (summary.scored, summary.failures) == (5, [])
        assert summary.warnings == [
            "method 'second' did not attempt dataset 'val-x4': there is no folder "
            f"{made.root / 'out/second/val-x4'}"
        ]
        assert set(made.scores(dataset="other")["metric"]) == {"ssim"}
        assert set(made.scores(dataset="other")["method"]) == {"mine", "second"}

    def test_progress_is_told_dataset_by_dataset(self, made, file):
        class Listener:
            def __init__(self):
                self.heard = []

            def begin(self, what, total):
                self.heard.append([what, total, 0])

            def advance(self, done):
                self.heard[-1][2] += done

        made.method(folder="mine/val-x4", template="{}_x4", height=43, width=46)
        made.method(folder="mine/other", images=("x",))
        made.method("second", folder="second/other", images=("x",))
        (made.root / "out/second/other/x.png").write_bytes(b"")
        for _ in range(2):  # computed, then known
            listener = Listener()
            made.evaluate(datasets=["val-x4", "other"], datasets_file=file, reporter=listener)
            assert listener.heard == [["val-x4", 3, 3], ["other", 2, 2]]

    def test_results_of_another_version_stop_a_run_before_anything_is_computed(
        self, made, file, monkeypatch
    ):
        made.method(folder="mine/val-x4", template="{}_x4", height=43, width=46)
        made.method(folder="mine/other", images=("x",))
        folder = made.results / "scores" / "other" / "mine"
        folder.mkdir(parents=True)
        pd.DataFrame({"value": [1.0]}).to_parquet(folder / "0-old.parquet")
        monkeypatch.setattr(Scorer, "start", None)
        with pytest.raises(IqbenchError, match="written by another version") as caught:
            made.evaluate(datasets=["val-x4", "other"], datasets_file=file)
        assert "0-old.parquet" in caught.value.message
        assert made.errors()["mine", "a"] == "not scored yet"


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

    @pytest.mark.skipif(not (SHARED / "data/Set5").is_dir(), reason="../shared/data is not there")
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
    def test_what_does_not_exist_is_no_failure_and_leaves_the_method_complete(self, made):
        write_png(made.root / "hr/flat.png", np.full((24, 32, 3), 90, np.uint8))
        made.references(("a",))
        made.method(images=("a",))
        write_png(made.root / "out/mine/flat.png", picture(5))
        summary = made.evaluate(metrics=PIXEL_METRICS)
        assert (summary.scored, summary.failures) == (2, [])
        row = made.scores(metric="tv-ratio", image="flat").iloc[0]
        assert pd.isna(row["value"])
        assert row["error"].startswith("undefined: ")
        board = read_leaderboard(made.results, {}, shown="all").board
        assert board["complete"].all()
        assert made.evaluate(metrics=PIXEL_METRICS).current == 2

    def test_an_image_too_small_for_a_window_has_the_other_values(self, made):
        made.references(("a",), height=8, width=8)
        made.method(images=("a",), height=8, width=8)
        assert made.evaluate(metrics=("psnr", "ssim")).failures == []
        frame = made.scores().set_index("metric")
        assert np.isfinite(frame.loc["psnr", "value"])
        assert frame.loc["ssim", "error"] == (
            "undefined: 8x8 pixels are too few for windows of 11x11 pixels"
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
        for spec, view in (("rgb", "rgb"), ("sr-y:scale=4", "luma-studio,uint8,modcrop4,crop4")):
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
        board = read_leaderboard(made.results, {}).board.set_index("method")
        assert board["complete"].to_dict() == {"one": True, "two": False}
        assert board.loc["one", "rank"] == 1
        assert pd.isna(board.loc["two", "rank"])
        only = read_leaderboard(made.results, {"metric": ("psnr",)}).board
        assert only["complete"].all()


def test_tables_are_read_by_others_too(made):
    made.references()
    made.evaluate(f"001={made.method()}")
    frame = pd.read_parquet(made.results / "scores")
    assert set(frame["method"]) == {"001"}
    assert set(frame["image"]) == set(IMAGES)


@pytest.mark.parametrize(
    "name",
    ["<b>bold</b>", "été 漢字", "a|b`c*", "..", "con", "[red]x[/red]", "x=y", "-rf"],
)
def test_names_of_any_kind_come_back_as_they_are(made, name):
    made.references()
    folder = made.method()
    made.evaluate(f"{name}={folder}" if "=" not in name else _renamed(folder, name))
    assert set(made.scores()["method"]) == {name}
    outside = [path for path in made.root.rglob("*.parquet") if made.results not in path.parents]
    assert outside == []
    read_leaderboard(made.results, {"method": (name,)})


def _renamed(folder, name):
    return folder.rename(folder.with_name(name))


def test_images_of_any_name_come_back_as_they_are(made):
    images = ("<img src=x>", "漢字", "a b", "a'b\"c", "$(x)", "{id}")
    made.references(images)
    made.evaluate(made.method(images=images))
    assert {image for _, image in made.values()} == set(images)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "bad\udcff"])
def test_names_that_cannot_be_printed_are_refused_for_references(made, name):
    hr = made.references()
    made.method()
    (hr / "a.png").rename(hr / f"{name}.png")
    with pytest.raises(IqbenchError, match="cannot be used as a name"):
        made.evaluate()
    assert made.files() == {}


def test_a_folder_whose_name_is_no_text_can_still_be_named_and_read(made):
    made.references()
    folder = made.method()
    odd = os.fsdecode(os.fsencode(folder) + b"\xff\x1b[31m\n")
    folder.rename(odd)
    Path(odd, "b.png").unlink()
    summary = made.evaluate(f"odd={odd}")
    assert summary.scored == 2
    assert made.errors()["odd", "b"].startswith("missing output: no b.* in ")
    assert "\\udcff" in made.errors()["odd", "b"]
