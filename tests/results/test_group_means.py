"""Means over the frames of a clip, or the images of a scene."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_folders import Made

from iqbench.cli.main import main
from iqbench.errors import IqbenchError
from iqbench.results.group_means import GROUP_COLUMNS, group_means
from iqbench.results.read import load_scores

CLIPS = ["ant/1", "ant/2", "ant/3", "bee/1", "bee/2", "city/north/1", "city/north/2", "alone"]


def means(values, images, **columns):
    """The means of values by image, of one method and metric."""
    scores = pd.DataFrame({"image": list(values), "value": list(values.values()), **columns})
    for name in ("dataset", "method", "metric", "signature", "protocol"):
        scores[name] = scores.get(name, name)
    of_method = {"dataset": "dataset", "method": "method", "group": None}
    found = group_means(scores, pd.DataFrame({"image": images, **of_method}))
    assert list(found.columns) == GROUP_COLUMNS
    return found.set_index("group")


class TestMeans:
    def test_of_the_images_in_one_folder(self):
        found = means({"a/1": 1.0, "a/2": 4.0, "b/c/1": 7.0}, ["a/1", "a/2", "b/c/1"])
        assert found["value"].to_dict() == {"a": 2.5, "b/c": 7.0}
        assert found["n"].to_dict() == found["expected"].to_dict() == {"a": 2, "b/c": 1}

    def test_values_that_do_not_exist_are_left_out_and_counted(self):
        found = means({"a/1": 1.0, "a/2": math.nan, "b/1": math.nan}, ["a/1", "a/2", "a/3", "b/1"])
        assert found.loc["a", ["value", "n", "expected"]].tolist() == [1.0, 1, 3]
        assert np.isnan(found.loc["b", "value"])
        assert found.loc["b", ["n", "expected"]].tolist() == [0, 1]

    def test_infinite_values_are_values(self):
        every = ["a/1", "a/2", "b/1", "b/2"]
        found = means(dict(zip(every, [math.inf, 1.0, math.inf, -math.inf], strict=True)), every)
        assert found.loc["a", "value"] == math.inf
        assert np.isnan(found.loc["b", "value"])

    def test_without_images_there_are_no_groups(self):
        assert means({"a/1": 1.0}, []).empty
        assert means({}, ["a/1"]).empty

    def test_a_stored_group_comes_before_the_folder(self):
        scores = pd.DataFrame({"image": ["a/1", "2"], "value": [1.0, 3.0]})
        for name in ("dataset", "method", "metric", "signature", "protocol"):
            scores[name] = name
        images = scores[["dataset", "method", "image"]].assign(group=["scene", "scene"])
        assert group_means(scores, images)["value"].tolist() == [2.0]

    def test_metrics_and_signatures_have_their_own(self):
        found = means({"a/1": 1.0}, ["a/1"], metric=["psnr"])
        other = means({"a/1": 2.0}, ["a/1"], metric=["ssim"])
        assert found["metric"].tolist() + other["metric"].tolist() == ["psnr", "ssim"]


@pytest.fixture
def clips(tmp_path):
    made = Made(tmp_path)
    made.references(CLIPS)
    near = made.method("near", CLIPS)
    made.method("far", CLIPS, amount=30)
    (near / "bee" / "2.png").unlink()
    made.evaluate(near, made.root / "out" / "far", metrics=("psnr", "tv"))
    return made


class TestOfResults:
    def test_they_are_the_means_of_the_images(self, clips):
        found = load_scores(clips.results, scope="group")
        images = load_scores(clips.results)
        for row in found.to_dict("records"):
            of_row = images[
                (images["method"] == row["method"])
                & (images["metric"] == row["metric"])
                & images["image"].astype(str).str.startswith(f"{row['group']}/")
            ]
            assert row["value"] == pytest.approx(of_row["value"].mean())
        assert found.groupby("method")["group"].unique().map(list).to_dict() == {
            name: ["ant", "bee", "city/north"] for name in ("near", "far")
        }
        bee = found[(found["group"] == "bee") & (found["metric"] == "psnr")].set_index("method")
        assert bee[["n", "expected"]].to_numpy().tolist() in ([[1, 2], [2, 2]], [[2, 2], [1, 2]])
        assert bee.loc["near", "n"] == 1

    def test_filters_choose_rows_and_never_part_of_a_group(self, clips):
        chosen = load_scores(
            clips.results, scope="group", filters={"metric": "psnr", "method": "far"}
        )
        assert set(chosen["metric"].astype(str)) == {"psnr"}
        assert set(chosen["method"]) == {"far"}
        with pytest.raises(IqbenchError, match="of all its images"):
            load_scores(clips.results, scope="group", filters={"image": "ant/1"})
        with pytest.raises(IqbenchError, match="groups have one form"):
            load_scores(clips.results, scope="group", wide=True)

    def test_images_without_folders_are_in_no_group(self, tmp_path):
        made = Made(tmp_path)
        made.references(["a", "b"])
        made.evaluate(made.method("near", ["a", "b"]), metrics=("psnr",))
        assert load_scores(made.results, scope="group").empty

    def test_they_are_exported(self, clips, tmp_path):
        out = tmp_path / "clips.csv"
        with pytest.raises(SystemExit) as left:
            main(["export", str(clips.results), "--scope", "group", "-o", str(out)])
        assert left.value.code == 0
        found = load_scores(clips.results, scope="group")
        assert pd.read_csv(out)["value"].tolist() == pytest.approx(found["value"].tolist())
