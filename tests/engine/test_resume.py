"""A second run computes nothing twice and shows nothing stale, however the first one ended."""

from __future__ import annotations

import os

import pytest
from made_folders import IMAGES, Made, noisy, picture

from iqbench.boards.board import read_board
from iqbench.images.write import write_png


@pytest.fixture
def scored(made, decoded) -> Made:
    """Two methods, scored; ``decoded`` hears of what comes after."""
    made.references()
    for name in ("one", "two"):
        made.method(name)
    made.evaluate()
    decoded.clear()
    return made


PSNR = frozenset({"psnr"})


class TestWhatIsComputedAgain:
    def test_nothing(self, scored, decoded, computed):
        before = scored.files()
        summary = scored.evaluate()
        assert (summary.scored, summary.current) == (0, 6)
        assert decoded == computed == []
        assert scored.files() == before

    def test_everything_if_asked_for(self, scored, computed):
        before = scored.scores()
        assert scored.evaluate(recompute=True).scored == 6
        assert computed == [(2, PSNR)] * 3
        assert scored.scores().equals(before)

    def test_a_changed_output(self, scored, decoded, computed):
        old = scored.values()
        write_png(scored.root / "out/two/b.png", noisy(picture(1), 99))
        summary = scored.evaluate()
        assert (summary.scored, summary.current) == (1, 5)
        assert sorted(decoded) == ["hr/b.png", "two/b.png"]
        assert computed == [(1, PSNR)]
        new = scored.values()
        assert new.pop(("two", "b")) != old.pop(("two", "b"))
        assert new == old

    def test_a_changed_reference_for_all_methods(self, scored, decoded, computed):
        old = scored.values()
        write_png(scored.root / "hr/b.png", noisy(picture(1), 99))
        assert scored.evaluate().scored == 2
        assert sorted(decoded) == ["hr/b.png", "one/b.png", "two/b.png"]
        assert computed == [(2, PSNR)]
        assert {key for key, value in scored.values().items() if value != old[key]} == {
            *(("one", "b"), ("two", "b"))
        }

    def test_a_file_that_was_only_touched_is_not(self, scored, decoded):
        os.utime(scored.root / "out/two/b.png", (1, 1))
        assert scored.evaluate().current == 6
        assert decoded == []

    def test_a_new_metric_alone(self, scored, computed):
        old = scored.values()
        assert scored.evaluate(metrics=("psnr", "ssim")).scored == 6
        assert computed == [(2, frozenset({"ssim"}))] * 3
        assert scored.values() == old
        assert len(scored.values("ssim")) == 6

    def test_a_new_method_alone(self, scored, decoded):
        scored.method("three")
        summary = scored.evaluate()
        assert (summary.scored, summary.current) == (3, 6)
        assert sorted(decoded) == sorted(f"{f}/{i}.png" for f in ("hr", "three") for i in IMAGES)

    def test_a_new_image_alone(self, scored, decoded):
        images = (*IMAGES, "d")
        scored.references(images)
        for name in ("one", "two"):
            scored.method(name, images)
        assert scored.evaluate().scored == 2
        assert sorted(decoded) == ["hr/d.png", "one/d.png", "two/d.png"]

    def test_outputs_that_miss_different_columns_of_one_image(self, scored, computed):
        scored.evaluate(scored.root / "out/one", metrics=("ssim",))
        computed.clear()
        assert scored.evaluate(metrics=("psnr", "ssim")).scored == 3
        assert computed == [(1, frozenset({"ssim"}))] * 3

    def test_what_failed_is_tried_again(self, scored):
        path = scored.root / "out/two/b.png"
        whole = path.read_bytes()
        path.write_bytes(whole[:-9])
        for _ in range(2):
            (failure,) = scored.evaluate().failures
            assert str(path) in failure.error
            assert scored.values()["two", "b"] is None
        path.write_bytes(whole)
        summary = scored.evaluate()
        assert (summary.scored, summary.failures) == (1, [])
        assert scored.values()["two", "b"] is not None
        assert scored.errors() == {}

    def test_what_was_missing_is_scored_once_it_is_there(self, scored):
        scored.method("three", images=("a", "b"))
        assert len(scored.evaluate().failures) == 1
        scored.method("three")
        assert scored.evaluate().scored == 1
        assert scored.errors() == {}


class TestNothingStale:
    def test_a_vanished_output_takes_its_score_along(self, scored):
        (scored.root / "out/two/b.png").unlink()
        (failure,) = scored.evaluate().failures
        assert failure.error.startswith("missing output")
        assert scored.values()["two", "b"] is None
        board = read_board(scored.results, {}).table.frame.set_index("method")
        assert board["complete"].to_dict() == {"one": True, "two": False}
        assert board["n"].to_dict() == {"one": 3, "two": 2}

    def test_scores_of_metrics_that_are_not_requested_are_kept(self, scored):
        (scored.root / "out/two/b.png").unlink()
        scored.evaluate(metrics=("ssim",))
        assert ("two", "b") not in scored.values("psnr")

    def test_all_outputs_of_a_vanished_method_are_failures(self, scored):
        for path in (scored.root / "out/two").iterdir():
            path.unlink()
        summary = scored.evaluate()
        assert [(failure.method, failure.image) for failure in summary.failures] == [
            *(("two", "a"), ("two", "b"), ("two", "c"))
        ]
        assert "did not attempt dataset 'hr'" in summary.failures[0].error
        assert [scored.values()["two", image] for image in "abc"] == [None] * 3
        board = read_board(scored.results, {}).table.frame.set_index("method")
        assert board["complete"].to_dict() == {"one": True, "two": False}
        scored.method("two")
        assert scored.evaluate().scored == 3

    def test_even_where_no_method_has_anything_left_for_the_dataset(self, scored, tmp_path):
        scored.references(folder="sets/more")
        scored.references(folder="sets/hr")
        file = tmp_path / "sets.yaml"
        file.write_text(
            "root: sets\ndatasets:\n"
            "  hr: {data: {layout: folder, references: hr}}\n"
            "  more: {data: {layout: folder, references: more}}\n"
        )
        for name in ("one", "two"):
            for output in (scored.root / "out" / name).glob("*.png"):
                output.unlink()
            scored.method(name, folder=f"{name}/more")
        both = {"datasets": ("hr", "more"), "datasets_file": file}
        assert len(scored.evaluate(**both).failures) == 6
        assert set(scored.scores()["dataset"]) == {"more"}

    def test_a_method_without_a_single_output_is_listed_with_none(self, scored):
        (scored.root / "out/three").mkdir()
        summary = scored.evaluate()
        assert [(failure.method, failure.image) for failure in summary.failures] == [
            ("three", image) for image in IMAGES
        ]
        assert summary.failures[0].error.startswith(
            "missing output: method 'three' did not attempt dataset 'hr'"
        )
        board = read_board(scored.results, {}).table.frame.set_index("method")
        assert board["n"].to_dict() == {"one": 3, "two": 3, "three": 0}
        assert board["complete"].to_dict() == {"one": True, "two": True, "three": False}

    def test_a_vanished_reference_takes_its_image_along(self, scored):
        (scored.root / "hr/b.png").unlink()
        summary = scored.evaluate()
        assert (summary.current, summary.failures) == (4, [])
        assert {image for _, image in scored.values()} == {"a", "c"}
        board = read_board(scored.results, {}).table.frame
        assert board["complete"].all()
        assert set(board["expected"]) == {2}

    def test_a_broken_output_takes_its_score_along(self, scored):
        (scored.root / "out/two/b.png").write_bytes(b"")
        scored.evaluate()
        assert scored.values()["two", "b"] is None

    def test_a_broken_reference_takes_the_scores_of_all_methods_along(self, scored):
        (scored.root / "hr/b.png").write_bytes(b"")
        scored.evaluate()
        assert {key for key, value in scored.values().items() if value is None} == {
            *(("one", "b"), ("two", "b"))
        }

    def test_what_is_known_of_the_same_files_survives_a_run_that_cannot_score_them(
        self, scored, monkeypatch
    ):
        old = scored.values()
        monkeypatch.setenv("IQBENCH_MAX_PIXELS", "100")
        assert len(scored.evaluate(metrics=("psnr", "ssim")).failures) == 6
        assert scored.values() == old
