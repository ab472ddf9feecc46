"""All shards together give the tables of one run, in one results folder or in several."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_folders import Made, noisy, picture
from made_sets import write

import iqbench
from iqbench.datasets.shard import Shard
from iqbench.engine.closing import close_stored_sets
from iqbench.engine.ledger import Ledger
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.images.write import write_png
from iqbench.results.merge import merge_results
from iqbench.results.read import load_images, load_scores
from iqbench.results.schema import NOT_SCORED_YET

COUNTS = st.integers(1, 6)
SCENES = [f"s{number}" for number in range(5)]


class TestShard:
    @given(COUNTS, st.text(max_size=5), st.lists(st.text(), max_size=20))
    def test_every_item_is_in_exactly_one(self, count, dataset, items):
        shards = [Shard(number, count) for number in range(1, count + 1)]
        for item in items:
            assert sum(shard.has(dataset, item) for shard in shards) == 1

    def test_they_are_of_about_equal_size(self):
        shards = [Shard(number, 4) for number in range(1, 5)]
        sizes = [sum(one.has("DIV2K", f"{item:04}") for item in range(4000)) for one in shards]
        assert min(sizes) > 900
        assert max(sizes) < 1100

    def test_they_are_the_same_on_every_machine(self):
        # printf 'Set5\0baby' | sha256sum | cut -c1-16, as a number modulo 7, plus 1
        chosen = {
            item: next(number for number in range(1, 8) if Shard(number, 7).has("Set5", item))
            for item in ("baby", "bird", "butterfly", "head", "woman")
        }
        assert chosen == {"baby": 5, "bird": 1, "butterfly": 6, "head": 7, "woman": 6}

    @pytest.mark.parametrize("text", ["3/8", " 03 / 8 "])
    def test_it_is_spelt_by_number_and_count(self, text):
        assert Shard.parse(text) == Shard(3, 8)
        assert str(Shard.parse(text)) == "3/8"

    @pytest.mark.parametrize("text", ["0/4", "5/4", "0/0", "1", "1/", "a/b", "-1/4", "1/4/2", ""])
    def test_another_text_is_refused(self, text):
        with pytest.raises(IqbenchError, match="shard"):
            Shard.parse(text)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"shard": 3}, "3 is not a shard"),
        ({"shard": (1, 3)}, r"\(1, 3\) is not a shard"),
        ({"executor": 2}, "unknown executor '2'"),
    ],
    ids=str,
)
def test_values_that_are_not_text_are_refused_in_python(made, option, said):
    made.references()
    made.method()
    with pytest.raises(IqbenchError, match=said):
        made.evaluate(**option)
    assert not made.results.exists()


def tables(results):
    """All that readers see of a results folder, but for the time."""
    images = load_images(results).drop(columns="written")
    return load_scores(results).astype(object), images.astype(object)


def same(results, expected):
    for found, wanted in zip(tables(results), tables(expected), strict=True):
        assert found.equals(wanted)


def scenes(made):
    """Two methods on five references: one lacks an output, one has a file that is not an image."""
    made.references(SCENES)
    made.method("one", SCENES)
    made.method("two", SCENES[1:])
    (made.root / "out/one/s4.png").write_bytes(b"no image")


def shards(made, count, folder="results"):
    """Score all shards; ``{}`` in the name of the folder stands for the number."""
    for number in range(1, count + 1):
        made.evaluate(shard=f"{number}/{count}", results=made.root / folder.format(number))


class TestTogether:
    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_in_one_folder(self, made, count):
        scenes(made)
        shards(made, count)
        made.evaluate(results=made.root / "whole")
        same(made.results, made.root / "whole")

    @pytest.mark.parametrize("count", [2, 3])
    def test_in_several_that_are_merged(self, made, count):
        scenes(made)
        shards(made, count, "results-{}")
        parts = sorted(made.root.glob("results-*"))
        merge_results(parts, made.root / "merged")
        made.evaluate(results=made.root / "whole")
        same(made.root / "merged", made.root / "whole")

    @settings(max_examples=3, derandomize=True)
    @given(st.integers(2, 4), st.sets(st.sampled_from(SCENES[:2] + SCENES[4:])), st.randoms())
    def test_after_a_run_of_other_images(self, count, gone, random):
        with TemporaryDirectory() as folder:
            made = Made(Path(folder))
            scenes(made)
            made.evaluate()
            before = made.values()
            for name in gone:  # the dataset loses images, a method loses outputs, one is changed
                (made.root / f"hr/{name}.png").unlink()
                (made.root / f"out/one/{name}.png").unlink()
            (made.root / "out/two/s2.png").unlink()
            write_png(made.root / "out/two/s3.png", noisy(picture(3), 77))
            made.references(["new"])
            made.method("one", ["new"])
            shutil.copytree(made.results, made.root / "whole")
            made.evaluate(results=made.root / "whole")
            numbers = list(range(1, count + 1))
            random.shuffle(numbers)
            for number in numbers:
                made.evaluate(shard=f"{number}/{count}")
                kept = made.values()
                for key, value in before.items():
                    if key[1] not in {*gone, "s2", "s3"}:  # nothing that stays is ever hidden
                        assert kept[key] == value
            same(made.results, made.root / "whole")

    def test_a_run_plans_an_image_that_another_run_has_scored(self, made, monkeypatch):
        scenes(made)
        first = [True]
        announce = Ledger.announce

        def late(self, *arguments):
            if first.pop() if first else False:
                made.evaluate(shard="2/2")  # from start to end, before the first one writes
            announce(self, *arguments)

        monkeypatch.setattr(Ledger, "announce", late)
        made.evaluate(shard="1/2")
        made.evaluate(results=made.root / "whole")
        same(made.results, made.root / "whole")

    def test_with_more_shards_than_images(self, made):
        made.references(("a",))
        made.method("mine", ("a",))
        summaries = [made.evaluate(shard=f"{number}/9") for number in range(1, 10)]
        assert sorted(summary.scored for summary in summaries) == [0] * 8 + [1]

    def test_without_references(self, made, level_metrics):
        made.method("one", SCENES)
        made.method("two", SCENES[:4])
        chosen = {"reference": None, "metrics": ("mean-level",)}
        made.evaluate(results=made.root / "whole", **chosen)
        for number in (1, 2, 3):
            made.evaluate(shard=f"{number}/3", **chosen)
        same(made.results, made.root / "whole")

    def test_a_method_that_lost_all_outputs_of_a_dataset(self, made):
        made.references(SCENES)
        made.references(SCENES, folder="other")
        for dataset in ("hr", "other"):
            made.method("one", SCENES, folder=f"one/{dataset}")
            made.evaluate(f"{made.root}/out/one", reference=made.root / dataset)
        # The method has a folder of one dataset now, and none of the other.
        shutil.rmtree(made.root / "out/one/other")
        block = f"root: {made.root}\ndatasets:\n" + "".join(
            f"  {name}:\n    protocol: rgb\n    data: {{layout: folder, references: {name}}}\n"
            for name in ("hr", "other")
        )
        (made.root / "datasets.yaml").write_text(block)
        chosen = {"datasets": ("hr", "other"), "datasets_file": made.root / "datasets.yaml"}
        shutil.copytree(made.results, made.root / "whole")
        made.evaluate(f"{made.root}/out/one", results=made.root / "whole", **chosen)
        for number in (1, 2, 3):
            made.evaluate(f"{made.root}/out/one", shard=f"{number}/3", **chosen)
        same(made.results, made.root / "whole")


class TestOne:
    def test_its_folder_shows_as_incomplete(self, made):
        scenes(made)
        summary = made.evaluate(shard="1/2")
        errors = made.errors()
        mine = [name for name in SCENES if Shard(1, 2).has("hr", name)]
        assert 0 < len(mine) < len(SCENES)
        assert {image for _, image in made.values()} == set(mine)
        others = {key for key, error in errors.items() if error == NOT_SCORED_YET}
        assert others == {(m, i) for m in ("one", "two") for i in set(SCENES) - set(mine)}
        assert {failure.image for failure in summary.failures} <= set(mine)
        assert summary.scored + len(summary.failures) == 2 * len(mine)

    def test_all_outputs_of_a_reference_are_in_it(self, made, decoded):
        rows = ["reference,output"]
        for place, name in enumerate(SCENES):
            write_png(made.root / f"pairs/{name}.png", picture(place))
            for seed in range(3):
                write_png(made.root / f"pairs/{name}-{seed}.png", noisy(picture(place), seed))
                rows.append(f"{name}.png,{name}-{seed}.png")
        file = made.root / "pairs/pairs.csv"
        file.write_text("\n".join(rows))
        for number in (1, 2, 3):
            made.evaluate(pairs=file, reference=None, methods_in=None, shard=f"{number}/3")
        counts = Counter(name for name in decoded if name.count("-") == 0)
        assert counts == {f"pairs/{name}.png": 1 for name in SCENES}
        made.evaluate(pairs=file, reference=None, methods_in=None, results=made.root / "whole")
        same(made.results, made.root / "whole")

    def test_a_text_that_is_no_shard_computes_nothing(self, made):
        scenes(made)
        with pytest.raises(IqbenchError, match="there is no shard 3/2"):
            made.evaluate(shard="3/2")
        assert not made.results.exists()


class TestComputed:
    def images(self, made):
        made.references(SCENES)
        return {name: noisy(picture(place), place) for place, name in enumerate(SCENES)}

    @pytest.mark.parametrize("form", [dict, list, iter])
    def test_outputs_in_the_order_of_the_dataset(self, made, form):
        outputs = self.images(made)
        chosen = {"reference": made.root / "hr", "metrics": "psnr"}
        for number in (1, 2, 3):
            outputs_now = outputs if form is dict else form(list(outputs.values()))
            iqbench.evaluate(
                methods={"mine": outputs_now}, results=made.results, shard=f"{number}/3", **chosen
            )
        iqbench.evaluate(methods={"mine": outputs}, results=made.root / "whole", **chosen)
        found, expected = (
            load_scores(one, filters={"metric": "psnr"}).astype(object)
            for one in (made.results, made.root / "whole")
        )
        assert found.equals(expected)
        assert len(found) == len(SCENES)

    def test_the_time_of_skipped_outputs_does_not_count(self, made):
        outputs = self.images(made)
        number = next(n for n in (1, 2) if not Shard(n, 2).has("hr", SCENES[0]))

        def slow():
            for place, image in enumerate(outputs.values()):
                if place == 0:
                    import time

                    time.sleep(0.3)
                yield image

        iqbench.evaluate(
            methods={"mine": slow()},
            reference=made.root / "hr",
            metrics="psnr",
            results=made.results,
            shard=f"{number}/2",
        )
        seconds = load_scores(made.results, filters={"metric": "runtime"})["value"]
        assert seconds.max() < 0.2


class TestSets:
    """Values of sets are computed when all shards are together."""

    @pytest.fixture
    def evaluate(self, extracted, folders):
        for number in range(5):
            write(folders / "photos", f"{number}.png", 50 + number)

        def run(results, **options):
            chosen = {"metrics": ["fid"], "reference": "ref", "results": results}
            with pytest.warns(IqbenchWarning) as told:
                iqbench.evaluate(methods="near", **chosen | options)
            return [str(one.message) for one in told]

        return run

    def values(self, results):
        frame = load_scores(results, scope="set").astype({"metric": str}).set_index("metric")
        return frame[["value", "error", "n", "expected", "reference_n", "reference_set"]]

    def test_a_shard_keeps_features_and_says_what_is_to_be_done(self, evaluate):
        (told,) = evaluate("one", shard="1/2")
        assert told.startswith("fid: a shard keeps features only.")
        row = self.values("one").loc["fid"]
        assert np.isnan(row["value"])
        assert "run iqbench results merge, or iqbench evaluate without --shard" in row["error"]

    @pytest.mark.parametrize("options", [{}, {"reference_set": "photos"}])
    def test_a_merge_computes_them(self, evaluate, extracted, folders, options):
        evaluate("whole", **options)
        for number in (1, 2):
            evaluate(f"part-{number}", shard=f"{number}/2", **options)
        done = len(extracted)
        merge_results([folders / "part-1", folders / "part-2"], folders / "merged")
        assert close_stored_sets(folders / "merged") == []
        merged, whole = self.values("merged"), self.values("whole")
        assert merged["value"].tolist() == pytest.approx(whole["value"].tolist(), rel=1e-9)
        assert merged.drop(columns="value").equals(whole.drop(columns="value"))
        assert len(extracted) == done

    @pytest.mark.parametrize("count", [2, 3, 7])
    def test_each_extracts_its_share_of_a_reference_set(self, evaluate, extracted, count):
        evaluate("whole", reference_set="photos")
        every = sorted(extracted)
        extracted.clear()
        for number in range(1, count + 1):
            evaluate("shared", shard=f"{number}/{count}", reference_set="photos")
        assert sorted(extracted) == every
        extracted.clear()
        evaluate("shared", reference_set="photos")
        assert extracted == []
        assert self.values("shared").equals(self.values("whole"))

    def test_a_whole_run_extracts_the_share_of_a_shard_that_never_ran(self, evaluate, extracted):
        evaluate("whole", reference_set="photos")
        every = sorted(extracted)
        extracted.clear()
        evaluate("shared", shard="1/2", reference_set="photos")
        evaluate("shared", reference_set="photos")
        assert sorted(extracted) == every
        assert self.values("shared").equals(self.values("whole"))

    def test_a_later_whole_run_computes_them(self, evaluate, extracted):
        evaluate("whole")
        for number in (1, 2):
            evaluate("shared", shard=f"{number}/2")
        done = len(extracted)
        evaluate("shared")
        assert len(extracted) == done
        assert self.values("shared").equals(self.values("whole"))

    def test_a_shard_does_not_hide_a_value_that_is_there(self, evaluate):
        evaluate("whole")
        before = self.values("whole")
        evaluate("whole", shard="1/2")
        assert self.values("whole").equals(before)


def test_a_shard_may_have_no_images(tmp_path: Path) -> None:
    made = Made(tmp_path)
    references, method = made.references("abc"), made.method("mine", "abc")
    number = next(n for n in range(1, 100) if not any(Shard(n, 99).has("hr", i) for i in "abc"))
    for name in ("1/1", f"{number}/99"):
        scores = iqbench.evaluate(
            methods=str(method),
            reference=str(references),
            metrics="psnr",
            results=str(tmp_path / name.replace("/", "-")),
            shard=name,
        )
        assert len(scores) == (3 if name == "1/1" else 0)
        assert "value" in scores
    merge_results([tmp_path / "1-1", tmp_path / f"{number}-99"], tmp_path / "both")
    assert len(load_scores(tmp_path / "both")) == 3
