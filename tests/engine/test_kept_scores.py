"""Scores that are kept although their outputs are not found, and rows that are removed."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from made_folders import noisy, picture

from iqbench.api import Evaluation, run_evaluation
from iqbench.engine.scorer import Scorer
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.results.read import load_scores


class TestNames:
    @pytest.fixture
    def scored(self, made):
        made.references()
        made.method("plain")
        made.method("suffixed", template="{}_x4")
        made.evaluate(made.root / "out/plain")
        return made

    def test_a_template_that_fits_another_method_leaves_the_scores(self, scored):
        old = scored.values()
        summary = scored.evaluate(output_name="{id}_x4")
        assert summary.scored == 3
        assert {failure.method for failure in summary.failures} == {"plain"}
        assert "Its scores stay in the tables: they are of" in summary.failures[0].error
        assert old.items() <= scored.values().items()
        assert scored.errors() == {}

    def test_a_changed_file_does_not(self, scored):
        write_png(scored.root / "out/plain/b.png", noisy(picture(1), 77))
        scored.evaluate(output_name="{id}_x4")
        assert set(scored.errors()) == {("plain", "b")}

    def test_neither_does_a_changed_reference(self, scored):
        write_png(scored.root / "hr/b.png", picture(9))
        scored.evaluate(output_name="{id}_x4")
        assert set(scored.errors()) == {("plain", "b")}

    def test_a_file_that_is_the_output_of_another_image_keeps_no_scores(self, scored):
        folder = scored.root / "out/plain"
        (folder / "a.png").replace(folder / "b.png")
        scored.evaluate(folder)
        assert set(scored.errors()) == {("plain", "a")}

    def test_a_template_of_one_method_removes_no_scores(self, scored):
        old = scored.values()
        plain, suffixed = (scored.root / "out" / name for name in ("plain", "suffixed"))
        summary = scored.evaluate(f"plain={plain}/{{id}}_x4", f"suffixed={suffixed}/{{id}}_x4")
        assert summary.scored == 3
        assert old.items() <= scored.values().items()

    def test_several_files_of_an_image_remove_no_scores(self, scored):
        """The template now also finds a file that was none of the method's outputs."""
        old = scored.values()
        write_png(scored.root / "out/plain/b.bmp", noisy(picture(1), 77))
        summary = scored.evaluate(scored.root / "out/plain")
        (failure,) = summary.failures
        assert "ambiguous output" in failure.error
        assert "Its scores stay in the tables" in failure.error
        assert scored.values() == old
        write_png(scored.root / "out/plain/b.png", noisy(picture(1), 78))
        scored.evaluate(scored.root / "out/plain")
        assert set(scored.errors()) == {("plain", "b")}

    def test_a_folder_with_the_name_of_the_dataset_removes_no_scores(self, scored):
        old = scored.values()
        write_png(scored.root / "out/plain/hr/d.png", picture(4))
        summary = scored.evaluate(scored.root / "out/plain")
        assert len(summary.failures) == 3
        assert all("Its scores stay in the tables" in one.error for one in summary.failures)
        assert scored.values() == old

    def test_values_of_sets_stay_too(self, scored):
        plain = scored.root / "out/plain"
        fid = ("fid:resizer=pytorch",)
        scored.evaluate(plain, metrics=fid)
        old = load_scores(scored.results, scope="set")
        scored.evaluate(plain, metrics=fid, output_name="{id}_x4")
        now = load_scores(scored.results, scope="set")
        pd.testing.assert_frame_equal(old, now)


class TestFolders:
    """Outputs of two datasets, which this run looks for in METHOD/DATASET/."""

    @pytest.fixture
    def scored(self, made):
        made.references()
        shutil.copytree(made.root / "hr", made.root / "other")
        made.method("mine")
        made.evaluate(made.root / "out/mine")
        (made.root / "out/mine/other").mkdir()
        for file in (made.root / "out/mine").glob("*.png"):
            write_png(made.root / "out/mine/other" / file.name, noisy(picture(3), 5))
        return made

    def both(self, scored):
        file = scored.root / "datasets.yaml"
        blocks = "".join(
            f"  {name}:\n    data: {{layout: folder, references: {name}}}\n"
            for name in ("hr", "other")
        )
        file.write_text(f"root: {scored.root}\ndatasets:\n{blocks}", encoding="utf-8")
        return run_evaluation(
            Evaluation(
                methods=[f"mine={scored.root / 'out/mine'}"],
                datasets=["hr", "other"],
                datasets_file=file,
                metrics=["psnr"],
                results=scored.results,
                device="cpu",
            )
        )

    def test_scores_of_unchanged_files_elsewhere_stay(self, scored):
        old = scored.values(dataset="hr")
        summary = self.both(scored)
        assert scored.values(dataset="hr") == old
        told = [failure for failure in summary.failures if failure.dataset == "hr"]
        assert len(told) == 3
        assert all("Its scores stay in the tables" in failure.error for failure in told)

    def test_scores_of_files_that_are_gone_do_not(self, scored):
        for file in (scored.root / "out/mine").glob("*.png"):
            file.unlink()
        self.both(scored)
        assert scored.errors().keys() == {("mine", image) for image in ("a", "b", "c")}
        assert set(scored.scores()["dataset"]) == {"other"}


class TestOtherReaders:
    def test_images_that_were_taken_out_are_in_no_row_of_scores(self, made):
        made.references()
        made.method()
        made.evaluate()
        for folder in ("hr", "out/mine"):
            (made.root / folder / "b.png").unlink()
        made.evaluate()
        frame = pd.read_parquet(made.results / "scores")
        assert sorted(frame["image"]) == ["a", "c"]

    def test_values_of_older_files_are_not_shown(self, made):
        made.references()
        made.method()
        made.evaluate(metrics=("psnr", "ssim"))
        write_png(made.root / "out/mine/b.png", noisy(picture(1), 77))
        made.evaluate(metrics=("psnr",))
        frame = pd.read_parquet(made.results / "scores")
        assert len(frame[frame["image"] == "b"]) == 1


class TestRemoved:
    @pytest.mark.parametrize("part", [".", "images", "scores"])
    @pytest.mark.parametrize("known", [False, True])
    def test_a_folder_that_is_removed_during_the_run_is_an_error(
        self, made, monkeypatch, part, known
    ):
        made.references()
        made.method()
        if known:
            made.evaluate()
            write_png(made.root / "out/mine/c.png", noisy(picture(2), 77))
        start = Scorer.start

        def remove(self, batch):
            if batch.references[0].name.endswith("c.png"):
                made.results.joinpath(part).mkdir(parents=True, exist_ok=True)
                shutil.rmtree(made.results / part)
            return start(self, batch)

        monkeypatch.setattr(Scorer, "start", remove)
        monkeypatch.setattr("iqbench.results.store.FLUSH_SECONDS", 0)
        with pytest.raises(IqbenchError, match="are not there any more") as caught:
            made.evaluate()
        assert str(made.results) in caught.value.message
        monkeypatch.undo()
        made.evaluate()
        assert len(made.values()) == 3
