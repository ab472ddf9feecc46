"""Readers show one row per identity, the newest, and only scores of the present files."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from results_bench import COLUMNS, Bench, manifest, placeholder

from iqbench.errors import IqbenchError
from iqbench.results.inventory import list_holdings
from iqbench.results.progress import read_progress
from iqbench.results.read import load_columns, load_images, load_runs, load_scores
from iqbench.results.schema import ImageRow, ScoreRow, pair_digest, removed


def values(bench: Bench, **options: Any) -> list[tuple[str, float]]:
    frame = load_scores(bench.root, **options)
    return list(zip(frame["image"].astype(str), frame["value"], strict=True))


def test_a_value_that_is_computed_again_replaces_the_old_one(bench: Bench) -> None:
    bench.score(value=30.0)
    bench.score(value=31.0)
    assert values(bench) == [("a", 31.0)]


def test_a_changed_output_hides_all_its_old_scores(bench: Bench) -> None:
    bench.score("a", "v1", 30.0, metric="psnr")
    bench.score("a", "v1", 0.2, metric="lpips-alex")
    bench.score("a", "v1", 29.0, metric="psnr", precision="bf16")
    bench.score("b", "v1", 25.0, metric="psnr")
    assert len(values(bench)) == 4
    bench.score("a", "v2", 33.0, metric="psnr")
    assert values(bench) == [("a", 33.0), ("b", 25.0)]


def test_an_output_that_went_missing_hides_its_scores_and_shows_its_error(bench: Bench) -> None:
    bench.score("a", "v1", 30.0)
    bench.score("a", None, None, "output is missing")
    frame = load_scores(bench.root)
    assert frame["value"].isna().tolist() == [True]
    assert frame["error"].tolist() == ["output is missing"]


def test_what_failed_and_then_worked_shows_its_value_alone(bench: Bench) -> None:
    bench.score("a", None, None, "output is missing")
    bench.score("a", "v1", 30.0)
    frame = load_scores(bench.root)
    assert frame["value"].tolist() == [30.0]
    assert frame["error"].isna().all()


def test_an_image_that_left_its_dataset_is_dropped_with_its_scores(bench: Bench) -> None:
    bench.score("a")
    bench.score("b", None, None, "output is missing")
    with bench.store.writer(manifest(), COLUMNS) as writer:
        for image in "ab":
            writer.add_image(removed("set5", "edsr", image, "not in the dataset any more"))
    assert load_images(bench.root).empty
    assert load_scores(bench.root).empty
    assert bench.store.current("set5", "edsr").images == {}


def test_an_image_that_was_announced_only_is_there_without_scores(bench: Bench) -> None:
    with bench.store.writer(manifest(), COLUMNS) as writer:
        writer.announce("set5", "edsr", "a")
    assert load_images(bench.root)["error"].tolist() == ["not scored yet"]
    assert load_scores(bench.root).empty


def test_scored_and_failed_mean_the_same_as_in_a_run(bench: Bench) -> None:
    bench.score("a", "v1", 30.0)
    bench.score("b", "v1", None, "undefined: the reference is flat", metric="tv-ratio")
    bench.score("c", "v1", None, "out of memory")
    bench.score("d", None, None, "output is missing")
    bench.score("e", "v1", 30.0)
    bench.score("e", "v1", None, "undefined: the reference is flat", metric="tv-ratio")
    bench.score("f", "v1", 30.0)
    bench.score("f", "v1", None, "out of memory", metric="lpips-alex")
    with bench.store.writer(manifest(), COLUMNS) as writer:
        writer.announce("set5", "edsr", "g")
        writer.add_image(ImageRow("set5", "edsr", "set metrics alone", "ref", "v1"))
        writer.add_image(removed("set5", "edsr", "h", "not in the dataset any more"))
    (of_method,) = read_progress(bench.root).methods
    assert (of_method.expected, of_method.done) == (8, 3)  # a, e and the one without columns
    assert (of_method.failed, of_method.remaining) == (4, 1)
    (holding,) = list_holdings(bench.root)
    assert (holding.images, holding.scored) == (8, 3)


def test_a_run_is_told_what_it_need_not_compute(bench: Bench) -> None:
    bench.score("a", "v1", 30.0)
    bench.score("b", "v1", None, "undefined: the reference is flat", metric="tv-ratio")
    bench.score("c", "v1", None, "out of memory")
    bench.score("d", None, None, "output is missing")
    current = bench.store.current("set5", "edsr")
    assert {(image, metric) for image, marks in current.marks.items() for metric, _ in marks} == {
        ("a", "psnr"),
        ("b", "tv-ratio"),
    }
    assert set(current.images) == {"a", "b", "c", "d"}
    assert current.images["a"].pair == pair_digest("ref", "v1")
    assert current.images["d"].error == "output is missing"
    assert bench.store.current("set5", "other").images == {}


@pytest.mark.parametrize(
    "name", ["001", "../x", "a/b", "Ünïcødé", "<b>x</b>", "", "_hidden", "A|b"]
)
def test_methods_and_datasets_of_any_name_come_back(bench: Bench, name: str) -> None:
    bench.score(method=name, dataset=name)
    bench.score(method="plain", dataset=name)
    assert list(load_scores(bench.root)["method"].cat.categories) == sorted([name, "plain"])
    assert load_scores(bench.root, filters={"method": name})["dataset"].tolist() == [name]
    assert sorted(path.name for path in bench.root.parent.iterdir()) == ["results"]
    if name:
        assert set(pd.read_parquet(bench.root / "scores")["method"]) == {name, "plain"}


def test_names_that_differ_in_case_alone_stay_apart(bench: Bench) -> None:
    bench.score(method="EDSR", value=1.0)
    bench.score(method="edsr", value=2.0)
    assert load_scores(bench.root).set_index("method")["value"].to_dict() == {"EDSR": 1, "edsr": 2}


def test_infinite_values_are_values(bench: Bench) -> None:
    bench.score(value=math.inf)
    assert values(bench) == [("a", math.inf)]


def test_a_nan_is_no_value_but_an_error(bench: Bench) -> None:
    bench.score(value=math.nan)
    assert load_scores(bench.root)["error"].tolist() == ["the metric returned NaN"]


def test_a_score_without_value_and_error_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="neither a value nor an error"):
        ScoreRow("d", "m", "i", "psnr", None, None, "s", "p", None)


def test_other_stores_inside_the_folder_are_not_read(bench: Bench) -> None:
    bench.score("a")
    Bench(bench.root / "baseline").score("b", value=99.0)
    assert values(bench) == [("a", 30.0)]
    assert values(Bench(bench.root / "baseline")) == [("b", 99.0)]


def test_columns_and_runs_come_back_from_the_footers(bench: Bench) -> None:
    bench.score("a")
    with bench.store.writer(manifest("2026-02-02T00:00:00Z", device="cuda"), COLUMNS) as writer:
        writer.add_image(ImageRow("set5", "edsr", "b", "ref", "v1"))
    assert load_columns(bench.root) == COLUMNS
    assert [run.device for run in load_runs(bench.root)] == ["cpu", "cuda"]


def test_image_facts_come_back_as_integers(bench: Bench) -> None:
    row = ImageRow("set5", "edsr", "a", "r", "o", 288, 512, 3, 8, 1234, mos=3.5, distortion="blur")
    with bench.store.writer(manifest(), COLUMNS) as writer:
        writer.add_image(row)
        writer.announce("set5", "edsr", "b")
    frame = load_images(bench.root).set_index("image")
    assert frame.loc["a", ["height", "width", "bytes"]].tolist() == [288, 512, 1234]
    assert frame["height"].dtype == pd.Int32Dtype()
    assert "pair" not in frame


IMAGE = st.sampled_from("ab")
ACTION = st.one_of(
    st.tuples(st.just("image"), IMAGE, st.sampled_from(["v1", "v2", None])),
    st.tuples(st.just("announce"), IMAGE, st.none()),
    st.tuples(st.just("remove"), IMAGE, st.none()),
    st.tuples(
        st.just("score"),
        IMAGE,
        st.tuples(
            st.sampled_from(["psnr", "lpips-alex"]),
            st.sampled_from(["view=rgb", "view=luma"]),
            st.sampled_from(["v1", "v2", None]),
            st.sampled_from([None, 1.0, 2.0, math.inf]),
        ),
    ),
    st.tuples(st.just("flush"), st.none(), st.none()),
    st.tuples(st.just("next run"), st.none(), st.none()),
)


class Model:
    """What a results folder means, as two dicts."""

    def __init__(self) -> None:
        self.images: dict[str, ImageRow] = {}
        self.scores: dict[tuple[str, str, str], ScoreRow] = {}

    def shown(self) -> dict[tuple[str, str, str], float | None]:
        shown = {}
        for key, score in self.scores.items():
            image = self.images.get(score.image)
            gone = image is None or (image.error or "").startswith(("removed: ", "not scored yet"))
            # A value must name its files; the error of a file that cannot be read names none.
            named = score.pair is not None or score.value is None
            if not gone and named and image.pair == score.pair:
                shown[key] = score.value
        return shown


def interrupt(writer: Any) -> None:
    """End a run without the check that its scores are there: those of other files are not."""
    writer.__exit__(KeyboardInterrupt, None, None)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTION, max_size=25))
def test_rows_written_in_any_order_read_back_like_two_dicts(
    new_bench: Callable[[], Bench], actions: list[tuple[str, Any, Any]]
) -> None:
    bench, model = new_bench(), Model()
    writer = bench.store.writer(manifest(), COLUMNS)
    # So that an images part is there whatever follows.
    writer.add_image(ImageRow("d", "m", "always", "ref", "v1"))
    for action, image, rest in actions:
        if action == "score":
            metric, text, output, value = rest
            pair, error = pair_digest("ref", output), None if value else "failed"
            score = ScoreRow("d", "m", image, metric, value, error, text, "p", pair)
            model.scores[image, metric, text] = score
            writer.add_scores([score])
        elif action == "flush":
            writer.flush()
        elif action == "next run":
            interrupt(writer)
            writer = bench.store.writer(manifest(), COLUMNS)
        else:
            row = {
                "image": ImageRow("d", "m", image, "ref", rest),
                "announce": placeholder("d", "m", image),
                "remove": removed("d", "m", image, "gone"),
            }[action]
            model.images[image] = row
            writer.add_image(row)
    writer.flush()
    for _ in range(2):  # before merging and after
        frame = load_scores(bench.root)
        keys = (
            frame[["image", "metric", "signature"]].astype(str).itertuples(index=False, name=None)
        )
        found = frame["value"].astype(object).where(frame["value"].notna(), None)
        assert dict(zip(keys, found, strict=True)) == model.shown()
        assert len(frame) == len(model.shown())
        interrupt(writer)


def test_two_folders_of_one_method_are_refused(bench: Bench) -> None:
    bench.score()
    folder = bench.parts("images")[0].parent
    (folder.parent / "copy").mkdir()
    for part in bench.parts("images"):
        (folder.parent / "copy" / part.name).write_bytes(part.read_bytes())
    with pytest.raises(IqbenchError, match=r"copy .*edsr.* both hold|both hold method 'edsr'"):
        load_scores(bench.root)


def test_a_part_copied_into_another_methods_folder_is_refused(bench: Bench) -> None:
    bench.score()
    bench.score(method="other")
    mine, others = bench.parts()
    (others.parent / mine.name.replace(".parquet", "-x.parquet")).write_bytes(mine.read_bytes())
    with pytest.raises(IqbenchError, match="more than one dataset and method"):
        load_scores(bench.root)
