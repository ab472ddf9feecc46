"""`load_scores`: long, wide, filtered."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from results_bench import Bench

import iqbench
from iqbench.engine.compute import Precision
from iqbench.errors import IqbenchError
from iqbench.results.read import load_scores
from iqbench.results.schema import PRECISIONS


@pytest.fixture
def filled(bench: Bench) -> Bench:
    for number, method in enumerate(["edsr", "swinir"]):
        for image in "ab":
            bench.score(image, value=30.0 + number, method=method)
            bench.score(image, value=0.1 * number, method=method, metric="lpips-alex")
    return bench


def test_the_long_form_has_a_row_a_value(filled: Bench) -> None:
    frame = iqbench.load_scores(filled.root)
    names = ["dataset", "method", "image", "metric", "value", "error", "signature", "protocol"]
    assert list(frame.columns) == names
    assert len(frame) == 8
    assert all(isinstance(frame[name].dtype, pd.CategoricalDtype) for name in names[:4])
    assert frame["error"].isna().all()


def test_the_wide_form_has_a_row_an_image(filled: Bench) -> None:
    filled.score("b", value=None, error="out of memory", method="swinir")
    frame = load_scores(filled.root, wide=True)
    assert frame.index.names == ["dataset", "method", "image"]
    assert list(frame.columns) == ["psnr", "lpips-alex"]  # the order in which they were declared
    assert frame.loc[("set5", "swinir", "a")].tolist() == [31.0, 0.1]
    assert math.isnan(frame.loc[("set5", "swinir", "b"), "psnr"])


def test_several_signatures_have_a_column_each_headed_by_what_differs(filled: Bench) -> None:
    filled.score("a", value=35.0, view="luma")
    frame = load_scores(filled.root, wide=True)
    assert list(frame.columns) == ["psnr [view=luma]", "psnr [view=rgb]", "lpips-alex"]
    assert frame.loc[("set5", "edsr", "a")].tolist() == [35.0, 30.0, 0.0]


def test_columns_are_chosen(filled: Bench) -> None:
    assert list(load_scores(filled.root, columns=["image", "value"])) == ["image", "value"]
    assert list(load_scores(filled.root, wide=True, columns=["psnr"])) == ["psnr"]
    with pytest.raises(IqbenchError, match=r"unknown column 'valeu'. Did you mean 'value'"):
        load_scores(filled.root, columns=["valeu"])


def test_filters_take_one_value_or_several(filled: Bench) -> None:
    filled.score("a", value=20.0, dataset="set14", protocol="sr-y")

    def count(**filters: str | list[str]) -> int:
        return len(load_scores(filled.root, filters=filters))

    assert count(dataset="set14") == count(protocol="sr-y") == 1
    assert count(method=["edsr", "swinir"]) == 9
    assert count(metric="lpips-alex", method="edsr") == 2
    assert count(image="a", dataset="set5") == 4
    assert count(metric=[]) == 9
    assert load_scores(filled.root, filters={"dataset": "set14"})["image"].cat.categories == ["a"]


def test_a_precision_that_nothing_depends_on_must_be_one(bench: Bench) -> None:
    bench.score(value=30.0)
    assert load_scores(bench.root, filters={"precision": "tf32"})["value"].tolist() == [30.0]
    with pytest.raises(IqbenchError, match=r"unknown precision 'exat'. Did you mean 'exact'"):
        load_scores(bench.root, filters={"precision": "exat"})


def test_precisions_are_those_of_the_engine() -> None:
    assert set(PRECISIONS) == set(get_args(Precision))


def test_precision_keeps_what_does_not_depend_on_it(bench: Bench) -> None:
    bench.score(value=30.0)
    bench.score(value=0.1, metric="lpips-alex", precision="exact")
    bench.score(value=0.2, metric="lpips-alex", precision="bf16")
    assert load_scores(bench.root, filters={"precision": "bf16"})["value"].tolist() == [0.2, 30.0]
    with pytest.raises(IqbenchError, match=r"unknown precision 'fp16'. Did you mean 'bf16'"):
        load_scores(bench.root, filters={"precision": "fp16"})


@pytest.mark.parametrize(
    ("key", "value", "near"),
    [
        ("dataset", "sett5", "set5"),
        ("method", "esdr", "edsr"),
        ("metric", "pnsr", "psnr"),
        ("protocol", "rgbb", "rgb"),
    ],
)
def test_a_filter_that_names_nothing_is_refused_with_the_nearest_name(
    filled: Bench, key: str, value: str, near: str
) -> None:
    with pytest.raises(IqbenchError, match=f"unknown {key} '{value}'. Did you mean '{near}'"):
        load_scores(filled.root, filters={key: value})


def test_filters_that_no_score_passes_together_are_named(filled: Bench) -> None:
    filled.score("a", dataset="set14", protocol="sr-y")
    with pytest.raises(IqbenchError, match="no score has dataset 'set14' and method 'swinir'"):
        load_scores(filled.root, filters={"dataset": "set14", "method": "swinir"})


def test_an_unknown_filter_is_refused(filled: Bench) -> None:
    with pytest.raises(IqbenchError, match=r"unknown filter 'datasets'. Did you mean 'dataset'"):
        load_scores(filled.root, filters={"datasets": "set5"})


def test_a_missing_or_empty_folder_says_how_to_make_results(tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match="no results folder") as caught:
        load_scores(tmp_path / "none")
    assert "iqbench evaluate" in caught.value.hint
    with pytest.raises(IqbenchError, match="no results in"):
        load_scores(tmp_path)


def test_scores_without_their_images_are_not_trusted(filled: Bench) -> None:
    (filled.root / "images").rename(filled.root / "elsewhere")
    with pytest.raises(IqbenchError, match="images is missing or empty"):
        load_scores(filled.root)
