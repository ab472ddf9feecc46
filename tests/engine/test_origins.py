"""A dataset or method with a known name from another path: the same files, or refused."""

from __future__ import annotations

import json
import shutil

import pyarrow.parquet as pq
import pytest
from made_folders import IMAGES, noisy, picture

import iqbench
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.results.read import load_scores


def evaluate(made, method, reference, **options):
    return made.evaluate(
        str(made.root / method) if "=" not in method else method,
        reference=made.root / reference,
        **options,
    )


@pytest.fixture
def sets(made):
    """Two datasets in folders of one name, and a method's outputs of each."""
    for number, (name, images) in enumerate((("Set5", "abc"), ("Set14", "xyz"))):
        for seed, image in enumerate(images):
            pixels = picture(10 * number + seed)
            write_png(made.root / name / "HR" / f"{image}.png", pixels)
            write_png(made.root / name / "mine" / f"{image}.png", noisy(pixels))
    return made


class TestDatasets:
    def test_another_folder_of_the_same_name_is_refused_and_nothing_is_lost(self, sets):
        evaluate(sets, "Set5/mine", "Set5/HR")
        before = sets.files()
        with pytest.raises(IqbenchError, match="scores of another dataset 'HR'") as caught:
            evaluate(sets, "Set14/mine", "Set14/HR")
        message = caught.value.message
        assert str(sets.root / "Set5/HR") in message
        assert str(sets.root / "Set14/HR") in message
        assert "3 of 3 images are not there: a, b, c" in message
        assert "--dataset-name" in caught.value.hint
        assert "--replace" in caught.value.hint
        assert sets.files() == before

    def test_a_set_with_the_same_ids_and_another_method_is_refused(self, sets):
        evaluate(sets, "Set5/mine", "Set5/HR")
        for image, other in zip("abc", "xyz", strict=True):
            (sets.root / f"Set14/HR/{other}.png").rename(sets.root / f"Set14/HR/{image}.png")
            (sets.root / f"Set14/mine/{other}.png").rename(sets.root / f"Set14/mine/{image}.png")
        with pytest.raises(IqbenchError, match="3 of 3 files differ: a, b, c"):
            evaluate(sets, f"new={sets.root / 'Set14/mine'}", "Set14/HR")

    def test_a_part_of_the_dataset_under_its_name_is_refused(self, sets):
        evaluate(sets, "Set5/mine", "Set5/HR")
        for image in "ab":
            write_png(sets.root / "smoke/HR" / f"{image}.png", picture("ab".index(image)))
        with pytest.raises(IqbenchError, match="1 of 3 images are not there: c"):
            evaluate(sets, "Set5/mine", "smoke/HR")
        assert len(sets.values()) == 3

    def test_names_keep_them_apart(self, sets):
        evaluate(sets, "Set5/mine", "Set5/HR")
        summary = evaluate(sets, "Set14/mine", "Set14/HR", dataset_name="Set14", replace=False)
        assert summary.scored == 3
        assert set(sets.scores()["dataset"]) == {"HR", "Set14"}

    def test_it_is_replaced_on_purpose_for_all_methods(self, sets):
        evaluate(sets, "Set5/mine", "Set5/HR")
        evaluate(sets, f"other={sets.root / 'Set5/mine'}", "Set5/HR")
        summary = evaluate(sets, "Set14/mine", "Set14/HR", replace=True)
        assert summary.scored == 3
        assert any("the scores of method 'other'" in warning for warning in summary.warnings)
        assert set(sets.values()) == {("mine", image) for image in "xyz"}
        assert evaluate(sets, "Set14/mine", "Set14/HR").current == 3

    @pytest.mark.parametrize("more", [(), ("d",)])
    def test_the_same_files_elsewhere_are_the_same_dataset(self, sets, more):
        evaluate(sets, "Set5/mine", "Set5/HR")
        shutil.copytree(sets.root / "Set5/HR", sets.root / "copy/HR")
        for image in more:
            write_png(sets.root / "copy/HR" / f"{image}.png", picture(9))
            write_png(sets.root / "Set5/mine" / f"{image}.png", noisy(picture(9)))
        summary = evaluate(sets, "Set5/mine", "copy/HR")
        assert (summary.current, summary.scored) == (3, len(more))

    def test_a_link_to_the_folder_is_the_folder(self, sets):
        evaluate(sets, "Set5/mine", "Set5/HR")
        (sets.root / "link").symlink_to(sets.root / "Set5", target_is_directory=True)
        write_png(sets.root / "Set5/HR/a.png", picture(77))  # the user's own change
        assert evaluate(sets, "Set5/mine", "link/HR").scored == 1

    def test_changed_files_are_scored_again(self, sets):
        evaluate(sets, "Set5/mine", "Set5/HR")
        (sets.root / "Set5/HR/a.png").unlink()
        write_png(sets.root / "Set5/HR/b.png", picture(77))
        summary = evaluate(sets, "Set5/mine", "Set5/HR")
        assert (summary.scored, summary.current) == (1, 1)

    def test_a_file_of_pairs_elsewhere_is_another_dataset(self, sets):
        for name, images in (("Set5", "abc"), ("Set14", "xyz")):
            rows = [f"HR/{image}.png,mine/{image}.png" for image in images]
            text = "\n".join(["reference,output", *rows])
            (sets.root / name / "pairs.csv").write_text(text)
        options = {"metrics": ("psnr",), "results": sets.results, "device": "cpu"}
        iqbench.evaluate(pairs=sets.root / "Set5/pairs.csv", **options)
        with pytest.raises(IqbenchError, match="another dataset 'pairs', from "):
            iqbench.evaluate(pairs=sets.root / "Set14/pairs.csv", **options)


class TestMethods:
    @pytest.fixture
    def runs(self, made):
        """One method's outputs of two experiments, in folders of one name."""
        made.references()
        for name, amount in (("exp1", 5), ("exp2", 12)):
            made.method(folder=f"{name}/out", amount=amount)
        return made

    def test_another_folder_of_the_same_name_is_refused_and_nothing_is_lost(self, runs):
        evaluate(runs, "out/exp1/out", "hr")
        before = runs.files()
        with pytest.raises(IqbenchError, match="another method 'out' on 'hr'") as caught:
            evaluate(runs, "out/exp2/out", "hr")
        assert "3 of 3 files differ" in caught.value.message
        assert "--method NAME=DIR" in caught.value.hint
        assert runs.files() == before

    def test_a_name_keeps_them_apart(self, runs):
        evaluate(runs, "out/exp1/out", "hr")
        evaluate(runs, f"exp2={runs.root / 'out/exp2/out'}", "hr")
        assert set(runs.scores()["method"]) == {"out", "exp2"}

    def test_it_is_replaced_on_purpose(self, runs):
        evaluate(runs, "out/exp1/out", "hr")
        old = runs.values()
        assert evaluate(runs, "out/exp2/out", "hr", replace=True).scored == 3
        assert all(value < old[key] for key, value in runs.values().items())
        assert evaluate(runs, "out/exp2/out", "hr").current == 3

    def test_the_same_files_elsewhere_are_the_same_method(self, runs):
        evaluate(runs, "out/exp1/out", "hr")
        shutil.move(runs.root / "out/exp1", runs.root / "archive")
        assert evaluate(runs, "archive/out", "hr").current == 3

    def test_outputs_that_are_missing_elsewhere_do_not_withdraw_scores(self, runs):
        evaluate(runs, "out/exp1/out", "hr")
        for image in "ab":
            (runs.root / f"out/exp2/out/{image}.png").unlink()
        with pytest.raises(IqbenchError, match="another method 'out'"):
            evaluate(runs, "out/exp2/out", "hr")
        for path in (runs.root / "out/exp2/out").iterdir():
            path.rename(path.with_suffix(".txt"))
        with pytest.raises(IqbenchError, match="another method 'out'"):
            runs.evaluate(runs.root / "out/exp2/out", runs.method("beside"))
        assert len(runs.values()) == 3

    def test_a_second_dataset_of_one_method_is_no_conflict(self, runs):
        runs.references(("x",), folder="more")
        runs.method(images=("x",), folder="exp2/out/more")
        evaluate(runs, "out/exp1/out", "hr")
        assert evaluate(runs, "out/exp2/out", "more").scored == 1

    def test_two_of_one_run_are_refused(self, runs):
        with pytest.raises(IqbenchError, match="two methods are called 'out'"):
            runs.evaluate(runs.root / "out/exp1/out", runs.root / "out/exp2/out")


class TestProjects:
    """A project that is checked out elsewhere, with its results, goes on as it was."""

    def test_changed_outputs_are_scored_again(self, made):
        for name in ("build-1", "build-2"):
            made.references(folder=f"{name}/hr")
            for seed, image in enumerate(IMAGES):
                changed = noisy(picture(seed), seed, 5 if name == "build-1" else 12)
                write_png(made.root / name / "mine" / f"{image}.png", changed)
        evaluate(made, "build-1/mine", "build-1/hr", results=made.root / "build-1/results")
        shutil.move(made.root / "build-1/results", made.root / "build-2/results")
        shutil.rmtree(made.root / "build-1")
        summary = evaluate(
            made, "build-2/mine", "build-2/hr", results=made.root / "build-2/results"
        )
        assert summary.scored == 3

    def test_results_of_another_machine_are_verified_by_digests(self, made):
        made.references()
        made.method()
        evaluate(made, "out/mine", "hr")
        folder = made.root / "data/mine"
        shutil.move(made.root / "out/mine", folder)
        shutil.move(made.results, made.root / "elsewhere/deep/results")
        moved = made.root / "elsewhere/deep/results"
        shutil.move(made.root / "hr", made.root / "data/hr")
        options = {"reference": made.root / "data/hr", "results": moved}
        assert made.evaluate(folder, **options).current == 3
        write_png(folder / "b.png", picture(50))
        with pytest.raises(IqbenchError, match="1 of 3 files differ: b"):
            made.evaluate(folder, **options)

    def test_tables_that_say_nothing_of_origins_are_continued(self, made, monkeypatch):
        made.references()
        made.method()
        monkeypatch.setattr("iqbench.engine.run.origins_of", lambda *_: {})
        made.evaluate()
        monkeypatch.undo()
        shutil.move(made.root / "out/mine", made.root / "new/mine")
        write_png(made.root / "new/mine/b.png", picture(50))
        assert evaluate(made, "new/mine", "hr").scored == 1

    def test_origins_stand_in_the_footers_as_absolute_paths(self, made, monkeypatch):
        made.references()
        made.method()
        monkeypatch.chdir(made.root)
        iqbench.evaluate(methods="out/mine", reference="hr", metrics="psnr", device="cpu")
        (part,) = (made.root / "results/images").rglob("*.parquet")
        footer = json.loads(pq.read_metadata(part).metadata[b"iqbench"])
        assert footer["origin"] == {
            "references": str(made.root / "hr"),
            "outputs": str(made.root / "out/mine"),
            "results": str(made.root / "results"),
        }


def test_references_inside_the_methods_folder_are_not_its_outputs(made):
    """Outputs lie in run/, the ground truth in run/gt/."""
    made.references(folder="run/gt")
    for seed, image in enumerate(IMAGES):
        write_png(made.root / "run" / f"{image}.png", noisy(picture(seed)))
    summary = evaluate(made, "run", "run/gt")
    assert (summary.scored, summary.warnings) == (3, [])
    values = load_scores(made.results)["value"]
    assert values.lt(60).all()


@pytest.mark.usefixtures("level_metrics")
class TestWithoutReferences:
    """Outputs alone are one dataset if they have images in common, and the tables no references."""

    def evaluate(self, made, *methods, **options):
        return made.evaluate(
            *(f"{name}={made.root / folder}" for name, folder in methods),
            **{"reference": None, "metrics": ("mean-level",), **options},
        )

    def test_other_images_under_the_usual_name_are_refused(self, sets):
        self.evaluate(sets, ("mine", "Set5/mine"))
        before = sets.files()
        for name in ("mine", "other"):
            with pytest.raises(IqbenchError, match="other images under the dataset name") as caught:
                self.evaluate(sets, (name, "Set14/mine"))
            message = caught.value.message
            assert f"'outputs', from {sets.root / 'Set5/mine'}" in message
            assert "(a, b, c) is among those of this run (x, y, z)" in message
            assert "--dataset-name" in caught.value.hint
            assert "--replace" in caught.value.hint
        assert sets.files() == before

    def test_under_a_name_of_their_own_they_lie_beside_the_first(self, sets):
        self.evaluate(sets, ("mine", "Set5/mine"))
        self.evaluate(sets, ("mine", "Set14/mine"), dataset_name="Set14")
        assert set(sets.scores()["dataset"]) == {"outputs", "Set14"}
        assert sets.scores()["value"].notna().sum() == 6

    def test_they_replace_the_first_where_that_is_asked_for(self, sets):
        self.evaluate(sets, ("mine", "Set5/mine"), ("second", "Set5/mine"))
        summary = self.evaluate(sets, ("mine", "Set14/mine"), replace=True)
        assert (summary.scored, summary.failures) == (3, [])
        assert "the scores of method 'second'" in " ".join(summary.warnings)
        scores = load_scores(sets.results)
        assert set(zip(scores["method"], scores["image"], strict=True)) == {
            ("mine", image) for image in "xyz"
        }

    def test_references_of_other_images_under_that_name_are_refused(self, sets):
        self.evaluate(sets, ("mine", "Set5/mine"))
        with pytest.raises(IqbenchError, match="other images under the dataset name 'outputs'"):
            evaluate(sets, f"other={sets.root / 'Set14/mine'}", "Set14/HR", dataset_name="outputs")

    def test_another_method_with_some_of_the_images_is_compared_with_the_first(self, sets):
        self.evaluate(sets, ("mine", "Set5/mine"))
        shutil.copytree(sets.root / "Set5/mine", sets.root / "part")
        (sets.root / "part/a.png").unlink()
        summary = self.evaluate(sets, ("part", "part"))
        assert [failure.image for failure in summary.failures] == ["a"]

    def test_other_files_of_a_method_from_another_folder_are_refused(self, sets):
        self.evaluate(sets, ("mine", "Set5/mine"))
        shutil.copytree(sets.root / "Set5/HR", sets.root / "run2")
        with pytest.raises(IqbenchError, match="another method 'mine' on 'outputs'") as caught:
            self.evaluate(sets, ("mine", "run2"))
        assert "--method NAME=DIR" in caught.value.hint
        assert self.evaluate(sets, ("mine", "run2"), replace=True).scored == 3

    def test_the_same_files_may_lie_elsewhere(self, sets):
        self.evaluate(sets, ("mine", "Set5/mine"))
        shutil.move(sets.root / "Set5/mine", sets.root / "moved")
        assert self.evaluate(sets, ("mine", "moved")).current == 3

    @pytest.mark.parametrize("known", [True, False])
    def test_a_name_that_has_references_is_refused(self, sets, known, monkeypatch):
        with monkeypatch.context() as patch:
            if not known:  # as the first releases wrote tables
                patch.setattr("iqbench.engine.run.origins_of", lambda *_: {})
            evaluate(sets, "Set5/mine", "Set5/HR")
        before = sets.files()
        with pytest.raises(IqbenchError) as caught:
            self.evaluate(sets, ("mine", "Set5/mine"), dataset_name="HR")
        said = "has scores of another dataset 'HR' with references"
        assert said in caught.value.message
        assert (str(sets.root / "Set5/HR") in caught.value.message) == known
        assert caught.value.hint.startswith("Give the references (--reference DIR)")
        assert sets.files() == before

    def test_it_is_replaced_where_that_is_asked_for(self, sets):
        evaluate(sets, "Set5/mine", "Set5/HR")
        options = {"dataset_name": "HR", "replace": True}
        assert self.evaluate(sets, ("new", "Set14/mine"), **options).failures == []
        assert set(load_scores(sets.results)["method"]) == {"new"}

    def test_nothing_is_removed_that_another_run_scored(self, sets):
        self.evaluate(sets, ("mine", "Set5/mine"))
        write_png(sets.root / "more/a.png", picture(3))
        write_png(sets.root / "more/d.png", picture(4))
        self.evaluate(sets, ("more", "more"))
        self.evaluate(sets, ("mine", "Set5/mine"))
        scores = load_scores(sets.results)
        valued = scores[scores["value"].notna()]
        assert set(zip(valued["method"], valued["image"], strict=True)) == {
            *(("mine", image) for image in "abc"),
            ("more", "a"),
            ("more", "d"),
        }
