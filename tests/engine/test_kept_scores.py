"""Scores that stay although their outputs are not found, and rows that have gone."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from made_folders import noisy, picture

from iqbench.engine.scorer import Scorer
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png


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

    def test_neither_does_a_file_that_is_the_output_of_another_image(self, scored):
        folder = scored.root / "out/plain"
        (folder / "a.png").replace(folder / "b.png")
        scored.evaluate(folder)
        assert set(scored.errors()) == {("plain", "a")}


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

    def test_neither_are_values_of_older_files(self, made):
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
