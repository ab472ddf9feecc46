"""From a dataset on disk to the correlation with its opinions, without any other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from miniatures import Miniature, bapps, edit, live, paint, tid2013

import iqbench
from iqbench import IqbenchWarning
from iqbench.correlation.correlations import read_correlations
from iqbench.datasets.sample import DISTORTED
from iqbench.errors import IqbenchError
from iqbench.results.read import load_images, load_scores
from iqbench.stats.influence import Bootstrap

FEW = Bootstrap(resamples=20)


def evaluate(root: Path, made: Miniature, **options: Any) -> pd.DataFrame:
    """Score a miniature as a user would: a block in a datasets file, and its name."""
    block = {
        "images": made.images,
        "outputs": made.outputs,
        "data": {"layout": made.layout, "folder": made.folder, **made.options, **options},
    }
    file = root / "datasets.yaml"
    file.write_text(yaml.safe_dump({"root": ".", "datasets": {"mini": block}}))
    return iqbench.evaluate(
        datasets=["mini"],
        metrics=["psnr"],
        datasets_file=file,
        results=root / "results",
        device="cpu",
        workers=2,
    )


def test_tid2013_is_scored_without_methods_and_correlates_with_opinions(tmp_path: Path) -> None:
    made = tid2013(tmp_path, paint, distortions=(1, 8), levels=5)
    scores = evaluate(tmp_path, made, raters=36.0)
    assert len(scores) == made.outputs == 20
    assert set(scores["method"]) == {DISTORTED}
    assert scores["error"].isna().all()
    images = load_images(tmp_path / "results").set_index("image")
    row = images.loc["i02_08_3"]
    assert row["mos"] == pytest.approx(3.918)
    assert row["mos_std"] == pytest.approx(6 * (0.1 + 0.01 * 17))
    assert row["mos_direction"] == "higher"
    assert row["distortion"] == "Gaussian blur"
    assert images["mos"].notna().all()
    found = read_correlations(tmp_path / "results", {}, bootstrap=FEW)
    rows = found.opinion.query("statistic == 'srcc'").set_index("distortion")
    # Opinions fall with the level, and so does PSNR; only between kinds and scenes they differ.
    assert rows.loc["", "value"] > 0.9
    assert rows.loc["", ["n", "images"]].tolist() == [20, 2]
    assert set(rows.index) == {"", "additive Gaussian noise", "Gaussian blur"}


def test_live_correlates_with_the_other_sign(tmp_path: Path) -> None:
    made = live(tmp_path, paint)
    with pytest.warns(IqbenchWarning, match="8 of its files for 'mini' are byte for byte equal to"):
        evaluate(tmp_path, made)
    images = load_images(tmp_path / "results")
    assert set(images["mos_direction"]) == {"lower"}
    assert "jp2k/img1" in set(images["image"].astype(str))
    found = read_correlations(tmp_path / "results", {}, bootstrap=FEW)
    rows = found.opinion.query("statistic == 'srcc' and distortion == ''")
    assert rows["value"].item() < -0.9


def test_bapps_has_two_methods_and_choices(tmp_path: Path) -> None:
    scores = evaluate(tmp_path, bapps(tmp_path, paint))
    assert set(scores["method"]) == {"p0", "p1"}
    images = load_images(tmp_path / "results")
    assert set(images["mos_direction"]) == {"choice"}
    of_image = images.groupby("image", observed=True)["mos"].sum()
    assert of_image.tolist() == pytest.approx([1.0] * 12)
    assert set(images["distortion"]) == {
        *("cnn", "color", "deblur", "frameinterp", "superres", "traditional")
    }
    found = read_correlations(tmp_path / "results", {}, bootstrap=FEW)
    rows = found.opinion.query("statistic == '2afc' and distortion == ''").set_index("metric")
    # p1 is the noisier: PSNR prefers p0, which 0.8 and 0.4 of the people chose.
    assert rows.loc["psnr", "value"] == pytest.approx(0.6)


def test_an_incomplete_dataset_yields_no_scores_at_all(tmp_path: Path) -> None:
    made = tid2013(tmp_path, paint)
    (tmp_path / made.folder / made.distorted).unlink()
    with pytest.raises(IqbenchError, match="1 of 18 distorted images"):
        evaluate(tmp_path, made)
    assert not (tmp_path / "results").exists()


def test_an_opinion_that_is_corrected_later_is_taken_over(tmp_path: Path) -> None:
    made = tid2013(tmp_path, paint)
    before = evaluate(tmp_path, made)
    edit(tmp_path / "tid2013" / "mos_with_names.txt", "4.98900 ", "5.25000 ")
    after = evaluate(tmp_path, made)
    pd.testing.assert_frame_equal(before, after)
    images = load_images(tmp_path / "results").set_index("image")
    assert images.loc["i01_01_2", "mos"] == 5.25
    assert len(load_scores(tmp_path / "results")) == made.outputs
