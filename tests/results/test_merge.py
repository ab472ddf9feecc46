"""Merged results folders have every row once, and differences are reported."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from made_folders import Made, noisy, picture

from iqbench.cli.results import results as command
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.results.merge import merge_results
from iqbench.results.part_file import encode, open_part, part_name
from iqbench.results.published import PublishedMean, add_published, read_published
from iqbench.results.read import load_images, load_scores

FACTS = ["dataset", "method", "image", "metric", "value", "error", "signature"]


@pytest.fixture
def made(tmp_path):
    made = Made(tmp_path)
    made.references()
    return made


def facts(folder):
    frame = load_scores(folder)[FACTS]
    return frame.astype({name: object for name in FACTS if name != "value"})


def evaluate(made, method, results, **options):
    made.evaluate(method, results=made.root / results, **options)
    return made.root / results


def put(made, results, edit):
    """Change the rows of scores of a results folder, as if another machine had written them."""
    (part,) = (made.root / results).glob("scores/*/*/*.parquet")
    with open_part(part, "scores") as (_, footer):
        table = pq.read_table(part)
    content = encode(edit(table), footer)
    (part.parent / part_name(10**18, content)).write_bytes(content)
    part.unlink()


def with_values(change):
    def edit(table):
        values = [None if one is None else change(one) for one in table["value"].to_pylist()]
        at = table.schema.get_field_index("value")
        return table.set_column(at, "value", pa.array(values, pa.float64()))

    return edit


def test_shards_give_what_one_run_gives(made):
    whole = made.method("mine")
    other = made.method("other")
    one = evaluate(made, whole, "all")
    made.evaluate(whole, other, results=one)
    parts = {"one": ("a",), "two": ("b", "c")}
    for name, images in parts.items():
        folder = made.root / "shards" / name / "mine"
        folder.mkdir(parents=True)
        for image in images:
            shutil.copy(whole / f"{image}.png", folder)
        evaluate(made, folder, name)
    third = evaluate(made, other, "three")
    merged = merge_results([made.root / "one", made.root / "two", third], made.root / "merged")
    pd.testing.assert_frame_equal(facts(made.root / "merged"), facts(one))
    assert load_images(made.root / "merged")["error"].isna().all()
    assert merged.images == 6
    assert not merged.differing


def test_a_folder_and_its_copy_give_the_same_rows_once(made):
    one = evaluate(made, made.method("mine"), "one")
    shutil.copytree(one, made.root / "two")
    merge_results([one, made.root / "two"], made.root / "merged")
    pd.testing.assert_frame_equal(facts(made.root / "merged"), facts(one))
    made.evaluate(made.root / "out" / "mine", results=made.root / "merged")
    assert made.evaluate(made.root / "out" / "mine", results=made.root / "merged").current == 3


def test_a_metric_that_one_side_has_is_kept(made):
    mine = made.method("mine")
    one = evaluate(made, mine, "one", metrics=("psnr",))
    two = evaluate(made, mine, "two", metrics=("ssim",))
    merge_results([one, two], made.root / "merged")
    expected = pd.concat([facts(one), facts(two)]).sort_values(FACTS[:4], ignore_index=True)
    pd.testing.assert_frame_equal(facts(made.root / "merged"), expected)


class TestDifferences:
    @pytest.fixture
    def sides(self, made):
        mine = made.method("mine")
        one, two = (evaluate(made, mine, name) for name in ("one", "two"))
        put(made, "two", with_values(lambda value: value + 0.5))
        return made, one, two

    def test_other_values_of_the_same_files_stop_the_merge(self, sides):
        made, one, two = sides
        with pytest.raises(
            IqbenchError, match=r"different values of the same files: 3 .* psnr of a"
        ):
            merge_results([one, two], made.root / "merged")
        assert sorted(path.name for path in made.root.iterdir()) == ["hr", "one", "out", "two"]

    @pytest.mark.parametrize("keep", ["first", "last"])
    def test_an_option_decides_and_what_differed_is_told(self, sides, keep):
        made, one, two = sides
        found = merge_results([one, two], made.root / "merged", keep=keep)
        kept = one if keep == "first" else two
        pd.testing.assert_frame_equal(facts(made.root / "merged"), facts(kept))
        assert len(found.differing) == 1

    def test_last_digits_are_no_difference(self, made):
        mine = made.method("mine")
        one, two = (evaluate(made, mine, name) for name in ("one", "two"))
        put(made, "two", with_values(lambda value: value * (1 + 1e-13)))
        assert not merge_results([one, two], made.root / "merged").differing

    def test_other_files_stop_the_merge(self, made):
        mine = made.method("mine")
        one = evaluate(made, mine, "one")
        write_png(mine / "b.png", noisy(picture(1), 9, 30))
        two = evaluate(made, mine, "two")
        with pytest.raises(IqbenchError, match=r"other output files for 1 images, first b"):
            merge_results([one, two], made.root / "merged")
        merge_results([one, two], made.root / "merged", keep="last")
        pd.testing.assert_frame_equal(facts(made.root / "merged"), facts(two))

    def test_columns_of_a_later_release_are_refused(self, made):
        mine = made.method("mine")
        one, two = (evaluate(made, mine, name) for name in ("one", "two"))
        put(made, "two", lambda table: table.append_column("later", pa.nulls(len(table))))
        with pytest.raises(IqbenchError, match="does not know: later"):
            merge_results([one, two], made.root / "merged")


@pytest.mark.parametrize(
    ("folders", "output", "why"),
    [
        (("one",), "merged", "two or more"),
        (("one", "one"), "merged", "two or more"),
        (("one", "two"), "one", "already exists"),
        (("one", "nowhere"), "merged", "no results folder"),
    ],
)
def test_what_cannot_be_merged_is_refused(made, folders, output, why):
    mine = made.method("mine")
    for name in ("one", "two"):
        evaluate(made, mine, name)
    with pytest.raises(IqbenchError, match=why):
        merge_results([made.root / name for name in folders], made.root / output)
    assert not (made.root / "merged").exists()


def test_the_command_says_what_it_wrote(made):
    one = evaluate(made, made.method("mine"), "one")
    two = evaluate(made, made.method("other"), "two")
    arguments = ["merge", str(one), str(two), "-o", str(made.root / "merged")]
    ended = CliRunner().invoke(command, arguments)
    assert ended.exit_code == 0, ended.output
    assert "wrote 6 images and 6 values into" in ended.output


def test_tables_of_the_first_release_become_ones_that_it_refuses(made):
    first = made.root / "first"
    shutil.copytree(Path(__file__).with_name("format1"), first)
    folder = first / "results" if (first / "results").is_dir() else first
    two = evaluate(made, made.method("mine"), "two", dataset_name="another")
    arguments = ["merge", str(folder), str(two), "-o", str(made.root / "merged")]
    ended = CliRunner().invoke(command, arguments)
    assert ended.exit_code == 0, ended.output
    assert "older releases of iqbench cannot read" in ended.output
    expected = pd.concat([facts(folder), facts(two)]).sort_values(FACTS[:4], ignore_index=True)
    merged = facts(made.root / "merged").sort_values(FACTS[:4], ignore_index=True)
    pd.testing.assert_frame_equal(merged, expected)


class TestPublishedMeans:
    """They are merged as rows are: each once, and what differs stops the merge."""

    MEAN = PublishedMean("Set5", "paper", "psnr", 28.42, "the paper, table 2", "sr-y:scale=4")
    OTHER = PublishedMean("Set5", "paper", "ssim", 0.8101, "the paper, table 2", "sr-y:scale=4")

    def merged(self, made, first, second, **options):
        for name, method, means in (("a", "mine", first), ("b", "other", second)):
            add_published(evaluate(made, made.method(method), name), means)
        merge_results([made.root / "a", made.root / "b"], made.root / "c", **options)
        return read_published(made.root / "c")

    def test_each_is_there_once(self, made):
        assert self.merged(made, [self.MEAN], [self.MEAN, self.OTHER]) == [self.MEAN, self.OTHER]

    def test_means_that_differ_stop_the_merge(self, made):
        with pytest.raises(IqbenchError, match=r"published means of psnr: 28.42 and 28.5"):
            self.merged(made, [self.MEAN], [replace(self.MEAN, value=28.5)])
        assert not (made.root / "c").exists()

    @pytest.mark.parametrize(("keep", "value"), [("first", 28.42), ("last", 28.5)])
    def test_an_option_decides(self, made, keep, value):
        changed = replace(self.MEAN, value=28.5)
        assert [mean.value for mean in self.merged(made, [self.MEAN], [changed], keep=keep)] == [
            value
        ]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.references()
    for name in ("one", "two"):
        made.evaluate(made.method(), results=tmp_path / name)
    (tmp_path / "file").write_text("")
    with pytest.raises(IqbenchError, match=r"cannot write .*file/both: "):
        merge_results([tmp_path / "one", tmp_path / "two"], tmp_path / "file" / "both")
