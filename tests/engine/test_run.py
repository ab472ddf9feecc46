"""A run over made folders, end to end: its rows, values and names."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from made_folders import IMAGES, TV_COLUMNS, noisy, picture, tensor

from iqbench import functional
from iqbench.engine.compute import Compute
from iqbench.engine.manifest import manifest_of
from iqbench.engine.scorer import Scorer
from iqbench.errors import IqbenchError
from iqbench.images.colour import luma_studio
from iqbench.images.write import write_png
from iqbench.results.read import iter_datasets, load_images, load_runs


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

    def test_other_files_beside_the_references_are_left_out_with_a_warning(self, made):
        hr = made.references()
        for name in ("d.txt", "a.csv", "b.csv", "c.json"):
            (hr / name).write_text("")
        (warning,) = made.evaluate(made.method()).warnings
        assert "not images of it: a.csv, b.csv, c.json and 1 more" in warning

    def test_a_copy_of_the_references_is_scored_and_pointed_out(self, made):
        hr = made.references()
        summary = made.evaluate(f"me={hr}")
        assert set(made.values().values()) == {np.inf}
        assert summary.warnings == [
            "method 'me': every output for 'hr' has exactly the pixels of its reference. The "
            "references were scored against themselves: check the method's folder"
        ]
        assert made.evaluate(f"me={hr}").warnings == summary.warnings

    def test_so_are_equal_pixels_in_other_bytes(self, made):
        made.references()
        for seed, image in enumerate(IMAGES):
            path = made.root / "out/mine" / f"{image}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture(seed)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 0])
        (warning,) = made.evaluate().warnings
        assert "every output for 'hr' has exactly the pixels of its reference" in warning

    def test_some_outputs_that_are_their_references_are_named(self, made):
        made.references()
        write_png(made.method() / "b.png", picture(1))
        assert made.evaluate().warnings == [
            "method 'mine': 1 of its 3 outputs for 'hr' have exactly the pixels of their "
            "references: b"
        ]

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
        (tables,) = iter_datasets(made.results)
        assert (tables.dataset, tables.task) == ("val-x4", "super-resolution")

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

    def test_progress_is_reported_for_each_dataset(self, made, file):
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
